"""Noisy objectives over numbers: a run with memory in large populations, and an end that no luck has chosen.

The mean of ranked steps averages noise away, the better the larger the population; so each candidate is
evaluated once, the population grows with what was spent, and where second evaluations change the ranks the
spread is kept from shrinking. What is returned lies where a model of the last quarter of all evaluations is
least; its value is an average of evaluations that had no part in choosing it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.ending import Ending, Estimate, Status
from cem.core.loop import Batch, Draw, Ended, Request, Rows, State, Step, Update, advance
from cem.core.sampling import draw
from cem.core.stopping import Stopping
from cem.families.base import Array, Floats
from cem.families.gaussian import Gaussian, GaussianLike
from cem.local_search.equalities import meet
from cem.local_search.regression import (
    Quadratic,
    minimise_feasibly,
    minimise_in_ball,
)
from cem.local_search.requests import as_values
from cem.plans.averaging import measured, rank_change
from cem.plans.constrained import FeasibilityFirst
from cem.plans.ledger import Ledger
from cem.plans.noisy_looks import FINALIST_TIMES, FINALISTS, PROBE_RATES, NoisyLooks, better, probe
from cem.plans.noisy_memory import LATEST, Memory, Seen
from cem.plans.short_runs import LEAST
from cem.plans.single import FLAT
from cem.plans.start import LEAST_ITERATIONS
from cem.updates.recombination import smallest_population

FIRST_STD = 0.2  # of the span
TIMES = 2  # the update's own population; the population itself where the budget is small: it is .15 ± .07
# better (log10 of the gap at 60 evaluations), and 4 candidates for more iterations .16 ± .1 worse than that
GROWING = 100  # evaluations per variable, from which on the population grows as their root does
TREATED = 100  # evaluations per variable, from which on ranks are looked at: earlier it costs more
REEVALUATED = 0.1  # share of a batch that is evaluated twice
NOISY_SHARE = 0.3  # of the last iterations: where noise decided more of them, a model says where the least is
LEAST_FINAL, MOST_FINAL = 20, 100  # evaluations of the point that is returned,
FINAL_SHARE = 0.05  # and which share of all they may be
SMALL_FINAL_SHARE = 0.2  # where that is less than `LEAST_FINAL`
CLAIM_SHARE = 0.1  # of the evaluations: what a claim of convergence may cost
HIDDEN = "noise hides every difference: the point found is no better than the first candidates on average"
CLAIM_NOISY = 0.5  # of the iterations in the second half that noise decides where nothing is left to learn
NARROW = 0.25  # of the start's spread: a run about something better that a look has found


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
    half: float = field(init=False)  # evaluations after which what was found is kept, for the end
    elsewhere: int = field(init=False, default=0)  # evaluations of looks
    spread: Floats = field(init=False)
    final: int = field(init=False)
    memory: Memory = field(init=False)
    looks: NoisyLooks | None = field(init=False, default=None)
    noise: list[float] = field(init=False, default_factory=list)  # squared differences of two evaluations
    halfway: Array | None = field(init=False, default=None)
    ledger: Ledger = field(init=False, default_factory=Ledger)
    first: Floats | None = field(init=False, default=None)  # scores of the first candidates

    def __post_init__(self) -> None:
        self.spent = self.before
        if self.most is None:
            self.final = MOST_FINAL
        else:
            left = self.most - self.before
            share = max(FINAL_SHARE * left, min(LEAST_FINAL, SMALL_FINAL_SHARE * left))
            self.final = max(2, min(MOST_FINAL, int(share)))
        self.half = np.inf if self.most is None else self.most / 2
        self.spread = np.asarray(self.start.std)
        self.learner = FeasibilityFirst(self.update, self.constraints) if self.constraints else self.update
        self.memory = Memory(self.before)
        if self.constraints is None and not self.domain.integer.any():
            self.looks = NoisyLooks(self.start, self.domain, self.rng)

    def plan(self) -> Generator[Request, Batch, Ending]:
        """Run until the evaluations are spent, or the elites agree, and estimate the end."""
        state = self.learner.init(_narrowed(self.start, self.domain))
        try:
            while True:
                why = self.stopping.reason(state) or ""
                if self._to_look(bool(why)):
                    state = yield from self._looked(state)
                    why = self.stopping.reason(state) or ""
                n, again = self._size, self._again
                full = self.most is not None and self.spent + n + again + self._kept > self.most
                if why or (full and self.memory.seen):
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
        if self.looks is None or not self._number:
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
        if self.halfway is None and self.spent >= self.half:
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
        if self.first is None:
            self.first = batch.scores[np.isfinite(batch.scores)]
        self.ledger.add(batch)
        self.memory.add(self._own, batch, decided)

    @property
    def _own(self) -> int:
        """Evaluations without those of looks."""
        return self.spent - self.elsewhere

    # --- looks ----------------------------------------------------------------------------------------

    @property
    def _number(self) -> int:
        """How many looks there are to be."""
        return 0 if self.looks is None else self.looks.affordable(self.most)

    def _to_look(self, ended: bool) -> bool:
        """Whether looks come next: after half of the evaluations, or where the run has ended before."""
        if self.looks is None or not (self._number and self.ledger.varied):
            return False
        return self.looks.since < LEAST if ended else self.halfway is not None and not self.looks.count

    def _looked(self, state: State) -> Generator[Request, Batch, State]:
        """Look; return the state to go on from, about what is better where that was found."""
        looks, own = cast(NoisyLooks, self.looks), Ledger()
        base = yield from self._measured(self._recommended(state), MOST_FINAL)
        found = yield from own.counted(looks.search(base, self._number))
        self.spent += own.spent
        self.elsewhere += own.spent
        if found is base:
            return state
        self.memory.forget()
        self.halfway = None
        self.half = np.inf if self.most is None else (self.spent + self.most) / 2
        return self.learner.init(self.start.stretched(found.x, NARROW))

    # --- the end --------------------------------------------------------------------------------------

    def _recommended(self, state: State) -> Array:
        """Return the point to return."""
        mean = self.domain.project(np.asarray(state.family.mean))  # type: ignore[attr-defined]
        cloud, scores, residuals = self.memory.latest(self._own)
        model: Quadratic | None = None
        noisy = self.memory.share_decided(LATEST, self._own) > NOISY_SHARE
        if cloud is not None and noisy and not self.domain.integer.any():
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
        return self.memory.nearest_feasible(mean, self.constraints)[0]

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
        seen = self.memory.seen
        last = seen[-1] if seen else None
        if last is None and batch is not None and len(batch.x):
            last = Seen(self._own, batch.x, batch.scores, batch.residuals)
            seen.append(last)
        x, residuals = self.memory.nearest_feasible(mean, self.constraints)
        scores = np.empty(0) if last is None else last.scores[np.isfinite(last.scores)]
        if scores.size < 2:
            return Estimate(x, float(scores[0]) if scores.size else np.nan, np.nan, residuals)
        return Estimate(x, float(scores.mean()), float(scores.std(ddof=1)), residuals)

    def _judged(self, state: State, found: Estimate, why: str) -> Generator[Request, Batch, Ending]:
        """Say whether anything was left to find, and how many looks there were."""
        ending = yield from self._judgement(state, found, why)
        count = 0 if self.looks is None else self.looks.count
        return ending._replace(looks=count) if count else ending

    def _judgement(self, state: State, found: Estimate, why: str) -> Generator[Request, Batch, Ending]:
        """Say whether anything was left to find: by what the first half found, and by a probe."""
        if not self.ledger.varied:
            return Ending(Status.COLLAPSED, FLAT, estimate=found)
        if self.constraints is None and self.first is not None and self.first.size and self.noise:
            error = float(np.sqrt(np.mean(self.noise) / self.first.size))
            if not better(found, Estimate(found.x, float(self.first.mean()), error)):
                return Ending(Status.COLLAPSED, HIDDEN, estimate=found)
        spent = f"max_evaluations ({self.most}) is spent"
        if not why:
            share = self.memory.share_decided(0.5, self._own)
            if not (self._claim and share >= CLAIM_NOISY and self.halfway is not None):
                return Ending(Status.EVALUATION_LIMIT, spent, estimate=found)
            said = f"noise decided {share:.0%} of the iterations in the second half"
            before = yield from self._measured(self.halfway, MOST_FINAL)
            if better(found, before) > 0:
                return Ending(Status.EVALUATION_LIMIT, f"{spent}, and it was still gaining", estimate=found)
            why = f"{said}, and what was found after the first half is as good"
        if self.looks is not None and self.looks.count:
            if self.looks.since < LEAST:
                lacking = f"{self.looks.said}; a claim lacks {LEAST} of them in a row"
                return Ending(Status.EVALUATION_LIMIT, f"{spent}; {lacking}", estimate=found)
            why = f"{why}; {self.looks.said}"
        n = self._size_after(self.spent if self.most is None else self.most)
        probed = self.ledger.counted(probe(state, self.update.init(self.start).family, n, found, self.domain))
        gain = yield from probed
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
