"""Looks: short descents from all over a region, which say what a claim of convergence in it excludes.

A look is a point of the region and a quasi-Newton descent from there, cut off as soon as values along a line
show that it lies in a basin that is known. What no look has met can only be small: of `n` descents that lead
independently anywhere, one finds a basin that a share ``1 - 0.05 ** (1 / n)`` of them leads to with 95 %.

References
----------
Boender & Rinnooy Kan (1987), "Bayesian stopping rules for multistart global optimization methods",
Mathematical Programming 37; Törn & Žilinskas (1989), "Global Optimization", LNCS 350, on what multistart
can know.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.core.domain import Domain
from cem.core.ending import Minimum
from cem.core.lockstep import in_step
from cem.core.loop import Batch, Request, Step
from cem.core.stopping import ROUNDING
from cem.families.base import Floats
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.quasi_newton import BoxQuasiNewton
from cem.local_search.requests import as_values, value_at
from cem.plans.ledger import Ledger

# What each of these is worth: scripts/benchmarks/continuous/claims.py
ENOUGH = 100  # looks in a row that found nothing better: half as many leave twice the wrong claims
MOST_VARIABLES = 20  # as far as claims by looks have been measured
PER_VARIABLE = 100  # evaluations of a descent, at most
TESTED_AFTER = (1, 3, 6, 10, 15, 25, 40)  # iterations of a descent
ALONG = (0.1, 0.35, 0.7)  # of the way to a known point: values that only fall mean the same basin
FIRST_AUDITS, AUDITED = 3, 16  # looks that go to their end untested: the first, and each so-many-th
NEW_AUDITS = 0.2  # of the last ten audits may end at new minima where few are left unseen
UNSEEN = 0.02  # expected share of basins not seen, by Boender & Rinnooy Kan's w (w + 1) / n (n - 1)
RUGGED = 0.5  # of three audits or more at new minima: looks go nowhere
SAME_VALUE, SAME_PLACE, ONE_PLACE = (
    1e-6,
    0.02,
    1e-3,
)  # of the range of values; of the span, with or without it
KEPT = 60  # points of a descent that later ones are tested against
CONFIDENCE = 0.95


@dataclass(eq=False)
class Looks:
    """What looks have found so far.

    Parameters
    ----------
    box : Domain
    low, span : ndarray, shape (d,)
        The region.
    noise : NoiseLevel
    ledger : Ledger
        Of the whole search.
    rng : numpy.random.Generator

    Attributes
    ----------
    minima : list of Minimum
        Distinct ends of runs and looks, with their values (minimised).
    count, since : int
        Looks, and those since one or a run found something better.
    """

    box: Domain
    low: Floats
    span: Floats
    noise: NoiseLevel
    ledger: Ledger
    rng: np.random.Generator

    minima: list[Minimum] = field(init=False, default_factory=list)
    count: int = field(init=False, default=0)
    since: int = field(init=False, default=0)
    audits: list[bool] = field(init=False, default_factory=list)  # whether each ended at a new minimum
    passed: list[tuple[Floats, float]] = field(init=False, default_factory=list)  # by descents that ended
    shift: Floats = field(init=False)
    stride: Floats = field(init=False)

    def __post_init__(self) -> None:
        d = self.span.size
        self.shift, self.stride = self.rng.random(d), _stride(d)
        self.unit = np.where(self.span > 0, self.span, 1.0)

    @property
    def enough(self) -> bool:
        """Whether enough looks in a row have found nothing better."""
        return self.since >= ENOUGH

    @property
    def few(self) -> bool:
        """Whether few basins are left unseen, as far as looks can tell."""
        w, n, last = len(self.minima), self.count, self.audits[-10:]
        if sum(last) > max(NEW_AUDITS * len(last), 1):
            return False
        return w * (w + 1) <= UNSEEN * n * (n - 1)

    @property
    def promising(self) -> bool:
        """Whether looks still tell more than sampling runs would."""
        last = self.audits[-10:]
        if len(last) >= FIRST_AUDITS and sum(last) > RUGGED * len(last):
            return False
        return self.count < 10 or len(self.minima) <= 0.2 * self.count + 3

    @property
    def excluded(self) -> float:
        """The share of descents that lead to a basin which would have been met with 95 %."""
        return float(1 - (1 - CONFIDENCE) ** (1 / max(self.since, 1)))

    @property
    def said(self) -> str:
        """What the looks have shown, in words."""
        known = f"{len(self.minima)} {'minimum' if len(self.minima) == 1 else 'minima'} known"
        return f"{self.since} descents from all over the region found nothing better ({known})"

    def settle(self, x: Floats, value: float) -> bool:
        """Note where a run or look has ended; return whether that is a new minimum."""
        same = max(SAME_VALUE * self.ledger.climb, ROUNDING * abs(value))
        for i, known in enumerate(self.minima):
            away = float(np.max(np.abs(x - known.x) / self.unit))
            if away < ONE_PLACE or (away < SAME_PLACE and abs(value - known.value) <= same):
                if value < known.value:
                    self.minima[i] = Minimum(np.array(x), value)
                return False
        self.minima.append(Minimum(np.array(x), value))
        return True

    def better_found(self) -> None:
        """Count anew, after something better was found."""
        self.since = 0

    def some(self, most: int) -> Generator[Request, Batch, None]:
        """Make the next looks, up to `most` of them side by side; first those that tell where looks lead."""
        first = FIRST_AUDITS if self.count < FIRST_AUDITS else ENOUGH
        yield from in_step([self._look() for _ in range(min(most, first, max(ENOUGH - self.since, 1)))])

    def _look(self) -> Generator[Request, Batch, None]:
        """Descend from the next point of the region, as far as it takes to know where that leads."""
        audit = self.count < FIRST_AUDITS or (self.count + 1) % AUDITED == 0
        self.count += 1
        x = self.box.project(self.low + self.span * ((self.shift + self.count * self.stride) % 1.0))
        fx = yield from value_at(x)
        if np.isfinite(fx):
            yield from self._descend(x, fx, audit)
        self.since += 1
        said = f"{self.since} looks in a row found nothing better, {ENOUGH} must"
        yield Step(None, "look", awaiting=lambda: said)

    def _descend(self, x: Floats, fx: float, audit: bool) -> Generator[Request, Batch, None]:
        method = BoxQuasiNewton(self.box, self.span, PER_VARIABLE * x.size, self.noise)
        here, iterations = Ledger(best=as_values(fx), best_x=x), 0
        steps = here.counted(method.run(x, fx))
        passed: list[tuple[Floats, float]] = []
        converged = False
        request: Request | None = next(steps, None)
        while request is not None:
            if isinstance(request, Step):
                iterations += 1
                at, value = np.asarray(here.best_x), as_values(here.best)
                if value < fx:
                    passed.append((at, value))
                if audit and self._at_known(at, value):
                    self.audits.append(False)
                    self.passed.extend(passed[-KEPT:])
                    steps.close()
                    return
                tested = not audit and iterations in TESTED_AFTER
                if tested and (yield from self._in_known_basin(at, value)):
                    self.passed.extend(passed[-KEPT:])
                    steps.close()
                    return
                batch = None
            else:
                batch = yield request
            try:
                request = steps.send(batch)  # type: ignore[arg-type] # None after a step
            except StopIteration as finished:
                request, converged = None, finished.value.converged
        at, value = np.asarray(here.best_x), as_values(here.best)
        cut = not audit and not converged
        if cut and (yield from self._in_known_basin(at, value, among_passed=False)):
            return
        new = self.settle(at, value)
        if audit:
            self.audits.append(new)
        if converged:
            self.passed.extend(passed[-KEPT:])

    def _at_known(self, x: Floats, value: float) -> bool:
        """Whether a descent has come to a known minimum, so that it could not end at a new one."""
        return any(
            known.value <= value and np.max(np.abs(x - known.x) / self.unit) < ONE_PLACE
            for known in self.minima
        )

    def _in_known_basin(
        self, x: Floats, value: float, among_passed: bool = True
    ) -> Generator[Request, Batch, bool]:
        """Whether values only fall on the way to a known minimum, or to a point that led to one."""
        lower = [known for known in self.minima if known.value < value]
        if lower:
            best = min(lower, key=lambda known: known.value)
            rest = sorted((m for m in lower if m is not best), key=lambda known: self._distance(x, known.x))
            for known in sorted([best, *rest[:1]], key=lambda known: self._distance(x, known.x)):
                if (yield from self._falls(x, value, known.x, known.value)):
                    return True
        if not among_passed:
            return False
        below = [point for point in self.passed if point[1] < value]
        if not below:
            return False
        rows = np.array([point[0] for point in below])
        nearest = below[int(np.argmin((((rows - x) / self.unit) ** 2).sum(axis=1)))]
        return (yield from self._falls(x, value, *nearest))

    def _distance(self, x: Floats, y: Floats) -> float:
        return float(np.linalg.norm((x - y) / self.unit))

    def _falls(self, x: Floats, value: float, end: Floats, least: float) -> Generator[Request, Batch, bool]:
        same = max(SAME_VALUE * self.ledger.climb, ROUNDING * abs(least))
        last = value
        for t in ALONG:
            now = yield from value_at(self.box.project(x + t * (end - x)))
            if now > last or now < least - same:
                return False
            last = now
        return True


def _stride(d: int) -> Floats:
    """Return the steps of an additive recurrence that spreads points evenly, shape ``(d,)``.

    Powers of ``1 / g``, where ``g ** (d + 1) = g + 1`` (Roberts, 2018, "The unreasonable effectiveness of
    quasirandom sequences"; the golden ratio in one dimension).
    """
    g = 2.0
    for _ in range(64):
        g = (1 + g) ** (1 / (d + 1))
    return g ** -np.arange(1.0, d + 1)
