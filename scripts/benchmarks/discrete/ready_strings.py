"""Ready problems over bits: their own improvement beside the plan for strings, which knows only their values.

    python scripts/benchmarks/discrete/ready_strings.py

Either has 50 evaluations a variable, as the problem counts them, on three instances of each kind and size.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, positive
from problems.knapsack import MultiKnapsack
from problems.maxsat import MaxSAT
from problems.partitioning import NumberPartitioning
from problems.qubo import QUBO


def formula(n: int, seed: int) -> MaxSAT:
    """Random 3-SAT with five clauses a variable: too many to hold all."""
    return MaxSAT.random(n, 5 * n, rng=seed)


def quadratic(n: int, seed: int) -> QUBO:
    """Whole numbers of -100 to 100, one pair in ten, as Beasley's instances have them."""
    rng = np.random.default_rng(seed)
    Q = rng.integers(-100, 100, (n, n), endpoint=True) * (rng.random((n, n)) < 0.1)
    return QUBO(np.triu(Q))


def knapsack(n: int, seed: int) -> MultiKnapsack:
    """Five capacities of half the weights; values follow the weights, as Chu and Beasley's do."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 1000, (5, n), endpoint=True)
    values = weights.sum(axis=0) // 5 + rng.integers(0, 500, n, endpoint=True)
    return MultiKnapsack(values, weights, weights.sum(axis=1) // 2)


def numbers(n: int, seed: int) -> NumberPartitioning:
    """Numbers up to 2**40, too large to be split evenly by luck."""
    return NumberPartitioning(np.random.default_rng(seed).integers(1, 2**40, n))


INSTANCES: dict[str, tuple[Callable[[int, int], Any], tuple[int, ...]]] = {
    "MaxSAT": (formula, (50, 100)),
    "QUBO": (quadratic, (50, 100)),
    "MultiKnapsack": (knapsack, (50, 100)),
    "NumberPartitioning": (numbers, (30, 50)),
}


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=300, runs=3)
    parser.add_argument("--multiple", type=positive(int), default=50, help="evaluations per variable (50)")
    given = parser.parse_args()
    print("| problem | n | own is better | equal | strings are better | own s | strings s |")
    print("|---|---|---|---|---|---|---|")
    for name, (make, sizes) in INSTANCES.items():
        for n in sizes:
            rows = [
                compared(make(n, seed), given.multiple * n)
                for seed in range(given.seed, given.seed + given.runs)
            ]
            ahead, own, strings = np.array(rows).T
            wins = " | ".join(str((ahead == sign).sum()) for sign in (1, 0, -1))
            print(f"| {name} | {n} | {wins} | {np.median(own):.2f} | {np.median(strings):.2f} |", flush=True)


def compared(problem: Any, budget: int) -> tuple[float, float, float]:
    """Return the sign of how far the problem's own search is ahead, its seconds, and the strings' plan's."""
    values, seconds = [], []
    for improve in (None, False):
        began = time.process_time()
        r = cem.optimize(problem, improve=improve, max_evaluations=budget, rng=1)
        values.append(r.fun if problem.maximize else -r.fun)
        seconds.append(time.process_time() - began)
    return float(np.sign(values[0] - values[1])), seconds[0], seconds[1]


if __name__ == "__main__":
    carry_out_benchmark(main)
