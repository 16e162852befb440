"""Noisy objectives over numbers: a run with memory in large populations, and an end that no luck has chosen.

The mean of ranked steps averages noise away, the better the larger the population; so each candidate is
evaluated once, the population grows with what was spent, and where second evaluations change the ranks the
spread is kept from shrinking. What is returned lies where a model of the last quarter of all evaluations is
least; its value is an average of evaluations that had no part in choosing it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.ending import Ending, Estimate, Status
from cem.core.loop import Batch, Draw, Ended, Request, Rows, State, Step, Update, advance
from cem.core.sampling import draw
from cem.core.stopping import ROUNDING, Stopping
from cem.families.base import Array, Floats
from cem.families.gaussian import Gaussian, GaussianLike
from cem.local_search.equalities import meet
from cem.local_search.regression import (
    Cloud,
    Quadratic,
    minimise_feasibly,
    minimise_in_ball,
)
from cem.local_search.requests import as_values
from cem.plans.averaging import STANDARD_ERRORS, measured, rank_change
from cem.plans.constrained import FeasibilityFirst
from cem.plans.ledger import Ledger
from cem.plans.single import FLAT
from cem.plans.start import LEAST_ITERATIONS
from cem.updates.recombination import smallest_population

FIRST_STD = 0.2  # of the span
TIMES = 2  # the update's own population; the population itself where the budget is small: it is .15 ± .07
# better (log10 of the gap at 60 evaluations), and 4 candidates for more iterations .16 ± .1 worse than that
GROWING = 100  # evaluations per variable, from which on the population grows as their root does
TREATED = (
    100  # evaluations per variable, from which on ranks are looked at: earlier it costs more than it gives
)
REEVALUATED = 0.1  # share of a batch that is evaluated twice
LATEST = 0.25  # share of the evaluations that the returned point rests on
NOISY_SHARE = 0.3  # of the last iterations: where noise decided more of them, a model says where the least is
LEAST_FINAL, MOST_FINAL = 20, 100  # evaluations of the point that is returned,
FINAL_SHARE = 0.05  # and which share of all they may be
SMALL_FINAL_SHARE = 0.2  # where that is less than `LEAST_FINAL`
CLAIM_SHARE = 0.1  # of the evaluations: what a claim of convergence may cost
CLAIM_NOISY = 0.5  # of the iterations in the second half that noise decides where nothing is left to learn
PROBE_RATES = (1e-1, 1e-2)  # of the start: a first and a second look outside
FINALISTS, FINALIST_TIMES = 5, 25  # of a probe, each with an average of its own


class Seen(NamedTuple):
    """A batch: how many evaluations there were after it, its rows, scores and residuals."""

    spent: int
    x: Array
    scores: Floats
    residuals: Floats | None


@dataclass(eq=False)
class NoisySearch:
    """A search in noise; `plan` is to be served once.

    Parameters
    ----------
    update : Update
        Its states have a ``sigma`` in their memory, as those of `PathAdaptation` do.
    start : GaussianLike
    stopping : Stopping
    domain : Domain
    most : int or None
        Evaluations that there are; the last of them are kept for the estimate.
    planned : int or None
        Evaluations that populations are chosen for.
    rng : numpy.random.Generator
        Of candidates that equalities hold.
    population : int or None
        Candidates per iteration, where they are to stay the same.
    constraints : Constraints or None
        Exact, though the objective is not.
    residuals : callable or None
        What the constraints say of rows, shape ``(n, d)`` to ``(n, m)``, without the objective.
    before : int
        Evaluations that were spent before.

    References
    ----------
    Hansen, Niederberger, Guzzella & Koumoutsakos (2009), "A Method for Handling Uncertainty in Evolutionary
    Optimization with an Application to Feedback Control of Combustion", IEEE Transactions on Evolutionary
    Computation 13, Algorithm 2 (uncertainty measurement); its treatment by the spread, Section III.C.
    """

    update: Update
    start: Any
    stopping: Stopping
    domain: Domain
    most: int | None
    planned: int | None
    rng: np.random.Generator
    population: int | None = None
    constraints: Constraints | None = None
    residuals: Callable[[Array], Floats] | None = None
    before: int = 0

    spent: int = field(init=False)
    spread: Floats = field(init=False)
    final: int = field(init=False)
    seen: list[Seen] = field(init=False, default_factory=list)
    decided: list[tuple[int, bool]] = field(init=False, default_factory=list)  # evaluations, by noise?
    noise: list[float] = field(init=False, default_factory=list)  # squared differences of two evaluations
    halfway: Array | None = field(init=False, default=None)
    ledger: Ledger = field(init=False, default_factory=Ledger)

    def __post_init__(self) -> None:
        self.spent = self.before
        if self.most is None:
            self.final = MOST_FINAL
        else:
            left = self.most - self.before
            share = max(FINAL_SHARE * left, min(LEAST_FINAL, SMALL_FINAL_SHARE * left))
            self.final = max(2, min(MOST_FINAL, int(share)))
        self.spread = np.asarray(self.start.std)
        self.learner = FeasibilityFirst(self.update, self.constraints) if self.constraints else self.update

    def plan(self) -> Generator[Request, Batch, Ending]:
        """Run until the evaluations are spent, or the elites agree, and estimate the end."""
        state = self.learner.init(_narrowed(self.start, self.domain))
        try:
            why = ""
            while not (why := self.stopping.reason(state) or ""):
                n, again = self._size, self._again
                if self.most is not None and self.spent + n + again + self._kept > self.most and self.seen:
                    break
                state = yield from self._iterate(state, n, again)
            x = self._recommended(state)
            times = self.final
            if not why and self.most is not None:
                times = max(2, self.most - self.spent - self._claim)
            estimate = yield from self._measured(x, times)
            return (yield from self._judged(state, estimate, why))
        except Ended as ended:
            if ended.failure is not None:
                raise
            return Ending(ended.status, str(ended), estimate=self._unprepared(state, ended.batch))

    # --- the run --------------------------------------------------------------------------------------

    @property
    def _size(self) -> int:
        """Candidates of the next iteration."""
        return self._size_after(self.spent)

    def _size_after(self, spent: int) -> int:
        """Candidates of an iteration after so many evaluations."""
        if self.population is not None:
            return self.population
        d = self.domain.dimension
        own = smallest_population(d)
        grown = int(TIMES * own * max(1.0, np.sqrt(spent / (GROWING * d))))
        return grown if self.planned is None else min(grown, max(own, self.planned // LEAST_ITERATIONS))

    @property
    def _again(self) -> int:
        """How many of them are evaluated twice."""
        if self.spent < TREATED * self.domain.dimension:
            return 0
        return max(2, int(np.ceil(REEVALUATED * self._size)))

    @property
    def _kept(self) -> int:
        """Evaluations that the end takes."""
        return self.final + self._claim

    @property
    def _claim(self) -> int:
        """Evaluations of a claim of convergence; 0 where they would be too many."""
        if self.most is None or self.final < MOST_FINAL:
            return 0
        price = MOST_FINAL + len(PROBE_RATES) * (self._size_after(self.most) + FINALISTS * FINALIST_TIMES)
        return price if price <= CLAIM_SHARE * self.most else 0

    def _iterate(self, state: State, n: int, again: int) -> Generator[Request, Batch, State]:
        batch = yield self._drawn(state, n)
        self.spent += n
        decided = False
        if again:
            batch, decided = yield from self._twice(state, batch, again)
        state = advance(self.learner, state, batch, self.stopping)
        if decided:
            state = _widened(state, 1 + 2 / (self.domain.dimension + 10))
        self._remember(batch, decided)
        if self.most is not None and self.halfway is None and 2 * self.spent >= self.most:
            self.halfway = self._recommended(state)
        yield Step(state)
        return state

    def _drawn(self, state: State, n: int) -> Request:
        """Draw candidates; where there are equalities, move them to where these hold.

        A distribution that has to find a narrow set by ranks alone is as narrow as the set before it has
        learnt where the scores rise.
        """
        if self.constraints is None or self.residuals is None or not self.constraints.equality.any():
            return Draw(state.family, n, self.domain)
        x = draw(state.family, n, lambda _: self.rng, self.domain)
        equal, residuals = self.constraints.equality, self.residuals
        rows = meet(lambda rows: residuals(rows)[:, equal], self.domain.relaxed, x, self.spread)
        rows.flags.writeable = False
        return Rows(rows)

    def _twice(self, state: State, batch: Batch, again: int) -> Generator[Request, Batch, tuple[Batch, bool]]:
        """Evaluate the first `again` rows whose scores rank once more; tell whether that changes ranks."""
        ranked = np.arange(len(batch.x))
        if isinstance(self.learner, FeasibilityFirst):
            ranked = np.flatnonzero(self.learner.within(state, batch))
        which = ranked[:again]
        if which.size < 2:
            return batch, False
        second = (yield Rows(batch.x[which])).scores
        self.spent += which.size
        old, new, average = batch.scores.copy(), batch.scores.copy(), batch.scores.copy()
        new[which] = second
        differences = second - old[which]
        self.noise.extend((differences[np.isfinite(differences)] ** 2 / 2).tolist())
        average[which] = (old[which] + second) / 2
        change = rank_change(_ranked(old[ranked]), _ranked(new[ranked]))
        return replace(batch, scores=average), change > 0

    def _remember(self, batch: Batch, decided: bool) -> None:
        self.ledger.add(batch)
        self.seen.append(Seen(self.spent, batch.x, batch.scores, batch.residuals))
        self.decided.append((self.spent, decided))
        oldest = self.before + (1 - 2 * LATEST) * (self.spent - self.before)
        while self.seen[0].spent < oldest:
            del self.seen[0]

    def _share_decided(self, since: float) -> float:
        """Return the share of the iterations in the last `since` of all evaluations that noise decided."""
        first = self.spent - since * (self.spent - self.before)
        flags = [flag for spent, flag in self.decided if spent > first]
        return sum(flags) / len(flags) if flags else 0.0

    # --- the end --------------------------------------------------------------------------------------

    def _recommended(self, state: State) -> Array:
        """Return the point to return."""
        mean = self.domain.project(np.asarray(state.family.mean))  # type: ignore[attr-defined]
        cloud, scores, residuals = self._latest()
        model: Quadratic | None = None
        if cloud is not None and self._share_decided(LATEST) > NOISY_SHARE and not self.domain.integer.any():
            model = cloud.fit(as_values(scores))
        if self.constraints is None:
            if cloud is None or model is None:
                return mean
            z = minimise_in_ball(model.slope, model.hessian, cloud.radius)
            return self.domain.project(cloud.point(z))
        if cloud is not None and residuals is not None and (ask := self.residuals) is not None:

            def shown(x: Floats) -> tuple[Floats, Floats]:
                inside = self.domain.project(x)
                return inside, ask(inside[None])[0]

            found = minimise_feasibly(cloud, model, residuals, mean, self.constraints, shown)
            if found is not None:
                return found
        return self._nearest_feasible(mean)[0]

    def _latest(self) -> tuple[Cloud | None, Floats, Floats | None]:
        """Return the candidates of the last quarter of the evaluations, their scores and residuals."""
        first = self.spent - LATEST * (self.spent - self.before)
        recent = [each for each in self.seen if each.spent > first]
        x, scores = np.concatenate([each.x for each in recent]), np.concatenate([e.scores for e in recent])
        usable = np.isfinite(scores)
        residuals = None
        if self.constraints is not None:
            residuals = np.concatenate([np.asarray(each.residuals) for each in recent])
            usable &= np.isfinite(residuals).all(axis=1)
            residuals = residuals[usable]
        return Cloud.of(x[usable]), scores[usable], residuals

    def _nearest_feasible(self, mean: Array) -> tuple[Array, Floats | None]:
        """Return the candidate with the least excess, of several the one nearest to the mean."""
        checks, best, rank = self.constraints, (mean, None), (np.inf, np.inf)
        for each in self.seen:
            if checks is None or each.residuals is None:
                continue
            excess = checks.excess(each.residuals)
            distance = np.linalg.norm(each.x - mean, axis=1)
            row = int(np.lexsort((distance, excess))[0])
            if (float(excess[row]), float(distance[row])) < rank:
                rank = float(excess[row]), float(distance[row])
                best = np.asarray(each.x[row]), each.residuals[row]
        return best

    def _measured(self, x: Array, times: int) -> Generator[Request, Batch, Estimate]:
        estimate = yield from measured(x, times)
        self.spent += times
        return estimate

    def _unprepared(self, state: State, batch: Batch | None) -> Estimate:
        """Return what is known where no evaluation is left: a point that no score has chosen.

        Its value is the average of the last candidates about it, and its error one of theirs, so that both
        the noise and what the candidates differ by are in it.
        """
        mean = self.domain.project(np.asarray(state.family.mean))  # type: ignore[attr-defined]
        last = self.seen[-1] if self.seen else None
        if last is None and batch is not None and len(batch.x):
            last = Seen(self.spent, batch.x, batch.scores, batch.residuals)
            self.seen.append(last)
        x, residuals = (mean, None) if self.constraints is None else self._nearest_feasible(mean)
        scores = np.empty(0) if last is None else last.scores[np.isfinite(last.scores)]
        if scores.size < 2:
            return Estimate(x, float(scores[0]) if scores.size else np.nan, np.nan, residuals)
        return Estimate(x, float(scores.mean()), float(scores.std(ddof=1)), residuals)

    def _judged(self, state: State, found: Estimate, why: str) -> Generator[Request, Batch, Ending]:
        """Say whether anything was left to find: by what the first half found, and by a probe."""
        if not self.ledger.varied:
            return Ending(Status.COLLAPSED, FLAT, estimate=found)
        spent = f"max_evaluations ({self.most}) is spent"
        if not why:
            said = f"noise decided {self._share_decided(0.5):.0%} of the iterations in the second half"
            noisy = self._share_decided(0.5) >= CLAIM_NOISY
            if not (self._claim and noisy and self.halfway is not None):
                return Ending(Status.EVALUATION_LIMIT, spent, estimate=found)
            before = yield from self._measured(self.halfway, MOST_FINAL)
            if _better(found, before) > 0:
                return Ending(Status.EVALUATION_LIMIT, f"{spent}, and it was still gaining", estimate=found)
            why = f"{said}, and what was found after the first half is as good"
        gain = yield from self._probed(state, found)
        if gain > 0:
            return Ending(
                Status.COLLAPSED,
                f"the distribution collapsed: {why}, but a candidate nearer to the start is better by "
                f"{gain:.3g} in the average; try a larger population",
                estimate=found,
            )
        return Ending(
            Status.CONVERGED, f"{why}, and a probe towards the start found nothing better", estimate=found
        )

    def _probed(self, state: State, found: Estimate) -> Generator[Request, Batch, float]:
        """Look for candidates nearer to the start that are significantly better; return the gain, or 0."""
        start = self.update.init(self.start).family
        for rate in PROBE_RATES:
            n = self._size_after(self.spent if self.most is None else self.most)
            batch = yield Draw(state.family.blend(start, rate), n, self.domain)
            self.spent += len(batch.x)
            scores = _ranked(batch.scores)
            if batch.excess is not None:
                scores = np.where(batch.excess <= 0, scores, -np.inf)
            for row in np.argsort(-scores, kind="stable")[:FINALISTS]:
                if scores[row] == -np.inf:
                    break
                other = yield from self._measured(np.asarray(batch.x[row]), FINALIST_TIMES)
                if (gain := _better(other, found)) > 0:
                    return gain
        return 0.0


def _better(one: Estimate, other: Estimate) -> float:
    """Return by how much an estimate is better than another, 0 where chance may have done it."""
    gain = one.score - other.score
    error = float(np.hypot(one.standard_error, other.standard_error))
    return gain if gain > STANDARD_ERRORS * error + ROUNDING * abs(other.score) else 0.0


def _narrowed(start: Any, domain: Domain) -> GaussianLike:
    """Return a start of independent coordinates whose spread is at most a fifth of a closed box."""
    if not (isinstance(start, Gaussian) and start.diagonal):
        narrow: GaussianLike = start
        return narrow
    closed = np.isfinite(domain.low) & np.isfinite(domain.high) & ~domain.fixed
    span = np.where(closed, domain.high, 0.0) - np.where(closed, domain.low, 0.0)
    span = np.where(domain.integer, span + 1, span)
    return Gaussian(start.mean, std=np.where(closed, np.minimum(start.std, FIRST_STD * span), start.std))


def _widened(state: State, factor: float) -> State:
    """Return the state with all spreads times `factor`."""
    family: Any = state.family
    memory = {**state.memory, "sigma": state.memory["sigma"] * factor}
    return replace(state, family=family.stretched(family.mean, factor), memory=memory)


def _ranked(scores: Floats) -> Floats:
    return np.fmax(scores, -np.inf)
