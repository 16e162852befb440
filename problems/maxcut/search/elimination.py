"""The best cut of a small graph by dynamic programming of bounded width.

Vertices are eliminated one after another, those of least degree first: what the rest of the graph needs to
know of a vertex is, for every choice of its neighbours' sides, the most that it can bring, and that is a
table of 2**degree entries. Where the degree exceeds the width, the vertex is tied to a neighbour (they change
sides together or not at all): the answer is then the best of a subspace that holds the cut to begin with.

The functions are compiled where numba is there, and give the same answers where it is not.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import numpy as np

try:
    from numba import njit

    compiled: Callable[[Any], Any] = njit(cache=True, nogil=True)
except ImportError:

    def compiled(function: Any) -> Any:
        """Leave a function as it is."""
        return function


_OPEN, _ELIMINATED, _TIED = 0, 1, 2


@compiled
def eliminate(indptr, indices, weights, hub, rank, coins, shifts, width, capacity):  # type: ignore[no-untyped-def]
    """Choose which vertices change sides so that the cut gains most.

    Parameters
    ----------
    indptr, indices, weights : ndarray
        The graph, each edge at both of its ends. An edge counts as its weight once its ends differ in whether
        they change sides: for a cut with both ends on one side the weight itself, else its negative.
    hub : int
        The vertex that stays.
    rank : ndarray of int64, shape (n,)
        A random order of the vertices: of those of equal degree the first is eliminated first.
    coins : ndarray of bool, shape (2**width + n,)
        Decides where both sides are as good, together with `shifts`, of shape (n,), from 0 to n.
    width : int
        Largest degree of an eliminated vertex.
    capacity : int
        Most entries of all tables together; vertices that find no room are tied.

    Returns
    -------
    flips : ndarray of bool, shape (n,)
    ties : int
        The number of vertices tied to others; the answer is the optimum where there are none.
    """
    n = len(indptr) - 1
    at_rank = np.empty(n, np.int64)
    at_rank[rank] = np.arange(n)
    parent = np.arange(n)
    state = np.zeros(n, np.int8)
    next_member, last_member = np.full(n, -1, np.int64), np.arange(n)
    pool, start, size, room = _neighbours(indptr, indices, hub)
    end = len(pool)
    heap = [size[v] * n + rank[v] for v in range(n) if v != hub]
    heapq.heapify(heap)
    mark = np.full(n, -1, np.int64)
    stamp = 0
    # tables: their variables, where their values and their decisions are
    variable, degree = np.empty(n, np.int64), np.zeros(n, np.int64)
    scope = np.empty((n, width), np.int32)
    value_at, decision_at = np.zeros(n, np.int64), np.zeros(n, np.int64)
    values, decisions = np.empty(1024, weights.dtype), np.empty(1024, np.bool_)
    value_end = decision_end = count = ties = 0
    free, next_free = np.full(width + 1, -1, np.int64), np.full(n, -1, np.int64)
    used = np.zeros(n, np.bool_)
    # which tables mention a vertex
    first_link, last_link = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    link_table, next_link = np.empty(n * width + 1, np.int32), np.empty(n * width + 1, np.int32)
    links = 0
    coefficient, step = np.zeros(n, weights.dtype), np.zeros(n, np.int64)
    stay, flip = np.empty(1 << width, weights.dtype), np.empty(1 << width, weights.dtype)
    entry = np.empty(1 << width, np.int64)
    while len(heap) > 0:
        key = heapq.heappop(heap)
        v, d = at_rank[key % n], key // n
        if state[v] != _OPEN or size[v] != d:
            continue
        if d > width or decision_end + (1 << d) > capacity:
            if d == 0:  # the tables are full, and nothing depends on it: it stays
                state[v] = _ELIMINATED
                variable[count], degree[count] = v, -1
                count += 1
                continue
            u, stamp = _nearest(pool, start, size, v, mark, stamp, 2 * width)
            ties += 1
            parent[v] = u
            state[v] = _TIED
            next_member[last_member[u]] = v
            last_member[u] = last_member[v]
            if first_link[v] >= 0:
                if first_link[u] < 0:
                    first_link[u] = first_link[v]
                else:
                    next_link[last_link[u]] = first_link[v]
                last_link[u] = last_link[v]
            stamp += 1
            mark[u] = stamp
            for k in range(start[u], start[u] + size[u]):
                mark[pool[k]] = stamp
            for i in range(d):
                t = pool[start[v] + i]
                _remove(pool, start, size, t, v)
                if t != u and mark[t] != stamp:
                    pool, end = _append(pool, end, start, size, room, t, u)
                    pool, end = _append(pool, end, start, size, room, u, t)
                heapq.heappush(heap, size[t] * n + rank[t])
            heapq.heappush(heap, size[u] * n + rank[u])
            continue
        # the most that v brings, for every choice of its neighbours
        state[v] = _ELIMINATED
        first = start[v]
        for i in range(d):
            coefficient[pool[first + i]] = 0
        total = weights[:1].sum() - weights[:1].sum()
        x = v
        while x >= 0:
            for k in range(indptr[x], indptr[x + 1]):
                r = _root(parent, indices[k])
                if r == hub:
                    total += weights[k]
                elif state[r] == _OPEN:
                    coefficient[r] += weights[k]
            x = next_member[x]
        for i in range(d):
            total += coefficient[pool[first + i]]
        stay[0], flip[0] = 0, total
        for i in range(d):
            c, half = coefficient[pool[first + i]], 1 << i
            stay[half : 2 * half] = stay[:half] + c
            flip[half : 2 * half] = flip[:half] - c
        entries = 1 << d
        link = first_link[v]
        while link >= 0:
            m = link_table[link]
            link = next_link[link]
            if used[m]:
                continue
            used[m] = True
            for i in range(d):
                step[pool[first + i]] = 0
            own = 0
            for k in range(degree[m]):
                r = _root(parent, scope[m, k])
                if r == v:
                    own += 1 << k
                else:
                    step[r] += 1 << k
            entry[0] = value_at[m]
            for i in range(d):
                half = 1 << i
                entry[half : 2 * half] = entry[:half] + step[pool[first + i]]
            stay[:entries] += values[entry[:entries]]
            flip[:entries] += values[entry[:entries] + own]
            next_free[m] = free[degree[m]]
            free[degree[m]] = m
        m = count
        count += 1
        variable[m], degree[m], decision_at[m] = v, d, decision_end
        if free[d] >= 0:
            value_at[m] = value_at[free[d]]
            free[d] = next_free[free[d]]
        else:
            value_at[m] = value_end
            value_end += entries
            if value_end > len(values):
                longer = np.empty(2 * value_end, weights.dtype)
                longer[: len(values)] = values
                values = longer
        decision_end += entries
        if decision_end > len(decisions):
            more = np.empty(2 * decision_end, np.bool_)
            more[: len(decisions)] = decisions
            decisions = more
        place = value_at[m]
        values[place : place + entries] = np.maximum(stay[:entries], flip[:entries])
        decisions[decision_end - entries : decision_end] = (flip[:entries] > stay[:entries]) | (
            (flip[:entries] == stay[:entries]) & coins[shifts[v] : shifts[v] + entries]
        )
        for i in range(d):
            scope[m, i] = pool[first + i]
        for i in range(d):
            u = scope[m, i]
            link_table[links], next_link[links] = m, -1
            if first_link[u] < 0:
                first_link[u] = links
            else:
                next_link[last_link[u]] = links
            last_link[u] = links
            links += 1
            _remove(pool, start, size, u, v)
            stamp += 1
            mark[u] = stamp
            for k in range(start[u], start[u] + size[u]):
                mark[pool[k]] = stamp
            for j in range(d):
                t = scope[m, j]
                if mark[t] != stamp:
                    pool, end = _append(pool, end, start, size, room, u, t)
            heapq.heappush(heap, size[u] * n + rank[u])
    flips = np.zeros(n, np.bool_)
    for m in range(count - 1, -1, -1):
        chosen = 0
        for k in range(degree[m]):
            if flips[_root(parent, scope[m, k])]:
                chosen += 1 << k
        if degree[m] >= 0:
            flips[variable[m]] = decisions[decision_at[m] + chosen]
    for v in range(n):
        flips[v] = flips[_root(parent, v)]
    return flips, ties


@compiled
def _root(parent, v):  # type: ignore[no-untyped-def]
    """Return the vertex that `v` is tied to, at the end of the chain."""
    while parent[v] != v:
        parent[v] = parent[parent[v]]
        v = parent[v]
    return v


@compiled
def _neighbours(indptr, indices, hub):  # type: ignore[no-untyped-def]
    """Return lists of neighbours without the hub: the pool they lie in, their starts, sizes and rooms."""
    n = len(indptr) - 1
    pool = np.empty(len(indices) + 1, np.int32)
    start, size, room = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    for v in range(n):
        start[v], room[v] = indptr[v], indptr[v + 1] - indptr[v]
        for k in range(indptr[v], indptr[v + 1]):
            if indices[k] != hub:
                pool[start[v] + size[v]] = indices[k]
                size[v] += 1
    return pool, start, size, room


@compiled
def _append(pool, end, start, size, room, v, u):  # type: ignore[no-untyped-def]
    """Add `u` to the list of `v`, which moves to the end of the pool where it has no room."""
    if size[v] == room[v]:
        wide = 2 * room[v] + 4
        if end + wide > len(pool):
            longer = np.empty(2 * len(pool) + wide, np.int32)
            longer[:end] = pool[:end]
            pool = longer
        pool[end : end + size[v]] = pool[start[v] : start[v] + size[v]]
        start[v], room[v] = end, wide
        end += wide
    pool[start[v] + size[v]] = u
    size[v] += 1
    return pool, end


@compiled
def _remove(pool, start, size, v, u):  # type: ignore[no-untyped-def]
    """Take `u` out of the list of `v`."""
    for k in range(start[v], start[v] + size[v]):
        if pool[k] == u:
            size[v] -= 1
            pool[k] = pool[start[v] + size[v]]
            return


@compiled
def _nearest(pool, start, size, v, mark, stamp, most):  # type: ignore[no-untyped-def]
    """Return, of the first `most` neighbours of `v`, the one with the fewest neighbours that v has not."""
    stamp += 1
    for k in range(start[v], start[v] + size[v]):
        mark[pool[k]] = stamp
    best, fewest = -1, len(start) + 1
    for i in range(start[v], start[v] + min(most, size[v])):
        u, new = pool[i], 0
        for k in range(start[u], start[u] + size[u]):
            if mark[pool[k]] != stamp:
                new += 1
        if new < fewest:
            best, fewest = u, new
    return best, stamp
