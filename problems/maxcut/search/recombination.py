"""Recombining cuts exactly: of all that a few elites leave open, the best.

Vertices joined by edges whose relative side is the same in all parents become one group, and the sides of the
groups are chosen by dynamic programming: a cross-entropy fit whose certainties are kept and whose
uncertainties are solved. Two parents that differ in several components are crossed so component by component;
more parents leave more open.

References
----------
Bertelè & Brioschi (1972), "Nonserial Dynamic Programming", Academic Press (elimination); Tinós, Whitley &
Chicano (2015), "Partition crossover for pseudo-Boolean optimization", FOGA XIII (two parents, component by
component).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from problems.maxcut.search.elimination import eliminate
from problems.maxcut.search.engine import Engine
from problems.maxcut.search.graph import CutGraph, contract
from problems.maxcut.search.improvement import LENGTHS, TEMPERATURES, ReheatChoice, anneal_sweeps, seeds

WIDTH = 14  # neighbours of an eliminated group: tables of 16,384 entries
CAPACITY = 2**23  # entries of all tables: 8 MB of decisions
DEEPENING = 0.15  # sweeps of a child's reheats by those of an anneal; the last one is cut short


def recombine(
    engine: Engine, layout: Any, parents: NDArray[np.int8], rng: np.random.Generator, effort: int
) -> tuple[NDArray[np.int8], int]:
    """Make the best child of some cuts, and deepen a copy of it by reheats.

    Parameters
    ----------
    engine : Engine
    layout : object
        What the engine has prepared from the graph.
    parents : ndarray of -1 and 1, shape (k, n)
        The best one first.
    rng : numpy.random.Generator
    effort : int
        How long anneals are, see `anneal_sweeps`: the reheats take .15 of their sweeps.

    Returns
    -------
    ndarray of -1 and 1, shape (2, n)
        The child, no worse than the first parent, and what the reheats made of it, no worse than the child.
    int
        Number of reheats.
    """
    graph = layout.graph
    child = cross(graph, parents, rng)
    state, reheats = engine.load(layout, child[None]), 0
    choice, sweeps = ReheatChoice.fresh(), anneal_sweeps(engine, graph, effort)
    left = DEEPENING * sweeps
    while left > 0:
        kind = choice.choose(rng)
        temperature, length = divmod(kind, len(LENGTHS))
        count = max(10, round(min(LENGTHS[length] * sweeps, left)))
        gains, spent = engine.reheat(
            layout, state, TEMPERATURES[temperature] * graph.rms, count, seeds(rng, 1)
        )
        choice.learn(kind, float(gains[0] > 0), spent)
        left -= count
        reheats += 1
    return np.concatenate((child[None], engine.unload(layout, state))), reheats


def cross(
    graph: CutGraph, parents: NDArray[np.int8], rng: np.random.Generator, width: int = WIDTH
) -> NDArray[np.int8]:
    """Return the best cut, shape (n,), that keeps the edges on which all parents, shape (k, n), agree.

    It is the best where no group has more than `width` neighbours at its elimination, and never worse than
    the first parent. Where groups are linked to too many others for that (on average, to more than twice the
    width), it is the first parent.
    """
    first: NDArray[np.int8] = parents[0].copy()
    small = contract(graph, parents)
    groups = small.graph
    n, links = groups.n, len(groups.indices)
    if links == 0 or links > 2 * width * n:
        return first
    ends = np.bincount(small.label, np.diff(graph.indptr), n)
    flips, _ = eliminate(
        groups.indptr, groups.indices, groups.weights, int(ends.argmax()), rng.permutation(n),
        rng.random(2**width + n) < 0.5, rng.integers(n + 1, size=n), width, CAPACITY,
    )  # fmt: skip
    spins = np.where(flips, -1, 1).astype(np.int8)
    rounded = groups.weights.dtype.kind == "f"
    if rounded and not _gain(groups, flips) > 1e-9 * graph.hot:
        return first
    return small.expand(spins)


def _gain(graph: CutGraph, flips: NDArray[np.bool_]) -> float:
    """Return what a cut gains, all ends of whose edges lie on one side so far."""
    changed = np.repeat(flips, np.diff(graph.indptr)) != flips[graph.indices]
    return float(graph.weights[changed].sum() / 2)
