"""Solve instances that files hold: the command behind ``python -m problems.maxcut`` and its like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import cem
from problems.command import INTERRUPTED, check_picture, interrupted, make_parser, print_json, print_table
from problems.reading import read_best_known

SECONDS = 20.0


def solve_files(
    kind: Callable[[Path], Any],
    prog: str,
    description: str | None,
    arguments: list[str] | None = None,
    bound: Callable[[Any], float] | None = None,
) -> int:
    """Read the files that a command line names, solve each, and print what was found.

    Parameters
    ----------
    kind : callable
        From a path to a problem.
    prog, description : str
    arguments : list of str, optional
        Default: those of the process.
    bound : callable, optional
        From a problem to a bound that no candidate passes; adds the option ``--bound``.

    Returns
    -------
    int
        The exit code: 130 where Ctrl-C ended it, with what there was.
    """
    parser = make_parser(prog, description, runs=1, seconds=SECONDS)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    if bound is not None:
        parser.add_argument("--bound", action="store_true", help="compute a bound, and the gap to it")
    parser.add_argument(
        "--best-known", type=Path, metavar="CSV", help="with columns instance and best_known or optimum"
    )
    parser.add_argument(
        "--solution-dir",
        type=Path,
        metavar="DIR",
        help="write NAME.solution: the best candidate, a number a line",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="plot each run's best score over time")
    given = parser.parse_args(arguments)
    try:
        problems = [kind(file) for file in given.files]
        best_known = read_best_known(given.best_known) if given.best_known else {}
        if given.solution_dir:
            given.solution_dir.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    twice = [name for name, count in Counter(each.name for each in problems).items() if count > 1]
    if given.solution_dir and twice:
        parser.error(f"--solution-dir takes files of different names, got {twice[0]} twice")
    check_picture(parser, given.plot)
    return _Solving(given, best_known, bound if bound is not None and given.bound else None).solve(problems)


class _Solving:
    """One command, as it was asked for."""

    def __init__(
        self, given: Any, best_known: dict[str, float], bound: Callable[[Any], float] | None
    ) -> None:
        self.given, self.best_known, self.bound = given, best_known, bound
        self.rows: list[dict[str, Any]] = []
        self.columns = {
            "instance": "<20",
            "n": "8,",
            "seed": "6",
            "score": "16,.10g",
            "seconds": "9.2f",
            "evaluations": "13,",
            "best known": "16,.10g",
            "gap %": "9.3f",
        }
        if bound is not None:
            self.columns |= {"bound": "16,.10g", "to bound %": "12.3f"}
        self.columns |= {"  ended": "<1"}

    def solve(self, problems: list[Any]) -> int:
        """Solve and print; return the exit code."""
        curves: dict[str, list[cem.OptimizeResult]] = {}
        for problem in problems:
            curves[problem.name] = runs = self._runs(problem)
            if self.given.solution_dir:
                self._write(problem, runs)
            if interrupted(runs):
                break
        if self.given.json:
            print_json(self.rows)
        if self.given.plot:
            plot_runs(self.given.plot, curves, self.best_known)
            self._say(f"plot written to {self.given.plot}")
        return INTERRUPTED if interrupted(runs) else 0

    def _runs(self, problem: Any) -> list[cem.OptimizeResult]:
        given, runs = self.given, []
        known = self.best_known.get(problem.name, problem.optimum)
        bound = None if self.bound is None else self.bound(problem)
        for seed in range(given.seed, given.seed + given.runs):
            r = cem.optimize(problem, max_time=given.max_time, n_jobs=given.jobs, rng=seed)
            runs.append(r)
            stage = str(r.history.stage[-1]) if len(r.history) else "no iteration"
            self.rows.append(
                {
                    "instance": problem.name,
                    "n": problem.n,
                    "seed": seed,
                    "score": r.fun,
                    "seconds": r.elapsed,
                    "evaluations": r.nfev,
                    "best known": known,
                    "gap %": gap(r.fun, known, problem.maximize),
                    "bound": bound,
                    "to bound %": gap(r.fun, bound, problem.maximize),
                    "status": r.status.name,
                    "message": r.message,
                    "x": r.x,
                    "  ended": f"  {stage}, {r.status.name}",
                }
            )
            if not given.json:
                print_table(self.rows[-1:], self.columns, heading=len(self.rows) == 1)
            else:
                del self.rows[-1]["  ended"]
            if interrupted(runs):
                break
        return runs

    def _write(self, problem: Any, runs: list[cem.OptimizeResult]) -> None:
        found = [r for r in runs if r.x is not None]
        if not found:
            return
        best = (max if problem.maximize else min)(found, key=lambda r: r.fun)
        path = self.given.solution_dir / f"{problem.name}.solution"
        path.write_text("".join(f"{number}\n" for number in best.x.tolist()))
        self._say(f"solution of score {best.fun:,.10g} written to {path}")

    def _say(self, text: str) -> None:
        if not self.given.json:
            print(text)  # noqa: T201 - a command's answer


def gap(score: float, reference: float | None, maximize: bool) -> float | None:
    """Return how much worse a score is than a reference, in per cent of it; None where there is none."""
    if reference is None or not np.isfinite(score):
        return None
    worse = reference - score if maximize else score - reference
    return 100 * worse / (abs(reference) or 1)


def plot_runs(path: Path, curves: dict[str, list[cem.OptimizeResult]], best_known: dict[str, float]) -> None:
    """Draw the best score of each run over time, one panel an instance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.8 * len(curves)), layout="constrained")
    panels = figure.subplots(len(curves), squeeze=False)[:, 0]
    for axes, (name, runs) in zip(panels, curves.items(), strict=True):
        for r in runs:
            history = r.history
            axes.step(history.seconds, history.best, ".-", where="post", markersize=3, label=f"seed {r.seed}")
        if name in best_known:
            axes.axhline(best_known[name], color="black", linestyle="--", linewidth=1, label="best known")
        axes.set(title=name, xlabel="seconds", ylabel="best score")
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
