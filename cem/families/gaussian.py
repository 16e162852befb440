"""The multivariate normal family, with independent (`std`) or correlated (`covariance`) coordinates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import (
    LARGEST,
    LEAST,
    Array,
    Floats,
    Stored,
    check_fit,
    check_rate,
    check_rows,
    frozen,
    parameter_numbers,
    parameter_vector,
)

LOG_2PI = float(np.log(2 * np.pi))


class GaussianLike(Stored, ABC):
    """A normal distribution, however its covariance is given: what moves one of them moves them all.

    A subclass has `mean` and `std`, each of shape ``(d,)`` (`std` is marginal), and the
    abstract methods.
    """

    mean: Any
    std: Any

    dtype: ClassVar = np.dtype(np.float64)

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.mean.size)

    @property
    @abstractmethod
    def plain(self) -> Gaussian:
        """The same distribution as a `Gaussian`."""

    @property
    @abstractmethod
    def log_volume(self) -> float:
        """Half the logarithm of the covariance's determinant."""

    @abstractmethod
    def fill(self, out: Floats, rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, a contiguous array of shape ``(n, d)``."""

    @abstractmethod
    def whiten(self, x: Array, /) -> Floats:
        """Return the standard normal deviates that the rows of `x` are made of, shape ``(n, d)``."""

    @abstractmethod
    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood."""

    @abstractmethod
    def blend(self, other: Self, rate: float, /) -> Self:
        """Return the Gaussian between this one and `other`, parameter by parameter."""

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` candidates, shape ``(n, d)``."""
        out = np.empty((n, self.dimension))
        self.fill(out, rng)
        return out

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``."""
        with np.errstate(over="ignore", invalid="ignore"):
            z = self.whiten(check_rows(x, self.dimension))
            squares = np.fmin(np.einsum("ij,ij->i", z, z), np.inf)  # far beyond the spread the density is 0
        return np.asarray(-0.5 * (squares + self.dimension * LOG_2PI) - self.log_volume)

    def entropy(self) -> float:
        """Differential entropy in nats, ``d/2 (1 + log 2π) + log |Σ| / 2``."""
        return float(0.5 * self.dimension * (1 + LOG_2PI) + self.log_volume)

    @abstractmethod
    def stretched(self, mean: ArrayLike, factor: ArrayLike) -> GaussianLike:
        """Return it about another `mean`, with each spread times its `factor`, a scalar or ``(d,)``."""

    def widened(self, floor: GaussianLike, /) -> Gaussian:
        """Return the same mean with a covariance that nowhere falls below that of `floor`.

        Tails no lighter than the nominal distribution's keep likelihood ratios bounded where it matters.
        """
        mine, least = self.plain, floor.plain
        if mine.diagonal and least.diagonal:
            return mine.owning(mean=mine.mean, std=np.maximum(mine.std, least.std))
        directions, scales, _ = np.linalg.svd(_solve(least.root, mine.root))
        root = least.root @ (directions * np.maximum(scales, 1.0))
        return mine.with_covariance(mine.mean, root @ root.T)

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, GaussianLike) or other.dimension != self.dimension:
            raise TypeError("a closed form needs two Gaussians of one dimension.")
        p, q = self.plain, other.plain
        shift = q.mean - p.mean
        with np.errstate(over="ignore"):
            if p.diagonal and q.diagonal:
                ratio = p.std / q.std
                return float(0.5 * np.sum(ratio**2 - 1 - 2 * np.log(ratio) + (shift / q.std) ** 2))
            mixed, moved = _solve(q.root, p.root), _solve(q.root, shift)
            squares = np.sum(mixed**2) + np.sum(moved**2)
        return float(0.5 * (squares - p.dimension) + q.log_volume - p.log_volume)


@dataclass(frozen=True, eq=False, repr=False)
class Gaussian(GaussianLike):
    """Normal distribution over real candidates; immutable.

    The density is ``exp(-(x - μ)' Σ⁻¹ (x - μ) / 2) / sqrt((2π)^d |Σ|)``, with ``Σ = diag(std²)`` where
    the coordinates are independent. Exactly one of `std` and `covariance` is given.

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

    Examples
    --------
    >>> import cem
    >>> start = cem.Gaussian([0.0, 0.0], std=[1.0, 2.0])
    >>> elites = [[0.0, 1.0], [2.0, 3.0]]
    >>> start.fit(elites)
    Gaussian(mean=[1. 2.], std=[1. 1.])
    >>> start.blend(start.fit(elites), 0.5)
    Gaussian(mean=[0.5 1. ], std=[1.  1.5])
    """

    mean: Any
    std: Any = None
    covariance: Any = None

    def __post_init__(self) -> None:
        mean = parameter_vector("mean", self.mean)
        if (self.std is None) == (self.covariance is None):
            raise ValueError("give exactly one of std= (independent coordinates) and covariance=.")
        if self.covariance is None:
            std = _check_std(self.std, mean.size)
        else:
            covariance = _check_covariance(self.covariance, mean.size)
            object.__setattr__(self, "covariance", frozen(covariance))
            std = np.sqrt(np.diag(covariance))
        object.__setattr__(self, "mean", frozen(mean))
        object.__setattr__(self, "std", frozen(std))

    @property
    def plain(self) -> Gaussian:
        """Itself."""
        return self

    @property
    def diagonal(self) -> bool:
        """Whether the coordinates are independent."""
        return self.covariance is None

    @property
    def redrawable(self) -> bool:
        """Whether rows have the same bits wherever they are drawn: a product of matrices need not."""
        return self.diagonal

    @property
    def minimum_rows(self) -> int:
        """Rows below which a fit has no spread in some direction that smoothing could not restore."""
        return 2 if self.diagonal else max(2, self.dimension)

    def fill(self, out: Floats, rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, a contiguous array of shape ``(n, d)``."""
        if self.diagonal:
            rng.standard_normal(out=out)
            out *= self.std
        else:
            np.matmul(rng.standard_normal(out.shape), self.root.T, out=out)
        out += self.mean

    def whiten(self, x: Array, /) -> Floats:
        """Return the standard normal deviates that the rows of `x` are made of, shape ``(n, d)``."""
        centred = x - self.mean
        return centred / self.std if self.diagonal else _solve(self.root, centred.T).T

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit mean and (co)variance by weighted maximum likelihood (divisor: the sum of weights)."""
        x, w = check_fit(x, weights, self.dimension)
        mean = w @ x
        centred = x - mean
        if self.diagonal:
            centred *= centred
            return self.owning(mean=mean, std=np.maximum(np.sqrt(w @ centred), LEAST))
        return self.with_covariance(mean, (w[:, None] * centred).T @ centred)

    def blend(self, other: Self, rate: float, spread_rate: float | None = None, /) -> Self:
        """Mix parameters: the mean with `rate`, std or covariance with `spread_rate` (default: `rate`)."""
        a = check_rate(rate)
        b = a if spread_rate is None else check_rate(spread_rate)
        mean = (1 - a) * self.mean + a * other.mean
        if self.diagonal and other.diagonal:
            return self.owning(mean=mean, std=(1 - b) * self.std + b * other.std)
        return self.with_covariance(mean, (1 - b) * self._matrix + b * other._matrix)

    def stretched(self, mean: ArrayLike, factor: ArrayLike) -> Gaussian:
        """Return it about another `mean`, with each spread times its `factor`, a scalar or ``(d,)``."""
        scale = np.broadcast_to(np.asarray(factor, dtype=np.float64), self.mean.shape)
        if self.diagonal:
            return Gaussian(mean, std=np.clip(self.std * scale, LEAST, LARGEST))
        return Gaussian(mean, covariance=self.covariance * np.multiply.outer(scale, scale))

    def to_arrays(self) -> dict[str, Array]:
        """Return the parameters by name."""
        spread = {"std": self.std} if self.diagonal else {"covariance": self.covariance}
        return {"mean": self.mean, **spread}

    def __repr__(self) -> str:
        spread = f"std={self.std}" if self.diagonal else f"covariance={self.covariance}"
        if self.dimension > 8:
            spread = "independent" if self.diagonal else "full covariance"
            return f"Gaussian({self.dimension} coordinates, {spread})"
        return f"Gaussian(mean={self.mean}, {spread})"

    @cached_property
    def root(self) -> Floats:
        """Lower triangular root of the covariance, shape ``(d, d)``."""
        return np.asarray(np.linalg.cholesky(self._matrix))

    @property
    def _matrix(self) -> Floats:
        matrix: Floats = np.diag(self.std**2) if self.diagonal else self.covariance
        return matrix

    @property
    def log_volume(self) -> float:
        """Half the logarithm of the covariance's determinant."""
        return float(np.sum(np.log(self.std if self.diagonal else np.diag(self.root))))

    @classmethod
    def with_covariance(cls, mean: Floats, covariance: Floats) -> Self:
        """Return the Gaussian with a computed covariance, lifted where rounding has left it singular."""
        matrix = lift(covariance)
        return cls.owning(mean=mean, std=np.sqrt(np.diag(matrix)), covariance=matrix)


def lift(covariance: Floats) -> Floats:
    """Return a fitted covariance made positive definite by the smallest sufficient relative ridge."""
    symmetric = (covariance + covariance.T) / 2
    ridge = 0.0
    scale = np.maximum(np.diag(symmetric), LEAST**2)
    for power in range(-14, 1):
        matrix = symmetric + np.diag(ridge * scale) if ridge else symmetric
        try:
            np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            ridge = 10.0**power
        else:
            return matrix
    return np.diag(scale)


def _solve(root: Floats, right: Floats) -> Floats:
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(root, right, lower=True))


def _check_std(std: ArrayLike, d: int) -> Floats:
    out = parameter_vector("std", std)
    if out.size not in {d, 1}:
        raise ValueError(f"std has {out.size} entries, the mean {d}.")
    if np.any(out <= 0):
        raise ValueError(f"std must be positive, got a smallest value of {out.min()!r}.")
    if out.min() < LEAST or out.max() > LARGEST:
        raise ValueError(f"std must lie in {LEAST:g} … {LARGEST:g}; measure the variables in other units.")
    return out if out.size == d else np.full(d, out[0])


def _check_covariance(covariance: ArrayLike, d: int) -> Floats:
    matrix = parameter_numbers("covariance", covariance)
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
