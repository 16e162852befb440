"""The multivariate normal family, with independent (`std`) or correlated (`covariance`) coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem.families.base import Array, ReadOnly, check_rate, check_rows, fit_weights, frozen, parameter_vector

_LOG_2PI = float(np.log(2 * np.pi))
_LEAST_STD = 1e-150  # its square is still a normal float
_LARGEST = 1e150  # so is this one's


@dataclass(frozen=True, eq=False, repr=False)
class Gaussian(ReadOnly):
    """Normal distribution over real candidates; immutable.

    Exactly one of `std` and `covariance` is given.

    Parameters
    ----------
    mean : array_like, shape (d,)
    std : array_like, shape (d,) or scalar, optional
        Standard deviations of independent coordinates, in the units of the candidates.
        A Gaussian built from a covariance has its marginal standard deviations here.
    covariance : array_like, shape (d, d), optional
        Symmetric positive definite. None where the coordinates are independent.

    Raises
    ------
    ValueError
        If `std` is not positive, the covariance is not symmetric positive definite, or shapes differ.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method",
    Annals of Operations Research 134, Algorithm 3.3.
    """

    mean: Any
    std: Any = None
    covariance: Any = None

    dtype: ClassVar = np.dtype(np.float64)

    def __post_init__(self) -> None:
        mean = parameter_vector("mean", self.mean)
        if (self.std is None) == (self.covariance is None):
            raise ValueError("give exactly one of std= (independent coordinates) and covariance=.")
        if self.covariance is None:
            std = _checked_std(self.std, mean.size)
        else:
            covariance = _checked_covariance(self.covariance, mean.size)
            object.__setattr__(self, "covariance", frozen(covariance))
            std = np.sqrt(np.diag(covariance))
        object.__setattr__(self, "mean", frozen(mean))
        object.__setattr__(self, "std", frozen(std))

    @classmethod
    def owning(cls, mean: Array, std: Array) -> Self:
        """Take over arrays that are known to be right, unchecked and uncopied; they become read-only."""
        mean.flags.writeable = std.flags.writeable = False
        self = object.__new__(cls)
        self.__dict__.update(mean=mean, std=std, covariance=None)
        return self

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.mean.size)

    @property
    def redrawable(self) -> bool:
        """Whether rows have the same bits wherever they are drawn: a product of matrices need not."""
        return self.diagonal

    @property
    def diagonal(self) -> bool:
        """Whether the coordinates are independent."""
        return self.covariance is None

    @property
    def minimum_rows(self) -> int:
        """Rows below which a fit has no spread in some direction that smoothing could not restore."""
        return 2 if self.diagonal else max(2, self.dimension)

    @cached_property
    def _factor(self) -> NDArray[np.float64]:
        return np.asarray(np.linalg.cholesky(self._matrix))

    @property
    def _matrix(self) -> NDArray[np.float64]:
        matrix: NDArray[np.float64] = np.diag(self.std**2) if self.diagonal else self.covariance
        return matrix

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.float64]:
        """Draw `n` candidates, shape ``(n, d)``."""
        out = np.empty((n, self.dimension))
        self.fill(out, rng)
        return out

    def fill(self, out: NDArray[np.float64], rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, a contiguous array of shape ``(n, d)``."""
        if self.diagonal:
            rng.standard_normal(out=out)
            out *= self.std
        else:
            np.matmul(rng.standard_normal(out.shape), self._factor.T, out=out)
        out += self.mean

    def log_prob(self, x: Array, /) -> NDArray[np.float64]:
        """Log density of each row in nats, shape ``(n,)``."""
        centred = check_rows(x, self.dimension) - self.mean
        if self.diagonal:
            z = centred / self.std
            log_scale = float(np.sum(np.log(self.std)))
        else:
            from scipy.linalg import solve_triangular

            z = solve_triangular(self._factor, centred.T, lower=True).T
            log_scale = float(np.sum(np.log(np.diag(self._factor))))
        squares = np.einsum("ij,ij->i", z, z)
        return np.asarray(-0.5 * (squares + self.dimension * _LOG_2PI) - log_scale)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit mean and (co)variance by weighted maximum likelihood (divisor: the sum of weights)."""
        x = check_rows(x, self.dimension)
        w = fit_weights(x, weights)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, second = self._moments(x, w)
        if not np.all(np.isfinite(second)):
            mean, second = self._moments(np.clip(x, -_LARGEST, _LARGEST), w)
        if self.diagonal:
            return type(self)(mean, std=np.maximum(np.sqrt(second), _LEAST_STD))
        return type(self)(mean, covariance=lifted(second))

    def _moments(self, x: Array, w: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the weighted mean, and the variances or the covariance about it."""
        mean = w @ x
        centred = x - mean
        if self.diagonal:
            centred *= centred
            return mean, w @ centred
        return mean, (w[:, None] * centred).T @ centred

    def blend(self, other: Self, rate: float, spread_rate: float | None = None, /) -> Self:
        """Mix parameters: the mean with `rate`, std or covariance with `spread_rate` (default: `rate`)."""
        a = check_rate(rate)
        b = a if spread_rate is None else check_rate(spread_rate)
        mean = (1 - a) * self.mean + a * other.mean
        if self.diagonal and other.diagonal:
            return type(self)(mean, std=(1 - b) * self.std + b * other.std)
        return type(self)(mean, covariance=lifted((1 - b) * self._matrix + b * other._matrix))

    def widened(self, floor: Self, /) -> Self:
        """Give the same mean with a covariance that nowhere falls below that of `floor`.

        Tails no lighter than the nominal distribution's keep likelihood ratios bounded where it matters.
        """
        if self.diagonal and floor.diagonal:
            return type(self)(self.mean, std=np.maximum(self.std, floor.std))
        from scipy.linalg import solve_triangular

        half = solve_triangular(floor._factor, self._factor, lower=True)
        directions, scales, _ = np.linalg.svd(half)
        root = floor._factor @ (directions * np.maximum(scales, 1.0))
        return type(self)(self.mean, covariance=lifted(root @ root.T))

    def entropy(self) -> float:
        """Differential entropy in nats."""
        scale = self.std if self.diagonal else np.diag(self._factor)
        return float(0.5 * self.dimension * (1 + _LOG_2PI) + np.sum(np.log(scale)))

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, Gaussian) or other.dimension != self.dimension:
            raise TypeError("a closed form needs two Gaussians of one dimension.")
        shift = other.mean - self.mean
        if self.diagonal and other.diagonal:
            ratio = (self.std / other.std) ** 2
            return float(0.5 * np.sum(ratio - 1 - np.log(ratio) + (shift / other.std) ** 2))
        from scipy.linalg import solve_triangular

        mixed = solve_triangular(other._factor, self._factor, lower=True)
        moved = solve_triangular(other._factor, shift, lower=True)
        log_det = np.sum(np.log(np.diag(other._factor))) - np.sum(np.log(np.diag(self._factor)))
        return float(0.5 * (np.sum(mixed**2) + moved @ moved - self.dimension) + log_det)

    def stretched(self, mean: ArrayLike, factor: ArrayLike) -> Gaussian:
        """Move the centre to `mean` and multiply each coordinate's spread by its `factor`, shape ``(d,)``."""
        scale = np.asarray(factor, dtype=np.float64)
        if self.diagonal:
            return Gaussian(mean, std=self.std * scale)
        return Gaussian(mean, covariance=self.covariance * np.multiply.outer(scale, scale))

    def to_arrays(self) -> dict[str, Array]:
        """Give the parameters by name."""
        return {
            "mean": self.mean,
            **({"std": self.std} if self.diagonal else {"covariance": self.covariance}),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the family from what `to_arrays` gave."""
        return cls(**arrays)

    def __repr__(self) -> str:
        spread = f"std={self.std}" if self.diagonal else f"covariance={self.covariance}"
        if self.dimension > 8:
            spread = "independent" if self.diagonal else "full covariance"
            return f"Gaussian({self.dimension} coordinates, {spread})"
        return f"Gaussian(mean={self.mean}, {spread})"


def _checked_std(std: ArrayLike, d: int) -> NDArray[np.float64]:
    out = parameter_vector("std", std)
    if out.size not in {d, 1}:
        raise ValueError(f"std has {out.size} entries, the mean {d}.")
    if np.any(out <= 0):
        raise ValueError(f"std must be positive, got a smallest value of {out.min()!r}.")
    return out if out.size == d else np.full(d, out[0])


def _checked_covariance(covariance: ArrayLike, d: int) -> NDArray[np.float64]:
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (d, d):
        raise ValueError(f"covariance must have shape ({d}, {d}) for this mean, got {matrix.shape}.")
    if not np.all(np.isfinite(matrix)) or not np.allclose(matrix, matrix.T, rtol=1e-8, atol=0):
        raise ValueError("covariance must be finite and symmetric.")
    matrix = (matrix + matrix.T) / 2
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise ValueError(
            f"covariance must be positive definite; its smallest eigenvalue is "
            f"{np.linalg.eigvalsh(matrix)[0]:.3g}."
        ) from None
    return matrix


def lifted(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make a fitted covariance positive definite by the smallest sufficient relative ridge."""
    symmetric = (covariance + covariance.T) / 2
    ridge = 0.0
    scale = np.maximum(np.diag(symmetric), _LEAST_STD**2)
    for power in range(-14, 1):
        matrix = symmetric + np.diag(ridge * scale) if ridge else symmetric
        try:
            np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            ridge = 10.0**power
        else:
            return matrix
    return np.diag(scale)
