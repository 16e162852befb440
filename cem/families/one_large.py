"""Normals of which one coordinate, no matter which, is the large one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import entr

from cem.families.base import Array, Floats, Index, Stored, check_fit, frozen
from cem.families.blended import Blended
from cem.families.gaussian import LOG_2PI
from cem.families.mixture import MixtureDensity, allot, check_shares, maximize_likelihood, scale_shares

OWN, COMMON, PRIOR = 5.0, 20.0, 0.1
LEAST_STD = 1e-4
ROUNDS, GAIN = 20, 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class OneLarge(MixtureDensity, Stored):
    """Mixture of diagonal normals, each of which differs from the others in a single coordinate; immutable.

    It is sampled and scored at the cost of a row and its components, not of their product.

    Parameters
    ----------
    shares : array_like, shape (K,)
        Share of each component; scaled to sum to one.
    means, stds : array_like, shape (K,)
        Of a component in its coordinate. K is a multiple of d: the components take the coordinates in order,
        once or more (for each sign).
    centre, spread : array_like, shape (d,)
        Means and standard deviations of all other coordinates.

    Raises
    ------
    ValueError
        If shapes disagree, or a share, std or spread is not positive.

    References
    ----------
    Asmussen & Kroese (2006), "Improved algorithms for rare event simulation with heavy tails", Advances in
    Applied Probability 38: which summand is the large one is what a sampler must mix over.
    """

    shares: Any
    means: Any
    stds: Any
    centre: Any
    spread: Any

    dtype: ClassVar = np.dtype(np.float64)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", frozen(check_shares(self.shares)))
        for name in ("means", "stds", "centre", "spread"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        k, d = self.shares.size, self.centre.size
        if not self.means.shape == self.stds.shape == (k,) or self.spread.shape != (d,):
            raise ValueError(f"means and stds have shape ({k},), centre and spread one length.")
        if k % d:
            raise ValueError(f"components must be a multiple of the {d} coordinates, got {k}.")
        if not (np.all(self.stds > 0) and np.all(self.spread > 0)):
            raise ValueError("stds and spread must be positive.")

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return int(self.centre.size)

    @property
    def at(self) -> Index:
        """The coordinate in which each component differs, shape ``(K,)``."""
        return np.arange(self.shares.size) % self.dimension

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` rows in random order, each component its share of them, shape ``(n, d)``."""
        which, rows = allot(self.shares, n, rng), np.arange(n)
        z = rng.standard_normal((n, self.dimension))
        x = np.asarray(self.centre + self.spread * z)
        at = self.at[which]
        x[rows, at] = self.means[which] + self.stds[which] * z[rows, at]
        return x

    def joint(self, rows: Array, /) -> Floats:
        """Return the log of share times density of each component at each row, shape ``(n, K)``."""
        with np.errstate(over="ignore", invalid="ignore"):
            common = -0.5 * ((rows - self.centre) / self.spread) ** 2 - np.log(self.spread)
            own = -0.5 * ((rows[:, self.at] - self.means) / self.stds) ** 2 - np.log(self.stds)
            whole = common.sum(axis=1)[:, None] - 0.5 * self.dimension * LOG_2PI
            joint = whole - common[:, self.at] + own + np.log(self.shares)
        return np.where(np.isnan(joint), -np.inf, joint)  # of squares beyond the largest number

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted expectation maximisation from these components, shrunk as `improved` says."""
        x, w = check_fit(x, weights, self.dimension)
        return self.with_more_likelihood(x, w / (w @ w))

    def with_more_likelihood(self, x: Floats, w: Floats) -> Self:
        """Raise the likelihood of rows whose weights sum to their effective number.

        A component's mean and spread shrink by `OWN` pseudo-rows towards those of all components, the others'
        by `COMMON` pseudo-rows towards a single mean and spread: even a coordinate that was hardly seen
        large has its component.
        """
        return maximize_likelihood(
            self,
            x,
            w,
            lambda rows, r, mass: self.refitted(rows, w, r, mass),
            ROUNDS,
            GAIN * float(w.sum()),
        )

    def refitted(self, x: Floats, w: Floats, r: Floats, mass: Floats) -> Self:
        """Return the maximisation step, given weighted responsibilities ``(n, K)`` and their sums."""
        (n, d), own, sign = x.shape, x[:, self.at], np.where(self.means >= 0, 1.0, -1.0)
        first, second = (r * own).sum(axis=0), (r * own**2).sum(axis=0)
        mean_all = float((sign * first).sum() / max(mass.sum(), 1e-300))
        spread_all = float(second.sum() / max(mass.sum(), 1e-300)) - mean_all**2
        means = (first + OWN * sign * mean_all) / (mass + OWN)
        gaps = second - 2 * means * first + mass * means**2
        spread = (gaps + OWN * max(spread_all, 0.0) + PRIOR) / (mass + OWN)
        rest = w[:, None] - r.reshape(n, -1, d).sum(axis=1)
        centre, scatter = _shrunk((rest * x).sum(axis=0), (rest * x**2).sum(axis=0), rest.sum(axis=0))
        return self.owning(
            shares=scale_shares(mass + 1),
            means=means,
            stds=np.sqrt(np.maximum(spread, LEAST_STD**2)),
            centre=centre,
            spread=np.sqrt(scatter),
        )

    def blend(self, other: Any, rate: float, /) -> Any:
        """Return the mixture of the two, ``(1 - rate) * self + rate * other``."""
        return Blended([1.0], [self]).blend(other, rate)

    def inflated(self, by: float, /) -> Self:
        """Return it with every standard deviation times 1 + by/√d."""
        factor = 1 + by / np.sqrt(self.dimension)
        return self.replaced(
            shares=scale_shares(self.shares), stds=self.stds * factor, spread=self.spread * factor
        )

    def entropy(self) -> float:
        """Return an upper bound of the entropy in nats: the components' mean plus the shares'."""
        each = np.log(self.spread).sum() - np.log(self.spread[self.at]) + np.log(self.stds)
        normal = 0.5 * self.dimension * (1 + LOG_2PI)
        return float(self.shares @ each + normal + entr(self.shares).sum())

    def __repr__(self) -> str:
        return f"OneLarge({self.shares.size} components, {self.dimension} coordinates)"


def _shrunk(first: Floats, second: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return means and variances of the coordinates that are not the large one."""
    mean_all = float(first.sum() / rows.sum())
    centre = (first + COMMON * mean_all) / (rows + COMMON)
    square = second - 2 * centre * first + rows * centre**2
    scatter = (square + COMMON * float(square.sum() / rows.sum())) / (rows + COMMON)
    return centre, np.maximum(scatter, LEAST_STD**2)
