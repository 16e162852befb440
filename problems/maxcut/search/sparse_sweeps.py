"""Annealing and component-accepted reheats of sparse graphs, many candidates at once, by scipy's products.

Vertices of one colour of a greedy colouring don't touch, so all of a class may be offered their flips at the
same time: one product of the class's sparse rows with the spins of all candidates gives their fields
h_v = Σ_u w_uv s_u, and where s_v h_v >= -T·E (E exponential) spin v flips. The interpreter's cost is then per
class and sweep, shared by all candidates of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from problems.maxcut.search.components import by_edges
from problems.maxcut.search.graph import CutGraph

_POOL = np.random.Generator(np.random.PCG64(20_24)).exponential(size=1 << 20).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Layout:
    """A graph renumbered so that each colour is a run of rows.

    Attributes
    ----------
    order : ndarray
        The graph's vertex at each place.
    classes : list of (slice, sparse rows)
        The places of a colour and their rows of the weight matrix.
    heads, tails, weights : ndarray
        Each edge once, between places.
    dtype : type
        In which fields are exact: float32 up to 2**24.
    """

    graph: CutGraph
    order: NDArray[np.int64]
    classes: list[tuple[slice, sparse.csr_array]]
    heads: NDArray[np.int64]
    tails: NDArray[np.int64]
    weights: NDArray[np.float64]
    dtype: Any
    eps: float


@dataclass(eq=False)
class State:
    """Spins (-1, 1): one row per place, one column per candidate, contiguous for the sparse product."""

    spins: NDArray[Any]


def prepare(graph: CutGraph, colour: NDArray[np.int64]) -> Layout:
    """Renumber ``graph`` by colour."""
    order = np.argsort(colour, kind="stable")
    matrix = graph.matrix()[order][:, order].tocsr()
    heaviest = float(abs(matrix).sum(axis=1).max(initial=0))
    exact = graph.weights.dtype.kind != "f" and heaviest < 2**24
    dtype = np.float32 if exact else np.float64
    ends = np.cumsum(np.bincount(colour, minlength=1))
    classes = [
        (slice(int(start), int(end)), matrix[start:end].astype(dtype))
        for start, end in zip(np.r_[0, ends[:-1]], ends, strict=True)
    ]
    upper = sparse.triu(matrix, k=1).tocoo()
    eps = 1e-9 * graph.hot if graph.weights.dtype.kind == "f" else 0.0
    return Layout(
        graph, order, classes, upper.row.astype(np.int64), upper.col.astype(np.int64),
        upper.data.astype(np.float64), dtype, eps,
    )  # fmt: skip


def load(layout: Layout, spins: NDArray[np.int8]) -> State:
    """Make states from rows of spins (-1, 1) in the graph's own order."""
    return State(np.ascontiguousarray(spins[:, layout.order].T, dtype=layout.dtype))


def unload(layout: Layout, state: State) -> NDArray[np.int8]:
    """Return rows of spins (-1, 1) in the graph's own order."""
    spins = np.empty(state.spins.T.shape, np.int8)
    spins[:, layout.order] = state.spins.T
    return spins


def anneal(layout: Layout, state: State, sweeps: int, seeds: NDArray[np.uint64]) -> float:
    """Cool all candidates in place over ``sweeps`` sweeps, then descend; return the work done."""
    return _cool(layout, state, sweeps, np.random.default_rng(seeds), layout.graph.hot)


def _cool(layout: Layout, state: State, sweeps: int, rng: np.random.Generator, hot: float) -> float:
    spins, rows = state.spins, state.spins.shape[1]
    pool = _POOL.astype(layout.dtype, copy=False)
    temperatures = np.geomspace(hot, layout.graph.cold, sweeps)
    widest = max((c.stop - c.start for c, _ in layout.classes), default=0) * rows
    repeats = -(-2 * widest // len(pool))
    if repeats > 1:
        pool = np.tile(pool, repeats)
    offsets = rng.integers(len(pool) - widest + 1, size=(sweeps, len(layout.classes)))
    for temperature, row_offsets in zip(temperatures.tolist(), offsets.tolist(), strict=True):
        for (places, matrix), offset in zip(layout.classes, row_offsets, strict=True):
            side = spins[places]
            gains = matrix @ spins
            gains *= side
            thresholds = pool[offset : offset + side.size].reshape(side.shape) * -temperature
            np.negative(side, out=side, where=gains >= thresholds)
    descended = _descend(layout, state)
    return float((sweeps + descended) * rows * (0.3 * len(layout.heads) + 3.0 * layout.graph.n))


def _descend(layout: Layout, state: State) -> int:
    """Flip while a single flip gains; return the number of sweeps."""
    sweeps, moved = 0, True
    while moved:
        moved = False
        sweeps += 1
        for places, matrix in layout.classes:
            side = state.spins[places]
            better = (matrix @ state.spins) * side > layout.eps
            if better.any():
                moved = True
                np.negative(side, out=side, where=better)
    return sweeps


def reheat(
    layout: Layout, state: State, temperature: float, sweeps: int, seeds: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], float]:
    """Reheat copies to ``temperature``, cool them, and take from their ends what improves.

    Of the difference between a candidate and its end (up to complement) each connected component is a move on
    its own with an exact gain: those that gain are made, ties by a coin.

    Returns
    -------
    gains : ndarray
        What each candidate gained (a last descent's share not counted).
    work : float
    """
    rng = np.random.default_rng(seeds)
    end = State(state.spins.copy())
    work = _cool(layout, end, sweeps, rng, max(temperature, layout.graph.cold))
    gains = _accept_components(layout, state, end, rng)
    _descend(layout, state)
    return gains, work


def _accept_components(
    layout: Layout, state: State, end: State, rng: np.random.Generator
) -> NDArray[np.float64]:
    n, rows = state.spins.shape
    different = state.spins != end.spins
    different ^= 2 * different.sum(axis=0) > n  # the complement is the same cut, and nearer
    if not different.any():
        return np.zeros(rows)
    count, label = by_edges(different, layout.heads, layout.tails)
    place, owner_of = np.nonzero(different)
    labels = np.empty(different.shape, np.int32)
    labels[different] = label
    at_head = different[layout.heads]
    edge, row = np.nonzero(at_head ^ different[layout.tails])
    u, v = layout.heads[edge], layout.tails[edge]
    inner = labels[np.where(at_head[edge, row], u, v), row]
    aligned = layout.weights[edge] * state.spins[u, row] * state.spins[v, row]
    gains = np.bincount(inner, aligned, count)
    taken = (gains > layout.eps) | ((gains >= -layout.eps) & (rng.random(count) < 0.5))
    flipped = taken[label]
    state.spins[place[flipped], owner_of[flipped]] *= -1
    owner = np.empty(count, np.int64)
    owner[label] = owner_of
    return np.asarray(np.bincount(owner, np.where(taken, gains, 0.0), rows), dtype=np.float64)
