"""Mixtures of independent categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import entr

from cem.families.base import (
    Array,
    Floats,
    Index,
    Stored,
    check_rows,
    frozen,
    parameter_numbers,
)
from cem.families.categorical import draw_labels, heat_tables, label_edges
from cem.families.mixture import IMPOSSIBLE, Mixture, allot, check_shares, scale_shares, sum_in_logs


@dataclass(frozen=True, eq=False, repr=False)
class CategoricalMixture(Mixture, Stored):
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
        shares, tables = check_shares(self.shares), parameter_numbers("tables", self.tables)
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
    def mean(self) -> Floats:
        """Probability of each label in each position, shape ``(d, k)``."""
        return np.asarray(np.tensordot(self.shares, self.tables, axes=1))

    def sample(self, n: int, rng: np.random.Generator, /) -> Index:
        """Draw `n` candidates in random order, each component its share of them, shape ``(n, d)``."""
        which = allot(self.shares, n, rng)
        u = rng.random((n, self.dimension))
        edges = label_edges(self.tables)
        return draw_labels(u, (edges[which, :, j] for j in range(edges.shape[-1])))

    def prepare(self, x: Array, /) -> Array:
        """Return each label as k indicators, shape ``(n, d·k)``."""
        x = check_rows(x, self.dimension)
        return np.asarray((x[..., None] == np.arange(self.tables.shape[2])).reshape(len(x), -1), dtype=float)

    def joint(self, rows: Array, /) -> Floats:
        """Return the log of share times mass of each component at each row, shape ``(n, K)``."""
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(self.tables), IMPOSSIBLE).reshape(self.shares.size, -1)
        mass = rows @ logs.T + np.log(self.shares)
        return np.where(mass <= 0.5 * IMPOSSIBLE, -np.inf, mass)

    def refit(self, rows: Array, r: Floats, mass: Floats, /) -> Self:
        """Return the maximisation step: the weighted frequency of each label in each component."""
        counts = (r.T @ rows).reshape(-1, *self.tables.shape[1:])
        return self.owning(shares=scale_shares(mass), tables=counts / counts.sum(axis=2, keepdims=True))

    def join(self, other: Self, shares: Floats, /) -> Self:
        """Return the mixture of the components of both with these shares."""
        return self.owning(shares=shares, tables=np.concatenate([self.tables, other.tables]))

    def log_prob(self, x: Array, /) -> Floats:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        rows = self.prepare(x)
        known = rows.sum(axis=1) == self.dimension
        return np.where(known, sum_in_logs(self.joint(rows)), -np.inf)

    def heated(self, heat: float, /) -> Self:
        """Raise each component's masses to the power `heat` and normalise; impossible labels stay so."""
        return self.replaced(tables=heat_tables(self.tables, heat))

    def component_entropies(self) -> Floats:
        """Return the entropy of each component in nats, shape ``(K,)``."""
        return np.asarray(entr(self.tables).sum(axis=(1, 2)))

    def __repr__(self) -> str:
        return f"CategoricalMixture({self.shares.size} components, {self.dimension} positions)"
