"""Runs with integer variables: no run is over before the neighbouring integers have been looked at."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from cem.confirmation import Ending
from cem.domain import Domain
from cem.ledger import Ledger
from cem.loop import Batch, Request, Rows
from cem.polishing.integer_steps import HeldSteps, Point
from cem.status import Status
from cem.stopping import Stopping

NARROWER = 0.1  # spread of a further run, of the first one's
MOST_RUNS = 10


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
    ledger, first = Ledger(), start
    for _ in range(MOST_RUNS):
        ending = yield from ledger.counted(plan(start))
        if ledger.best_x is None:
            return ending
        moved = yield from _stepped(ledger, stopping, domain)
        if not moved and polish:
            moved = yield from ledger.counted(_held_steps(ledger, first, stopping, domain))
        if not moved:
            return ending
        start = first.stretched(ledger.best_x, np.full(ledger.best_x.size, NARROWER))
    return Ending(Status.COLLAPSED, f"each of {MOST_RUNS} runs ended beside a better integer")


def _held_steps(
    ledger: Ledger, start: Any, stopping: Stopping, domain: Domain
) -> Generator[Request, Batch, bool]:
    """Look for better integers several steps away; tell whether there were any."""
    here = domain.present(np.asarray(ledger.best_x)[None])[0]
    span = np.where(np.isfinite(domain.high - domain.low), domain.high - domain.low, 5 * start.std)
    steps = HeldSteps(domain, span, stopping.margin(ledger.best))
    return (yield from steps.run(Point(here, -ledger.best))) is not None


def _stepped(ledger: Ledger, stopping: Stopping, domain: Domain) -> Generator[Request, Batch, bool]:
    """Go to the best neighbour until there is no better one; tell whether there was any."""
    moved = False
    columns = np.flatnonzero(domain.integer & ~domain.fixed)
    while ledger.best_x is not None:
        here = domain.present(ledger.best_x[None])[0]
        steps = np.zeros((2 * columns.size, here.size))
        steps[np.arange(2 * columns.size), np.tile(columns, 2)] = np.repeat([1.0, -1.0], columns.size)
        rows = here + steps
        rows = rows[~domain.outside(rows)]
        if len(rows) == 0:
            return moved
        before = ledger.best
        ledger.add((yield Rows(rows)))
        if ledger.best <= before + stopping.margin(before):
            return moved
        moved = True
    return moved
