"""Time of a sweep without a compiler, at every density from three edges a vertex to complete.

A Markdown table. The time is the processor's, of one thread, for a sweep of 32 candidates. The last column
is the time an edge, divided by the least of the graphs here that have about as many edges. --both times
sparse and dense sweeps of each graph beside each other, whichever the engine takes.
"""

# ruff: noqa: E402 - the thread counts must be set before numpy is imported
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from problems.command import carry_out_benchmark, make_benchmark_parser, whole
from problems.maxcut import MaxCut
from problems.maxcut.search import dense_sweeps, numpy_engine, sparse_sweeps
from problems.maxcut.search.colouring import greedy_colouring
from problems.maxcut.search.graph import CutGraph

VERTICES = (50, 200, 1000, 3000)
EDGES_PER_VERTEX = (3, 6, 12, 25, 50, 100, 200, 500)  # and complete
SECONDS = 0.1  # a measurement
LEAST_SWEEPS = 16
REPEATS = 3
ALIKE = 1.3  # numbers of edges whose ratio is no more are taken for the same


class Measured(NamedTuple):
    """A graph and the seconds of a sweep of 32 candidates, by the engine's choice."""

    n: int
    edges: int
    colours: int
    kind: str
    seconds: float


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0)
    parser.add_argument("--vertices", type=whole(2), nargs="+", default=VERTICES)
    parser.add_argument("--both", action="store_true", help="sparse and dense sweeps of each graph")
    given = parser.parse_args()
    graphs = (graph for n in given.vertices for graph in densities(n, given.seed))
    if given.both:
        beside(graphs)
        return
    measured = [measure(graph) for graph in graphs]
    print("| vertices | edges | colours | sweeps | ms a sweep | ns an edge and candidate | × the least |")
    print("|---:|---:|---:|---|---:|---:|---:|")
    for row in measured:
        alike = [
            other.seconds / other.edges
            for other in measured
            if max(row.edges, other.edges) <= ALIKE * min(row.edges, other.edges)
        ]
        print(
            f"| {row.n:,} | {row.edges:,} | {row.colours} | {row.kind} | {1e3 * row.seconds:.3f} "
            f"| {1e9 * row.seconds / row.edges / numpy_engine.REPLICAS:.3f} "
            f"| {row.seconds / row.edges / min(alike):.1f} |"
        )


def beside(graphs: Iterator[CutGraph]) -> None:
    """Print the times of both kinds of sweeps."""
    print("| vertices | edges | colours | sparse, ms a sweep | dense | taken |")
    print("|---:|---:|---:|---:|---:|---|")
    for graph in graphs:
        colour = greedy_colouring(graph.indptr, graph.indices)
        colours = int(colour.max()) + 1
        sparse, dense = (
            1e3 * sweep_seconds(module.prepare(graph, colour)) for module in (sparse_sweeps, dense_sweeps)
        )
        taken = "dense" if numpy_engine.dense_pays(graph, colours) else "sparse"
        edges = len(graph.indices) // 2
        print(f"| {graph.n:,} | {edges:,} | {colours} | {sparse:.3f} | {dense:.3f} | {taken} |", flush=True)


def densities(n: int, seed: int) -> Iterator[CutGraph]:
    """Draw random graphs of n vertices."""
    pairs = n * (n - 1) // 2
    for edges in [each * n for each in EDGES_PER_VERTEX if each * n < 0.9 * pairs] + [pairs]:
        graph = MaxCut.random(n, edge_probability=edges / pairs, rng=n + seed)
        yield CutGraph.from_edges(n, *graph.edges.T, graph.weights.astype(np.int64))


def measure(graph: CutGraph) -> Measured:
    """Time the sweeps that the engine takes."""
    layout = numpy_engine.prepare(graph)
    kind = "dense" if isinstance(layout, dense_sweeps.Layout) else "sparse"
    colours = int(greedy_colouring(graph.indptr, graph.indices).max()) + 1
    return Measured(graph.n, len(graph.indices) // 2, colours, kind, sweep_seconds(layout))


def sweep_seconds(layout: Any) -> float:
    """Time a sweep: a long reheat less a short one, from annealed cuts; the best of several."""
    rng = np.random.default_rng(0)
    spins = (2 * rng.integers(2, size=(numpy_engine.REPLICAS, layout.graph.n)) - 1).astype(np.int8)
    seeds = np.arange(numpy_engine.REPLICAS, dtype=np.uint64)
    state = numpy_engine.load(layout, spins)
    numpy_engine.anneal(layout, state, LEAST_SWEEPS, seeds)

    def seconds(sweeps: int) -> float:
        began = time.process_time()
        numpy_engine.reheat(layout, state, layout.graph.cold, sweeps, seeds)
        return time.process_time() - began

    many = LEAST_SWEEPS
    while seconds(many) < SECONDS:
        many *= 2
    long, short = np.min([(seconds(many), seconds(many // 8)) for _ in range(REPEATS)], axis=0)
    return float(long - short) / (many - many // 8)


if __name__ == "__main__":
    carry_out_benchmark(main)
