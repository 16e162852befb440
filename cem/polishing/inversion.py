"""Turning a routine that calls back into a stage that yields."""

from __future__ import annotations

from collections.abc import Callable, Generator
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from cem.families.base import Array
from cem.loop import Batch, Request, Rows

T = TypeVar("T")


class _Abandoned(BaseException):
    """Raised in the routine when nobody waits for it any more."""


def inverted(routine: Callable[[Callable[[Array], Batch]], T]) -> Generator[Request, Batch, T]:
    """Run ``routine(ask)`` as a stage: each ``ask(rows)`` in it becomes a request for those rows.

    The routine runs in a thread of its own and the two take turns, never side by side, so that the order
    of evaluations is that of the routine. If the stage is ended, so is the routine.

    Returns
    -------
    T
        What the routine returns; what it raises is raised here.
    """
    requests: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    answers: SimpleQueue[Batch | None] = SimpleQueue()

    def ask(x: Array) -> Batch:
        requests.put(("rows", x))
        batch = answers.get()
        if batch is None:
            raise _Abandoned
        return batch

    def work() -> None:
        try:
            requests.put(("done", routine(ask)))
        except _Abandoned:
            requests.put(("abandoned", None))
        except BaseException as error:
            requests.put(("raised", error))

    thread = Thread(target=work, daemon=True)
    thread.start()
    kind = "rows"
    try:
        while True:
            kind, content = requests.get()
            if kind != "rows":
                break
            answers.put((yield Rows(content)))
    finally:
        if kind == "rows":
            answers.put(None)
        thread.join()
    if kind == "raised":
        raise content
    result: T = content
    return result
