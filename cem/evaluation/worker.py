"""What runs in a worker process: it takes tasks from its pipe, and ends when its parent does."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import joblib
import numpy as np

from cem.evaluation.chunks import SLICE
from cem.evaluation.objective import Objective, portable
from cem.evaluation.transport import Source, receive

IDLE_SECONDS = 60.0


def main(pipe: Connection) -> None:
    """Serve the parent at the other end of `pipe`."""
    if os.name == "posix":
        os.setpgid(0, 0)  # what the objective starts can be ended with it
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, inbox), daemon=True).start()
    objective: Any = None
    source: Any = None
    batch, idle = 0, False
    while True:
        try:
            kind, *content = inbox.get(timeout=IDLE_SECONDS if idle else None)
        except queue.Empty:
            _end()
        idle = kind == "rest"
        answer: tuple[Any, ...] | None = None
        try:
            if kind == "objective":
                objective = pickle.loads(content[0], buffers=content[1])
                answer = ("ready",)
            elif kind == "batch":
                batch, source = content[0], pickle.loads(content[1], buffers=content[2])
            elif kind == "task":
                with joblib.parallel_config("threading", n_jobs=1):
                    _work(pipe, objective, source, batch, *content)
            elif kind == "rest":
                objective = source = None
        except BaseException as error:
            answer = ("raised", portable(error))
        if answer is not None:
            try:
                pipe.send(answer)
            except OSError:
                _end()


def _listen(pipe: Connection, inbox: queue.SimpleQueue[Any]) -> None:
    """Read the pipe while the main thread works, so that the parent's end is noticed at any time."""
    try:
        while True:
            message = pickle.loads(pipe.recv_bytes())
            if message[0] in ("objective", "batch"):
                *label, data, sizes, in_file = message
                message = (*label, *receive(pipe, data, sizes, in_file))
            inbox.put(message)
    except (EOFError, OSError):
        _end()


def _end() -> Any:
    if os.name == "posix":
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _work(
    pipe: Connection,
    objective: Objective,
    source: Source,
    batch: int,
    start: int,
    stop: int,
    seconds: float,
    shape: tuple[int, ...],
) -> None:
    """Score rows; send what is done every quarter of a second, and at the end."""
    first, failure = start, None
    for x in source.pieces(start, stop):
        end = first + len(x)
        while first < end and failure is None and (first == start or seconds > 0):
            began = time.monotonic()
            rest = x[first - end :]
            out = np.empty((len(rest), *shape))
            done, failure = objective.score(rest, batch, first, out, began + min(seconds, SLICE))
            first += done
            took = time.monotonic() - began
            seconds -= took
            failure = failure and failure._replace(error=portable(failure.error))
            over = first == stop or failure is not None or seconds <= 0
            pipe.send(("scores", out[:done], failure, over, took))
        if failure is not None or seconds <= 0:
            return
