"""`estimate_quantile`: the performance that is reached with a given small probability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cem.core.budget import Budget, real_number, truth
from cem.core.ending import Status
from cem.core.streams import RngLike
from cem.evaluation import Objective, checked_args
from cem.probability import DEFAULT_EVALUATIONS, check_resolution, check_target, found, report
from cem.rare_events.estimates import QuantileEstimate
from cem.rare_events.failed_runs import about_missing, check_policy, obey
from cem.rare_events.importance import Finding
from cem.rare_events.improved import quantile_plan
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.quantile import surrogate_quantile_plan
from cem.rare_events.tail import tail_of
from cem.rare_events.working_space import resolve_inputs
from cem.running.driver import Driver, Served
from cem.running.keywords import explain_keywords
from cem.running.reporting import raise_failure
from cem.running.scoring import Setting
from cem.running.session import Session


@explain_keywords
def estimate_quantile(
    performance: Callable[..., Any],
    inputs: Any,
    probability: float,
    *,
    tail: str = "upper",
    method: str = "auto",
    target_cv: float = 0.05,
    nan_policy: str = "flag",
    vectorized: bool = False,
    args: tuple[Any, ...] = (),
    pass_rng: bool = False,
    max_evaluations: int | None = None,
    max_time: float | None = None,
    evaluation_timeout: float | None = None,
    n_jobs: int | None = None,
    callback: Callable[..., Any] | None = None,
    progress: bool = False,
    checkpoint: Any = None,
    resume: bool = False,
    rng: RngLike = None,
    resolution: float | None = None,
) -> QuantileEstimate:
    """Estimate the quantile of a performance that is exceeded with a given small probability.

    Parameters
    ----------
    performance, tail, max_evaluations, resolution
        As in `estimate_probability`.
    inputs : family, sequence or dict of frozen scipy.stats distributions, or JointInputs
        A `Gaussian`, `Exponential`, `Gamma`, `Bernoulli`, `Categorical` or `MarkovPath`.
    probability : float
        The q with P(performance >= q) = probability is sought (`tail="lower"`: <=); in (0, 1).
    method : {"auto", "surrogate"}
        "surrogate" is for performances that take long, smooth ones of inputs of standard-normal space: a
        Gaussian process says where the quantile lies, one or two hundred true evaluations correct it, and
        where it is of no use the usual method takes over; a probability of at most one half.
    target_cv : float
        Coefficient of variation of the tail's probability to reach, in (0, 1).
    vectorized, args, pass_rng, max_time, evaluation_timeout, n_jobs, callback, progress, checkpoint, \
resume, rng
        As in `optimize`, with `performance` in the place of `fun`.
    nan_policy : {"flag", "event", "omit", "raise"}
        As in `estimate_probability`; "event" means beyond the quantile.

    Returns
    -------
    QuantileEstimate

    Raises
    ------
    ValueError, TypeError
        For bad arguments, before anything is evaluated.
    ObjectiveError
        If `performance` raises; the estimate so far is its `partial`.

    References
    ----------
    Egloff & Leippold (2010), "Quantile estimation with adaptive importance sampling", Annals of Statistics
    38.

    Examples
    --------
    >>> import cem, numpy as np
    >>> q = cem.estimate_quantile(np.sum, cem.Gaussian([0.0, 0.0], std=1), 1e-4, rng=1)
    >>> low, high = q.confidence_interval()
    >>> bool(low < 3.719 * np.sqrt(2) < high)
    True
    """
    arguments = dict(locals())
    if not callable(performance):
        raise TypeError(f"performance must be callable, got {type(performance).__name__}.")
    if not 0 < real_number("probability", probability) < 1:
        raise ValueError(f"probability lies in (0, 1), got {probability!r}.")
    if tail not in ("upper", "lower"):
        raise ValueError(f'tail must be "upper" or "lower", got {tail!r}.')
    check_target(target_cv)
    check_policy(nan_policy)
    truth("vectorized", vectorized)
    truth("pass_rng", pass_rng)
    seen = check_resolution(resolution)
    source = resolve_inputs(inputs)
    if source.space is None:
        raise ValueError(
            "quantiles need inputs that are Gaussian, Exponential, Gamma, Bernoulli, Categorical, "
            f"MarkovPath, scipy.stats marginals or JointInputs; got {type(inputs).__name__}."
        )
    if method not in ("auto", "surrogate"):
        raise ValueError(f'method must be "auto" or "surrogate", got {method!r}.')
    few = source.space if method == "surrogate" and isinstance(source.space, NormalSpace) else None
    if method == "surrogate" and (few is None or pass_rng or probability > 0.5 or seen is not None):
        raise ValueError(
            'method="surrogate" takes inputs that are Gaussian, Exponential, Gamma, scipy.stats marginals or '
            "JointInputs, no pass_rng=True, no resolution=, and a probability of at most one half."
        )
    budget = Budget(DEFAULT_EVALUATIONS if max_evaluations is None else max_evaluations, None, max_time)
    session = Session.open("quantile", performance, arguments, budget)
    objective = Objective(performance, session.streams, checked_args(args), vectorized, pass_rng)
    complement = probability > 0.5
    maximize = (tail == "upper") != complement
    setting = Setting(source.proposal, maximize, source.present, any_score=True)

    def answer(driver: Driver, served: Served[Finding]) -> QuantileEstimate:
        finding = found(served)
        estimate = _estimate(driver, finding, float(probability), complement, target_cv, nan_policy)
        raise_failure(finding.ended, estimate)
        return estimate

    smaller = float(1 - probability if complement else probability)
    if few is not None:
        plan = surrogate_quantile_plan(few, smaller, target_cv, max_evaluations)
    else:
        plan = quantile_plan(source.space, smaller, target_cv, complement, resolution=seen, noisy=pass_rng)
    plan = obey(plan, nan_policy, -np.inf if complement else np.inf, source.present)
    return session.run(objective, plan, budget, setting, report, answer)


def _estimate(
    driver: Driver,
    finding: Finding,
    probability: float,
    complement: bool,
    target_cv: float,
    nan_policy: str,
) -> QuantileEstimate:
    sign, tail = driver.sign, finding.tail
    if tail is None:
        tail = tail_of(finding.samples, complement)
    status, message = finding.status, finding.message
    if nan_policy == "omit" and tail.draws:
        tail = tail.known()
    nan_probability = tail.nan_probability
    point = shortfall = np.nan
    if tail.draws:
        point = tail.point(1 - probability if complement else probability)
        shortfall = tail.shortfall(point, probability) if tail.has_mean(point) else np.nan
    smaller = min(probability, 1 - probability)
    if status.success and finding.nominal_draws and finding.resolution > target_cv * smaller:
        message = f"{message}; {finding.about_resolution}"
    remark, matters = about_missing(nan_probability, finding.least_error * smaller)
    status = Status.UNTRUSTED if matters and status.success else status
    return QuantileEstimate(
        quantile=sign * point,
        expected_shortfall=sign * shortfall,
        probability=probability,
        coefficient_of_variation=tail.coefficient_of_variation(point),
        nfev=driver.nfev,
        nit=len(driver.history),
        success=status.success,
        status=status,
        message=message + remark + driver.remark,
        family=finding.proposal,
        history=driver.history,
        elapsed=driver.elapsed,
        seed=driver.streams.seed,
        nan_probability=nan_probability,
        resolution=finding.resolution,
        _tail=tail,
        _sign=sign,
        _least_error=finding.least_error,
    )
