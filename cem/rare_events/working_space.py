"""What random inputs a performance has, and how they are sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammainccinv, gammaincinv, log_ndtr, ndtr

from cem.families.base import Array, Family, Floats, dimension, is_family
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.categorical import Categorical
from cem.families.categorical_mixture import CategoricalMixture
from cem.families.exponential import Exponential
from cem.families.gamma import Gamma
from cem.families.gaussian import Gaussian
from cem.families.markov_path import MarkovPath
from cem.rare_events.distributions import read_distribution
from cem.rare_events.importance import Nominal
from cem.rare_events.inputs import JointInputs, read_inputs
from cem.rare_events.marginals import Marginals
from cem.rare_events.settings import DEFAULT, Settings
from cem.rare_events.spaces.discrete import BitSpace, LabelSpace
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.spaces.own import own_space
from cem.rare_events.spaces.paths import PathSpace
from cem.rare_events.spaces.space import Space


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
    standard : bool
        Whether the rows that are drawn are independent standard normals though there is no `space`.
    space : Space or None
        Where the improved method fits its proposals; None: the inputs' own family is all there is.
    """

    nominal: Nominal
    proposal: Family
    present: Callable[[Array], Array]
    space: Space | None = None
    standard: bool = False


def resolve_inputs(
    inputs: Any, family: Family | None = None, *, own: bool = False, settings: Settings = DEFAULT
) -> Inputs:
    """Read inputs as users write them.

    Parameters
    ----------
    inputs : Family, sequence or dict of frozen scipy.stats distributions, or JointInputs
    family : Family, optional
        The first proposal, in the inputs' own space; default: the nominal itself, for scipy.stats
        distributions by way of standard-normal space.
    own : bool
        Stay in the inputs' own family also where there is a space for the improved method.
    settings : Settings
        Of that space.

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
    if not (is_family(inputs) or isinstance(inputs, JointInputs)):
        inputs = read_inputs(inputs)
    if family is not None:
        return _with_proposal(inputs, family)
    space = None if own else _space(inputs, settings)
    if space is not None:
        return Inputs(space.nominal, space.nominal, _way_to(inputs, space), space)
    if is_family(inputs):
        return Inputs(inputs, inputs, _way_to(inputs, None))
    standard = Gaussian(np.zeros(inputs.dimension), std=np.ones(inputs.dimension))
    return Inputs(standard, standard, inputs.from_normal, standard=True)


def _with_proposal(inputs: Any, family: Family) -> Inputs:
    if isinstance(inputs, JointInputs):
        raise ValueError("family= is not available with JointInputs; leave it out.")
    d = inputs.dimension if isinstance(inputs, Marginals) else dimension(inputs)
    if dimension(family) != d:
        raise ValueError(f"the proposal has {dimension(family)} variables, the inputs {d}.")
    return Inputs(inputs, family, _way_to(inputs, None))


def _space(inputs: Any, settings: Settings) -> Space | None:
    """Return the space that the improved method works in; None for families that it does not know."""
    if isinstance(inputs, BernoulliMixture):
        return BitSpace(inputs, settings)
    if isinstance(inputs, Bernoulli):
        return BitSpace(BernoulliMixture([1.0], inputs.p[None, :]), settings)
    if isinstance(inputs, Categorical):
        return LabelSpace(CategoricalMixture([1.0], inputs.probabilities[None]), settings)
    if isinstance(inputs, MarkovPath):
        return PathSpace(inputs, settings)
    if isinstance(inputs, Marginals) and (p := _bits(inputs)) is not None:
        return BitSpace(BernoulliMixture([1.0], p[None]), settings)
    if isinstance(inputs, Gaussian | Exponential | Gamma | JointInputs | Marginals):
        return NormalSpace(inputs.dimension, settings)
    return own_space(inputs, settings) if is_family(inputs) else None


def space_of_rows(nominal: Any) -> Space | None:
    """Return the space over the rows that a nominal distribution itself draws; None where none is known."""
    if isinstance(nominal, MarkovPath) or not is_family(nominal):
        return None
    if (
        isinstance(nominal, Gaussian)
        and nominal.diagonal
        and not nominal.mean.any()
        and (nominal.std == 1).all()
    ):
        return NormalSpace(nominal.dimension)
    if isinstance(nominal, Bernoulli | Categorical | BernoulliMixture):
        return _space(nominal, DEFAULT)
    return own_space(nominal)


def _is_standard(nominal: Gaussian) -> bool:
    return not nominal.mean.any() and bool((nominal.std == 1).all())


def discrete(inputs: Any) -> bool:
    """Whether some of the inputs, as users write them, take values apart from one another."""
    if is_family(inputs):
        return not isinstance(inputs, Gaussian | Exponential | Gamma)
    return any(read_distribution(each).discrete for each in read_inputs(inputs).marginals)


def _bits(inputs: Marginals) -> Floats | None:
    """Return the probabilities of 1 where all marginals are those of bits, shape ``(d,)``, else None.

    Bits of a probability below 1e-16 have no threshold that a double could hold as a tail of one.
    """
    marginals = inputs.marginals
    functions = [read_distribution(each) for each in marginals]
    if any(f.name != "bernoulli" or f.support != (0, 1) for f in functions):
        return None
    return np.array([float(each.mean()) for each in marginals])


def _way_to(inputs: Any, space: Space | None) -> Callable[[Array], Array]:
    """Return the map from drawn rows to what the performance sees."""
    if isinstance(inputs, MarkovPath):
        return inputs.last_states
    if isinstance(inputs, Marginals) and isinstance(space, BitSpace):
        return _as_reals
    return _from_normal(inputs) if isinstance(space, NormalSpace) else _same


def _as_reals(x: Array) -> Floats:
    return _read_only(x.astype(np.float64))


def _same(x: Array) -> Array:
    return x


def _from_normal(inputs: Any) -> Callable[[Array], Floats]:
    """Return the map from standard normal rows to the inputs."""
    if isinstance(inputs, Marginals | JointInputs):
        return inputs.from_normal

    def gaussian(u: Array) -> Floats:
        return _read_only(inputs.mean + (inputs.std * u if inputs.diagonal else u @ factor.T))

    def exponential(u: Array) -> Floats:
        return _read_only(-inputs.mean * log_ndtr(-u))

    def gamma(u: Array) -> Floats:
        tail = ndtr(-np.abs(u))
        above, below = gammainccinv(inputs.shape, tail), gammaincinv(inputs.shape, tail)
        return _read_only(inputs.scale * np.where(u > 0, above, below))

    if isinstance(inputs, Gamma):
        return gamma
    if isinstance(inputs, Exponential):
        return exponential
    factor = np.eye(1) if inputs.diagonal else np.linalg.cholesky(inputs.covariance)
    return gaussian


def _read_only(x: Floats) -> Floats:
    x.flags.writeable = False
    return x
