"""Repeated estimates of rare events with known probabilities: error, cost, coverage, and confident errors."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import cem
from problems.rare_event import RareEventProblem, suite, tuning
from problems.rare_event.trials import HEADING, Trial, row, summarise, trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases, or nothing for all")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run")
    parser.add_argument("--error", type=float, default=0.05, help="coefficient of variation to reach")
    parser.add_argument("--method", default="auto", choices=["auto", "improved", "multilevel"])
    parser.add_argument(
        "--log", type=Path, help="append one JSON line a run to this file, and skip those in it"
    )
    parser.add_argument(
        "--plot", type=Path, help="draw how one run of each case converges (needs matplotlib)"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and their probabilities")
    parser.add_argument("--tuning", action="store_true", help="the cases for tuning in place of the suite")
    given = parser.parse_args()
    cases = chosen(given.cases, tuning.problems() if given.tuning else suite())
    if given.list:
        for case in cases:
            print(f"{case.name:<18}{case.reference:>14.6e}  {case.source}")
        return
    trials = read(given.log)
    done = {(t.case, t.seed) for t in trials}
    for seed in range(given.seed, given.seed + given.runs):
        for case in cases:
            if (case.name, seed) not in done:
                trials.append(trial(case, seed, given.method, given.error))
                write(given.log, trials[-1])
    report(cases, trials)
    if given.plot is not None:
        plot(cases, given.seed, given.plot)


def chosen(names: list[str], every: list[RareEventProblem]) -> list[RareEventProblem]:
    cases = {case.name: case for case in every}
    unknown = [name for name in names if name not in cases]
    if unknown:
        raise SystemExit(f"no case is called {', '.join(unknown)}; --list names them all.")
    return [cases[name] for name in names] if names else list(cases.values())


def read(log: Path | None) -> list[Trial]:
    if log is None or not log.exists():
        return []
    return [Trial(**json.loads(line)) for line in log.read_text().splitlines()]


def write(log: Path | None, one: Trial) -> None:
    if log is not None:
        with log.open("a") as file:
            file.write(json.dumps(asdict(one), default=float) + "\n")


def report(cases: list[RareEventProblem], trials: list[Trial]) -> None:
    print(HEADING)
    rows = []
    for case in cases:
        own = [t for t in trials if t.case == case.name]
        if own:
            print(row(case.name, own))
            rows.append(summarise(own))
    every = [t for t in trials if t.case in {case.name for case in cases}]
    print(row("all", every))
    print(
        f"\nmedian over cases: normalised rmse {np.median([r.normal_rmse for r in rows]):.4f}, "
        f"calls {np.median([r.median_calls for r in rows]):,.0f}; "
        f"mean within 2 % in {np.mean([abs(r.mean - 1) <= 0.02 for r in rows]):.2f} of cases, "
        f"within 5 % in {np.mean([abs(r.mean - 1) <= 0.05 for r in rows]):.2f}"
    )
    for t in every:
        if t.confidently_wrong:
            print(f"confidently wrong: {t.case}, seed {t.seed}, {t.ratio:.3f} of the reference")


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
