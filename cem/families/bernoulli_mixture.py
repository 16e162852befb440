"""Mixtures of product Bernoulli distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, expit, logit

from cem.families.base import (
    Array,
    Floats,
    Mask,
    Stored,
    check_rows,
    frozen,
    parameter_numbers,
)
from cem.families.mixture import IMPOSSIBLE, Mixture, allot, check_shares, scale_shares


@dataclass(frozen=True, eq=False, repr=False)
class BernoulliMixture(Mixture, Stored):
    """Mixture of independent Bernoulli distributions over rows of 0 and 1; immutable.

    Parameters
    ----------
    shares : array_like, shape (K,)
        Share of each component; scaled to sum to one.
    p : array_like, shape (K, d)
        Probabilities of a 1, in [0, 1].

    Raises
    ------
    ValueError
        If a share is not positive, a probability lies outside [0, 1], or shapes disagree.

    References
    ----------
    McLachlan & Peel (2000), "Finite Mixture Models", Wiley.
    """

    shares: Any
    p: Any

    dtype: ClassVar = np.dtype(np.uint8)

    def __post_init__(self) -> None:
        shares, p = check_shares(self.shares), np.atleast_2d(parameter_numbers("p", self.p))
        if p.ndim != 2 or len(p) != shares.size:
            raise ValueError(f"shares and p must have shapes (K,) and (K, d); got {shares.shape}, {p.shape}.")
        if not np.all((p >= 0) & (p <= 1)):
            raise ValueError("probabilities lie in [0, 1].")
        object.__setattr__(self, "shares", frozen(shares))
        object.__setattr__(self, "p", frozen(p))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.p.shape[1])

    @property
    def mean(self) -> Floats:
        """Probability of a 1 in each position, shape ``(d,)``."""
        return np.asarray(self.shares @ self.p)

    def contains(self, x: Array, /) -> Mask:
        """Return which rows are zeros and ones, shape ``(n,)``."""
        x = check_rows(x, self.dimension)
        return np.asarray(np.all((x == 0) | (x == 1), axis=1))

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.uint8]:
        """Draw `n` candidates in random order, each component its share of them, shape ``(n, d)``."""
        which = allot(self.shares, n, rng)
        return np.asarray((rng.random((n, self.dimension)) < self.p[which]).astype(np.uint8))

    def prepare(self, x: Array, /) -> Array:
        """Return the rows of `x` as floats, shape ``(n, d)``."""
        return check_rows(x, self.dimension).astype(np.float64)

    def joint(self, rows: Array, /) -> Floats:
        """Return the log of share times mass of each component at each row, shape ``(n, K)``."""
        with np.errstate(divide="ignore"):
            on = np.maximum(np.log(self.p), IMPOSSIBLE)
            off = np.maximum(np.log1p(-self.p), IMPOSSIBLE)
        mass = rows @ on.T + (1 - rows) @ off.T + np.log(self.shares)
        return np.where(mass <= 0.5 * IMPOSSIBLE, -np.inf, mass)

    def refit(self, rows: Array, r: Floats, mass: Floats, /) -> Self:
        """Return the maximisation step: the weighted frequency of a 1 in each component and position."""
        return self.owning(shares=scale_shares(mass), p=np.clip(r.T @ rows / mass[:, None], 0, 1))

    def join(self, other: Self, shares: Floats, /) -> Self:
        """Return the mixture of the components of both with these shares."""
        return self.owning(shares=shares, p=np.vstack([self.p, other.p]))

    def heated(self, heat: float, /) -> Self:
        """Raise each component's mass to the power `heat` and normalise; 0 is uniform, certain bits stay."""
        certain = (self.p == 0) | (self.p == 1)
        return self.replaced(p=np.where(certain, self.p, expit(heat * logit(np.where(certain, 0.5, self.p)))))

    def component_entropies(self) -> Floats:
        """Return the entropy of each component in nats, shape ``(K,)``."""
        return np.asarray((entr(self.p) + entr(1 - self.p)).sum(axis=1))

    def __repr__(self) -> str:
        return f"BernoulliMixture({self.shares.size} components, {self.dimension} positions)"
