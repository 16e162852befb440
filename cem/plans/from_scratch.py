"""Runs from scratch, repeated until enough of them agree: what the plans for strings and for orders share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import numpy as np

from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Request, Rows, State, Step, awaiting_runs
from cem.core.stopping import Stopping
from cem.families.base import Array, Family
from cem.local_search.side_by_side import Known, Merit, SideBySide

SEEN_WHOLE = 100  # candidates per position up to which a space is simply looked through
WIDEST = 32
ELITES = 10
ROWS_PER_STEP = 64
KEPT_OF_START = 0.1  # blended into the distribution that a result gives


@dataclass
class Elites:
    """The best distinct candidates of a run, best first."""

    merits: list[Merit] = field(default_factory=list)
    rows: list[Array] = field(default_factory=list)
    _fitted: Callable[[], Family] | None = None

    def consider(self, x: Array, merit: Merit) -> None:
        """Keep a candidate that is among the best, unless it is there already."""
        if len(self.merits) == ELITES and not merit > self.merits[-1]:  # type: ignore[operator]
            return
        at = len(self.merits)
        while at > 0 and merit > self.merits[at - 1]:  # type: ignore[operator]
            at -= 1
        alike = (r for m, r in zip(self.merits, self.rows, strict=True) if m == merit)
        if any(np.array_equal(x, row) for row in alike):
            return
        self.merits.insert(at, merit)
        self.rows.insert(at, x.copy())
        del self.merits[ELITES:], self.rows[ELITES:]
        self._fitted = None

    def state(self, start: Family, iteration: int) -> State:
        """Return what is known, but for the distribution."""
        scores = [m[1] if isinstance(m, tuple) else m for m in self.merits]
        return State(start, iteration, scores[-1], scores[0], len(scores), scores[0])

    def fitted(self, start: Any, rows: Callable[[Array], Array]) -> Callable[[], Family]:
        """Return what fits `start` to the elites as they are now, with a share of `start` itself."""
        if self._fitted is None:
            elites = list(self.rows)

            @cache
            def fit() -> Family:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    family: Family = start.fit(rows(np.array(elites))).blend(start, KEPT_OF_START)
                return family

            self._fitted = fit
        return self._fitted


@dataclass
class ScratchRun(ABC):
    """One run from scratch; a subclass makes its `searches` and says when it has nothing more to find.

    Attributes
    ----------
    rng : numpy.random.Generator
    width : int or None
        Candidates to evaluate at once; None for a few, more as the run goes on.
    number : int
        Of the run, from 1 on.
    start : Family
        Fresh starts are drawn from it.
    searches : SideBySide
    elites : Elites
    evaluations, last_gain : int
        Evaluations so far, and at the last gain.
    """

    rng: np.random.Generator
    width: int | None
    number: int
    start: Family = field(kw_only=True)
    elites: Elites = field(default_factory=Elites)
    known: Known = field(default_factory=Known)
    evaluations: int = 0
    last_gain: int = 0
    searches: SideBySide = field(init=False)

    stage: ClassVar[str]
    times: ClassVar[float]
    """A run ends after this many times the evaluations at its last gain without another, …"""
    growth: ClassVar[float] = 0.0
    """Of the evaluations, how many make a step at least."""

    @property
    @abstractmethod
    def least(self) -> int:
        """… but not before as many evaluations without a gain."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of a candidate."""

    @abstractmethod
    def rows(self, candidates: Array) -> Array:
        """Return candidates as rows of the space, shape ``(n, d)``, read-only."""

    @property
    def best(self) -> Merit:
        """Merit of the best candidate."""
        return self.elites.merits[0]

    def until_stale(self) -> Generator[Request, Batch, bool]:
        """Search until the run has nothing more to find; return whether nothing new was left to ask for."""
        since, iteration, note, asked = 0, 0, f"run {self.number} from scratch", 1
        while asked and self.evaluations - self.last_gain <= max(self.times * self.last_gain, self.least):
            asked = yield from self.searches.round()
            since += asked
            if since >= max(ROWS_PER_STEP, self.dimension, self.growth * self.evaluations):
                iteration, since = iteration + 1, 0
                yield self._step(iteration, note)
                note = ""
        if since:
            yield self._step(iteration + 1, note)
        return not asked

    def _step(self, iteration: int, note: str) -> Step:
        elites, start = self.elites, self.start
        fitted = elites.fitted(start, self.rows)
        return Step(elites.state(start, iteration), self.stage, note, fitted=fitted)

    def note(self, x: Array, merit: Merit) -> bool:
        """Count a candidate, and keep it where it is among the best; return whether it is the best so far."""
        self.evaluations += 1
        gain = not self.elites.merits or merit > self.elites.merits[0]  # type: ignore[operator]
        if gain:
            self.last_gain = self.evaluations
        self.elites.consider(x, merit)
        return gain


def runs_from_scratch(
    make: Callable[[int], ScratchRun],
    size: float,
    agreeing: int,
    stopping: Stopping,
    target: float | None,
    patience: str,
) -> Generator[Request, Batch, Ending]:
    """Run from scratch until enough runs have found the same best score, or the space is seen whole.

    Parameters
    ----------
    make : callable
        From the number of a run to the run.
    size : float
        How many candidates there are.
    agreeing : int
        Runs that make a claim.
    stopping : Stopping
        Says which scores are the same.
    target : float, optional
        A score that is wanted: with one, agreement is no success before it is reached.
    patience : str
        After how much without a gain a run ends at the earliest, to be said of a claim.
    """
    bests: list[Merit] = []
    agreed, wanted = 0, agreeing if target is None else None
    while True:
        run = make(len(bests) + 1)
        exhausted = yield from awaiting_runs(run.until_stale(), agreed, len(bests), wanted)
        bests.append(run.best)
        agreed = _agreed(bests, stopping)
        if target is None and (agreed >= agreeing or (exhausted and run.known.distinct >= size)):
            return Ending(
                Status.CONVERGED,
                f"{agreed} of {len(bests)} runs from scratch ended at the best score, each after "
                f"max({run.times:g} times the evaluations at its last gain, {patience}) without another",
            )


def look_at_all(
    start: Family, every: Array, width: int | None, target: float | None
) -> Generator[Request, Batch, Ending]:
    """Evaluate every candidate of a space, shape ``(n, d)``: what is best there is certain.

    Parameters
    ----------
    start : Family
        The distribution that results give.
    every : ndarray, shape (n, d)
    width : int, optional
        Candidates to evaluate at once.
    target : float, optional
        A score that is wanted.
    """
    best, n = -np.inf, width or WIDEST
    for iteration, first in enumerate(range(0, len(every), n), 1):
        batch = yield Rows(every[first : first + n])
        best = max(best, batch.best)
        yield Step(State(start, iteration, best=best), "every candidate")
    said = f"all {len(every)} candidates were evaluated"
    if target is not None:
        return Ending(Status.COLLAPSED, f"{said}; none reaches the target", exact=True)
    if best == -np.inf:
        return Ending(Status.COLLAPSED, f"{said}; none has a score", exact=True)
    return Ending(Status.CONVERGED, said, exact=True)


def _agreed(bests: list[Merit], stopping: Stopping) -> int:
    """Return how many runs have found the best score."""
    top = max(bests)
    if isinstance(top, tuple):
        return sum(each == top for each in bests)
    margin = stopping.margin(top)
    return sum(each >= top - margin for each in bests if not isinstance(each, tuple))
