"""The plan for whole numbers, reals and labels together: a descent, then runs of one distribution over all.

References
----------
Hamano, Saito, Nomura, Uchida & Shirakawa (2024), "CatCMA: Stochastic Optimization for Mixed-Category
Problems", GECCO '24; Hansen (2009), "Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed".
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cem.core.ending import Ending, Minimum, Status
from cem.core.loop import Batch, Draw, Ended, Request, Rule, Step, Update, advance, awaiting_runs
from cem.core.stopping import Stopping
from cem.families.base import Array, Floats
from cem.families.gaussian import Gaussian
from cem.local_search.mixed_descent import MixedDescent
from cem.local_search.requests import as_values, values_at
from cem.plans.bipop import Kind, Regimes
from cem.plans.guard import NoisyPlan, said_noisy
from cem.plans.guided import GuidedSampling, Surface
from cem.plans.ledger import Ledger
from cem.plans.minima import AGREEING as AGREEING_WHERE_MANY
from cem.plans.minima import AUDITED, ENOUGH, FIRST_AUDITS, Minima, Passed
from cem.plans.mixed_region import JITTER, Region
from cem.plans.mixed_space import MixedSpace, NumbersExhausted, numbers_of, plain, with_numbers
from cem.plans.short_runs import LEAST, few_iterations, nothing_better
from cem.plans.single import FLAT

WIDEST = 0.2  # of the span: the first spread
WIDEST_OF_NUMBERS = 0.3  # where there are no labels: .2 loses .1 of log10(gap) at 300 evaluations a variable
SHARE_FOLLOWING = 2 / 3  # of the evaluations there are, at most, for each pass of reals that follow changes
FLAT_AFTER = 20  # descents, where every score was the same
NOWHERE = 0.5  # of descents that ended each at a place of its own: on plateaus short runs take their place
SHORT = 0.3  # of the start's spread, to begin such a run
APART = 1e-4  # of the span: nearer to a smooth minimum scores are the same for rounding
AGREEING = 3  # runs, where none has ended elsewhere and there are no descents
AGREEING_AMONG_OTHERS = 5
FEW_PER_VARIABLE = 15  # evaluations up to which the distribution comes first, where there are labels
SHARE_BEFORE_DESCENT = 1 / 3  # of so few (scripts/benchmarks/mixed/compare.py, 5 to 14 a variable)
NARROW = 0.1  # of the start's spread: a run about the best, where none has ended there
MOST_GUIDED = 300  # evaluations up to which a function with labels and steps is searched by a model first


@dataclass(eq=False)
class MixedSearch:
    """A search over numbers and labels; `plan` is to be served once.

    Parameters
    ----------
    update : Update
    space : MixedSpace
    start : Product or GaussianLike
        The numbers alone where there are no labels.
    n : int
        Population of the first run.
    stopping : Stopping
        Says which scores are the same.
    rng : numpy.random.Generator
    local : bool
        Whether descents take part.
    most : float
        Evaluations there are.
    width : int
        Changes that a descent tries at once.
    target : float, optional
        A score that is wanted: with one, agreement is no success before it is reached.
    noisy_plan : callable, optional
        From the evaluations that were spent to the plan that is followed where the first descent sees noise.
    """

    update: Update
    space: MixedSpace
    start: Any
    n: int
    stopping: Stopping
    rng: np.random.Generator
    local: bool
    most: float
    width: int
    target: float | None
    noisy_plan: NoisyPlan | None = None
    ledger: Ledger = field(init=False, default_factory=Ledger)
    region: Region = field(init=False)
    looked: Minima = field(init=False)
    passed: Passed = field(init=False)
    bests: list[float] = field(init=False, default_factory=list)
    short: int = field(init=False, default=0)  # short runs in a row that found nothing better
    stepped: bool = field(init=False, default=False)
    noisy: bool = field(init=False, default=False)  # two values of one row differ: differences say nothing
    followed: float = field(init=False, default=-np.inf)
    tried: float = field(init=False, default=-np.inf)  # the best that a run about it was made for

    def __post_init__(self) -> None:
        self.region = Region(self.space, self.start)
        self.looked = Minima(self.region.span, self.ledger)
        self.passed = Passed(self.space.domain.integer | self.space.logarithmic, self.looked.unit)
        span = self.region.span[self.space.numbers]
        numbers = numbers_of(self.start)
        if isinstance(numbers, Gaussian) and numbers.diagonal:
            widest = WIDEST if self.space.labels.size else WIDEST_OF_NUMBERS
            capped = np.where(span > 0, np.minimum(numbers.std, widest * span), numbers.std)
            self.start = with_numbers(self.start, Gaussian(numbers.mean, std=capped))

    def plan(self) -> Generator[Request, Batch, Ending]:
        """Search until runs agree, or the budget ends it."""
        try:
            return (yield from self._search())
        except Ended as ended:
            if ended.batch is not None:
                self.ledger.add(ended.batch)
            lacking = self.looked.lacking(self._agreed > 0, self._agreed)
            if self._blind:
                lacking = f"; {nothing_better(self.short)}; a claim lacks {LEAST} of them in a row"
            return self._ending(ended.status, f"{ended}{lacking if ended.status.limit else ''}")

    def _search(self) -> Generator[Request, Batch, Ending]:
        d = self.space.domain.dimension
        few = self.space.labels.size > 0 and self.most < FEW_PER_VARIABLE * d
        guided = self._guided()
        surface = Surface.UNKNOWN
        if self.local and few and guided:
            surface = yield from self.ledger.counted(guided.probe(), "few evaluations: slopes or steps")
            self.stepped, few = surface is Surface.STEPS, surface is not Surface.BOWL
        if self.local and not few:
            begun, note = self.region.near_start(self.rng), "descent from near the start's mean"
            if surface is Surface.BOWL:
                begun, note = np.asarray(self.ledger.best_x), "descent from the best candidate"
            yield from self._descend(begun, note)
            if self.noisy and self.noisy_plan is not None:
                return (yield from said_noisy(self.noisy_plan(self.ledger.spent)))
        if self.local and guided and (self.stepped or (few and surface is Surface.UNKNOWN)):
            yield from self._guide(guided)
            few = False
        elif self.local and not few:
            if self._worth_following:
                yield from self._follow("first descent")
            self._settle()
        regimes = Regimes(self.n, self.n, self.rng)
        note = "first run"
        while not self._claimed:
            kind, before = self._next(regimes), self.ledger.best
            spent = self.ledger.spent
            if self.local and not kind.large and self._worth_following:
                yield from self._follow(note)
            elif self.local and not kind.large and self._blind:
                yield from self._short_run()
            elif self.local and not kind.large:
                yield from self.ledger.counted(self._look(), f"{note}: a descent from a random place")
            else:
                until = SHARE_BEFORE_DESCENT * self.most if few and self.local else np.inf
                run = self._run(kind, note, until)
                best = yield from awaiting_runs(run, self._agreed, len(self.bests), self._wanted)
                self.bests.append(best)
                if few and self.local:
                    few = False
                    yield from self._descend_late()
                note = f"restart {len(self.bests)}"
            regimes.note(kind, self.ledger.spent - spent)
            if self.ledger.best > before + self._margin:
                self.looked.better_found()
                self.short = 0
                self._settle()
        if not self.ledger.varied:
            return self._ending(Status.COLLAPSED, FLAT)
        if self.local:
            elsewhere = nothing_better(self.short) if self._blind else None
            said = self.looked.claim(self._agreed, len(self.bests), elsewhere)
            return self._ending(Status.CONVERGED, said)
        said = f"{self._agreed} of {len(self.bests)} independent runs found the same best score"
        return self._ending(Status.CONVERGED, f"{said}; no descents have looked elsewhere")

    def _guided(self) -> GuidedSampling | None:
        """Return what few evaluations begin with, where there are labels and not too many of them."""
        guided = GuidedSampling(self.region, self.rng)
        return guided if self.space.labels.size and self.most <= MOST_GUIDED and guided.suits else None

    def _guide(self, guided: GuidedSampling) -> Generator[Request, Batch, None]:
        """Sample by a model of the ranks; without steps for a third, then descend from the best."""

        def more() -> bool:
            self.stepped = self.stepped or guided.stepped
            return self.stepped or self.ledger.spent < SHARE_BEFORE_DESCENT * self.most

        yield from self.ledger.counted(guided.run(more), "few evaluations: a model of the ranks")
        yield from self._descend_late()
        if self.stepped:
            yield from self.ledger.counted(guided.run(more))

    def _next(self, regimes: Regimes) -> Kind:
        """Choose what comes next: descents or a run about the best, where a claim lacks nothing else."""
        if self.local and self.target is None and self._agreed > 0 and (self._shown or self._blind):
            return Kind(self.n, 1.0, False)
        if self._unconfirmed:
            self.tried = self.ledger.best
            return Kind(self.n, NARROW, True)
        return regimes.next()

    @property
    def _unconfirmed(self) -> bool:
        """Whether a claim lacks only a run that ends at the best, and none was made about it."""
        shown = self.short >= LEAST if self._blind else self.looked.enough and self.looked.few
        claims = self.local and self.target is None and bool(self.bests)
        return claims and shown and not self._agreed and self.tried < self.ledger.best

    @property
    def _claimed(self) -> bool:
        if self.target is not None or not self.bests:
            return False
        if self.local and not self.ledger.varied:
            return self.looked.since >= FLAT_AFTER
        if self.local:
            return self._agreed > 0 and self._shown and (self.looked.enough or self._blind)
        return self._wanted is not None and self._agreed >= self._wanted

    @property
    def _shown(self) -> bool:
        """Whether few basins are left unseen, or as many runs agree as there must where many are."""
        if self._blind:
            return self.short >= LEAST
        return self.looked.few or self._agreed >= AGREEING_WHERE_MANY

    @property
    def _blind(self) -> bool:
        """Whether scores have steps and most descents have ended each at a place of its own."""
        count = self.looked.count
        return self.stepped and count >= FLAT_AFTER and len(self.looked.minima) > NOWHERE * count

    @property
    def _agreed(self) -> int:
        """How many runs have ended at the best score."""
        return sum(each >= self.ledger.best - self._margin for each in self.bests)

    @property
    def _wanted(self) -> int | None:
        """Return how many runs must agree; None where a claim rests on descents, or on a target."""
        if self.target is not None or self.local:
            return None
        return AGREEING if self._agreed == len(self.bests) else AGREEING_AMONG_OTHERS

    def _ending(self, status: Status, message: str) -> Ending:
        if not self.looked.count:
            return Ending(status, message, family=self._family())
        found = self.looked.ordered
        return Ending(status, message, family=self._family(), looks=self.looked.count, minima=found)

    @property
    def _margin(self) -> float:
        return self.stopping.margin(self.ledger.best, self.ledger.climb)

    def _run(self, kind: Kind, note: str, until: float) -> Generator[Request, Batch, float]:
        """Run until there is nothing left to learn, or `until` is spent and no step was seen."""
        state = self.update.init(self._beginning(kind))
        rule: Rule = NumbersExhausted(np.asarray(numbers_of(state.family).std), kind.n)
        while not rule.reason(state) and (self.ledger.spent < until or self.stepped):
            batch = yield Draw(state.family, kind.n, self.space.domain)
            self.ledger.add(batch, state.family)
            self._note_steps(batch)
            state = advance(self.update, state, batch, rule)
            self.ledger.lowest = min(self.ledger.lowest, state.lowest)
            yield Step(state, "sampling", note)
            note = ""
        return state.best

    def _short_run(self) -> Generator[Request, Batch, None]:
        """Run for few iterations from anywhere."""
        steps = few_iterations(self.update, self._beginning(Kind(1, SHORT, False)), self.space.domain)
        yield from self.ledger.counted(steps)
        self.short += 1
        said = f"{self.short} short runs in a row found nothing better, {LEAST} must"
        yield Step(None, "look", awaiting=lambda: said)

    def _note_steps(self, batch: Batch) -> None:
        """Note whether candidates that differ in a real share a score; where they hardly do, rounding may."""
        real = ~(self.space.domain.integer | self.space.logarithmic)
        if not real.any() or batch.shown is None:
            return
        order = np.argsort(batch.scores, kind="stable")
        scores = batch.scores[order]
        apart = np.abs(np.diff(batch.shown[order][:, real], axis=0)) > APART * self.region.size[real]
        same = np.isfinite(scores[1:]) & (scores[1:] == scores[:-1])
        self.stepped = self.stepped or bool((same & apart.any(axis=1)).any())

    def _beginning(self, kind: Kind) -> Any:
        """Start a large run as the first one, or about the best; a small run anywhere."""
        if kind.large:
            return self.start if kind.narrower == 1 else self._about(kind.narrower)
        mean = self.region.anywhere(self.rng)[self.space.numbers]
        return with_numbers(self.start, numbers_of(self.start).stretched(mean, kind.narrower))

    # --- descents -----------------------------------------------------------------------------------

    def _look(self) -> Generator[Request, Batch, None]:
        """Descend from anywhere, until a minimum is come to."""
        self.looked.count += 1
        x = self.region.whole(self.space.domain.project(self.region.anywhere(self.rng)))
        value = float((yield from values_at(x[None]))[0])
        if np.isfinite(value):
            yield from self._descend_to_minimum(x, value)
        self.looked.since += 1
        said = f"{self.looked.since} descents in a row found nothing better, {ENOUGH} must"
        yield Step(None, "descent", awaiting=lambda: said)

    def _descend_to_minimum(self, x: Floats, value: float) -> Generator[Request, Batch, None]:
        """Descend; note where that ends, unless it comes to a known minimum or by what led to one."""
        audit = self.looked.count <= FIRST_AUDITS or self.looked.count % AUDITED == 0
        path = list[Minimum]()
        here = Ledger(best=as_values(value), best_x=x)
        descender = replace(self._descender(), pairs=True, reals_first=self.looked.count % 2 == 1)
        steps = here.counted(descender.run(x, value))
        request: Request | None = next(steps, None)
        while request is not None:
            at, now = self.region.whole(np.asarray(here.best_x)), float(as_values(here.best))
            if isinstance(request, Step):
                known = self.looked.at_known(at, now) or (not audit and self.passed.by(at, now))
                path.append(Minimum(at, now))
                if known:
                    self.passed.add(path)
                    steps.close()
                    return
            batch = yield request
            try:
                request = steps.send(batch)
            except StopIteration:
                request = None
        self.passed.add(path)
        self.looked.settle(self.region.whole(np.asarray(here.best_x)), float(as_values(here.best)))

    def _settle(self) -> None:
        """Note the best candidate as a minimum."""
        if self.ledger.best_x is not None:
            x = self.region.whole(np.asarray(self.ledger.best_x))
            self.looked.settle(x, float(as_values(self.ledger.best)))

    def _descend_late(self) -> Generator[Request, Batch, None]:
        """Descend from the best candidate, unless candidates have shared a score: a plateau leads nowhere."""
        self.local = not self.stepped
        if self.local and self.ledger.best_x is not None:
            yield from self._descend(self.ledger.best_x, "descent from the best candidate")

    def _descend(self, x: Array, note: str) -> Generator[Request, Batch, float]:
        """Descend from a row; return the best score that led to."""
        return (yield from self.ledger.counted(self._descent(x), note))

    @property
    def _worth_following(self) -> bool:
        """Whether there are changes that reals may follow, and a best candidate where nobody has tried."""
        whole = self.space.domain.integer | self.space.logarithmic
        fresh = self.ledger.best > self.followed + self._margin
        return bool(whole.any() and not whole.all()) and fresh and self.ledger.best_x is not None

    def _follow(self, note: str) -> Generator[Request, Batch, None]:
        """Change labels and whole numbers of the best candidate, each with a search of the reals after it."""
        x, value = self.region.whole(np.asarray(self.ledger.best_x)), float(as_values(self.ledger.best))
        self.followed = self.ledger.best
        steps = self._descender().followed(x, value, SHARE_FOLLOWING * self.most)
        yield from self.ledger.counted(steps, f"{note}: reals that follow a change")
        self.followed = self.ledger.best

    def _descender(self) -> MixedDescent:
        space = self.space
        labels = np.zeros(space.domain.dimension, dtype=np.bool_)
        labels[space.labels] = True
        return MixedDescent(
            space.domain,
            self.region.span,
            labels,
            space.logarithmic,
            space.active,
            space.present,
            self.rng,
            self.width,
        )

    def _descent(self, x: Array) -> Generator[Request, Batch, float]:
        x = self.region.whole(self.space.domain.project(x))
        value, again = (yield from values_at(np.stack([x, x]))).tolist()
        if value != again:
            self.local, self.noisy = False, bool(np.isfinite(value) and np.isfinite(again))
        if value != again or not np.isfinite(value):
            return float(as_values(value))
        descender = self._descender()
        descender.wary = self._guided() is not None
        _, value = yield from descender.run(x, value)
        self.stepped = self.stepped or (descender.wary and descender.flat)
        return float(as_values(value))

    def _family(self) -> Any:
        """Return what the best candidate was drawn from; a narrow start about one of a descent."""
        return self._about(JITTER) if self.ledger.family is None else plain(self.ledger.family)

    def _about(self, narrower: float) -> Any:
        x = self.ledger.best_x
        return self.start if x is None else self.space.about(self.start, np.asarray(x), narrower)
