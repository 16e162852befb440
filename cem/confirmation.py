"""Telling convergence from collapse: a stage that looks again towards the start."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from cem.domain import Domain
from cem.families.base import Array, Family
from cem.loop import Batch, Draw, Request, Update, run
from cem.state import State
from cem.status import Status
from cem.stopping import Stopping

PROBE_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


class Estimate(NamedTuple):
    """What is known of a noisy objective at one point: an average score (maximised) and its error."""

    x: Array
    score: float
    standard_error: float


class Ending(NamedTuple):
    """How a plan ended by itself; `estimate` is what it returns in place of the best candidate seen."""

    status: Status
    message: str
    estimate: Estimate | None = None


def confirmed_run(
    update: Update, start: Family, n: int, stopping: Stopping, domain: Domain | None
) -> Generator[Request, Batch, Ending]:
    """Run once from `start`, and call it converged only where a probe confirms it."""
    outcome = yield from run(update, update.init(start), n, stopping, domain)
    gain = yield from probe(outcome.state, start, n, stopping, domain)
    if gain > 0:
        return Ending(
            Status.COLLAPSED,
            f"the distribution collapsed: {outcome.why}, but candidates drawn nearer to the start are "
            f"better by {gain:.3g}; try a larger population, slower smoothing or another seed",
        )
    return Ending(Status.CONVERGED, f"{outcome.why}, and a probe towards the start found nothing better")


def probe(
    state: State, start: Family, n: int, stopping: Stopping, domain: Domain | None
) -> Generator[Request, Batch, float]:
    """Draw from the family blended back towards `start`, at rates 1e-1 … 1e-5, `n` candidates each.

    Returns
    -------
    float
        By how much the first better candidates beat the best so far, 0 where none does by more than
        the tolerance.
    """
    for rate in PROBE_RATES:
        batch = yield Draw(state.family.blend(start, rate), n, domain)
        gain = batch.best - state.best
        if gain > stopping.margin(state.best):
            return gain
    return 0.0
