"""Telling the user: callbacks while a run goes on, and an exception where it failed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cem.core.ending import NoFiniteScoreError, ObjectiveError
from cem.core.loop import Ended, State
from cem.families.base import Array, Floats


class Progress(NamedTuple):
    """What a callback is told about.

    Attributes
    ----------
    state : State
    population : ndarray, shape (n, d)
        What was evaluated since the last time, as the objective saw it.
    scores : ndarray, shape (n,)
        In the user's sign.
    nfev : int
        Evaluations so far.
    level, best : float
        Of the last iteration, in the user's sign.
    awaiting : callable
        Returns in a few words what the run waits for; an empty text where it does not say.
    """

    state: State
    population: Array
    scores: Floats
    nfev: int
    level: float
    best: float
    awaiting: Callable[[], str] = str


def as_notifier(
    callback: Callable[..., Any] | None,
    report: Callable[[Progress], Any],
    show: Callable[[Progress], None] | None = None,
) -> Callable[[Progress], bool] | None:
    """Wrap a user's ``callback(intermediate_result)``: returning True or raising StopIteration stops.

    Parameters
    ----------
    callback : callable, optional
    report : callable
        Makes the intermediate result.
    show : callable, optional
        Of a progress bar.

    Raises
    ------
    TypeError
        If it is not callable.
    """
    if callback is None:
        return None if show is None else lambda progress: show(progress) is not None
    if not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}.")
    try:
        by_name = "intermediate_result" in inspect.signature(callback).parameters
    except (TypeError, ValueError):
        by_name = False

    def notify(progress: Progress) -> bool:
        if show is not None:
            show(progress)
        result = report(progress)
        try:
            answer = callback(intermediate_result=result) if by_name else callback(result)
        except StopIteration:
            return True
        return answer is True or (isinstance(answer, np.bool_) and bool(answer))

    return notify


def raise_failure(ended: Ended | None, partial: Any) -> None:
    """Raise what went wrong in an evaluation, with the result so far; return where nothing did."""
    if ended is None or ended.failure is None:
        return
    candidate, error, raised = ended.failure
    if isinstance(error, NoFiniteScoreError):
        error.partial = partial
        raise error
    if not raised:
        raise error
    message = f"the objective raised {type(error).__name__}: {error}"
    raise ObjectiveError(message, candidate, partial) from error
