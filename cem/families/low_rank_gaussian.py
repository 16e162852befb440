"""The normal family with a few stretched directions: O(k d) to sample, to score and to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import (
    LARGEST,
    LEAST,
    Array,
    Floats,
    check_fit,
    check_rate,
    frozen,
    parameter_vector,
)
from cem.families.gaussian import Gaussian, GaussianLike


@dataclass(frozen=True, eq=False, repr=False)
class LowRankGaussian(GaussianLike):
    """Normal distribution of ``mean + std * A z`` for a standard normal z; immutable.

    ``A = (I + r_k v_k v_k') … (I + r_1 v_1 v_1')`` stretches the unit vectors v_i by 1 + r_i, one after
    the other.

    Parameters
    ----------
    mean : array_like, shape (d,)
    std : array_like, shape (d,)
        Scales of the coordinates, which come after the stretches.
    vectors : array_like, shape (k, d)
        The unit rows v_i.
    stretches : array_like, shape (k,)
        The r_i, above -1; a v_i whose r_i is 0 may be anything.

    Raises
    ------
    ValueError
        If shapes differ, a std is not positive or a stretch not above -1.
    """

    mean: Any
    std: Any
    vectors: Any
    stretches: Any

    minimum_rows: ClassVar = 2

    def __post_init__(self) -> None:
        mean, std = parameter_vector("mean", self.mean), parameter_vector("std", self.std)
        vectors, stretches = frozen(self.vectors), frozen(self.stretches)
        if std.size != mean.size or vectors.shape != (stretches.size, mean.size):
            raise ValueError(
                f"shapes differ: mean {mean.shape}, std {std.shape}, vectors {vectors.shape}, "
                f"stretches {stretches.shape}."
            )
        if np.any(std <= 0) or not np.all(stretches > -1) or not np.all(np.isfinite(vectors)):
            raise ValueError("std must be positive, stretches above -1, vectors finite.")
        for name, value in (("mean", mean), ("std", std), ("vectors", vectors), ("stretches", stretches)):
            object.__setattr__(self, name, frozen(value))

    @classmethod
    def of(cls, other: Any) -> Self:
        """Return a diagonal `Gaussian` (or the marginals of another) without stretches."""
        if isinstance(other, cls):
            return other
        return cls(other.mean, other.std, np.zeros((0, other.mean.size)), np.zeros(0))

    @property
    def plain(self) -> Gaussian:
        """The same distribution, given by its covariance in ``O(k d²)``."""
        root = np.diag(self.std)
        for v, r in zip(self.vectors[::-1], self.stretches[::-1], strict=True):
            root += np.multiply.outer(root @ v, r * v)
        return Gaussian.with_covariance(self.mean, root @ root.T)

    def fill(self, out: Floats, rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, a contiguous array of shape ``(n, d)``."""
        rng.standard_normal(out=out)
        for v, r in zip(self.vectors, self.stretches, strict=True):
            out += np.multiply.outer(r * (out @ v), v)
        out *= self.std
        out += self.mean

    def whiten(self, x: Array, /) -> Floats:
        """Return the standard normal deviates that the rows of `x` are made of, shape ``(n, d)``."""
        z = np.asarray((x - self.mean) / self.std)
        for v, r in zip(self.vectors[::-1], self.stretches[::-1], strict=True):
            z -= np.multiply.outer(r / (1 + r) * (z @ v), v)
        return z

    @property
    def log_volume(self) -> float:
        """Half the logarithm of the covariance's determinant."""
        return float(np.sum(np.log(self.std)) + np.sum(np.log1p(self.stretches)))

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit mean and size by weighted maximum likelihood; the shape stays, it has no closed form."""
        x, w = check_fit(x, weights, self.dimension)
        mean = w @ x
        z = self.whiten(x - mean + self.mean)
        unit = 2.0 ** np.frexp(np.abs(z).max())[1]  # a power of two, so that nothing is rounded
        z /= unit
        size = unit * float(np.sqrt(w @ np.einsum("ij,ij->i", z, z) / self.dimension))
        return self.replaced(mean=mean, std=np.clip(size * self.std, LEAST, LARGEST))

    def blend(self, other: Gaussian | Self, rate: float, /) -> Self:
        """Mix mean, std and stretches; directions that only one of the two has fade in or out."""
        a = check_rate(rate)
        other = self.of(other)
        mean = (1 - a) * self.mean + a * other.mean
        std = (1 - a) * self.std + a * other.std
        vectors, stretches = self.vectors, (1 - a) * self.stretches
        if np.array_equal(vectors, other.vectors):
            stretches = stretches + a * other.stretches
        else:
            vectors = np.concatenate([vectors, other.vectors])
            stretches = np.concatenate([stretches, a * other.stretches])
        return self.owning(mean=mean, std=std, vectors=vectors, stretches=stretches)

    def stretched(self, mean: ArrayLike, factor: ArrayLike) -> LowRankGaussian:
        """Return it about another `mean`, with each spread times its `factor`, a scalar or ``(d,)``."""
        return LowRankGaussian(mean, np.asarray(factor) * self.std, self.vectors, self.stretches)

    def __repr__(self) -> str:
        return f"LowRankGaussian({self.dimension} coordinates, {len(self.stretches)} directions)"
