"""Running again: independent runs, each with more effort than the last, until they agree."""

from __future__ import annotations

from collections.abc import Generator

from cem.core.domain import Domain
from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Ended, Request, State, Update, awaiting_runs, run
from cem.core.stopping import ArchiveSettled, Stopping
from cem.families.base import Family

MOST_RUNS = 12  # the effort of the last is twelve times the first
LEAST_AGREEING = 3  # when the budget ends it


def independent_runs(
    update: Update,
    start: Family,
    n: int,
    stopping: Stopping,
    domain: Domain | None,
    agreeing: int,
    stage: str,
) -> Generator[Request, Batch, Ending]:
    """Run from `start` with effort 1, 2, … until `agreeing` runs have found the same best score.

    If the budget ends it after three have, it has converged all the same.
    """
    ends: list[State] = []
    for effort in range(1, MOST_RUNS + 1):
        try:
            outcome = yield from awaiting_runs(
                run(update, update.init(start), n, ArchiveSettled(), domain, stage, effort),
                _agreeing(ends, stopping),
                len(ends),
                agreeing,
            )
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


def _agreeing(ends: list[State], stopping: Stopping) -> int:
    """Count the runs that ended at the best score of all."""
    if not ends:
        return 0
    top, lowest = max(end.best for end in ends), min(end.lowest for end in ends)
    margin = stopping.margin(top, top - lowest)
    return sum(end.best >= top - margin for end in ends)


def _converged(agreed: int, why: str) -> Ending:
    return Ending(Status.CONVERGED, f"{agreed} independent runs found the same best score{why}")
