"""Independent gamma coordinates: positive amounts whose spread and mean move separately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import digamma, gammaln, polygamma, xlogy

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

_TINY = float(np.finfo(np.float64).tiny)
LEAST_SHAPE, MOST_SHAPE = 1e-6, 1e10
ROUNDS = 40


@dataclass(frozen=True, eq=False, repr=False)
class Gamma(Stored):
    """Independent gamma distribution over positive rows; immutable.

    The density is ``Π_j x_j^(k_j - 1) exp(-x_j / θ_j) / (Γ(k_j) θ_j^k_j)`` with shapes k and scales θ.

    Parameters
    ----------
    shape : array_like, shape (d,)
        Positive.
    scale : array_like, shape (d,)
        Positive, in the candidates' units; the mean is shape · scale.

    Raises
    ------
    ValueError
        If a parameter is not positive, or shapes disagree.

    References
    ----------
    Minka (2002), "Estimating a gamma distribution" (the fit).

    Examples
    --------
    >>> import cem
    >>> fitted = cem.Gamma([1.0], [1.0]).fit([[1.0], [2.0], [3.0]])
    >>> float(round(fitted.shape[0], 4)), float(round(fitted.shape[0] * fitted.scale[0], 4))
    (5.3752, 2.0)
    """

    shape: Any
    scale: Any

    dtype: ClassVar = np.dtype(np.float64)

    def __post_init__(self) -> None:
        shape, scale = parameter_vector("shape", self.shape), parameter_vector("scale", self.scale)
        if shape.shape != scale.shape:
            raise ValueError(f"shape and scale must be of one length, got {shape.size} and {scale.size}.")
        if np.any(shape <= 0) or np.any(scale <= 0):
            raise ValueError("shapes and scales must be positive.")
        if scale.max() > LARGEST_SCALE:
            raise ValueError(f"scales must be at most {LARGEST_SCALE:g}; measure in other units.")
        object.__setattr__(self, "shape", frozen(shape))
        object.__setattr__(self, "scale", frozen(scale))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.shape.size)

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
        rng.standard_gamma(np.broadcast_to(self.shape, out.shape), out=out)
        out *= self.scale
        np.maximum(out, _TINY, out=out)  # a small shape may round to 0, which has no density

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``; -inf where an entry is negative."""
        x = check_rows(x, self.dimension)
        inside = np.all(x >= 0, axis=1)
        with np.errstate(over="ignore"):
            y = np.minimum(np.where(inside[:, None], x, self.scale) / self.scale, 1 / _TINY)
        with np.errstate(divide="ignore", invalid="ignore"):
            density = xlogy(self.shape - 1, y) - y - gammaln(self.shape) - np.log(self.scale)
            total = density.sum(axis=1)
        total[np.isnan(total)] = -np.inf  # at 0, where one entry has no density and another's has a pole
        return np.where(inside, total, -np.inf)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: the mean, and the shape by Newton's method."""
        x, w = check_fit(x, weights, self.dimension)
        x = np.maximum(x, _TINY)
        mean = w @ x
        shape = shape_of(np.log(mean) - w @ np.log(x))
        return self.owning(shape=shape, scale=np.maximum(mean / shape, _TINY))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Smooth shape and scale."""
        a = check_rate(rate)
        return self.owning(
            shape=(1 - a) * self.shape + a * other.shape, scale=(1 - a) * self.scale + a * other.scale
        )

    def entropy(self) -> float:
        """Differential entropy in nats."""
        k = self.shape
        return float(np.sum(k + np.log(self.scale) + gammaln(k) + (1 - k) * digamma(k)))

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, Gamma) or other.dimension != self.dimension:
            raise TypeError("a closed form needs two Gamma families of the same dimension.")
        k, m = self.shape, other.shape
        with np.errstate(over="ignore"):
            ratio = self.scale / other.scale
            excess = k * (ratio - 1) - m * (np.log(self.scale) - np.log(other.scale))
        return float(np.sum((k - m) * digamma(k) - gammaln(k) + gammaln(m) + excess))

    def __repr__(self) -> str:
        if self.dimension > 6:
            return f"Gamma({self.dimension} coordinates)"
        return f"Gamma(shape={self.shape.tolist()}, scale={self.scale.tolist()})"


def shape_of(gap: Any) -> Floats:
    """Solve ``log k - ψ(k) = gap`` for the shape k, where gap is log of mean minus mean of logs.

    References
    ----------
    Minka (2002), "Estimating a gamma distribution": Newton's method in 1/k.
    """
    s = np.maximum(np.asarray(gap, dtype=np.float64), 0.5 / MOST_SHAPE)
    k = np.clip((3 - s + np.sqrt((s - 3) ** 2 + 24 * s)) / (12 * s), LEAST_SHAPE, MOST_SHAPE)
    for _ in range(ROUNDS):
        slope = 1 / k - polygamma(1, k)
        after = 1 / (1 / k + (s - np.log(k) + digamma(k)) / (k**2 * -slope))
        after = np.clip(np.where(after > 0, after, k / 2), LEAST_SHAPE, MOST_SHAPE)
        done = np.all(np.abs(after - k) <= 1e-14 * k)
        k = after
        if done:
            break
    return np.asarray(k)
