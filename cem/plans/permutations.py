"""The plan for orders: local optima of three moves, kicks of the best, and fresh starts from the family."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Request, State, Step, awaiting_runs
from cem.core.stopping import Stopping
from cem.families.base import Array
from cem.families.permutation import Permutation
from cem.local_search.order_moves import OrderMoves
from cem.local_search.side_by_side import Known, Merit, Search, SideBySide
from cem.plans.strings import ROWS_PER_STEP, SEEN_WHOLE, WIDEST, Elites, agreeing, look_at_all

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
    bests: list[Merit] = []
    agreed, wanted = 0, AGREEING if target is None else None
    while True:
        run = OrderRun(start, rng, width, len(bests) + 1)
        yield from awaiting_runs(run.until_stale(), agreed, len(bests), wanted)
        bests.append(run.best)
        agreed = agreeing(bests, stopping)
        if agreed >= AGREEING and target is None:
            return Ending(
                Status.CONVERGED,
                f"{agreed} of {len(bests)} runs from scratch ended at the best score, each after "
                f"max({STALE:g} times the evaluations at its last gain, {STALE_PER_MOVE} trials of every "
                "pair of places) without another",
            )


@dataclass
class OrderRun:
    """One run from scratch: fresh starts and kicks of the best, side by side."""

    start: Permutation
    rng: np.random.Generator
    width: int | None
    number: int
    elites: Elites = field(default_factory=Elites)
    evaluations: int = 0
    last_gain: int = 0
    optima: int = 0
    moves: OrderMoves = field(init=False)

    def __post_init__(self) -> None:
        self.moves = OrderMoves(self.start.dimension, self.rng)

    @property
    def best(self) -> Merit:
        """Merit of the best candidate."""
        return self.elites.merits[0]

    def until_stale(self) -> Generator[Request, Batch, None]:
        """Search until the run has nothing more to find."""
        d = self.start.dimension
        together = self._together = SideBySide(
            self._begin, self._width, _read_only, self._note, Known(), patience=200 * d * d
        )
        since, iteration, note = 0, 0, f"run {self.number} from scratch"
        least = STALE_PER_MOVE * d * (d - 1) // 2
        while self.evaluations - self.last_gain <= max(STALE * self.last_gain, least):
            asked = yield from together.round()
            since += asked
            if since >= max(ROWS_PER_STEP, d, GROWTH_PER_STEP * self.evaluations) or asked == 0:
                iteration, since = iteration + 1, 0
                yield Step(self._state(iteration), "orders", note)
                note = ""
            if asked == 0:
                return
        if since:
            yield Step(self._state(iteration + 1), "orders", note)

    def _begin(self) -> tuple[Search, int]:
        spent = self._together.spent
        if self.optima and spent.get(1, 0) < KICKED_SHARE * sum(spent.values()):
            return self._kicked(), 1
        return self._fresh(), 0

    def _width(self) -> int:
        if self.width is not None:
            return self.width
        return max(1, min(WIDEST, self.optima // OPTIMA_PER_SEARCH))

    def _note(self, x: Array, merit: Merit) -> None:
        self.evaluations += 1
        if not self.elites.merits or merit > self.elites.merits[0]:  # type: ignore[operator]
            self.last_gain = self.evaluations
        self.elites.consider(x, merit)

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

    def _state(self, iteration: int) -> State:
        return self.elites.state(self.start, np.array, iteration)


def _read_only(rows: Array) -> Array:
    rows.flags.writeable = False
    return rows


def _every(d: int, rng: np.random.Generator) -> Array:
    from itertools import permutations

    return rng.permutation(np.array(list(permutations(range(d)))))
