"""Scoring batches: serially, or over a pool of workers that stays open for the whole run."""

from __future__ import annotations

import pickle
import time
import traceback
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from numbers import Integral
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from cem.evaluation.objective import Failure, Objective
from cem.families.base import Array

VECTORISED_NUMBERS = 2**18
CHUNKS_PER_WORKER = 8
SLICE = 0.25  # seconds after which scores are shown at the latest


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
        self,
        x: Array,
        batch: int,
        out: NDArray[np.float64],
        done: NDArray[np.bool_],
        deadline: float = np.inf,
    ) -> Iterator[Failure | None]:
        """Score the rows of `x` that are not `done` yet, in any order.

        It yields after every arrival, and at least every quarter of a second where evaluations are not
        slower than that one by one. It ends early at `deadline` (``time.monotonic``) or after a failure,
        which is the first one in the order of the rows: all rows before it are done then.

        Parameters
        ----------
        x : ndarray, shape (n, d)
        batch : int
            Names the candidates' streams.
        out : ndarray, shape (n,)
            Where the scores go.
        done : ndarray of bool, shape (n,)
            Which rows are scored; the others' are set as they come. (Of a vectorised call that is done only
            in part, all rows are scored again.)
        deadline : float
        """
        parts = list(self._parts(done, *x.shape))
        if self._workers == 1 or (len(parts) == 1 and self.objective.vectorized):
            yield from self._score_here(x, batch, out, done, deadline, parts)
        else:
            yield from self._score_there(x, batch, out, done, deadline, parts)

    def _score_here(
        self,
        x: Array,
        batch: int,
        out: NDArray[np.float64],
        done: NDArray[np.bool_],
        deadline: float,
        parts: list[slice],
    ) -> Iterator[Failure | None]:
        for part in parts:
            first = part.start
            while first < part.stop:
                rest = slice(first, part.stop)
                now = time.monotonic()
                scored, failure = self.objective.score(
                    x[rest], batch, first, out[rest], min(deadline, now + SLICE)
                )
                done[first : first + scored] = True
                first += scored
                yield failure
                if failure or time.monotonic() >= deadline:
                    return

    def _score_there(
        self,
        x: Array,
        batch: int,
        out: NDArray[np.float64],
        done: NDArray[np.bool_],
        deadline: float,
        parts: list[slice],
    ) -> Iterator[Failure | None]:
        tasks = (
            joblib.delayed(_score_chunk)(
                self.objective, x[part], batch, part.start, deadline - time.monotonic()
            )
            for part in parts
        )
        with closing(self._dispatch(tasks)) as results:
            for part, (values, failure) in zip(parts, results, strict=False):
                end = part.start + len(values)
                out[part.start : end] = values
                done[part.start : end] = True
                yield failure
                if failure or time.monotonic() >= deadline or end < part.stop:
                    return

    def _parts(self, done: NDArray[np.bool_], n: int, d: int) -> Iterator[slice]:
        """Give the chunks to score: a vectorised objective's, of fixed size, or runs of unknown rows."""
        if self.objective.vectorized:
            rows = max(1, VECTORISED_NUMBERS // d)
            for first in range(0, n, rows):
                if not done[first : first + rows].all():
                    yield slice(first, min(first + rows, n))
            return
        rows = n if self._workers == 1 else max(1, -(-n // (self._workers * CHUNKS_PER_WORKER)))
        if not done.any():
            yield from (slice(first, min(first + rows, n)) for first in range(0, n, rows))
            return
        edges = np.flatnonzero(np.diff(done, prepend=True, append=True))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            for first in range(start, stop, rows):
                yield slice(first, min(first + rows, stop))

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
