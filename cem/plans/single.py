"""Telling convergence from collapse: a stage that looks again towards the start, and runs that agree."""

from __future__ import annotations

from collections.abc import Generator

from cem.core.domain import Domain
from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Draw, Request, State, Update, awaiting_runs, run
from cem.core.stopping import Stopping
from cem.families.base import Family, dimension
from cem.plans.ledger import Ledger

PROBE_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)  # of the start, a decade each
PROBES_PER_VARIABLE = 20  # each variable is drawn from the start in 2 rows of the first rate
AGREEING = 3  # runs, as of strings and orders
MOST_RUNS = 12
FLAT = (
    "every candidate had the same score, which shows no way to a better one; "
    "start where scores differ, or check the function"
)
MOST_LEAST = 1000  # rows of a rate, however many variables


def confirmed_run(
    update: Update, start: Family, n: int, stopping: Stopping, domain: Domain | None
) -> Generator[Request, Batch, Ending]:
    """Run once from `start`, and call it converged only where a probe confirms it."""
    first = update.init(start)
    ledger = Ledger()
    outcome = yield from ledger.counted(run(update, first, n, stopping, domain))
    lost = outcome.state.best - outcome.state.elite_best
    if lost > stopping.margin(outcome.state.best, outcome.state.climb):
        return _collapsed(f"{outcome.why}, but an earlier candidate was better by {lost:.3g}")
    gain = yield from probe(outcome.state, first.family, n, stopping, domain)
    return judged(outcome.why, gain, ledger.varied)


def agreeing_runs(
    update: Update, start: Family, n: int, stopping: Stopping, domain: Domain | None
) -> Generator[Request, Batch, Ending]:
    """Run from `start` again and again, until three runs that a probe confirms share the best score.

    One run is no evidence: with elites that agree it has lost its spread, wherever that was.
    """
    ledger, confirmed, runs, agreed = Ledger(), list[float](), 0, 0
    while True:
        own = Ledger()
        one = own.counted(confirmed_run(update, start, n, stopping, domain))
        note = f"run {runs + 1} from the start" if runs else ""
        ending = yield from awaiting_runs(ledger.counted(one, note), agreed, runs, AGREEING)
        runs += 1
        if not ledger.varied:
            return ending
        if ending.status is Status.CONVERGED:
            confirmed.append(own.best)
        margin = stopping.margin(ledger.best, ledger.climb)
        agreed = sum(best >= ledger.best - margin for best in confirmed)
        if agreed >= AGREEING:
            why = f"{agreed} of {runs} runs from the start found the same best score"
            return Ending(Status.CONVERGED, f"{why}; the last ended because {ending.message}")
        if runs == MOST_RUNS:
            why = f"only {agreed} of {runs} runs from the start ended at the best score"
            return Ending(Status.COLLAPSED, f"{why}; try a larger population or slower smoothing")


def judged(why: str, gain: float, varied: bool) -> Ending:
    """Return how a run ended by itself, given what a probe gained and whether the run saw scores differ."""
    if gain <= 0 and not varied:
        return Ending(Status.COLLAPSED, FLAT)
    if gain > 0:
        return _collapsed(f"{why}, but candidates drawn nearer to the start are better by {gain:.3g}")
    return Ending(Status.CONVERGED, f"{why}, and a probe towards the start found nothing better")


def _collapsed(why: str) -> Ending:
    return Ending(
        Status.COLLAPSED,
        f"the distribution collapsed: {why}; try a larger population, slower smoothing or another seed",
    )


def probe(
    state: State, start: Family, n: int, stopping: Stopping, domain: Domain | None
) -> Generator[Request, Batch, float]:
    """Draw from the family blended back towards `start`, at rates 1e-1 … 1e-5.

    Each rate gets `n` candidates, and at least twenty a variable up to a thousand.

    Returns
    -------
    float
        By how much the first better candidates beat the best so far, 0 where none does by more than
        the tolerance.
    """
    least = min(PROBES_PER_VARIABLE * dimension(start), MOST_LEAST)
    for rate in PROBE_RATES:
        batch = yield Draw(state.family.blend(start, rate), max(n, least), domain)
        gain = batch.best - state.best
        if gain > stopping.margin(state.best, state.climb):
            return gain
    return 0.0
