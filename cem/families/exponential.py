"""Independent exponential coordinates: the family of waiting and life times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from cem.families.base import (
    LARGEST_SCALE,
    Array,
    Floats,
    Mask,
    Stored,
    check_fit,
    check_rate,
    check_rows,
    frozen,
    parameter_vector,
)

_LEAST_MEAN = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False, repr=False)
class Exponential(Stored):
    """Independent exponential distribution over non-negative rows; immutable.

    The density is ``Π_j exp(-x_j / mean_j) / mean_j``; the weighted fit is the weighted mean of the rows.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean (the inverse of the rate) of each coordinate, positive, in the candidates' units.

    Raises
    ------
    ValueError
        If a mean is not positive.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method",
    Annals of Operations Research 134, Section 2.2 and Equation (14).

    Examples
    --------
    >>> import cem
    >>> cem.Exponential([1.0]).fit([[1.0], [3.0]], [1.0, 3.0])
    Exponential(mean=[2.5])
    """

    mean: Any

    dtype: ClassVar = np.dtype(np.float64)
    redrawable: ClassVar = True

    def __post_init__(self) -> None:
        mean = parameter_vector("mean", self.mean)
        if np.any(mean <= 0):
            raise ValueError(f"means must be positive, got a smallest value of {mean.min()!r}.")
        if mean.max() > LARGEST_SCALE:
            raise ValueError(f"means must be at most {LARGEST_SCALE:g}; measure in other units.")
        object.__setattr__(self, "mean", frozen(mean))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.mean.size)

    def contains(self, x: Array, /) -> Mask:
        """Return which rows are non-negative, shape ``(n,)``."""
        x = check_rows(x, self.dimension)
        return np.asarray(np.all(x >= 0, axis=1))

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` candidates, shape ``(n, d)``."""
        out = np.empty((n, self.dimension))
        self.fill(out, rng)
        return out

    def fill(self, out: Floats, rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, a contiguous array of shape ``(n, d)``."""
        rng.standard_exponential(out=out)
        out *= self.mean

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``; -inf where an entry is negative."""
        x = check_rows(x, self.dimension)
        with np.errstate(over="ignore"):  # far beyond a tiny mean the density is 0
            density = -(x / self.mean).sum(axis=1) - np.sum(np.log(self.mean))
        return np.where(np.all(x >= 0, axis=1), density, -np.inf)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: the weighted mean of the rows."""
        x, w = check_fit(x, weights, self.dimension)
        return self.owning(mean=np.maximum(w @ x, _LEAST_MEAN))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Mix the means."""
        a = check_rate(rate)
        return self.owning(mean=(1 - a) * self.mean + a * other.mean)

    def entropy(self) -> float:
        """Differential entropy in nats."""
        return float(np.sum(1 + np.log(self.mean)))

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, Exponential) or other.dimension != self.dimension:
            raise TypeError("a closed form needs two Exponential families of one dimension.")
        with np.errstate(over="ignore"):
            ratio = self.mean / other.mean
        return float(np.sum(ratio - 1 - np.log(self.mean) + np.log(other.mean)))

    def __repr__(self) -> str:
        if self.dimension > 8:
            return f"Exponential({self.dimension} coordinates)"
        return f"Exponential(mean={self.mean})"
