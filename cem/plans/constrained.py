"""Runs under constraints: sample towards the feasible set, then search locally, again and again."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from cem.confirmation import Ending
from cem.constraints import Constraints
from cem.domain import Domain
from cem.families.base import Array, Family
from cem.loop import Batch, Draw, Ended, Request, Step, Update, advance
from cem.polishing.sequential_quadratic import Local, sequential_quadratic
from cem.state import State
from cem.status import Status
from cem.stopping import Stopping
from cem.updates.feasibility_first import FeasibilityFirst, deb_merit

AGREEING = 30
LEAST_AGREEING = 3
MOST_ROUNDS = 100
SAME = 1e-6  # relative difference of values that counts as the same optimum


def feasible_runs(
    update: Update,
    start: Family,
    n: int,
    stopping: Stopping,
    domain: Domain,
    constraints: Constraints,
    polish: bool,
) -> Generator[Request, Batch, Ending]:
    """Run from `start` time and again, each twice as long as the last, each with local searches in between.

    A local search starts from the best candidate of the first batch and of every batch whose number in its
    run is a power of two, and from one of the others, which need not lead to the same place. It has
    converged where thirty searches have ended at the same best score, or three when the budget ends it.
    """
    learner = FeasibilityFirst(update, constraints)
    found: list[Local] = []
    try:
        for round_ in range(MOST_ROUNDS):
            length = 2 ** (round_ + 2)
            yield from _one_run(learner, start, n, stopping, domain, polish, length, found)
            if (agreed := _agreeing(found)) >= AGREEING:
                return _converged(agreed, "")
    except Ended as ended:
        agreed = _agreeing(found)
        if not ended.status.limit or agreed < LEAST_AGREEING:
            raise
        return _converged(agreed, f"; {ended}")
    return Ending(Status.COLLAPSED, f"only {_agreeing(found)} of {len(found)} searches found the best score")


def _one_run(
    learner: FeasibilityFirst,
    start: Family,
    n: int,
    stopping: Stopping,
    domain: Domain,
    polish: bool,
    length: int,
    found: list[Local],
) -> Generator[Request, Batch, None]:
    """Sample for `length` iterations, with local searches in between; note in `found` where they end."""
    state = learner.init(start)
    best = Local(np.zeros(0), -np.inf, np.inf)
    while state.iteration < length and not stopping.reason(state):
        batch = yield Draw(state.family, n, domain)
        polish = polish and batch.x.dtype.kind == "f"  # discrete candidates have no slopes
        top = _best_of(batch)
        best = max(best, top, key=lambda local: local.rank)
        state = advance(learner, state, batch, stopping)
        yield Step(state)
        if polish and state.iteration.bit_count() == 1:
            for x in (top.x, _another(batch)):
                local = yield from sequential_quadratic(learner.constraints, domain, x, _scale(domain, start))
                found.append(local)
                yield Step(_seen(state, local), "polishing")
            if _agreeing(found) >= AGREEING:
                return
    if not polish:
        found.append(best)


def _seen(state: State, local: Local) -> State:
    """Give the state as a history row of a local search shows it."""
    return replace(state, level=local.score, elites=1)


def _best_of(batch: Batch) -> Local:
    excess = np.zeros(len(batch.x)) if batch.excess is None else batch.excess
    top = int(np.argmax(np.fmax(deb_merit(batch.scores, excess), -np.inf)))
    return Local(batch.x[top], float(batch.scores[top]), float(excess[top]))


def _another(batch: Batch) -> Array:
    row: Array = batch.x[int(batch.stream().integers(len(batch.x)))]
    return row


def _scale(domain: Domain, start: Family) -> Array:
    span = domain.high - domain.low
    spread = np.asarray(getattr(start, "std", 1.0))
    return np.asarray(np.where(np.isfinite(span) & (span > 0), span, spread))


def _agreeing(found: list[Local]) -> int:
    """Count the searches that ended, feasible, at the best score of all."""
    scores = [local.score for local in found if local.excess <= 0]
    top = max(scores, default=0.0)
    return sum(score >= top - SAME * (1 + abs(top)) for score in scores)


def _converged(agreed: int, why: str) -> Ending:
    return Ending(Status.CONVERGED, f"{agreed} searches found the same best score{why}")
