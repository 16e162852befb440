"""`estimate_probability`: the front door to rare events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from cem.core.budget import Budget, real_number, truth
from cem.core.ending import Status
from cem.core.streams import RngLike
from cem.evaluation import Objective, checked_args, widen
from cem.families.base import Family, dimension
from cem.rare_events.choice import choose_plan, is_smooth
from cem.rare_events.estimates import ProbabilityEstimate, samples
from cem.rare_events.failed_runs import about_missing, check_policy, obey
from cem.rare_events.failures import Failures, gather
from cem.rare_events.importance import Finding, pareto_shape
from cem.rare_events.modes import system_plan, table
from cem.rare_events.settings import Settings
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.correction import CorrectedTally
from cem.rare_events.systems import HINT, System, read_system
from cem.rare_events.working_space import Inputs
from cem.running.driver import Driver, Served
from cem.running.keywords import explain_keywords
from cem.running.reporting import Progress, raise_failure
from cem.running.results import OptimizeResult
from cem.running.scoring import Setting
from cem.running.session import Session

DEFAULT_EVALUATIONS = 1_000_000
LONG = 60.0  # seconds after which a run is told of a method that takes fewer evaluations
FEWER = 'a smooth performance takes one or two hundred evaluations by method="surrogate"'
MOST_SHARE = 0.1
ASK_FOR_TAIL = (
    "the event counted is performance(x) >= level, which is the rule; for performance(x) <= level give "
    'tail="lower"'
)

T = TypeVar("T")


@explain_keywords
def estimate_probability(
    performance: Any,
    inputs: Any = None,
    level: Any = None,
    *,
    tail: str | None = None,
    system: str | Callable[..., Any] | None = None,
    method: str | Settings = "auto",
    family: Family | None = None,
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
) -> ProbabilityEstimate:
    """Estimate the probability that a performance reaches a level, by the cross-entropy method.

    Parameters
    ----------
    performance : callable, problem, or list or dict of callables
        ``performance(x, *args)`` of a read-only row of inputs; or an object with `performance`,
        `inputs`, `level` and `tail`, which brings these with it; or several limit states, see `system`.
    inputs : family, sequence or dict of frozen scipy.stats distributions, or JointInputs
        What is random; a sequence means independent inputs. Scipy's distributions are sampled by way of
        standard-normal space, and the improved method samples `Gaussian`, `Exponential` and `Gamma` inputs
        so too: the estimate's `family` is then one of that space. A `MarkovPath` is a path of random length,
        and the performance sees the state in which it ended.
    level : float, or sequence of float
        The event is ``performance(x) >= level``; of a system, each limit state may have its own.
    tail : {"upper", "lower"}
        "lower": the event is ``performance(x) <= level``. Default "upper", or the problem's own.
    system : {"series", "parallel"} or callable, optional
        For several limit states: a list or a dict of callables, which names them, or a performance that
        returns k numbers (vectorised: shape ``(n, k)``). The system fails where any mode does ("series"),
        where all do ("parallel"), or where ``system(margins) >= 0``: margins, shape ``(n, k)``, are how far
        each performance lies beyond its level, at least 0 where its mode has failed, in units of the median
        distance of the first batch; it returns n numbers whose signs depend on theirs alone, as
        ``np.minimum`` and ``np.maximum`` of columns do. The estimate's `modes` has each mode's probability
        and share; levels and scores of its history, and those that a callback sees, are the system's margins.
    method : {"auto", "improved", "surrogate", "multilevel"}
        "improved" works in standard-normal space, on bits, labels or paths; "multilevel" is the textbook's
        and takes any family. "auto" is "improved" for a `Gaussian`, `Exponential`, `Gamma`, `Bernoulli`,
        `Categorical` or `MarkovPath`, scipy.stats marginals, `JointInputs` and families of one's own whose
        rows are real and not bounded, unless a `family` is given, and "multilevel" otherwise. "surrogate" is
        for performances that take long: a Gaussian process guides, true evaluations correct it, and a smooth
        performance takes one or two hundred of them; inputs must be of standard-normal space. "auto" is it
        where `max_evaluations` is below 3,000, with up to 20 inputs and no `pass_rng` or `resolution`. A
        `cem.rare_events.settings.Settings` is "improved" so set.
    family : family, optional
        The first proposal of the multilevel method, in the inputs' own space. Default: the nominal.
    target_cv : float
        Coefficient of variation (standard error over probability) to reach, in (0, 1).
    nan_policy : {"flag", "event", "omit", "raise"}
        What a performance that is NaN counts for: a run that failed, took too long or died. "flag": for no
        event; the interval reaches to where all of them are events, and the estimate is `UNTRUSTED` where
        their probability, its `nan_probability`, is more than 1.5 % of it. "event": for an event. "omit": for
        nothing; the probability is that of the event given that the performance is a number. "raise": the
        first one raises an `ObjectiveError`.
    max_evaluations : int, optional
        Exact. Default 1,000,000.
    resolution : float, optional
        Draw from the inputs' own distribution until any region of this probability would have been seen with
        95 %, whether or not scores lead there: about 3/resolution evaluations. Default: as few as the method
        takes; the estimate's `resolution` says what they see. Of the improved method only.
    vectorized, args, pass_rng, max_time, evaluation_timeout, n_jobs, callback, progress, checkpoint, \
resume, rng
        As in `optimize`, with `performance` in the place of `fun`.

    Returns
    -------
    ProbabilityEstimate

    Raises
    ------
    ValueError, TypeError
        For bad arguments, before anything is evaluated, and for a performance that is not one real
        number or never is one at all.
    ObjectiveError
        If `performance` raises; the estimate so far is its `partial`.

    References
    ----------
    Rubinstein & Kroese (2004), "The Cross-Entropy Method", Springer; De Boer, Kroese, Mannor & Rubinstein
    (2005), "A Tutorial on the Cross-Entropy Method", Annals of Operations Research 134, Section 2;
    Papaioannou, Geyer & Straub (2019), "Improved cross entropy-based importance sampling with a flexible
    mixture model", Reliability Engineering & System Safety 191; Dubourg, Sudret & Deheeger (2013),
    "Metamodel-based importance sampling for structural reliability analysis", Probabilistic Engineering
    Mechanics 33.

    Examples
    --------
    >>> import cem, numpy as np
    >>> e = cem.estimate_probability(np.sum, cem.Exponential([1.0, 1.0]), level=10, rng=1)
    >>> low, high = e.confidence_interval()
    >>> bool(low < 11 * np.exp(-10) < high)
    True
    """
    arguments = dict(locals())
    whole = performance
    if is_problem(performance):
        problem = performance
        _check_not_given(inputs=inputs, level=level, tail=tail)
        performance, inputs, level, tail = problem.performance, problem.inputs, problem.level, problem.tail
        vectorized = bool(getattr(problem, "vectorized", vectorized))
    forgotten, tail = tail is None, "upper" if tail is None else tail
    if tail not in ("upper", "lower"):
        raise ValueError(f'tail must be "upper" or "lower", got {tail!r}.')
    check_target(target_cv)
    check_policy(nan_policy)
    truth("vectorized", vectorized)
    truth("pass_rng", pass_rng)
    performance, made = read_system(performance, level, tail, system, vectorized)
    if not callable(performance):
        raise TypeError(f"performance must be callable, got {type(performance).__name__}.")
    seen = check_resolution(resolution)
    source, plan = choose_plan(method, inputs, family, max_evaluations, pass_rng, seen, made)
    upper = tail == "upper" or made is not None
    threshold = 0.0 if made is not None else _checked_level(level) if upper else -_checked_level(level)
    budget = Budget(DEFAULT_EVALUATIONS if max_evaluations is None else max_evaluations, None, max_time)
    session = Session.open("probability", whole, arguments, budget)
    several, hint = made is not None, HINT if made is None else ""
    objective = Objective(
        performance, session.streams, checked_args(args), vectorized, pass_rng, several=several, hint=hint
    )
    combine = None if made is None else made.combine
    setting = Setting(source.proposal, upper, source.present, any_score=True, combine=combine)
    suits = method in ("auto", "improved") and not pass_rng and is_smooth(source, inputs)

    def answer(driver: Driver, served: Served[Finding]) -> ProbabilityEstimate:
        finding = found(served)
        estimate = _estimate(driver, finding, target_cv, nan_policy, made)
        estimate = replace(estimate, _failures=_failures(inputs, source, finding, estimate, threshold))
        if suits and not finding.surrogate and estimate.elapsed > LONG:
            estimate = replace(estimate, message=f"{estimate.message}; {FEWER}")
        raise_failure(finding.ended, estimate)
        if forgotten and estimate.probability > 0.5:
            return replace(estimate, message=f"{estimate.message}; {ASK_FOR_TAIL}")
        return estimate

    serving = plan(threshold, target_cv)
    if made is not None:
        nominal = source.nominal if source.space is None else source.space.nominal
        serving = system_plan(serving, made, nominal, source.proposal)
    obedient = obey(serving, nan_policy, np.inf, source.present)
    return session.run(objective, obedient, budget, setting, report, answer)


def found(served: Served[T]) -> T:
    """Return what a plan found; where it was cut short before it could say anything, that was Ctrl-C."""
    if served.value is None:
        raise KeyboardInterrupt
    return served.value


def is_problem(value: object) -> bool:
    """Whether an object brings performance, inputs, level and tail."""
    return all(hasattr(value, name) for name in ("performance", "inputs", "level", "tail"))


def check_target(target_cv: float) -> None:
    """Check a coefficient of variation to reach.

    Raises
    ------
    ValueError
        If it lies outside (0, 1).
    TypeError
        If it is not a number.
    """
    if not 0 < real_number("target_cv", target_cv) < 1:
        raise ValueError(f"target_cv lies in (0, 1), got {target_cv!r}.")


def _check_not_given(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(f"the problem brings its own {name}; leave it out.")


def check_resolution(resolution: Any) -> float | None:
    """Return a resolution as a number, or None.

    Raises
    ------
    ValueError
        If it lies outside (0, 1).
    TypeError
        If it is not a number.
    """
    if resolution is None:
        return None
    if not 0 < (value := real_number("resolution", resolution)) < 1:
        raise ValueError(f"resolution lies in (0, 1), got {resolution!r}.")
    return value


def _checked_level(level: Any) -> float:
    if level is None:
        raise ValueError("level= is missing: the event is performance(x) >= level.")
    value = real_number("level", level)
    if not np.isfinite(value):
        raise ValueError(f"level must be a finite number, got {value}.")
    return value


def report(driver: Driver, progress: Progress) -> OptimizeResult:
    """Return what a callback sees."""
    return OptimizeResult(
        level=driver.sign * progress.state.level,
        family=progress.state.family,
        nit=len(driver.history),
        nfev=driver.nfev,
        history=driver.history.copy(),
        elapsed=driver.elapsed,
        seed=driver.streams.seed,
        population=progress.population,
        scores=progress.scores,
    )


def _estimate(
    driver: Driver, finding: Finding, target_cv: float, nan_policy: str, system: System | None
) -> ProbabilityEstimate:
    known = 1.0
    if nan_policy == "omit":
        known = 1 - min(finding.tally.nan_probability, 1 - 1e-12)
    if nan_policy == "omit":
        finding = replace(finding, tally=finding.tally.known(finding.plain))
    tally = finding.tally
    probability = min(1.0, float(np.exp(tally.log_probability))) if tally.draws else np.nan
    cv = tally.coefficient_of_variation
    status, message = _judged(finding, driver.sign * driver.state.level + 0.0, target_cv)
    if status.success and finding.nominal_draws and finding.resolution > target_cv * probability:
        message = f"{message}; {finding.about_resolution}"
    hits = tally.hits if len(tally.hits) else np.empty((0, dimension(finding.proposal)))
    return ProbabilityEstimate(
        probability=probability,
        standard_error=cv * probability if np.isfinite(cv) else np.nan,
        coefficient_of_variation=cv,
        effective_sample_size=tally.effective_sample_size,
        hits=len(tally.hits),
        draws=tally.draws,
        nfev=driver.nfev,
        nit=len(driver.history),
        success=status.success,
        status=status,
        message=message + driver.remark,
        family=finding.proposal,
        history=driver.history,
        elapsed=driver.elapsed,
        seed=driver.streams.seed,
        _samples=samples(widen(np.array(driver.setting.present(hits))) if len(hits) else hits, tally.weights),
        _plain=finding.plain,
        pareto_shape=pareto_shape(tally.log_weights),
        largest_share=tally.largest_share,
        _skewness=tally.skewness,
        nan_probability=tally.nan_probability,
        resolution=finding.resolution,
        modes=None
        if system is None or finding.modes is None
        else table(system.names, finding.modes, 1 / known),
        _least_error=finding.least_error,
        _absolute_error=tally.standard_error,
        _with_missing=tally.with_missing() if tally.missing_log_weights.size else None,
    )


def _failures(
    inputs: Any, source: Inputs, finding: Finding, estimate: ProbabilityEstimate, level: float
) -> Failures:
    """Return what the failing rows say besides the probability."""
    standard = isinstance(source.space, NormalSpace) or source.standard
    x, weights = estimate.failure_samples()
    return gather(
        inputs,
        x,
        weights,
        finding.tally.hits if standard and len(finding.tally.hits) else None,
        estimate.probability,
        estimate.standard_error,
        estimate.draws,
        finding.samples,
        level,
    )


def _judged(finding: Finding, last_level: float, target_cv: float) -> tuple[Status, str]:
    """Add to how a plan ended what its weights say against it."""
    tally, status, message = finding.tally, finding.status, finding.message
    least = finding.least_error * float(np.exp(tally.log_probability))
    if (
        status.success
        and isinstance(tally, CorrectedTally)
        and not tally.coefficient_of_variation <= target_cv
    ):
        status, message = Status.UNTRUSTED, f"{message}; given that the performance is a number it is not"
    remark, matters = about_missing(tally.nan_probability, least)
    status, message = (
        Status.UNTRUSTED if matters and status.success else status,
        message + remark,
    )
    if status is Status.LEVEL_UNREACHED and np.isfinite(last_level):
        message = f"{message}; the last level is {last_level:.6g}"
    if len(tally.hits) == 0:
        return status, f"{message}; none of {tally.draws} draws hit the event"
    share = tally.largest_share
    if share > max(MOST_SHARE, 2 * target_cv):
        status = Status.UNTRUSTED if status.success else status
        message = f"{message}; the weights are degenerate: one hit of {len(tally.hits)} carries {share:.0%}"
    return status, message
