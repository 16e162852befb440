"""The ends that the driver sees in what evaluations have answered."""

from __future__ import annotations

from cem.core.ending import NoFiniteScoreError, Status
from cem.core.loop import Batch, Ended
from cem.evaluation import Failure


def seen_whole(n: int, target: float | None, batch: Batch, *, found: bool) -> Ended:
    """Return the end of a search that has evaluated all `n` candidates there are."""
    what = "the only candidate was evaluated" if n == 1 else f"all {n} candidates were evaluated"
    if not found:
        return Ended(Status.COLLAPSED, f"{what}, and none has a score", batch)
    if target is None:
        return Ended(Status.CONVERGED, what, batch)
    return Ended(Status.COLLAPSED, f"{what}, and none reaches the target {target}", batch)


def bears_asking(status: Status | None, *, asked_once: bool) -> bool:
    """Whether a run that ended so should ask about its best candidate again, which may show noise."""
    claims = status is not None and (status.success or status is Status.COLLAPSED)
    return claims or (status is Status.EVALUATION_LIMIT and not asked_once)


def failed(failure: Failure, batch: Batch) -> Ended:
    """Return the end that an evaluation has brought about."""
    if isinstance(failure.error, KeyboardInterrupt):
        return Ended(Status.INTERRUPTED, "interrupted by the user", batch)
    ended = Ended(Status.INTERRUPTED, "the objective failed", batch)
    ended.failure = failure
    return ended


def nothing_finite(batch: Batch) -> Ended:
    """Return the end where no score of the first candidates ranks."""
    message = (
        f"none of the first {len(batch.x)} candidates has a finite score (all NaN or infinitely bad); "
        "check the function at one candidate, and whether it is defined where the first ones are drawn."
    )
    return failed(Failure(batch.x[0], NoFiniteScoreError(message, batch.x[0]), raised=False), batch)
