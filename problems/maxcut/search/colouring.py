"""A greedy colouring: vertices of one colour don't touch, so that all of them may be updated at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MANY = 32  # mean degree from which whole arrays of neighbours are faster than one neighbour at a time


def greedy_colouring(indptr: NDArray[Any], indices: NDArray[Any]) -> NDArray[np.int64]:
    """Colour each vertex, those of high degree first, with the least colour that no neighbour has."""
    order = np.argsort(-np.diff(indptr), kind="stable").tolist()
    colours = by_arrays if len(indices) >= MANY * len(order) else by_sets
    return colours(indptr.tolist(), indices, order)


def by_sets(starts: list[int], indices: NDArray[Any], order: list[int]) -> NDArray[np.int64]:
    """Colour with a set of colours a vertex: the faster one where neighbours are few."""
    neighbours = indices.tolist()
    colour = [-1] * len(order)
    for v in order:
        taken = {colour[u] for u in neighbours[starts[v] : starts[v + 1]]}
        c = 0
        while c in taken:
            c += 1
        colour[v] = c
    return np.asarray(colour, dtype=np.int64)


def by_arrays(starts: list[int], indices: NDArray[Any], order: list[int]) -> NDArray[np.int64]:
    """Colour with an array of colours a vertex: the faster one where neighbours are many."""
    colour = np.full(len(order), -1, dtype=np.int64)
    count = 0
    for v in order:
        taken = np.zeros(count + 2, dtype=np.bool_)  # the last place is that of neighbours without a colour
        taken[colour[indices[starts[v] : starts[v + 1]]]] = True
        colour[v] = c = int(taken[:-1].argmin())
        count = max(count, c + 1)
    return colour
