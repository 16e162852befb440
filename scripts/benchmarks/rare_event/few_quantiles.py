"""Quantiles in few evaluations: the corrected surrogate against closed forms.

    python scripts/benchmarks/rare_event/few_quantiles.py --runs 4
    python scripts/benchmarks/rare_event/few_quantiles.py --only Erlang --method auto

Quantile and expected shortfall over the truth, and how many of their 95 % intervals hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser


class Case(NamedTuple):
    """A performance of known quantile and mean beyond it."""

    name: str
    performance: Callable[[np.ndarray], np.ndarray]
    inputs: object
    probability: float
    quantile: float
    shortfall: float


def normal(d: int) -> cem.Gaussian:
    return cem.Gaussian(np.zeros(d), std=np.ones(d))


def plane(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.sum(axis=1) / np.sqrt(x.shape[1]))


def cases() -> list[Case]:
    z = {p: float(stats.norm.isf(p)) for p in (1e-3, 1e-4, 5e-5, 1e-5)}
    beyond = {p: float(stats.norm.pdf(q)) / p for p, q in z.items()}
    ball, erlang = float(stats.chi2.isf(1e-4, 3)), float(stats.gamma.isf(1e-4, 3))
    return [
        Case("plane 3", plane, normal(3), 1e-3, z[1e-3], beyond[1e-3]),
        Case("plane 8", plane, normal(8), 1e-5, z[1e-5], beyond[1e-5]),
        Case("ball 3", lambda x: (x**2).sum(axis=1), normal(3), 1e-4, ball, 3e4 * stats.chi2.sf(ball, 5)),
        Case("lognormal 4", lambda x: np.exp(0.4 * x.sum(axis=1)), normal(4), 1e-4, np.exp(0.8 * z[1e-4]),
             1e4 * np.exp(0.32) * stats.norm.sf(z[1e-4] - 0.8)),
        Case("Erlang 3", lambda x: x.sum(axis=1), cem.Exponential([1.0] * 3), 1e-4, erlang,
             3e4 * stats.gamma.sf(erlang, 4)),
        Case("two opposite planes", lambda x: np.abs(plane(x)), normal(4), 1e-4, z[5e-5], beyond[5e-5]),
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases and print a line for each."""
    parser = make_benchmark_parser(__doc__, seed=0, runs=4)
    parser.add_argument("--method", default="surrogate", choices=("surrogate", "auto"))
    parser.add_argument("--only", default="", help="part of a case's name")
    options = parser.parse_args(arguments)
    if not any(options.only in case.name for case in cases()):
        parser.error(f"no case is named like {options.only!r}")
    print(f"{'case':20s} {'calls':>6s} {'quantile':>15s} {'covers':>6s} {'shortfall':>15s} covers claims")
    for case in cases():
        if options.only not in case.name:
            continue
        found = [
            cem.estimate_quantile(
                case.performance,
                case.inputs,
                case.probability,
                method=options.method,
                vectorized=True,
                rng=seed,
            )
            for seed in range(options.seed, options.seed + options.runs)
        ]
        points = np.array([q.quantile for q in found]) / case.quantile
        means = np.array([q.expected_shortfall for q in found]) / case.shortfall
        inside = [low <= case.quantile <= high for low, high in (q.confidence_interval() for q in found)]
        within = [low <= case.shortfall <= high for low, high in (q.shortfall_interval() for q in found)]
        calls, n = np.median([q.nfev for q in found]), len(found)
        print(
            f"{case.name:20s} {calls:6.0f} {points.min():7.4f} {points.max():7.4f} {sum(inside):4d}/{n} "
            f"{means.min():7.4f} {means.max():7.4f} {sum(within):4d}/{n} {sum(q.success for q in found):6d}",
            flush=True,
        )


if __name__ == "__main__":
    carry_out_benchmark(main)
