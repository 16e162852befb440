"""What a search of bits, labels or orders costs besides its objective: own microseconds an evaluation.

    python scripts/benchmarks/discrete/own_time.py

Own time is that of `cem.optimize` less that inside the objective, both in processor time of this thread; the
median of some runs. With "rows" the objective is asked about one candidate at a time, with "batch"
(`vectorized=True`) about all that the search asks for together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser


class Timed:
    """An objective, and the time spent in it."""

    def __init__(self, fun: Callable[[Any], Any]) -> None:
        self.fun, self.seconds, self.calls = fun, 0.0, 0

    def __call__(self, x: Any) -> Any:
        """Return the value of a candidate, or the values of rows."""
        began = time.thread_time()
        value = self.fun(x)
        self.seconds += time.thread_time() - began
        self.calls += 1
        return value


class Case(NamedTuple):
    """A kind of search: its start, and its objective of one candidate and of rows."""

    name: str
    start: Any
    one: Callable[[Any], float]
    rows: Callable[[Any], Any]


def cut(n: int, rng: np.random.Generator) -> Case:
    """A cut of a random graph, as bits."""
    w = np.triu(rng.integers(-5, 6, (n, n)), 1).astype(float)
    w += w.T
    return Case(
        f"{n} bits",
        cem.Bernoulli(np.full(n, 0.5)),
        lambda x: float(x @ w @ x),
        lambda x: np.einsum("ij,ij->i", x @ w, x),
    )


def colouring(n: int, rng: np.random.Generator) -> Case:
    """Edges of a random graph whose ends have the same of four labels."""
    i, j = rng.integers(0, n, (2, 2 * n))
    return Case(
        f"{n} labels of four",
        cem.Categorical(np.full((n, 4), 0.25)),
        lambda x: float(np.count_nonzero(x[i] == x[j])),
        lambda x: np.count_nonzero(x[:, i] == x[:, j], axis=1),
    )


def tour(n: int, rng: np.random.Generator) -> Case:
    """A tour of random distances."""
    far = rng.random((n, n))
    return Case(
        f"an order of {n}",
        cem.Permutation(n),
        lambda x: float(far[x[:-1], x[1:]].sum()),
        lambda x: far[x[:, :-1], x[:, 1:]].sum(axis=1),
    )


def cases(seed: int) -> Iterator[Case]:
    """Yield the cases."""
    for make, n in ((cut, 60), (cut, 120), (colouring, 60), (tour, 20), (tour, 60)):
        yield make(n, np.random.default_rng([seed, n]))


def measured(case: Case, together: bool, budget: int, seed: int) -> tuple[float, float, float]:
    """Return the microseconds an evaluation, own and the objective's, and the candidates a batch."""
    f = Timed(case.rows if together else case.one)
    began = time.thread_time()
    r = cem.optimize(f, case.start, vectorized=together, max_evaluations=budget, rng=seed)
    whole = time.thread_time() - began
    return (whole - f.seconds) / r.nfev * 1e6, f.seconds / r.nfev * 1e6, r.nfev / f.calls


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=3)
    parser.add_argument("--multiple", type=int, default=300, help="evaluations per position (300)")
    given = parser.parse_args()
    print("| search | own µs: rows | batch | the objective's: rows | batch | candidates a batch |")
    print("|---|---|---|---|---|---|")
    for case in cases(given.seed):
        budget, seeds = given.multiple * case.start.dimension, range(given.seed, given.seed + given.runs)
        one, many = (
            np.median([measured(case, together, budget, seed) for seed in seeds], axis=0)
            for together in (False, True)
        )
        times = f"{one[0]:.0f} | {many[0]:.0f} | {one[1]:.1f} | {many[1]:.1f}"
        print(f"| {case.name} | {times} | {many[2]:.1f} |", flush=True)


if __name__ == "__main__":
    carry_out_benchmark(main)
