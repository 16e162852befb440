"""Mixtures of Gaussians that stretch a diagonal one along a few axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from cem.families.base import Array, ReadOnly, check_rate, check_rows, fit_weights, frozen
from cem.families.mixture import allotted, checked_shares, log_total, maximised

_LOG_2PI = float(np.log(2 * np.pi))
_LEAST_VARIANCE = 1e-12
ROUNDS = 100
GAIN = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class GaussianMixture(ReadOnly):
    """Mixture of normal distributions over real candidates; immutable.

    A component draws ``mean + std * (z + axes @ ((stretches - 1) * (axes.T @ z)))`` with standard normal z.
    All d axes give a full covariance, none a diagonal one, a few a low-rank one at a cost linear in d.

    Parameters
    ----------
    shares : array_like, shape (K,)
        Share of each component; scaled to sum to one.
    means : array_like, shape (K, d)
    stds : array_like, shape (K, d)
        Positive scales, in the units of the candidates.
    axes : array_like, shape (K, d, r), optional
        Orthonormal columns, or columns of zeros. Default: none.
    stretches : array_like, shape (K, r), optional
        Positive factors along the axes.

    Raises
    ------
    ValueError
        If shapes disagree, or shares, scales or stretches are not positive and finite.

    References
    ----------
    McLachlan & Peel (2000), "Finite Mixture Models", Wiley.
    """

    shares: Any
    means: Any
    stds: Any
    axes: Any = None
    stretches: Any = None

    dtype: ClassVar = np.dtype(np.float64)

    def __post_init__(self) -> None:
        shares = checked_shares(self.shares)
        means, stds = np.atleast_2d(frozen(self.means)), np.atleast_2d(frozen(self.stds))
        axes = np.zeros((*means.shape, 0)) if self.axes is None else frozen(self.axes)
        stretches = np.ones((len(shares), 0)) if self.stretches is None else frozen(self.stretches)
        count, d = means.shape
        if shares.size != count or stds.shape != means.shape:
            raise ValueError(
                f"shares, means and stds must have shapes (K,), (K, d) and (K, d); "
                f"got {shares.shape}, {means.shape} and {stds.shape}."
            )
        if axes.shape[:2] != (count, d) or stretches.shape != (count, axes.shape[-1]):
            raise ValueError(
                f"axes and stretches have shapes (K, d, r) and (K, r); got {axes.shape}, {stretches.shape}."
            )
        if not (np.all(np.isfinite(means)) and np.all(np.isfinite(axes))):
            raise ValueError("means and axes must be finite.")
        for name, values in (("stds", stds), ("stretches", stretches)):
            if not np.all((values > 0) & np.isfinite(values)):
                raise ValueError(f"{name} must be positive and finite.")
        for name, value in zip(
            ("shares", "means", "stds", "axes", "stretches"),
            (shares, means, stds, axes, stretches),
            strict=True,
        ):
            object.__setattr__(self, name, frozen(value))

    @classmethod
    def from_covariances(cls, shares: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> Self:
        """Make a mixture of components with the given covariances, shape ``(K, d, d)``.

        Raises
        ------
        ValueError
            If a covariance is not positive definite, or shapes disagree.
        """
        values, axes = np.linalg.eigh(np.asarray(covariances, dtype=np.float64))
        if not np.all(values > 0):
            raise ValueError("covariances must be positive definite.")
        centres = np.atleast_2d(np.asarray(means, dtype=np.float64))
        return cls(shares, centres, np.ones_like(centres), axes, np.sqrt(values))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.means.shape[1])

    @property
    def covariances(self) -> NDArray[np.float64]:
        """Covariance of each component, shape ``(K, d, d)``."""
        inner = np.eye(self.dimension) + np.einsum(
            "kir,kr,kjr->kij", self.axes, self.stretches**2 - 1, self.axes
        )
        return np.asarray(self.stds[:, :, None] * inner * self.stds[:, None, :])

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.float64]:
        """Draw `n` candidates in random order, each component its share of them, shape ``(n, d)``."""
        which = allotted(self.shares, n, rng)
        x = rng.standard_normal((n, self.dimension))
        for k in np.unique(which):
            rows = which == k
            z = x[rows]
            z = z + (z @ self.axes[k] * (self.stretches[k] - 1)) @ self.axes[k].T
            x[rows] = self.means[k] + self.stds[k] * z
        return x

    def joint(self, x: Array, /) -> NDArray[np.float64]:
        """Log of share times density of each component at each row, shape ``(n, K)``."""
        x = check_rows(x, self.dimension)
        out = np.empty((len(x), self.shares.size))
        for k in range(self.shares.size):
            z = (x - self.means[k]) / self.stds[k]
            along = z @ self.axes[k]
            square = np.einsum("ij,ij->i", z, z) - along**2 @ (1 - self.stretches[k] ** -2.0)
            out[:, k] = -0.5 * square - np.log(self.stds[k]).sum() - np.log(self.stretches[k]).sum()
        return np.asarray(out + np.log(self.shares) - 0.5 * self.dimension * _LOG_2PI)

    def log_prob(self, x: Array, /) -> NDArray[np.float64]:
        """Log density of each row in nats, shape ``(n,)``."""
        return log_total(self.joint(x))

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted expectation maximisation from these components, until it gains no more.

        Components without axes stay diagonal, others become full covariances; one that no row belongs to
        any more is dropped.
        """
        x = check_rows(x, self.dimension)
        w = fit_weights(x, weights)
        return maximised(
            self,
            w,
            lambda mixture: mixture.joint(x),
            lambda r, mass: self._refit(x, r / mass, mass),
            lambda mass: mass > 1e-12 * mass.max(),
            ROUNDS,
            GAIN,
        )

    def _refit(self, x: Array, r: NDArray[np.float64], mass: NDArray[np.float64]) -> Self:
        """Make the maximisation step, given responsibilities that sum to one and the components' masses."""
        means = r.T @ x
        if self.axes.shape[2] == 0:
            second = np.stack([r[:, k] @ (x - means[k]) ** 2 for k in range(len(mass))])
            return type(self)(mass, means, np.sqrt(np.maximum(second, _LEAST_VARIANCE)))
        pairs = (np.linalg.eigh(((x - m) * c[:, None]).T @ (x - m)) for m, c in zip(means, r.T, strict=True))
        values, axes = zip(*pairs, strict=True)
        stretches = np.sqrt(np.maximum(np.stack(values), _LEAST_VARIANCE))
        return type(self)(mass, means, np.ones_like(means), np.stack(axes), stretches)

    def blend(self, other: Self, rate: float, /) -> Self:
        """Give the mixture of the two, ``(1 - rate) * self + rate * other``."""
        a = check_rate(rate)
        if a in (0.0, 1.0):
            return self if a == 0 else other
        r = max(self.axes.shape[2], other.axes.shape[2])
        mine, theirs = self._padded(r), other._padded(r)
        return type(self)(
            np.concatenate([(1 - a) * self.shares, a * other.shares]),
            *(np.concatenate(pair) for pair in zip(mine, theirs, strict=True)),
        )

    def _padded(self, r: int) -> tuple[Array, Array, Array, Array]:
        """Give means, stds, axes and stretches with `r` axes; those added are zero and stretch nothing."""
        gap = r - self.axes.shape[2]
        axes = np.pad(self.axes, ((0, 0), (0, 0), (0, gap)))
        return self.means, self.stds, axes, np.pad(self.stretches, ((0, 0), (0, gap)), constant_values=1.0)

    def inflated(self, factor: float, /) -> Self:
        """Multiply every standard deviation by `factor`."""
        return type(self)(self.shares, self.means, self.stds * factor, self.axes, self.stretches)

    def entropy(self) -> float:
        """Give an upper bound of the differential entropy in nats: the components' mean plus the shares'."""
        each = np.log(self.stds).sum(axis=1) + np.log(self.stretches).sum(axis=1)
        each += 0.5 * self.dimension * (1 + _LOG_2PI)
        return float(self.shares @ each + entr(self.shares).sum())

    def to_arrays(self) -> dict[str, Array]:
        """Give the parameters by name."""
        return {name: getattr(self, name) for name in ("shares", "means", "stds", "axes", "stretches")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the family from what `to_arrays` gave."""
        return cls(**arrays)

    def __repr__(self) -> str:
        return f"GaussianMixture({self.shares.size} components, {self.dimension} coordinates)"
