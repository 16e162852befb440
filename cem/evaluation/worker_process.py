"""A worker process as its parent sees it, and those that rest between two runs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

from cem.evaluation import worker as worker_side
from cem.evaluation.chunks import SLICE
from cem.evaluation.joblib_pool import start_process
from cem.evaluation.transport import Parcel

THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class Task(NamedTuple):
    """Rows for one worker; `again` where they ended one before, `alone` where nothing else is to run."""

    start: int
    stop: int
    again: bool = False
    alone: bool = False


class WorkerProcess:
    """One process, its pipe, and what it is doing.

    Attributes
    ----------
    ready : bool
        Whether it has the objective.
    task : Task or None
    first : int
        The first row of the task that is not known to be done.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.owner = os.getpid()
        self.pipe, theirs = multiprocessing.Pipe()
        limits = {name: os.environ.get(name, str(threads)) for name in THREAD_LIMITS}
        self._process = start_process(worker_side.main, (theirs,), limits)
        theirs.close()
        self.ready = False
        self.task: Task | None = None
        self.first = 0
        self._known_dead = False
        self._since = 0.0
        self._parcel: Parcel | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        self._known_dead = self._known_dead or self._process.exitcode is not None
        return not self._known_dead

    @property
    def fate(self) -> str:
        """How the process ended."""
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"

    def take(self, objective: Parcel) -> int:
        """Be given the objective; return the bytes sent."""
        self.ready = False
        return self._send(objective, "objective")

    def give(self, task: Task, source: Parcel, batch: int, seconds: float, shape: tuple[int, ...]) -> int:
        """Be given a task of a batch, whose scores have `shape` each; return the bytes sent."""
        sent = 0
        if self._parcel is not source:
            sent = self._send(source, "batch", batch)
            self._parcel = source
        self.task, self.first, self._since = task, task.start, time.monotonic()
        message = pickle.dumps(("task", task.start, task.stop, seconds, shape))
        with contextlib.suppress(OSError):  # it is dead: its pipe will tell
            self.pipe.send_bytes(message)
        return sent + len(message)

    def hear(self) -> tuple[int, Any]:
        """Return a message that has come, and its bytes; EOFError where there will be none."""
        data = self.pipe.recv_bytes()
        message = pickle.loads(data)
        self.ready = self.ready or message[0] == "ready"
        return len(data), message

    def advance(self, rows: int, over: bool) -> int:
        """Note that `rows` more are done; give the first of them."""
        first = self.first
        self.first += rows
        self._since = time.monotonic()
        if over:
            self.task = None
        return first

    def overdue(self, timeout: float) -> float:
        """Return when (``time.monotonic``) the evaluation in flight must have taken more than `timeout`.

        Of several rows, only every quarter of a second is it known which one is in flight.
        """
        several = self.task is not None and self.task.stop - self.task.start > 1
        return self._since + timeout + (SLICE if several else 0.0)

    def rest(self) -> None:
        """Forget the run."""
        self.ready, self._parcel = False, None
        self.pipe.send_bytes(pickle.dumps(("rest",)))

    def end(self) -> None:
        """Kill the process and what it started."""
        if not self._known_dead:  # until then nobody else can have its number
            with contextlib.suppress(OSError):
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                self._process.kill() if os.name != "posix" else os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._known_dead = True
        self.pipe.close()

    def _send(self, parcel: Parcel, *label: Any) -> int:
        try:
            return parcel.send(self.pipe, *label)
        except OSError:  # it is dead: its pipe will tell
            return 0


_resting: list[WorkerProcess] = []
_see_to_end: set[int] = set()  # processes that end their resting workers when they exit


def borrowed(threads: int) -> WorkerProcess:
    """Return a process that rests, or a new one; `threads` limits those of numerical libraries."""
    while _resting:
        worker = _resting.pop()
        if worker.owner == os.getpid() and worker.alive and worker.threads == threads:
            return worker
        if worker.owner == os.getpid():
            worker.end()
    return WorkerProcess(threads)


def given_back(workers: list[WorkerProcess]) -> None:
    """Let processes that are well rest, for the next run; they end by themselves after a minute."""
    if workers and os.getpid() not in _see_to_end:
        _see_to_end.add(os.getpid())
        Finalize(None, end_resting, exitpriority=10)  # before a forked child waits for its children
    for worker in workers:
        try:
            if not worker.ready or worker.task is not None:
                raise OSError("not well")
            worker.rest()
        except OSError:
            worker.end()
        else:
            _resting.append(worker)


def end_resting() -> None:
    """End the processes that rest."""
    for worker in _resting:
        if worker.owner == os.getpid():
            worker.end()
    _resting.clear()
