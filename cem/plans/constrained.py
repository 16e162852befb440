"""Runs under constraints: sample towards the feasible set, then search locally, again and again."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np

from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Draw, Ended, Request, State, Step, Update, advance
from cem.core.stopping import ROUNDING, Stopping
from cem.families.base import Array, Family, Floats, Mask
from cem.local_search.sequential_quadratic import Local, sequential_quadratic
from cem.plans.ledger import Ledger
from cem.plans.single import FLAT

AGREEING = 30  # local searches at the best score, without a budget
LEAST_AGREEING = 3  # when the budget ends it
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
    """

    update: Update
    start: Family
    n: int
    stopping: Stopping
    domain: Domain
    constraints: Constraints
    polish: bool
    ledger: Ledger = field(init=False, default_factory=Ledger)
    found: list[Local] = field(init=False, default_factory=list)
    middle: float = field(init=False, default=np.nan)  # score of the first batch

    def plan(self) -> Generator[Request, Batch, Ending]:
        """Run from `start` time and again, each run twice as long as the last, with local searches between.

        A local search starts from the best candidate of the first batch and of every batch whose number in
        its run is a power of two, and from one of the others, which need not lead to the same place. It has
        converged where thirty searches have ended at the same best score, or three when the budget ends it.
        """
        try:
            for round_ in range(MOST_ROUNDS):
                yield from self.ledger.counted(self._run(2 ** (round_ + 2)))
                if self.agreed >= AGREEING:
                    return self._converged("")
        except Ended as ended:
            if not ended.status.limit or self.agreed < LEAST_AGREEING:
                raise
            return self._converged(f"; {ended}")
        return Ending(
            Status.COLLAPSED, f"only {self.agreed} of {len(self.found)} searches found the best score"
        )

    @property
    def agreed(self) -> int:
        """Searches that ended, feasible, at the best score of all."""
        scores = [local.score for local in self.found if local.excess <= 0]
        top = max(scores, default=0.0)
        same = max(SAME * abs(top - self.middle), ROUNDING * abs(top))
        return sum(score >= top - same for score in scores)

    def _converged(self, why: str) -> Ending:
        if not self.ledger.varied:
            return Ending(Status.COLLAPSED, f"{FLAT}{why}")
        return Ending(Status.CONVERGED, f"{self.agreed} searches found the same best score{why}")

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
                yield from self._descend(state, batch.x[int(batch.stream().integers(len(batch.x)))])
                if self.agreed >= AGREEING:
                    return
        if not local:
            self.found.append(best)

    def _descend(self, state: State, x: Array) -> Generator[Request, Batch, None]:
        """Search locally from `x`, shape ``(d,)``."""
        span = self.domain.high - self.domain.low
        spread = np.asarray(getattr(self.start, "std", 1.0))
        scale = np.where(np.isfinite(span) & (span > 0), span, spread)
        local = yield from sequential_quadratic(self.constraints, self.domain, x, scale)
        self.found.append(local)
        yield Step(replace(state, level=local.score, elites=1), "polishing")


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
        violation = np.where(
            self.constraints.excess(batch.residuals) > 0, np.mean(amounts / scale, axis=1), 0.0
        )
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
