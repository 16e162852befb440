"""Short runs from all over a region, which say what a claim excludes where no descent can.

A run of few iterations of a small population comes to the bottom of a basin about as often as it begins
there.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Draw, Request, Update, advance
from cem.core.stopping import Stopping
from cem.families.base import Array, Family
from cem.families.gaussian import Gaussian, GaussianLike
from cem.plans.minima import excluded
from cem.plans.places import Places
from cem.updates.path_adaptation import PathAdaptation
from cem.updates.recombination import smallest_population

LEAST = 30  # in a row: fewer exclude no basin of a tenth
PER_VARIABLE = 40  # evaluations of a run: with 80 it meets hardly more
SPREAD = 0.1  # of the span: the first spread of a run
NEAR = 0.02  # of the span: a run that has come so close to the best is at its basin


@dataclass(eq=False)
class ShortRuns:
    """Short runs, and how many there were.

    Parameters
    ----------
    start : GaussianLike
    domain : Domain
    rng : numpy.random.Generator
    """

    start: GaussianLike
    domain: Domain
    rng: np.random.Generator
    count: int = field(init=False, default=0)
    since: int = field(init=False, default=0)  # one found something better

    def __post_init__(self) -> None:
        self.places = Places.about(self.start, self.domain, self.rng)
        self.span = self.places.span

    @property
    def free(self) -> int:
        """How many variables are not fixed."""
        return int(np.count_nonzero(self.span))

    @property
    def said(self) -> str:
        """What the runs have shown, and what that excludes, in words."""
        return nothing_better(self.since)

    def next(self, best: Array) -> Generator[Request, Batch, Array | None]:
        """Run from the next point of the region; return where that has led, None where to the best."""
        self.count += 1
        self.since += 1
        x, d = self.places[self.count], self.free
        update, n, rule = PathAdaptation(), smallest_population(self.span.size), Stopping()
        state = update.init(
            Gaussian(x, std=np.where(self.span > 0, SPREAD * self.span, np.asarray(self.start.std)))
        )
        place = x
        for _ in range(PER_VARIABLE * d // n):
            batch = yield Draw(state.family, n, self.domain)
            state = advance(update, state, batch, rule)
            place = self.domain.project(np.asarray(state.family.mean))  # type: ignore[attr-defined]
            if (np.abs(place - best) <= NEAR * self.span).all():
                return None
            if rule.reason(state):
                break
        return place


def few_iterations(update: Update, start: Family, domain: Domain) -> Generator[Request, Batch, None]:
    """Make a short run from a start."""
    state, rule = update.init(start), Stopping()
    n = smallest_population(domain.dimension)
    for _ in range(PER_VARIABLE * domain.dimension // n):
        batch = yield Draw(state.family, n, domain)
        state = advance(update, state, batch, rule)


def nothing_better(number: int) -> str:
    """Say what so many short runs in a row have shown, and what that excludes."""
    found = f"{number} short runs from all over the region found nothing better"
    return f"{found}; {excluded(number, 'them')}"
