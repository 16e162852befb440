"""What an optimisation shows while it goes on, and what it ends with."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from cem.core.budget import Budget
from cem.core.ending import NOISY, Ending, Minimum, ObjectiveError, Status
from cem.core.loop import Batch, Ended, Request
from cem.evaluation import Objective, widen
from cem.running.driver import Driver, Served
from cem.running.naming import Naming, name_candidate, named_result
from cem.running.reporting import Progress
from cem.running.results import OptimizeResult
from cem.running.scoring import Setting
from cem.running.session import Session


def report(driver: Driver, progress: Progress) -> OptimizeResult:
    """Return what a callback sees."""
    seen = {"population": progress.population, "scores": progress.scores}
    return _result(driver, Ending(Status.CALLBACK, "in progress"), history=driver.history.copy(), **seen)


def answer(driver: Driver, served: Served[Ending]) -> OptimizeResult:
    """Return what a run ends with."""
    return _result(driver, _ending(served.value, served.ended))


def _ending(value: Ending | None, ended: Ended | None) -> Ending:
    if value is not None:
        return value
    if ended is None:
        raise RuntimeError("a plan ended without saying how.")
    return Ending(ended.status, str(ended))


def _result(driver: Driver, ending: Ending, **more: Any) -> OptimizeResult:
    x, score, status, message = driver.best.x, driver.best.score, ending.status, ending.message
    if ending.estimate is not None:
        x, score = driver.setting.present(ending.estimate.x[None])[0], ending.estimate.score
        error = ending.estimate.standard_error
        more = {"fun_error": error, "fun_standard_error": error} | more
    if ending.looks is not None:
        minima = [
            Minimum(driver.setting.present(m.x[None])[0], -driver.sign * m.value) for m in ending.minima
        ]
        more = {"looks": ending.looks, "minima": minima} | more
    if status is Status.CONVERGED and driver.budget.target is not None:
        status, message = Status.COLLAPSED, f"the target {driver.budget.target} is not reached: {message}"
    if driver.noise_seen:
        status = Status.COLLAPSED if status.success else status
        message = f"{NOISY}, so that fun is one lucky value of many: {message}"
    if (constraints := driver.setting.constraints) is not None:
        feasible, violation = driver.best.feasible, driver.best.violation
        if ending.estimate is not None and (residuals := ending.estimate.residuals) is not None:
            feasible = constraints.met(residuals)
            violation = float(constraints.violations(residuals[None]).max(initial=0.0))
        more = {"maxcv": violation} | more
        if not feasible and x is not None:
            status = Status.INFEASIBLE
            message = (
                f"no feasible candidate was found: x violates the constraints by {violation:.3g} ({message})"
            )
    fields_ = {
        "x": None if x is None else np.array(widen(x)),
        "fun": driver.sign * score + 0.0 if x is not None else np.nan,
        "success": status.success,
        "status": status,
        "message": message + driver.remark,
        "nit": len(driver.history),
        "nfev": driver.nfev,
        "nan_count": driver.nan_count,
        "family": driver.family if ending.family is None else ending.family,
        "history": driver.history,
        "elapsed": driver.elapsed,
        "seed": driver.streams.seed,
    }
    return OptimizeResult(**(fields_ | more))


def run_named(
    session: Session,
    objective: Objective,
    plan: Generator[Request, Batch, Ending],
    budget: Budget,
    setting: Setting,
    naming: Naming,
) -> OptimizeResult:
    """Run `session`, and show dicts in the place of rows."""

    def named_report(driver: Driver, progress: Progress) -> OptimizeResult:
        return named_result(report(driver, progress), naming)

    def named_answer(driver: Driver, served: Served[Ending]) -> OptimizeResult:
        return named_result(answer(driver, served), naming)

    setting = replace(setting, describe=lambda x: naming.dicts(x[None])[0])
    try:
        return session.run(objective, plan, budget, setting, named_report, named_answer)
    except ObjectiveError as error:
        name_candidate(error, naming)
        raise
