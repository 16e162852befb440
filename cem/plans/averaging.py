"""Noisy objectives over anything: averages of as many evaluations as the ranking needs.

Serves what `cem.plans.noisy` does not: discrete candidates, and updates of the user's choice.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.ending import Ending, Estimate, Status
from cem.core.loop import Batch, Draw, Ended, Request, Rows, State, Step, Update, advance
from cem.core.stopping import ROUNDING, Stopping
from cem.families.base import Array, Family, Floats
from cem.plans.constrained import FeasibilityFirst
from cem.plans.ledger import Ledger
from cem.plans.single import FLAT

REEVALUATED = 0.1  # share of a batch that is scored twice
GROWTH = 1.5  # of the evaluations a candidate, where noise decides the ranks
THRESHOLD = 0.2  # of the rank changes that pure chance would bring
MOST_REPEATS = 32  # of an average: the error has fallen to 18 %
PATIENCE = 10  # iterations in a row in which even such averages do not rank
FINAL = 100  # evaluations of the point that is returned
PROBE_RATES = (1e-1, 1e-2)  # shares of the start: a first and a second look outside
FINALISTS = 5  # of a probe, each with a full average
UPPER = 0.975  # quantile: intervals of 95 %
STANDARD_ERRORS = 3.0  # of a difference: chance exceeds it once in 740


class Averaged(NamedTuple):
    """A batch of averages, and what its repetition tells."""

    batch: Batch
    uncertainty: float  # positive where noise decides the ranks
    centre: Estimate


def averaged_run(
    update: Update,
    start: Family,
    n: int,
    stopping: Stopping,
    domain: Domain | None,
    most: int | None,
    constraints: Constraints | None = None,
    before: int = 0,
) -> Generator[Request, Batch, Ending]:
    """Run with averaged scores, as many evaluations a candidate as the ranking needs, and estimate the end.

    The run has settled where noise decides the ranks even of averages of 32, or the elites agree. What it
    returns is the distribution's mean, or where candidates are discrete or constrained one of the last that
    was best in the average, with an average of 100 further evaluations there; it has converged where
    candidates drawn nearer to the start are not significantly better.

    Parameters
    ----------
    most : int or None
        Evaluations that there are; the last of them are kept for the estimate.
    constraints : Constraints or None
        Exact, though the objective is not.
    before : int
        How many of them were spent before.

    References
    ----------
    Hansen, Niederberger, Guzzella & Koumoutsakos (2009), "A Method for Handling Uncertainty in Evolutionary
    Optimization with an Application to Feedback Control of Combustion", IEEE Transactions on Evolutionary
    Computation 13, Algorithms 2 (uncertainty measurement) and 3 (its treatment).
    """
    learner = update if constraints is None else FeasibilityFirst(update, constraints)
    state, repeats, unsettled, spent = learner.init(start), 1.0, 0, before
    final = FINAL if most is None else max(2, min(FINAL, (most - before) // 5))
    seen: Estimate | None = None
    last: Batch | None = None
    ledger = Ledger()
    try:
        while unsettled < PATIENCE and not stopping.reason(state):
            k = round(repeats)
            cost = k * (n + _again(n) + 1)
            if most is not None and spent > before and spent + cost + final > most:
                seen = yield from measured(_place(state, last, constraints, domain), most - spent)
                return Ending(Status.EVALUATION_LIMIT, f"max_evaluations ({most}) is spent", estimate=seen)
            averaged = yield from _averaged(state, n, k, domain, constraints)
            seen, spent, last = averaged.centre, spent + cost, averaged.batch
            ledger.add(last)
            state = advance(learner, state, averaged.batch, stopping)
            if averaged.uncertainty > 0:
                unsettled = unsettled + 1 if k == MOST_REPEATS else 0
                repeats = min(float(MOST_REPEATS), GROWTH * repeats)
            else:
                unsettled, repeats = 0, max(1.0, repeats / GROWTH**0.25)
            yield Step(state)
        why = stopping.reason(state) or f"noise decides the ranks even of averages of {MOST_REPEATS}"
        seen = yield from measured(_place(state, last, constraints, domain), final)
        gain = yield from _probe(state, start, n, seen, final, domain)
    except Ended as ended:
        if ended.failure is not None:
            raise
        seen = seen or Estimate(_place(state, ended.batch, constraints, domain), np.nan, np.nan)
        return Ending(ended.status, str(ended), estimate=seen)
    if gain > 0:
        return Ending(
            Status.COLLAPSED,
            f"the distribution collapsed: {why}, but a candidate nearer to the start is better by {gain:.3g} "
            "in the average; try a larger population or slower smoothing",
            estimate=seen,
        )
    if not ledger.varied:
        return Ending(Status.COLLAPSED, FLAT, estimate=seen)
    return Ending(
        Status.CONVERGED, f"{why}, and a probe towards the start found nothing better", estimate=seen
    )


def rank_change(old: Floats, new: Floats, threshold: float = THRESHOLD) -> float:
    """Measure how far second evaluations change the ranks: positive where noise decides them.

    Parameters
    ----------
    old, new : ndarray, shape (n,)
        First and second scores; equal where there was no second evaluation.
    threshold : float
        Share of the median change under pure chance that is tolerated.

    References
    ----------
    Hansen et al. (2009), Algorithm 2, Equations (7) to (9).
    """
    n = len(old)
    twice = np.flatnonzero(old != new)
    if twice.size == 0:
        return -1.0
    ranks = np.argsort(np.argsort(np.concatenate([old, new]), kind="stable"), kind="stable") + 1
    before, after = ranks[:n][twice], ranks[n:][twice]
    change = after - before - np.sign(after - before)
    others = np.arange(1, 2 * n)

    def limit(rank: NDArray[np.intp]) -> Floats:
        return np.asarray(np.percentile(np.abs(others - rank[:, None]), threshold * 50, axis=1))

    tolerated = limit(after - (new[twice] > old[twice])) + limit(before - (old[twice] > new[twice]))
    return float(np.mean(2 * np.abs(change) - tolerated))


def _averaged(
    state: State, n: int, k: int, domain: Domain | None, constraints: Constraints | None
) -> Generator[Request, Batch, Averaged]:
    """Score a batch `k` times, its first rows and a point to return `k` times more."""
    batch = yield Draw(state.family, n, domain)
    totals = batch.scores.copy()
    for _ in range(k - 1):
        totals += (yield Rows(batch.x)).scores
    old = totals / k
    again = _again(n)
    centre = _place(state, replace(batch, scores=old), constraints, domain)
    answer = yield Rows(np.repeat(np.concatenate([batch.x[:again], centre[None]]), k, axis=0))
    second = np.array(answer.scores).reshape(-1, k).mean(axis=1)
    new = old.copy()
    new[:again] = second[:again]
    noise = _root_mean_square(np.nan_to_num(new[:again] - old[:again])) / np.sqrt(2)
    residuals = None if answer.residuals is None else answer.residuals[-1]
    seen = Estimate(centre, float(second[-1]), noise, residuals)
    return Averaged(replace(batch, scores=(old + new) / 2), rank_change(_ranked(old), _ranked(new)), seen)


def measured(x: Array, times: int) -> Generator[Request, Batch, Estimate]:
    """Evaluate one point so many times.

    The standard error is as much larger than its usual estimate as Student's quantile is than the normal one,
    so that 1.96 of them to either side hold the mean with 95 %, however few evaluations there are.
    """
    batch = yield Rows(np.repeat(x[None], times, axis=0))
    scores = batch.scores
    residuals = None if batch.residuals is None else batch.residuals[0]
    error = float(scores.std(ddof=1)) / np.sqrt(times) * float(stdtrit(times - 1, UPPER) / ndtri(UPPER))
    return Estimate(x, float(scores.mean()), error, residuals)


def _probe(
    state: State, start: Family, n: int, centre: Estimate, times: int, domain: Domain | None
) -> Generator[Request, Batch, float]:
    """Look for candidates nearer to the start that are significantly better; return the gain, or 0."""
    for rate in PROBE_RATES:
        batch = yield Draw(state.family.blend(start, rate), n, domain)
        merit = _ranked(batch.scores)
        if batch.excess is not None:
            merit = np.where(batch.excess <= 0, merit, -np.inf)
        for row in np.argsort(-merit, kind="stable")[:FINALISTS]:
            if merit[row] == -np.inf:
                break
            other = yield from measured(batch.x[row], times)
            gain = other.score - centre.score
            error = float(np.hypot(centre.standard_error, other.standard_error))
            if gain > STANDARD_ERRORS * error + ROUNDING * abs(centre.score):
                return gain
    return 0.0


def _place(
    state: State, batch: Batch | None, constraints: Constraints | None, domain: Domain | None
) -> Array:
    """Return the point to return: the distribution's mean, or one of the candidates where it is none.

    It is a feasible one, if there is any, of those the one that was drawn most often, and then the best.
    """
    mean: Any = getattr(state.family, "mean", None)
    numbers = batch is None or batch.x.dtype.kind == "f"
    if isinstance(mean, np.ndarray) and numbers and constraints is None:
        return np.asarray(mean if domain is None else domain.project(mean))
    if batch is None or not len(batch.x):
        drawn: Array = np.asarray(state.family.sample(1, np.random.default_rng(0)))[0]
        return drawn
    excess = np.zeros(len(batch.x)) if batch.excess is None else batch.excess
    _, first, counts = np.unique(batch.x, axis=0, return_inverse=True, return_counts=True)
    often = counts[first.ravel()]
    return np.asarray(batch.x[int(np.lexsort((-_ranked(batch.scores), -often, excess))[0])])


def _again(n: int) -> int:
    return max(2, int(np.ceil(REEVALUATED * n)))


def _ranked(scores: Floats) -> Floats:
    return np.fmax(scores, -np.inf)


def _root_mean_square(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
