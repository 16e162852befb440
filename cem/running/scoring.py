"""Scoring a batch: from drawn rows to what the objective and the constraints say of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cem.checkpoint.entries import Entry
from cem.checkpoint.journal import Journal
from cem.core.constraints import Constraints
from cem.core.sampling import Recipe
from cem.core.streams import Purpose, Streams
from cem.evaluation import Evaluator, Failure, widen
from cem.families.base import Array, Family, Floats, Index, Mask, unmasked
from cem.running.memo import Lookup, Memo, Space

WIND_UP = 0.1  # of a time limit: how much longer constraints are asked about what was scored in time
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
    recombine : callable, optional
        The same of parents, for the batches that are meant to be that: it returns their children.
    pieces : int
        Into how many parts a batch is cut to be improved, side by side where there are workers.
    constraints : Constraints, optional
        Asked about every candidate after the objective.
    any_score : bool
        Whether infinitely bad scores are as good a beginning as any (they are for estimates).
    doubted : bool
        Whether a claim waits until the best candidate has been asked about again, in case there is noise.
    optimum : float, optional
        The best score there is, in the user's sign, where it is known.
    space : Space, optional
        The candidates that there are, where the objective always says the same of one and need not be asked
        again.
    describe : callable, optional
        From a row that the objective sees to the dict that the history keeps of it.
    combine : callable, optional
        Where the objective returns several numbers: from those of a batch, ``(n, k)``, to its scores ``(n,)``
        and what they were made of, ``(n, k)``.
    """

    start: Family
    maximize: bool
    present: Callable[[Array], Array] = lambda x: x
    improve: Improve | None = None
    recombine: Improve | None = None
    pieces: int = 1
    constraints: Constraints | None = None
    any_score: bool = False
    doubted: bool = False
    optimum: float | None = None
    space: Space | None = None
    describe: Callable[[Array], Mapping[str, Any]] | None = None
    combine: Callable[[Floats], tuple[Floats, Floats]] | None = None

    @property
    def beside(self) -> bool:
        """Whether threads of this process may draw, score and improve parts of a batch at the same time."""
        return self.improve is not None and self.pieces > 1


class Scored(NamedTuple):
    """A batch as far as it came.

    Attributes
    ----------
    x, shown : ndarray, shape (n, d)
        The rows that count, as drawn and as the objective sees them.
    values : ndarray, shape (n,) or (n, k)
        Their scores, in the user's sign.
    called : ndarray of bool, shape (n,), or None
        For which of them the objective was called; None where it was for all.
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
    called: Mask | None
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
    arrived : callable, optional
        Told how many of a batch's evaluations have come, each time that some have.
    """

    evaluator: Evaluator
    streams: Streams
    setting: Setting
    seconds: float = np.inf
    journal: Journal | None = None
    arrived: Callable[[int], None] | None = None
    memo: Memo | None = field(init=False)
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.memo = None if self.setting.space is None else Memo(self.setting.space)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, those before it was resumed among them."""
        return time.monotonic() - self._began

    def look_up(self, shown: Array) -> Lookup | None:
        """Return which rows are new; None where all of them are as good as new."""
        return None if self.memo is None else self.memo.look_up(shown)

    def score(
        self,
        entry: Entry,
        x: Array,
        shown: Array,
        number: int,
        recipe: Recipe | None = None,
        lookup: Lookup | None = None,
    ) -> Scored:
        """Score the rows that are not known yet, and ask the constraints about them."""
        n, values, done = len(x), entry.values, entry.done
        known = 0 if self.journal is None else np.count_nonzero(done)
        if len(done) > n:
            values, done = values[:n], done[:n]
        recipe = recipe if shown is x else None
        failure, interrupted = self._call(entry, shown, number, recipe, lookup)
        while failure is not None and self._infeasible(shown, failure, row := _first_unknown(done, lookup)):
            values[row], done[row] = np.nan, True
            failure, interrupted = self._call(entry, shown, number, recipe, lookup)
        called: Mask | None = None
        if self.memo is not None and lookup is not None:
            if not lookup.all_new:
                called = np.zeros(n, dtype=np.bool_)
                called[lookup.new_below(n)] = True
            self.memo.fill(lookup, values, done)
        if failure is not None:
            done = np.logical_and.accumulate(done)
        if np.count_nonzero(done) < n:
            mapped = shown is not x
            x, values = _selected(x, done), _selected(values, done)
            shown = _selected(shown, done) if mapped else x
            called = None if called is None else _selected(called, done)
        if len(x) != known:
            entry.residuals = entry.improved = None
        broken, whole, constraints = None, True, self.setting.constraints
        if constraints is not None and not (constraints.known and entry.residuals is not None):
            deadline = self._began + (1 + WIND_UP) * self.seconds
            entry.residuals, broken = _residuals(constraints, shown, deadline)
            asked = len(entry.residuals)
            whole = asked == len(x)
            x, shown, values = x[:asked], shown[:asked], values[:asked]
            called = None if called is None else called[:asked]
        return Scored(x, shown, values, called, broken or failure, interrupted, whole)

    def _call(
        self, entry: Entry, shown: Array, number: int, recipe: Recipe | None, lookup: Lookup | None
    ) -> tuple[Failure | None, bool]:
        """Call the objective; return what failed, and whether Ctrl-C ended it."""
        n, deadline, failure = len(shown), self._began + self.seconds, None
        if time.monotonic() >= deadline:
            return None, False
        values, done, rows = entry.values, entry.done, None
        if len(done) > n:
            values, done = values[:n], done[:n]
        if lookup is not None:
            recipe = None
            if not lookup.all_new:
                rows = lookup.new_below(n)
                shown, values, done = shown[rows], values[rows], done[rows]
            if (rows is not None or self.journal is not None) and done.all():
                return None, False
        try:
            beside = self.setting.beside
            for came in self.evaluator.score(shown, number, values, done, deadline, recipe, beside):
                failure = came
                if rows is not None:
                    entry.values[rows], entry.done[rows] = values, done
                self.save(entry)
                if self.arrived is not None:
                    self.arrived(int(np.count_nonzero(done)))
        except KeyboardInterrupt:
            return failure, True
        finally:
            if rows is not None:
                entry.values[rows], entry.done[rows] = values, done
        return failure, False

    def _infeasible(self, shown: Array, failure: Failure, row: int) -> bool:
        """Whether the objective raised at a candidate outside the feasible set, which says nothing of it."""
        constraints = self.setting.constraints
        if constraints is None or self.evaluator.objective.vectorized or not failure.raised:
            return False
        if isinstance(failure.error, KeyboardInterrupt) or not np.array_equal(failure.candidate, shown[row]):
            return False
        residuals, broken = _residuals(constraints, shown[row : row + 1])
        return broken is None and bool(constraints.excess(residuals)[0] > 0)

    def entry(self, number: int, x: Array, outputs: int | None = None) -> Entry:
        """Return where the scores of a batch go, and what is known of them already."""
        if self.journal is None:
            return Entry.empty(len(x), outputs=outputs)
        entry = self.journal.entry(number, x, outputs)
        self.journal.verify(number, entry, lambda rows: self._again(x, rows, number, entry.values.shape))
        self._began = min(self._began, time.monotonic() - entry.elapsed)
        return entry

    def _again(
        self, x: Array, rows: Index, number: int, shape: tuple[int, ...]
    ) -> tuple[Floats, Floats | None]:
        """Score some rows of a batch that were scored before; return what the constraints say of them too."""
        shown, values, done = (
            self.setting.present(x),
            np.full(shape, np.nan),
            np.ones(len(x), dtype=np.bool_),
        )
        done[rows] = False
        if self.evaluator.objective.vectorized:  # which knows no single rows
            shown, values, done = shown[rows], values[rows], done[rows]
        while not done.all():
            for failure in self.evaluator.score(shown, number, values, done):
                if failure is None:
                    continue
                row = int(done.argmin())
                if not self._infeasible(shown, failure, row):
                    raise ValueError(f"a kept candidate cannot be evaluated any more: {failure.error!r}")
                done[row] = True
        constraints = self.setting.constraints
        looked = self.setting.present(x)[rows]
        residuals = None if constraints is None else _residuals(constraints, looked)[0]
        return values if self.evaluator.objective.vectorized else values[rows], residuals

    def save(self, entry: Entry) -> None:
        """Keep what is known of a batch."""
        if self.journal is not None:
            entry.elapsed = self.elapsed
            self.journal.save()

    def improve(
        self, shown: Array, values: Floats, number: int, effort: int, parents: tuple[int, ...] = ()
    ) -> tuple[tuple[Array, Floats, int], bool]:
        """Let a scored batch be improved; return its rows, their scores and the evaluations that took.

        The pieces and their streams are the same for every number of workers. Pieces that are begun when the
        time is over stay as they are; whether none was comes last.
        """
        improve = self.setting.recombine if parents else self.setting.improve
        rows = np.array(shown if self.evaluator.objective.compact else widen(shown))
        pieces, late = _cut(len(rows), parents, self.setting.pieces), list[int]()

        def improved(piece: int) -> tuple[Array, Floats, int]:
            part, key = pieces[piece], (number, piece) if len(pieces) > 1 else (number,)
            if self.elapsed >= self.seconds:
                late.append(piece)
                return rows[part], values[part], 0
            rng = self.streams.generator(Purpose.IMPROVE, *key)
            better, scores, extra = improve(rows[part], values[part].copy(), rng, effort)  # type: ignore[misc]
            better, scores = np.asarray(better), unmasked(scores).astype(np.float64)
            if better.shape[1:] != shown.shape[1:] or scores.shape != (len(better),):
                name = "recombine" if parents else "improve"
                raise ValueError(
                    f"{name} must return (X, scores, extra_evaluations) with X of shape "
                    f"(n, {shown.shape[1]}) and n scores; got shapes {better.shape} and {scores.shape}."
                )
            return better, scores, int(extra)

        results = self.evaluator.side_by_side(improved, range(len(pieces)))
        better = np.concatenate([x for x, _, _ in results]) if len(results) > 1 else results[0][0]
        better.flags.writeable = False
        scores = np.concatenate([s for _, s, _ in results])
        return (better, scores, sum(extra for _, _, extra in results)), not late


def _cut(n: int, parents: tuple[int, ...], pieces: int) -> list[slice]:
    """Return the parts of `n` rows that are improved by themselves."""
    if parents:
        ends = [min(n, end) for end in np.cumsum(parents).tolist()]
    else:
        pieces = max(1, min(pieces, n))
        ends = [n * (i + 1) // pieces for i in range(pieces)]
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True) if b > a]


def _residuals(
    constraints: Constraints, shown: Array, deadline: float = np.inf
) -> tuple[Floats, Failure | None]:
    """Ask the constraints about rows; return the residuals of those before the first failure, and that.

    At `deadline` (``time.monotonic``) it ends too, though not before the first row.
    """
    rows: list[Floats] = []
    failure = None
    for row in widen(shown):
        if rows and time.monotonic() >= deadline:
            break
        try:
            rows.append(constraints.residuals(row[None])[0])
        except Exception as error:
            failure = Failure(row, error, raised=True)
            break
    return np.array(rows).reshape(len(rows), constraints.equality.size), failure


def _first_unknown(done: Mask, lookup: Lookup | None) -> int:
    """Return the first row that the objective was to be asked about and has not been scored."""
    if lookup is None:
        return int(done.argmin())
    new = lookup.new_below(len(done))
    return int(new[done[new].argmin()])


def count_nan(values: Floats, called: Mask | None, excess: Floats | None) -> int:
    """Return how many scores are NaN, but where a candidate is infeasible: there they mean nothing."""
    wrong = np.isnan(values)
    if not np.count_nonzero(wrong):
        return 0
    if called is not None:
        wrong &= called
    if excess is not None:
        wrong &= ~(excess > 0)
    return int(wrong.sum())


def _selected(rows: Array, done: Mask) -> Array:
    """Return the rows that are done, without a copy where all of the first ones are."""
    count = int(done.sum())
    if done[:count].all():
        return rows[:count]
    rows = rows[done]
    rows.flags.writeable = False
    return rows
