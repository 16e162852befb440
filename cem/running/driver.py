"""The one impure place: serves the requests of a stage, and alone knows budget, sign, clock and history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from cem.checkpoint.entries import Entry
from cem.clock import clock
from cem.core.budget import Budget
from cem.core.ending import Status
from cem.core.history import History, Row, summary
from cem.core.loop import Batch, Draw, Ended, Request, Rows, State, Step, as_ended
from cem.core.sampling import Recipe
from cem.core.streams import Purpose, Streams
from cem.evaluation import widen
from cem.families.base import Array, Family, Floats, dimension
from cem.running.arithmetic import any_arithmetic
from cem.running.early_ends import bears_asking, failed, nothing_finite, seen_whole
from cem.running.incumbent import Incumbent
from cem.running.memo import Lookup
from cem.running.reporting import Progress
from cem.running.scoring import Scored, Scorer, Setting, count_nan

log = logging.getLogger("cem")
_MOST_STAGES = 10  # that one plan runs one after another, each of which may end in its own way
T = TypeVar("T")
FEW_ROWS = 16  # a batch that small leaves one evaluation of the last ones to a second look
MOST_REPEATED = 10  # times max_evaluations: draws of a distribution that has nothing new to offer


class Served(NamedTuple, Generic[T]):
    """What a plan returned (None if it was cut short without a word) and what cut it short, if anything."""

    value: T | None
    ended: Ended | None


@dataclass
class Driver:
    """Serves one plan.

    Attributes
    ----------
    scorer : Scorer
    budget : Budget
    notify : callable, optional
        Called with a `Progress` after every step, and at the end where evaluations came after the last one;
        True stops.
    watched : bool
        Whether the rows that are evaluated are kept for `notify`.
    best : Incumbent
        The best candidate so far.
    """

    scorer: Scorer
    budget: Budget
    notify: Callable[[Progress], bool] | None = None
    watched: bool = False

    history: History = field(default_factory=History)
    state: State = field(init=False)
    best: Incumbent = field(init=False)
    nfev: int = 0
    _batches: int = 0
    nan_count: int = 0
    _served: int = 0
    _nan_before: int = 0
    _values: list[Floats] = field(default_factory=list)
    _evaluated: list[tuple[Array, Floats]] = field(default_factory=list)
    _awaiting: Callable[[], str] = str
    _row: Row | None = None
    _fitted: Callable[[], Family] | None = None
    noise_seen: bool = False
    _late: Ended | None = None  # raised in the midst of a computation

    def __post_init__(self) -> None:
        self.state = State(self.setting.start)
        self.best = Incumbent(self.setting.constraints, self.setting.any_score)

    @property
    def setting(self) -> Setting:
        """What the run is about."""
        return self.scorer.setting

    @property
    def streams(self) -> Streams:
        """Every random stream of the run."""
        return self.scorer.streams

    @property
    def sign(self) -> float:
        """The factor between the user's scores and the maximised ones: the only flip there is."""
        return 1.0 if self.setting.maximize else -1.0

    @property
    def family(self) -> Family:
        """The distribution of the last step, the start's before the first."""
        return self.state.family if self._fitted is None else self._fitted()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.scorer.elapsed

    @property
    def replaying(self) -> bool:
        """Whether what happens had happened before the run was resumed."""
        journal = self.scorer.journal
        return journal is not None and journal.replaying(self._batches)

    @property
    def remark(self) -> str:
        """What there is to say about the checkpoint, to be added to a message."""
        return "" if self.scorer.journal is None else self.scorer.journal.remark

    def serve(self, plan: Generator[Request, Batch, T]) -> Served[T]:
        """Serve `plan` to its end, or to the end of the budget."""
        orderly = False
        try:
            served = self._serve(plan)
            if self.setting.doubted:
                self._look_for_noise(served)
            orderly = served.ended is None or served.ended.status is not Status.INTERRUPTED
            if orderly and self._evaluated and not self.replaying:
                self._show()
            return served
        except KeyboardInterrupt as interrupt:
            if not orderly:
                raise
            return Served(None, as_ended(interrupt))
        finally:
            if self.scorer.journal is not None:
                self.scorer.journal.close(orderly, self.elapsed)

    def _serve(self, plan: Generator[Request, Batch, T]) -> Served[T]:
        answer: Any = None
        while True:
            try:
                with any_arithmetic(), self._clock():
                    request = plan.send(answer)
            except StopIteration as finished:
                ended = None if self._late else self._complete()
                return Served(None if ended else finished.value, ended or self._late)
            except (Ended, KeyboardInterrupt) as end:
                return Served(None, as_ended(end))
            try:
                answer = self._answer(request)
            except (Ended, KeyboardInterrupt) as end:
                return self._wind_up(plan, as_ended(end))

    def _clock(self) -> AbstractContextManager[None]:
        """Let what is computed meanwhile look at the clock, until that has ended the run."""
        return clock(self._look)

    def _look(self) -> None:
        if self._late is None and self.elapsed >= self.budget.seconds:
            self._late = Ended(Status.TIME_LIMIT, self._over)
            raise self._late

    def _look_for_noise(self, served: Served[T]) -> None:
        """Ask once more about the best candidate before it is claimed, or where the budget is spent."""
        status: Status | None = getattr(served.value or served.ended, "status", None)
        memo = self.scorer.memo
        whole = getattr(served.value, "exact", False) or (memo is not None and memo.exhausted)
        if self.best.x is None or whole or not bears_asking(status, asked_once=memo is not None):
            return
        x, known = self.best.x[None], self.best.score
        together = self.scorer.evaluator.objective.vectorized  # then a candidate is like itself beside itself
        number, self._batches = self._batches, self._batches + 1
        try:
            rows = np.repeat(x, 2, axis=0) if together else x
            rows.flags.writeable = False
            batch: Batch | None = self._evaluate(number, rows, Rows(rows), again=True)
        except Ended as ended:
            batch = ended.batch
        if batch is not None and len(batch.scores) == len(rows):
            first = batch.scores[0] if together else known
            self.noise_seen = not np.array_equal(first, batch.scores[-1], equal_nan=True)

    def _complete(self) -> Ended | None:
        """See a discrete space whole where most of it is known; return what that ended with."""
        rest = None if self.scorer.memo is None else self.scorer.memo.rest()
        try:
            if rest is not None:
                self._answer(Rows(rest))
        except (Ended, KeyboardInterrupt) as end:
            ended = as_ended(end)
            return None if ended.status.limit else ended
        return None

    def _wind_up(self, plan: Generator[Request, Batch, T], ended: Ended) -> Served[T]:
        """Tell a plan that there is no more, as often as it has stages that ask for more."""
        for _ in range(_MOST_STAGES):
            try:
                with any_arithmetic():
                    plan.throw(ended)
            except StopIteration as finished:
                return Served(finished.value, ended)
            except Ended:
                return Served(None, ended)
        plan.close()
        return Served(None, ended)

    def _answer(self, request: Request) -> Batch | None:
        if isinstance(request, Step):
            self._record(request)
            return None
        number = self._batches
        self._batches += 1
        if isinstance(request, Rows):
            return self._evaluate(number, request.x, request, request.parents)
        recipe = Recipe(request.family, request.n, request.domain, self.streams, number)
        with self._clock():
            population = recipe.population(self.scorer.evaluator.side_by_side if self.setting.beside else map)
        return self._evaluate(number, population, request, recipe=recipe)

    def _evaluate(
        self,
        number: int,
        x: Array,
        request: Draw | Rows,
        parents: tuple[int, ...] = (),
        recipe: Recipe | None = None,
        again: bool = False,
    ) -> Batch:
        """Score the rows of `x`, shape ``(n, d)``, as far as the budget goes."""
        with self._clock():
            shown = x if again else self.setting.present(x)
        lookup = None if again else self.scorer.look_up(shown)
        admitted = self._admit(len(x), lookup, again)
        entry = self.scorer.entry(number, x, request.outputs)
        rows = x[:admitted]
        shown = rows if shown is x else shown[:admitted]
        scored = self.scorer.score(entry, rows, shown, number, recipe, lookup)
        batch = self._keep(scored, number, request, entry, parents)
        if (end := self._judge(scored, batch, admitted, len(x), drawn=recipe is not None)) is not None:
            raise end
        return batch

    def _admit(self, n: int, lookup: Lookup | None, again: bool) -> int:
        """Return how many of `n` rows may be scored; raise `Ended` where none may."""
        most = self.budget.max_evaluations
        if most is not None:
            left = most - self.nfev
            kept = self.setting.doubted and not again and lookup is None and self.nfev > 0
            if kept and (n > left or n <= FEW_ROWS):
                left = max(0, left - (2 if self.scorer.evaluator.objective.vectorized else 1))
            if lookup is None:
                n = min(n, left)
            elif len(lookup.new) > left:
                n = lookup.new[left]
            if self._served > MOST_REPEATED * most:
                raise Ended(
                    Status.EVALUATION_LIMIT,
                    f"{self._served} candidates were drawn, but only {self.nfev} different ones",
                )
        if n <= 0:
            raise Ended(Status.EVALUATION_LIMIT, self._spent)
        if self.elapsed >= self.budget.seconds:
            raise Ended(Status.TIME_LIMIT, self._over)
        return n

    def _keep(
        self, scored: Scored, number: int, request: Draw | Rows, entry: Entry, parents: tuple[int, ...]
    ) -> Batch:
        """Count a scored batch, remember the best candidate, and let the batch be improved."""
        x, shown, values, residuals = scored.x, scored.shown, scored.values, entry.residuals
        setting = self.setting
        constraints, excess, margins = setting.constraints, None, None
        if request.outputs and setting.combine is not None:
            values, margins = setting.combine(values)
        if constraints is not None and residuals is not None:
            excess = constraints.excess(residuals)
        called = scored.called
        self.nfev += len(values) if called is None else int(np.count_nonzero(called))
        self._served += len(x)
        if request.outputs != 0:
            self._values.append(values)
        self._note_nan(count_nan(values, called, excess))
        scores = self.sign * values
        self.best.consider(shown, scores, residuals, excess)
        evaluated = shown, values
        if called is not None:
            evaluated = shown[called], values[called]
        whole = scored.complete
        if setting.improve is not None and len(x):
            if entry.improved is None:
                entry.improved, in_time = self.scorer.improve(shown, values, number, request.effort, parents)
                whole = whole and in_time
            x, values, extra = entry.improved
            self.nfev += extra
            shown, scores = setting.present(x), self.sign * values
            self.best.consider(shown, scores, residuals, excess)
            evaluated = shown, values
        if self.watched and len(evaluated[1]) and request.outputs != 0:
            self._evaluated.append(evaluated)
        if not whole:
            entry.residuals = entry.improved = None
        if not self.replaying:
            self.scorer.save(entry)

        def stream() -> np.random.Generator:
            return self.streams.generator(Purpose.UPDATE, number)

        return Batch(x, scores, stream, residuals, excess, shown, margins)

    def _note_nan(self, count: int) -> None:
        if count and not self.nan_count and not self.replaying:
            log.warning("%d of the first %d scores are NaN; they rank last", count, self.nfev)
        self.nan_count += count

    def _judge(self, scored: Scored, batch: Batch, admitted: int, wanted: int, drawn: bool) -> Ended | None:
        """Return why the run ends with this batch, or None."""
        if scored.failure is not None:
            return failed(scored.failure, batch)
        if scored.interrupted:
            return Ended(Status.INTERRUPTED, "interrupted by the user", batch)
        if drawn and len(scored.x) and not self.best.seen:
            return nothing_finite(batch)
        if self._reached(self.budget.target):
            return Ended(Status.TARGET_REACHED, f"the target {self.budget.target} is reached", batch)
        if self._reached(self.setting.optimum):
            return Ended(Status.CONVERGED, "the known optimum is reached", batch)
        if self.scorer.memo is not None and self.scorer.memo.exhausted:
            return seen_whole(self.nfev, self.budget.target, batch, found=self.best.x is not None)
        if len(scored.x) < admitted:
            return Ended(Status.TIME_LIMIT, self._over, batch)
        if admitted < wanted:
            return Ended(Status.EVALUATION_LIMIT, self._spent, batch)
        return None

    def _reached(self, value: float | None) -> bool:
        """Whether a feasible candidate is at least as good as `value`, in the user's sign."""
        return value is not None and self.best.feasible and self.best.score >= self.sign * value

    @property
    def _spent(self) -> str:
        return f"max_evaluations ({self.budget.max_evaluations}) is spent"

    @property
    def _over(self) -> str:
        return f"max_time ({self.budget.max_time} s) is over"

    def _record(self, step: Step) -> None:
        state, entropy = step.state, np.nan
        if state is not None:
            self.state, self._fitted = state, step.fitted
        if step.fitted is not None and self.budget.max_time is not None:
            with self._clock():  # a fit when the time is over would come late
                step.fitted()
        elif step.fitted is None and state is not None:
            entropy = float(state.family.entropy())
        values = self._values[0] if len(self._values) == 1 else np.concatenate([np.empty(0), *self._values])
        ranked = self.best.feasible or self.setting.constraints is None
        describe, x = self.setting.describe, self.best.x
        self._row = row = Row(
            stage=step.stage,
            level=self.sign * state.level if state else np.nan,
            best=self.sign * self.best.score if ranked else np.nan,
            mean=summary(values)[0],
            elites=state.elites if state else 0,
            entropy=entropy,
            nfev=self.nfev,
            nan_count=self.nan_count - self._nan_before,
            seconds=self.elapsed,
            note=step.note,
            **step.interim._asdict(),
        )
        candidate = None if describe is None else {} if x is None else describe(x)
        self.history.append(row, candidate, step.fitted)
        self._values, self._nan_before, self._awaiting = [], self.nan_count, step.awaiting
        if self.replaying:
            self._evaluated = []
        else:
            if log.isEnabledFor(logging.INFO):
                log.info("%s", row.said(len(self.history)))
            if self._show():
                raise Ended(Status.CALLBACK, "the callback asked to stop")
        if self.budget.max_iterations is not None and len(self.history) >= self.budget.max_iterations:
            raise Ended(Status.ITERATION_LIMIT, f"max_iterations ({self.budget.max_iterations}) is reached")

    def _show(self) -> bool:
        """Let the user see what was evaluated since the last time; return whether to stop."""
        if self.notify is None:
            return False
        rows, scores = [x for x, _ in self._evaluated], [values for _, values in self._evaluated]
        self._evaluated = []
        population = np.concatenate(rows) if rows else np.empty((0, dimension(self.setting.start)))
        population.flags.writeable = False
        values = np.concatenate([np.empty(0), *scores])
        level, best = (self._row.level, self._row.best) if self._row else (np.nan, np.nan)
        return self.notify(
            Progress(self.state, widen(population), values, self.nfev, level, best, self._awaiting)
        )
