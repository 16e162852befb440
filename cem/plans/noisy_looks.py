"""Looking elsewhere in noise: short runs from all over a region, and candidates nearer to the start.

The runs say what a claim excludes, and are search as well. A quasi-Newton descent, which looks rest on where
there is no noise, ends at its first differences; a run of few iterations of a small population comes to the
bottom of a basin about as often as it begins there.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.core.domain import Domain
from cem.core.ending import Estimate
from cem.core.loop import Batch, Draw, Request, State, Step, Update, advance
from cem.core.stopping import ROUNDING, Stopping
from cem.families.base import Array, Family
from cem.families.gaussian import Gaussian, GaussianLike
from cem.plans.averaging import STANDARD_ERRORS, measured
from cem.plans.looks import stride
from cem.plans.minima import CONFIDENCE, ENOUGH
from cem.updates.recombination import smallest_population

SHARE = 0.25  # of the evaluations that looks may take,
LEAST = 30  # where that is enough for so many of them: fewer exclude no basin of a tenth
PER_VARIABLE = (
    40  # evaluations of a look: with 80 it meets hardly more (scripts/benchmarks/continuous/claims.py)
)
SPREAD = 0.1  # of the span: the first spread of a look
NEAR = 0.02  # of the span: a look that has come so close to the best is at its basin
REACH = 2.5  # standard deviations to either side of the start's mean: the region, where a side is open
TIMES, FINAL = 10, 100  # evaluations of where a look has ended, and again where that is better
PROBE_RATES = (1e-1, 1e-2)  # of the start: a first and a second look outside
FINALISTS, FINALIST_TIMES = 5, 25  # of a probe, each with an average of its own


@dataclass(eq=False)
class NoisyLooks:
    """Looks, and how many there were.

    Parameters
    ----------
    update : Update
    start : GaussianLike
    domain : Domain
    rng : numpy.random.Generator
    """

    update: Update
    start: GaussianLike
    domain: Domain
    rng: np.random.Generator
    count: int = field(init=False, default=0)
    since: int = field(init=False, default=0)  # one found something better

    def __post_init__(self) -> None:
        box, mean, reach = self.domain, np.asarray(self.start.mean), REACH * np.asarray(self.start.std)
        closed = np.isfinite(box.low) & np.isfinite(box.high)
        self.low = np.where(closed, box.low, np.maximum(box.low, mean - reach))
        self.span = np.where(closed, box.high, np.minimum(box.high, mean + reach)) - self.low
        self.shift, self.stride = self.rng.random(mean.size), stride(mean.size)

    def affordable(self, most: int | None) -> int:
        """Return how many looks so many evaluations in all allow for; 0 for too few."""
        if most is None:
            return ENOUGH
        number = int(SHARE * most / (PER_VARIABLE * self.span.size + TIMES))
        return min(number, ENOUGH) if number >= LEAST else 0

    @property
    def said(self) -> str:
        """What the looks have shown, and what that excludes, in words."""
        found = f"{self.since} short runs from all over the region found nothing better"
        share = 100 * (1 - (1 - CONFIDENCE) ** (1 / max(self.since, 1)))
        return f"{found}; a basin that more than {share:.1f} % of them lead to would have been met with 95 %"

    def search(self, best: Estimate, number: int) -> Generator[Request, Batch, Estimate]:
        """Look so many times; return what is significantly better than `best`, or `best` itself."""
        for _ in range(number):
            self.count += 1
            self.since += 1
            end = yield from self._look(best.x)
            if end is not None and better((yield from measured(end, TIMES)), best) > 0:
                other = yield from measured(end, FINAL)
                if better(other, best) > 0:
                    best, self.since = other, 0
            said = f"{self.since} looks in a row found nothing better"
            yield Step(None, "look", awaiting=lambda said=said: said)  # type: ignore[misc]
        return best

    def _look(self, best: Array) -> Generator[Request, Batch, Array | None]:
        """Run from the next point of the region; return where that has led, None where to the best."""
        x, d = self.low + self.span * ((self.shift + self.count * self.stride) % 1.0), self.span.size
        wide = np.where(self.span > 0, SPREAD * self.span, np.asarray(self.start.std))
        state, n, rule = self.update.init(Gaussian(x, std=wide)), smallest_population(d), Stopping()
        place = x
        for _ in range(PER_VARIABLE * d // n):
            batch = yield Draw(state.family, n, self.domain)
            state = advance(self.update, state, batch, rule)
            place = self.domain.project(np.asarray(state.family.mean))  # type: ignore[attr-defined]
            if (np.abs(place - best) <= NEAR * self.span).all():
                return None
            if rule.reason(state):
                break
        return place


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
