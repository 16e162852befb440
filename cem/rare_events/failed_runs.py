"""What scores that are NaN count for: runs of a model that failed, took too long or died."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np

from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Request
from cem.evaluation.objective import Failure
from cem.families.base import Array
from cem.rare_events.importance import Finding

POLICIES = ("flag", "event", "omit", "raise")


def check_policy(nan_policy: str) -> None:
    """Check the name of a policy.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if nan_policy not in POLICIES:
        raise ValueError(f"nan_policy must be one of {', '.join(map(repr, POLICIES))}, got {nan_policy!r}.")


def obey(
    plan: Generator[Request, Batch, Finding], nan_policy: str, event: float, present: Callable[[Array], Array]
) -> Generator[Request, Batch, Finding]:
    """Serve a plan with scores in which NaN is what the policy says.

    Parameters
    ----------
    plan : generator
    nan_policy : {"flag", "event", "omit", "raise"}
        "event": NaN becomes the score `event`. "raise": the first one ends the plan; its finding holds the
        failure. Else the plan sees NaN.
    event : float
        Infinity, of the sign that lies in the event.
    present : callable
        From drawn rows to the inputs of the performance.
    """
    answer: Batch | None = None
    try:
        request = next(plan)
        while True:
            try:
                answer = yield request
            except Ended as ended:
                if nan_policy == "event" and ended.batch is not None:
                    ended.batch = _counted(ended.batch, event)
                request = plan.throw(ended)
                continue
            if answer is not None and np.isnan(answer.scores).any():
                if nan_policy == "event":
                    answer = _counted(answer, event)
                elif nan_policy == "raise":
                    failed = _failed(answer, present)
                    return replace(_ended(plan, failed), ended=failed)
            request = plan.send(answer)
    except StopIteration as finished:
        finding: Finding = finished.value
        return finding


def _counted(batch: Batch, event: float) -> Batch:
    scores = np.where(np.isnan(batch.scores), event, batch.scores)
    margins = batch.margins
    if margins is not None:
        margins = np.where(np.isnan(margins), event, margins)
    return replace(batch, scores=scores, margins=margins)


def _failed(batch: Batch, present: Callable[[Array], Array]) -> Ended:
    failed = Ended(Status.INTERRUPTED, "the performance is NaN", batch)
    row = present(batch.x[np.isnan(batch.scores)][:1])[0]
    failed.failure = Failure(row, ValueError('it returned NaN, and nan_policy is "raise"'), raised=True)
    return failed


def _ended(plan: Generator[Request, Batch, Finding], ended: Ended) -> Finding:
    try:
        plan.throw(ended)
    except StopIteration as finished:
        finding: Finding = finished.value
        return finding
    raise ended


def about_missing(nan_probability: float, least: float) -> tuple[str, bool]:
    """Return what there is to say of scores that are NaN, and whether they are likelier than `least`."""
    if nan_probability <= least:
        return "", False
    return (
        f"; the performance is NaN with probability {nan_probability:.3g}, and whether these runs are events "
        "nobody knows: the interval reaches from none to all (nan_policy= chooses)",
        True,
    )
