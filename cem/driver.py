"""The one impure place: serves the requests of a stage, and alone knows budget, sign, clock and history."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cem.budget import Budget
from cem.constraints import Constraints
from cem.errors import NoFiniteScoreError, ObjectiveError
from cem.evaluation import Evaluator, Failure, widen
from cem.families.base import Array, Family
from cem.history import History, Row
from cem.loop import Batch, Ended, Request, Rows, Step, as_ended
from cem.sampling import draw
from cem.state import State
from cem.status import Status
from cem.streams import Purpose, Streams

T = TypeVar("T")
Improve = Callable[..., tuple[Array, Array, int]]


class Served(NamedTuple, Generic[T]):
    """What a plan returned (None if it was cut short without a word) and what cut it short, if anything."""

    value: T | None
    ended: Ended | None


class Progress(NamedTuple):
    """What a callback is told about."""

    state: State
    population: Array
    scores: NDArray[np.float64]


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
        number = self._batches

        def stream(block: int) -> np.random.Generator:
            return self.streams.generator(Purpose.SAMPLE, number, block)

        return self._evaluate(draw(request.family, request.n, stream, request.domain), request.effort)

    def _evaluate(self, x: Array, effort: int = 1, drawn: bool = True) -> Batch:
        number = self._batches
        self._batches += 1
        n = len(x) if self.budget.max_evaluations is None else self.budget.max_evaluations - self.nfev
        n = min(n, len(x))
        if n <= 0:
            raise Ended(Status.EVALUATION_LIMIT, f"max_evaluations ({self.budget.max_evaluations}) is spent")
        if self.elapsed >= self.budget.seconds:
            raise Ended(Status.TIME_LIMIT, f"max_time ({self.budget.max_time} s) is over")

        values = np.empty(n)
        done, failure, interrupted = 0, None, False
        try:
            deadline = self._began + self.budget.seconds
            for scored in self.evaluator.score(self.present(x[:n]), number, values, deadline):
                done, failure = scored
        except KeyboardInterrupt:
            interrupted = True
        residuals = None
        if self.constraints is not None:
            residuals, broken = self._residuals(x[:done])
            failure, done = broken or failure, len(residuals)
        batch = self._keep(x[:done], values[:done], number, effort, residuals)

        if failure is not None:
            raise _failed(failure, batch)
        if interrupted:
            raise Ended(Status.INTERRUPTED, "interrupted by the user", batch)
        if drawn and done and not self._seen:
            raise _nothing_finite(batch)
        if (
            self.budget.target is not None
            and self.feasible
            and self.best_score >= self.sign * self.budget.target
        ):
            raise Ended(Status.TARGET_REACHED, f"the target {self.budget.target} is reached", batch)
        if done < n:
            raise Ended(Status.TIME_LIMIT, f"max_time ({self.budget.max_time} s) is over", batch)
        if n < len(x):
            message = f"max_evaluations ({self.budget.max_evaluations}) is spent"
            raise Ended(Status.EVALUATION_LIMIT, message, batch)
        return batch

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
        residuals: NDArray[np.float64] | None,
    ) -> Batch:
        """Count a scored batch, remember the best candidate, and let the batch be improved."""
        self.nfev += len(x)
        self._since.append(values)
        excess = None if self.constraints is None or residuals is None else self.constraints.excess(residuals)
        self._remember(x, self.sign * values, residuals, excess)
        if self.improve is not None and len(x):
            x, values = self._improved(x, values, number, effort)
            self._remember(x, self.sign * values, residuals, excess)

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
    ) -> tuple[Array, NDArray[np.float64]]:
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
        self.nfev += int(extra)
        better.flags.writeable = False
        return better, scores

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
        if self.notify is not None and self._last is not None:
            population = widen(self.present(self._last.x))
            progress = Progress(self.state, population, self.sign * self._last.scores)
            if self.notify(progress):
                raise Ended(Status.CALLBACK, "the callback asked to stop")
        if self.budget.max_iterations is not None and len(self.history) >= self.budget.max_iterations:
            raise Ended(Status.ITERATION_LIMIT, f"max_iterations ({self.budget.max_iterations}) is reached")


def as_notifier(
    callback: Callable[..., Any] | None, report: Callable[[Progress], Any]
) -> Callable[[Progress], bool] | None:
    """Wrap a user's ``callback(intermediate_result)``: returning True or raising StopIteration stops.

    Raises
    ------
    TypeError
        If it is not callable.
    """
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}.")
    try:
        by_name = "intermediate_result" in inspect.signature(callback).parameters
    except (TypeError, ValueError):
        by_name = False

    def notify(progress: Progress) -> bool:
        result = report(progress)
        try:
            answer = callback(intermediate_result=result) if by_name else callback(result)
        except StopIteration:
            return True
        return answer is True or (isinstance(answer, np.bool_) and bool(answer))

    return notify


def raise_failure(ended: Ended | None, partial: Any) -> None:
    """Raise what went wrong in an evaluation, with the result so far; return where nothing did."""
    if ended is None or ended.failure is None:
        return
    candidate, error, raised = ended.failure
    if isinstance(error, NoFiniteScoreError):
        error.partial = partial
        raise error
    if not raised:
        raise error
    message = f"the objective raised {type(error).__name__}: {error}"
    raise ObjectiveError(message, candidate, partial) from error


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
