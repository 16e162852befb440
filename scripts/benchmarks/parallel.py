"""What parallel evaluation costs and gains: bytes an iteration, speed-up of two workers, overhead."""

# ruff: noqa: E402 - the thread counts must be set before numpy is imported
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import time
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np

import cem
from cem.core.sampling import Recipe
from cem.core.streams import Streams
from cem.evaluation import Evaluator, Objective
from cem.families.base import Array
from problems.command import carry_out_benchmark, make_benchmark_parser, positive


def first_entry(x: Array) -> float:
    return float(x[0])


def rosenbrock(x: Array) -> float:
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def ellipsoid(x: Array) -> float:
    return float((10 ** np.linspace(0, 6, x.size) * (x - 0.7) ** 2).sum())


def slow_rosenbrock(x: Array) -> float:
    time.sleep(0.01)
    return rosenbrock(x)


def slow_ellipsoid(x: Array) -> float:
    time.sleep(0.01)
    return ellipsoid(x)


def sleep(x: Array) -> float:
    time.sleep(float(x[0]))
    return float(x[0])


def free_chunk(x: Array) -> list[float]:
    return [first_entry(row) for row in x]


def seconds(
    fun: Callable[[Array], float], x: Array, n_jobs: int, repeats: int, recipe: Recipe | None = None
) -> tuple[Array, Evaluator]:
    """Time whole batches, after one that opens the pool."""
    times = []
    with Evaluator(Objective(fun, Streams(1)), n_jobs) as evaluator:
        for batch in range(repeats + 1):
            out, done = np.empty(len(x)), np.zeros(len(x), dtype=bool)
            began = time.perf_counter()
            for failure in evaluator.score(x, batch, out, done, recipe=recipe):
                if failure is not None:
                    raise failure.error
            times.append(time.perf_counter() - began)
    return np.array(times[1:]), evaluator


def bytes_table(n: int, workers: int, iterations: int) -> None:
    print(f"Bytes an iteration, N = {n}, {workers} workers, free objective; means of {iterations} iterations")
    print(f"{'candidates':<10}{'D':>11}{'N*D*8':>16}{'pipes':>12}{'mapped':>16}")
    for redraw in (False, True):
        for d in (1_000, 10_000, 1_000_000):
            family = cem.Gaussian(np.zeros(d), std=1.0 * np.ones(d))
            recipe = Recipe(family, n, None, Streams(1), 0)
            x = recipe.population()
            _, evaluator = seconds(first_entry, x, workers, iterations - 1, recipe if redraw else None)
            pool = evaluator.processes
            if pool is None:
                raise RuntimeError("the evaluation was not parallel.")
            piped, mapped = (pool.sent + pool.received) / iterations, pool.mapped / iterations
            name = "drawn" if redraw else "sent"
            print(f"{name:<10}{d:>11,}{x.nbytes:>16,}{piped:>12,.0f}{mapped:>16,.0f}", flush=True)


def speed_table(workers: int, repeats: int, seed: int) -> None:
    print(f"\nSpeed-up of {workers} workers over one, batches of 200; means of {repeats} batches")
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.uniform(np.log(0.001), np.log(0.02), 200))
    for name, times in (
        ("10 ms each", np.full(200, 0.01)),
        ("1-20 ms, uniform", rng.uniform(0.001, 0.02, 200)),
        ("1-20 ms, log-uniform", spread),
    ):
        x = times[:, None]
        one, more = (seconds(sleep, x, n, repeats)[0].mean() for n in (1, workers))
        print(f"{name:<22}{one:>8.3f} s {more:>8.3f} s {one / more:>7.3f} x", flush=True)


def overhead_table(workers: int, repeats: int, seed: int) -> None:
    print(f"\nA free objective, N = 1000, D = 10: milliseconds a batch, medians of {repeats}")
    x = np.random.default_rng(seed).normal(size=(1000, 10))
    serial, _ = seconds(first_entry, x, 1, repeats)
    ours, _ = seconds(first_entry, x, workers, repeats)
    chunks = np.array_split(x, workers)
    with joblib.Parallel(n_jobs=workers) as parallel:
        theirs = []
        for _ in range(repeats + 1):
            began = time.perf_counter()
            parallel(joblib.delayed(free_chunk)(chunk) for chunk in chunks)
            theirs.append(time.perf_counter() - began)
    a, b, c = (float(np.median(each)) * 1e3 for each in (serial, ours, theirs[1:]))
    print(
        f"serial {a:.2f}   {workers} workers {b:.2f}   joblib, a chunk a worker {c:.2f}   ratio {b / c:.2f}"
    )


def default_table(workers: int, seed: int) -> None:
    print(f"\nThe default search, 10 ms each, 1000 evaluations: speed-up of {workers} workers over one")
    for free, fun in ((rosenbrock, slow_rosenbrock), (ellipsoid, slow_ellipsoid)):
        for d in (2, 5, 10, 20):
            timed = []
            for n_jobs in (1, workers):
                bounds = [(-5, 5)] * d
                cem.optimize(
                    fun, bounds=bounds, max_evaluations=20, n_jobs=n_jobs, rng=seed
                )  # opens the pool
                began = time.perf_counter()
                cem.optimize(fun, bounds=bounds, max_evaluations=1000, n_jobs=n_jobs, rng=seed)
                timed.append(time.perf_counter() - began)
            one, more = timed
            most = at_most(free, d, workers, seed)
            print(
                f"{fun.__name__:<18}{d:>4}{one:>8.2f} s {more:>8.2f} s {one / more:>7.2f} x, "
                f"at most {most:.2f} as the rows are asked for",
                flush=True,
            )


def at_most(fun: Callable[[Array], float], d: int, workers: int, seed: int) -> float:
    """Return how many evaluations one by one stand against a round of the workers."""
    sizes: list[int] = []

    def counting(x: Array) -> Array:
        sizes.append(len(x))
        return np.array([fun(row) for row in x])

    cem.optimize(counting, bounds=[(-5, 5)] * d, max_evaluations=1000, vectorized=True, rng=seed)
    return sum(sizes) / sum(-(-size // workers) for size in sizes)


def slow_sum(x: Array) -> float:
    time.sleep(0.005)
    return float(x.sum())


def slow_corner(x: Array) -> float:
    time.sleep(0.005)
    return float(np.min(x[:2]) + 0.1 * x[2:].sum())


def estimate_table(workers: int, seed: int) -> None:
    print(f"\nestimate_probability, 5 ms each, 3000 evaluations: speed-up of {workers} workers over one")
    for fun, level in ((slow_sum, 15.0), (slow_corner, 3.0)):
        timed, values = [], []
        for n_jobs in (1, workers):
            given: dict[str, Any] = {"n_jobs": n_jobs, "rng": seed}
            normal = cem.Gaussian(np.zeros(10), std=1.0)
            cem.estimate_probability(fun, normal, level, **given, max_evaluations=20)  # opens the pool
            began = time.perf_counter()
            e = cem.estimate_probability(fun, normal, level, **given, max_evaluations=3000)
            timed.append(time.perf_counter() - began)
            values.append(e.probability)
        if values[0] != values[1]:
            raise SystemExit("the number of workers changes the answer")
        one, more = timed
        print(f"{fun.__name__:<18}{one:>8.2f} s {more:>8.2f} s {one / more:>7.2f} x", flush=True)


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=3, jobs=2)
    parser.add_argument(
        "--rows", type=positive(int), default=50, help="candidates an iteration in the table of bytes"
    )
    parser.add_argument("--iterations", type=positive(int), default=5)
    given = parser.parse_args()
    bytes_table(given.rows, given.jobs, given.iterations)
    speed_table(given.jobs, given.runs, given.seed)
    overhead_table(given.jobs, 50 * given.runs, given.seed)
    default_table(given.jobs, given.seed)
    estimate_table(given.jobs, given.seed)


if __name__ == "__main__":
    carry_out_benchmark(main)
