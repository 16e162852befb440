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

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from operator import matmul
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from scipy import sparse

import cem
from problems.maxcut import MaxCut
from problems.maxcut.readers import read_best_known
from problems.maxcut.search import numpy_engine

SWEEPS = 1000  # of one of dwave's reads
MOST_TABU = 5000  # vertices: dwave's tabu search keeps a dense matrix, 16 GB at 20,000
GROWTH = (20_000, 63_000, 200_000, 630_000, 2_000_000)
DEGREE = 10
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="graph files, or folders of them")
    parser.add_argument("--seconds", type=float, default=10, help="a run (10)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS), metavar="NAME")
    parser.add_argument(
        "--best-known", type=Path, metavar="CSV", help="default: best_known.csv beside the first graph"
    )
    parser.add_argument(
        "--stop-at-best", action="store_true", help="our runs end where the best known value is reached"
    )
    parser.add_argument("--vertices", type=int, nargs=2, default=(1, 2**31), metavar=("LEAST", "MOST"))
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--kernel", action="store_true")
    mode.add_argument("--growth", action="store_true")
    mode.add_argument("--floors", action="store_true")
    given = parser.parse_args()
    if not given.paths and not given.growth:
        parser.error("no graphs given")
    try:
        graphs = [graph for graph in map(MaxCut.from_file, files(given.paths)) if fits(graph, given.vertices)]
        best_known = known_values(given.best_known, given.paths)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print("One core, one thread; wall times, which other work on the machine lengthens.\n")
    if given.growth:
        growth(given.seconds)
    elif given.kernel:
        kernel(graphs)
    elif given.floors:
        floors(graphs)
    else:
        solvers = present(given.solvers)
        if given.stop_at_best:
            graphs = [replace(graph, optimum=best_known.get(graph.name)) for graph in graphs]
        compare(graphs, best_known, solvers, given.seconds, given.seeds)


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


# --- the solvers: each gives the value, when it was found, and the seconds spent --------------------------


@dataclass(frozen=True)
class Run:
    """What a solver has found."""

    value: float
    found: float
    spent: float


Solver = Callable[[MaxCut, float, int], Run]


def ours(engine: ModuleType) -> Solver:
    def solve(graph: MaxCut, seconds: float, seed: int) -> Run:
        r = cem.optimize(on_engine(graph, engine), max_time=seconds, target=graph.optimum, rng=seed)
        when = r.history.seconds[r.history.best == r.fun]  # nothing where the last batch was cut short
        return Run(float(r.fun), float(when[0]) if when.size else r.elapsed, r.elapsed)

    return solve


def on_engine(graph: MaxCut, engine: ModuleType) -> MaxCut:
    """Copy a graph, to be searched by an engine other than the installed best."""
    copy = replace(graph)
    vars(copy)["_engine"] = engine
    return copy


def numba_engine() -> ModuleType | None:
    if find_spec("numba") is None:
        return None
    from problems.maxcut.search import numba_engine

    return numba_engine


def numba(graph: MaxCut, seconds: float, seed: int) -> Run:
    from problems.maxcut.search import numba_engine

    return ours(numba_engine)(graph, seconds, seed)


def reads(graph: MaxCut, seconds: float, seed: int) -> Run:
    """Simulated annealing with dwave's defaults, read after read."""
    from dwave.samplers import SimulatedAnnealingSampler

    sampler, model, seeds = SimulatedAnnealingSampler(), ising(graph), np.random.default_rng(seed)
    best, found, count, longest = -math.inf, 0.0, 1, 0.0
    began = last = time.perf_counter()
    while last - began + longest / 2 < seconds:
        drawn = sampler.sample(model, num_reads=count, num_sweeps=SWEEPS, seed=int(seeds.integers(2**31 - 1)))
        now = time.perf_counter()
        value = cut_of(graph, drawn)
        if value > best:
            best, found = value, now - began
        longest, last = now - last, time.perf_counter()
        count = max(1, int(0.02 * seconds * count / longest))  # a call has its own cost: some reads at a time
    return Run(best, found, last - began)


def long_anneal(graph: MaxCut, seconds: float, seed: int) -> Run:
    """One of dwave's anneals, as long as the time allows by the speed of a short one."""
    from dwave.samplers import SimulatedAnnealingSampler

    sampler, model = SimulatedAnnealingSampler(), ising(graph)

    def timed(sweeps: int) -> tuple[float, Any]:
        began = time.perf_counter()
        drawn = sampler.sample(model, num_reads=1, num_sweeps=sweeps, seed=seed)
        return time.perf_counter() - began, drawn

    timed(1)
    fixed, sweeps = timed(1)[0], SWEEPS
    for share in (0.1, 1.0):  # the speed is taken from an anneal of a tenth of the time
        each = max((timed(sweeps)[0] - fixed) / sweeps, 1e-9)
        sweeps = max(1, int((share * seconds - fixed) / each))
    spent, drawn = timed(sweeps)
    return Run(cut_of(graph, drawn), spent, spent)


def tabu(graph: MaxCut, seconds: float, seed: int) -> Run:
    from dwave.samplers import TabuSampler

    if graph.n > MOST_TABU:
        return Run(math.nan, math.nan, math.nan)
    model = ising(graph)
    began = time.perf_counter()
    drawn = TabuSampler().sample(model, num_reads=1, timeout=int(1000 * seconds), seed=seed)
    spent = time.perf_counter() - began
    return Run(cut_of(graph, drawn), spent, spent)


def ising(graph: MaxCut) -> Any:
    """Give dwave's model of a graph: the energy ``sum(w s_i s_j)`` is least where the cut is largest."""
    import dimod

    first, second = graph.edges.T
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.zeros(graph.n), (first, second, graph.weights), 0.0, "SPIN"
    )


def cut_of(graph: MaxCut, drawn: Any) -> float:
    """Value the best of dwave's samples by our own count."""
    best = drawn.record.sample[np.argmin(drawn.record.energy)]
    sides = np.empty(graph.n, dtype=np.uint8)
    sides[np.asarray(drawn.variables)] = best > 0
    return float(graph.cut_value(sides))


SOLVERS: dict[str, Solver] = {
    "cem-numba": numba,
    "cem-numpy": ours(numpy_engine),
    "dwave-reads": reads,
    "dwave-long": long_anneal,
    "dwave-tabu": tabu,
}


def present(names: list[str]) -> dict[str, Solver]:
    """Leave out what is not installed, and say so; compile what is."""
    kept = dict.fromkeys(names)
    for prefix, package, extra in (("cem-numba", "numba", "fast"), ("dwave", "dwave.samplers", "bench")):
        wanted = [name for name in kept if name.startswith(prefix)]
        if wanted and not installed(package):
            print(f"Left out, {package} is missing (pip install 'cemkit[{extra}]'): {', '.join(wanted)}.\n")
            kept = {name: None for name in kept if name not in wanted}
    if "cem-numba" in kept:
        compile_kernels()
    return {name: SOLVERS[name] for name in kept}


def installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def compile_kernels() -> None:
    """Search tiny graphs with weights of each width, so that no run waits for the compiler."""
    for weights in ((1,), (-1, 1), (-300, 300), (-70_000, 70_000), (-0.5, 0.3)):
        tiny = MaxCut.random(60, edge_probability=0.2, weights=weights, rng=1)
        cem.optimize(tiny, max_iterations=12, rng=1)


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


# --- the kernels alone ------------------------------------------------------------------------------------


def kernel(graphs: list[MaxCut], updates: int = 20_000_000) -> None:
    engines = {"numpy": numpy_engine} | ({"numba": found} if (found := numba_engine()) else {})
    with_dwave = installed("dwave.samplers")
    if len(engines) == 1:
        print("Left out, numba is missing (pip install 'cemkit[fast]'): its engine.\n")
    if not with_dwave:
        print("Left out, dwave.samplers is missing (pip install 'cemkit[bench]'): its annealing.\n")
    names = [*engines, *(["dwave"] if with_dwave else [])]
    ratios: list[float] = []
    print(f"Nanoseconds per spin update over anneals of some {updates:,}, the least of {REPEATS}\n")
    print("| graph | n | edges | " + " | ".join(names) + " | dwave / numba |")
    print("|---|" + "---:|" * (len(names) + 3))
    for graph in graphs:
        anneals = {name: our_anneal(graph, engine) for name, engine in engines.items()}
        if with_dwave:
            anneals["dwave"] = dwave_anneal(graph)
        costs = {}
        for name, (anneal, rows) in anneals.items():
            sweeps = max(200, updates // (graph.n * rows))
            costs[name] = 1e9 * per_sweep(anneal, sweeps) / rows / graph.n
        ratio = costs.get("dwave", math.nan) / costs.get("numba", math.nan)
        if not math.isnan(ratio):
            ratios.append(ratio)
        cells = " | ".join(f"{costs[name]:.2f}" for name in names)
        print(f"| {graph.name} | {graph.n:,} | {len(graph.edges):,} | {cells} | {shown(ratio)} |", flush=True)
    if ratios:
        print(
            f"\ndwave / numba: least {min(ratios):.1f}, geometric mean {np.exp(np.mean(np.log(ratios))):.1f}"
        )


def shown(ratio: float) -> str:
    return "–" if math.isnan(ratio) else f"{ratio:.1f}"


def per_sweep(anneal: Callable[[int], Any], sweeps: int) -> float:
    """Time whole anneals less what an anneal of one sweep takes, so that no preparation counts."""
    long, short = (least(partial(anneal, count)) for count in (sweeps, 1))
    return (long - short) / (sweeps - 1)


def our_anneal(graph: MaxCut, engine: ModuleType) -> tuple[Callable[[int], Any], int]:
    """Give a function that anneals so many sweeps, compiled, and the number of candidates it does at once."""
    layout, rows = on_engine(graph, engine)._layout, int(engine.REPLICAS)
    seeds = np.arange(1, rows + 1, dtype=np.uint64)
    spins = (2 * np.random.default_rng(1).integers(0, 2, size=(rows, graph.n)) - 1).astype(np.int8)

    def anneal(sweeps: int) -> None:
        engine.anneal(layout, engine.load(layout, spins), sweeps, seeds)

    anneal(2)
    return anneal, rows


def dwave_anneal(graph: MaxCut) -> tuple[Callable[[int], Any], int]:
    from dwave.samplers import SimulatedAnnealingSampler

    sampler, model = SimulatedAnnealingSampler(), ising(graph)
    return lambda sweeps: sampler.sample(model, num_reads=1, num_sweeps=sweeps, seed=1), 1


# --- growth and memory ------------------------------------------------------------------------------------


def growth(seconds: float, visits: int = 400_000_000) -> None:
    engine = numba_engine() or numpy_engine
    name = engine.__name__.rpartition(".")[2]
    print(f"Random graphs of mean degree {DEGREE}, {name}, whole anneals, the least of {REPEATS}\n")
    print("| edges | n | ns per sweep and edge | of the first |\n|---:|---:|---:|---:|")
    first = math.nan
    for edges in GROWTH:
        graph = random_graph(edges)
        anneal, rows = our_anneal(graph, engine)
        sweeps = max(20, visits // (edges * rows))
        cost = 1e9 * per_sweep(anneal, sweeps) / rows / len(graph.edges)
        first = cost if math.isnan(first) else first
        print(f"| {len(graph.edges):,} | {graph.n:,} | {cost:.3f} | {cost / first:.2f} |", flush=True)
    print(f"\n{peak_memory(1_000_000, seconds)}")


def random_graph(edges: int) -> MaxCut:
    n = 2 * edges // DEGREE
    return MaxCut.random(n, edge_probability=DEGREE / (n - 1), rng=1)


def peak_memory(edges: int, seconds: float) -> str:
    """Run a large graph in a fresh process and say what it took at its peak."""
    code = f"""
import resource
import cem
from pathlib import Path
from problems.maxcut import MaxCut
n = {2 * edges // DEGREE}
graph = MaxCut.random(n, edge_probability={DEGREE} / (n - 1), rng=1)
r = cem.optimize(graph, max_time={seconds}, rng=1)
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
peak = [float(line.split()[1]) for line in lines if line.startswith("VmHWM")]
peak = peak[0] if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{{len(graph.edges):,}} edges: {{peak / 2**20:.2f}} GiB at the peak, cut {{r.fun:,.0f}} after "
      f"{{r.elapsed:.1f}} s of {seconds:g}")
"""
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


# --- cut evaluation ---------------------------------------------------------------------------------------


def floors(graphs: list[MaxCut], candidates: int = 512) -> None:
    print(f"Nanoseconds per edge and candidate, {candidates} candidates of uint8, the least of {REPEATS}\n")
    print("| graph | n | edges | cut values | scipy's bare product | ratio |\n|---|---:|---:|---:|---:|---:|")
    for graph in graphs:
        X = np.random.default_rng(1).integers(0, 2, size=(candidates, graph.n), dtype=np.uint8)
        upper = sparse.csr_array(
            (graph.weights.astype(np.float32), tuple(graph.edges.T)), shape=(graph.n, graph.n)
        )
        columns = X.T.astype(np.float32, order="C")
        jobs: tuple[Callable[[], Any], ...] = (partial(graph, X), partial(matmul, upper, columns))
        ours_, bare = (1e9 * least(job) / len(graph.edges) / candidates for job in jobs)
        print(
            f"| {graph.name} | {graph.n:,} | {len(graph.edges):,} | {ours_:.3f} | {bare:.3f} "
            f"| {ours_ / bare:.2f} |",
            flush=True,
        )


def least(job: Callable[[], Any]) -> float:
    """Give the shortest time of some calls, after one that finds the memory."""
    job()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        job()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main()
