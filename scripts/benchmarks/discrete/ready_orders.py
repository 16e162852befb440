"""Ready problems over orders by the default search: tours, flow shops and assignments.

    python scripts/benchmarks/discrete/ready_orders.py DIR --runs 5
    python scripts/benchmarks/discrete/ready_orders.py DIR --interpreted

DIR has TSPLIB files and a table best_known.csv. The flow shops are the first ten of 20 jobs and 5 machines
and of 20 jobs and 10 machines, by Taillard's generator; the assignments are planted on grids. A run ends at
the best known value or when its time is over. --interpreted hides numba.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from problems.command import carry_out_benchmark, make_benchmark_parser
from problems.reading import read_best_known

# Seeds and best known makespans: Taillard (1993), EJOR 64(2), and the summary on his site
FLOW_SHOPS = {
    5: (
        (873654221, 1278), (379008056, 1359), (1866992158, 1081), (216771124, 1293), (495070989, 1235),
        (402959317, 1195), (1369363414, 1234), (2021925980, 1206), (573109518, 1230), (88325120, 1108),
    ),
    10: (
        (587595453, 1582), (1401007982, 1659), (873136276, 1496), (268827376, 1377), (1634173168, 1419),
        (691823909, 1397), (73807235, 1484), (1273398721, 1538), (2065119309, 1593), (1672900551, 1591),
    ),
}  # fmt: skip
GRIDS = ((3, 4), (4, 5), (5, 6), (6, 6), (7, 7))
MULTIPLIER, MODULUS = 16807, 2**31 - 1  # of Taillard's generator


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=1, seconds=30)
    parser.add_argument("files", type=Path, metavar="DIR")
    parser.add_argument("--interpreted", action="store_true", help="without numba")
    given = parser.parse_args()
    if given.interpreted:
        sys.modules["numba"] = None  # type: ignore[assignment]
    import cem

    print("| instance | n | best known | found | mean gap % | worst % | median s |")
    print("|---|---|---|---|---|---|---|")
    everything: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for kind, problem in instances(given.files):
        warm_up(problem)
        seeds = range(given.seed, given.seed + given.runs)
        runs = [cem.optimize(problem, max_time=given.max_time, rng=seed) for seed in seeds]
        found = [(100 * (r.fun / problem.optimum - 1), r.elapsed) for r in runs]
        everything[kind] += found
        print(f"| {kind} {problem.name} | {problem.n} | {problem.optimum:.0f} {cells(found)}", flush=True)
    for kind, found in everything.items():
        print(f"| **{kind}** | | {cells(found)}")


def cells(found: list[tuple[float, float]]) -> str:
    """Return hits, mean and worst gap and median seconds, of pairs of a gap and seconds."""
    gaps, seconds = np.array(found).T
    return (
        f"| {(gaps <= 0).sum()} of {len(gaps)} | {gaps.mean():.2f} | {gaps.max():.2f} "
        f"| {np.median(seconds):.2f} |"
    )


def warm_up(problem: Any) -> None:
    """Compile, if there is anything to compile."""
    x = problem.start.sample(1, np.random.default_rng(0))
    problem.improve(x, problem(x), np.random.default_rng(0), 1)


def instances(files: Path) -> Iterator[tuple[str, Any]]:
    from problems.flowshop import FlowShop
    from problems.qap import QAP
    from problems.tsp import TSP

    best_known = read_best_known(files / "best_known.csv")
    for file in sorted(files.glob("*.tsp")):
        yield "TSP", TSP.from_file(file, optimum=best_known[file.stem])
    for machines, known in FLOW_SHOPS.items():
        for k, (seed, best) in enumerate(known):
            name = f"ta{k + 1 + (machines == 10) * 10:03}"
            yield "flow shop", FlowShop(taillard(20, machines, seed), best, name)
    for seed, (rows, columns) in enumerate(GRIDS):
        yield "QAP", QAP.planted(rows, columns, rng=100 + seed)


def taillard(n: int, machines: int, seed: int) -> Any:
    """Return the times of an instance, shape (machines, n)."""
    times = np.empty((machines, n), np.int64)
    for place in np.ndindex(times.shape):
        seed = seed * MULTIPLIER % MODULUS
        times[place] = 1 + seed * 99 // MODULUS
    return times


if __name__ == "__main__":
    carry_out_benchmark(main)
