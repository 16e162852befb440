"""What random inputs a performance has, and how they are sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cem.families.base import Array, Family, dimension, is_family
from cem.families.gaussian import Gaussian
from cem.families.markov_path import MarkovPath
from cem.importance import Nominal
from cem.joint_inputs import JointInputs
from cem.marginals import Marginals, checked_marginals


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
