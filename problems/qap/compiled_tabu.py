"""The tabu search of `problems.qap.tabu`, one assignment after another, compiled by numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from cem.families.base import Floats, Index
from problems.qap.tabu import crossing, last_steps


def search(flows: Floats, distances: Floats, x: Index, steps: int, rng: np.random.Generator) -> Index:
    """Do what `problems.qap.tabu.search` does, to the last bit where all numbers are whole."""
    until = last_steps(len(x), x.shape[1], steps, rng)
    best = x.copy()
    own = crossing(flows)
    for i, row in enumerate(x):
        placed = distances[np.ix_(row, row)]
        products = flows.T @ placed + flows @ placed.T
        barred = np.zeros(flows.shape, np.int64)
        _search_row(
            flows, own, placed, placed.T.copy(), crossing(placed), products, barred,
            until[:, :, i], row.copy(), best[i],
        )  # fmt: skip
    return best


@njit(cache=True, nogil=True)
def _search_row(  # type: ignore[no-untyped-def]
    flows, own, placed, placed_back, crossed, products, barred, until, x, best
):  # fmt: skip
    """Walk with `x`; write the best to `best`. Matrices stand beside their transposes, to be read by rows."""
    n = len(x)
    value, least = 0.0, 0.0
    for step in range(len(until)):
        r, s, change = 0, 0, np.inf
        for i in range(n):
            for j in range(i + 1, n):
                found = products[i, j] + products[j, i] - products[i, i] - products[j, j]
                found += own[i, j] * crossed[i, j]
                if found < change and (barred[i, j] <= step or barred[j, i] <= step or value + found < least):
                    r, s, change = i, j, found
        if r == s:
            continue
        value += change
        for i in range(n):
            one, two = flows[r, i] - flows[s, i], flows[i, r] - flows[i, s]
            for j in range(n):
                products[i, j] += one * (placed[s, j] - placed[r, j])
                products[i, j] += two * (placed_back[s, j] - placed_back[r, j])
        for square in (placed, placed_back, crossed):
            for i in range(n):
                square[r, i], square[s, i] = square[s, i], square[r, i]
        for square in (placed, placed_back, crossed, products):
            for i in range(n):
                square[i, r], square[i, s] = square[i, s], square[i, r]
        for i in range(n):
            barred[i, r], barred[i, s] = barred[i, s], barred[i, r]
        barred[r, s], barred[s, r] = until[step, 0], until[step, 1]
        x[r], x[s] = x[s], x[r]
        if value < least:
            least = value
            best[:] = x
