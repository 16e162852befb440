"""Independent random inputs: distributions of scipy.stats, by way of standard normals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from cem.families.base import Array, Floats
from cem.rare_events.distributions import Distribution, is_distribution, read_distribution
from cem.rare_events.quantiles import ContinuousQuantiles
from cem.rare_events.steps import DiscreteQuantiles

Quantiles = ContinuousQuantiles | DiscreteQuantiles

CELLS = 2**16  # numbers mapped at once: some tenths of a second for slow quantile functions


@dataclass(frozen=True, eq=False)
class Marginals:
    """Independent inputs with the given distributions of scipy.stats.

    Sampling in standard-normal space needs only their quantiles: `from_normal` maps a standard normal
    row there to a row of inputs here. In their own space they are a `Nominal`.
    """

    marginals: tuple[Any, ...]

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: what is kept for the next time holds functions."""
        return fields_of(self)

    @property
    def dimension(self) -> int:
        """Number of inputs."""
        return len(self.marginals)

    @cached_property
    def quantiles(self) -> tuple[Quantiles, ...]:
        """The quantile function of each input; one for those that are the same object."""
        made: dict[int, Quantiles] = {}
        for marginal in self.marginals:
            if id(marginal) not in made:
                made[id(marginal)] = quantiles_of(read_distribution(marginal))
        return tuple(made[id(marginal)] for marginal in self.marginals)

    def from_normal(self, u: Array, /) -> Floats:
        """Map standard normal rows to rows of inputs, each tail by the function that is accurate there."""
        out = np.empty(u.shape)
        alike: dict[int, list[int]] = {}
        for j, quantiles in enumerate(self.quantiles):
            alike.setdefault(id(quantiles), []).append(j)
        for columns in alike.values():
            step = max(1, CELLS // len(columns))
            for first in range(0, len(u), step):
                part = slice(first, first + step)
                out[part, columns] = self.quantiles[columns[0]](u[part, columns])
        out.flags.writeable = False
        return out

    def to_normal(self, x: Array, /) -> Floats:
        """Map rows of inputs to standard normal rows; of a discrete input, to the middle of its value's part.

        The middle is meant by probability. Values outside the support go to ±inf, NaN stays.
        """
        x = np.asarray(x, dtype=np.float64)
        columns = [q.to_normal(each) for q, each in zip(self.quantiles, x.T, strict=True)]
        return np.array(columns).T.reshape(x.shape)

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` rows of inputs, shape ``(n, d)``."""
        return self.from_normal(rng.standard_normal((n, self.dimension)))

    def log_prob(self, x: Array, /) -> Floats:
        """Log density (or mass) of each row in nats, shape ``(n,)``."""
        total = np.zeros(len(x))
        for quantiles, column in zip(self.quantiles, np.asarray(x).T, strict=True):
            total += quantiles.distribution.log_density(column)
        return total


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without its cached properties."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def quantiles_of(distribution: Distribution) -> Quantiles:
    """Return the quantile function of normal variates that a distribution has."""
    return DiscreteQuantiles(distribution) if distribution.discrete else ContinuousQuantiles(distribution)


def checked_marginals(inputs: Any) -> tuple[Any, ...]:
    """Check a sequence or dict of distributions of scipy.stats, or a single one.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    if inputs is None:
        raise ValueError("say what the inputs are: inputs= a family, or a list of frozen scipy.stats.")
    if isinstance(inputs, type):
        raise TypeError(f"inputs must be a distribution, not the class {inputs.__name__}; call it first.")
    if is_distribution(inputs):
        return (inputs,)
    given = type(inputs).__name__
    if isinstance(inputs, Mapping):
        inputs = list(inputs.values())
    if not isinstance(inputs, Sequence) or isinstance(inputs, str) or len(inputs) == 0:
        empty = isinstance(inputs, Sequence) and len(inputs) == 0
        raise TypeError(
            "inputs must be a family (sample, log_prob, fit, blend, entropy) or a non-empty list or dict of "
            f"frozen scipy.stats distributions; got {'an empty ' if empty else ''}{given}."
        )
    for j, marginal in enumerate(inputs):
        if not is_distribution(marginal):
            raise TypeError(
                f"inputs[{j}] is not a frozen scipy.stats distribution (like scipy.stats.norm(0, 1)); "
                f"got {marginal!r}."
            )
        if np.ndim(marginal.support()[0]):
            raise TypeError(f"inputs[{j}] is an array of distributions; give one for each input.")
    return tuple(inputs)
