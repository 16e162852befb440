"""Constrained optimisation on the CEC 2006 problems, beside scipy's differential evolution."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import differential_evolution, minimize

import cem
from problems import constrained
from problems.constrained.problem import ConstrainedProblem

PROBLEMS: dict[str, ConstrainedProblem] = {problem.name: problem for problem in constrained.ALL}
POPSIZE = 15  # differential_evolution's own default, a variable


class Run(NamedTuple):
    """One run: error, largest violation, evaluations, seconds, and whether it claims success."""

    error: float
    violation: float
    nfev: int
    seconds: float
    success: bool

    def solved(self, problem: ConstrainedProblem, within: float) -> bool:
        """Whether it is feasible and, relatively, as near to the optimum as asked for."""
        return self.violation <= 1e-6 and abs(self.error) <= within * max(1.0, abs(problem.optimum))


def compare(
    methods: Sequence[str],
    problems: Sequence[ConstrainedProblem] = constrained.ALL,
    seeds: Sequence[int] = range(10),
    evaluations: int = 2000,
    within: float = 1e-6,
) -> None:
    """Print, for each problem and method, the runs solved, the worst error and the evaluations.

    `evaluations` are those of a variable; `within` is the error allowed, of max(1, |optimum|).
    """
    print("| problem | D | " + " | ".join(f"{m}: solved | worst error | evaluations" for m in methods) + " |")
    print("|---|---:|" + "---:|---:|---:|" * len(methods))
    totals, claims = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0)
    seconds = dict.fromkeys(methods, 0.0)
    for problem in problems:
        line = f"| {problem.name} | {problem.dimension} |"
        for method in methods:
            runs = [METHODS[method](problem, evaluations, seed) for seed in seeds]
            solved = [run.solved(problem, within) for run in runs]
            totals[method] += sum(solved)
            claims[method] += sum(run.success and not ok for run, ok in zip(runs, solved, strict=True))
            seconds[method] += sum(run.seconds for run in runs)
            feasible = [abs(run.error) for run in runs if run.violation <= 1e-6]
            worst = f"{max(feasible):.1e}" if len(feasible) == len(runs) else "infeasible"
            spent = np.median([run.nfev for run in runs])
            line += f" {sum(solved)}/{len(seeds)} | {worst} | {spent:,.0f} |"
        print(line, flush=True)
    count = len(seeds) * len(problems)
    for method in methods:
        print(
            f"\n{method}: {totals[method]}/{count} solved ({totals[method] / count:.1%}), "
            f"{claims[method]} claimed a success that is none, {seconds[method]:.0f} s"
        )


def ours(problem: ConstrainedProblem, evaluations: int, seed: int) -> Run:
    untold = replace(problem, optimum=np.nan)  # a run would end where it is reached
    began = time.perf_counter()
    r = cem.optimize(untold, max_evaluations=evaluations * problem.dimension, rng=seed)
    seconds = time.perf_counter() - began
    return Run(r.fun - problem.optimum, problem.violation(r.x), r.nfev, seconds, r.success)


def differential(problem: ConstrainedProblem, evaluations: int, seed: int) -> Run:
    """Run scipy's method; candidates whose constraints alone were looked at count as evaluations too.

    Its polishing comes on top of the evaluations, and is left out where a NaN breaks it.
    """
    asked = 0

    def counted(x: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += 1
        return problem.constraints[0].fun(x)

    first = type(problem.constraints[0])(counted, problem.constraints[0].lb, problem.constraints[0].ub)
    began = time.perf_counter()
    for polish in (True, False):
        asked = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                r = differential_evolution(
                    problem,
                    problem.bounds,
                    constraints=(first, *problem.constraints[1:]),
                    popsize=POPSIZE,
                    maxiter=max(1, evaluations // POPSIZE - 1),
                    tol=1e-12,
                    polish=polish,
                    rng=seed,
                )
        except ValueError:  # its polishing does not survive a NaN
            continue
        break
    seconds = time.perf_counter() - began
    return Run(float(r.fun) - problem.optimum, problem.violation(r.x), asked, seconds, bool(r.success))


class Spent(Exception):  # noqa: N818 - an end, not an error
    """No evaluation is left."""


def multistart(problem: ConstrainedProblem, evaluations: int, seed: int) -> Run:
    """Run scipy's SLSQP from uniform random points until the evaluations are spent: the control."""
    rng = np.random.default_rng(seed)
    low, high = np.array(problem.bounds).T
    left = evaluations * problem.dimension
    best, violation = np.inf, np.inf

    def counted(x: np.ndarray) -> float:
        nonlocal left
        if left == 0:
            raise Spent
        left -= 1
        return problem(np.clip(x, low, high))

    began = time.perf_counter()
    while left:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                r = minimize(
                    counted,
                    rng.uniform(low, high),
                    method="SLSQP",
                    bounds=problem.bounds,
                    constraints=problem.constraints,
                    options={"ftol": 1e-12, "maxiter": 200},
                )
        except Spent:
            break
        except ValueError:  # a NaN
            continue
        x = np.clip(r.x, low, high)
        found = problem.violation(x)
        if (max(found - 1e-6, 0.0), problem(x)) < (max(violation - 1e-6, 0.0), best):
            best, violation = problem(x), found
    seconds = time.perf_counter() - began
    return Run(best - problem.optimum, violation, evaluations * problem.dimension, seconds, False)


METHODS = {"ours": ours, "de": differential, "slsqp": multistart}
