"""Counting what stages have spent and found, by passing their requests on."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from cem.core.loop import Batch, Draw, Request, State, Step
from cem.families.base import Array, Family

T = TypeVar("T")


@dataclass(eq=False)
class Ledger:
    """What has been spent and found by the stages that passed through `counted`.

    Attributes
    ----------
    spent : int
        Evaluations.
    best, best_x : float, ndarray of shape (d,) or None
        The best score (maximised) and its candidate.
    family : Family or None
        What the best candidate was drawn from; None where a stage chose it.
    last : Batch or None
        The last batch that was drawn.
    lowest : float
        The worst level among all iterations.
    varied : bool
        Whether two different scores have been seen.
    """

    spent: int = 0
    best: float = -np.inf
    best_x: Array | None = None
    family: Family | None = None
    last: Batch | None = None
    lowest: float = np.inf
    varied: bool = False

    @property
    def climb(self) -> float:
        """The range of scores that the stages have seen, as `State.climb` has it."""
        return self.best - self.lowest if -np.inf < self.lowest < self.best < np.inf else 0.0

    def counted(self, stage: Generator[Request, Batch, T], note: str = "") -> Generator[Request, Batch, T]:
        """Pass the requests of a stage on, count the answers, and put `note` on its first iteration."""
        try:
            request = next(stage)
            while True:
                if isinstance(request, Step):
                    if note:
                        request, note = replace(request, note=note), ""
                    if request.state is not None:
                        self.lowest = min(self.lowest, request.state.lowest)
                batch = yield request
                if batch is not None:
                    self.add(batch, request.family if isinstance(request, Draw) else None)
                request = stage.send(batch)
        except StopIteration as finished:
            value: T = finished.value
            return value

    def add(self, batch: Batch, family: Family | None = None) -> None:
        """Count a batch."""
        self.spent += len(batch.x)
        if not self.varied:
            finite = batch.scores[np.isfinite(batch.scores)]
            self.varied = finite.size > 0 and not (finite.min() == finite.max() == max(self.best, finite[0]))
        self.last = batch if family is not None else self.last
        if batch.best > self.best:
            self.best, self.family = batch.best, family
            self.best_x = np.array(batch.x[int(np.nanargmax(batch.scores))])


@dataclass(frozen=True, eq=False)
class SamplingRun:
    """A sampling run that has ended: its last state, its best score, and why."""

    state: State
    best: float
    why: str
