"""Running again: independent runs, each with more effort than the last, until they agree."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from cem.core.domain import Domain
from cem.core.ending import Ending, Status
from cem.core.loop import (
    Batch,
    Draw,
    Ended,
    Outcome,
    Request,
    Rows,
    State,
    Step,
    Update,
    advance,
    awaiting_runs,
    run,
)
from cem.core.stopping import ArchiveSettled, Stopping
from cem.families.base import Family
from cem.updates.elite_crossing import EliteCrossing

MOST_RUNS = 12  # the effort of the last is twelve times the first
LEAST_AGREEING = 3  # when the budget ends it
REFUSED = 24  # children in a row that end a run
QUIET = 64  # improved candidates in a row that end a run without recombination, in 16 batches at most


def independent_runs(
    update: Update,
    start: Family,
    n: int,
    stopping: Stopping,
    domain: Domain | None,
    agreeing: int,
    stage: str,
    crossing: EliteCrossing | None = None,
) -> Generator[Request, Batch, Ending]:
    """Run from `start` with effort 1, 2, … until `agreeing` runs have found the same best score.

    If the budget ends it after three have, it has converged all the same. Where the problem recombines its
    candidates, runs do so by `crossing` as long as it pays.
    """
    ends: list[State] = []
    settled = ArchiveSettled()
    if crossing is not None:
        settled = ArchiveSettled(max(1, min(settled.patience, QUIET // crossing.children)))
    for effort in range(1, MOST_RUNS + 1):
        try:
            if crossing is None:
                one = run(update, update.init(start), n, settled, domain, stage, effort)
            else:
                one = _crossed(crossing, update, start, n, settled, domain, stage, effort)
            outcome = yield from awaiting_runs(one, _agreeing(ends, stopping), len(ends), agreeing)
            if crossing is not None and not crossing.paid(outcome.state):
                crossing = None
        except Ended as ended:
            agreed = _agreeing(ends, stopping)
            if not ended.status.limit or agreed < LEAST_AGREEING:
                raise
            return _converged(agreed, f"; {ended}")
        ends.append(outcome.state)
        if (agreed := _agreeing(ends, stopping)) >= agreeing:
            return _converged(agreed, "")
    return Ending(
        Status.COLLAPSED,
        f"only {_agreeing(ends, stopping)} of {len(ends)} independent runs found the best score",
    )


def _crossed(
    crossing: EliteCrossing,
    update: Update,
    start: Family,
    n: int,
    settled: ArchiveSettled,
    domain: Domain | None,
    stage: str,
    effort: int,
) -> Generator[Request, Batch, Outcome]:
    """Fill an archive with improved draws, then recombine its elites.

    Where recombination gains nothing, the run goes on by `update`, which is taught the elites.
    """
    rule, state = ArchiveSettled(-(-REFUSED // crossing.children)), crossing.init(start)
    while not (why := rule.reason(state)) and not crossing.hopeless(state):
        if parents := crossing.parents(state):
            batch = yield Rows(np.concatenate(parents), effort, tuple(map(len, parents)))
        else:
            batch = yield Draw(start, n, domain, effort)
        state = advance(crossing, state, batch, rule)
        yield Step(state, stage)
    if why:
        return Outcome(state, why)
    elites = Batch(state.memory["x"], state.memory["scores"], batch.stream)
    state = advance(update, update.init(start), elites, settled)
    return (yield from run(update, state, n, settled, domain, stage, effort))


def _agreeing(ends: list[State], stopping: Stopping) -> int:
    """Count the runs that ended at the best score of all."""
    if not ends:
        return 0
    top, lowest = max(end.best for end in ends), min(end.lowest for end in ends)
    margin = stopping.margin(top, top - lowest)
    return sum(end.best >= top - margin for end in ends)


def _converged(agreed: int, why: str) -> Ending:
    return Ending(Status.CONVERGED, f"{agreed} independent runs found the same best score{why}")
