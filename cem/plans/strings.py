"""The plan for strings: binary and categorical candidates without a structure that anybody has told.

Each start is improved by single changes and then by clusters of positions that belong together, level by
level of a pyramid; runs from scratch are repeated until three agree.

References
----------
Goldman & Punch (2014), "Parameter-less population pyramid", GECCO '14; Thierens & Bosman (2011), "Optimal
mixing evolutionary algorithms", GECCO '11.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Request, Rows, State, Step, awaiting_runs
from cem.core.sampling import every_row
from cem.core.stopping import Stopping
from cem.families.base import Array, Family, Index
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_tree import BernoulliTree
from cem.families.categorical import Categorical
from cem.local_search.one_change import climb
from cem.local_search.side_by_side import Known, Merit, Search, SideBySide
from cem.updates.pyramid import Pyramid

AGREEING = 3  # runs from scratch; of claims by one up to 57 % are wrong, by two 8 %, by three none of 21
STALE = 3.0  # times the evaluations at its last gain, after which a run has nothing more to find
STALE_PER_POSITION = 100
SEEN_WHOLE = 100  # candidates per position up to which a space is simply looked through
WIDEST = 32
MEMBERS_PER_SEARCH = 4  # of the lowest level, for each search at once
ELITES = 10
REFITTED_SHARE = 0.3  # of the evaluations, for starts drawn from marginals of a few elites
FEW, MANY = 2, 4  # elites that such marginals are fitted to
ROWS_PER_STEP = 64
KEPT_OF_START = 0.1  # blended into the distribution that a result gives


@dataclass(frozen=True, eq=False)
class StringSpace:
    """The strings that a family can draw, as rows of codes 0 … k_j - 1.

    Attributes
    ----------
    start : Family
    labels : tuple of ndarray
        What the codes of each position stand for: its labels that have a chance at all.
    dtype : dtype
        Of codes.
    """

    start: Family
    labels: tuple[Index, ...]

    @classmethod
    def of(cls, start: Family) -> StringSpace | None:
        """Return the space of a family of strings, None for any other family."""
        tables: Any
        if isinstance(start, Bernoulli):
            tables = np.stack([1 - start.p, start.p], axis=1)
        elif isinstance(start, BernoulliTree):
            return cls(start, tuple(np.arange(2) for _ in range(start.dimension)))
        elif isinstance(start, Categorical):
            tables = start.probabilities
        else:
            return None
        return cls(start, tuple(np.flatnonzero(table > 0) for table in tables))

    @cached_property
    def categories(self) -> Index:
        """Number of labels of each position, shape ``(d,)``."""
        return np.array([each.size for each in self.labels], dtype=np.int64)

    @cached_property
    def size(self) -> float:
        """Number of strings; infinite where a float cannot tell."""
        with np.errstate(over="ignore"):
            return float(np.prod(self.categories.astype(np.float64)))

    @cached_property
    def _table(self) -> Index | None:
        """The labels of each position, shape ``(d, k)``, padded; None where codes are labels."""
        if all(each[-1] == each.size - 1 for each in self.labels):
            return None
        table = np.full((len(self.labels), int(self.categories.max())), np.iinfo(np.int64).max)
        for row, each in zip(table, self.labels, strict=True):
            row[: each.size] = each
        return table

    def rows(self, codes: Array) -> Array:
        """Return the strings of rows of codes, shape ``(n, d)``, read-only."""
        if self._table is not None:
            codes = self._table[np.arange(len(self.labels)), codes]
        codes.flags.writeable = False
        return codes

    def codes(self, rows: Array) -> Array:
        """Return the codes of strings, shape ``(n, d)``, in a small type."""
        if self._table is not None:
            rows = (self._table < rows[:, :, None]).sum(axis=2)
        return np.array(rows, dtype=np.uint8 if int(self.categories.max()) <= 256 else np.int64)

    def every(self, rng: np.random.Generator) -> Array:
        """Return all strings in random order, shape ``(n, d)``."""
        rows = rng.permutation(every_row(self.labels))
        return rows.astype(np.uint8) if rows.max() < 256 else rows


@dataclass
class Elites:
    """The best distinct candidates of a run, best first."""

    merits: list[Merit] = field(default_factory=list)
    rows: list[Array] = field(default_factory=list)
    _family: Family | None = None

    def consider(self, x: Array, merit: Merit) -> None:
        """Keep a candidate that is among the best, unless it is there already."""
        if len(self.merits) == ELITES and not merit > self.merits[-1]:  # type: ignore[operator]
            return
        at = len(self.merits)
        while at > 0 and merit > self.merits[at - 1]:  # type: ignore[operator]
            at -= 1
        alike = (r for m, r in zip(self.merits, self.rows, strict=True) if m == merit)
        if any(np.array_equal(x, row) for row in alike):
            return
        self.merits.insert(at, merit)
        self.rows.insert(at, x.copy())
        del self.merits[ELITES:], self.rows[ELITES:]
        self._family = None

    def state(self, start: Any, rows: Callable[[list[Array]], Array], iteration: int) -> State:
        """Return what is known: the fit of `start` to the elites, with a share of `start` itself."""
        if self._family is None:
            self._family = start.fit(rows(self.rows)).blend(start, KEPT_OF_START)
        scores = [m[1] if isinstance(m, tuple) else m for m in self.merits]
        return State(self._family, iteration, scores[-1], scores[0], len(scores), scores[0])


def string_search(
    space: StringSpace,
    stopping: Stopping,
    rng: np.random.Generator,
    width: int | None = None,
    target: float | None = None,
    budget: float = np.inf,
) -> Generator[Request, Batch, Ending]:
    """Run from scratch until three runs have found the same best candidates, or the space is seen whole.

    Parameters
    ----------
    space : StringSpace
    stopping : Stopping
        Says which scores are the same.
    rng : numpy.random.Generator
    width : int, optional
        Candidates to evaluate at once; by default a few, more as a run goes on.
    target : float, optional
        A score that is wanted: with one, agreement is no success before it is reached.
    budget : float, optional
        Evaluations there are, so that a space is looked through only where they are enough for all of it.
    """
    if space.size <= min(SEEN_WHOLE * len(space.labels), budget):
        return (yield from look_at_all(space.start, space.every(rng), width, target))
    bests: list[Merit] = []
    agreed, wanted = 0, AGREEING if target is None else None
    while True:
        run = StringRun(space, rng, width, len(bests) + 1)
        exhausted = yield from awaiting_runs(run.until_stale(), agreed, len(bests), wanted)
        bests.append(run.best)
        agreed = agreeing(bests, stopping)
        if target is not None:
            continue
        if agreed >= AGREEING or (exhausted and run.known.distinct >= space.size):
            return Ending(
                Status.CONVERGED,
                f"{agreed} of {len(bests)} runs from scratch ended at the best score, each after "
                f"max({STALE:g} times the evaluations at its last gain, {STALE_PER_POSITION} a position) "
                "without another",
            )


@dataclass
class StringRun:
    """One run from scratch."""

    space: StringSpace
    rng: np.random.Generator
    width: int | None
    number: int
    elites: Elites = field(default_factory=Elites)
    known: Known = field(default_factory=Known)
    evaluations: int = 0
    last_gain: int = 0
    pyramid: Pyramid = field(init=False)

    def __post_init__(self) -> None:
        self.pyramid = Pyramid(self.space.categories, self.rng)

    @property
    def best(self) -> Merit:
        """Merit of the best candidate."""
        return self.elites.merits[0]

    def until_stale(self) -> Generator[Request, Batch, bool]:
        """Search until a run has nothing more to find; return whether nothing new was left to ask for."""
        changes = int((self.space.categories - 1).sum())
        together = SideBySide(
            self._begin, self._width, self.space.rows, self._note, self.known, patience=100 * changes
        )
        self._together = together
        d, since, note = len(self.space.labels), 0, f"run {self.number} from scratch"
        iteration = 0
        while self.evaluations - self.last_gain <= max(STALE * self.last_gain, STALE_PER_POSITION * d):
            asked = yield from together.round()
            if asked == 0:
                return True
            since += asked
            if since >= max(ROWS_PER_STEP, d):
                iteration, since = iteration + 1, 0
                yield Step(self._state(iteration), "strings", note)
                note = ""
        if since:
            yield Step(self._state(iteration + 1), "strings", note)
        return False

    def _begin(self) -> tuple[Search, int]:
        spent = self._together.spent
        total = sum(spent.values())
        if len(self.elites.rows) >= MANY and spent.get(1, 0) < REFITTED_SHARE * total:
            return self._refitted_start(), 1
        return self._fresh_start(), 0

    def _width(self) -> int:
        if self.width is not None:
            return self.width
        return max(1, min(WIDEST, self.pyramid.base // MEMBERS_PER_SEARCH))

    def _note(self, x: Array, merit: Merit) -> None:
        self.evaluations += 1
        if not self.elites.merits or merit > self.elites.merits[0]:  # type: ignore[operator]
            self.last_gain = self.evaluations
        self.elites.consider(x, merit)

    def _fresh_start(self) -> Search:
        x = self.space.codes(self.space.start.sample(1, self.rng))[0].copy()
        merit = yield x
        merit = yield from climb(x, merit, self.space.categories, self.rng)
        yield from self.pyramid.ascend(x, merit)

    def _refitted_start(self) -> Search:
        """Begin at a draw from the product of marginals fitted to two to four of the elites."""
        rng, d = self.rng, len(self.space.labels)
        few = int(rng.integers(FEW, MANY + 1))
        chosen = np.array([self.elites.rows[i] for i in rng.permutation(len(self.elites.rows))[:few]])
        open_positions = (chosen != chosen[0]).any(axis=0)
        x = chosen[rng.integers(0, len(chosen), d), np.arange(d)]
        if open_positions.sum() < 3:
            free = np.flatnonzero(self.space.categories > 1)
            flipped = rng.permutation(free)[:2]
            sizes = self.space.categories[flipped]
            x[flipped] = (x[flipped] + rng.integers(1, sizes)) % sizes
            open_positions[flipped] = True
        merit = yield x
        merit = yield from climb(x, merit, self.space.categories, rng, open_positions)
        yield from self.pyramid.ascend(x, merit)

    def _state(self, iteration: int) -> State:
        return self.elites.state(self.space.start, lambda codes: self.space.rows(np.array(codes)), iteration)


def look_at_all(
    start: Family, every: Array, width: int | None, target: float | None
) -> Generator[Request, Batch, Ending]:
    """Evaluate every candidate of a space, shape ``(n, d)``: what is best there is certain.

    Parameters
    ----------
    start : Family
        The distribution that results give.
    every : ndarray, shape (n, d)
    width : int, optional
        Candidates to evaluate at once.
    target : float, optional
        A score that is wanted.
    """
    best, n = -np.inf, width or WIDEST
    for iteration, first in enumerate(range(0, len(every), n), 1):
        batch = yield Rows(every[first : first + n])
        best = max(best, batch.best)
        yield Step(State(start, iteration, best=best), "every candidate")
    said = f"all {len(every)} candidates were evaluated"
    if target is not None:
        return Ending(Status.COLLAPSED, f"{said}; none reaches the target", exact=True)
    return Ending(Status.CONVERGED, said, exact=True)


def agreeing(bests: list[Merit], stopping: Stopping) -> int:
    """Return how many runs have found the best score."""
    top = max(bests)
    if isinstance(top, tuple):
        return sum(each == top for each in bests)
    margin = stopping.margin(top)
    return sum(each >= top - margin for each in bests if not isinstance(each, tuple))
