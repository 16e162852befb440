"""Repeated estimates of one problem, and what they show: error, cost, coverage, and confident errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cem.probability import estimate_probability
from cem.rare_events.settings import Settings
from problems.rare_event.problem import RareEventProblem

LARGE_ERROR = 0.12
HUGE_ERROR = 0.25
NORMAL_CALLS = 1e4


@dataclass(frozen=True)
class Trial:
    """One estimate beside the reference.

    `ratio` is estimate over reference, `cv` the coefficient of variation it claims, `low` and `high` the ends
    of its 95 % interval over the reference. Of its `seconds`, `own` passed outside the performance.
    """

    case: str
    seed: int
    ratio: float
    cv: float
    low: float
    high: float
    calls: int
    success: bool
    status: str
    message: str
    seconds: float
    own: float = np.nan

    @property
    def covers(self) -> bool:
        """Whether the interval holds the reference."""
        return self.low <= 1 <= self.high

    @property
    def confidently_wrong(self) -> bool:
        """Whether it calls itself a success and is off by more than 12 % and 2 of its standard errors."""
        return self.success and abs(self.ratio - 1) > max(LARGE_ERROR, 2 * self.cv)


@dataclass
class Timed:
    """A performance that adds up the seconds it takes."""

    performance: Callable[..., Any]
    seconds: float = field(default=0.0)

    def __call__(self, x: Any) -> Any:
        """Score rows."""
        began = time.perf_counter()
        try:
            return self.performance(x)
        finally:
            self.seconds += time.perf_counter() - began


def trial(
    problem: RareEventProblem, seed: int, method: str | Settings = "auto", target_cv: float = 0.05
) -> Trial:
    """Estimate once."""
    timed = Timed(problem.performance)
    began = time.perf_counter()
    e = estimate_probability(
        replace(problem, performance=timed), method=method, target_cv=target_cv, rng=seed
    )
    took = time.perf_counter() - began
    low, high = e.confidence_interval()
    exact = problem.reference
    return Trial(
        problem.name,
        seed,
        e.probability / exact,
        e.coefficient_of_variation,
        low / exact,
        high / exact,
        e.nfev,
        e.success,
        e.status.name,
        e.message,
        took,
        took - timed.seconds,
    )


@dataclass(frozen=True)
class Summary:
    """What some trials of one case show.

    `rmse` is relative, `normal_rmse` is it times the root of the mean calls over 10,000; `median_calls`,
    `seconds` and `own` (seconds beside the performance's) are medians, `covers`, `success` and `within`
    (10 %) shares, the last two counts.
    """

    mean: float
    rmse: float
    worst: float
    median_calls: float
    normal_rmse: float
    covers: float
    within: float
    success: float
    seconds: float
    own: float
    wrong: int
    very_wrong: int


HEADING = (
    f"{'case':<18}{'runs':>5}{'mean':>8}{'rmse':>8}{'worst':>8}{'calls':>9}{'n-rmse':>8}{'covers':>8}"
    f"{'±10 %':>7}{'success':>9}{'>12 %':>7}{'>25 %':>7}{'own s':>8}"
)


def summarise(trials: Sequence[Trial]) -> Summary:
    """Sum up trials of one case, or of all."""
    ratio = np.array([t.ratio for t in trials])
    calls = np.array([t.calls for t in trials], dtype=float)
    rmse = float(np.sqrt(np.mean((ratio - 1) ** 2)))
    return Summary(
        float(ratio.mean()),
        rmse,
        float(np.abs(ratio - 1).max()),
        float(np.median(calls)),
        rmse * float(np.sqrt(calls.mean() / NORMAL_CALLS)),
        float(np.mean([t.covers for t in trials])),
        float(np.mean(np.abs(ratio - 1) <= 0.1)),
        float(np.mean([t.success for t in trials])),
        float(np.median([t.seconds for t in trials])),
        float(np.median([t.own for t in trials])),
        sum(t.confidently_wrong for t in trials),
        sum(t.success and abs(t.ratio - 1) > HUGE_ERROR for t in trials),
    )


def row(name: str, trials: Sequence[Trial]) -> str:
    """Return the line of a table under `HEADING`."""
    s = summarise(trials)
    return (
        f"{name:<18}{len(trials):>5}{s.mean:>8.3f}{s.rmse:>8.3f}{s.worst:>8.3f}{s.median_calls:>9,.0f}"
        f"{s.normal_rmse:>8.3f}{s.covers:>8.2f}{s.within:>7.2f}{s.success:>9.2f}{s.wrong:>7}{s.very_wrong:>7}"
        f"{s.own:>8.2f}"
    )
