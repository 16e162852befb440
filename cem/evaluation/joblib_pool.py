"""Workers that joblib keeps: threads, clusters, and whatever else is registered with it."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Generator
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray

from cem.evaluation.chunks import Chunks
from cem.evaluation.objective import Failure, Objective
from cem.evaluation.worker import score_chunk
from cem.families.base import Array

CANNOT_BE_SENT = (
    "the objective (or its args) cannot be sent to another process: {}. Define it at module level and keep "
    'locks, files and connections out of it, or use threads: with joblib.parallel_config("threading").'
)


class Arrival(NamedTuple):
    """Scores of the rows from `first` on, what failed at the next one, and the seconds that all that took."""

    first: int
    values: NDArray[np.float64]
    failure: Failure | None
    seconds: float


class JoblibPool:
    """One `joblib.Parallel` that stays open."""

    def __init__(self, objective: Objective, n_jobs: int | None) -> None:
        self._objective, self._n_jobs = objective, n_jobs
        self._parallel: joblib.Parallel | None = None
        self._exit = ExitStack()

    def results(
        self, chunks: Chunks, x: Array, batch: int, deadline: float
    ) -> Generator[Arrival | None, None, None]:
        """Score the rows of `chunks`, in any order."""
        tasks = (
            joblib.delayed(score_chunk)(
                self._objective, x[part], batch, part.start, deadline - time.monotonic()
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
