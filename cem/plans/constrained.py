"""Runs under constraints: sample towards the feasible set, then search locally, again and again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

import numpy as np

from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.ending import Ending, Minimum, Status
from cem.core.loop import Batch, Draw, Ended, Request, State, Step, Update, advance
from cem.core.stopping import ROUNDING, Stopping
from cem.families.base import Array, Family, Floats, Mask
from cem.families.gaussian import GaussianLike
from cem.local_search.requests import as_values
from cem.local_search.sequential_quadratic import Known, Local, sequential_quadratic
from cem.plans.ledger import Ledger
from cem.plans.looks import ALONG, TESTED_AFTER
from cem.plans.minima import AUDITED, ENOUGH, FIRST_AUDITS, Minima
from cem.plans.places import Places
from cem.plans.single import FLAT

AGREEING = 30  # local searches at the best score, where many minima are left unseen
LEAST_AGREEING = 3  # where few are, or when the budget ends it
FIRST_ROUNDS = 3  # before searches from all over the region follow each other
NEAR = 0.02  # of the span: how far from the best others begin that are to confirm it
SHORTER = 0.2  # first steps of searches from all over the region: whole ones leave small basins
MOST_ROUNDS = 100  # each twice as long as the last: no budget gets there
SAME = 1e-6  # of the way from the middle of the first batch: ends that close are the same optimum


@dataclass(eq=False)
class FeasibleSearch:
    """A search under constraints; `plan` is to be served once.

    Parameters
    ----------
    update : Update
    start : Family
    n : int
        Candidates per iteration.
    stopping : Stopping
    domain : Domain
    constraints : Constraints
    polish : bool
        Whether local searches take part.
    rng : numpy.random.Generator
        Of where searches from all over the region start.
    """

    update: Update
    start: Family
    n: int
    stopping: Stopping
    domain: Domain
    constraints: Constraints
    polish: bool
    rng: np.random.Generator
    ledger: Ledger = field(init=False, default_factory=Ledger)
    looked: Minima | None = field(init=False, default=None)  # what searches from all over the region have met
    found: list[Local] = field(init=False, default_factory=list)
    middle: float = field(init=False, default=np.nan)  # score of the first batch

    def __post_init__(self) -> None:
        if not (self.polish and isinstance(self.start, GaussianLike)) or self.domain.integer.any():
            return
        self.places = Places.about(self.start, self.domain, self.rng)
        self.looked = Minima(self.places.span, self.ledger)

    def plan(self) -> Generator[Request, Batch, Ending]:
        """Run from `start` time and again, each run twice as long as the last, with local searches between.

        A local search starts from the best candidate of the first batch and of every batch whose number in
        its run is a power of two, and another one from anywhere in the region, cut off where values along a
        line only fall to a minimum that is known. After the third run more of these follow. It has converged
        where three searches have ended at the best score, a hundred from all over the region in a row have
        found nothing better, and few minima are left unseen or thirty searches have ended at the best; where
        the budget ends it, thirty in a row.

        With whole numbers the other search starts from one of the other candidates, and thirty that agree
        are enough, three when the budget ends it.
        """
        try:
            for round_ in range(MOST_ROUNDS):
                yield from self.ledger.counted(self._run(2 ** (round_ + 2)))
                if round_ >= FIRST_ROUNDS - 1:
                    yield from self.ledger.counted(self._look_on())
                if self._claimed or not self.ledger.varied:
                    return self._ending(self._converged(""))
        except Ended as ended:
            looked = self.looked is None or self.looked.since >= AGREEING
            if ended.status.limit and self.agreed >= LEAST_AGREEING and looked:
                return self._ending(self._converged(f"; {ended}"))
            if self.looked is None or not ended.status.limit:
                raise
            return self._ending(Ending(ended.status, f"{ended}{self._lacking(self.looked)}"))
        return self._ending(
            Ending(Status.COLLAPSED, f"only {self.agreed} of {len(self.found)} searches found the best score")
        )

    @property
    def _claimed(self) -> bool:
        if self.looked is None:
            return self.agreed >= AGREEING
        shown = self.looked.few or self.agreed >= AGREEING
        return self.agreed >= LEAST_AGREEING and self.looked.enough and shown

    @property
    def agreed(self) -> int:
        """Searches that ended, feasible, at the best score of all."""
        scores = [local.score for local in self.found if local.excess <= 0]
        top = max(scores, default=0.0)
        same = self._same(top)
        return sum(score >= top - same for score in scores)

    def _same(self, top: float) -> float:
        return max(SAME * abs(top - self.middle), ROUNDING * abs(top))

    def _lacking(self, looked: Minima) -> str:
        """Say what a claim lacks."""
        lacks = []
        if self.agreed < LEAST_AGREEING:
            lacks.append("three searches that end at the best point")
        if not looked.enough:
            lacks.append("a hundred from all over the region in a row")
        if not (looked.few or self.agreed >= AGREEING):
            lacks.append("thirty searches at the best point, as there are many minima")
        return f"; {looked.said}; a claim lacks {', and '.join(lacks)}" if looked.count else ""

    def _converged(self, why: str) -> Ending:
        if not self.ledger.varied:
            return Ending(Status.COLLAPSED, f"{FLAT}{why}")
        said = f"{self.agreed} searches found the same best score"
        if self.looked is not None:
            said = f"{said}; {self.looked.excluding}"
        return Ending(Status.CONVERGED, f"{said}{why}")

    def _ending(self, ending: Ending) -> Ending:
        if self.looked is None:
            return ending
        return ending._replace(looks=self.looked.count, minima=self.looked.ordered)

    def _run(self, length: int) -> Generator[Request, Batch, None]:
        """Sample for `length` iterations, with local searches in between."""
        learner = FeasibilityFirst(self.update, self.constraints)
        state, best = learner.init(self.start), Local(np.zeros(0), -np.inf, np.inf)
        local = self.polish
        while state.iteration < length and not self.stopping.reason(state):
            batch = yield Draw(state.family, self.n, self.domain)
            local = local and batch.x.dtype.kind == "f"  # discrete candidates have no slopes
            if np.isnan(self.middle) and np.isfinite(batch.scores).any():
                self.middle = float(np.median(batch.scores[np.isfinite(batch.scores)]))
            top = _best_of(batch)
            best = max(best, top, key=lambda each: each.rank)
            state = advance(learner, state, batch, self.stopping)
            yield Step(state)
            if local and state.iteration.bit_count() == 1:
                yield from self._descend(state, top.x)
                if self.looked is None:
                    yield from self._descend(state, batch.x[int(batch.stream().integers(len(batch.x)))])
                else:
                    yield from self._look(self.looked)
                if self._claimed:
                    return
        if not local:
            self.found.append(best)

    def _look_on(self) -> Generator[Request, Batch, None]:
        """Search from all over the region until only that is lacking which sampling may bring.

        What is better than before is searched for from near it too, as another search confirms it.
        """
        looked, tried = self.looked, -np.inf
        while looked is not None and looked.minima and not (looked.enough and self.agreed >= LEAST_AGREEING):
            best = min(looked.minima, key=lambda each: each.value)
            if self.agreed >= LEAST_AGREEING:
                yield from self._look(looked)
            elif as_values(best.value) > tried:
                tried = as_values(best.value)
                for _ in range(LEAST_AGREEING):
                    aside = NEAR * looked.span * self.rng.uniform(-1, 1, looked.span.size)
                    x = self.domain.project(best.x + aside)
                    self._note(
                        (yield from sequential_quadratic(self.constraints, self.domain, x, self._scale))
                    )
            else:
                return

    def _look(self, looked: Minima) -> Generator[Request, Batch, None]:
        """Search from the next point of the region; every sixteenth goes to its end."""
        looked.count += 1
        looked.since += 1
        audit = looked.count <= FIRST_AUDITS or looked.count % AUDITED == 0
        x = self.places[looked.count]
        scale, known = SHORTER * self._scale, None if audit else self._foresight(looked)
        self._note((yield from sequential_quadratic(self.constraints, self.domain, x, scale, known)))
        said = f"{looked.since} searches in a row found nothing better, {ENOUGH} must"
        yield Step(None, "look", awaiting=lambda: said)

    @property
    def _scale(self) -> Floats:
        """A typical step of each variable."""
        span = self.domain.high - self.domain.low
        spread = np.asarray(getattr(self.start, "std", 1.0))
        return np.where(np.isfinite(span) & (span > 0), span, spread)

    def _descend(self, state: State, x: Array) -> Generator[Request, Batch, None]:
        """Search locally from `x`, shape ``(d,)``."""
        local = yield from sequential_quadratic(self.constraints, self.domain, x, self._scale)
        self._note(local)
        yield Step(replace(state, level=local.score, elites=1), "polishing")

    def _foresight(self, looked: Minima) -> Known:
        """Return what tells of an iterate where its search will end, if it is known."""
        iterations = 0

        def known(x: Floats, value: float, ask: Callable[[Array], Batch]) -> Local | None:
            nonlocal iterations
            iterations += 1
            met = looked.met(x, value)
            if met is None and iterations in TESTED_AFTER:
                met = self._downhill(looked, x, value, ask)
            return None if met is None else Local(met.x, as_values(met.value), 0.0)

        return known

    def _downhill(
        self, looked: Minima, x: Floats, value: float, ask: Callable[[Array], Batch]
    ) -> Minimum | None:
        """Return a known minimum to which values only fall, among feasible points."""
        lower = sorted(
            (known for known in looked.minima if known.value < value), key=lambda known: known.value
        )
        nearest = min(lower[1:], key=lambda known: np.linalg.norm((known.x - x) / looked.unit), default=None)
        for end in [*lower[:1], *([] if nearest is None else [nearest])]:
            batch = ask(self.domain.project(x + np.array(ALONG)[:, None] * (end.x - x)))
            path = np.concatenate([[value], as_values(batch.scores), [end.value]])
            if batch.excess is not None and (batch.excess <= 0).all() and (np.diff(path) <= 0).all():
                return end
        return None

    def _note(self, local: Local) -> None:
        """Note where a local search has ended."""
        top = max((each.score for each in self.found if each.excess <= 0), default=-np.inf)
        self.found.append(local)
        if self.looked is None or local.excess > 0:
            return
        self.looked.settle(local.x, as_values(local.score))
        if local.score > top + self._same(local.score):
            self.looked.better_found()


def _best_of(batch: Batch) -> Local:
    excess = np.zeros(len(batch.x)) if batch.excess is None else batch.excess
    top = int(np.argmax(np.fmax(deb_merit(batch.scores, excess), -np.inf)))
    return Local(batch.x[top], float(batch.scores[top]), float(excess[top]))


_SCALE, _EPSILON = "constraint_scale", "epsilon"


@dataclass(frozen=True, eq=False)
class FeasibilityFirst:
    """Hand `update` scores by which a candidate within the tolerance beats every other one.

    Those whose violation is at most ε are ranked by their scores; the rest come after them, by their
    violation (Deb's penalty without a parameter). ε begins as the violation that the best `share` of the
    first batch stays below and never grows, so that the search comes to a narrow feasible set through
    its neighbourhood (Takahama & Sakai). A violation is the mean over all constraints, each in units of its
    median violation in the first batch.

    The level of elites that are not within ε is not a score but a merit: the worst score within ε, less
    the violation.

    Parameters
    ----------
    update : Update
    constraints : Constraints
    share : float
        Fraction of a batch that the tolerance lets through.

    References
    ----------
    Deb (2000), "An efficient constraint handling method for genetic algorithms", Computer Methods in
    Applied Mechanics and Engineering 186, Equation (4); Takahama & Sakai (2006), "Constrained Optimization
    by the ε Constrained Differential Evolution with Gradient-Based Mutation and Feasible Elites", CEC.
    """

    update: Update
    constraints: Constraints = field(repr=False)
    share: float = 0.2

    @property
    def elite_fraction(self) -> float:
        """The wrapped update's."""
        return float(getattr(self.update, "elite_fraction", 1.0))

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch."""
        return self.update.init(start)

    def step(self, state: State, batch: Batch, /) -> State:
        """Rank by feasibility and score, and let the update learn."""
        scale, violation, epsilon = self._violations(state, batch)
        merit = deb_merit(batch.scores, violation, epsilon)
        after = self.update.step(state, replace(batch, scores=merit))
        return replace(after, memory={**after.memory, _SCALE: scale, _EPSILON: np.array(epsilon)})

    def within(self, state: State, batch: Batch) -> Mask:
        """Return which candidates are ranked by their scores, shape ``(n,)``."""
        _, violation, epsilon = self._violations(state, batch)
        return np.asarray(violation <= epsilon)

    def _violations(self, state: State, batch: Batch) -> tuple[Floats, Floats, float]:
        """Return the constraints' units, the violation of each candidate, and ε."""
        if batch.residuals is None:
            raise ValueError("this update takes batches with residuals of constraints.")
        amounts = self.constraints.violations(batch.residuals)
        scale = state.memory.get(_SCALE, _scale_of(amounts))
        sides = max(amounts.shape[1], 1)  # a constraint without bounds has none
        mean = np.sum(amounts / scale, axis=1) / sides
        violation = np.where(self.constraints.excess(batch.residuals) > 0, mean, 0.0)
        within = float(np.quantile(np.minimum(violation, 1e300), self.share))
        return scale, violation, min(float(state.memory.get(_EPSILON, np.inf)), within)


def deb_merit(scores: Floats, violation: Floats, epsilon: float = 0.0) -> Floats:
    """Return scores in which a violation beyond `epsilon` costs more than any difference of scores.

    Deb (2000), Equation (4), for maximisation: the worst score within `epsilon`, less the violation.
    """
    met = violation <= epsilon
    ranked = scores[met & np.isfinite(scores)]
    worst = float(ranked.min()) if ranked.size else 0.0
    return np.where(met, scores, worst - violation)


def _scale_of(amounts: Floats) -> Floats:
    """Return the median violation of each constraint by those that violate it, 1 where none does."""
    scale = np.ones(amounts.shape[1])
    for j, column in enumerate(amounts.T):
        violated = column[(column > 0) & np.isfinite(column)]
        if violated.size:
            scale[j] = max(float(np.median(violated)), 1e-300)
    return scale
