"""The plan for orders: local optima of three moves, kicks of the best, and fresh starts from the family."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from cem.core.ending import Ending
from cem.core.loop import Batch, Request
from cem.core.stopping import Stopping
from cem.families.base import Array
from cem.families.permutation import Permutation
from cem.local_search.order_moves import OrderMoves
from cem.local_search.side_by_side import Search, SideBySide
from cem.plans.from_scratch import SEEN_WHOLE, WIDEST, ScratchRun, look_at_all, runs_from_scratch

KICKED_SHARE = 0.9  # of the evaluations
KICKS = 5  # of one incumbent, before the best is looked up again
MOST_MOVES = 3  # of a kick, besides the first
AGREEING = 4
STALE = 4.0
STALE_PER_MOVE = 10  # trials of each pair of places
GROWTH_PER_STEP = 0.05  # of a run's evaluations: a step fits a family, which takes milliseconds
OPTIMA_PER_SEARCH = 4  # local optima seen, for each search at once


def order_search(
    start: Permutation,
    stopping: Stopping,
    rng: np.random.Generator,
    width: int | None = None,
    target: float | None = None,
    budget: float = np.inf,
) -> Generator[Request, Batch, Ending]:
    """Run from scratch until enough runs have found the same best score, or the space is seen whole.

    Parameters
    ----------
    start : Permutation
        Fresh starts are drawn from it.
    stopping : Stopping
        Says which scores are the same.
    rng : numpy.random.Generator
    width : int, optional
        Candidates to evaluate at once; by default one, more as a run goes on.
    target : float, optional
        A score that is wanted: with one, agreement is no success before it is reached.
    budget : float, optional
        Evaluations there are.
    """
    d = start.dimension
    if d <= 8 and math.factorial(d) <= min(SEEN_WHOLE * d, budget):
        return (yield from look_at_all(start, _every(d, rng), width, target))
    return (
        yield from runs_from_scratch(
            lambda number: OrderRun(rng, width, number, start=start),
            math.inf,
            AGREEING,
            stopping,
            target,
            f"{STALE_PER_MOVE} trials of every pair of places",
        )
    )


@dataclass(kw_only=True)
class OrderRun(ScratchRun):
    """One run from scratch: fresh starts and kicks of the best, side by side."""

    start: Permutation
    optima: int = 0
    moves: OrderMoves = field(init=False)

    stage: ClassVar[str] = "orders"
    times: ClassVar[float] = STALE
    growth: ClassVar[float] = GROWTH_PER_STEP

    def __post_init__(self) -> None:
        d = self.dimension
        self.moves = OrderMoves(d, self.rng)
        self.searches = SideBySide(
            self._begin, self._width, self.rows, self.note, self.known, patience=200 * d * d
        )

    @cached_property
    def dimension(self) -> int:
        """Number of items."""
        return self.start.dimension

    @cached_property
    def least(self) -> int:
        """Evaluations without a gain after which a run may end."""
        return STALE_PER_MOVE * self.dimension * (self.dimension - 1) // 2

    def rows(self, candidates: Array) -> Array:
        """Return orders, shape ``(n, d)``, read-only."""
        candidates.flags.writeable = False
        return candidates

    def _begin(self) -> tuple[Search, int]:
        spent = self.searches.spent
        if self.optima and spent.get(1, 0) < KICKED_SHARE * sum(spent.values()):
            return self._kicked(), 1
        return self._fresh(), 0

    def _width(self) -> int:
        if self.width is not None:
            return self.width
        return max(1, min(WIDEST, self.optima // OPTIMA_PER_SEARCH))

    def _fresh(self) -> Search:
        x = self.start.sample(1, self.rng)[0]
        merit = yield x
        yield from self.moves.search(x, merit)
        self.optima += 1

    def _kicked(self) -> Search:
        """Kick the best, search again, and go on from where it is not worse."""
        x, merit = self.elites.rows[0], self.elites.merits[0]
        for _ in range(KICKS):
            y = x
            for _ in range(1 + int(self.rng.integers(1, MOST_MOVES + 1))):
                y = self.moves.draw(y)
            found = yield y
            y, found = yield from self.moves.search(y, found)
            if found >= merit:  # type: ignore[operator]
                x, merit = y, found


def _every(d: int, rng: np.random.Generator) -> Array:
    from itertools import permutations

    return rng.permutation(np.array(list(permutations(range(d)))))
