"""Ready problems over bits: their own improvement beside the plan for strings, which knows only their values.

    python scripts/benchmarks/discrete/ready_strings.py --seeds 300 301

Either has 1000 evaluations a variable, as the problem counts them. Gaps are relative to the best that either
has found on the instance, in per cent of it.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import cem
from problems.command import carry_out
from problems.knapsack import Knapsack, MultiKnapsack
from problems.maxsat import MaxSAT
from problems.partitioning import GraphBipartition, NumberPartitioning
from problems.qubo import QUBO

INSTANCES = {
    "MaxSAT": (lambda n, rng: MaxSAT.random(n, 5 * n, rng=rng), (50, 100)),
    "QUBO": (lambda n, rng: QUBO.random(n, rng=rng), (50, 100)),
    "MultiKnapsack": (lambda n, rng: MultiKnapsack.random(n, 5, rng=rng), (50, 100)),
    "Knapsack": (lambda n, rng: Knapsack.random(n, rng=rng), (50, 100)),
    "NumberPartitioning": (lambda n, rng: NumberPartitioning.random(n, rng=rng), (30, 60)),
    "GraphBipartition": (lambda n, rng: GraphBipartition.random(n, rng=rng), (40, 80)),
}


def main() -> None:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--seeds", type=int, nargs="+", default=[300], help="of instances (300)")
    parser.add_argument("--multiple", type=int, default=1000, help="evaluations per variable (1000)")
    given = parser.parse_args()
    print("| problem | n | own: gap % | s | strings: gap % | s |\n|---|---|---|---|---|---|")
    for name, (make, sizes) in INSTANCES.items():
        for n in sizes:
            rows = [compared(make(n, seed), given.multiple * n) for seed in given.seeds]
            print(
                f"| {name} | {n} | " + " | ".join(f"{v:.3f}" for v in np.mean(rows, axis=0)) + " |",
                flush=True,
            )


def compared(problem: Any, budget: int) -> tuple[float, float, float, float]:
    """Return gap and seconds of the problem's own search, then those of the plan for strings."""
    ends = []
    for improve in (None, False):
        began = time.process_time()
        r = cem.optimize(problem, improve=improve, max_evaluations=budget, rng=1)
        ends.append((r.fun, time.process_time() - began))
    values = [value for value, _ in ends]
    best = (max if problem.maximize else min)(values)
    gaps = [100 * abs(value - best) / (abs(best) or 1) for value in values]
    return gaps[0], ends[0][1], gaps[1], ends[1][1]


if __name__ == "__main__":
    carry_out(main)
