"""Rounds that sixteen workers take, beside the evaluations that one takes, to the same error.

A round is what could run at once: a batch of n rows takes n / 16 of them, rounded up. Nothing is timed, so
that the figures are the same on any machine. Functions are shifted to a random optimum and, but for those
called separable, turned at random; a run ends at an error of 1e-6. A Markdown table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import ortho_group

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, positive

Function = Callable[[np.ndarray], np.ndarray]
WORKERS = 16
ERROR = 1e-6
DIMENSIONS = (2, 5, 10, 20)
COUNTED = ("evaluations", "default", "population 16")


def ellipsoid(z: np.ndarray) -> np.ndarray:
    return (10 ** (6 * exponents(z)) * z**2).sum(axis=1)


def discus(z: np.ndarray) -> np.ndarray:
    return 1e6 * z[:, 0] ** 2 + (z[:, 1:] ** 2).sum(axis=1)


def cigar(z: np.ndarray) -> np.ndarray:
    return z[:, 0] ** 2 + 1e6 * (z[:, 1:] ** 2).sum(axis=1)


def powers(z: np.ndarray) -> np.ndarray:
    return np.sqrt((np.abs(z) ** (2 + 4 * exponents(z))).sum(axis=1))


def sharp_ridge(z: np.ndarray) -> np.ndarray:
    return z[:, 0] ** 2 + 100 * np.sqrt((z[:, 1:] ** 2).sum(axis=1))


def rosenbrock(z: np.ndarray) -> np.ndarray:
    y = max(1.0, np.sqrt(z.shape[1]) / 8) * z + 1
    return (100 * (y[:, 1:] - y[:, :-1] ** 2) ** 2 + (1 - y[:, :-1]) ** 2).sum(axis=1)


def rastrigin(z: np.ndarray) -> np.ndarray:
    return (10 + z**2 - 10 * np.cos(2 * np.pi * z)).sum(axis=1)


def exponents(z: np.ndarray) -> np.ndarray:
    return np.linspace(0, 1, z.shape[1])


FUNCTIONS: dict[str, tuple[Function, bool]] = {  # and whether it is turned
    "ellipsoid, separable": (ellipsoid, False),
    "rastrigin, separable": (rastrigin, False),
    "ellipsoid": (ellipsoid, True),
    "discus": (discus, True),
    "cigar": (cigar, True),
    "powers": (powers, True),
    "rosenbrock": (rosenbrock, True),
    "sharp ridge": (sharp_ridge, True),
}


class Counted(NamedTuple):
    """What it took to come to the error; infinite where the budget ended before."""

    evaluations: float
    rounds: float


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=1)
    parser.add_argument("--dims", type=positive(int), nargs="+", default=DIMENSIONS)
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.runs)
    print("evaluations one by one / rounds by default / rounds with population=16, medians\n")
    print("| function |" + "".join(f" d = {d} |" for d in given.dims))
    print("|---|" + "---|" * len(given.dims))
    measured: dict[int, list[dict[str, float]]] = {d: [] for d in given.dims}
    for name in FUNCTIONS:
        rows = {d: [measure(name, d, seed) for seed in seeds] for d in given.dims}
        for d, each in rows.items():
            measured[d] += each
        print(f"| {name} |" + "".join(f" {cell(each)} |" for each in rows.values()), flush=True)
    shown = (
        f" {', '.join(f'{fewer(each, key):.1f}' for key in COUNTED[1:])} |" for each in measured.values()
    )
    print("| times fewer rounds, geometric means |" + "".join(shown))


def measure(name: str, d: int, seed: int) -> dict[str, float]:
    """Count what one function takes, by default and with a population."""
    function, turned = FUNCTIONS[name]
    fun = placed(function, d, turned, seed)
    one, many = count(fun, d, None, seed), count(fun, d, WORKERS, seed)
    return {"evaluations": one.evaluations, "default": one.rounds, "population 16": many.rounds}


def cell(rows: list[dict[str, float]]) -> str:
    """Show the medians of some runs."""
    return " / ".join(f"{np.median([each[key] for each in rows]):,.0f}" for key in COUNTED)


def fewer(rows: list[dict[str, float]], key: str) -> float:
    """Return the geometric mean of evaluations over rounds, of runs that came to the error both times."""
    rows = [each for each in rows if np.isfinite([each["evaluations"], each[key]]).all()]
    return float(np.exp(np.mean([np.log(each["evaluations"] / each[key]) for each in rows])))


def placed(function: Function, d: int, turned: bool, seed: int) -> Function:
    """Shift, and turn, a function."""
    rng = np.random.default_rng(seed)
    optimum = rng.uniform(-3, 3, d)
    turn = ortho_group.rvs(d, random_state=rng) if turned else np.eye(d)
    return lambda X: function((X - optimum) @ turn)


def count(fun: Function, d: int, population: int | None, seed: int) -> Counted:
    """Count evaluations and rounds up to the first row that is good enough."""
    evaluations, rounds, found = 0, 0, Counted(np.inf, np.inf)

    def counting(X: np.ndarray) -> np.ndarray:
        nonlocal evaluations, rounds, found
        values = fun(X)
        good = np.flatnonzero(values <= ERROR)
        if good.size and found.rounds == np.inf:
            first = int(good[0]) + 1
            found = Counted(evaluations + first, rounds - (-first // WORKERS))
        evaluations, rounds = evaluations + len(X), rounds - (-len(X) // WORKERS)
        return values

    cem.optimize(
        counting,
        bounds=[(-5, 5)] * d,
        population=population,
        target=ERROR,
        max_evaluations=(10_000 if population is None else 30_000) * d,
        vectorized=True,
        rng=seed,
    )
    return found


if __name__ == "__main__":
    carry_out_benchmark(main)
