"""Independent inputs given by frozen scipy.stats distributions, by way of standard-normal space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from cem.families.base import Array


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
        out = np.empty(u.shape)
        alike: dict[int, list[int]] = {}
        for j, marginal in enumerate(self.marginals):
            alike.setdefault(id(marginal), []).append(j)
        for columns in alike.values():
            out[:, columns] = through(self.marginals[columns[0]], u[:, columns])
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


def through(marginal: Any, u: Array) -> NDArray[np.float64]:
    """Map standard normals to a marginal, by the tail that is accurate; normals need no quantiles."""
    if getattr(marginal.dist, "name", "") == "norm":
        return np.asarray(marginal.mean() + marginal.std() * u)
    tail = ndtr(-np.abs(u))
    return np.asarray(np.where(u > 0, marginal.isf(tail), marginal.ppf(tail)))


def checked_marginals(inputs: Any) -> tuple[Any, ...]:
    """Check a sequence of frozen scipy.stats distributions.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
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
