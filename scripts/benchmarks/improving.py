"""What two workers gain where a problem's own search does the work; a Markdown table.

Each problem is searched for the same iterations by one worker and by two, in turn: the answers are the same
to the last bit, which is checked. Wall times, which other work on the machine distorts; *in improve* is the
share of one worker's time that its pieces take, which is what can be shared.
"""

# ruff: noqa: E402 - the thread counts must be set before numpy is imported
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

import cem
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
    "max-cut, torus of 7,000": (lambda: MaxCut.torus(70, 100, rng=1), 10),
    "max-cut, 2,000 vertices, 20,000 edges": (
        lambda: MaxCut.random(2000, edge_probability=0.01, rng=1),
        10,
    ),
    "max-SAT, 1,000 variables, 4,200 clauses": (lambda: MaxSAT.random(1000, 4200, rng=1), 10),
    "QUBO, 1,000 variables": (lambda: qubo(1000), 8),
    "knapsack, 1,000 items, 10 capacities": (lambda: knapsack(1000, 10), 3),
    "travelling salesman, 400 cities": (lambda: TSP.random(400, rng=1), 10),
}


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=3, jobs=2)
    parser.add_argument("--only", default="", help="part of a name")
    given = parser.parse_args()
    print(f"| problem | iterations | 1 worker, s | in improve | {given.jobs} workers, s | ratio |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (make, iterations) in PROBLEMS.items():
        if given.only not in name:
            continue
        problem = make()
        cem.optimize(problem, max_iterations=iterations, rng=1)  # compiles, and prepares the problem
        timed: dict[int, list[float]] = {1: [], given.jobs: []}
        inside, answers = 0.0, []
        for _ in range(given.runs):
            for workers, times in timed.items():
                spent, within, answer = timing(problem, iterations, workers, given.seed)
                times.append(spent)
                inside += within if workers == 1 else 0.0
                answers.append(answer)
        if len(set(answers)) > 1:
            raise SystemExit(f"{name}: the number of workers changes the answer")
        one, several = (float(np.median(times)) for times in timed.values())
        share = 100 * inside / sum(timed[1])
        cells = f"{one:.2f} | {share:.0f} % | {several:.2f} | {one / several:.2f}"
        print(f"| {name} | {iterations} | {cells} |", flush=True)


def timing(problem: Any, iterations: int, workers: int, seed: int) -> tuple[float, float, bytes]:
    """Return the seconds of a run, those inside the problem's search, and a digest of the answer."""
    inside = 0.0

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            nonlocal inside
            began = time.perf_counter()
            result = method(self, *args)
            inside += time.perf_counter() - began
            return result

        return call

    names = [name for name in ("improve", "recombine") if hasattr(problem, name)]
    patches = [patch.object(type(problem), name, timed(getattr(type(problem), name))) for name in names]
    for each in patches:
        each.start()
    began = time.perf_counter()
    result = cem.optimize(problem, max_iterations=iterations, n_jobs=workers, rng=seed)
    spent = time.perf_counter() - began
    for each in patches:
        each.stop()
    return spent, inside, result.x.tobytes() + result.history.mean.tobytes()


if __name__ == "__main__":
    carry_out_benchmark(main)
