"""The one impure place: serves the requests of a stage, and alone knows budget, sign, clock and history."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cem.checkpoint.journal import Entry, Journal
from cem.core.budget import Budget
from cem.core.constraints import Constraints
from cem.core.ending import NoFiniteScoreError, Status
from cem.core.history import History, Row
from cem.core.loop import Batch, Ended, Request, Rows, State, Step, as_ended
from cem.core.sampling import Recipe
from cem.core.streams import Purpose, Streams
from cem.evaluation import Evaluator, Failure, widen
from cem.families.base import Array, Family
from cem.running.reporting import Progress

log = logging.getLogger("cem")
T = TypeVar("T")
Improve = Callable[..., tuple[Array, Array, int]]


class Served(NamedTuple, Generic[T]):
    """What a plan returned (None if it was cut short without a word) and what cut it short, if anything."""

    value: T | None
    ended: Ended | None


@dataclass
class Driver:
    """Serves one plan.

    Attributes
    ----------
    evaluator : Evaluator
        Scores rows in the user's sign.
    streams : Streams
        Every random stream of the run.
    budget : Budget
    start : Family
        The distribution before the first step.
    maximize : bool
        The user's sense; scores are maximised inside.
    present : callable
        From drawn rows to the rows that the objective sees.
    improve : callable, optional
        ``improve(X, scores, rng, effort) -> (X, scores, extra_evaluations)``, applied to every batch.
    constraints : Constraints, optional
        Asked about every candidate after the objective.
    notify : callable, optional
        Called with a `Progress` after every step; True stops.
    any_score : bool
        Whether infinitely bad scores are as good a beginning as any (they are for estimates).
    journal : Journal, optional
        Keeps what is scored, and tells what was scored before.
    """

    evaluator: Evaluator
    streams: Streams
    budget: Budget
    start: Family
    maximize: bool
    present: Callable[[Array], Array] = lambda x: x
    improve: Improve | None = None
    notify: Callable[[Progress], bool] | None = None
    constraints: Constraints | None = None
    any_score: bool = False
    journal: Journal | None = None

    history: History = field(default_factory=History)
    state: State = field(init=False)
    nfev: int = 0
    best_x: Array | None = None
    best_score: float = -np.inf
    best_excess: float = np.inf
    best_violation: float = np.inf
    feasible: bool = False
    _batches: int = 0
    _seen: bool = False
    _since: list[NDArray[np.float64]] = field(default_factory=list)
    _last: Batch | None = None
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.state = State(self.start)

    @property
    def sign(self) -> float:
        """The factor between the user's scores and the maximised ones: the only flip there is."""
        return 1.0 if self.maximize else -1.0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def serve(self, plan: Generator[Request, Batch, T]) -> Served[T]:
        """Serve `plan` to its end, or to the end of the budget."""
        orderly = False
        try:
            served = self._serve(plan)
            orderly = served.ended is None or served.ended.status is not Status.INTERRUPTED
            return served
        finally:
            if self.journal is not None:
                self.journal.close(orderly, self.elapsed)

    def _serve(self, plan: Generator[Request, Batch, T]) -> Served[T]:
        answer: Any = None
        while True:
            try:
                request = plan.send(answer)
            except StopIteration as finished:
                return Served(finished.value, None)
            except KeyboardInterrupt as interrupt:
                return Served(None, as_ended(interrupt))
            try:
                answer = self._answer(request)
            except (Ended, KeyboardInterrupt) as end:
                return self._wind_up(plan, as_ended(end))

    def _wind_up(self, plan: Generator[Request, Batch, T], ended: Ended) -> Served[T]:
        try:
            plan.throw(ended)
        except StopIteration as finished:
            return Served(finished.value, ended)
        except Ended:
            return Served(None, ended)
        plan.close()
        return Served(None, ended)

    def _answer(self, request: Request) -> Any:
        if isinstance(request, Step):
            return self._record(request)
        if isinstance(request, Rows):
            return self._evaluate(request.x, drawn=False)
        recipe = Recipe(request.family, request.n, request.domain, self.streams, self._batches)
        return self._evaluate(recipe.population(), request.effort, recipe=recipe)

    def _evaluate(self, x: Array, effort: int = 1, drawn: bool = True, recipe: Recipe | None = None) -> Batch:
        number = self._batches
        self._batches += 1
        n = len(x) if self.budget.max_evaluations is None else self.budget.max_evaluations - self.nfev
        n = min(n, len(x))
        if n <= 0:
            raise Ended(Status.EVALUATION_LIMIT, f"max_evaluations ({self.budget.max_evaluations}) is spent")
        if self.elapsed >= self.budget.seconds:
            raise Ended(Status.TIME_LIMIT, f"max_time ({self.budget.max_time} s) is over")

        entry = self._entry(number, x)
        known = int(entry.done.sum())
        failure, interrupted = self._score(entry, x[:n], number, recipe)
        values, done = entry.values[:n], entry.done[:n]
        counted = np.logical_and.accumulate(done) if failure is not None else done
        x_done, values = _selected(x[:n], counted), _selected(values, counted)
        if len(x_done) != known:
            entry.residuals = entry.improved = None
        broken = None
        if self.constraints is not None and not (self.constraints.known and entry.residuals is not None):
            entry.residuals, broken = self._residuals(x_done)
            asked = len(entry.residuals)
            failure, x_done, values = broken or failure, x_done[:asked], values[:asked]
        batch = self._keep(x_done, values, number, effort, entry)
        if broken is not None:
            entry.residuals = entry.improved = None

        if failure is not None:
            raise _failed(failure, batch)
        if interrupted:
            raise Ended(Status.INTERRUPTED, "interrupted by the user", batch)
        if drawn and len(x_done) and not self._seen:
            raise _nothing_finite(batch)
        if (
            self.budget.target is not None
            and self.feasible
            and self.best_score >= self.sign * self.budget.target
        ):
            raise Ended(Status.TARGET_REACHED, f"the target {self.budget.target} is reached", batch)
        if len(x_done) < n:
            raise Ended(Status.TIME_LIMIT, f"max_time ({self.budget.max_time} s) is over", batch)
        if n < len(x):
            message = f"max_evaluations ({self.budget.max_evaluations}) is spent"
            raise Ended(Status.EVALUATION_LIMIT, message, batch)
        return batch

    def _score(
        self, entry: Entry, x: Array, number: int, recipe: Recipe | None
    ) -> tuple[Failure | None, bool]:
        """Score the rows that are not known yet; tell what failed, and whether Ctrl-C ended it."""
        if self.elapsed >= self.budget.seconds:
            return None, False
        n, deadline, shown, failure = len(x), self._began + self.budget.seconds, self.present(x), None
        recipe = recipe if shown is x else None
        try:
            for came in self.evaluator.score(
                shown, number, entry.values[:n], entry.done[:n], deadline, recipe
            ):
                failure = came
                self._save(entry)
        except KeyboardInterrupt:
            return failure, True
        return failure, False

    def _entry(self, number: int, x: Array) -> Entry:
        """Give where the scores of a batch go, and what is known of them already."""
        if self.journal is None:
            return Entry.empty(len(x))
        entry = self.journal.entry(number, x)
        self._began = min(self._began, time.monotonic() - entry.elapsed)
        return entry

    def _save(self, entry: Entry) -> None:
        if self.journal is not None:
            entry.elapsed = self.elapsed
            self.journal.save()

    @property
    def replaying(self) -> bool:
        """Whether what happens had happened before the run was resumed."""
        return self.journal is not None and self.journal.replaying(self._batches)

    @property
    def remark(self) -> str:
        """What there is to say about the checkpoint, to be added to a message."""
        return "" if self.journal is None else self.journal.remark

    def _residuals(self, x: Array) -> tuple[NDArray[np.float64], Failure | None]:
        """Ask the constraints about rows; give the residuals of those before the first failure, and that."""
        constraints: Any = self.constraints
        rows: list[NDArray[np.float64]] = []
        failure = None
        for row in widen(self.present(x)):
            try:
                rows.append(constraints.residuals(row[None])[0])
            except Exception as error:
                failure = Failure(row, error, raised=True)
                break
        return np.array(rows).reshape(len(rows), constraints.equality.size), failure

    def _keep(
        self,
        x: Array,
        values: NDArray[np.float64],
        number: int,
        effort: int,
        entry: Entry,
    ) -> Batch:
        """Count a scored batch, remember the best candidate, and let the batch be improved."""
        residuals = entry.residuals
        self.nfev += len(x)
        self._since.append(values)
        excess = None if self.constraints is None or residuals is None else self.constraints.excess(residuals)
        self._remember(x, self.sign * values, residuals, excess)
        if self.improve is not None and len(x):
            if entry.improved is None:
                entry.improved = self._improved(x, values, number, effort)
            x, values, extra = entry.improved
            self.nfev += extra
            self._remember(x, self.sign * values, residuals, excess)
        if not self.replaying:
            self._save(entry)

        def stream() -> np.random.Generator:
            return self.streams.generator(Purpose.UPDATE, number)

        self._last = Batch(x, self.sign * values, stream, residuals, excess)
        return self._last

    def _remember(
        self,
        x: Array,
        scores: NDArray[np.float64],
        residuals: NDArray[np.float64] | None,
        excess: NDArray[np.float64] | None,
    ) -> None:
        """Note the best candidate: the least infeasible, then the best score."""
        if not len(scores):
            return
        worth = np.fmax(scores, -np.inf)
        if excess is None:
            top = int(worth.argmax())
            if not worth[top] > -np.inf:
                if not self.any_score or np.isnan(scores).all():
                    return
                top = int(np.isnan(scores).argmin())
        else:
            self._seen = self._seen or bool(np.isfinite(excess).any())
            ranks = ~np.isnan(scores) if self.any_score else scores > -np.inf
            ranks = (ranks | (excess > 0)) & np.isfinite(excess)
            ranks &= excess == excess[ranks].min(initial=np.inf)
            if not ranks.any():
                return
            top = int(np.nanargmax(np.where(ranks, worth, np.nan)))
        self._seen = True
        least = 0.0 if excess is None else float(excess[top])
        if self.best_x is None or (-least, scores[top]) > (-self.best_excess, self.best_score):
            self.best_score, self.best_excess = float(scores[top]), least
            self.best_x = np.array(self.present(x[top : top + 1])[0])
            self.feasible = True
            if self.constraints is not None and residuals is not None:
                self.feasible = self.constraints.met(residuals[top])
                self.best_violation = float(self.constraints.violations(residuals[top]).max(initial=0.0))

    def _improved(
        self, x: Array, values: NDArray[np.float64], number: int, effort: int
    ) -> tuple[Array, NDArray[np.float64], int]:
        rng = self.streams.generator(Purpose.IMPROVE, number)
        x = self.present(x)
        rows = np.array(x if self.evaluator.objective.compact else widen(x))
        better, scores, extra = self.improve(rows, values.copy(), rng, effort)  # type: ignore[misc]
        better, scores = np.asarray(better), np.asarray(scores, dtype=np.float64)
        if better.shape[1:] != x.shape[1:] or scores.shape != (len(better),):
            raise ValueError(
                f"improve must return (X, scores, extra_evaluations) with X of shape (n, {x.shape[1]}) and "
                f"n scores; got shapes {better.shape} and {scores.shape}."
            )
        better.flags.writeable = False
        return better, scores, int(extra)

    def _record(self, step: Step) -> None:
        state = step.state
        self.state = state or self.state
        values = self._since[0] if len(self._since) == 1 else np.concatenate([np.empty(0), *self._since])
        finite, nans = values, 0
        if not (usable := np.isfinite(values)).all():
            finite, nans = values[usable], int(np.isnan(values).sum())
        self.history.append(
            Row(
                stage=step.stage,
                level=self.sign * state.level if state else np.nan,
                best=self.sign * self.best_score if self.feasible or self.constraints is None else np.nan,
                mean=float(finite.mean()) if finite.size else np.nan,
                elites=state.elites if state else 0,
                entropy=float(state.family.entropy()) if state else np.nan,
                nfev=self.nfev,
                nan_count=nans,
                seconds=self.elapsed,
                note=step.note,
            )
        )
        self._since = []
        if not self.replaying:
            self._tell()
        if self.budget.max_iterations is not None and len(self.history) >= self.budget.max_iterations:
            raise Ended(Status.ITERATION_LIMIT, f"max_iterations ({self.budget.max_iterations}) is reached")

    def _tell(self) -> None:
        """Log the iteration, and let the user see it."""
        row = self.history[-1]
        log.info(
            "%s, iteration %d: level %.6g, best %.6g, %d evaluations",
            row.stage,
            len(self.history),
            row.level,
            row.best,
            row.nfev,
        )
        if row.nan_count:
            log.warning("%d scores of iteration %d are NaN", row.nan_count, len(self.history))
        if self.notify is not None and self._last is not None:
            population = widen(self.present(self._last.x))
            progress = Progress(self.state, population, self.sign * self._last.scores, row)
            if self.notify(progress):
                raise Ended(Status.CALLBACK, "the callback asked to stop")


def _selected(rows: Array, done: NDArray[np.bool_]) -> Array:
    """Give the rows that are done, without a copy where all of the first ones are."""
    count = int(done.sum())
    if done[:count].all():
        return rows[:count]
    rows = rows[done]
    rows.flags.writeable = False
    return rows


def _failed(failure: Failure, batch: Batch) -> Ended:
    if isinstance(failure.error, KeyboardInterrupt):
        return Ended(Status.INTERRUPTED, "interrupted by the user", batch)
    ended = Ended(Status.INTERRUPTED, "the objective failed", batch)
    ended.failure = failure
    return ended


def _nothing_finite(batch: Batch) -> Ended:
    message = (
        f"none of the first {len(batch.x)} candidates has a finite score (all NaN or infinitely bad); "
        "check the function at one candidate, and whether it is defined where the first ones are drawn."
    )
    return _failed(Failure(batch.x[0], NoFiniteScoreError(message, batch.x[0]), raised=False), batch)
