"""What exact recombination is worth: the search with it and without, in the same run; a Markdown table.

Without files, the graphs are toroidal grids of weights -1 and 1, drawn anew. Seconds are those of the
processor, one core, so that other work on the machine doesn't count; compiling is not timed. A gap is counted
from the best known value, where a run ends, or else from the best of all runs on the graph.
"""

# ruff: noqa: E402 - the thread counts must be set before numpy is imported
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from compare import read_graphs
from solvers import compile_kernels, installed

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, positive, whole
from problems.maxcut import MaxCut


class Alone(MaxCut):
    """The same graph, whose elites are fitted but not recombined: the control."""

    recombine = None  # type: ignore[assignment]


METHODS: dict[str, type[MaxCut]] = {"exact recombination": MaxCut, "without": Alone}


def sides(text: str) -> tuple[int, int]:
    """Read the sides of a grid such as 50x100, for a parser."""
    rows, columns = map(int, text.split("x"))
    return rows, columns


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=1)
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="graph files, or folders of them")
    parser.add_argument(
        "--sizes", nargs="+", type=sides, default=[(50, 100), (70, 100)], help="of the grids drawn"
    )
    parser.add_argument("--graph-seeds", type=whole(0), nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument(
        "--looks", type=positive(float), nargs="+", default=[1, 2, 5], help="when to look (1 2 5)"
    )
    parser.add_argument(
        "--vertices", type=positive(int), nargs=2, default=(1, 2**31), metavar=("LEAST", "MOST")
    )
    given = parser.parse_args()
    known: dict[str, float] = {}
    graphs = [MaxCut.torus(*pair, rng=seed) for pair in given.sizes for seed in given.graph_seeds]
    if given.paths:
        known, graphs = read_graphs(parser, given.paths, given.vertices)
    if installed("numba"):
        compile_kernels()
    looks = sorted(given.looks)
    print("Processor seconds of one thread, on a machine with other work.\n")
    heads = " | ".join(f"{t:g} s" for t in looks)
    print(f"| graph | n | best | method | seed | {heads} | best after s |")
    print("|---|---:|---:|---|---:|" + "---:|" * (len(looks) + 1))
    gaps: dict[str, list[list[float]]] = {name: [] for name in METHODS}
    for graph in graphs:
        runs = {
            (name, seed): trace(
                cls(graph.n, graph.edges, graph.weights, known.get(graph.name)), looks[-1], seed
            )
            for seed in range(given.seed, given.seed + given.runs)
            for name, cls in METHODS.items()
        }
        best = known.get(graph.name, max(run[-1][1] for run in runs.values()))
        for (name, seed), run in runs.items():
            values = [max((v for t, v in run if t <= look), default=math.nan) for look in looks]
            gaps[name].append([best - v for v in values])
            cells = " | ".join(f"{v:,.10g}" for v in values)
            first = f"| {graph.name} | {graph.n:,} | {best:,.10g} | {name} | {seed}"
            print(f"{first} | {cells} | {run[-1][0]:.1f} |", flush=True)
    print(f"\n| mean gap | {heads} | runs at the best |")
    print("|---|" + "---:|" * (len(looks) + 1))
    for name, missing in gaps.items():
        hits = sum(each[-1] <= 0 for each in missing)
        cells = " | ".join(f"{gap:.2f}" for gap in np.mean(missing, axis=0))
        print(f"| {name} | {cells} | {hits} of {len(missing)} |")


def trace(graph: MaxCut, seconds: float, seed: int) -> list[tuple[float, float]]:
    """Return when (in processor seconds) each better cut was found, and its value."""
    found: list[tuple[float, float]] = []
    began = time.process_time()

    def look(intermediate_result: Any) -> bool:
        spent = time.process_time() - began
        if not found or intermediate_result.fun > found[-1][1]:
            found.append((spent, float(intermediate_result.fun)))
        return spent > seconds

    end = cem.optimize(graph, max_time=100 * seconds, callback=look, rng=seed)
    if not found or end.fun > found[-1][1]:  # the optimum ends a run at once
        found.append((time.process_time() - began, float(end.fun)))
    return found


if __name__ == "__main__":
    carry_out_benchmark(main)
