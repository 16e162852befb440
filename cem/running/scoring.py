"""Scoring a batch: from drawn rows to what the objective and the constraints say of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cem.checkpoint.entries import Entry
from cem.checkpoint.journal import Journal
from cem.core.constraints import Constraints
from cem.core.sampling import Recipe
from cem.core.streams import Purpose, Streams
from cem.evaluation import Evaluator, Failure, widen
from cem.families.base import Array, Family, Floats, Index, Mask

Improve = Callable[..., tuple[Array, Floats, int]]


@dataclass(frozen=True, eq=False)
class Setting:
    """What a run is about, besides its objective.

    Attributes
    ----------
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
    any_score : bool
        Whether infinitely bad scores are as good a beginning as any (they are for estimates).
    optimum : float, optional
        The best score there is, in the user's sign, where it is known.
    """

    start: Family
    maximize: bool
    present: Callable[[Array], Array] = lambda x: x
    improve: Improve | None = None
    constraints: Constraints | None = None
    any_score: bool = False
    optimum: float | None = None


class Scored(NamedTuple):
    """A batch as far as it came.

    Attributes
    ----------
    x, shown : ndarray, shape (n, d)
        The rows that count, as drawn and as the objective sees them.
    values : ndarray, shape (n,)
        Their scores, in the user's sign.
    failure : Failure or None
        What went wrong at the row behind them.
    interrupted : bool
        Whether Ctrl-C ended it.
    complete : bool
        Whether the constraints could be asked about every row that was scored.
    """

    x: Array
    shown: Array
    values: Floats
    failure: Failure | None
    interrupted: bool
    complete: bool


@dataclass
class Scorer:
    """Scores batches in the user's sign, and keeps the clock of a run that may be resumed.

    Attributes
    ----------
    evaluator : Evaluator
    streams : Streams
    setting : Setting
    seconds : float
        The run's time limit, infinite where there is none.
    journal : Journal, optional
        Keeps what is scored, and tells what was scored before.
    """

    evaluator: Evaluator
    streams: Streams
    setting: Setting
    seconds: float = np.inf
    journal: Journal | None = None
    _began: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, those before it was resumed among them."""
        return time.monotonic() - self._began

    def score(self, entry: Entry, x: Array, number: int, recipe: Recipe | None) -> Scored:
        """Score the rows that are not known yet, and ask the constraints about them."""
        known, shown = int(entry.done.sum()), self.setting.present(x)
        failure, interrupted = self._call(entry, shown, number, recipe if shown is x else None)
        values, done = entry.values[: len(x)], entry.done[: len(x)]
        counted = np.logical_and.accumulate(done) if failure is not None else done
        mapped = shown is not x
        x, values = _selected(x, counted), _selected(values, counted)
        shown = _selected(shown, counted) if mapped else x
        if len(x) != known:
            entry.residuals = entry.improved = None
        broken, constraints = None, self.setting.constraints
        if constraints is not None and not (constraints.known and entry.residuals is not None):
            entry.residuals, broken = _residuals(constraints, shown)
            asked = len(entry.residuals)
            x, shown, values = x[:asked], shown[:asked], values[:asked]
        return Scored(x, shown, values, broken or failure, interrupted, broken is None)

    def _call(
        self, entry: Entry, shown: Array, number: int, recipe: Recipe | None
    ) -> tuple[Failure | None, bool]:
        """Call the objective; return what failed, and whether Ctrl-C ended it."""
        n, deadline, failure = len(shown), self._began + self.seconds, None
        if time.monotonic() >= deadline:
            return None, False
        values, done = entry.values[:n], entry.done[:n]
        try:
            for came in self.evaluator.score(shown, number, values, done, deadline, recipe):
                failure = came
                self.save(entry)
        except KeyboardInterrupt:
            return failure, True
        return failure, False

    def entry(self, number: int, x: Array) -> Entry:
        """Return where the scores of a batch go, and what is known of them already."""
        if self.journal is None:
            return Entry.empty(len(x))
        entry = self.journal.entry(number, x)
        self.journal.verify(number, entry, lambda rows: self._again(x, rows, number))
        self._began = min(self._began, time.monotonic() - entry.elapsed)
        return entry

    def _again(self, x: Array, rows: Index, number: int) -> tuple[Floats, Floats | None]:
        """Score some rows of a batch that were scored before; return what the constraints say of them too."""
        shown, values, done = (
            self.setting.present(x),
            np.full(len(x), np.nan),
            np.ones(len(x), dtype=np.bool_),
        )
        done[rows] = False
        if self.evaluator.objective.vectorized:  # which knows no single rows
            shown, values, done = shown[rows], values[rows], done[rows]
        for failure in self.evaluator.score(shown, number, values, done):
            if failure is not None:
                raise ValueError(f"a kept candidate cannot be evaluated any more: {failure.error!r}")
        constraints = self.setting.constraints
        looked = self.setting.present(x)[rows]
        residuals = None if constraints is None else _residuals(constraints, looked)[0]
        return values if self.evaluator.objective.vectorized else values[rows], residuals

    def save(self, entry: Entry) -> None:
        """Keep what is known of a batch."""
        if self.journal is not None:
            entry.elapsed = self.elapsed
            self.journal.save()

    def improve(self, shown: Array, values: Floats, number: int, effort: int) -> tuple[Array, Floats, int]:
        """Let a scored batch be improved; return its rows, their scores and the evaluations that took."""
        rng = self.streams.generator(Purpose.IMPROVE, number)
        rows = np.array(shown if self.evaluator.objective.compact else widen(shown))
        better, scores, extra = self.setting.improve(rows, values.copy(), rng, effort)  # type: ignore[misc]
        better, scores = np.asarray(better), np.asarray(scores, dtype=np.float64)
        if better.shape[1:] != shown.shape[1:] or scores.shape != (len(better),):
            raise ValueError(
                "improve must return (X, scores, extra_evaluations) with X of shape "
                f"(n, {shown.shape[1]}) and n scores; got shapes {better.shape} and {scores.shape}."
            )
        better.flags.writeable = False
        return better, scores, int(extra)


def _residuals(constraints: Constraints, shown: Array) -> tuple[Floats, Failure | None]:
    """Ask the constraints about rows; return the residuals of those before the first failure, and that."""
    rows: list[Floats] = []
    failure = None
    for row in widen(shown):
        try:
            rows.append(constraints.residuals(row[None])[0])
        except Exception as error:
            failure = Failure(row, error, raised=True)
            break
    return np.array(rows).reshape(len(rows), constraints.equality.size), failure


def _selected(rows: Array, done: Mask) -> Array:
    """Return the rows that are done, without a copy where all of the first ones are."""
    count = int(done.sum())
    if done[:count].all():
        return rows[:count]
    rows = rows[done]
    rows.flags.writeable = False
    return rows
