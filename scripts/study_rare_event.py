"""Repeated estimates of rare events with known probabilities: error, coverage, cost and false confidence.

Without `--method`, the default method is studied; `multilevel` is the textbook's. 'bias/se' is the mean's
error in its own standard errors, 'covers' the share of the 95 % intervals that hold the right answer, 'wrong'
counts successes off by more than 12 % and 2 of their standard errors. 'plain needs' is the number of samples
that plain Monte Carlo takes for the error asked for.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import cem
from problems.rare_event import RareEventProblem, bridge, suite

HEADING = (
    f"{'case':<18}{'exact':>13}{'mean':>13}{'bias/se':>9}{'rel. error':>11}{'covers':>8}{'success':>9}"
    f"{'wrong':>7}{'evaluations':>13}{'plain needs':>18}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases, or nothing for all")
    parser.add_argument(
        "--levels", type=float, nargs="+", help="the tutorial's bridge at these levels instead"
    )
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run")
    parser.add_argument("--error", type=float, default=0.05, help="coefficient of variation to reach")
    parser.add_argument("--method", default="auto", choices=["auto", "improved", "multilevel"])
    parser.add_argument(
        "--plot", type=Path, help="draw how one run of each case converges (needs matplotlib)"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and their probabilities")
    given = parser.parse_args()
    cases = chosen(given.cases) if given.levels is None else [bridge(level) for level in given.levels]
    if given.list:
        for case in cases:
            print(f"{case.name:<18}{case.reference:>14.6e}  {case.source}")
        return
    print(
        f"{given.method}: {given.runs} runs per case, each to a coefficient of variation of {given.error:g}\n"
    )
    print(HEADING)
    seeds = range(given.seed, given.seed + given.runs)
    for case in cases:
        study(case, seeds, given.method, given.error)
    if given.plot is not None:
        plot(cases, given.seed, given.plot)


def chosen(names: list[str]) -> list[RareEventProblem]:
    cases = {case.name: case for case in suite()}
    unknown = [name for name in names if name not in cases]
    if unknown:
        raise SystemExit(f"no case is called {', '.join(unknown)}; --list names them all.")
    return [cases[name] for name in names] if names else list(cases.values())


def study(case: RareEventProblem, seeds: range, method: str, error: float) -> None:
    runs = [cem.estimate_probability(case, method=method, target_cv=error, rng=seed) for seed in seeds]
    ratio = np.array([e.probability for e in runs]) / case.reference
    low, high = np.array([e.confidence_interval() for e in runs]).T
    cv = np.array([e.coefficient_of_variation for e in runs])
    success = np.array([e.success for e in runs])
    standard_error = ratio.std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
    print(
        f"{case.name:<18}{case.reference:>13.5e}{ratio.mean() * case.reference:>13.5e}"
        f"{(ratio.mean() - 1) / standard_error:>9.2f}{np.sqrt(np.mean((ratio - 1) ** 2)):>11.4f}"
        f"{np.mean((low <= case.reference) & (case.reference <= high)):>8.3f}{success.mean():>9.2f}"
        f"{(success & (abs(ratio - 1) > np.maximum(0.12, 2 * cv))).sum():>7}"
        f"{np.mean([e.nfev for e in runs]):>13,.0f}{(1 / case.reference - 1) / error**2:>18,.0f}",
        flush=True,
    )


def plot(cases: list[RareEventProblem], seed: int, path: Path) -> None:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib") from error
    figure: Any
    figure, axes = plt.subplots(len(cases), 1, figsize=(6, 2.5 * len(cases)), squeeze=False)
    for case, axis in zip(cases, axes[:, 0], strict=True):
        history = cem.estimate_probability(case, rng=seed).history
        axis.plot(history.nfev, history.mean, label="mean of the batch")
        axis.plot(history.nfev, history.best, label="best so far")
        axis.axhline(case.level, color="k", linewidth=0.5)
        axis.set(title=case.name, xlabel="evaluations", ylabel="performance")
        axis.legend()
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
