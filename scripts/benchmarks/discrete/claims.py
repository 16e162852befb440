"""What a claim of convergence is worth on strings and orders: how many are made, and how many are wrong.

    python scripts/benchmarks/discrete/claims.py --seed 200
    python scripts/benchmarks/discrete/claims.py --orders --lengths 9 12 --instances 5

Each instance is given to `cem.optimize` as a black box of 1000 evaluations a position, several times. A run
is solved if it ends at the best known value: the optimum where that is known, otherwise the best that any of
the runs or an iterated local search of as many evaluations has found. A claim is a run that ends CONVERGED.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import Any

import numpy as np
from order_problems import ORDERS, order_instances
from searches import Counted, Moves, OrderMoves, Spent, StringMoves, iterated_local_search, start_of
from string_problems import CLASSES, Instance, instances

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, positive


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=200, runs=2)
    parser.add_argument("--orders", action="store_true", help="orders instead of strings")
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="only these")
    parser.add_argument(
        "--multiple", type=positive(int), default=1000, help="evaluations per position (1000)"
    )
    parser.add_argument(
        "--lengths", type=positive(int), nargs="+", default=(), help="instead of each class's own"
    )
    parser.add_argument("--instances", type=positive(int), default=1, help="of each class and length (1)")
    given = parser.parse_args()
    known = ORDERS if given.orders else CLASSES
    for name in given.classes or ():
        if name not in known:
            parser.error(f"no class {name!r}; there are {', '.join(known)}")
    make = order_instances if given.orders else instances
    seeds = list(range(given.seed, given.seed + given.instances))
    print("| class | runs | solved | claims | wrong | evaluations a position at a claim |")
    print("|---|---|---|---|---|---|")
    counts: dict[str, Any] = defaultdict(lambda: np.zeros(4, np.int64))
    everything: list[float] = []
    for name in given.classes or known:
        spent: list[float] = []
        for instance in make([name], seeds, lengths=given.lengths):
            found, at = judged(instance, given.orders, given.runs, given.multiple * instance.n)
            counts[name] += found
            spent += [evaluations / instance.n for evaluations in at]
        print(line(name, counts[name], spent), flush=True)
        everything += spent
    print(line("**all**", sum(counts.values()), everything))


def judged(instance: Instance, orders: bool, runs: int, budget: int) -> tuple[Any, list[int]]:
    """Return the numbers of runs, solved ones, claims and wrong ones, and the evaluations of claims."""
    moves: Moves = OrderMoves(instance.n) if orders else StringMoves(instance.categories)
    ends = [
        cem.optimize(instance.fun, start_of(moves), vectorized=True, max_evaluations=budget, rng=seed)
        for seed in range(runs)
    ]
    best = instance.optimum
    if best is None:
        f = Counted(instance.fun, budget)
        with suppress(Spent):
            iterated_local_search(f, moves, np.random.default_rng(1))
        best = min(f.best, *(r.fun for r in ends))
    margin = 1e-9 * (1 + abs(best))
    solved = np.array([r.fun <= best + margin for r in ends])
    claimed = np.array([r.status is cem.Status.CONVERGED for r in ends])
    at = [r.nfev for r, claim in zip(ends, claimed, strict=True) if claim]
    return np.array([runs, solved.sum(), claimed.sum(), (claimed & ~solved).sum()]), at


def line(name: str, counts: Any, spent: list[float]) -> str:
    when = f"{np.median(spent):.0f}" if spent else "–"
    return f"| {name} | " + " | ".join(map(str, counts)) + f" | {when} |"


if __name__ == "__main__":
    carry_out_benchmark(main)
