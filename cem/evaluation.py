"""Scoring candidates: one by one, vectorised, or in parallel. The only module that knows joblib."""

from __future__ import annotations

import pickle
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray

from cem.families.base import Array
from cem.streams import Purpose, Streams

VECTORISED_NUMBERS = 2**18
CHUNKS_PER_WORKER = 8


def widen(x: Array) -> Array:
    """Give integer candidates as read-only int64, so that arithmetic on them does not wrap."""
    if x.dtype.kind in "iub" and x.dtype != np.int64:
        x = x.astype(np.int64)
        x.flags.writeable = False
    return x


class Failure(NamedTuple):
    """An evaluation that went wrong: what was called, with what, and whether the objective itself raised."""

    candidate: Array
    error: Exception | KeyboardInterrupt
    raised: bool


@dataclass(frozen=True, eq=False)
class Objective:
    """A user's function and how it wants to be called.

    Attributes
    ----------
    fun : callable
        ``fun(x, *args)``; vectorised ``fun(X, *args)``; with `pass_rng` a generator comes second.
    streams : Streams
        Where each candidate's generator comes from.
    compact : bool
        Whether integer candidates may be handed over in a small dtype.
    """

    fun: Callable[..., Any]
    streams: Streams
    args: tuple[Any, ...] = ()
    vectorized: bool = False
    pass_rng: bool = False
    compact: bool = False

    def score(
        self, x: Array, batch: int, first: int, out: Array, deadline: float
    ) -> tuple[int, Failure | None]:
        """Score the rows of `x` into `out` until `deadline`; tell how many were done, and what failed.

        `batch` and `first` (the number of the first row in its batch) name the candidates' streams.
        """
        x = x if self.compact else widen(x)
        x.flags.writeable = False
        if self.vectorized:
            return self._score_together(x, batch, first, out)
        for i, row in enumerate(x):
            extra = (self._generator(batch, first + i),) if self.pass_rng else ()
            try:
                value = self.fun(row, *extra, *self.args)
            except (Exception, KeyboardInterrupt) as error:
                return i, Failure(row, error, raised=True)
            try:
                out[i] = value if type(value) is float else as_score(value)
            except (TypeError, ValueError) as error:
                return i, Failure(row, error, raised=False)
            if time.monotonic() >= deadline:
                return i + 1, None
        return len(x), None

    def _score_together(self, x: Array, batch: int, first: int, out: Array) -> tuple[int, Failure | None]:
        extra = (self._generator(batch, first),) if self.pass_rng else ()
        try:
            values = self.fun(x, *extra, *self.args)
        except (Exception, KeyboardInterrupt) as error:
            return 0, Failure(x, error, raised=True)
        try:
            out[:] = as_scores(values, len(x), x.shape[1])
        except (TypeError, ValueError) as error:
            return 0, Failure(x, error, raised=False)
        return len(x), None

    def _generator(self, batch: int, row: int) -> np.random.Generator:
        return self.streams.generator(Purpose.OBJECTIVE, batch, row)


def checked_args(args: Any) -> tuple[Any, ...]:
    """Check the further arguments of a function.

    Raises
    ------
    TypeError
        If they are not a tuple (or list).
    """
    if not isinstance(args, tuple | list):
        raise TypeError(f"args must be a tuple of further arguments, like args=(3,); got {args!r}.")
    return tuple(args)


def as_score(value: Any) -> float:
    """Read one score as the objective returned it.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is an array of several.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiubO" or value is None:
        hint = " (is a return missing?)" if value is None else ""
        raise TypeError(f"the objective must return a real number, got {value!r}{hint}.")
    if array.size != 1:
        raise ValueError(
            f"the objective must return one number for one candidate, got an array of shape {array.shape}; "
            "if it scores many rows at once, say vectorized=True."
        )
    try:
        return float(array.reshape(())[()])
    except (TypeError, ValueError):
        raise TypeError(f"the objective must return a real number, got {value!r}.") from None


def as_scores(values: Any, n: int, d: int) -> NDArray[np.float64]:
    """Read the scores of `n` rows as a vectorised objective returned them.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If their shape is not ``(n,)``.
    """
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(
            f"a vectorized objective gets X of shape (n, d) = ({n}, {d}), one candidate a row (scipy passes "
            f"the transpose), and must return n scores, shape ({n},); got shape {array.shape}."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(f"a vectorized objective must return real numbers, got dtype {array.dtype}.")
    return array.astype(np.float64)


class Evaluator:
    """Scores batches of rows, serially or over one joblib pool that stays open; a context manager.

    Parameters
    ----------
    objective : Objective
    n_jobs : int or None
        1 is serial; None inherits ``joblib.parallel_config``; otherwise as in joblib.
    """

    def __init__(self, objective: Objective, n_jobs: int | None = None) -> None:
        if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
            raise TypeError(f"n_jobs must be a whole number or None, got {n_jobs!r}.")
        self.objective = objective
        self._n_jobs = n_jobs
        self._workers = 1 if n_jobs == 1 else joblib.effective_n_jobs(n_jobs)
        self._pool: joblib.Parallel | None = None
        self._exit = ExitStack()

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *exc: object) -> None:
        self._exit.close()

    def score(
        self, x: Array, batch: int, out: NDArray[np.float64], deadline: float = np.inf
    ) -> Iterator[tuple[int, Failure | None]]:
        """Score the rows of `x` into `out`, chunk by chunk; yield how many of the first rows are done.

        The rows done are always the first ones. It ends early at `deadline` (``time.monotonic``) or
        after a failure.
        """
        rows = self._chunk_rows(*x.shape)
        starts = range(0, len(x), rows)
        if self._workers == 1 or (len(starts) == 1 and self.objective.vectorized):
            for first in starts:
                part = slice(first, first + rows)
                done, failure = self.objective.score(x[part], batch, first, out[part], deadline)
                yield first + done, failure
                if failure or time.monotonic() >= deadline:
                    return
            return
        tasks = (
            joblib.delayed(_score_chunk)(
                self.objective, x[first : first + rows], batch, first, deadline - time.monotonic()
            )
            for first in starts
        )
        first = 0
        with closing(self._dispatch(tasks)) as results:
            for values, failure in results:
                out[first : first + len(values)] = values
                first += len(values)
                yield first, failure
                if failure or time.monotonic() >= deadline or first % rows:
                    return

    def _chunk_rows(self, n: int, d: int) -> int:
        if self.objective.vectorized:
            return max(1, VECTORISED_NUMBERS // d)
        return n if self._workers == 1 else max(1, -(-n // (self._workers * CHUNKS_PER_WORKER)))

    def _dispatch(
        self, tasks: Iterable[Any]
    ) -> Generator[tuple[NDArray[np.float64], Failure | None], None, None]:
        if self._pool is None:
            self._pool = self._exit.enter_context(_open_pool(self._n_jobs))
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*tasks.*", UserWarning)  # of an early end
                yield from self._pool(tasks)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            if "pickle" not in repr(error).lower():
                raise
            raise TypeError(
                "the objective (or its args) cannot be sent to another process: "
                f"{error}. Define it at module level and keep locks, files and connections out of it, or "
                'use threads: with joblib.parallel_config("threading").'
            ) from error


def _open_pool(n_jobs: int | None) -> joblib.Parallel:
    try:
        return joblib.Parallel(n_jobs=n_jobs, return_as="generator")
    except ValueError:  # a backend that gives its results back only all together
        return joblib.Parallel(n_jobs=n_jobs)


def _score_chunk(
    objective: Objective, x: Array, batch: int, first: int, seconds: float
) -> tuple[NDArray[np.float64], Failure | None]:
    """Score one chunk in a worker; give the scores of the rows done."""
    out = np.empty(len(x))
    done, failure = objective.score(x, batch, first, out, time.monotonic() + seconds)
    return out[:done], failure and failure._replace(error=_portable(failure.error))


def _portable(error: Exception | KeyboardInterrupt) -> Exception | KeyboardInterrupt:
    """Give an exception that survives the way between processes, with its traceback as a note."""
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In the worker:\n{trace}")
    return error
