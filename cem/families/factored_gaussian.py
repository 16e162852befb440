"""The normal family given by a factor of its covariance: what is adapted by factors is sampled by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import (
    Array,
    Floats,
    frozen,
    parameter_numbers,
    parameter_vector,
)
from cem.families.gaussian import Gaussian, GaussianLike


@dataclass(frozen=True, eq=False, repr=False)
class FactoredGaussian(GaussianLike):
    """Normal distribution N(mean, factor @ factor.T); immutable.

    It spares an iteration the checks and the factorisation that a covariance asks for; for everything but
    sampling it is `plain`, the same distribution as a `Gaussian`.

    Parameters
    ----------
    mean : array_like, shape (d,)
    factor : array_like, shape (d, d)
        Any square root of the covariance, in the units of the candidates.

    Raises
    ------
    ValueError
        If shapes differ or something is not finite.
    """

    mean: Any
    factor: Any

    def __post_init__(self) -> None:
        mean = parameter_vector("mean", self.mean)
        factor = frozen(parameter_numbers("factor", self.factor))
        if factor.shape != (mean.size, mean.size):
            raise ValueError(f"factor must have shape ({mean.size}, {mean.size}), got {factor.shape}.")
        if not np.all(np.isfinite(factor)):
            raise ValueError("factor must be finite.")
        object.__setattr__(self, "mean", frozen(mean))
        object.__setattr__(self, "factor", factor)

    @classmethod
    def of(cls, other: Any) -> Self:
        """Return any Gaussian by a factor of its covariance."""
        if isinstance(other, cls):
            return other
        if not isinstance(other, GaussianLike):
            raise TypeError(f"a factor needs a Gaussian, got {type(other).__name__}.")
        plain = other.plain
        return cls(plain.mean, np.diag(plain.std) if plain.diagonal else plain.root)

    @property
    def minimum_rows(self) -> int:
        """Rows below which a fit has no spread in some direction."""
        return max(2, self.dimension)

    @cached_property
    def std(self) -> Floats:
        """Marginal standard deviations, shape ``(d,)``."""
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", self.factor, self.factor)))

    @cached_property
    def log_volume(self) -> float:
        """Logarithm of the magnitude of the factor's determinant."""
        return float(np.linalg.slogdet(self.factor)[1])

    @cached_property
    def plain(self) -> Gaussian:
        """The same distribution, given by its covariance."""
        return Gaussian.with_covariance(self.mean, self.factor @ self.factor.T)

    def fill(self, out: Floats, rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, a contiguous array of shape ``(n, d)``."""
        np.matmul(rng.standard_normal(out.shape), self.factor.T, out=out)
        out += self.mean

    def whiten(self, x: Array, /) -> Floats:
        """Return the standard normal deviates that the rows of `x` are made of, shape ``(n, d)``."""
        return self.plain.whiten(x)

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``."""
        return self.plain.log_prob(x)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit mean and covariance by weighted maximum likelihood."""
        return self.of(self.plain.fit(x, weights))

    def blend(self, other: GaussianLike, rate: float, spread_rate: float | None = None, /) -> Self:
        """Mix mean and covariance as `Gaussian.blend` does."""
        return self.of(self.plain.blend(other.plain, rate, spread_rate))

    def stretched(self, mean: ArrayLike, factor: ArrayLike) -> FactoredGaussian:
        """Return it about another `mean`, with each spread times its `factor`, a scalar or ``(d,)``."""
        scale = np.broadcast_to(np.asarray(factor, dtype=np.float64), self.mean.shape)
        return FactoredGaussian(mean, scale[:, None] * self.factor)

    def to_arrays(self) -> dict[str, Array]:
        """Return the parameters by name, with `log_volume`, which the factor gives but to rounding."""
        return {**super().to_arrays(), "log_volume": frozen(self.log_volume)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Return the family that `to_arrays` described, bit for bit."""
        known = dict(arrays)
        log_volume = known.pop("log_volume", None)
        made = super().from_arrays(known)
        if log_volume is not None and np.isclose(float(log_volume), made.log_volume, rtol=1e-9, atol=1e-9):
            made.__dict__["log_volume"] = float(log_volume)
        return made

    def __repr__(self) -> str:
        if self.dimension > 8:
            return f"FactoredGaussian({self.dimension} coordinates)"
        return f"FactoredGaussian(mean={self.mean}, factor={self.factor})"
