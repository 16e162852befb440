"""What random inputs a performance has, and how they are sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv, gammaincinv, log_ndtr, ndtr

from cem.families.base import Array, Family, dimension, is_family
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.categorical import Categorical
from cem.families.categorical_mixture import CategoricalMixture
from cem.families.exponential import Exponential
from cem.families.gamma import Gamma
from cem.families.gaussian import Gaussian
from cem.families.markov_path import MarkovPath
from cem.rare_events.importance import Nominal
from cem.rare_events.inputs import JointInputs, Marginals, checked_marginals
from cem.rare_events.spaces.discrete import BitSpace, LabelSpace
from cem.rare_events.spaces.normal import NormalSpace, Space
from cem.rare_events.spaces.paths import PathSpace


class Inputs(NamedTuple):
    """Where an estimate samples: the nominal, the first proposal, and the way to what a user sees.

    Attributes
    ----------
    nominal : Nominal
        Distribution of the rows that are drawn.
    proposal : Family
        The first distribution to draw from.
    present : callable
        From drawn rows to the inputs of the performance.
    """

    nominal: Nominal
    proposal: Family
    present: Callable[[Array], Array]


def resolve_inputs(inputs: Any, family: Family | None) -> Inputs:
    """Read inputs as users write them.

    Parameters
    ----------
    inputs : Family, sequence of frozen scipy.stats distributions, or JointInputs
    family : Family, optional
        The first proposal, in the inputs' own space; default: the nominal itself, for scipy.stats
        distributions by way of standard-normal space.

    Raises
    ------
    TypeError
        If they are neither.
    ValueError
        If the proposal has another dimension.
    """
    if family is not None and not is_family(family):
        raise TypeError(
            f"family must have sample, log_prob, fit, blend and entropy; got {type(family).__name__}."
        )
    if isinstance(inputs, JointInputs):
        if family is not None:
            raise ValueError("family= is not available with JointInputs; leave it out.")
        standard = Gaussian(np.zeros(inputs.dimension), std=1)
        return Inputs(standard, standard, inputs.from_normal)
    if is_family(inputs):
        nominal: Nominal = inputs
        proposal = inputs if family is None else family
    else:
        marginals = Marginals(checked_marginals(inputs))
        if family is None:
            standard = Gaussian(np.zeros(marginals.dimension), std=np.ones(marginals.dimension))
            return Inputs(standard, standard, marginals.from_normal)
        nominal, proposal = marginals, family
    d = nominal.dimension if isinstance(nominal, Marginals) else dimension(inputs)
    if dimension(proposal) != d:
        raise ValueError(f"the proposal has {dimension(proposal)} variables, the inputs {d}.")
    present = inputs.last_states if isinstance(inputs, MarkovPath) else _same
    return Inputs(nominal, proposal, present)


def _same(x: Array) -> Array:
    return x


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
