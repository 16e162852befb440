"""Max-cut beside dwave-samplers: the same seconds each, one core, one run; Markdown tables.

Without a mode, each solver cuts each graph: our two engines, dwave's simulated annealing by reads of 1,000
sweeps repeated until the time is over, as one long anneal of the same wall time, and its tabu search.
Compiling, and building dwave's model, are not timed.

--kernel   nanoseconds per spin update over whole anneals, each by its own schedule
--growth   nanoseconds per sweep and edge from 20,000 to 2,000,000 edges; peak memory with a million
--floors   cut evaluation in nanoseconds per edge and candidate, beside scipy's bare product
"""

# ruff: noqa: E402 - the thread counts must be set before numpy is imported
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kernels import floors, growth, kernel
from solvers import SOLVERS, Run, Solver, present

from problems.command import carry_out_benchmark, make_benchmark_parser, positive
from problems.maxcut import MaxCut
from problems.reading import read_best_known


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=1, seconds=10)
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="graph files, or folders of them")
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS), metavar="NAME")
    parser.add_argument(
        "--best-known", type=Path, metavar="CSV", help="default: best_known.csv beside the first graph"
    )
    parser.add_argument(
        "--stop-at-best", action="store_true", help="our runs end where the best known value is reached"
    )
    parser.add_argument(
        "--vertices", type=positive(int), nargs=2, default=(1, 2**31), metavar=("LEAST", "MOST")
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--kernel", action="store_true")
    mode.add_argument("--growth", action="store_true")
    mode.add_argument("--floors", action="store_true")
    given = parser.parse_args()
    if not given.paths and not given.growth:
        parser.error("no graphs given")
    best_known, graphs = (
        ({}, []) if given.growth else read_graphs(parser, given.paths, given.vertices, given.best_known)
    )
    print("One core, one thread; wall times, which other work on the machine lengthens.\n")
    if given.growth:
        growth(given.max_time)
    elif given.kernel:
        kernel(graphs)
    elif given.floors:
        floors(graphs)
    else:
        solvers = present(given.solvers)
        if given.stop_at_best:
            graphs = [replace(graph, optimum=best_known.get(graph.name)) for graph in graphs]
        compare(graphs, best_known, solvers, given.max_time, list(range(given.seed, given.seed + given.runs)))


def read_graphs(
    parser: Any, paths: list[Path], vertices: tuple[int, int], best_known: Path | None = None
) -> tuple[dict[str, float], list[MaxCut]]:
    """Return the best known values and the graphs, or end the command where there are none."""
    try:
        known = known_values(best_known, paths)
        graphs = [graph for graph in map(MaxCut.from_file, files(paths)) if fits(graph, vertices)]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not graphs:
        parser.error(f"there is no graph of {vertices[0]} to {vertices[1]} vertices in {paths[0]}")
    return known, graphs


def files(paths: list[Path]) -> list[Path]:
    """Take files as they are, and of folders what is not a table; G9 before G10."""

    def order(path: Path) -> tuple[str, int]:
        digits = "".join(c for c in path.stem if c.isdigit())
        return path.stem.rstrip("0123456789"), int(digits or 0)

    found: list[Path] = []
    for path in paths:
        inside = (
            [p for p in path.iterdir() if p.is_file() and p.suffix != ".csv"] if path.is_dir() else [path]
        )
        found.extend(sorted(inside, key=order))
    return found


def fits(graph: MaxCut, vertices: tuple[int, int]) -> bool:
    return vertices[0] <= graph.n <= vertices[1]


def known_values(table: Path | None, paths: list[Path]) -> dict[str, float]:
    if table is not None:
        return read_best_known(table)
    folders = [path if path.is_dir() else path.parent for path in paths]
    tables = {folder / "best_known.csv" for folder in folders}
    return {name: v for each in tables if each.exists() for name, v in read_best_known(each).items()}


# --- side by side -----------------------------------------------------------------------------------------


def compare(
    graphs: list[MaxCut],
    best_known: dict[str, float],
    solvers: dict[str, Solver],
    seconds: float,
    seeds: list[int],
) -> None:
    results: dict[str, list[tuple[float, Run]]] = {name: [] for name in solvers}
    for graph in graphs:
        runs = {(name, seed): solvers[name](graph, seconds, seed) for seed in seeds for name in solvers}
        known = best_known.get(graph.name)
        best = (
            max(run.value for run in runs.values() if not math.isnan(run.value)) if known is None else known
        )
        kind = "best of these" if known is None else "best known"
        print(f"### {graph.name} ({graph.n:,} vertices, {len(graph.edges):,} edges, {kind} {best:,.10g})\n")
        print("| solver | seed | value | gap % | found after s | spent s |\n|---|---:|---:|---:|---:|---:|")
        for (name, seed), run in sorted(runs.items(), key=lambda item: list(solvers).index(item[0][0])):
            if math.isnan(run.value):
                print(f"| {name} | {seed} | too large | | | |")
                continue
            results[name].append((gap(run.value, best), run))
            print(
                f"| {name} | {seed} | {run.value:,.10g} | {gap(run.value, best):.4f} | {run.found:.2f} "
                f"| {run.spent:.2f} |"
            )
        print(flush=True)
    summarise(results, len(graphs), seconds, seeds)


def gap(value: float, best: float) -> float:
    return 100 * (best - value) / (abs(best) or 1)


def summarise(
    results: dict[str, list[tuple[float, Run]]], graphs: int, seconds: float, seeds: list[int]
) -> None:
    print(f"### {graphs} graphs, {seconds:g} s a run, seeds {', '.join(map(str, seeds))}\n")
    print("| solver | runs | at best known | mean gap % | mean s of hits | mean s spent |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, runs in results.items():
        if not runs:
            continue
        hits = [run.found for missing, run in runs if missing <= 0]
        print(
            f"| {name} | {len(runs)} | {len(hits)} ({100 * len(hits) / len(runs):.0f} %) "
            f"| {np.mean([missing for missing, _ in runs]):.4f} | {f'{np.mean(hits):.2f}' if hits else '–'} "
            f"| {np.mean([run.spent for _, run in runs]):.2f} |"
        )


if __name__ == "__main__":
    carry_out_benchmark(main)
