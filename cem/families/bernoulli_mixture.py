"""Mixtures of product Bernoulli distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, expit, logit

from cem.families.base import Array, ReadOnly, check_rate, check_rows, fit_weights, frozen
from cem.families.mixture import allotted, checked_shares, log_total, maximised

ROUNDS = 100
GAIN = 1e-6
_IMPOSSIBLE = -1e30  # stands for the logarithm of 0 where it may meet a factor 0


@dataclass(frozen=True, eq=False, repr=False)
class BernoulliMixture(ReadOnly):
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
        shares, p = checked_shares(self.shares), np.atleast_2d(np.asarray(self.p, dtype=np.float64))
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
    def mean(self) -> NDArray[np.float64]:
        """Probability of a 1 in each position, shape ``(d,)``."""
        return np.asarray(self.shares @ self.p)

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.uint8]:
        """Draw `n` candidates in random order, each component its share of them, shape ``(n, d)``."""
        which = allotted(self.shares, n, rng)
        return np.asarray((rng.random((n, self.dimension)) < self.p[which]).astype(np.uint8))

    def joint(self, x: Array, /) -> NDArray[np.float64]:
        """Log of share times mass of each component at each row, shape ``(n, K)``."""
        x = check_rows(x, self.dimension).astype(np.float64)
        with np.errstate(divide="ignore"):
            on = np.maximum(np.log(self.p), _IMPOSSIBLE)
            off = np.maximum(np.log1p(-self.p), _IMPOSSIBLE)
        mass = x @ on.T + (1 - x) @ off.T + np.log(self.shares)
        return np.where(mass <= 0.5 * _IMPOSSIBLE, -np.inf, mass)

    def log_prob(self, x: Array, /) -> NDArray[np.float64]:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        return log_total(self.joint(x))

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted expectation maximisation from these components, until it gains no more."""
        x = check_rows(x, self.dimension)
        w = fit_weights(x, weights)

        def refit(r: NDArray[np.float64], mass: NDArray[np.float64]) -> Any:
            return type(self)(mass, np.clip(r.T @ x / mass[:, None], 0, 1))

        def joint(mixture: Self) -> NDArray[np.float64]:
            return np.maximum(mixture.joint(x), _IMPOSSIBLE)

        return maximised(self, w, joint, refit, lambda mass: mass > 1e-12 * mass.max(), ROUNDS, GAIN)

    def blend(self, other: Self, rate: float, /) -> Self:
        """Give the mixture of the two, ``(1 - rate) * self + rate * other``."""
        a = check_rate(rate)
        if a in (0.0, 1.0):
            return self if a == 0 else other
        shares = np.concatenate([(1 - a) * self.shares, a * other.shares])
        return type(self)(shares, np.vstack([self.p, other.p]))

    def heated(self, heat: float, /) -> Self:
        """Raise each component's mass to the power `heat` and normalise; 0 is uniform, certain bits stay."""
        certain = (self.p == 0) | (self.p == 1)
        return type(self)(
            self.shares, np.where(certain, self.p, expit(heat * logit(np.where(certain, 0.5, self.p))))
        )

    def entropy(self) -> float:
        """Give an upper bound of the entropy in nats: the components' mean plus the shares'."""
        each = (entr(self.p) + entr(1 - self.p)).sum(axis=1)
        return float(self.shares @ each + entr(self.shares).sum())

    def to_arrays(self) -> dict[str, Array]:
        """Give the parameters by name."""
        return {"shares": self.shares, "p": self.p}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the family from what `to_arrays` gave."""
        return cls(**arrays)

    def __repr__(self) -> str:
        return f"BernoulliMixture({self.shares.size} components, {self.dimension} positions)"
