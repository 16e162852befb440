"""Whole numbers of few values, searched as numbers and as labels: the mean relative gap of either.

    python scripts/benchmarks/discrete/few_values.py
    python scripts/benchmarks/discrete/few_values.py --values 2 --sizes 60 --classes traps Potts

Of five smooth functions (how far a number is from the best one tells in the value) and four structured ones
(numbers are names). A gap is relative to the mean of a thousand random candidates; the best known value is
the optimum where that is known, otherwise the best of both ways and all budgets. "Numbers" is how a box of
more values is searched, "labels" what the plan for strings does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from string_problems import Instance, hidden

import cem
from cem.plans import strings
from problems.command import carry_out_benchmark, make_benchmark_parser


def sphere(n: int, k: int, rng: np.random.Generator) -> Instance:
    best = rng.integers(0, k, n)
    return Instance("sphere", np.full(n, k), lambda x: ((x - best) ** 2).sum(axis=1) * 1.0, 0.0)


def ellipsoid(n: int, k: int, rng: np.random.Generator) -> Instance:
    best, w = rng.integers(0, k, n), rng.permutation(1e4 ** np.linspace(0, 1, n))
    return Instance("ellipsoid", np.full(n, k), lambda x: (x - best) ** 2 @ w, 0.0)


def rotated(n: int, k: int, rng: np.random.Generator) -> Instance:
    """A quadratic form of condition 100 in random directions."""
    best, axes = rng.integers(0, k, n), np.linalg.qr(rng.standard_normal((n, n)))[0]
    w = 100.0 ** np.linspace(0, 1, n)
    return Instance("rotated ellipsoid", np.full(n, k), lambda x: ((x - best) @ axes) ** 2 @ w, 0.0)


def rosenbrock(n: int, k: int, rng: np.random.Generator) -> Instance:
    best = rng.integers(0, k, n)

    def f(x: Any) -> Any:
        z = x - best + 1.0
        return (100 * (z[:, 1:] - z[:, :-1] ** 2) ** 2 + (1 - z[:, :-1]) ** 2).sum(axis=1)

    return Instance("Rosenbrock", np.full(n, k), f, 0.0)


def chain(n: int, k: int, rng: np.random.Generator) -> Instance:
    """Differences of neighbours, as they are in a hidden row of numbers."""
    best = rng.integers(0, k, n)
    return Instance(
        "chain",
        np.full(n, k),
        lambda x: np.abs(np.diff(x - best, axis=1)).sum(axis=1) + 0.1 * np.abs(x - best).sum(axis=1),
        0.0,
    )


def traps(n: int, k: int, rng: np.random.Generator) -> Instance:
    see, size = hidden(rng, n, k), 4

    def f(x: Any) -> Any:
        blocks = see(x).reshape(len(x), -1, size)
        lure = (blocks == k - 1).sum(axis=2)
        return np.where((blocks == 0).all(axis=2), 0, size + 1 - lure).sum(axis=1) * 1.0

    return Instance("shuffled traps", np.full(n, k), f, 0.0)


def landscape(n: int, k: int, rng: np.random.Generator) -> Instance:
    see, table = hidden(rng, n, k), rng.random((n, k**4))
    near, powers = (np.arange(n)[:, None] + np.arange(4)) % n, k ** np.arange(4)
    return Instance(
        "NK", np.full(n, k), lambda x: 1 - table[np.arange(n), see(x)[:, near] @ powers].mean(axis=1)
    )


def colouring(n: int, k: int, rng: np.random.Generator) -> Instance:
    """A graph with a planted colouring; k - 0.3 edges a vertex make it hard."""
    truth = rng.integers(0, k, n)
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    pairs = pairs[truth[pairs[:, 0]] != truth[pairs[:, 1]]]
    i, j = pairs[rng.choice(len(pairs), min(len(pairs), int((1.3 * k - 1) * n)), replace=False)].T
    return Instance("colouring", np.full(n, k), lambda x: (x[:, i] == x[:, j]).sum(axis=1) * 1.0, 0.0)


def potts(n: int, k: int, rng: np.random.Generator) -> Instance:
    i, j = rng.integers(0, n, (2, 2 * n))
    w = rng.standard_normal(2 * n)
    return Instance("Potts", np.full(n, k), lambda x: (x[:, i] == x[:, j]) @ w)


SMOOTH = {
    "sphere": sphere,
    "ellipsoid": ellipsoid,
    "rotated ellipsoid": rotated,
    "Rosenbrock": rosenbrock,
    "chain": chain,
}
STRUCTURED = {"traps": traps, "NK": landscape, "colouring": colouring, "Potts": potts}
WAYS = {"numbers": 0, "labels": 1000}  # values up to which numbers are searched as labels


def found(way: str, instance: Instance, budget: int, seed: int) -> float:
    """Return the best value that a search has found."""

    def f(x: Any) -> Any:
        return instance.fun(x.astype(np.int64))

    bounds, whole = [(0, k - 1) for k in instance.categories], np.ones(instance.n)
    with patch.object(strings, "MOST_VALUES", WAYS[way]):
        r = cem.optimize(
            f, bounds=bounds, integrality=whole, vectorized=True, max_evaluations=budget, rng=seed
        )
    return float(r.fun)


def gaps(instance: Instance, multiples: list[int], seed: int) -> Any:
    """Return the relative gaps of either way, shape ``(2, budgets)``."""
    budgets = [multiple * instance.n for multiple in multiples]
    values = np.array([[found(way, instance, budget, seed) for budget in budgets] for way in WAYS])
    random = np.random.default_rng(0).integers(0, instance.categories, (1000, instance.n))
    best = values.min() if instance.optimum is None else instance.optimum
    return (values - best) / (instance.fun(random).mean() - best)


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=100, runs=2)
    parser.add_argument("--values", type=int, nargs="+", default=[2, 3, 4, 5], help="of a variable (2 3 4 5)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 40], help="variables (20 40)")
    parser.add_argument(
        "--multiples", type=int, nargs="+", default=[3, 10, 30, 100], help="evaluations a variable"
    )
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="only these")
    given = parser.parse_args()
    classes: dict[str, Callable[[int, int, np.random.Generator], Instance]] = SMOOTH | STRUCTURED
    names = given.classes or list(classes)
    if unknown := set(names) - set(classes):
        parser.error(f"no class {', '.join(sorted(unknown))}; there are {', '.join(classes)}")
    print("| class | values | " + " | ".join(f"{m}·n: {way}" for m in given.multiples for way in WAYS) + " |")
    print("|---|---|" + "---|" * (len(given.multiples) * len(WAYS)))
    for name in names:
        for k in given.values:
            cells = [
                gaps(classes[name](n, k, np.random.default_rng([seed, n, k])), given.multiples, seed)
                for n in given.sizes
                for seed in range(given.seed, given.seed + given.runs)
            ]
            numbers = " | ".join(f"{each:.3f}" for each in np.mean(cells, axis=0).T.ravel())
            print(f"| {name} | {k} | {numbers} |", flush=True)


if __name__ == "__main__":
    carry_out_benchmark(main)
