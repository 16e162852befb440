"""The search of `problems.knapsack.multi_knapsack`, one candidate after another, compiled by numba."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fit(packed, weights, limits, room, worst_first, best_first):  # type: ignore[no-untyped-def]
    """Take out of each row what is worth least until it fits, then put in what still fits."""
    for row in packed:
        left = _room(row, weights, limits)
        for j in worst_first:
            if left.min() >= 0:
                break
            if row[j]:
                row[j] = False
                left = _room(row, weights, limits)
        _fill(row, weights, _room(row, weights, room), best_first)


@njit(cache=True, nogil=True)
def repack(  # type: ignore[no-untyped-def]
    packed, totals, values, weights, room, worth, chance, last, behind
):
    """Unpack the cheapest items of each row and pack anew; keep what is worth no less.

    An item's worth varies by ``chance[0]`` for the first and ``chance[1]`` for the second; the items up to
    the one that is ``last[i]``-th cheapest are unpacked, and come ``behind`` all others.
    """
    n = len(worth)
    for i in range(len(packed)):
        row = packed[i]
        cheapest = np.full(last[i] + 1, np.inf)  # ascending
        for j in range(n):
            cheap = worth[j] + chance[0, i, j]
            if row[j] and cheap < cheapest[-1]:
                k = last[i]
                while k > 0 and cheapest[k - 1] > cheap:
                    cheapest[k] = cheapest[k - 1]
                    k -= 1
                cheapest[k] = cheap
        trial = row.copy()
        order = worth + chance[1, i]
        for j in range(n):
            if row[j] and worth[j] + chance[0, i, j] <= cheapest[-1]:
                trial[j] = False
                order[j] -= behind
        left = _room(trial, weights, room)
        items = np.empty(n, np.int64)  # that fit by themselves
        count = 0
        for j in range(n):
            if not trial[j] and _fits(weights, left, j):
                items[count] = j
                count += 1
        items = items[:count]
        _fill(trial, weights, left, items[np.argsort(-order[items], kind="mergesort")])
        total = 0.0
        for j in range(n):
            if trial[j]:
                total += values[j]
        if total >= totals[i]:
            row[:] = trial
            totals[i] = total


@njit(cache=True, nogil=True)
def _room(row, weights, limits):  # type: ignore[no-untyped-def]
    """Return what a row leaves of each limit."""
    left = limits.copy()
    for c in range(len(limits)):
        load = 0.0
        for j in range(len(row)):
            if row[j]:
                load += weights[c, j]
        left[c] -= load
    return left


@njit(cache=True, nogil=True)
def _fits(weights, left, j):  # type: ignore[no-untyped-def]
    for c in range(len(left)):  # noqa: SIM110 - compiled, a loop is faster
        if weights[c, j] > left[c]:
            return False
    return True


@njit(cache=True, nogil=True)
def _fill(row, weights, left, items):  # type: ignore[no-untyped-def]
    """Put in what fits, in the order of `items`."""
    for j in items:
        if not row[j] and _fits(weights, left, j):
            row[j] = True
            left -= weights[:, j]
