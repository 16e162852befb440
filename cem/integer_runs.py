"""Runs with integer variables: no run is over before the neighbouring integers have been looked at."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from cem.confirmation import Ending
from cem.domain import Domain
from cem.families.base import Array
from cem.loop import Batch, Request, Rows
from cem.polishing.integer_steps import HeldSteps, Point
from cem.status import Status
from cem.stopping import Stopping

T = TypeVar("T")
NARROWER = 0.1  # spread of a further run, of the first one's
MOST_RUNS = 10


@dataclass(eq=False)
class Best:
    """The best feasible row among the batches that pass through `watched`."""

    x: Array | None = None
    score: float = -np.inf

    def note(self, batch: Batch) -> None:
        """Look at a batch."""
        if batch.best > self.score:
            allowed = np.ones(len(batch.x), dtype=np.bool_) if batch.excess is None else batch.excess <= 0
            top = int(np.argmax(np.where(allowed, np.fmax(batch.scores, -np.inf), -np.inf)))
            self.x, self.score = np.array(batch.x[top]), batch.best

    def watched(self, stage: Generator[Request, Batch, T]) -> Generator[Request, Batch, T]:
        """Pass a stage's requests on, and look at the answers."""
        answer: Any = None
        while True:
            try:
                request = stage.send(answer)
            except StopIteration as finished:
                result: T = finished.value
                return result
            try:
                answer = yield request
            except Exception as error:
                try:
                    stage.throw(error)
                except StopIteration as finished:
                    result = finished.value
                    return result
                raise
            if answer is not None:
                self.note(answer)


def integer_runs(
    plan: Callable[[Any], Generator[Request, Batch, Ending]],
    start: Any,
    stopping: Stopping,
    domain: Domain,
    polish: bool,
) -> Generator[Request, Batch, Ending]:
    """Follow ``plan(start)``, then step from integer to integer; where that helps, do it again.

    Parameters
    ----------
    plan : callable
        From a first distribution to a stage. Its ending is returned once no neighbouring integer is better.
    start : Family
        With ``stretched(mean, factor)``, like `cem.Gaussian`.
    stopping : Stopping
    domain : Domain
    polish : bool
        Whether local methods look further than one step (`cem.polishing.integer_steps`).
    """
    best, first = Best(), start
    for _ in range(MOST_RUNS):
        ending = yield from best.watched(plan(start))
        if best.x is None:
            return ending
        moved = yield from _stepped(best, stopping, domain)
        if not moved and polish:
            moved = yield from best.watched(_held_steps(best, first, stopping, domain))
        if not moved:
            return ending
        start = first.stretched(best.x, np.full(best.x.size, NARROWER))
    return Ending(Status.COLLAPSED, f"each of {MOST_RUNS} runs ended beside a better integer")


def _held_steps(
    best: Best, start: Any, stopping: Stopping, domain: Domain
) -> Generator[Request, Batch, bool]:
    """Look for better integers several steps away; tell whether there were any."""
    here = domain.present(np.asarray(best.x)[None])[0]
    span = np.where(np.isfinite(domain.high - domain.low), domain.high - domain.low, 5 * start.std)
    steps = HeldSteps(domain, span, stopping.margin(best.score))
    return (yield from steps.run(Point(here, -best.score))) is not None


def _stepped(best: Best, stopping: Stopping, domain: Domain) -> Generator[Request, Batch, bool]:
    """Go to the best neighbour until there is no better one; tell whether there was any."""
    moved = False
    columns = np.flatnonzero(domain.integer & ~domain.fixed)
    while best.x is not None:
        here = domain.present(best.x[None])[0]
        steps = np.zeros((2 * columns.size, here.size))
        steps[np.arange(2 * columns.size), np.tile(columns, 2)] = np.repeat([1.0, -1.0], columns.size)
        rows = here + steps
        rows = rows[~domain.outside(rows)]
        if len(rows) == 0:
            return moved
        before = best.score
        best.note((yield Rows(rows)))
        if best.score <= before + stopping.margin(before):
            return moved
        moved = True
    return moved
