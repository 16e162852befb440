"""In which space the improved method works for given inputs, and how its rows become what a user sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv, gammaincinv, log_ndtr, ndtr

from cem.families.base import Array, is_family
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.categorical import Categorical
from cem.families.categorical_mixture import CategoricalMixture
from cem.families.exponential import Exponential
from cem.families.gamma import Gamma
from cem.families.gaussian import Gaussian
from cem.families.markov_path import MarkovPath
from cem.improved.discrete import BitSpace, LabelSpace
from cem.improved.paths import PathSpace
from cem.improved.spaces import NormalSpace, Space
from cem.inputs import Inputs
from cem.joint_inputs import JointInputs
from cem.marginals import Marginals, checked_marginals


def work_in(inputs: Any) -> tuple[Space, Inputs] | None:
    """Give the working space of inputs, and the way from its rows to theirs; None for other families.

    Raises
    ------
    TypeError, ValueError
        For what are no inputs.
    """
    if isinstance(inputs, Bernoulli | BernoulliMixture):
        mixed = inputs if isinstance(inputs, BernoulliMixture) else BernoulliMixture([1.0], inputs.p[None, :])
        bits = BitSpace(mixed)
        return bits, Inputs(bits.nominal, bits.nominal, lambda x: x)
    if isinstance(inputs, Categorical):
        labels = LabelSpace(CategoricalMixture([1.0], inputs.probabilities[None]))
        return labels, Inputs(labels.nominal, labels.nominal, lambda x: x)
    if isinstance(inputs, MarkovPath):
        paths = PathSpace(inputs)
        return paths, Inputs(paths.nominal, paths.nominal, inputs.last_states)
    if isinstance(inputs, Gaussian | Exponential | Gamma | JointInputs):
        d = inputs.dimension
    elif is_family(inputs):
        return None
    else:
        inputs = Marginals(checked_marginals(inputs))
        d = inputs.dimension
    space = NormalSpace(d)
    return space, Inputs(space.nominal, space.nominal, _from_normal(inputs))


def _from_normal(inputs: Any) -> Callable[[Array], NDArray[np.float64]]:
    """Give the map from standard normal rows to the inputs."""
    if isinstance(inputs, Marginals | JointInputs):
        return inputs.from_normal

    def gaussian(u: Array) -> NDArray[np.float64]:
        return _read_only(inputs.mean + (inputs.std * u if inputs.diagonal else u @ factor.T))

    def exponential(u: Array) -> NDArray[np.float64]:
        return _read_only(-inputs.mean * log_ndtr(-u))

    def gamma(u: Array) -> NDArray[np.float64]:
        tail = ndtr(-np.abs(u))
        above, below = gammainccinv(inputs.shape, tail), gammaincinv(inputs.shape, tail)
        return _read_only(inputs.scale * np.where(u > 0, above, below))

    if isinstance(inputs, Gamma):
        return gamma
    if isinstance(inputs, Exponential):
        return exponential
    factor = np.eye(1) if inputs.diagonal else np.linalg.cholesky(inputs.covariance)
    return gaussian


def _read_only(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x.flags.writeable = False
    return x
