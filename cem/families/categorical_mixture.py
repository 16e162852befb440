"""Mixtures of independent categories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from cem.families.base import Array, ReadOnly, check_rate, check_rows, fit_weights, frozen
from cem.families.mixture import allotted, checked_shares, log_total, maximised

Vector = NDArray[np.float64]
ROUNDS = 100
GAIN = 1e-6
_IMPOSSIBLE = -1e30  # stands for the logarithm of 0 where it may meet a factor 0


@dataclass(frozen=True, eq=False, repr=False)
class CategoricalMixture(ReadOnly):
    """Mixture of independent categorical distributions over rows of labels; immutable.

    Parameters
    ----------
    shares : array_like, shape (K,)
        Share of each component; scaled to sum to one.
    tables : array_like, shape (K, d, k)
        Probabilities of the labels 0 … k-1; a position with fewer labels is padded with zeros.

    Raises
    ------
    ValueError
        If a share is not positive, a row of a table is no distribution, or shapes disagree.

    References
    ----------
    McLachlan & Peel (2000), "Finite Mixture Models", Wiley.
    """

    shares: Any
    tables: Any

    dtype: ClassVar = np.dtype(np.int64)

    def __post_init__(self) -> None:
        shares, tables = checked_shares(self.shares), np.asarray(self.tables, dtype=np.float64)
        if tables.ndim != 3 or len(tables) != shares.size:
            raise ValueError(
                f"shares and tables must have shapes (K,) and (K, d, k); got {shares.shape}, {tables.shape}."
            )
        if not np.all(tables >= 0) or not np.allclose(tables.sum(axis=2), 1, rtol=0, atol=1e-8):
            raise ValueError("each row of a table must be non-negative and sum to 1.")
        object.__setattr__(self, "shares", frozen(shares))
        object.__setattr__(self, "tables", frozen(tables))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.tables.shape[1])

    @property
    def mean(self) -> Vector:
        """Probability of each label in each position, shape ``(d, k)``."""
        return np.asarray(np.tensordot(self.shares, self.tables, axes=1))

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.int64]:
        """Draw `n` candidates in random order, each component its share of them, shape ``(n, d)``."""
        which = allotted(self.shares, n, rng)
        u = rng.random((n, self.dimension))
        k = self.tables.shape[2]
        edges = np.cumsum(self.tables, axis=2)
        last = k - 1 - np.argmax(self.tables[..., ::-1] > 0, axis=2)
        edges[np.arange(k) >= last[..., None]] = np.inf  # the last label takes what rounding leaves over
        labels = np.zeros(u.shape, dtype=np.int64)
        for j in range(k - 1):
            labels += u >= edges[which, :, j]
        return labels

    def indicators(self, x: Array, /) -> Vector:
        """Give each label as k indicators, shape ``(n, d·k)``."""
        x = check_rows(x, self.dimension)
        return np.asarray((x[..., None] == np.arange(self.tables.shape[2])).reshape(len(x), -1), dtype=float)

    def joint(self, x: Array, /) -> Vector:
        """Log of share times mass of each component at each row, shape ``(n, K)``."""
        return self._joint(self.indicators(x))

    def _joint(self, indicators: Vector) -> Vector:
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(self.tables), _IMPOSSIBLE).reshape(self.shares.size, -1)
        mass = indicators @ logs.T + np.log(self.shares)
        return np.where(mass <= 0.5 * _IMPOSSIBLE, -np.inf, mass)

    def log_prob(self, x: Array, /) -> Vector:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        indicators = self.indicators(x)
        known = indicators.sum(axis=1) == self.dimension
        return np.where(known, log_total(self._joint(indicators)), -np.inf)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted expectation maximisation from these components, until it gains no more."""
        indicators = self.indicators(x)
        w = fit_weights(x, weights)

        def refit(r: Vector, mass: Vector) -> Any:
            counts = (r.T @ indicators).reshape(-1, *self.tables.shape[1:])
            return type(self)(mass, counts / counts.sum(axis=2, keepdims=True))

        def joint(mixture: Self) -> Vector:
            return np.maximum(mixture._joint(indicators), _IMPOSSIBLE)

        return maximised(self, w, joint, refit, lambda mass: mass > 1e-12 * mass.max(), ROUNDS, GAIN)

    def blend(self, other: Self, rate: float, /) -> Self:
        """Give the mixture of the two, ``(1 - rate) * self + rate * other``."""
        a = check_rate(rate)
        if a in (0.0, 1.0):
            return self if a == 0 else other
        shares = np.concatenate([(1 - a) * self.shares, a * other.shares])
        return type(self)(shares, np.concatenate([self.tables, other.tables]))

    def heated(self, heat: float, /) -> Self:
        """Raise each component's masses to the power `heat` and normalise; impossible labels stay so."""
        possible = self.tables > 0
        powers = np.where(possible, np.where(possible, self.tables, 1.0) ** heat, 0.0)
        return type(self)(self.shares, powers / powers.sum(axis=2, keepdims=True))

    def entropy(self) -> float:
        """Give an upper bound of the entropy in nats: the components' mean plus the shares'."""
        each = entr(self.tables).sum(axis=(1, 2))
        return float(self.shares @ each + entr(self.shares).sum())

    def to_arrays(self) -> dict[str, Array]:
        """Give the parameters by name."""
        return {"shares": self.shares, "tables": self.tables}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the family from what `to_arrays` gave."""
        return cls(**arrays)

    def __repr__(self) -> str:
        return f"CategoricalMixture({self.shares.size} components, {self.dimension} positions)"
