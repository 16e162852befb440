"""What random inputs a performance has, and how they are sampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from cem.families.base import Array, Family, dimension, is_family
from cem.families.gaussian import Gaussian
from cem.importance import Nominal


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


@dataclass(frozen=True, eq=False)
class Marginals:
    """Independent inputs with the given frozen scipy.stats distributions.

    Sampling in standard-normal space needs only their quantiles: `from_normal` maps a standard normal
    row there to a row of inputs here. In their own space they are a `Nominal`.
    """

    marginals: tuple[Any, ...]

    @property
    def dimension(self) -> int:
        """Number of inputs."""
        return len(self.marginals)

    def from_normal(self, u: Array) -> NDArray[np.float64]:
        """Map standard normal rows to rows of inputs, each tail by the function that is accurate there."""
        columns = []
        for marginal, column in zip(self.marginals, u.T, strict=True):
            tail = ndtr(-np.abs(column))
            columns.append(np.where(column > 0, marginal.isf(tail), marginal.ppf(tail)))
        out = np.column_stack(columns).astype(np.float64)
        out.flags.writeable = False
        return out

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.float64]:
        """Draw `n` rows of inputs, shape ``(n, d)``."""
        return self.from_normal(rng.standard_normal((n, self.dimension)))

    def log_prob(self, x: Array, /) -> NDArray[np.float64]:
        """Log density (or mass) of each row in nats, shape ``(n,)``."""
        total = np.zeros(len(x))
        for marginal, column in zip(self.marginals, np.asarray(x).T, strict=True):
            total += marginal.logpdf(column) if hasattr(marginal.dist, "logpdf") else marginal.logpmf(column)
        return total


def resolve_inputs(inputs: Any, family: Family | None) -> Inputs:
    """Read inputs as users write them.

    Parameters
    ----------
    inputs : Family or sequence of frozen scipy.stats distributions
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
    if is_family(inputs):
        nominal: Nominal = inputs
        proposal = inputs if family is None else family
    else:
        marginals = Marginals(_checked(inputs))
        if family is None:
            standard = Gaussian(np.zeros(marginals.dimension), std=np.ones(marginals.dimension))
            return Inputs(standard, standard, marginals.from_normal)
        nominal, proposal = marginals, family
    d = nominal.dimension if isinstance(nominal, Marginals) else dimension(inputs)
    if dimension(proposal) != d:
        raise ValueError(f"the proposal has {dimension(proposal)} variables, the inputs {d}.")
    return Inputs(nominal, proposal, _same)


def _same(x: Array) -> Array:
    return x


def _checked(inputs: Any) -> tuple[Any, ...]:
    if inputs is None:
        raise ValueError("say what the inputs are: inputs= a family, or a list of frozen scipy.stats.")
    if isinstance(inputs, type):
        raise TypeError(f"inputs must be a distribution, not the class {inputs.__name__}; call it first.")
    if not isinstance(inputs, Sequence) or isinstance(inputs, str) or len(inputs) == 0:
        raise TypeError(
            "inputs must be a family (sample, log_prob, fit, blend, entropy) or a non-empty list of frozen "
            f"scipy.stats distributions; got {type(inputs).__name__}."
        )
    for j, marginal in enumerate(inputs):
        if not all(hasattr(marginal, name) for name in ("ppf", "isf", "dist")):
            raise TypeError(
                f"inputs[{j}] is not a frozen scipy.stats distribution (like scipy.stats.norm(0, 1)); "
                f"got {marginal!r}."
            )
    return tuple(inputs)
