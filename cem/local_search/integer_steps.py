"""Steps of integer variables that take the others along: one is moved and held, then the rest descend.

Where integers have to move together, every single step is worse, and so is every distribution that has grown
narrow about the present values. A variable that is held at a worse value pulls the others after it, one by
one (the idea of ejection chains: Glover, "Ejection chains, reference structures and alternating path
methods", Discrete Applied Mathematics 65, 1996); continuous variables follow by the quasi-Newton method.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request
from cem.families.base import Floats
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.quasi_newton import BoxQuasiNewton
from cem.local_search.requests import values_at

EVALUATIONS_PER_VARIABLE = 3000  # a third of the default budget
_SEARCH_PER_VARIABLE = 60  # evaluations of one continuous search


class Point(NamedTuple):
    """A candidate and its value, to be minimised."""

    x: Floats
    value: float


@dataclass(eq=False)
class HeldSteps:
    """A search from one point; `run` is to be served once.

    Parameters
    ----------
    domain : Domain
    span : ndarray, shape (d,)
        The size of the region, for the continuous variables' first guesses.
    margin : float
        A difference of values that does not count.
    per_variable : int
        Evaluations per variable after which it ends.
    """

    domain: Domain
    span: Floats
    margin: float
    per_variable: int = EVALUATIONS_PER_VARIABLE
    spent: int = field(init=False, default=0)

    def run(self, begin: Point) -> Generator[Request, Batch, Point | None]:
        """Return the first better point that holding one variable a step away leads to, None if none does.

        It ends after `per_variable` evaluations per variable.
        """
        first = yield from self._neighbours(begin.x, None)
        for forced in sorted(first, key=lambda point: point.value):
            held = int(np.flatnonzero(forced.x != begin.x)[0])
            found = yield from self.descended(forced, held)
            if found.value < begin.value - self.margin:
                return found
            if self._exhausted:
                break
        return None

    @property
    def _exhausted(self) -> bool:
        return self.spent >= self.per_variable * self.domain.dimension

    def _neighbours(self, x: Floats, held: int | None) -> Generator[Request, Batch, list[Point]]:
        """Evaluate every step by one of an integer variable, but for the one that is held."""
        columns = np.flatnonzero(self.domain.integer & ~self.domain.fixed)
        columns = columns[columns != held]
        rows = np.repeat(x[None], 2 * columns.size, axis=0)
        rows[np.arange(len(rows)), np.repeat(columns, 2)] += np.tile([1.0, -1.0], columns.size)
        rows = rows[~self.domain.outside(rows)]
        if not len(rows):
            return []
        self.spent += len(rows)
        values = yield from values_at(rows)
        return [Point(row, float(value)) for row, value in zip(rows, values, strict=True)]

    def descended(self, point: Point, held: int | None = None) -> Generator[Request, Batch, Point]:
        """Step and search until neither helps, nor a search from a neighbour."""
        while not self._exhausted:
            neighbours = yield from self._neighbours(point.x, held)
            best = min(neighbours, key=lambda each: each.value, default=point)
            if not best.value < point.value - self.margin:
                best = yield from self.searched(point)
            if not best.value < point.value - self.margin:
                best = yield from self._best_searched(neighbours, point)
            if not best.value < point.value - self.margin:
                return point
            point = best
        return point

    def _best_searched(self, neighbours: list[Point], point: Point) -> Generator[Request, Batch, Point]:
        """Search from each neighbour, the best first, until one gets below `point`."""
        if not self._continuous.any():
            return point
        for each in sorted(neighbours, key=lambda each: each.value):
            if self._exhausted:
                break
            found = yield from self.searched(each)
            if found.value < point.value - self.margin:
                return found
        return point

    @property
    def _continuous(self) -> Floats:
        return np.asarray(~self.domain.integer & ~self.domain.fixed)

    def searched(self, point: Point) -> Generator[Request, Batch, Point]:
        """Minimise over the continuous variables."""
        free = self._continuous
        if not free.any() or not np.isfinite(point.value):
            return point
        inside = replace(
            self.domain,
            low=np.where(free, self.domain.low, point.x),
            high=np.where(free, self.domain.high, point.x),
        )
        budget = _SEARCH_PER_VARIABLE * int(free.sum())
        method = BoxQuasiNewton(inside, np.where(free, self.span, 0.0), budget, NoiseLevel())
        found = yield from method.run(point.x, point.value)
        self.spent += found.evaluations
        return Point(found.x, found.value)
