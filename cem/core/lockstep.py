"""Stages side by side: the rows that they ask for at the same time are evaluated together."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeAlias

import numpy as np

from cem.core.loop import Batch, Request, Rows, Step

Stage: TypeAlias = Generator[Request, Batch, None]


def in_step(stages: Iterable[Stage]) -> Stage:
    """Run stages that choose their rows by themselves, all of them one request at a time.

    None of them knows of the others, so that what they do is the same whoever evaluates how many rows at
    once; what they share, they see in their order.

    Raises
    ------
    TypeError
        If one of them asks for candidates to be drawn.
    """
    waiting: list[tuple[Stage, Rows]] = []
    for stage in stages:
        yield from _go_on(stage, None, waiting)
    while waiting:
        batch = yield Rows(np.concatenate([rows.x for _, rows in waiting]))
        asked, waiting, first = waiting, [], 0
        for stage, rows in asked:
            last = first + len(rows.x)
            yield from _go_on(stage, _part(batch, slice(first, last)), waiting)
            first = last


def _go_on(stage: Stage, batch: Batch | None, waiting: list[tuple[Stage, Rows]]) -> Stage:
    """Send `batch` and pass notices on, until the stage waits for rows or has ended."""
    try:
        request = stage.send(batch)  # type: ignore[arg-type] # None begins a generator
        while isinstance(request, Step):
            yield request
            request = next(stage)
    except StopIteration:
        return
    if not isinstance(request, Rows):
        raise TypeError("stages in step ask for rows of their own choice only")
    waiting.append((stage, request))


def _part(batch: Batch, rows: slice) -> Batch:
    given = {name: getattr(batch, name) for name in ("residuals", "excess", "shown", "margins")}
    parts = {name: None if array is None else array[rows] for name, array in given.items()}
    return Batch(batch.x[rows], batch.scores[rows], batch.stream, **parts)
