"""Telling the user: callbacks while a run goes on, and an exception where it failed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """

    state: State
    population: Array
    scores: Floats
    nfev: int
    level: float
    best: float


def as_notifier(
    callback: Callable[..., Any] | None, report: Callable[[Progress], Any], show: Show | None = None
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
        return None if show is None else lambda progress: _shown(progress, show)
    if not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}.")
    try:
        by_name = "intermediate_result" in inspect.signature(callback).parameters
    except (TypeError, ValueError):
        by_name = False

    def notify(progress: Progress) -> bool:
        if show is not None:
            _shown(progress, show)
        result = report(progress)
        try:
            answer = callback(intermediate_result=result) if by_name else callback(result)
        except StopIteration:
            return True
        return answer is True or (isinstance(answer, np.bool_) and bool(answer))

    return notify


def _shown(progress: Progress, show: Show) -> bool:
    numbers = (("best", progress.best), ("level", progress.level))
    show(progress.nfev, ", ".join(f"{name} {value:.6g}" for name, value in numbers if not np.isnan(value)))
    return False


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


Show = Callable[[int, str], None]


@contextmanager
def shown(wanted: bool | None, total: int | None) -> Iterator[Show | None]:
    """Show a bar of evaluations for as long as the context lasts; None where none is wanted.

    What it gives is called with the evaluations so far and a short text.

    Raises
    ------
    TypeError
        If `wanted` is no bool.
    ImportError
        If tqdm is not installed.
    """
    if wanted not in (True, False, None):
        raise TypeError(f"progress must be True or False, got {wanted!r}.")
    if not wanted:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install cemkit[progress]") from error
    with tqdm(total=total, unit="evaluation") as bar:

        def show(evaluations: int, text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(evaluations - bar.n)

        yield show
