"""Mixtures of families that are not of one kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from cem.families.base import Array, Floats, check_fit, check_rate, frozen
from cem.families.gaussian_mixture import GaussianMixture
from cem.families.mixture import (
    LEAST_MASS,
    MixtureDensity,
    allot,
    check_shares,
    entropy_bound,
    scale_shares,
    share_out,
)


@dataclass(frozen=True, eq=False, repr=False)
class Blended(MixtureDensity):
    """Mixture of any families over real rows of the same length; immutable.

    Parameters
    ----------
    shares : array_like, shape (K,)
        Share of each part; scaled to sum to one.
    parts : sequence of families, of length K
    """

    shares: Any
    parts: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", frozen(check_shares(self.shares)))
        object.__setattr__(self, "parts", tuple(self.parts))

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return int(self.parts[0].dimension)

    def sample(self, n: int, rng: np.random.Generator, /) -> Array:
        """Draw `n` rows in random order, each part its share of them."""
        which = allot(self.shares, n, rng)
        x = np.empty((n, self.dimension))
        for k, part in enumerate(self.parts):
            rows = np.flatnonzero(which == k)
            x[rows] = part.sample(len(rows), rng)
        return x

    def joint(self, rows: Array, /) -> Floats:
        """Return the log of share times density of each part at each row, shape ``(n, K)``."""
        each = np.column_stack([part.log_prob(rows) for part in self.parts])
        return np.asarray(each + np.log(self.shares))

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Refit each part and its share by one step of expectation maximisation."""
        x, w = check_fit(x, weights, self.dimension)
        r, _ = share_out(self.joint(x), w)
        mass = r.sum(axis=0)
        kept = np.flatnonzero(mass > LEAST_MASS * mass.max())
        parts = tuple(self.parts[k].fit(x, r[:, k]) for k in kept)
        return self.owning(shares=scale_shares(mass[kept]), parts=parts)

    def blend(self, other: Any, rate: float, /) -> Any:
        """Return the mixture of the two, ``(1 - rate) * self + rate * other``."""
        a = check_rate(rate)
        if a in (0.0, 1.0):
            return self if a == 0 else other
        shares, parts = list((1 - a) * self.shares), list(self.parts)
        theirs = zip(other.shares, other.parts, strict=True) if isinstance(other, Blended) else [(1.0, other)]
        for share, part in theirs:
            if isinstance(part, GaussianMixture) and isinstance(parts[-1], GaussianMixture):
                total = shares[-1] + a * share
                parts[-1] = parts[-1].blend(part, a * share / total)
                shares[-1] = total
            else:
                shares.append(a * share)
                parts.append(part)
        return self.owning(shares=scale_shares(np.array(shares)), parts=tuple(parts))

    def entropy(self) -> float:
        """Return an upper bound of the entropy in nats: the parts' mean plus the shares'."""
        return entropy_bound(self.shares, np.array([part.entropy() for part in self.parts]))

    def __repr__(self) -> str:
        return f"Blended({', '.join(map(repr, self.parts))})"
