"""Asking for values, as a sub-generator: scores are maximised outside this room, values minimised inside.

Newton's method and its kin are written for minimisation; `as_values` is where the two meet.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np

from cem.core.loop import Batch, Request, Rows
from cem.families.base import Floats

T = TypeVar("T", float, Floats)
Asking = Generator[Request, Batch, Floats]

_BLOCK_NUMBERS = 2**23  # 64 MiB of float64: rows beyond them come in several requests


def as_values(scores: T) -> T:
    """Return what is minimised where `scores` are maximised, and the other way round."""
    return -scores


def values_at(x: Floats) -> Asking:
    """Evaluate the rows of `x`, shape ``(n, d)``; return ``(n,)`` values, +inf where one is not finite.

    Rows that are no points, as steps between scores near the largest float may give, are not evaluated.
    """
    points = np.isfinite(x).all(axis=1)
    if not points.all():
        values = np.full(len(x), np.inf)
        if points.any():
            values[points] = yield from values_at(x[points])
        return values
    batch = yield Rows(x)
    return np.where(np.isfinite(batch.scores), as_values(batch.scores), np.inf)


def value_at(x: Floats) -> Generator[Request, Batch, float]:
    """Evaluate one point."""
    return float((yield from values_at(x[None]))[0])


def values_by_blocks(rows: Callable[[slice], Floats], n: int, d: int) -> Asking:
    """Evaluate `n` rows of length `d` in one batch; where they would not fit the memory, in several."""
    size = max(1, _BLOCK_NUMBERS // d)
    if n <= size:
        return (yield from values_at(rows(slice(0, n))))
    parts = []
    for first in range(0, n, size):
        parts.append((yield from values_at(rows(slice(first, min(first + size, n))))))
    return np.concatenate(parts)
