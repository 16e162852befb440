"""Paths of random length: a Markov chain or queue given by its step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from cem.families.base import (
    Array,
    Floats,
    Index,
    Mask,
    ReadOnly,
    check_rate,
    check_rows,
    fit_weights,
    frozen,
    parameter_numbers,
)
from cem.families.categorical import heat_tables, label_edges
from cem.families.mixture import IMPOSSIBLE, MixtureDensity, allot, check_shares, joined

_ENTROPY_PATHS = 64

Step = Callable[[Index, Index], Any]
Look = Callable[[Index], Any]


@dataclass(frozen=True, eq=False, repr=False)
class MarkovPath(ReadOnly):
    """Paths of a Markov chain until they end, given by how a random move changes the state; immutable.

    At each step a path in state s makes move j with probability ``probabilities[classes(s), j]`` and goes
    to ``step(s, j)``, until ``ended(s)``. To `estimate_probability` a path is the state in which it ended:
    keep in the state whatever the performance needs (a running maximum, the time). The class of a state is
    also what a proposal can tell apart: its moves are tilted class by class.

    All three functions work on many paths at once and must not change what they are given.

    Parameters
    ----------
    step : callable
        ``step(states, moves)`` of integers of shapes ``(n, k)`` and ``(n,)``: the next states, ``(n, k)``.
    ended : callable
        ``ended(states)``: which paths are over, booleans of shape ``(n,)``.
    start : array_like of int, shape (k,)
        The first state.
    probabilities : array_like, shape (m,) or (c, m)
        Of the m moves; one row a class.
    classes : callable, optional
        ``classes(states)``: the row of `probabilities` that holds in each state, integers of shape ``(n,)``
        in 0 … c-1. Needed where there is more than one row.
    longest : int
        Steps after which a path is cut; it counts with the state it has come to.

    Attributes
    ----------
    dimension : int
        Length of a row: the last state (k), whether the path was cut (1), how often each move was made in
        each class (c·m). The probability of a path depends on these counts alone.

    Raises
    ------
    ValueError, TypeError
        If shapes disagree or rows of `probabilities` do not sum to one.

    References
    ----------
    De Boer & Nicola (2002), "Adaptive state-dependent importance sampling simulation of Markovian queueing
    networks", European Transactions on Telecommunications 13.

    Examples
    --------
    A queue that a customer joins with probability .3 and leaves with .7 reaches 20 before it is empty:

    >>> import cem, numpy as np
    >>> queue = cem.MarkovPath(
    ...     step=lambda s, move: s + np.array([-1, 1])[move][:, None],
    ...     ended=lambda s: (s[:, 0] == 0) | (s[:, 0] == 20),
    ...     start=[1],
    ...     probabilities=[0.7, 0.3],
    ... )
    >>> e = cem.estimate_probability(lambda s: s[0], queue, level=20, rng=1)
    >>> low, high = e.confidence_interval()
    >>> bool(low < (7 / 3 - 1) / ((7 / 3) ** 20 - 1) < high)
    True
    """

    step: Step
    ended: Look
    start: Any
    probabilities: Any
    classes: Look | None = None
    longest: int = 10_000

    def __post_init__(self) -> None:
        table = np.atleast_2d(parameter_numbers("probabilities", self.probabilities))
        if table.ndim != 2 or table.size == 0:
            raise ValueError(f"probabilities must have shape (m,) or (c, m), got {table.shape}.")
        if not np.all(table >= 0) or not np.allclose(table.sum(axis=1), 1, rtol=0, atol=1e-8):
            raise ValueError("each row of probabilities must be non-negative and sum to 1.")
        start = np.atleast_1d(np.asarray(self.start))
        if start.ndim != 1 or start.dtype.kind not in "iub":
            raise TypeError(f"start must be a vector of integers, got {self.start!r}.")
        if len(table) > 1 and self.classes is None:
            raise ValueError("probabilities has several rows: say by classes= which holds in which state.")
        if not self.longest >= 1:
            raise ValueError(f"longest must be at least 1 step, got {self.longest!r}.")
        object.__setattr__(self, "probabilities", frozen(table / table.sum(axis=1, keepdims=True)))
        object.__setattr__(self, "start", frozen(start, np.int64))
        first = self.start[None]
        for name, given, shape in (
            ("step", self.step(first, np.zeros(1, dtype=np.int64)), first.shape),
            ("ended", self.ended(first), (1,)),
            ("classes", self.classes_of(first), (1,)),
        ):
            if np.shape(given) != shape:
                raise ValueError(f"{name} of one path must return shape {shape}, got {np.shape(given)}.")

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return int(self.start.size + 1 + self.probabilities.size)

    def classes_of(self, states: Index) -> Index:
        """Return the class of each state, shape ``(n,)``."""
        if self.classes is None:
            return np.zeros(len(states), dtype=np.int64)
        return np.asarray(self.classes(states)).astype(np.int64)

    def last_states(self, x: Array, /) -> Index:
        """Return the state in which each path ended, shape ``(n, k)``."""
        states = np.asarray(x)[:, : self.start.size]
        states.flags.writeable = False
        return states

    def cut(self, x: Array, /) -> Mask:
        """Return which paths were cut at `longest` steps, shape ``(n,)``."""
        return np.asarray(x)[:, self.start.size] > 0

    def counts(self, x: Array, /) -> Floats:
        """Return how often each path made each move in each class, shape ``(n, c·m)``."""
        return check_rows(x, self.dimension)[:, self.start.size + 1 :].astype(np.float64)

    def sample(self, n: int, rng: np.random.Generator, /) -> Index:
        """Draw `n` paths, one a row, shape ``(n, dimension)``."""
        return walk(self, self.probabilities[None], np.zeros(n, dtype=np.int64), rng)

    def log_prob(self, x: Array, /) -> Floats:
        """Log probability of each path in nats, shape ``(n,)``; -inf where it is impossible."""
        return log_masses(self.counts(x), self.probabilities[None])[:, 0]

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: how often each move was made; a class never met stays."""
        w = fit_weights(x, weights)
        counts = (w @ self.counts(x)).reshape(self.probabilities.shape)
        met = counts.sum(axis=1) > 0
        table = np.array(self.probabilities)
        table[met] = counts[met] / counts[met].sum(axis=1, keepdims=True)
        return self.with_table(table)

    def with_table(self, table: Floats) -> Self:
        """Return the same chain with other probabilities of its moves, shape ``(c, m)``; rows are scaled."""
        return self.replaced(probabilities=table / table.sum(axis=1, keepdims=True))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Mix the probabilities of the moves."""
        a = check_rate(rate)
        return self.with_table((1 - a) * self.probabilities + a * other.probabilities)

    def heated(self, heat: float, /) -> Self:
        """Return it with the moves' probabilities to the power `heat`, normalised; zeros stay."""
        return self.with_table(heat_tables(self.probabilities, heat))

    def entropy(self) -> float:
        """Entropy of a path in nats: the mean surprise of a few paths of a stream of its own."""
        return self._entropy

    @cached_property
    def _entropy(self) -> float:
        x = self.sample(_ENTROPY_PATHS, np.random.default_rng(0))
        return float(-self.log_prob(x).mean())

    def __repr__(self) -> str:
        classes, moves = self.probabilities.shape
        return f"MarkovPath({moves} moves, {classes} classes of states)"


@dataclass(frozen=True, eq=False, repr=False)
class MarkovPathMixture(MixtureDensity):
    """Mixture of chains that differ in the probabilities of their moves; a path keeps to one of them.

    Parameters
    ----------
    path : MarkovPath
        The chain.
    shares : array_like, shape (K,)
        Share of each component; scaled to sum to one.
    tables : ndarray, shape (K, c, m)
        Probabilities of the moves.

    Raises
    ------
    ValueError
        If a share is not positive.
    """

    path: MarkovPath
    shares: Any
    tables: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", frozen(check_shares(self.shares)))
        object.__setattr__(self, "tables", frozen(self.tables))

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return self.path.dimension

    def sample(self, n: int, rng: np.random.Generator, /) -> Index:
        """Draw `n` paths, each component its share of them, shape ``(n, dimension)``."""
        return walk(self.path, self.tables, allot(self.shares, n, rng), rng)

    def prepare(self, x: Array, /) -> Array:
        """Return how often each path made each move in each class, shape ``(n, c·m)``."""
        return self.path.counts(x)

    def joint(self, rows: Array, /) -> Floats:
        """Return the log of share times probability of each component at each path, shape ``(n, K)``."""
        return np.asarray(log_masses(rows, self.tables) + np.log(self.shares))

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit one component by weighted maximum likelihood."""
        table = self.path.with_table(self.shares @ self.tables.swapaxes(0, 1)).fit(x, weights).probabilities
        return self.owning(path=self.path, shares=np.ones(1), tables=table[None])

    def join(self, other: Self, shares: Floats, /) -> Self:
        """Return the mixture of the components of both with these shares."""
        return self.replaced(shares=shares, tables=np.concatenate([self.tables, other.tables]))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Return the mixture of the two, ``(1 - rate) * self + rate * other``."""
        return joined(self, other, rate)

    def heated(self, heat: float, /) -> Self:
        """Return it with the moves' probabilities to the power `heat`, normalised."""
        return self.replaced(tables=heat_tables(self.tables, heat))

    def entropy(self) -> float:
        """Entropy of a path in nats: the mean surprise of a few paths of a stream of its own."""
        x = self.sample(_ENTROPY_PATHS, np.random.default_rng(0))
        return float(-self.log_prob(x).mean())

    def __repr__(self) -> str:
        return f"MarkovPathMixture({self.shares.size} components of {self.path!r})"


def log_masses(counts: Floats, tables: Floats) -> Floats:
    """Log probability of paths with these counts under each table, shape ``(n, K)``."""
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(tables), IMPOSSIBLE).reshape(len(tables), -1)
    mass = counts @ logs.T
    return np.where(mass <= 0.5 * IMPOSSIBLE, -np.inf, mass)


def walk(path: MarkovPath, tables: Floats, which: Index, rng: np.random.Generator) -> Index:
    """Return the rows of ``len(which)`` paths run to their ends, each by the table that `which` names."""
    n, k = len(which), path.start.size
    m = tables.shape[-1]
    rows = np.zeros((n, path.dimension), dtype=np.int64)
    counts = rows[:, k + 1 :]
    edges = label_edges(tables)
    going, states = np.arange(n), np.tile(path.start, (n, 1))
    for _ in range(path.longest):
        over = np.asarray(path.ended(states), dtype=bool)
        if over.any():
            rows[going[over], :k] = states[over]
            going, states = going[~over], states[~over]
        if going.size == 0:
            return rows
        classes = path.classes_of(states)
        if classes.min() < 0 or classes.max() >= tables.shape[1]:
            raise ValueError(
                f"classes must be in 0 … {tables.shape[1] - 1}; got {classes.min()} … {classes.max()}."
            )
        u = rng.random(going.size)
        moves = (u[:, None] >= edges[which[going], classes]).sum(axis=1)
        counts[going, classes * m + moves] += 1
        states = np.asarray(path.step(states, moves), dtype=np.int64)
    rows[going, :k] = states
    rows[going, k] = ~np.asarray(path.ended(states), dtype=bool)
    return rows
