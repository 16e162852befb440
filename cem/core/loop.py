"""The loop itself: sample, score, keep the elite, refit. No clock, no budget, no objective in here.

A *stage* is a generator: it yields requests (`Draw`, `Rows`, `Step`) and is sent a `Batch` back for each
of the first two. `run` is the stage at the heart of the package; whoever serves it decides how
candidates are evaluated and when to give up.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from cem.core.domain import Domain
from cem.core.ending import Status
from cem.core.history import UNKNOWN, Interim
from cem.families.base import Array, Family, Floats


@dataclass(frozen=True, eq=False)
class State:
    """All that a run knows; every memory of an update lives here.

    Attributes
    ----------
    family : Family
        The distribution to sample next.
    iteration : int
        Number of refits so far.
    level, elite_best : float
        Worst and best score among the last elites (scores are maximised).
    elites : int
        Number of the last elites.
    best : float
        Best score among all batches.
    lowest : float
        Worst level among all iterations.
    quiet : int
        Iterations in a row that brought nothing new, as the stopping rule sees it.
    memory : mapping of str to ndarray
        What the update and the stopping rule remember besides.
    """

    family: Family
    iteration: int = 0
    level: float = np.nan
    elite_best: float = np.nan
    elites: int = 0
    best: float = -np.inf
    quiet: int = 0
    memory: Mapping[str, Array] = field(default_factory=dict)
    lowest: float = np.inf

    @property
    def climb(self) -> float:
        """The range of scores that the run has seen: from its worst level to its best score.

        Single bad scores, penalties of any size, are no part of it.
        """
        return self.best - self.lowest if -np.inf < self.lowest < self.best < np.inf else 0.0


@dataclass(frozen=True, eq=False)
class Batch:
    """Scored candidates: `x` of shape ``(n, d)``, read-only, and `scores` of shape ``(n,)``, maximised.

    `stream` makes the generator that an update may use at this batch. Where there are constraints, the
    `residuals` of shape ``(n, m)`` are what `Constraints` says of each row, and `excess` of
    shape ``(n,)`` is by how much a row is infeasible. The scores are raw all the same. `shown` are the rows
    as the objective sees them, of shape ``(n, k)``, read-only: `x` itself where nothing is mapped. Where the
    objective returns several numbers, `margins` of shape ``(n, m)`` are what the scores were made of.
    """

    x: Array
    scores: Floats
    stream: Callable[[], np.random.Generator]
    residuals: Floats | None = None
    excess: Floats | None = None
    shown: Array | None = None
    margins: Floats | None = None

    @cached_property
    def best(self) -> float:
        """The best score of a feasible row; -inf where there is none."""
        scores = self.scores if self.excess is None else self.scores[self.excess <= 0]
        return float(np.fmax.reduce(scores, initial=-np.inf))


@dataclass(frozen=True, eq=False)
class Draw:
    """Request: draw `n` candidates from `family`, inside `domain`, and score them.

    `effort` is how hard an improvement, where there is one, should try. `outputs`: see `Rows`.
    """

    family: Family
    n: int
    domain: Domain | None = None
    effort: int = 1
    outputs: int | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """Request: score these candidates, shape ``(n, d)``.

    An improvement, where there is one, is applied to them with `effort`. With `parents` it is the problem's
    recombination: the first ``parents[0]`` rows have children, the next ``parents[1]``, and so on. `outputs`
    is how many numbers the objective returns of a row, where it returns several; with 0 the score is that
    number itself.
    """

    x: Array
    effort: int = 1
    parents: tuple[int, ...] = ()
    outputs: int | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """Notice: an iteration of the stage named `stage` has ended.

    `state` is None where the stage moves no distribution; `note` says why a stage or a restart began, at its
    first iteration; `awaiting` returns in a few words what the run waits for, or an empty text; `interim` is
    what a measurement says so far; `fitted` makes the distribution that `state` only has room for, where
    that takes time and is left until somebody looks at it.
    """

    state: State | None
    stage: str = "sampling"
    note: str = ""
    awaiting: Callable[[], str] = str
    interim: Interim = UNKNOWN
    fitted: Callable[[], Family] | None = None


class Ended(Exception):  # noqa: N818 - an end, not an error
    """Thrown into a stage that asks for more than there is; it may return what it has, no more.

    `batch` is what was still scored of its last request.
    """

    def __init__(self, status: Status, message: str, batch: Batch | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.batch = batch
        self.failure: Any = None


def as_ended(end: Ended | KeyboardInterrupt) -> Ended:
    """Take a Ctrl-C for the end that it is."""
    return end if isinstance(end, Ended) else Ended(Status.INTERRUPTED, "interrupted by the user")


Request: TypeAlias = Draw | Rows | Step
T = TypeVar("T")


def awaiting_runs(
    stage: Generator[Request, Batch, T], agreed: int, runs: int, wanted: int | None
) -> Generator[Request, Batch, T]:
    """Pass the requests of a further run on; whose steps say that `agreed` of `runs` agree.

    `wanted` is how many must; None where that will not end it.
    """
    text = f"run {runs + 1}"
    if wanted is not None:
        text += f": {agreed} of {runs} runs agree, {wanted} must" if runs else f", {wanted} must agree"
    try:
        request = next(stage)
        while True:
            if isinstance(request, Step):
                request = replace(request, awaiting=lambda: text)
            try:
                batch = yield request
            except Ended as ended:
                request = stage.throw(ended)
            else:
                request = stage.send(batch)
    except StopIteration as finished:
        value: T = finished.value
        return value


class Update(Protocol):
    """How a batch moves the distribution: selection, refit and move. A frozen configuration."""

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch, or raise where the family does not suit."""

    def step(self, state: State, batch: Batch, /) -> State:
        """Learn from a batch."""


class Rule(Protocol):
    """When to stop: a pure predicate of a state, in which `note` keeps what it goes by."""

    def note(self, before: State, after: State, /) -> State:
        """Return `after` with its `quiet`, and whatever else the rule remembers, brought up to date."""

    def reason(self, state: State, /) -> str | None:
        """Return why the run should stop, or None."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a stage ended: its last state, and why."""

    state: State
    why: str


def advance(update: Update, state: State, batch: Batch, rule: Rule) -> State:
    """Make one iteration: let `update` learn, count, and let `rule` note what it goes by."""
    learned = update.step(state, batch)
    best = max(state.best, batch.best)
    lowest = min(state.lowest, learned.level) if learned.elites else state.lowest
    return rule.note(state, replace(learned, iteration=state.iteration + 1, best=best, lowest=lowest))


def run(
    update: Update,
    state: State,
    n: int,
    rule: Rule,
    domain: Domain | None = None,
    stage: str = "sampling",
    effort: int = 1,
) -> Generator[Request, Batch, Outcome]:
    """Iterate `update` from `state` with `n` candidates each, until there is nothing left to learn."""
    while not (why := rule.reason(state)):
        batch = yield Draw(state.family, n, domain, effort)
        state = advance(update, state, batch, rule)
        yield Step(state, stage)
    return Outcome(state, why)
