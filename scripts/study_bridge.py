"""The tutorial's bridge at levels 1.5, 2 and 3: the estimator's error, coverage and cost."""

from __future__ import annotations

import argparse

import numpy as np

import cem
from problems.rare_event import bridge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--levels", type=float, nargs="+", default=[1.5, 2.0, 3.0])
    parser.add_argument("--method", choices=("multilevel", "improved"), default="multilevel")
    parser.add_argument("--error", type=float, default=0.05, help="relative error to reach")
    given = parser.parse_args()

    print(f"{given.method}: {given.runs} runs a level, seeds 0 …")
    print(f"each to a coefficient of variation of {given.error:g}\n")
    print(
        f"{'level':>6}{'exact':>13}{'mean':>13}{'bias/se':>9}{'rel. error':>11}{'covers':>8}{'success':>9}"
        f"{'evaluations':>13}{'plain needs':>18}{'plain error':>12}"
    )
    for level in given.levels:
        problem = bridge(level)
        estimates = [
            cem.estimate_probability(problem, method=given.method, target_cv=given.error, rng=seed)
            for seed in range(given.runs)
        ]
        p = np.array([e.probability for e in estimates])
        intervals = np.array([e.confidence_interval() for e in estimates])
        exact = problem.reference
        cost = np.mean([e.nfev for e in estimates])
        covers = np.mean((intervals[:, 0] <= exact) & (exact <= intervals[:, 1]))
        print(
            f"{level:>6g}{exact:>13.5e}{p.mean():>13.5e}"
            f"{(p.mean() - exact) / (p.std(ddof=1) / np.sqrt(given.runs)):>9.2f}"
            f"{np.sqrt(np.mean((p / exact - 1) ** 2)):>11.4f}{covers:>8.3f}"
            f"{np.mean([e.success for e in estimates]):>9.2f}{cost:>13,.0f}"
            f"{(1 / exact - 1) / given.error**2:>18,.0f}{np.sqrt((1 / exact - 1) / cost):>12.3g}"
        )
    print(
        "\n'plain needs' is the number of samples that plain Monte Carlo takes for the error asked for;\n"
        "'plain error' is its relative error at the evaluations spent here."
    )


if __name__ == "__main__":
    main()
