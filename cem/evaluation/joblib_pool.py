"""Workers that joblib keeps, and all that is known here of joblib's insides, one function each."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import joblib
from joblib._parallel_backends import LokyBackend, ParallelBackendBase
from joblib.externals.loky.backend import get_context
from joblib.externals.loky.cloudpickle_wrapper import dumps

from cem.evaluation.chunks import Chunks
from cem.evaluation.objective import Failure, Objective, score_chunk
from cem.families.base import Array, Floats

CANNOT_BE_SENT = (
    "the objective (or its args) cannot be sent to another process: {}. Define it at module level and keep "
    'locks, files and connections out of it, or use threads: with joblib.parallel_config("threading").'
)


def configured_backend(n_jobs: int | None) -> ParallelBackendBase:
    """Return the backend that ``joblib.parallel_config`` chooses for `n_jobs`."""
    return joblib.Parallel(n_jobs=n_jobs)._backend


def is_default(backend: ParallelBackendBase) -> bool:
    """Whether a backend is loky, in whose place the package has worker processes of its own."""
    return isinstance(backend, LokyBackend)


def inner_threads(backend: ParallelBackendBase) -> int | None:
    """Return how many threads ``parallel_config(inner_max_num_threads=...)`` grants a worker, if it does."""
    threads: int | None = getattr(backend, "inner_max_num_threads", None)
    return threads


def start_process(target: Callable[..., None], args: tuple[Any, ...], env: Mapping[str, str]) -> Any:
    """Start a process of loky's, which imports no ``__main__`` and sees `env`; return it."""
    process = get_context("loky").Process(target=target, args=args, env=dict(env))
    process.start()
    return process


def pickle_by_value(value: Any, buffers: Callable[[pickle.PickleBuffer], Any]) -> bytes:
    """Pickle with cloudpickle, which takes lambdas and ``__main__``; large arrays go to `buffers`."""
    data: bytes = dumps(value, protocol=5, buffer_callback=buffers)
    return data


class Arrival(NamedTuple):
    """Scores of the rows from `first` on, what failed at the next one, and the seconds that all that took."""

    first: int
    values: Floats
    failure: Failure | None
    seconds: float


class JoblibPool:
    """One `joblib.Parallel` that stays open."""

    def __init__(self, objective: Objective, n_jobs: int | None) -> None:
        self._objective, self._n_jobs = objective, n_jobs
        self._parallel: joblib.Parallel | None = None
        self._exit = ExitStack()

    def results(
        self, chunks: Chunks, x: Array, batch: int, deadline: float, shape: tuple[int, ...] = ()
    ) -> Generator[Arrival | None, None, None]:
        """Score the rows of `chunks`, in any order; `shape` is that of a row's score."""
        tasks = (
            joblib.delayed(score_chunk)(
                self._objective, x[part], batch, part.start, deadline - time.monotonic(), shape
            )
            for part in chunks
        )
        if self._parallel is None:
            self._parallel = self._exit.enter_context(_open(self._n_jobs))
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*tasks.*", UserWarning)  # of an early end
                answer: Any = self._parallel(tasks)
                if isinstance(answer, list):
                    yield from (Arrival(*each) for each in answer)
                else:
                    with closing(answer):
                        yield from (Arrival(*each) for each in answer)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            if "pickle" not in repr(error).lower():
                raise
            raise TypeError(CANNOT_BE_SENT.format(error)) from error

    def close(self) -> None:
        """Let the workers go."""
        self._exit.close()


def _open(n_jobs: int | None) -> joblib.Parallel:
    options = {"n_jobs": n_jobs, "batch_size": 1}
    try:
        return joblib.Parallel(return_as="generator_unordered", **options)
    except ValueError:  # a backend that gives its results back only all together
        return joblib.Parallel(**options)
