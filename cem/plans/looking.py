"""Sampling runs and looks in turn, until a claim of convergence stands on both."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cem.core.ending import Ending, Minimum, Status
from cem.core.loop import Batch, Ended, Request, Update
from cem.families.base import Family
from cem.families.gaussian import GaussianLike
from cem.local_search.requests import as_values
from cem.plans.bipop import Kind, Regimes
from cem.plans.ledger import Ledger, SamplingRun
from cem.plans.looks import Looks
from cem.plans.minima import AGREEING
from cem.plans.single import FLAT

SHARE = 0.2  # of the evaluations that go into looks where many minima make them tell little
FLAT_AFTER = 20  # looks, where every score was the same
AT_ONCE = 16  # looks side by side
BESIDE_RUNS = 4  # where they take turns with runs
NARROW = 0.1  # of the first spread: a run about something better that a look has found


class Runs(Protocol):
    """What makes the sampling runs: a search with its start, its ledger and its restarts.

    Attributes
    ----------
    update : Update
        Of its runs.
    start : GaussianLike
    n, least : int
        Population of the first run, and of a small one.
    rng : numpy.random.Generator
        Of the choices between runs.
    ledger : Ledger
    bests : list of float
        Best score of each run so far.
    """

    update: Update
    start: GaussianLike
    n: int
    least: int
    rng: np.random.Generator
    ledger: Ledger
    bests: list[float]

    @property
    def margin(self) -> float:
        """The difference of scores that does not count."""
        ...

    def beginning(self, kind: Kind) -> Family:
        """Return the start of a run of this kind."""
        ...

    def run_once(
        self, update: Update, start: Family, n: int, stage: str, note: str
    ) -> Generator[Request, Batch, SamplingRun]:
        """Make one run."""
        ...


@dataclass(eq=False)
class LookingSearch:
    """What follows the local stage of a search by default; `plan` is to be served once.

    First a sampling run; then looks, a hundred in a row if they only come to what is known; a better find
    gets a sampling run about it and the count begins anew. Where audits keep ending at new minima, looks
    take turns with the runs of BIPOP.

    Parameters
    ----------
    search : Runs
    looks : Looks
    """

    search: Runs
    looks: Looks
    regimes: Regimes = field(init=False)
    confirmed: bool = field(init=False, default=False)  # a sampling run has ended at the best
    agreed: int = field(init=False, default=0)
    by_look: bool = field(init=False, default=False)  # the last gain was a look's
    tried: float | None = field(init=False, default=None)  # the best that a run about it was made for
    debt: float = field(init=False, default=0.0)  # evaluations that runs may take before looks go on
    why: str = field(init=False, default="")  # the last run ended
    number: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.regimes = Regimes(self.search.n, self.search.least, self.search.rng)

    def plan(self) -> Generator[Request, Batch, Ending]:
        """Search until the claim stands."""
        try:
            yield from self._run_next("first run")
            while not self._claimed:
                yield from self._go_on()
        except Ended as ended:
            if ended.batch is not None:
                self.search.ledger.add(ended.batch)
            lacking = self.looks.lacking(self.confirmed, self.agreed) if ended.status.limit else ""
            return self._ending(ended.status, f"{ended}{lacking}")
        if not self.search.ledger.varied:
            return self._ending(Status.COLLAPSED, FLAT)
        said = self.looks.claim(self.agreed, len(self.search.bests))
        return self._ending(Status.CONVERGED, said)

    @property
    def _claimed(self) -> bool:
        looks = self.looks
        if not self.search.ledger.varied:
            return looks.since >= FLAT_AFTER
        return self.confirmed and looks.enough and (looks.few or self._agreed)

    @property
    def _agreed(self) -> bool:
        """Whether so many sampling runs have ended at the best that only looks are lacking, if anything."""
        return self.agreed >= AGREEING

    def _go_on(self) -> Generator[Request, Batch, None]:
        looks, ledger = self.looks, self.search.ledger
        at_once = (looks.promising or self._agreed) and not looks.enough
        if at_once or self.debt <= 0:
            before, spent = ledger.best, ledger.spent
            yield from ledger.counted(looks.some(AT_ONCE if at_once else BESIDE_RUNS))
            if not at_once:
                self.debt += (ledger.spent - spent) * (1 if self.by_look else (1 - SHARE) / SHARE)
            if ledger.best > before + self.search.margin:
                self._better(by_look=True)
                yield from self._run_about_best()
        elif not self.confirmed and looks.enough and looks.few and self.tried != ledger.best:
            yield from self._run_about_best()
        else:
            self.number += 1
            yield from self._run_next(f"restart {self.number}: the last run ended because {self.why}")

    def _better(self, by_look: bool) -> None:
        self.by_look, self.confirmed = by_look, False
        self.looks.better_found()

    def _run_next(self, note: str) -> Generator[Request, Batch, None]:
        """Make the next run of BIPOP."""
        kind, spent = self.regimes.next(), self.search.ledger.spent
        outcome = self._run(self.search.beginning(kind), kind.n, note)
        yield from outcome
        cost = self.search.ledger.spent - spent
        self.regimes.note(kind, cost)
        self.debt -= cost

    def _run_about_best(self) -> Generator[Request, Batch, None]:
        """Make a sampling run about the best point."""
        search = self.search
        self.tried = search.ledger.best
        begin = search.start.stretched(np.asarray(search.ledger.best_x), NARROW)
        yield from self._run(begin, search.least, "about a better point that a look has found")

    def _run(self, begin: Family, n: int, note: str) -> Generator[Request, Batch, None]:
        search, before = self.search, self.search.ledger.best
        known = search.ledger.best_x is not None
        outcome = yield from search.run_once(search.update, begin, n, "sampling", note)
        search.bests.append(outcome.best)
        self.why = outcome.why
        best = search.ledger.best
        if known and best > before + search.margin:
            self._better(by_look=False)
        if outcome.best >= best - search.margin:
            self.confirmed = True
        self.agreed = sum(each >= best - search.margin for each in search.bests)
        if search.ledger.best_x is not None:
            self.looks.settle(search.ledger.best_x, as_values(best))

    def _ending(self, status: Status, message: str) -> Ending:
        ledger, minima = self.search.ledger, self.looks.minima
        if ledger.best_x is not None and not any(each.value <= as_values(ledger.best) for each in minima):
            minima.append(Minimum(ledger.best_x, as_values(ledger.best)))
        return Ending(status, message, looks=self.looks.count, minima=self.looks.ordered)
