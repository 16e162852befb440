"""Asking for values to minimise, as a sub-generator."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from cem.core.loop import Batch, Request, Rows

Vector = NDArray[np.float64]
Asking = Generator[Request, Batch, Vector]

_BLOCK_NUMBERS = 2**23


def values_at(x: Vector) -> Asking:
    """Evaluate the rows of `x`; values are minimised, +inf where one is not finite."""
    batch = yield Rows(x)
    return np.where(np.isfinite(batch.scores), -batch.scores, np.inf)


def value_at(x: Vector) -> Generator[Request, Batch, float]:
    """Evaluate one point."""
    return float((yield from values_at(x[None]))[0])


def values_by_blocks(rows: Callable[[slice], Vector], n: int, d: int) -> Asking:
    """Evaluate `n` rows of length `d` in one batch; where they would not fit the memory, in several."""
    size = max(1, _BLOCK_NUMBERS // d)
    if n <= size:
        return (yield from values_at(rows(slice(0, n))))
    parts = []
    for first in range(0, n, size):
        parts.append((yield from values_at(rows(slice(first, min(first + size, n))))))
    return np.concatenate(parts)
