"""Annealing and component-accepted reheats, compiled by numba.

The state of a search is, per vertex v, its spin s_v = ±1 and its field h_v = Σ_u w_uv s_u. Flipping v gains
g_v = s_v h_v and changes only the fields of its neighbours. A sweep offers every vertex a flip once and
accepts it with probability min(1, exp(g_v / T)), that is where g_v >= -T·E with E exponential.

What makes it fast:

- 64 vertices are tested at once against 64 thresholds (``accept_mask``); only accepted flips cost more.
- Fields are as narrow as the weighted degrees allow: 64 int8 fields fill one vector register.
- Thresholds come ready from a small pool, one window per temperature, read at a random offset per block.
- Vertices are renumbered by a greedy colouring: those of a block have no edges among them, so that one mask
  holds for the whole block. In the few blocks with inner edges the mask is taken anew after every flip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from problems.maxcut.search.graph import CutGraph
from problems.maxcut.search.vector_mask import LANES, accept_mask, lowest_bit, prefetch

_WINDOW = 2048
NAME = "numba"
REPLICAS = 1  # rows that are worth annealing at once
_POOL = np.random.Generator(np.random.PCG64(20_24)).exponential(size=65_536 + _WINDOW + LANES)
_LEVELS = 200
_COINS = np.uint64(0x9E3779B97F4A7C15)
_LIMITS: dict[type, float] = {np.int8: 127, np.int16: 2**15 - 1, np.int32: 2**31 - 1}


@dataclass(frozen=True, eq=False)
class Layout:
    """A graph renumbered, padded to whole blocks and narrowed for the kernels.

    Attributes
    ----------
    order : ndarray
        The graph's vertex at each place.
    indptr, indices, weights : ndarray
        The adjacency between places; ``weights`` is empty where all are 1.
    mixed : ndarray
        Which blocks have edges inside.
    limit : float
        Largest magnitude of a field; fields at padding places are -limit and never accepted.
    """

    graph: CutGraph
    order: NDArray[np.int64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.uint32]
    weights: NDArray[Any]
    mixed: NDArray[np.bool_]
    limit: float
    eps: float

    @property
    def blocks(self) -> int:
        """Number of blocks of 64 places."""
        return len(self.mixed)


@dataclass(eq=False)
class State:
    """Spins (one bit per place, set for +1) and fields, one row per candidate; kernels write into it."""

    up: NDArray[np.uint64]
    fields: NDArray[Any]


@njit(cache=True, nogil=True)
def _greedy_colours(indptr, indices, order):  # type: ignore[no-untyped-def]
    n = len(indptr) - 1
    colour = np.full(n, -1, np.int32)
    taken = np.full(n + 1, -1, np.int32)
    for v in order:
        for k in range(indptr[v], indptr[v + 1]):
            c = colour[indices[k]]
            if c >= 0:
                taken[c] = v
        c = 0
        while taken[c] == v:
            c += 1
        colour[v] = c
    return colour


@njit(cache=True, nogil=True)
def _renumber(indptr, indices, weights, order, place, width):  # type: ignore[no-untyped-def]
    n = len(order)
    new_indptr = np.zeros(width + 1, np.int64)
    new_indices = np.empty(len(indices), np.uint32)
    new_weights = np.empty_like(weights)
    mixed = np.zeros(width // 64, np.bool_)
    position = 0
    for i in range(n):
        v = order[i]
        for k in range(indptr[v], indptr[v + 1]):
            u = place[indices[k]]
            new_indices[position] = u
            new_weights[position] = weights[k]
            mixed[i // 64] |= u // 64 == i // 64
            position += 1
        new_indptr[i + 1] = position
    new_indptr[n + 1 :] = position
    return new_indptr, new_indices, new_weights, mixed


def share(graph: CutGraph) -> float:
    """Return the share of the usual sweeps that an anneal takes: all of them."""
    return 1.0


def edges_swept(graph: CutGraph) -> float:
    """Return how many edges a sweep costs: all."""
    return len(graph.indices) / 2


def prepare(graph: CutGraph) -> Layout:
    """Renumber ``graph`` by colour and choose the narrowest type for its fields."""
    n = graph.n
    degrees = np.diff(graph.indptr)
    colour = _greedy_colours(graph.indptr, graph.indices, np.argsort(-degrees, kind="stable"))
    order = np.argsort(colour, kind="stable")
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    sums = np.zeros(n + 1)
    np.cumsum(np.bincount(np.repeat(np.arange(n), degrees), np.abs(graph.weights), n), out=sums[1:])
    heaviest = np.diff(sums).max(initial=0.0)
    dtype: Any = np.float64
    if graph.weights.dtype.kind != "f":
        dtype = next((t for t, most in _LIMITS.items() if heaviest + 7 <= most), np.float64)
    width = -(-n // LANES) * LANES
    weights = graph.weights.astype(dtype)
    indptr, indices, weights, mixed = _renumber(graph.indptr, graph.indices, weights, order, place, width)
    if (weights == 1).all():
        weights = weights[:0]
    limit = _LIMITS.get(dtype, np.inf)
    eps = 1e-9 * graph.hot if graph.weights.dtype.kind == "f" else 0.0
    return Layout(graph, order, indptr, indices, weights, mixed, float(limit), eps)


@njit(cache=True, nogil=True)
def _fill_fields(indptr, indices, weights, up, fields, n):  # type: ignore[no-untyped-def]
    unit = len(weights) == 0
    one = np.uint64(1)
    for v in range(n):
        h = fields[v] - fields[v]
        for k in range(indptr[v], indptr[v + 1]):
            u = indices[k]
            w = fields.dtype.type(1) if unit else weights[k]
            if (up[u >> np.uint32(6)] >> np.uint64(u & np.uint32(63))) & one:
                h += w
            else:
                h -= w
        fields[v] = h


@njit(cache=True, nogil=True, inline="always")
def _flip(indptr, indices, weights, up, fields, b, j):  # type: ignore[no-untyped-def]
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
def _xorshift(random):  # type: ignore[no-untyped-def]
    """Return the next state of Marsaglia's 64-bit xorshift generator."""
    random ^= random << np.uint64(13)
    random ^= random >> np.uint64(7)
    random ^= random << np.uint64(17)
    return random


@njit(cache=True, nogil=True)
def _cool(indptr, indices, weights, mixed, up, fields, pool, limit, hot, cold, sweeps, levels, seed):  # type: ignore[no-untyped-def]
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
        random = _xorshift(random)
        window = np.intp((random * np.uint64(2685821657736338717)) >> np.uint64(48))
        for i in range(2048 + 64):
            x = temperature * pool[window + i]
            if limit < np.inf:
                x = np.floor(min(x, limit - 1))
            thresholds[i] = -x
        for _ in range(sweeps * (level + 1) // levels - sweeps * level // levels):
            offset = np.intp(0)
            for b in range(-1, blocks):
                random = _xorshift(random)
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
def _descend(indptr, indices, weights, up, fields, least):  # type: ignore[no-untyped-def]
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
                _flip(indptr, indices, weights, up, fields, b, j)
                mask = accept_mask(fields, b * 64, thresholds, 0, up[b])
    return total


@njit(cache=True, nogil=True)
def _accept_components(indptr, indices, weights, up, fields, other, n, eps, seed):  # type: ignore[no-untyped-def]
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
        random = _xorshift(random)
        if gain > eps or (gain >= -eps and random >> np.uint64(63)):
            total += gain
            for i in range(tail):
                visits += _flip(indptr, indices, weights, up, fields, queue[i] >> 6, queue[i] & 63)
    return total, visits


def load(layout: Layout, spins: NDArray[np.int8]) -> State:
    """Make states from rows of spins (-1, 1) in the graph's own order."""
    n, width = layout.graph.n, layout.blocks * LANES
    bits = np.ones((len(spins), width), np.uint8)
    bits[:, :n] = spins[:, layout.order] > 0
    up = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    fields = np.full((len(spins), width), -layout.limit, layout.weights.dtype)
    fields[:, :n] = 0
    for i in range(len(spins)):
        _fill_fields(layout.indptr, layout.indices, layout.weights, up[i], fields[i], n)
    return State(up, fields)


def unload(layout: Layout, state: State) -> NDArray[np.int8]:
    """Return rows of spins (-1, 1) in the graph's own order."""
    bits = np.unpackbits(state.up.view(np.uint8), axis=1, count=layout.graph.n, bitorder="little")
    spins = np.empty((len(bits), layout.graph.n), np.int8)
    spins[:, layout.order] = 2 * bits.view(np.int8) - 1
    return spins


def anneal(layout: Layout, state: State, sweeps: int, seeds: NDArray[np.uint64]) -> float:
    """Cool every row in place over ``sweeps`` sweeps, then descend; return the work done."""
    return sum(_anneal_row(layout, state, i, sweeps, seed, layout.graph.hot) for i, seed in enumerate(seeds))


def reheat(
    layout: Layout, state: State, temperature: float, sweeps: int, seeds: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], float]:
    """Reheat a copy of every row to ``temperature``, cool it, and take from its end what improves.

    Of the difference between the end and the row (up to complement) each connected component is a move on its
    own with an exact gain: those that gain are made, ties by a coin.

    Returns
    -------
    gains : ndarray
        What each row gained.
    work : float
    """
    g = layout.graph
    end = State(state.up.copy(), state.fields.copy())
    gains = np.zeros(len(seeds))
    work = 0.0
    for i, seed in enumerate(seeds):
        work += _anneal_row(layout, end, i, sweeps, seed, max(temperature, g.cold)) + 2.0 * g.n
        gains[i], visits = _accept_components(
            layout.indptr, layout.indices, layout.weights, state.up[i], state.fields[i], end.up[i],
            g.n, layout.eps, seed ^ _COINS,
        )  # fmt: skip
        gains[i] += _finish(layout, state, i)
        work += 0.7 * visits
    return gains, work


def _anneal_row(layout: Layout, state: State, i: int, sweeps: int, seed: np.uint64, hot: float) -> float:
    """Cool row i and descend; count work in a unit near 1 ns: 3 per block, 4 per flip, .7 per neighbour."""
    levels = min(sweeps, _LEVELS)
    flips, visits = _cool(
        layout.indptr, layout.indices, layout.weights, layout.mixed, state.up[i], state.fields[i],
        _POOL, layout.limit, hot, layout.graph.cold, sweeps, levels, seed,
    )  # fmt: skip
    _finish(layout, state, i)
    return 3.0 * layout.blocks * sweeps + 4.0 * flips + 0.7 * visits + 1000.0 * levels


def _finish(layout: Layout, state: State, i: int) -> float:
    """End row i in a local optimum of single flips (real fields are summed afresh first); return the gain."""
    arrays = (layout.indptr, layout.indices, layout.weights, state.up[i], state.fields[i])
    if layout.eps:
        _fill_fields(*arrays, layout.graph.n)
    least = layout.weights.dtype.type(layout.eps or 1)
    return float(_descend(*arrays, least))
