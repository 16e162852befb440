"""Do the three jobs of the cross-entropy method on real input, beside the exact answers."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import cem
from problems import continuous
from problems.command import carry_out_benchmark, make_benchmark_parser
from problems.maxcut import MaxCut
from problems.rare_event import bridge


def main() -> int:
    seed = make_benchmark_parser(__doc__, seed=1).parse_args().seed
    right = [job(seed) for job in (minimise, cut, estimate)]
    print("\nall three are right" if all(right) else "\nsomething is WRONG")
    return 0 if all(right) else 1


def minimise(seed: int) -> bool:
    print("1. Minimise a function of 10 variables\n")
    print(f"   {'function':<12}{'found':>12}{'exact':>10}{'evaluations':>13}{'seconds':>9}   ended")
    right = True
    for function in (continuous.sphere, continuous.rosenbrock, continuous.ackley, continuous.griewank):
        r = cem.optimize(function, bounds=function.bounds(10), vectorized=True, rng=seed)
        exact = function.optimum(10)
        print(
            f"   {function.name:<12}{r.fun:>12.2e}{exact:>10.3g}{r.nfev:>13,}{r.elapsed:>9.2f}"
            f"   {r.status.name}"
        )
        right &= abs(r.fun - exact) < 1e-4
    return right


def cut(seed: int) -> bool:
    print("\n2. Cut a graph read from a file (200 vertices, 19,900 edges, a planted best cut)\n")
    planted = MaxCut.planted(200, rng=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.txt"
        edges = (
            f"{i + 1} {j + 1} {w!r}"
            for (i, j), w in zip(planted.edges, planted.weights.tolist(), strict=True)
        )
        path.write_text("\n".join([f"{planted.n} {len(planted.edges)}", *edges]) + "\n")
        began = time.perf_counter()
        graph = MaxCut.from_file(path)
    print(f"   read in {time.perf_counter() - began:.2f} s: {graph}")
    r = cem.optimize(graph, rng=seed)
    sides = [len(side) for side in graph.partition(r.x)]
    print(f"   cut {r.fun:,.0f}, best possible {planted.optimum:,.0f}, sides {sides}")
    print(f"   {r.nfev:,} evaluations, {r.elapsed:.2f} s, {r.status.name}")
    return bool(r.fun == planted.optimum)


def estimate(seed: int) -> bool:
    problem = bridge(2.0)
    print("\n3. Estimate the probability that the shortest path over a bridge of five edges is 2 or longer\n")
    e = cem.estimate_probability(problem, rng=seed)
    low, high = e.confidence_interval()
    print(f"   estimate     {e.probability:.4e}   95 % interval {low:.4e} … {high:.4e}")
    print(f"   exact        {problem.reference:.4e}")
    print(f"   {e.nfev:,} evaluations, {e.elapsed:.2f} s; {e.message}")
    plain = (1 / problem.reference - 1) / e.coefficient_of_variation**2
    print(f"   plain Monte Carlo takes {plain:,.0f} evaluations for the same error")
    return e.success and low <= problem.reference <= high


if __name__ == "__main__":
    carry_out_benchmark(main)
