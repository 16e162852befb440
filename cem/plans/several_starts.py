"""Several starts: all of them are evaluated, and the best one starts the search."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Request, Rows, Step
from cem.core.stopping import Stopping
from cem.families.base import Array
from cem.plans.ledger import Ledger


def from_best(
    points: Array, plan: Callable[[Array], Generator[Request, Batch, Ending]], stopping: Stopping
) -> Generator[Request, Batch, Ending]:
    """Evaluate the rows of `points`, shape ``(k, d)``, and follow the plan from the best one.

    A plan that does not come to the best start's score has not converged, whatever its runs agree on.

    Parameters
    ----------
    points : ndarray, shape (k, d)
    plan : callable
        From a row, shape ``(d,)``, to the plan that starts there.
    stopping : Stopping
        Says which scores are the same.
    """
    batch = yield Rows(points)
    scores = np.fmax(batch.scores, -np.inf)
    excess = np.zeros(len(scores)) if batch.excess is None else np.fmin(batch.excess, np.inf)
    best = int(np.lexsort((-scores, excess))[0])
    yield Step(None, "starts", f"start {best + 1} of {len(points)} is the best")
    ledger = Ledger()
    ending = yield from ledger.counted(plan(points[best]))
    lost = batch.best - ledger.best
    if ending.status is Status.CONVERGED and lost > stopping.margin(batch.best, ledger.climb):
        return Ending(Status.COLLAPSED, f"{ending.message}, but one of the starts is better by {lost:.3g}")
    return ending
