"""Worker processes of our own: each has one task at a time, so that a death is laid at the right door."""

from __future__ import annotations

import logging
import pickle
import time
from collections import deque
from collections.abc import Generator
from multiprocessing.connection import wait
from typing import Any, NamedTuple

import numpy as np

from cem.evaluation.chunks import SLICE, Chunks
from cem.evaluation.joblib_pool import CANNOT_BE_SENT, Arrival
from cem.evaluation.objective import Failure, Objective
from cem.evaluation.transport import Parcel, Source
from cem.evaluation.worker_process import Task, WorkerProcess, borrowed, given_back
from cem.families.base import Array

LOG = logging.getLogger("cem")
STILLBORN = 3
HOPELESS = 5


class Suspect(NamedTuple):
    """Rows that were in flight when their worker ended."""

    start: int
    stop: int
    alone: bool


class ProcessPool:
    """Processes that score rows and may die doing it.

    Rows in flight when a worker dies (or is ended because an evaluation takes more than `timeout` seconds)
    are scored again after all others, one by one; after a death, with nothing else in flight. A row that ends
    its worker a second time is scored as NaN. A call of a vectorised objective is made again as it was; if
    that fails too, in halves.

    Attributes
    ----------
    sent, received, mapped : int
        Bytes through the pipes to and from the workers, and through memory that all of them map.
    """

    def __init__(
        self, objective: Objective, workers: int, timeout: float | None = None, threads: int = 1
    ) -> None:
        self._objective, self._size, self._threads = objective, workers, threads
        self._timeout = np.inf if timeout is None else timeout
        self._workers: list[WorkerProcess] = []
        self._parcel: Parcel | None = None
        self._stillborn = self._lost = 0
        self._scored = False
        self.sent = self.received = self.mapped = 0

    def results(
        self,
        chunks: Chunks,
        source: Source,
        x: Array,
        batch: int,
        deadline: float,
        shape: tuple[int, ...] = (),
    ) -> Generator[Arrival | None, None, None]:
        """Score the rows of `chunks`, in any order; None where a quarter of a second brings nothing.

        `shape` is that of a row's score.
        """
        parcel = self._packed(source)
        self.mapped += parcel.mapped
        work = _Work(parcel, x, batch, deadline, shape)
        try:
            while True:
                self._hand_out(chunks, work)
                if not (chunks.left or work.suspects or any(worker.task for worker in self._workers)):
                    return
                arrivals = list(self._collect(work))
                yield from arrivals
                if not arrivals:
                    yield None
        except KeyboardInterrupt:
            yield from self._last_words()
            for worker in list(self._workers):  # one of them may have been sent half a message
                self._end(worker)
            raise
        finally:
            parcel.close()
            for worker in [each for each in self._workers if each.task]:
                self._end(worker)

    def close(self) -> None:
        """Let the workers go."""
        given_back(self._workers)
        self._workers = []

    def _packed(self, value: Any) -> Parcel:
        try:
            return Parcel.of(value)
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise TypeError(CANNOT_BE_SENT.format(error)) from error

    def _staff(self) -> None:
        """See to it that there are as many workers as there should be."""
        if self._parcel is None:
            self._parcel = self._packed(self._objective)
            self.mapped += self._parcel.mapped
        while len(self._workers) < self._size:
            worker = borrowed(self._threads)
            self._workers.append(worker)
            self.sent += worker.take(self._parcel)

    def _hand_out(self, chunks: Chunks, work: _Work) -> None:
        self._staff()
        for worker in self._workers:
            if worker.ready and worker.task is None:
                task = self._next_task(chunks, work)
                if task is None:
                    return
                self.sent += worker.give(
                    task, work.parcel, work.batch, work.deadline - time.monotonic(), work.shape
                )

    def _next_task(self, chunks: Chunks, work: _Work) -> Task | None:
        """Give rows that nobody has tried first; but where nothing could be scored yet, look into that."""
        tried = work.suspects and not self._scored
        piece = None if tried else next(chunks, None)
        if piece is not None:
            return Task(piece.start, piece.stop)
        if time.monotonic() >= work.deadline:
            work.suspects.clear()
        tasks = [worker.task for worker in self._workers if worker.task]
        for suspect in work.suspects:
            if not tasks or not (suspect.alone or any(task.alone for task in tasks)):
                work.suspects.remove(suspect)
                return Task(suspect.start, suspect.stop, again=True, alone=suspect.alone)
        return None

    def _collect(self, work: _Work) -> Generator[Arrival, None, None]:
        """Wait for something to come; give it."""
        pipes: dict[Any, WorkerProcess] = {
            worker.pipe: worker for worker in self._workers if worker.task or not worker.ready
        }
        limits = [worker.overdue(self._timeout) for worker in pipes.values() if worker.task]
        patience = min([SLICE, *(limit - time.monotonic() for limit in limits)])
        ready = wait(list(pipes), max(0.0, patience))
        for pipe in ready:
            yield from self._heard(pipes[pipe], work)
        for worker in pipes.values():
            if worker not in self._workers or worker.pipe in ready:
                continue
            if worker.task and time.monotonic() > worker.overdue(self._timeout):
                yield from self._lose(worker, work, late=True)
            elif not ready and not worker.alive:
                yield from self._lose(worker, work)

    def _heard(self, worker: WorkerProcess, work: _Work) -> Generator[Arrival, None, None]:
        try:
            size, (kind, *content) = worker.hear()
        except (EOFError, OSError):
            yield from self._lose(worker, work)
            return
        self.received += size
        if kind == "ready":
            self._stillborn = 0
        elif kind == "raised":
            if not worker.ready and isinstance(content[0], AttributeError | ImportError):
                raise TypeError(CANNOT_BE_SENT.format(content[0])) from content[0]
            raise content[0]
        elif worker.task is not None:
            values, failure, over, seconds = content
            first = worker.advance(len(values), over)
            self._scored = self._scored or len(values) > 0
            yield Arrival(first, values, failure, seconds)

    def _lose(self, worker: WorkerProcess, work: _Work, late: bool = False) -> Generator[Arrival, None, None]:
        task, first = worker.task, worker.first
        self._end(worker)
        if task is None:
            self._stillborn += not worker.ready
            if self._stillborn >= STILLBORN:
                raise RuntimeError(
                    f"{STILLBORN} worker processes in a row ended before they evaluated anything "
                    f"({worker.fate}); see what they print, or leave n_jobs (and evaluation_timeout) out."
                )
            return
        cause = f"it took more than {self._timeout:g} s" if late else f"it ended its worker ({worker.fate})"
        rows = range(first, task.stop)
        if task.again and len(rows) == 1:
            LOG.warning("a candidate is scored as NaN, because twice %s: %s", cause, _short(work.x[first]))
            self._lost += 1
            failure = self._hopeless(work.x[first], cause)
            yield Arrival(first, np.full(0 if failure else 1, np.nan), failure, 0.0)
            return
        LOG.warning("%d candidate(s) will be evaluated again: %s", len(rows), cause)
        alone = not late
        if not self._objective.vectorized:
            work.suspects.extend(Suspect(row, row + 1, alone) for row in rows)
        elif task.again:
            middle = (first + task.stop) // 2
            work.suspects.extend([Suspect(first, middle, alone), Suspect(middle, task.stop, alone)])
        else:
            work.suspects.append(Suspect(first, task.stop, alone))

    def _hopeless(self, candidate: Array, cause: str) -> Failure | None:
        """Give up where nothing has ever been scored."""
        if self._scored or self._lost < HOPELESS:
            return None
        error = RuntimeError(
            f"the first {HOPELESS} candidates could not be evaluated in a worker process, the last because "
            f"{cause}; try the function at one candidate, and see whether evaluation_timeout is long enough."
        )
        return Failure(candidate, error, raised=False)

    def _last_words(self) -> Generator[Arrival, None, None]:
        """Take what has come already."""
        for worker in self._workers:
            while worker.task and worker.pipe.poll():
                try:
                    _, (kind, *content) = worker.hear()
                except (EOFError, OSError):
                    break
                if kind == "scores":
                    values, _, over, seconds = content
                    yield Arrival(worker.advance(len(values), over), values, None, seconds)

    def _end(self, worker: WorkerProcess) -> None:
        self._workers.remove(worker)
        worker.end()


class _Work:
    """A batch under way."""

    def __init__(self, parcel: Parcel, x: Array, batch: int, deadline: float, shape: tuple[int, ...]) -> None:
        self.parcel, self.x, self.batch, self.deadline, self.shape = parcel, x, batch, deadline, shape
        self.suspects: deque[Suspect] = deque()


def _short(candidate: Array) -> str:
    return np.array2string(candidate, threshold=10, precision=17, separator=", ")
