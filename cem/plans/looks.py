"""Looks: short descents from all over a region, which say what a claim of convergence in it excludes.

A look is a point of the region and a quasi-Newton descent from there, cut off as soon as values along a line
show that it lies in a basin that is known.

References
----------
Törn & Žilinskas (1989), "Global Optimization", LNCS 350, on what multistart can know.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.core.domain import Domain
from cem.core.lockstep import in_step
from cem.core.loop import Batch, Request, Step
from cem.core.stopping import ROUNDING
from cem.families.base import Floats
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.quasi_newton import BoxQuasiNewton
from cem.local_search.requests import as_values, value_at
from cem.plans.ledger import Ledger
from cem.plans.minima import AUDITED, ENOUGH, FIRST_AUDITS, KEPT, SAME_VALUE, Minima
from cem.plans.places import Places

# What each of these is worth: scripts/benchmarks/continuous/claims.py
MOST_VARIABLES = 20  # as far as claims by looks have been measured
PER_VARIABLE = 100  # evaluations of a descent, at most
TESTED_AFTER = (1, 3, 6, 10, 15, 25, 40)  # iterations of a descent
ALONG = (0.1, 0.35, 0.7)  # of the way to a known point: values that only fall mean the same basin
NEW_AUDITS = 0.2  # of the last ten audits may end at new minima where few are left unseen
RUGGED = 0.5  # of three audits or more at new minima: looks go nowhere


@dataclass(eq=False)
class Looks(Minima):
    """Looks, and what they have found so far.

    Parameters
    ----------
    box : Domain
    low : ndarray, shape (d,)
        Where the region begins.
    noise : NoiseLevel
    rng : numpy.random.Generator
    """

    box: Domain
    low: Floats
    noise: NoiseLevel
    rng: np.random.Generator

    audits: list[bool] = field(init=False, default_factory=list)  # whether each ended at a new minimum
    passed: list[tuple[Floats, float]] = field(init=False, default_factory=list)  # by descents that ended
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.places = Places(self.low, self.span, self.rng.random(self.span.size))

    @property
    def few(self) -> bool:
        """Whether few basins are left unseen, as far as looks can tell."""
        last = self.audits[-10:]
        return sum(last) <= max(NEW_AUDITS * len(last), 1) and super().few

    @property
    def promising(self) -> bool:
        """Whether looks still tell more than sampling runs would."""
        last = self.audits[-10:]
        if len(last) >= FIRST_AUDITS and sum(last) > RUGGED * len(last):
            return False
        return self.count < 10 or len(self.minima) <= 0.2 * self.count + 3

    def some(self, most: int) -> Generator[Request, Batch, None]:
        """Make the next looks, up to `most` of them side by side; first those that tell where looks lead."""
        first = FIRST_AUDITS if self.count < FIRST_AUDITS else ENOUGH
        yield from in_step([self._look() for _ in range(min(most, first, max(ENOUGH - self.since, 1)))])

    def _look(self) -> Generator[Request, Batch, None]:
        """Descend from the next point of the region, as far as it takes to know where that leads."""
        audit = self.count < FIRST_AUDITS or (self.count + 1) % AUDITED == 0
        self.count += 1
        x = self.box.project(self.places[self.count])
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
                if audit and self.at_known(at, value):
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
