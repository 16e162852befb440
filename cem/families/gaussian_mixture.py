"""Mixtures of Gaussians that stretch a diagonal one along a few axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import (
    LEAST,
    Array,
    Floats,
    Stored,
    check_rows,
    frozen,
    parameter_numbers,
)
from cem.families.gaussian import LOG_2PI
from cem.families.mixture import Mixture, allot, check_shares, scale_shares

_LEAST_VARIANCE = 1e-12  # of a component, in units of all rows' variance: it may not sink into a single row
_FAR = 1e3  # a stretch beyond which the difference of two squares would lose more than nine digits


@dataclass(frozen=True, eq=False, repr=False)
class GaussianMixture(Mixture, Stored):
    """Mixture of normal distributions over real candidates; immutable.

    The density is ``Σ_k shares[k] N(x; means[k], Σ_k)``. A component draws
    ``mean + std * (z + axes @ ((stretches - 1) * (axes.T @ z)))`` with standard normal z. All d axes give a
    full covariance, none a diagonal one, a few a low-rank one at a cost linear in d.

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

    Examples
    --------
    >>> import cem
    >>> two = cem.GaussianMixture([1.0, 3.0], means=[[-2.0], [2.0]], stds=[[1.0], [1.0]])
    >>> two.shares
    array([0.25, 0.75])
    >>> fitted = two.fit([[-2.1], [-1.9], [1.9], [2.1]])
    >>> fitted.means.round(3).tolist()
    [[-2.0], [2.0]]
    """

    shares: Any
    means: Any
    stds: Any
    axes: Any = None
    stretches: Any = None

    dtype: ClassVar = np.dtype(np.float64)

    def __post_init__(self) -> None:
        shares = check_shares(self.shares)
        means, stds = (
            np.atleast_2d(frozen(parameter_numbers(n, getattr(self, n)))) for n in ("means", "stds")
        )
        axes = (
            np.zeros((*means.shape, 0)) if self.axes is None else frozen(parameter_numbers("axes", self.axes))
        )
        stretches = (
            np.ones((len(shares), 0))
            if self.stretches is None
            else frozen(parameter_numbers("stretches", self.stretches))
        )
        if means.ndim != 2:
            raise ValueError(f"means must have shape (K, d), got {means.shape}.")
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
        self.__setstate__(
            {
                "shares": shares,
                "means": means,
                "stds": stds,
                "axes": axes,
                "stretches": stretches,
            }
        )

    @classmethod
    def from_covariances(cls, shares: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> Self:
        """Return a mixture of components with the given covariances, shape ``(K, d, d)``.

        Raises
        ------
        ValueError
            If a covariance is not positive definite, or shapes disagree.
        """
        given = parameter_numbers("covariances", covariances)
        variances = np.diagonal(given, axis1=-2, axis2=-1)
        if not np.all(variances > 0):
            raise ValueError("covariances must be positive definite.")
        stds = np.sqrt(variances)
        values, axes = np.linalg.eigh(given / (stds[..., :, None] * stds[..., None, :]))
        if not np.all(values > 0):
            raise ValueError("covariances must be positive definite.")
        return cls(shares, means, stds, axes, np.sqrt(values))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.means.shape[1])

    @property
    def covariances(self) -> Floats:
        """Covariance of each component, shape ``(K, d, d)``."""
        inner = np.eye(self.dimension) + np.einsum(
            "kir,kr,kjr->kij", self.axes, self.stretches**2 - 1, self.axes
        )
        return np.asarray(self.stds[:, :, None] * inner * self.stds[:, None, :])

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` candidates in random order, each component its share of them, shape ``(n, d)``."""
        which = allot(self.shares, n, rng)
        x = rng.standard_normal((n, self.dimension))
        for k in np.unique(which):
            rows = which == k
            z = x[rows]
            z = z + (z @ self.axes[k] * (self.stretches[k] - 1)) @ self.axes[k].T
            x[rows] = self.means[k] + self.stds[k] * z
        return x

    def prepare(self, x: Array, /) -> Array:
        """Return the rows of `x`, shape ``(n, d)``, checked."""
        return check_rows(x, self.dimension)

    def joint(self, rows: Array, /) -> Floats:
        """Return the log of share times density of each component at each row, shape ``(n, K)``."""
        out = np.empty((len(rows), self.shares.size))
        with np.errstate(over="ignore", invalid="ignore"):
            for k in range(self.shares.size):
                z = (rows - self.means[k]) / self.stds[k]
                along = z @ self.axes[k]
                if self.stretches[k].max(initial=0.0) < _FAR:
                    square = np.einsum("ij,ij->i", z, z) - along**2 @ (1 - self.stretches[k] ** -2.0)
                else:
                    square = ((along / self.stretches[k]) ** 2).sum(axis=1)
                    if np.count_nonzero(self.axes[k].any(axis=0)) < self.dimension:
                        square += ((z - along @ self.axes[k].T) ** 2).sum(axis=1)
                square = np.fmin(square, np.inf)  # far beyond the spread the density is 0
                out[:, k] = -0.5 * square - np.log(self.stds[k]).sum() - np.log(self.stretches[k]).sum()
        return np.asarray(out + np.log(self.shares) - 0.5 * self.dimension * LOG_2PI)

    def refit(self, rows: Array, r: Floats, mass: Floats, /) -> Self:
        """Return the maximisation step; components without axes stay diagonal, others become full."""
        each, d = r / mass, self.dimension
        means, spread = each.T @ rows, _spread(rows, r.sum(axis=1))
        if self.axes.shape[2] == 0:
            second = [c @ (rows - m) ** 2 for m, c in zip(means, each.T, strict=True)]
            stds = np.sqrt(np.maximum(np.stack(second), _LEAST_VARIANCE * spread**2))
            axes, stretches = np.zeros((len(mass), d, 0)), np.ones((len(mass), 0))
        else:
            second = [_covariance((rows - m) / spread, c) for m, c in zip(means, each.T, strict=True)]
            values, axes = np.linalg.eigh(np.stack(second))
            stds, stretches = np.tile(spread, (len(mass), 1)), np.sqrt(np.maximum(values, _LEAST_VARIANCE))
        return self.owning(shares=scale_shares(mass), means=means, stds=stds, axes=axes, stretches=stretches)

    def join(self, other: Self, shares: Floats, /) -> Self:
        """Return the mixture of the components of both with these shares."""
        r = max(self.axes.shape[2], other.axes.shape[2])
        pairs = zip(self._padded(r), other._padded(r), strict=True)
        means, stds, axes, stretches = (np.concatenate(pair) for pair in pairs)
        return self.owning(shares=shares, means=means, stds=stds, axes=axes, stretches=stretches)

    def _padded(self, r: int) -> tuple[Array, Array, Array, Array]:
        """Return means, stds, axes and stretches with `r` axes; those added are zero and stretch nothing."""
        gap = r - self.axes.shape[2]
        axes = np.pad(self.axes, ((0, 0), (0, 0), (0, gap)))
        return self.means, self.stds, axes, np.pad(self.stretches, ((0, 0), (0, gap)), constant_values=1.0)

    def inflated(self, by: float, /) -> Self:
        """Return it with every standard deviation times 1 + by/√d."""
        factor = 1 + by / np.sqrt(self.dimension)
        return self.replaced(shares=scale_shares(self.shares), stds=self.stds * factor)

    def component_entropies(self) -> Floats:
        """Return the differential entropy of each component in nats, shape ``(K,)``."""
        each = np.log(self.stds).sum(axis=1) + np.log(self.stretches).sum(axis=1)
        each += 0.5 * self.dimension * (1 + LOG_2PI)
        return np.asarray(each)

    def __repr__(self) -> str:
        return f"GaussianMixture({self.shares.size} components, {self.dimension} coordinates)"


def _spread(rows: Array, w: Floats) -> Floats:
    """Return the standard deviation of each coordinate over rows of weight `w`, shape ``(d,)``."""
    w = w / w.sum()
    mean = w @ rows
    spread = np.sqrt(w @ (rows - mean) ** 2)
    rounding = np.finfo(np.float64).eps * np.abs(mean)
    return np.asarray(np.maximum(spread, np.maximum(rounding, LEAST / np.sqrt(_LEAST_VARIANCE))))


def _covariance(centred: Floats, w: Floats) -> Floats:
    return np.asarray((centred * w[:, None]).T @ centred)
