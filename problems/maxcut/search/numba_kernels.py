"""The kernels that move a state: anneals, populations of them, descents, and the components of a difference.

A state is what `numba_engine.State` holds of one row: a bit per place, set for spin +1, and the fields. Each
kernel is called with the arrays of a `numba_engine.Layout` and writes into the state.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from problems.maxcut.search.vector_mask import accept_mask, lowest_bit, prefetch


@njit(cache=True, nogil=True, inline="always")
def flip(indptr, indices, weights, up, fields, b, j):  # type: ignore[no-untyped-def]
    """Flip place 64 b + j and bring its neighbours' fields up to date."""
    v = b * 64 + j
    bit = np.uint64(1) << np.uint64(j)
    up[b] ^= bit
    first, last = indptr[v], indptr[v + 1]
    if len(weights) == 0:
        if up[b] & bit:
            for k in range(first, last):
                fields[indices[k]] += 2
        else:
            for k in range(first, last):
                fields[indices[k]] -= 2
    elif up[b] & bit:
        for k in range(first, last):
            fields[indices[k]] += 2 * weights[k]
    else:
        for k in range(first, last):
            fields[indices[k]] -= 2 * weights[k]
    return last - first


@njit(cache=True, nogil=True, inline="always")
def xorshift(random):  # type: ignore[no-untyped-def]
    """Return the next state of Marsaglia's 64-bit xorshift generator."""
    random ^= random << np.uint64(13)
    random ^= random >> np.uint64(7)
    random ^= random << np.uint64(17)
    return random


@njit(cache=True, nogil=True)
def cool(indptr, indices, weights, mixed, up, fields, pool, limit, hot, cold, sweeps, levels, seed):  # type: ignore[no-untyped-def]
    """Anneal in place; return (flips, neighbours updated)."""
    blocks = len(mixed)
    thresholds = np.empty(2048 + 64, fields.dtype)
    random = seed | np.uint64(1)
    flips = visits = 0
    ratio = (cold / hot) ** (1.0 / max(levels - 1, 1))
    temperature = hot
    full = ~np.uint64(0)
    unit = len(weights) == 0
    far = len(indices) > 200_000  # the adjacency outgrows the near caches: ask for it early
    for level in range(levels):
        random = xorshift(random)
        window = np.intp((random * np.uint64(2685821657736338717)) >> np.uint64(48))
        for i in range(2048 + 64):
            x = temperature * pool[window + i]
            if limit < np.inf:
                x = np.floor(min(x, limit - 1))
            thresholds[i] = -x
        for _ in range(sweeps * (level + 1) // levels - sweeps * level // levels):
            offset = np.intp(0)
            for b in range(-1, blocks):
                random = xorshift(random)
                next_offset = np.intp((random * np.uint64(2685821657736338717)) >> np.uint64(53))
                if far and b + 1 < blocks:
                    coming = accept_mask(fields, (b + 1) * 64, thresholds, next_offset, up[b + 1])
                    while coming:
                        first = indptr[(b + 1) * 64 + lowest_bit(coming)]
                        prefetch(indices, first)
                        prefetch(indices, first + 16)
                        coming &= coming - np.uint64(1)
                if b >= 0:
                    mask = accept_mask(fields, b * 64, thresholds, offset, up[b])
                    while mask:
                        j = lowest_bit(mask)
                        flips += 1
                        v = b * 64 + j  # _flip written out: calling it costs several times the flip itself
                        bit = np.uint64(1) << np.uint64(j)
                        up[b] ^= bit
                        visits += indptr[v + 1] - indptr[v]
                        turn = fields.dtype.type(2) if up[b] & bit else fields.dtype.type(-2)
                        if unit:
                            for k in range(indptr[v], indptr[v + 1]):
                                fields[indices[k]] += turn
                        else:
                            for k in range(indptr[v], indptr[v + 1]):
                                fields[indices[k]] += turn * weights[k]
                        if mixed[b]:
                            later = (full << np.uint64(j)) << np.uint64(1)
                            mask = accept_mask(fields, b * 64, thresholds, offset, up[b]) & later
                        else:
                            mask &= mask - np.uint64(1)
                offset = next_offset
        temperature *= ratio
    return flips, visits


@njit(cache=True, nogil=True)
def cut(up, fields, n):  # type: ignore[no-untyped-def]
    """Return by how much a cut exceeds half of all weights: Σ s_v h_v over the vertices, by -4."""
    total = 0.0
    for v in range(n):
        h = float(fields[v])
        total += h if (up[v >> 6] >> np.uint64(v & 63)) & np.uint64(1) else -h
    return -total / 4


@njit(cache=True, nogil=True)
def cool_population(  # type: ignore[no-untyped-def]
    indptr, indices, weights, mixed, up, fields, pool, limit, hot, cold, sweeps, levels, n, seed
):
    """Anneal all rows in place, and resample them from level to level by their Boltzmann weights.

    Return (cuts, flips, neighbours updated); a cut is counted from half of all weights. The resampling is
    systematic: a row of share s has floor(s) or ceil(s) copies.
    """
    rows = len(up)
    random = seed | np.uint64(1)
    flips = visits = 0
    cuts, copies = np.empty(rows), np.empty(rows, np.int64)
    ratio = (cold / hot) ** (1.0 / max(levels - 1, 1))
    temperature = hot
    for level in range(levels):
        count = sweeps * (level + 1) // levels - sweeps * level // levels
        for i in range(rows):
            random = xorshift(random)
            more, seen = cool(
                indptr, indices, weights, mixed, up[i], fields[i], pool, limit, temperature, temperature,
                count, 1, random,
            )  # fmt: skip
            flips += more
            visits += seen
            cuts[i] = cut(up[i], fields[i], n)
        colder = temperature * ratio
        if level < levels - 1:
            random = xorshift(random)
            start = float(random >> np.uint64(11)) / 2.0**53
            share = np.cumsum(np.exp((1 / colder - 1 / temperature) * (cuts - cuts.max())))
            share *= rows / share[-1]
            first = 0
            for i in range(rows):
                last = rows if i == rows - 1 else min(rows, int(np.ceil(share[i] - start)))
                copies[i] = max(last - first, 0)
                first = max(first, last)
            empty = 0
            for i in range(rows):
                while copies[i] > 1:
                    while copies[empty] > 0:
                        empty += 1
                    up[empty], fields[empty] = up[i], fields[i]
                    copies[empty] = 1
                    copies[i] -= 1
        temperature = colder
    return cuts, flips, visits


@njit(cache=True, nogil=True)
def descend(indptr, indices, weights, up, fields, least):  # type: ignore[no-untyped-def]
    """Flip while a single flip gains at least ``least``; return the gain."""
    thresholds = np.empty(64, fields.dtype)
    thresholds[:] = least
    total = 0.0
    moved = True
    while moved:
        moved = False
        for b in range(len(up)):
            mask = accept_mask(fields, b * 64, thresholds, 0, up[b])
            while mask:
                moved = True
                j = lowest_bit(mask)
                total += abs(float(fields[b * 64 + j]))
                flip(indptr, indices, weights, up, fields, b, j)
                mask = accept_mask(fields, b * 64, thresholds, 0, up[b])
    return total


@njit(cache=True, nogil=True)
def accept_components(indptr, indices, weights, up, fields, other, n, eps, seed):  # type: ignore[no-untyped-def]
    """Flip in ``up`` the components of its difference to ``other`` that gain; return (gain, visits)."""
    one = np.uint64(1)
    unit = len(weights) == 0
    different = np.empty(n, np.int8)  # 0 no, 1 yes, 2 yes and seen
    count = 0
    for v in range(n):
        d = ((up[v >> 6] ^ other[v >> 6]) >> np.uint64(v & 63)) & one
        different[v] = d
        count += different[v]
    if 2 * count > n:  # the complement is the same cut, and nearer
        for v in range(n):
            different[v] = 1 - different[v]
        count = n - count
    queue = np.empty(count, np.int64)
    random = seed | one
    total = 0.0
    visits = 0
    for root in range(n):
        if different[root] != 1:
            continue
        head, tail = 0, 1
        queue[0] = root
        different[root] = 2
        gain = 0.0
        while head < tail:
            v = queue[head]
            head += 1
            side = (up[v >> 6] >> np.uint64(v & 63)) & one
            for k in range(indptr[v], indptr[v + 1]):
                u = np.int64(indices[k])
                if different[u] == 1:
                    different[u] = 2
                    queue[tail] = u
                    tail += 1
                elif different[u] == 0:
                    w = 1.0 if unit else float(weights[k])
                    gain += w if ((up[u >> 6] >> np.uint64(u & 63)) & one) == side else -w
            visits += indptr[v + 1] - indptr[v]
        random = xorshift(random)
        if gain > eps or (gain >= -eps and random >> np.uint64(63)):
            total += gain
            for i in range(tail):
                visits += flip(indptr, indices, weights, up, fields, queue[i] >> 6, queue[i] & 63)
    return total, visits
