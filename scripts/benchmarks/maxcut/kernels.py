"""What the search is made of, timed by itself: anneals, their growth, and the evaluation of cuts."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from operator import matmul
from types import ModuleType
from typing import Any

import numpy as np
from scipy import sparse
from solvers import installed, ising, numba_engine, on_engine

from problems.maxcut import MaxCut
from problems.maxcut.search import numpy_engine

GROWTH = (20_000, 63_000, 200_000, 630_000, 2_000_000)
DEGREE = 10
REPEATS = 5


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
    """Return a function that anneals so many sweeps, compiled, and how many candidates it does at once."""
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
    """Return the shortest time of some calls, after one that finds the memory."""
    job()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        job()
        times.append(time.perf_counter() - began)
    return min(times)
