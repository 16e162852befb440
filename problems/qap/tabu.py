"""Robust tabu search of assignments: all exchanges of two facilities, several searches side by side.

What each exchange would change is kept up to date. With flows `A` and the distances `B` between the places
that facilities have now, an exchange of `r` and `s` adds ``crossing(C) + crossing(A) * crossing(B)`` at
``[r, s]``, where ``C = Aᵀ B + A Bᵀ``; it changes `C` by two products of a column and a row, and exchanges two
columns.

References
----------
Taillard (1991), "Robust taboo search for the quadratic assignment problem", Parallel Computing 17 (the
search, and how long an exchange is forbidden).
"""

from __future__ import annotations

import numpy as np

from cem.families.base import Floats, Index

SHORTEST, LONGEST = 0.9, 1.1  # times n: for how many steps a facility may not go back


def crossing(matrix: Floats) -> Floats:
    """Return ``M[r, s] + M[s, r] - M[r, r] - M[s, s]`` for square matrices `M`, the last two axes."""
    own = np.diagonal(matrix, axis1=-2, axis2=-1)
    return np.asarray(matrix + matrix.swapaxes(-1, -2) - own[..., None] - own[..., None, :])


def last_steps(count: int, n: int, steps: int, rng: np.random.Generator) -> Index:
    """Draw up to which step either facility of each step's exchange may not go back, (steps, 2, count)."""
    until = rng.integers(round(SHORTEST * n), round(LONGEST * n), (steps, 2, count), endpoint=True)
    return np.asarray(until + np.arange(1, steps + 1)[:, None, None])


def search(flows: Floats, distances: Floats, x: Index, steps: int, rng: np.random.Generator) -> Index:
    """Return the best assignments, shape (N, n), met in as many steps from each of `x`, itself among them.

    Each step makes the best exchange that is not forbidden or leads to a new best.

    Parameters
    ----------
    flows, distances : ndarray, shape (n, n)
    x : ndarray of int, shape (N, n)
        Assignments of 2 facilities or more.
    steps : int
    rng : numpy.random.Generator
        Draws for how long exchanges are forbidden.
    """
    count, n = x.shape
    x, best = x.copy(), x.copy()
    tables = np.zeros((4, count, n, n))  # those whose columns an exchange of facilities exchanges
    products, placed, crossed, barred = tables
    placed[:] = distances[x[:, :, None], x[:, None, :]]
    products[:] = flows.T @ placed + flows @ placed.swapaxes(1, 2)
    crossed[:] = crossing(placed)
    own, each = crossing(flows), np.arange(count)
    spare = np.tri(n, dtype=bool)  # exchanges that another entry stands for
    value, least = np.zeros(count), np.zeros(count)  # relative to the beginning
    until = last_steps(count, n, steps, rng)
    for step in range(steps):
        changes = crossing(products) + own * crossed
        forbidden = barred > step  # for the row's facility to go where the column's is
        refused = forbidden & forbidden.swapaxes(1, 2) & (changes >= (least - value)[:, None, None])
        chosen = np.where(refused | spare, np.inf, changes).reshape(count, -1).argmin(axis=1)
        r, s = np.divmod(chosen, n)  # both 0, which is no exchange, where all are refused
        value += changes[each, r, s]
        out_of, into = placed[each, s] - placed[each, r], placed[each, :, s] - placed[each, :, r]
        products += (flows[r] - flows[s])[:, :, None] * out_of[:, None, :]
        products += (flows[:, r] - flows[:, s]).T[:, :, None] * into[:, None, :]
        tables[:, each, :, r], tables[:, each, :, s] = tables[:, each, :, s], tables[:, each, :, r]
        for square in (placed, crossed):
            square[each, r], square[each, s] = square[each, s], square[each, r]
        barred[each, r, s], barred[each, s, r] = until[step]
        x[each, r], x[each, s] = x[each, s], x[each, r]
        better = value < least
        least[better], best[better] = value[better], x[better]
    return best
