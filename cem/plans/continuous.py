"""The plan for continuous variables: a local stage, sampling runs with restarts, until enough of them agree.

By default a claim rests on descents from all over the region (`cem.plans.looking`). Without local methods,
or in more variables than these were measured in, it takes two *sampling* runs, the second of which begins
elsewhere or with twice the population; and four once a run has ended at a worse score, which shows that there
are several basins. Without local methods thirty short runs from all over the region follow.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cem.core.domain import Domain
from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Ended, Request, Rule, State, Step, Update, awaiting_runs, run
from cem.core.stopping import Exhausted, Stopping
from cem.families.base import Array, Family, Floats, dimension
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gaussian import Gaussian, GaussianLike
from cem.local_search.curvature import DenseCurvature
from cem.local_search.local_stage import Polished, local_stage
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.quasi_newton import LocalResult
from cem.plans.bipop import Kind, Regimes
from cem.plans.guard import said_noisy
from cem.plans.ledger import Ledger, SamplingRun
from cem.plans.looking import NARROW, LookingSearch
from cem.plans.looks import MOST_VARIABLES, Looks
from cem.plans.newton_finish import finished_run
from cem.plans.short_runs import LEAST, ShortRuns
from cem.plans.single import FLAT, judged, probe
from cem.updates.path_adaptation import PathAdaptation

_JITTER = 0.02  # of the span: how far from the middle the local stage starts
_WIDEST = 0.2  # of the span: a first spread that a box does not cut off
_REACH = 2.5  # standard deviations to either side: the region
_STALLED = 1e-6  # of the whole gain: a last step so small that more of them will not do
_AGREEING = 2  # runs, where none has ended elsewhere
_AGREEING_AMONG_OTHERS = 4  # where a run has ended elsewhere


def convincing(agreed: int, runs: int) -> bool:
    """Whether so many of the runs are enough: two where all agree, four where one ended elsewhere."""
    return agreed >= (_AGREEING if agreed == runs else _AGREEING_AMONG_OTHERS)


def is_gaussian(family: Family) -> bool:
    """Whether the plan can start from `family`."""
    return isinstance(family, GaussianLike)


@dataclass(eq=False)
class ContinuousSearch:
    """A search from a Gaussian start; `plan` is to be served once.

    Parameters
    ----------
    update : Update
    start : GaussianLike
    n : int
        Population of the first sampling run.
    least : int
        Least population of a small one.
    domain : Domain or None
    polish : bool
        Whether local methods take part.
    restarts : int or None
        How often at most a sampling run is followed by another; None until two agree.
    tol : float or None
        Scores within `tol` times the range that was seen agree. None: 1e-12, and runs go on to 1e-15.
    rng : numpy.random.Generator
        Of the choices between runs.
    noisy_plan : callable
        From the evaluations that were spent to the plan for a noisy objective.
    at_once : int
        Rows that local methods may evaluate together, some of them in vain.
    """

    update: Update
    start: GaussianLike
    n: int
    least: int
    domain: Domain | None
    polish: bool
    restarts: int | None
    tol: float | None
    rng: np.random.Generator
    noisy_plan: Callable[[int], Generator[Request, Batch, Ending]]
    at_once: int = 1

    box: Domain = field(init=False)
    low: Floats = field(init=False)  # of the region: the part of the box that the start reaches
    span: Floats = field(init=False)
    stopping: Stopping = field(init=False)
    ledger: Ledger = field(init=False, default_factory=Ledger)
    bests: list[float] = field(init=False, default_factory=list)
    noise: NoiseLevel | None = None
    noisy: bool = False

    def __post_init__(self) -> None:
        d = dimension(self.start)
        self.box = self.domain or Domain(np.full(d, -np.inf), np.full(d, np.inf))
        reach = _REACH * self.start.std
        self.low = np.maximum(self.box.low, self.start.mean - reach)
        self.span = np.minimum(self.box.high, self.start.mean + reach) - self.low
        self.start = _capped(self.start, self.span)
        self.stopping = Stopping() if self.tol is None else Stopping(self.tol)

    def plan(self) -> Generator[Request, Batch, Ending]:
        """Search until a claim of convergence stands, restarts are used up, or the budget ends it."""
        try:
            if self.polish:
                yield from self._polish()
            if self.noisy:
                return (yield from said_noisy(self.noisy_plan(self.ledger.spent)))
            looks = self._looks()
            ending = yield from self._sample() if looks is None else LookingSearch(self, looks).plan()
        except Ended as ended:
            if ended.batch is not None:
                self.ledger.add(ended.batch)
            ending = Ending(ended.status, str(ended))
        return ending._replace(family=self.family())

    def _looks(self) -> Looks | None:
        """Return looks from all over the region; None where local methods or restarts are not to decide."""
        d = int(np.count_nonzero(self.span))
        if not self.polish or self.noise is None or self.restarts is not None or not 0 < d <= MOST_VARIABLES:
            return None
        return Looks(self.span, self.ledger, self.box, self.low, self.noise, self.rng)

    # --- the local stage ----------------------------------------------------------------------------

    def _polish(self) -> Generator[Request, Batch, None]:
        """Run the local stage from near the start's mean; go on by sampling where it stalled."""
        jitter = _JITTER * self.span * self.rng.uniform(-1, 1, self.span.size)
        x = self.box.project(self.start.mean + jitter)
        stage = local_stage(self.box, self.span, x, self.rng, self.at_once)
        polished: Polished = yield from self.ledger.counted(stage, "local stage: near the start's mean")
        self.noise, self.noisy = polished.noise, polished.noisy
        local = polished.local
        if local is None:
            return
        stalled = not local.converged and local.decrease < _STALLED * polished.gain
        if stalled and isinstance(local.model, DenseCurvature):
            note = f"follow-up: the local stage stalled at steps of {local.decrease:.2g}"
            begin = self._around(local, local.model)
            yield from self.run_once(PathAdaptation(), begin, self.n, "follow-up", note)

    def _around(self, local: LocalResult, model: DenseCurvature) -> FactoredGaussian:
        """Return the Gaussian whose covariance is the inverse Hessian, sized by the last decrease."""
        values, vectors = np.linalg.eigh(model.matrix)
        values = np.maximum(values, max(1e-14 * values[-1], 1e-300))
        left = max(local.decrease, NoiseLevel().at(local.value))
        sigma = np.sqrt(2 * left / values.size)
        axes = np.minimum(sigma / np.sqrt(values), _WIDEST * float(np.max(self.span)))
        return FactoredGaussian(local.x, vectors * np.maximum(axes, 1e-150))

    # --- sampling runs ------------------------------------------------------------------------------

    def _sample(self) -> Generator[Request, Batch, Ending]:
        """Run and restart until enough runs have found the best score."""
        regimes = Regimes(self.n, self.least, self.rng)
        note, number, agreed = "first run", 0, 0
        short = (
            None if self.polish or self.restarts is not None else ShortRuns(self.start, self.box, self.rng)
        )
        about: Array | None = None  # what a short run has found
        while True:
            kind = regimes.next()
            spent = self.ledger.spent
            begin = self.beginning(kind) if about is None else self.start.stretched(about, NARROW)
            run_ = self.run_once(self.update, begin, kind.n, "sampling", note)
            outcome = yield from awaiting_runs(run_, agreed, len(self.bests), self._wanted(agreed))
            regimes.note(kind, self.ledger.spent - spent)
            self.bests.append(outcome.best)
            agreed = sum(best >= self.ledger.best - self.margin for best in self.bests)
            why = outcome.why
            if convincing(agreed, len(self.bests)):
                if not self.ledger.varied:
                    return Ending(Status.COLLAPSED, FLAT)
                if short is not None and (yield from self._found_elsewhere(short)):
                    self.bests, agreed, about = [], 0, self.ledger.best_x
                    note = "about a better point that a short run has found"
                    continue
                gain = yield from self._probed(outcome, kind.n)
                if gain == 0:
                    said = f"{agreed} of {len(self.bests)} independent runs found the same best score"
                    elsewhere = "" if short is None else f", {short.said}"
                    probed = "and a probe towards the start found nothing better"
                    ending = Ending(Status.CONVERGED, f"{said}{elsewhere}, {probed}")
                    return ending if short is None else ending._replace(looks=short.count)
                why = f"runs agreed on a score that a probe towards the start bettered by {gain:.3g}"
            if self.restarts is not None and number >= self.restarts:
                return (yield from self._last_word(outcome, kind.n))
            number += 1
            note = f"restart {number}: the last run ended because {why}"

    def _found_elsewhere(self, short: ShortRuns) -> Generator[Request, Batch, bool]:
        """Make short runs until one finds something better, or thirty in a row have not."""
        while short.since < LEAST:
            before = self.ledger.best
            yield from self.ledger.counted(short.next(np.asarray(self.ledger.best_x)))
            said = f"{short.since} short runs in a row found nothing better, {LEAST} must"
            yield Step(None, "look", awaiting=lambda said=said: said)  # type: ignore[misc]
            if self.ledger.best > before + self.margin:
                short.since = 0
                return True
        return False

    def _wanted(self, agreed: int) -> int | None:
        """Return how many runs must agree; None where restarts are counted instead."""
        if self.restarts is not None:
            return None
        return _AGREEING if agreed == len(self.bests) else _AGREEING_AMONG_OTHERS

    @property
    def margin(self) -> float:
        """The difference of scores that does not count."""
        return self.stopping.margin(self.ledger.best, self.ledger.climb)

    def beginning(self, kind: Kind) -> Family:
        """Start a large run as the first one, a small run anywhere in the region."""
        if kind.large:
            return self.start.stretched(self.start.mean, 1.0)
        mean = self.box.project(self.low + self.span * self.rng.random(self.span.size))
        return self.start.stretched(mean, kind.narrower)

    def run_once(
        self, update: Update, start: Family, n: int, stage: str, note: str
    ) -> Generator[Request, Batch, SamplingRun]:
        """Make one sampling run, with a Newton finish where the shape of its family allows for one."""
        state = update.init(start)
        rule: Rule = self.stopping
        if isinstance(update, PathAdaptation):
            rule = Exhausted(np.asarray(state.family.std), n, self.tol)  # type: ignore[attr-defined]
        own = Ledger()
        if self.polish and self.noise is not None and "axes" in state.memory:
            finished = finished_run(
                update, state, n, rule, self.box, self.span, self.noise, stage, self.at_once
            )
            steps = own.counted(finished)
        else:
            steps = _plain_run(update, state, n, rule, self.domain, stage)
        why, last = yield from self.ledger.counted(steps, note)
        return SamplingRun(last, max(own.best, last.best), why)

    def _last_word(self, outcome: SamplingRun, n: int) -> Generator[Request, Batch, Ending]:
        """Judge without an agreement: a single run by a probe, several as disagreeing."""
        if len(self.bests) > 1 or outcome.best < self.ledger.best - self.margin:
            found = "local stage and sampling run" if len(self.bests) == 1 else f"{len(self.bests)} runs"
            return Ending(Status.COLLAPSED, f"{found} found best scores that differ; allow more restarts")
        gain = yield from self._probed(outcome, n)
        return judged(outcome.why, gain, self.ledger.varied)

    def _probed(self, outcome: SamplingRun, n: int) -> Generator[Request, Batch, float]:
        """Look nearer to the start for something better than all that was found; return the gain, or 0."""
        start = self.update.init(self.start).family
        state = replace(outcome.state, best=self.ledger.best, lowest=self.ledger.lowest)
        return (yield from self.ledger.counted(probe(state, start, n, self.stopping, self.domain)))

    def family(self) -> Family:
        """Return what the best candidate was drawn from; a narrow start about one of a local stage."""
        family = self.ledger.family
        if family is None:
            if self.ledger.best_x is None:
                return self.start.stretched(self.start.mean, 1.0)
            family = self.start.stretched(self.ledger.best_x, _JITTER)
        return family.plain if isinstance(family, FactoredGaussian) else family


def _plain_run(
    update: Update, state: State, n: int, rule: Rule, domain: Domain | None, stage: str
) -> Generator[Request, Batch, tuple[str, State]]:
    outcome = yield from run(update, state, n, rule, domain, stage)
    return outcome.why, outcome.state


def _capped(start: Any, span: Floats) -> Any:
    """Return a start of independent coordinates no more spread than its region can hold."""
    if isinstance(start, Gaussian) and start.diagonal:
        return Gaussian(start.mean, std=np.minimum(start.std, np.where(span > 0, _WIDEST * span, start.std)))
    return start
