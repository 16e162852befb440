"""Improving a batch of cuts: anneal what the batch leaves open, then deepen by reheats.

A batch of candidates drawn from one distribution tells what that distribution is sure of: where all rows
agree on whether the two ends of an edge lie on one side, the ends are merged, and the anneal decides only
about the groups. (Rows drawn from a fit to a few elites recombine them so; rows of fair coins agree on
nothing, and the whole graph is annealed.) Work is counted, never timed, so that a seed repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from problems.maxcut.search.engine import Engine
from problems.maxcut.search.graph import Contraction, CutGraph, contract

ROWS_PER_CHILD = 24  # a pair that the distribution leaves open agrees in all rows once in 2**23
SWEEPS = 2000
LARGE = 200_000  # edges: larger graphs begin with fewer sweeps, so that a call stays short
MOST_DOUBLINGS = 10
TEMPERATURES = (0.09, 0.13, 0.18, 0.25, 0.33)  # of the rms vertex weight
LENGTHS = (0.03, 0.15, 0.6)  # of the anneal's sweeps
FORGET = 0.995
DEEPENING = 1.0  # work of the reheats by that of the anneal


@dataclass(eq=False)
class ReheatChoice:
    """Which reheat to make next: Thompson sampling on improvements per unit of work.

    Improvements are taken for a Poisson process in work, with a gamma posterior for each kind's rate.
    """

    wins: NDArray[np.float64]
    work: NDArray[np.float64]

    @classmethod
    def fresh(cls) -> ReheatChoice:
        """Know nothing yet."""
        kinds = len(TEMPERATURES) * len(LENGTHS)
        return cls(np.zeros(kinds), np.zeros(kinds))

    def choose(self, rng: np.random.Generator) -> int:
        """Return the number of a kind."""
        scale = self.work.sum() / len(self.work)
        if scale == 0:
            return int(rng.integers(len(self.work)))
        return int(np.argmax(rng.gamma(1 + self.wins) / (0.1 * scale + self.work)))

    def learn(self, kind: int, wins: float, work: float) -> None:
        """Take in what a reheat has brought and cost."""
        self.wins *= FORGET
        self.work *= FORGET
        self.wins[kind] += wins
        self.work[kind] += work


def improve(
    engine: Engine, layout: Any, spins: NDArray[np.int8], rng: np.random.Generator, effort: int
) -> tuple[NDArray[np.int8], int]:
    """Anneal the first rows of a batch and deepen them by reheats for as much work again.

    Parameters
    ----------
    engine : Engine
    layout : object
        What the engine has prepared from the graph.
    spins : ndarray of -1 and 1, shape (rows, n)
        Draws of one distribution.
    rng : numpy.random.Generator
    effort : int
        How long to anneal, see `anneal_sweeps`.

    Returns
    -------
    ndarray of -1 and 1, shape (max(children, rows // 24), n)
        Local optima; as many as the engine anneals at once.
    int
        Number of anneals and reheats made for them.
    """
    graph = layout.graph
    children = min(len(spins), max(engine.REPLICAS, len(spins) // ROWS_PER_CHILD))
    sweeps = anneal_sweeps(engine, graph, effort)
    small = contract(graph, spins) if len(spins) >= ROWS_PER_CHILD // 2 else None
    state, work = _annealed(engine, layout, spins[:children], small, sweeps, rng)
    choice, reheats = ReheatChoice.fresh(), 0
    budget = (1 + DEEPENING) * work
    while work < budget:
        kind = choice.choose(rng)
        temperature, length = divmod(kind, len(LENGTHS))
        gains, spent = engine.reheat(
            layout,
            state,
            TEMPERATURES[temperature] * graph.rms,
            max(10, round(LENGTHS[length] * sweeps)),
            seeds(rng, children),
        )
        choice.learn(kind, float((gains > 0).sum()), spent)
        work += spent
        reheats += 1
    return engine.unload(layout, state), children * (1 + reheats)


def anneal_sweeps(engine: Engine, graph: CutGraph, effort: int) -> int:
    """Return the sweeps of an anneal: 2000, twice as many for each further effort, less on large graphs.

    Above 200,000 edges the first effort takes the same work whatever their number, so that a first call is
    short; later ones take a small part of the time that the run has taken already.
    """
    small = min(1.0, LARGE / max(engine.edges_swept(graph), 1))
    sweeps = engine.share(graph) * SWEEPS * small * 2 ** min(effort - 1, MOST_DOUBLINGS)
    return max(20, int(sweeps))


def seeds(rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """Draw `count` seeds for a kernel."""
    return rng.integers(2**64, size=count, dtype=np.uint64)


def _annealed(
    engine: Engine,
    layout: Any,
    starts: NDArray[np.int8],
    small: Contraction | None,
    sweeps: int,
    rng: np.random.Generator,
) -> tuple[Any, float]:
    """Anneal whole states, or the groups of a contraction; give the engine's state and the work."""
    if small is None or small.graph.n == layout.graph.n:
        state = engine.load(layout, starts)
        return state, engine.anneal(layout, state, sweeps, seeds(rng, len(starts)))
    inner = engine.prepare(small.graph)
    state = engine.load(inner, small.shrink(starts))
    work = engine.anneal(inner, state, sweeps, seeds(rng, len(starts)))
    return engine.load(layout, small.expand(engine.unload(inner, state))), work
