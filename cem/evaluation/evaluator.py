"""Scoring batches: here, or over a pool of workers that stays open for the whole run."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from numbers import Integral
from typing import TypeVar

import joblib
import numpy as np

from cem.core.budget import real_number
from cem.core.sampling import Recipe
from cem.evaluation.chunks import SLICE, Chunks, Pace, Parts, fixed_parts, unknown_runs
from cem.evaluation.joblib_pool import Arrival, JoblibPool, configured_backend, inner_threads, is_default
from cem.evaluation.objective import Failure, Objective
from cem.evaluation.process_pool import ProcessPool
from cem.evaluation.transport import choose_source
from cem.families.base import Array, Floats, Mask

VECTORISED_NUMBERS = 2**18
T = TypeVar("T")
S = TypeVar("S")
LEAST_BY_JOBLIB = 0.02  # seconds of work below which a task of joblib's is not worth its dispatch


class Evaluator:
    """Scores batches of rows, serially or over one pool that stays open; a context manager.

    `processes` are the worker processes, where there are any.

    Parameters
    ----------
    objective : Objective
    n_jobs : int or None
        1 is serial; None inherits ``joblib.parallel_config``; otherwise as in joblib. Where joblib would use
        its default backend (loky), the processes are this package's own.
    timeout : float, optional
        Seconds that one evaluation may take; then it is ended, which takes a process.
    """

    def __init__(self, objective: Objective, n_jobs: int | None = None, timeout: float | None = None) -> None:
        if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral)):
            raise TypeError(f"n_jobs must be a whole number or None, got {n_jobs!r}.")
        if n_jobs == 0:
            raise ValueError("n_jobs must be 1 or more, or -1 for all cores, got 0.")
        if timeout is not None and not real_number("evaluation_timeout", timeout) > 0:
            raise ValueError(f"evaluation_timeout must be a positive number of seconds, got {timeout!r}.")
        self.objective = objective
        self.processes: ProcessPool | None = None
        self._joblib: JoblibPool | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._n_jobs, self._timeout = n_jobs, timeout
        self._workers = 1 if n_jobs == 1 else joblib.effective_n_jobs(n_jobs)
        self._backend = configured_backend(n_jobs)
        self._pace = Pace()
        if timeout is not None and not self._own_processes:
            raise ValueError(
                "evaluation_timeout needs worker processes that can be ended, but joblib is configured to "
                f"use {type(self._backend).__name__}; leave that out (or say n_jobs=1 for one process)."
            )

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *exc: object) -> None:
        for pool in (self.processes, self._joblib):
            if pool is not None:
                pool.close()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    @property
    def _own_processes(self) -> bool:
        return self._n_jobs == 1 or is_default(self._backend)

    def score(
        self,
        x: Array,
        batch: int,
        out: Floats,
        done: Mask,
        deadline: float = np.inf,
        recipe: Recipe | None = None,
        beside: bool = False,
    ) -> Iterator[Failure | None]:
        """Score the rows of `x` that are not `done` yet, in any order.

        It yields after every arrival, and at least every quarter of a second where evaluations are not
        slower than that one by one. It ends early at `deadline` (``time.monotonic``), when what is in flight
        has come, or after a failure, which is the first one in the order of the rows: all rows before it are
        done then.

        Parameters
        ----------
        x : ndarray, shape (n, d)
        batch : int
            Names the candidates' streams.
        out : ndarray, shape (n,) or (n, k)
            Where the scores go.
        done : ndarray of bool, shape (n,)
            Which rows are scored; the others' are set as they come. (Of a vectorised call that is done only
            in part, all rows are scored again.)
        deadline : float
        recipe : Recipe, optional
            How `x` was drawn: where it is large, workers draw their rows instead of being sent them.
        beside : bool
            Whether a vectorised function may be called by several threads of this process.
        """
        parts = unknown_runs(done)
        if self.objective.vectorized:
            parts = fixed_parts(done, max(1, VECTORISED_NUMBERS // x.shape[1]))
        in_one_call = self.objective.vectorized and len(parts) == 1
        if self._timeout is None and (self._workers == 1 or in_one_call):
            return self._score_here(x, batch, out, done, deadline, parts)
        if beside and self.objective.vectorized and self._timeout is None:
            return self._score_beside(x, batch, out, done, deadline, parts)
        return self._score_there(x, batch, out, done, deadline, parts, recipe)

    def side_by_side(self, function: Callable[[S], T], items: Iterable[S]) -> list[T]:
        """Apply a function that lets others run meanwhile: in as many threads as there are workers."""
        if self._workers == 1:
            return [function(item) for item in items]
        self._threads = self._threads or ThreadPoolExecutor(self._workers)
        return list(self._threads.map(function, items))

    def _score_here(
        self,
        x: Array,
        batch: int,
        out: Floats,
        done: Mask,
        deadline: float,
        parts: list[slice],
    ) -> Iterator[Failure | None]:
        for part in parts:
            first = part.start
            while first < part.stop:
                rest = slice(first, part.stop)
                until = min(deadline, time.monotonic() + SLICE)
                scored, failure = self.objective.score(x[rest], batch, first, out[rest], until)
                done[first : first + scored] = True
                first += scored
                yield failure
                if failure or time.monotonic() >= deadline:
                    return

    def _score_beside(
        self, x: Array, batch: int, out: Floats, done: Mask, deadline: float, parts: list[slice]
    ) -> Iterator[Failure | None]:
        def scored(part: slice) -> tuple[int, Failure | None]:
            return self.objective.score(x[part], batch, part.start, out[part], deadline)

        for part, (count, failure) in zip(parts, self.side_by_side(scored, parts), strict=True):
            done[part.start : part.start + count] = True
            yield failure
            if failure:
                return

    def _score_there(
        self,
        x: Array,
        batch: int,
        out: Floats,
        done: Mask,
        deadline: float,
        parts: list[slice],
        recipe: Recipe | None,
    ) -> Iterator[Failure | None]:
        own = self._own_processes
        if self.objective.vectorized:
            chunks: Chunks = Parts(parts)
        elif own:
            chunks = Chunks(parts, self._workers, self._pace)
        else:
            chunks = Chunks(parts, self._workers, self._pace, LEAST_BY_JOBLIB)
        end, first_failure = len(x), None
        with closing(self._results(chunks, x, batch, deadline, recipe, out.shape[1:])) as results:
            for arrival in results:
                if arrival is not None:
                    first, values, failure, seconds = arrival
                    stop = first + len(values)
                    out[first:stop] = values
                    done[first:stop] = True
                    self._pace.note(len(values), seconds)
                    if failure is not None and stop < end:
                        end, first_failure = stop, failure
                if first_failure is not None:
                    chunks.stop()
                    if done[:end].all():
                        yield first_failure
                        return
                if time.monotonic() >= deadline and done.any():
                    chunks.stop()
                yield None
        if first_failure is not None:
            yield first_failure

    def _results(
        self,
        chunks: Chunks,
        x: Array,
        batch: int,
        deadline: float,
        recipe: Recipe | None,
        shape: tuple[int, ...],
    ) -> Generator[Arrival | None, None, None]:
        if not self._own_processes:
            self._joblib = self._joblib or JoblibPool(self.objective, self._n_jobs)
            return self._joblib.results(chunks, x, batch, deadline, shape)
        if self.processes is None:
            threads = inner_threads(self._backend) or max(1, joblib.cpu_count() // self._workers)
            self.processes = ProcessPool(self.objective, self._workers, self._timeout, threads)
        source = choose_source(x, recipe, self.objective.vectorized)
        return self.processes.results(chunks, source, x, batch, deadline, shape)
