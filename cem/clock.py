"""The clock that long computations look at, whoever runs them.

A run ends between two requests of its plan. Fits and draws that may take seconds by themselves look at it
in between.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar


def _no_limit() -> None:
    """Go on."""


_look: ContextVar[Callable[[], None]] = ContextVar("look", default=_no_limit)


def look_at_clock() -> None:
    """Let the run that a computation belongs to end here, if its time is over: by an exception of its own."""
    _look.get()()


class clock:  # noqa: N801 - reads as a statement; contextlib's would take five times as long, per batch
    """Let computations in this context call `look`, which raises where there is no more time."""

    __slots__ = ("_look", "_token")

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def __enter__(self) -> None:
        self._token = _look.set(self._look)

    def __exit__(self, *exc: object) -> None:
        _look.reset(self._token)
