"""The clock that long computations look at, whoever runs them.

A run ends between two requests of its plan. Fits and draws that may take seconds by themselves look at it
in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


def _no_limit() -> None:
    """Go on."""


_look: ContextVar[Callable[[], None]] = ContextVar("look", default=_no_limit)


def look_at_clock() -> None:
    """Let the run that a computation belongs to end here, if its time is over: by an exception of its own."""
    _look.get()()


@contextmanager
def clock(look: Callable[[], None]) -> Iterator[None]:
    """Let computations in this context call `look`, which raises where there is no more time."""
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)
