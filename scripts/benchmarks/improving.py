"""What workers gain where a problem's own search does the work; a Markdown table.

Each problem is searched for the same iterations by one worker and by two, in turn: the answers are the same
to the last bit, which is checked. *Timed* are wall times, which other work on the machine distorts. *Counted*
is what one worker's processor seconds would make of it: pieces go to whoever is free, in their order, and
everything else waits for the longest.
"""

# ruff: noqa: E402 - the thread counts must be set before numpy is imported
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import heapq
import time
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

import numpy as np

import cem
from cem.evaluation import Evaluator
from problems.command import carry_out_benchmark, make_benchmark_parser
from problems.knapsack import MultiKnapsack
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT
from problems.qubo import QUBO
from problems.tsp import TSP


def knapsack(n: int, m: int) -> MultiKnapsack:
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 1000, size=(m, n))
    return MultiKnapsack(rng.integers(1, 1000, size=n), weights, weights.sum(axis=1) // 2)


def qubo(n: int) -> QUBO:
    rng = np.random.default_rng(1)
    return QUBO(np.where(rng.random((n, n)) < 0.05, rng.integers(-100, 101, size=(n, n)), 0))


PROBLEMS: dict[str, tuple[Callable[[], Any], int]] = {
    "max-cut, torus of 7,000": (lambda: MaxCut.torus(70, 100, rng=1), 12),
    "max-cut, 2,000 vertices, 20,000 edges": (
        lambda: MaxCut.random(2000, edge_probability=0.01, rng=1),
        12,
    ),
    "max-SAT, 1,000 variables, 4,200 clauses": (lambda: MaxSAT.random(1000, 4200, rng=1), 100),
    "QUBO, 1,000 variables": (lambda: qubo(1000), 8),
    "knapsack, 1,000 items, 10 capacities": (lambda: knapsack(1000, 10), 40),
    "travelling salesman, 400 cities": (lambda: TSP.random(400, rng=1), 6),
}


COUNTED = (2, 16)


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=3, jobs=2)
    parser.add_argument("--only", default="", help="part of a name")
    given = parser.parse_args()
    if not any(given.only in name for name in PROBLEMS):
        parser.error(f"no problem is named like {given.only!r}")
    print(f"| problem | iterations | 1 worker, s | in pieces | 2 counted | 16 counted | {given.jobs} timed |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, (make, iterations) in PROBLEMS.items():
        if given.only not in name:
            continue
        problem = make()
        cem.optimize(problem, max_iterations=iterations, rng=1)  # compiles, and prepares the problem
        timed: dict[int, list[float]] = {1: [], given.jobs: []}
        ratios, shares, answers = [], [], []
        for _ in range(given.runs):
            total, batches, answer = counting(problem, iterations, given.seed)
            inside = sum(map(sum, batches))
            spans = [sum(span(each, workers) for each in batches) for workers in COUNTED]
            ratios.append([total / (total - inside + each) for each in spans])
            shares.append(inside / total)
            answers.append(answer)
            for workers, times in timed.items():
                spent, answer = timing(problem, iterations, workers, given.seed)
                times.append(spent)
                answers.append(answer)
        if len(set(answers)) > 1:
            raise SystemExit(f"{name}: the number of workers changes the answer")
        one, several = (float(np.median(times)) for times in timed.values())
        counted = " | ".join(f"{each:.2f}" for each in np.median(ratios, axis=0))
        cells = f"{one:.2f} | {100 * np.median(shares):.0f} % | {counted} | {one / several:.2f}"
        print(f"| {name} | {iterations} | {cells} |", flush=True)


def counting(problem: Any, iterations: int, seed: int) -> tuple[float, list[list[float]], bytes]:
    """Return the processor seconds of a run, those of each batch's pieces, and a digest of the answer."""
    batches: list[list[float]] = []

    def measured(self: Evaluator, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        batches.append([])
        results = []
        for item in items:
            began = time.process_time()
            results.append(function(item))
            batches[-1].append(time.process_time() - began)
        return results

    with patch.object(Evaluator, "side_by_side", measured):
        began = time.process_time()
        result = cem.optimize(problem, max_iterations=iterations, rng=seed)
        total = time.process_time() - began
    return total, batches, digest(result)


def span(seconds: list[float], workers: int) -> float:
    """Return when the last of some pieces ends that go to the first worker who is free."""
    ends = [0.0] * workers
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def timing(problem: Any, iterations: int, workers: int, seed: int) -> tuple[float, bytes]:
    """Return the seconds of a run, and a digest of the answer."""
    began = time.perf_counter()
    result = cem.optimize(problem, max_iterations=iterations, n_jobs=workers, rng=seed)
    return time.perf_counter() - began, digest(result)


def digest(result: cem.OptimizeResult) -> bytes:
    """Return the bits of an answer and of the way there."""
    return bytes(result.x.tobytes() + result.history.mean.tobytes())


if __name__ == "__main__":
    carry_out_benchmark(main)
