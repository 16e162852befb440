"""What the package itself costs: time of ask and tell per candidate, peak memory, and import time."""

# ruff: noqa: E402 - the thread counts must be set before numpy is imported
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, positive

N = 1000


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=7)
    parser.add_argument("--dims", type=positive(int), nargs="+", default=[10, 100, 1000, 100_000])
    given = parser.parse_args()

    print(f"ask + tell, N = {N}, one thread; microseconds a candidate (medians of interleaved rounds)\n")
    print(
        f"{'family':<10}{'D':>8}{'normals':>10}{'plain':>10}{'ask+tell':>10}{'/normals':>10}{'/plain':>8}"
        f"{'peak/pop.':>11}"
    )
    for d in given.dims:
        start = cem.Gaussian(np.zeros(d), std=np.ones(d))
        report("diagonal", d, start, plain_diagonal(d), given.runs, given.seed)
    start = cem.Gaussian(np.zeros(100), covariance=np.eye(100))
    report("full", 100, start, plain_full(100), given.runs, given.seed)
    print(f"\nimport cem adds {import_seconds():.3f} s to importing numpy, scipy and joblib")


def report(
    name: str, d: int, start: cem.Gaussian, plain: Callable[[], None], repeats: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(N)
    m = cem.CrossEntropyMethod(start, population=N, rng=seed)

    def normals() -> None:
        rng.standard_normal((N, d))

    def ask_and_tell() -> None:
        m.tell(m.ask(), scores)

    calls = max(2, min(200, int(2e7 / d / N)))
    a, b, c = np.median(
        [[clock(each, calls) for each in (normals, plain, ask_and_tell)] for _ in range(repeats)], axis=0
    )
    tracemalloc.start()
    ask_and_tell()
    peak = tracemalloc.get_traced_memory()[1] / (8 * N * d)
    tracemalloc.stop()
    print(f"{name:<10}{d:>8,}{a:>10.3f}{b:>10.3f}{c:>10.3f}{c / a:>10.2f}{c / b:>8.2f}{peak:>11.2f}")


def plain_diagonal(d: int) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(N)
    mean, std = np.zeros(d), np.ones(d)

    def step() -> None:
        nonlocal mean, std
        x = mean + std * rng.standard_normal((N, d))
        elite = x[np.argsort(scores)[: N // 10]]
        mean, std = elite.mean(axis=0), elite.std(axis=0)

    return step


def plain_full(d: int) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(N)
    mean, covariance = np.zeros(d), np.eye(d)

    def step() -> None:
        nonlocal mean, covariance
        x = mean + rng.standard_normal((N, d)) @ np.linalg.cholesky(covariance).T
        elite = x[np.argsort(scores)[: N // 10]]
        mean, covariance = elite.mean(axis=0), np.cov(elite.T) + 1e-9 * np.eye(d)

    return step


def clock(job: Callable[[], None], calls: int) -> float:
    """Time consecutive calls, after one that finds the memory; microseconds a candidate."""
    job()
    began = time.perf_counter()
    for _ in range(calls):
        job()
    return (time.perf_counter() - began) / calls / N * 1e6


def import_seconds(repeats: int = 7) -> float:
    """Time `import cem` in fresh processes that have numpy, scipy and joblib already."""
    code = (
        "import time, numpy, scipy, joblib; t = time.perf_counter(); import cem; "
        "print(time.perf_counter() - t)"
    )
    run = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(repeats)]
    return float(np.median(run))


if __name__ == "__main__":
    carry_out_benchmark(main)
