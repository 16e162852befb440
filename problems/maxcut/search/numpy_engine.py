"""The engine without a compiler: many candidates at once, by sparse products or dense ones."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from problems.maxcut.search import dense_sweeps, sparse_sweeps
from problems.maxcut.search.colouring import greedy_colouring
from problems.maxcut.search.engine import Sweeps
from problems.maxcut.search.graph import CutGraph

NAME = "numpy"
REPLICAS = 32  # rows that are worth annealing at once
SHARE = 0.25  # of the usual sweeps: many short anneals or one long one
FULL = 800  # vertices from which anneals have all of that share
PER_COLOUR, PER_EDGE = 9_000, 12  # vertex pairs that a dense sweep takes in the same time, see `dense_pays`

Layout: TypeAlias = dense_sweeps.Layout | sparse_sweeps.Layout


def share(graph: CutGraph) -> float:
    """Return the share of the usual sweeps that an anneal of the graph takes; small ones need fewer."""
    return SHARE * float(min(1.0, graph.n / FULL) ** 1.5)


def edges_swept(graph: CutGraph) -> float:
    """Return how many edges a sweep costs: those of a dense graph come cheaper."""
    return min(len(graph.indices) / 2, graph.n**2 / PER_EDGE)


def prepare(graph: CutGraph) -> Layout:
    """Choose the faster way to sweep, and prepare for it."""
    colour = greedy_colouring(graph.indptr, graph.indices)
    if dense_pays(graph, int(colour.max(initial=0)) + 1):
        return dense_sweeps.prepare(graph, colour)
    return sparse_sweeps.prepare(graph, colour)


def dense_pays(graph: CutGraph, colours: int) -> bool:
    """Whether dense sweeps are the faster ones.

    With 32 candidates a dense sweep takes 1 µs a colour and 1.5 ns a pair of vertices, a sparse one 15 µs a
    colour and 19 ns an edge (``scripts/benchmarks/maxcut/densities.py --both``).
    """
    return graph.n**2 <= PER_COLOUR * colours + PER_EDGE * (len(graph.indices) // 2)


def load(layout: Layout, spins: NDArray[np.int8]) -> Any:
    """Make states from rows of spins (-1, 1) in the graph's own order."""
    return _sweeps(layout).load(layout, spins)


def unload(layout: Layout, state: Any) -> NDArray[np.int8]:
    """Return rows of spins (-1, 1) in the graph's own order."""
    return _sweeps(layout).unload(layout, state)


def anneal(layout: Layout, state: Any, sweeps: int, seeds: NDArray[np.uint64]) -> float:
    """Cool all candidates in place over ``sweeps`` sweeps, then descend; return the work done."""
    return _sweeps(layout).anneal(layout, state, sweeps, seeds)


def reheat(
    layout: Layout, state: Any, temperature: float, sweeps: int, seeds: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], float]:
    """Reheat copies to ``temperature``, cool them, and take from their ends what improves."""
    return _sweeps(layout).reheat(layout, state, temperature, sweeps, seeds)


def _sweeps(layout: Layout) -> Sweeps:
    return dense_sweeps if isinstance(layout, dense_sweeps.Layout) else sparse_sweeps
