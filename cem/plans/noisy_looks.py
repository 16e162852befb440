"""Looking elsewhere in noise: short runs from all over a region, and candidates nearer to the start.

The runs say what a claim excludes, and are search as well. (A quasi-Newton descent, which looks rest on where
there is no noise, ends at its first differences.)
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from cem.core.domain import Domain
from cem.core.ending import Estimate
from cem.core.loop import Batch, Draw, Request, State, Step
from cem.core.stopping import ROUNDING
from cem.families.base import Family
from cem.plans.averaging import STANDARD_ERRORS, measured
from cem.plans.minima import ENOUGH
from cem.plans.short_runs import LEAST, PER_VARIABLE, ShortRuns

SHARE = 0.25  # of the evaluations that looks may take, where that is enough for thirty
TIMES, FINAL = 10, 100  # evaluations of where a look has ended, and again where that is better
PROBE_RATES = (1e-1, 1e-2)  # of the start: a first and a second look outside
FINALISTS, FINALIST_TIMES = 5, 25  # of a probe, each with an average of its own


@dataclass(eq=False)
class NoisyLooks(ShortRuns):
    """Looks, and how many there were."""

    def affordable(self, most: int | None) -> int:
        """Return how many looks so many evaluations in all allow for; 0 for too few."""
        if most is None:
            return ENOUGH
        number = int(SHARE * most / (PER_VARIABLE * self.free + TIMES))
        return min(number, ENOUGH) if number >= LEAST else 0

    def search(self, best: Estimate, number: int) -> Generator[Request, Batch, Estimate]:
        """Look so many times; return what is significantly better than `best`, or `best` itself."""
        for _ in range(number):
            end = yield from self.next(best.x)
            if end is not None and better((yield from measured(end, TIMES)), best) > 0:
                other = yield from measured(end, FINAL)
                if better(other, best) > 0:
                    best, self.since = other, 0
            said = f"{self.since} looks in a row found nothing better"
            yield Step(None, "look", awaiting=lambda said=said: said)  # type: ignore[misc]
        return best


def better(one: Estimate, other: Estimate) -> float:
    """Return by how much an estimate is better than another, 0 where chance may have done it."""
    gain = one.score - other.score
    error = float(np.hypot(one.standard_error, other.standard_error))
    return gain if gain > STANDARD_ERRORS * error + ROUNDING * abs(other.score) else 0.0


def probe(
    state: State, start: Family, n: int, found: Estimate, domain: Domain
) -> Generator[Request, Batch, float]:
    """Look for candidates nearer to the start that are significantly better; return the gain, or 0."""
    for rate in PROBE_RATES:
        batch = yield Draw(state.family.blend(start, rate), n, domain)
        scores = np.fmax(batch.scores, -np.inf)
        if batch.excess is not None:
            scores = np.where(batch.excess <= 0, scores, -np.inf)
        for row in np.argsort(-scores, kind="stable")[:FINALISTS]:
            if scores[row] == -np.inf:
                break
            other = yield from measured(np.asarray(batch.x[row]), FINALIST_TIMES)
            if (gain := better(other, found)) > 0:
                return gain
    return 0.0
