"""Orders: rows of 0 … n - 1, drawn item by item without repetition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from cem.clock import look_at_clock
from cem.families.base import (
    Array,
    Floats,
    Index,
    ReadOnly,
    check_rate,
    check_rows,
    fit_weights,
    parameter_numbers,
)

KINDS = ("transition", "position")
MOST_STEPS = 100  # of Hunter's iteration; it has converged long before on elites of a search
CONVERGED = 1e-6  # largest change of a probability in one step
CELLS = 2**20  # entries of the table looked up at once
ENTROPY_DRAWS = (16, 256)  # at least and at most
ENTROPY_PLACES = 2**12  # drawn in all: the relative error of the mean falls as the root of their number


@dataclass(frozen=True, eq=False, repr=False)
class Permutation(ReadOnly):
    """Distribution over permutations whose items are drawn one after another, without repetition.

    The next item is drawn among those that are left, with chances in proportion to one row of a table: the
    row of the previous item (``kind="transition"``, for tours and sequences, where neighbours matter) or the
    row of the position (``kind="position"``, for assignments and ranks, where places matter).

    Parameters
    ----------
    n : int
        Number of items.
    kind : {"transition", "position"}
    probabilities : array_like, shape (n + 1, n) or (n, n), optional
        The table; rows are scaled to sum to one. For transitions row `i` belongs to previous item `i` and the
        last one to the beginning. By default all permutations are equally likely.

    Attributes
    ----------
    n, kind, probabilities
        As above.

    Raises
    ------
    ValueError
        If `n` is not positive, `kind` is unknown, or the table has another shape, negative or non-finite
        entries or a row of zeros.
    TypeError
        If `n` is no whole number.

    Notes
    -----
    ``P(x) = Π_k T[c_k, x_k] / Σ_{j left at k} T[c_k, j]`` with the context ``c_k`` of place `k`; where all
    that is left has no chance, each item has the same. Hunter's iteration maximises this likelihood.

    References
    ----------
    Rubinstein & Kroese (2004), "The Cross-Entropy Method", Section 4.7 (transitions) and 4.8 (positions);
    Plackett (1975), "The analysis of permutations", Applied Statistics 24; Hunter (2004), "MM algorithms for
    generalized Bradley-Terry models", Annals of Statistics 32, Equation (30).

    Examples
    --------
    >>> import cem, numpy as np
    >>> family = cem.Permutation(4, kind="position").fit([[1, 0, 2, 3], [1, 0, 3, 2]])
    >>> np.exp(family.log_prob([[1, 0, 2, 3]])).round(6).tolist()
    [0.5]
    """

    n: int
    kind: str = "transition"
    probabilities: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int | np.integer):
            raise TypeError(f"n must be a whole number, the number of items; got {self.n!r}.")
        if self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}.")
        if self.kind not in KINDS:
            raise ValueError(f'kind must be "transition" or "position", got {self.kind!r}.')
        shape = (self.n + (self.kind == "transition"), int(self.n))
        table = np.ones(shape) if self.probabilities is None else _checked_table(self.probabilities, shape)
        if self.kind == "transition" and self.probabilities is None:
            np.fill_diagonal(table, 0.0 if self.n > 1 else 1.0)
        self.__setstate__({"n": int(self.n), "kind": self.kind, "probabilities": _scale_rows(table)})

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return self.n

    @property
    def minimum_rows(self) -> int:
        """Rows that a fit needs."""
        return 1

    def sample(self, n: int, rng: np.random.Generator, /) -> Index:
        """Draw `n` permutations, shape ``(n, d)``."""
        return self._drawn(n, rng)[0]

    def _drawn(self, n: int, rng: np.random.Generator) -> tuple[Index, Floats]:
        """Draw `n` permutations, shape ``(n, d)``; return them and the log mass of each."""
        d, table = self.n, self.probabilities.ravel()
        left = np.tile(np.arange(d), (n, 1))  # the items left stand in the first columns
        out = np.empty((n, d), dtype=np.int64)
        rows = np.arange(n)
        previous = np.full(n, d)
        chosen = np.empty((n, d))  # the chance of each item
        for k in range(d):
            look_at_clock()
            m = d - k
            context = previous if self.kind == "transition" else np.full(n, k)
            each = table.take((context * d)[:, None] + left[:, :m])
            chances = each.cumsum(axis=1)
            total = chances[:, -1]
            if not total.min(initial=1.0) > 0:
                stuck = total <= 0
                each[stuck] = 1.0
                chances[stuck] = np.arange(1, m + 1)
                total = chances[:, -1]
            at = np.minimum((chances <= (rng.random(n) * total)[:, None]).sum(axis=1), m - 1)
            chosen[:, k] = each[rows, at] / total
            previous = left[rows, at]
            out[:, k] = previous
            left[rows, at] = left[:, m - 1]
        with np.errstate(divide="ignore"):
            return out, np.log(chosen).sum(axis=1)

    def log_prob(self, x: Array, /) -> Floats:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible or no permutation."""
        x = check_rows(x, self.n)
        valid = np.all(np.sort(x, axis=1) == np.arange(self.n), axis=1)
        out = np.full(len(x), -np.inf)
        if valid.any():
            orders = x[valid].astype(np.int64)
            own, left = self._chances(orders)
            with np.errstate(divide="ignore", invalid="ignore"):
                each = np.where(left > 0, np.log(own) - np.log(left), -np.log(np.arange(self.n, 0, -1)))
            out[valid] = each.sum(axis=1)
        return out

    def _chances(self, orders: Index) -> tuple[Floats, Floats]:
        """Return, for each row and place, the table's entry of its item and the sum over items left."""
        n, d = orders.shape
        contexts = self._contexts(orders)
        own = self.probabilities[contexts, orders]
        left = np.empty((n, d))
        for k in range(d):
            rest = self.probabilities[contexts[:, k, None], orders[:, k:]]
            left[:, k] = rest.sum(axis=1)
        return own, left

    def _contexts(self, orders: Index) -> Index:
        """Return the row of the table that each place draws from, shape ``(n, d)``."""
        if self.kind == "position":
            return np.broadcast_to(np.arange(self.n), orders.shape)
        return np.concatenate([np.full((len(orders), 1), self.n), orders[:, :-1]], axis=1)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood.

        Raises
        ------
        ValueError
            If a row is no permutation of 0 … n - 1.
        """
        x = check_rows(x, self.n)
        if not np.all(np.sort(x, axis=1) == np.arange(self.n)):
            raise ValueError(f"each row must be a permutation of 0 … {self.n - 1}.")
        w = fit_weights(x, weights)
        orders, inverse = np.unique(x.astype(np.int64), axis=0, return_inverse=True)
        w = np.asarray(np.bincount(inverse.ravel(), w, minlength=len(orders)), dtype=np.float64)
        orders, w = orders[w > 0], w[w > 0]
        contexts = self._contexts(orders)
        counts = np.zeros(self.probabilities.shape)
        np.add.at(counts, (contexts, orders), w[:, None])
        return self._with(_most_likely(counts, orders, contexts, w))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Mix the tables."""
        a = check_rate(rate)
        if (self.n, self.kind) != (other.n, other.kind):
            raise ValueError("blending needs permutations of the same length and kind.")
        return self._with((1 - a) * self.probabilities + a * other.probabilities)

    def _with(self, table: Floats) -> Self:
        return self.owning(n=self.n, kind=self.kind, probabilities=_scale_rows(table))

    def entropy(self) -> float:
        """Return the entropy in nats, estimated from draws of a fixed stream: 256, for n > 16 fewer."""
        return self._entropy

    @cached_property
    def _entropy(self) -> float:
        draws = int(np.clip(ENTROPY_PLACES // self.n, *ENTROPY_DRAWS))
        return -float(self._drawn(draws, np.random.default_rng(0))[1].mean())

    def to_arrays(self) -> dict[str, Array]:
        """Return the parameters by name."""
        return {"probabilities": self.probabilities}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Return the family that `to_arrays` described, bit for bit.

        Raises
        ------
        ValueError
            If there is no table of a permutation's shape.
        """
        table = np.array(arrays.get("probabilities", ()), dtype=np.float64)
        if table.ndim != 2 or table.shape[0] - table.shape[1] not in (0, 1):
            raise ValueError(f"probabilities must have shape (n, n) or (n + 1, n), got {table.shape}.")
        kind = KINDS[1] if table.shape[0] == table.shape[1] else KINDS[0]
        made = cls(table.shape[1], kind, table)
        return made.owning(n=made.n, kind=kind, probabilities=table)

    def __repr__(self) -> str:
        return f'Permutation({self.n}, kind="{self.kind}")'


def _most_likely(counts: Floats, orders: Index, contexts: Index, w: Floats) -> Floats:
    """Return the table that maximises the likelihood of weighted orders, by Hunter's iteration.

    A place's item competes with all items left: entry ``T[c, j]`` becomes its count over the sum of
    ``w / Σ_left T[c, ·]`` of the places with context `c` at which item `j` was left. Entries without a count
    are 0 and take no part.
    """
    d = orders.shape[1]
    seen = counts.ravel() > 0
    number, row = np.cumsum(seen) - 1, np.flatnonzero(seen) // d
    place, item = np.triu_indices(d)  # of each place, itself and those after it
    step = max(1, CELLS // place.size)

    def competing(part: slice) -> tuple[Index, Index]:
        """Return the numbers of the entries that compete, place by place, and how many they are at each."""
        cells = contexts[part][:, place] * d + orders[part][:, item]
        taking = seen[cells]
        ends = np.cumsum(np.arange(d, 0, -1))
        lengths = np.add.reduceat(taking.astype(np.int64), ends - np.arange(d, 0, -1), axis=1)
        return number[cells[taking]], lengths.ravel()

    def scaled(entries: Floats) -> Floats:
        return np.asarray(entries / np.bincount(row, entries)[row])

    own = counts.ravel()[seen]
    chances = scaled(own)
    only = competing(slice(None)) if len(orders) <= step else None
    for _ in range(MOST_STEPS):
        shares = np.zeros(own.size)
        for first in range(0, len(orders), step):
            look_at_clock()
            part = slice(first, first + step)
            cells, lengths = competing(part) if only is None else only
            total = np.add.reduceat(chances[cells], np.cumsum(lengths) - lengths)
            shares += np.bincount(cells, np.repeat(np.repeat(w[part], d) / total, lengths), own.size)
        better = scaled(own / shares)
        change = float(np.abs(better - chances).max())
        chances = better
        if change < CONVERGED:
            break
    table = np.zeros(counts.shape)
    table.ravel()[seen] = chances
    return _scale_rows(table)


def _scale_rows(table: Floats) -> Floats:
    """Scale rows to sum to one; a row of zeros, which says nothing, becomes uniform."""
    total = table.sum(axis=1, keepdims=True)
    return np.where(total > 0, table / np.where(total > 0, total, 1.0), 1 / table.shape[1])


def _checked_table(probabilities: Any, shape: tuple[int, int]) -> Floats:
    table = parameter_numbers("probabilities", probabilities)
    if table.shape != shape:
        raise ValueError(f"probabilities must have shape {shape}, got {table.shape}.")
    if not np.all(np.isfinite(table)) or np.any(table < 0) or not np.all(table.sum(axis=1) > 0):
        raise ValueError("probabilities must be finite and non-negative, with something in every row.")
    return np.asarray(table / table.max(axis=1, keepdims=True))
