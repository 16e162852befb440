"""`estimate_quantile`: the performance that is reached with a given small probability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from cem.budget import Budget, real_number
from cem.driver import Driver
from cem.estimates import RESOLUTION, ConfidenceInterval
from cem.evaluation import Evaluator, Objective, checked_args
from cem.families.base import Family
from cem.history import History
from cem.improved.inputs import work_in
from cem.improved.quantile import Tail, tail_plan
from cem.keeping.resuming import opened
from cem.progress import shown
from cem.rare_event import DEFAULT_EVALUATIONS, check_target, report
from cem.reporting import as_notifier, raise_failure
from cem.status import Status
from cem.streams import RngLike

LEAST_EFFECTIVE = 20


@dataclass(frozen=True, eq=False, repr=False)
class QuantileEstimate:
    """A quantile of a performance and its mean beyond it.

    Attributes
    ----------
    quantile : float
        The q with P(performance >= q) = probability ("lower" tail: <=); NaN where nothing was drawn.
    expected_shortfall : float
        Mean of the performance given that it lies beyond the quantile.
    probability : float
        As asked for.
    coefficient_of_variation : float
        That of the estimated probability of the tail that the quantile cuts off.
    nfev, nit : int
        Evaluations and iterations.
    success : bool
        Whether the target coefficient of variation was reached.
    status : Status
    message : str
    family : Family
        The proposal behind the estimate, in the space that was worked in.
    history : History
    elapsed : float
        Seconds.
    seed : int or numpy.random.SeedSequence
        What, given as `rng`, repeats this run.
    """

    quantile: float
    expected_shortfall: float
    probability: float
    coefficient_of_variation: float
    nfev: int
    nit: int
    success: bool
    status: Status
    message: str
    family: Family
    history: History
    elapsed: float
    seed: int | np.random.SeedSequence
    _tail: Tail
    _sign: float

    def confidence_interval(self, confidence_level: float = 0.95) -> ConfidenceInterval:
        """Give an interval for the quantile: where the tail's probability with its error is `probability`.

        To that error 1.5 % is added in quadrature. Everything, where fewer than 20 effective draws lie beyond
        the quantile.

        Raises
        ------
        ValueError
            If the level lies outside (0, 1).
        """
        z = _normal_quantile(confidence_level)
        cv = self.coefficient_of_variation
        if not self._enough:
            return ConfidenceInterval(-np.inf, np.inf)
        spread = z * float(np.hypot(cv, RESOLUTION))
        low = self._tail.point(self.probability * (1 + spread))
        high = self._tail.point(self.probability * (1 - spread)) if spread < 1 else np.inf
        return self._ordered(low, high)

    def shortfall_interval(self, confidence_level: float = 0.95) -> ConfidenceInterval:
        """Give an interval for the expected shortfall, normal, with 1.5 % of its excess over the quantile.

        Raises
        ------
        ValueError
            If the level lies outside (0, 1).
        """
        z = _normal_quantile(confidence_level)
        if not self._enough:
            return ConfidenceInterval(-np.inf, np.inf)
        over = self._tail.ratios * np.maximum(self._tail.scores - self._sign * self.quantile, 0.0)
        error = over.std() / np.sqrt(self._tail.draws) / self.probability
        half = z * float(np.hypot(error, RESOLUTION * over.mean() / self.probability))
        return ConfidenceInterval(self.expected_shortfall - half, self.expected_shortfall + half)

    @property
    def _enough(self) -> bool:
        """Whether enough draws lie beyond the quantile for it to mean something."""
        w = self._tail.ratios[self._tail.scores >= self._sign * self.quantile]
        return bool(w.size and w.sum() ** 2 >= LEAST_EFFECTIVE * (w * w).sum())

    def _ordered(self, low: float, high: float) -> ConfidenceInterval:
        ends = sorted((self._sign * low, self._sign * high))
        return ConfidenceInterval(ends[0], ends[1])

    def summary(self) -> str:
        """Give a short text."""
        low, high = self.confidence_interval()
        least, most = self.shortfall_interval()
        return (
            f"quantile {self.quantile:.6g} at probability {self.probability:g}, "
            f"95 % in [{low:.6g}, {high:.6g}]\n"
            f"expected shortfall {self.expected_shortfall:.6g}, 95 % in [{least:.6g}, {most:.6g}]\n"
            f"{self.nfev} evaluations. {'Trusted' if self.success else 'NOT trusted'}: {self.message}"
        )

    __repr__ = summary


def estimate_quantile(
    performance: Callable[..., Any],
    inputs: Any,
    probability: float,
    *,
    tail: str = "upper",
    target_cv: float = 0.05,
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
) -> QuantileEstimate:
    """Estimate the quantile of a performance that is exceeded with a given small probability.

    Parameters
    ----------
    performance, tail, vectorized, args, pass_rng, max_evaluations, max_time, evaluation_timeout, n_jobs, \
callback, progress, checkpoint, resume, rng
        As in `estimate_probability`.
    inputs : family, sequence of frozen scipy.stats distributions, or JointInputs
        A `Gaussian`, `Exponential`, `Gamma`, `Bernoulli`, `Categorical` or `MarkovPath`.
    probability : float
        The q with P(performance >= q) = probability is sought (`tail="lower"`: <=); in (0, 1).
    target_cv : float
        Coefficient of variation of the tail's probability to reach, in (0, 1).

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
    unchanged = {
        "inputs": inputs,
        "probability": probability,
        "tail": tail,
        "target_cv": target_cv,
        "vectorized": vectorized,
        "args": args,
        "pass_rng": pass_rng,
    }
    if not callable(performance):
        raise TypeError(f"performance must be callable, got {type(performance).__name__}.")
    if not 0 < real_number("probability", probability) < 1:
        raise ValueError(f"probability lies in (0, 1), got {probability!r}.")
    if tail not in ("upper", "lower"):
        raise ValueError(f'tail must be "upper" or "lower", got {tail!r}.')
    check_target(target_cv)
    workplace = work_in(inputs)
    if workplace is None:
        raise ValueError(
            "quantiles need inputs that are Gaussian, Exponential, Gamma, Bernoulli, Categorical, "
            f"MarkovPath, scipy.stats marginals or JointInputs; got {type(inputs).__name__}."
        )
    space, source = workplace
    upper = tail == "upper"
    budget = Budget(DEFAULT_EVALUATIONS if max_evaluations is None else max_evaluations, None, max_time)
    streams, journal = opened(checkpoint, resume, "quantile", performance, unchanged, budget, rng)
    objective = Objective(performance, streams, checked_args(args), vectorized, pass_rng)
    with (
        Evaluator(objective, n_jobs, evaluation_timeout) as evaluator,
        shown(progress, budget.max_evaluations) as bar,
    ):
        driver = Driver(
            evaluator,
            streams,
            budget,
            source.proposal,
            upper,
            present=source.present,
            any_score=True,
            journal=journal,
        )
        driver.notify = as_notifier(callback, lambda seen: report(driver, seen), bar)
        served = driver.serve(tail_plan(space, float(probability), target_cv))
    if served.value is None:
        raise KeyboardInterrupt
    found = served.value
    values = _quantile_and_shortfall(found.tail, float(probability))
    estimate = QuantileEstimate(
        driver.sign * values[0],
        driver.sign * values[1],
        float(probability),
        found.tail.coefficient_of_variation(values[0]),
        driver.nfev,
        len(driver.history),
        found.status.success,
        found.status,
        found.message + driver.remark,
        found.proposal,
        driver.history,
        driver.elapsed,
        driver.streams.seed,
        found.tail,
        driver.sign,
    )
    raise_failure(served.ended, estimate)
    return estimate


def _quantile_and_shortfall(tail: Tail, probability: float) -> tuple[float, float]:
    if tail.draws == 0:
        return np.nan, np.nan
    point = tail.point(probability)
    if not np.isfinite(point):
        return point, np.nan
    over = np.maximum(tail.scores - point, 0.0) * tail.ratios
    return point, point + float(over.mean()) / probability


def _normal_quantile(confidence_level: float) -> float:
    if not 0 < confidence_level < 1:
        raise ValueError(f"a confidence level lies in (0, 1), got {confidence_level!r}.")
    return float(ndtri(0.5 + confidence_level / 2))
