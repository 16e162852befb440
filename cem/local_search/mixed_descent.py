"""A descent over reals, whole numbers and labels in turn, until none of them helps.

The reals follow the quasi-Newton method while everything else is held; whole numbers then go up or down and
labels change, in random order, and the first change that is better is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request, Step
from cem.families.base import Array, Floats, Index, Mask
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.quasi_newton import BoxQuasiNewton
from cem.local_search.requests import values_at

EVALUATIONS_PER_REAL = 60  # of one search over the reals
FOLLOWING_PER_REAL = 12  # of a search that follows a change
MOST_ROUNDS = 100
TIMES_EACH = 50  # how often a descent tries each change, on average: what takes longer creeps along a valley
COARSEST = 16  # steps that lead across a whole number's range at first; small ranges begin with steps of 1
MOST_PAIRS = 200  # of whole numbers that are moved together where no single change helps
FINER = 4.0  # what a step is divided by where it no longer helps
NOTHING = 1e-12  # of what has been gained: a difference that does not count
ROUNDING = 4e-15  # of a value: some twenty roundings of a float64
STAGE = "descent"


class Change(NamedTuple):
    """A change of one column: of a label to another one, or of a whole number up (1) or down (-1)."""

    column: int
    label: int
    direction: int


@dataclass(eq=False)
class MixedDescent:
    """A descent; `run` is to be served once.

    Parameters
    ----------
    domain : Domain
    span : ndarray, shape (d,)
        The size of the region.
    labels : ndarray of bool, shape (d,)
        Which columns are labels.
    logarithmic : ndarray of bool, shape (d,)
        Which columns are logarithms of whole numbers.
    active : callable, optional
        From presented rows to which entries have a say.
    present : callable
        From rows to what the objective sees.
    rng : numpy.random.Generator
        Draws the order of changes.
    width : int
        Changes that are tried at once; the best of them is taken if it is better.
    pairs : bool
        Whether two whole numbers are moved together where no single change helps: in a turned valley most
        descents end half-way without.
    wary : bool
        Whether a place where no real has a slope ends a descent.
    """

    domain: Domain
    span: Floats
    labels: Mask
    logarithmic: Mask
    active: Callable[[Array], Mask] | None
    present: Callable[[Array], Array]
    rng: np.random.Generator
    width: int = 1
    pairs: bool = False
    reals_first: bool = False
    wary: bool = False
    flat: bool = field(init=False, default=False)  # whether there was such a place
    first: float = field(init=False, default=np.nan)
    spent: int = field(init=False, default=0)
    left: int = field(init=False, default=0)  # changes that may be tried
    strides: Floats = field(init=False)

    def __post_init__(self) -> None:
        coarse = self.span / COARSEST
        self.strides = np.where(self.logarithmic, coarse, np.maximum(1.0, np.floor(coarse)))

    def run(self, x: Floats, value: float) -> Generator[Request, Batch, tuple[Floats, float]]:
        """Descend from `x`, whose value is known; return where that led to."""
        self.first, self.left = value, TIMES_EACH * self._count
        if not self.reals_first and self._count <= np.count_nonzero(self._free(x)):  # what is cheaper first
            x, value = yield from self._changes(x, value)
        for _ in range(MOST_ROUNDS):
            x, value = yield from self._reals(x, value)
            if self.wary and self.flat:
                break
            before = value
            x, value = yield from self._changes(x, value)
            if self.pairs and not value < before and self.left > 0:
                x, value = yield from self._together(x, value)
            if not value < before or self.left <= 0:
                break
        return x, value

    @property
    def _count(self) -> int:
        """How many changes there are at one place."""
        labels = self._discrete & self.labels
        return 2 * int((self._discrete & ~labels).sum()) + int(self.domain.high[labels].sum())

    def followed(
        self, x: Floats, value: float, most: float
    ) -> Generator[Request, Batch, tuple[Floats, float]]:
        """Change one column, let the reals follow, and go on from what that leads to where it is better.

        It finds a better label whose reals have their optimum elsewhere, and ends where no change is one, or
        after `most` evaluations.
        """
        self.first, self.spent = value, 0
        changes = self._possible(x)
        while changes and self.spent < most:
            change = changes.pop()
            row = self._changed(x, change)
            if row is None:
                continue
            at = float((yield from values_at(row[None]))[0])
            self.spent += 1
            row, at = yield from self._reals(row, at, FOLLOWING_PER_REAL)
            yield Step(None, STAGE)
            if at < value - self._margin(value):
                x, value = yield from self._reals(row, at)
                changes = self._possible(x)
        return x, value

    def _margin(self, value: float) -> float:
        return max(NOTHING * (self.first - value), ROUNDING * abs(value))

    def _say(self, x: Floats) -> Mask:
        """Return which entries have a say at `x`, shape ``(d,)``."""
        if self.active is None:
            return np.ones(x.size, dtype=np.bool_)
        return np.asarray(self.active(self.present(x[None]))[0])

    def _free(self, x: Floats) -> Mask:
        """Return which entries are reals with a say at `x`, shape ``(d,)``."""
        return np.asarray(~(self.domain.integer | self.logarithmic | self.domain.fixed) & self._say(x))

    @property
    def _discrete(self) -> Mask:
        return np.asarray((self.domain.integer | self.logarithmic) & ~self.domain.fixed)

    def _reals(
        self, x: Floats, value: float, per_real: int = EVALUATIONS_PER_REAL
    ) -> Generator[Request, Batch, tuple[Floats, float]]:
        free = self._free(x)
        if not free.any() or not np.isfinite(value):
            return x, value
        low, high = (np.where(free, side, x) for side in (self.domain.low, self.domain.high))
        span = np.where(free, self.span, 0.0)
        inside = replace(self.domain, low=low, high=high, integer=np.zeros(x.size))
        method = BoxQuasiNewton(inside, span, per_real * int(free.sum()), NoiseLevel())
        found = yield from method.run(x, value)
        self.spent += found.evaluations
        self.flat = self.flat or (found.model is None and found.evaluations == x.size)
        return (found.x, found.value) if found.value < value else (x, value)

    def _changes(self, x: Floats, value: float) -> Generator[Request, Batch, tuple[Floats, float]]:
        """Change one column at a time until no change is better."""
        tried: set[Change] = set()
        while self.left > 0:
            open_ = [change for change in self._possible(x) if change not in tried]
            taken = None
            for first in range(0, len(open_), self.width):
                some = open_[first : first + self.width]
                rows = [self._changed(x, change) for change in some]
                pairs = [(change, row) for change, row in zip(some, rows, strict=True) if row is not None]
                tried.update(some)
                if not pairs:
                    continue
                self.left -= len(pairs)
                values = yield from values_at(np.stack([row for _, row in pairs]))
                best = int(np.argmin(values))
                if values[best] < value - self._margin(value):
                    (taken, x), value = pairs[best], float(values[best])
                    break
            if open_:
                yield Step(None, STAGE)
            if taken is not None:
                tried.clear()
                if taken.direction:
                    self.strides[taken.column] *= 2
                continue
            finer = self._refine(x)
            if not finer:
                return x, value
            tried = {change for change in tried if change.column not in finer}
        return x, value

    def _together(self, x: Floats, value: float) -> Generator[Request, Batch, tuple[Floats, float]]:
        """Move two whole numbers by a step each, in random order, until that is better."""
        single = [change for change in self._possible(x) if change.direction]
        two = [(a, b) for i, a in enumerate(single) for b in single[:i] if a.column != b.column]
        order = self.rng.permutation(len(two))[:MOST_PAIRS]
        for first in range(0, len(order), self.width):
            rows = []
            for i in order[first : first + self.width]:
                row = self._changed(x, two[i][0])
                row = None if row is None else self._changed(row, two[i][1])
                rows += [] if row is None else [row]
            if not rows:
                continue
            values = yield from values_at(np.stack(rows))
            best = int(np.argmin(values))
            if values[best] < value - self._margin(value):
                yield Step(None, STAGE)
                return rows[best], float(values[best])
        return x, value

    def _possible(self, x: Floats) -> list[Change]:
        """Return the changes of the columns that have a say at `x`, in random order."""
        columns: Index = np.flatnonzero(self._discrete & self._say(x))
        found: list[Change] = []
        for j in columns.tolist():
            if self.labels[j]:
                count = int(self.domain.high[j]) + 1
                found += [Change(j, label, 0) for label in range(count) if label != x[j]]
            else:
                found += [Change(j, 0, 1), Change(j, 0, -1)]
        return [found[i] for i in self.rng.permutation(len(found))]

    def _changed(self, x: Floats, change: Change) -> Floats | None:
        """Return the row after a change, None where that leads nowhere."""
        row, j = x.copy(), change.column
        low, high, stride = self.domain.low[j], self.domain.high[j], self.strides[j]
        if not change.direction:
            row[j] = change.label
            return row
        if not self.logarithmic[j]:
            row[j] = np.clip(x[j] + change.direction * stride, low, high)
            return None if row[j] == x[j] else row
        value = np.rint(np.exp(x[j]))
        step = np.rint(np.exp(min(x[j] + change.direction * stride, high)))
        step = max(step, value + 1) if change.direction > 0 else min(step, value - 1)
        step = np.clip(step, np.rint(np.exp(low) + 0.5), np.rint(np.exp(high) - 0.5))
        row[j] = np.log(step)
        return None if step == value else row

    def _refine(self, x: Floats) -> set[int]:
        """Shorten the steps of whole numbers; return the columns where they were longer than the least."""
        finer = set()
        for j in np.flatnonzero(self._discrete & ~self.labels).tolist():
            if self.logarithmic[j]:
                if np.exp(x[j]) * np.expm1(self.strides[j]) > 1.5:  # leads further than to the next one
                    self.strides[j] /= FINER
                    finer.add(j)
            elif self.strides[j] > 1:
                self.strides[j] = max(1.0, self.strides[j] // FINER)
                finer.add(j)
        return finer
