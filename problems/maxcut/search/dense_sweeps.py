"""Annealing and component-accepted reheats of dense or small graphs, many candidates at once, in numpy.

Blocks of vertices are taken one after the other. One product of a block's dense rows with the spins of all
candidates gives the block's fields h_v = Σ_u w_uv s_u, less what its own vertices contribute once they have
been drawn. Inside the block, colour after colour (one vertex each in a complete graph) adds that and draws
spins anew by the heat bath: s_v = sign(T·L - h_v) with L logistic is 1 with probability 1 / (1 + exp(h_v/T)).
This is Gibbs sampling, one colour at a time; numpy is called twice a colour and seven times a block.

Weights and noise are whole multiples of a unit so small that single precision adds them without rounding: the
same seed gives the same bits in whatever order the linear algebra adds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from problems.maxcut.search import components
from problems.maxcut.search.graph import CutGraph

BLOCK = 32  # vertices: 16 to 64 are as fast, in scripts/benchmarks/maxcut/densities.py at 200 and 1000
SPARSE = 30  # edges a vertex up to which components are found by edges
_EXACT = 2**24  # single precision holds all whole numbers up to here
POOL = np.random.Generator(np.random.PCG64(20_24)).logistic(size=1 << 20).astype(np.float32)
_LARGEST = float(abs(POOL).max())


class Colour(NamedTuple):
    """Places ``start … stop - 1`` of a block, whose fields are ``rows`` @ (the block's fields and spins)."""

    rows: NDArray[np.float32]
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Block:
    """Places ``start … stop - 1`` of a layout.

    Attributes
    ----------
    rows : ndarray of float32
        Their negated weights in the layout's unit, 0 from a place to earlier colours of the block.
    colours : list of Colour
        Empty where the block is of one colour.
    """

    start: int
    stop: int
    rows: NDArray[np.float32]
    colours: list[Colour]


@dataclass(frozen=True, eq=False)
class Layout:
    """A graph renumbered by colour, as dense rows.

    Attributes
    ----------
    order : ndarray
        The graph's vertex at each place.
    weights : ndarray, shape (n, n)
        The weight matrix, in a type in which cuts are exact (or rounded as float64, for real weights).
    edges : ndarray, shape (m, 2)
        Each edge once, between places.
    blocks : list of Block
    per_unit : float
        Units of the blocks' rows in a weight of 1.
    """

    graph: CutGraph
    order: NDArray[np.int64]
    weights: NDArray[Any]
    edges: NDArray[np.int64]
    blocks: list[Block]
    per_unit: float
    eps: float

    @property
    def sweep_work(self) -> float:
        """Work of a sweep of one candidate, in `sparse_sweeps`' unit."""
        n, steps = self.graph.n, sum(max(1, len(block.colours)) for block in self.blocks)
        return 0.023 * n * n + 3.0 * n + 16.0 * steps


@dataclass(eq=False)
class State:
    """Spins (-1, 1) and exact fields, one row per candidate."""

    spins: NDArray[Any]
    fields: NDArray[Any]


def prepare(graph: CutGraph, colour: NDArray[np.int64]) -> Layout:
    """Renumber ``graph`` by colour and cut it into blocks."""
    order = np.argsort(colour, kind="stable")
    weights = graph.matrix()[order][:, order].toarray()
    heaviest = float(abs(weights).sum(axis=1, dtype=np.float64).max(initial=0))
    per_unit = 2.0 ** math.floor(math.log2(_EXACT / 2 / (heaviest + _LARGEST * graph.hot)))
    negated = np.rint(weights * -per_unit).astype(np.float32)
    whole = weights.dtype.kind != "f"
    weights = weights.astype(np.float32 if whole and heaviest < _EXACT else np.float64)
    ends = np.cumsum(np.bincount(colour, minlength=1)).tolist()
    blocks = [_block(negated, colours) for colours in _grouped(ends)]
    edges = np.argwhere(np.triu(weights))
    return Layout(graph, order, weights, edges, blocks, per_unit, 0.0 if whole else 1e-9 * graph.hot)


def _grouped(ends: list[int]) -> Iterator[list[int]]:
    """Return the bounds of each block's colours: as many whole ones as fit into a block, or a single one."""
    bounds = [0]
    for end in ends:
        if len(bounds) > 1 and end - bounds[0] > BLOCK:
            yield bounds
            bounds = bounds[-1:]
        bounds.append(end)
    yield bounds


def _block(negated: NDArray[np.float32], bounds: list[int]) -> Block:
    first, last = bounds[0], bounds[-1]
    size, rows, colours = last - first, negated[first:last].copy(), []
    for start, stop in pairwise(bounds) if len(bounds) > 2 else ():
        a, b = start - first, stop - first
        inner = np.zeros((b - a, 2 * size), np.float32)
        inner[:, a:b] = np.eye(b - a)
        inner[:, size : size + a] = rows[a:b, first:start]
        rows[a:b, first:start] = 0
        colours.append(Colour(inner, a, b))
    return Block(first, last, rows, colours)


def load(layout: Layout, spins: NDArray[np.int8]) -> State:
    """Make states from rows of spins (-1, 1) in the graph's own order."""
    return _state(layout, spins[:, layout.order])


def _state(layout: Layout, spins: NDArray[Any]) -> State:
    spins = np.ascontiguousarray(spins, dtype=layout.weights.dtype)
    return State(spins, spins @ layout.weights)


def unload(layout: Layout, state: State) -> NDArray[np.int8]:
    """Return rows of spins (-1, 1) in the graph's own order."""
    spins = np.empty(state.spins.shape, np.int8)
    spins[:, layout.order] = state.spins
    return spins


def anneal(layout: Layout, state: State, sweeps: int, seeds: NDArray[np.uint64]) -> float:
    """Cool all candidates in place over ``sweeps`` sweeps, then descend; return the work done."""
    end, work = _cooled(layout, state, sweeps, np.random.default_rng(seeds), layout.graph.hot)
    state.spins, state.fields = end.spins, end.fields
    return work


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
    end, work = _cooled(layout, state, sweeps, rng, max(temperature, layout.graph.cold))
    gains = accept_components(layout, state, end, rng)
    _descend(layout, state)
    return gains, work


def _cooled(
    layout: Layout, state: State, sweeps: int, rng: np.random.Generator, hot: float
) -> tuple[State, float]:
    """Return the states after an anneal and a descent, and the work done."""
    spins = np.ascontiguousarray(state.spins.T, dtype=np.float32)
    rows = spins.shape[1]
    widest = max(block.stop - block.start for block in layout.blocks) * rows
    pool = np.resize(POOL, max(len(POOL), 2 * widest))
    offsets = rng.integers(len(pool) - widest + 1, size=(sweeps, len(layout.blocks)))
    heat = (np.geomspace(hot, layout.graph.cold, sweeps) * layout.per_unit).astype(np.float32)
    updates = [block_update(block, spins, pool) for block in layout.blocks]
    for temperature, block_offsets in zip(heat, offsets.tolist(), strict=True):
        for update, offset in zip(updates, block_offsets, strict=True):
            update(temperature, offset)
    end = _state(layout, spins.T)
    descended = _descend(layout, end)
    return end, (sweeps + 1) * rows * layout.sweep_work + descended * rows * 3.0 * layout.graph.n


def block_update(
    block: Block, spins: NDArray[np.float32], pool: NDArray[np.float32]
) -> Callable[[np.float32, int], None]:
    """Bind a block to the spins that it updates, with the arrays that it works in."""
    rows, mine = block.rows, spins[block.start : block.stop]
    size, candidates = mine.shape
    both = np.empty((2 * size, candidates), np.float32)
    fields, drawn, noise = both[:size], both[size:], np.empty_like(mine)
    ones = np.ones_like(mine)
    inner = []
    for colour in block.colours:
        a, b = colour.start, colour.stop
        narrow = 0 if b - a == 1 else slice(None)  # a vector's product is the faster one
        inner.append((colour.rows[narrow].dot, noise[a:b][narrow], ones[a:b][narrow], drawn[a:b][narrow]))

    def update(temperature: np.float32, offset: int) -> None:
        rows.dot(spins, fields)
        np.multiply(pool[offset : offset + mine.size].reshape(mine.shape), temperature, noise)
        np.rint(noise, noise)
        np.add(fields, noise, fields)
        drawn[:] = mine
        for fields_of, out, one, target in inner:
            fields_of(both, out)
            np.copysign(one, out, target)
        if not inner:
            np.copysign(ones, fields, drawn)
        mine[:] = drawn

    return update


def _descend(layout: Layout, state: State) -> int:
    """Flip the best vertex of each candidate while that gains; return how many times."""
    flips = 0
    while True:
        gains = state.spins * state.fields
        best = gains.argmax(axis=1)
        row = np.flatnonzero(gains[np.arange(len(best)), best] > layout.eps)
        if not len(row):
            return flips
        flips += 1
        place = best[row]
        state.fields[row] -= 2 * state.spins[row, place][:, None] * layout.weights[place]
        state.spins[row, place] *= -1


def accept_components(
    layout: Layout, state: State, end: State, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Make the moves that gain; give each candidate's gains.

    A component has no edges to the rest of the difference, so that its vertices' fields change from one state
    to the other by what the component itself does, and its gain is Σ s_v (h_v + h'_v) / 2.
    """
    candidates, n = state.spins.shape
    different = (state.spins != end.spins).T
    mirrored = 2 * different.sum(axis=0) > n  # the complement is the same cut, and nearer
    different = different ^ mirrored
    if len(layout.edges) <= SPARSE * n:
        count, label = components.by_edges(different, *layout.edges.T)
    else:
        count, label = components.by_rows(different, layout.weights)
    place, row = np.nonzero(different)
    ends_field = end.fields[row, place] * np.where(mirrored[row], -1, 1)
    halves = state.spins[row, place] * (state.fields[row, place] + ends_field) / 2
    gains = np.bincount(label, halves, count)
    taken = (gains > layout.eps) | ((gains >= -layout.eps) & (rng.random(count) < 0.5))
    flipped = taken[label]
    state.spins[row[flipped], place[flipped]] *= -1
    state.fields = state.spins @ layout.weights
    return np.asarray(np.bincount(row[flipped], halves[flipped], candidates), dtype=np.float64)
