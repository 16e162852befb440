"""Edges as a problem keeps them: checked, ordered, merged."""

from __future__ import annotations

from typing import Any

import numpy as np

from cem.families.base import Array, Floats, Index
from problems.numbers import EXACT, check_finite_sum, check_whole_sum, read_numbers, refuse_masked


def check_size(n: int) -> int:
    """Check the number of vertices.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong with them.
    """
    if not isinstance(n, int | np.integer) or isinstance(n, bool):
        raise TypeError(f"n, the number of vertices, must be an integer, got {n!r}")
    if not 1 <= n < 2**31:
        raise ValueError(f"n, the number of vertices, must be from 1 to 2**31 - 1, got {n}")
    return int(n)


def check_edges(n: int, edges: Any) -> Index:
    """Check the end points of the edges of a graph of `n` vertices.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong with them.
    """
    refuse_masked("edges", edges)
    edges = np.asarray(edges)
    if edges.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise ValueError(f"edges must have shape (m, 2), one pair of vertices in each row, got {edges.shape}")
    if edges.dtype.kind not in "iu":
        raise TypeError(f"edges must be vertex numbers, of an integer dtype, got {edges.dtype}")
    if (bad := ((edges < 0) | (edges >= n)).any(axis=1)).any():
        k = int(bad.argmax())
        raise ValueError(
            f"edges[{k}] = {edges[k].tolist()} has a vertex out of range: they count 0 … {n - 1}"
        )
    if (loop := edges[:, 0] == edges[:, 1]).any():
        k = int(loop.argmax())
        raise ValueError(
            f"edges[{k}] = {edges[k].tolist()} is a self-loop; it can never be cut, leave it out"
        )
    return np.asarray(edges, dtype=np.int64)


def check_weights(m: int, weights: Any) -> Floats:
    """Check the weights of `m` edges.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong with them.
    """
    if np.shape(weights) != (m,):
        raise ValueError(f"weights must have shape ({m},), one for each edge, got {np.shape(weights)}")
    numbers, whole = read_numbers("weights", weights)
    if not (finite := np.isfinite(numbers)).all():
        k = int(finite.argmin())
        raise ValueError(f"weights[{k}] = {numbers[k]} is not finite; leave out edges without a weight")
    if whole:
        check_whole_sum("the edges' weights", numbers)
    check_finite_sum("the edges' weights", numbers)
    return numbers


def to_search(weights: Floats) -> Array:
    """Return weights as the search takes them: whole ones as int64, others scaled to 1 by a power of two."""
    if (weights == np.floor(weights)).all() and abs(weights).sum() < EXACT:
        return weights.astype(np.int64)
    return np.ldexp(weights, -int(np.frexp(abs(weights).max())[1]))


def merge(n: int, edges: Index, weights: Floats) -> tuple[Index, Floats]:
    """Order each edge's ends, sort the edges, add up parallel ones and drop those of weight 0."""
    codes, which = np.unique(edges.min(axis=1) * n + edges.max(axis=1), return_inverse=True)
    sums = np.bincount(which, weights=weights, minlength=len(codes)).astype(np.float64)
    kept = np.flatnonzero(sums)
    return np.column_stack(np.divmod(codes[kept], n)), sums[kept]
