"""Estimate rare events with known probabilities, again and again: error, coverage, cost, false confidence.

Without `--method`, the default method is studied; `multilevel` is the textbook's. 'bias/se' is the mean's
error in its own standard errors, 'covers' the share of the 95 % intervals that hold the right answer, 'wrong'
counts successes off by more than 12 % and 2 of their standard errors. 'plain needs' is the number of samples
that plain Monte Carlo takes for the coefficient of variation asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import cem
from problems.command import (
    INTERRUPTED,
    carry_out,
    check_picture,
    interrupted,
    make_parser,
    positive,
    print_json,
    print_table,
)
from problems.rare_event import RareEventProblem, bridge, suite

COLUMNS = {
    "case": "<18",
    "exact": "13.5e",
    "mean": "13.5e",
    "bias/se": "9.2f",
    "rel. error": "12.4f",
    "covers": "8.3f",
    "success": "9.2f",
    "wrong": "7",
    "evaluations": "13,.0f",
    "plain needs": "18,.0f",
}
WRONG = 0.12  # relative error of a success that counts as false confidence


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    parser = make_parser("python -m problems.rare_event", __doc__, runs=10, seconds=None)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases, or nothing for all")
    parser.add_argument(
        "--levels", type=positive(float), nargs="+", help="the tutorial's bridge at these levels instead"
    )
    parser.add_argument(
        "--target-cv", "--error", type=positive(float, below=1), default=0.05, help="to reach (0.05)"
    )
    parser.add_argument("--method", default="auto", choices=["auto", "improved", "multilevel"])
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="plot how one run of each case converges"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and their probabilities")
    given = parser.parse_args(arguments)
    known = {case.name: case for case in suite()}
    if unknown := [name for name in given.cases if name not in known]:
        parser.error(f"no case is called {', '.join(unknown)}; --list names them all")
    if given.cases and given.levels is not None:
        parser.error("--levels takes the bridge in place of the cases; give one of them")
    check_picture(parser, given.plot)
    cases = [known[name] for name in given.cases] or list(known.values())
    if given.levels is not None:
        cases = [bridge(level) for level in given.levels]
        if beyond := [case.level for case in cases if not case.reference]:
            parser.error(f"the probability of level {beyond[0]:g} is zero among floating-point numbers")
    if given.list:
        return _list(cases, given.json)
    rows: list[dict[str, Any]] = []
    for case in cases:
        runs = _runs(case, given)
        if not interrupted(runs):
            rows.append(summarise(case, runs, given.target_cv))
            if not given.json:
                print_table(rows[-1:], COLUMNS, heading=len(rows) == 1)
            continue
        break
    if given.json:
        print_json(rows)
    if interrupted(runs):
        return INTERRUPTED
    if given.plot:
        plot(cases, given.seed, given.plot)
    return 0


def _list(cases: list[RareEventProblem], as_json: bool) -> int:
    rows = [{"case": case.name, "exact": case.reference, "source": case.source} for case in cases]
    if as_json:
        print_json(rows)
    else:
        shown = [row | {"  source": f"  {row['source']}"} for row in rows]
        print_table(shown, {"case": "<18", "exact": "14.6e", "  source": "<1"}, heading=True)
    return 0


def _runs(case: RareEventProblem, given: Any) -> list[cem.ProbabilityEstimate]:
    runs: list[cem.ProbabilityEstimate] = []
    for seed in range(given.seed, given.seed + given.runs):
        e = cem.estimate_probability(
            case,
            method=given.method,
            target_cv=given.target_cv,
            max_time=given.max_time,
            n_jobs=given.jobs,
            rng=seed,
        )
        runs.append(e)
        if interrupted(runs):
            break
    return runs


def summarise(
    case: RareEventProblem, runs: list[cem.ProbabilityEstimate], target_cv: float
) -> dict[str, Any]:
    """Return what runs of a case are worth, by the names of the table's columns."""
    ratio = np.array([e.probability for e in runs]) / case.reference
    low, high = np.array([e.confidence_interval() for e in runs]).T
    cv = np.array([e.coefficient_of_variation for e in runs])
    success = np.array([e.success for e in runs])
    standard_error = ratio.std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else 0.0
    return {
        "case": case.name,
        "runs": len(runs),
        "exact": case.reference,
        "mean": float(ratio.mean() * case.reference),
        "bias/se": float((ratio.mean() - 1) / standard_error) if standard_error else None,
        "rel. error": float(np.sqrt(np.mean((ratio - 1) ** 2))),
        "covers": float(np.mean((low <= case.reference) & (case.reference <= high))),
        "success": float(success.mean()),
        "wrong": int((success & (abs(ratio - 1) > np.maximum(WRONG, 2 * cv))).sum()),
        "evaluations": float(np.mean([e.nfev for e in runs])),
        "plain needs": float((1 / case.reference - 1) / target_cv**2),
    }


def plot(cases: list[RareEventProblem], seed: int, path: Path) -> None:
    """Draw how one run of each case converges."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 2.5 * len(cases)), layout="constrained")
    panels = figure.subplots(len(cases), squeeze=False)[:, 0]
    for case, axes in zip(cases, panels, strict=True):
        history = cem.estimate_probability(case, rng=seed).history
        axes.plot(history.nfev, history.mean, label="mean of the batch")
        axes.plot(history.nfev, history.best, label="best so far")
        axes.axhline(case.level, color="k", linewidth=0.5)
        axes.set(title=case.name, xlabel="evaluations", ylabel="performance")
        axes.legend()
    figure.savefig(path)


if __name__ == "__main__":
    carry_out(main)
