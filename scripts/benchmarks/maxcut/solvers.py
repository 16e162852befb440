"""The solvers that are compared: our two engines and dwave-samplers, each for so many seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

import cem
from problems.maxcut import MaxCut
from problems.maxcut.search import numpy_engine

SWEEPS = 1000  # of one of dwave's reads
MOST_TABU = 5000  # vertices: dwave's tabu search keeps a dense matrix, 16 GB at 20,000


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
    """Return dwave's model of a graph: the energy ``sum(w s_i s_j)`` is least where the cut is largest."""
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
        cem.optimize(tiny, max_iterations=30, rng=1)
