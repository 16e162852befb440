"""What an estimation gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from cem.core.ending import Status
from cem.core.history import History
from cem.core.plain import plain
from cem.core.table import html_table
from cem.families.base import Array, Family, Floats
from cem.rare_events.failures import Failures
from cem.rare_events.importance import Tally
from cem.rare_events.intervals import ConfidenceInterval, check_confidence, clopper_pearson, hall
from cem.rare_events.modes import Modes
from cem.rare_events.reliability import Reliability
from cem.rare_events.settings import DEFAULT
from cem.rare_events.tail import Tail


class FailureSamples(NamedTuple):
    """Candidates in the event, shape ``(k, d)``, and their weights, shape ``(k,)``, summing to one."""

    x: Array
    weights: Floats


@dataclass(frozen=True, eq=False, repr=False)
class ProbabilityEstimate(Reliability):
    """An estimate of the probability of an event.

    Attributes
    ----------
    probability : float
    standard_error : float
        NaN where no draw hit the event.
    coefficient_of_variation : float
        Standard error over probability; infinite without hits.
    effective_sample_size : float
        (Σw)²/Σw² over the hits.
    hits, draws : int
        Hits and draws behind the estimate.
    nfev, nit : int
        Evaluations and iterations of the whole run.
    success : bool
        Whether the target coefficient of variation was reached and nothing looked suspicious.
    status : Status
    message : str
    family : Family
        The proposal behind the estimate.
    history : History
    elapsed : float
        Seconds.
    seed : int or numpy.random.SeedSequence
        What, given as `rng`, repeats this run.
    pareto_shape : float
        Shape k of the tail of the largest weights; above .7 their mean is not to be trusted.
    largest_share : float
        Share of the probability that the heaviest hit carries.
    nan_probability : float
        Probability that the performance is NaN: that its run failed, took too long or died. By default these
        runs count as no event in `probability`, and the interval reaches to where all of them are events.
    resolution : float
        Largest probability of a region that no score leads to, such as an island among bad designs, that is
        missed with a probability of 5 %: about 3 over the draws from the inputs' own distribution.
    modes : Modes or None
        Of a system of several limit states: each one's probability and share, ``modes["buckling"].share``.

    Examples
    --------
    >>> import cem
    >>> e = cem.estimate_probability(lambda x: x.sum(), cem.Exponential([1.0, 1.0]), level=10, rng=1)
    >>> low, high = e.confidence_interval()
    >>> e.success, bool(low < 11 * np.exp(-10) < high), e.coefficient_of_variation < 0.05
    (True, True, True)
    """

    probability: float
    standard_error: float
    coefficient_of_variation: float
    effective_sample_size: float
    hits: int
    draws: int
    nfev: int
    nit: int
    success: bool
    status: Status
    message: str
    family: Family
    history: History
    elapsed: float
    seed: int | np.random.SeedSequence
    _samples: FailureSamples
    _plain: bool
    pareto_shape: float = np.nan
    largest_share: float = np.nan
    nan_probability: float = 0.0
    resolution: float = 1.0
    modes: Modes | None = None
    _skewness: float = 0.0
    _least_error: float = DEFAULT.least_error
    _absolute_error: float = np.inf
    _with_missing: Tally | None = None
    _failures: Failures | None = None

    def confidence_interval(self, confidence_level: float = 0.95) -> ConfidenceInterval:
        """Return an interval for the probability, inside [0, 1].

        Clopper and Pearson's where the draws came from the nominal distribution. Otherwise Hall's, corrected
        for skewness, to which 1.5 % of the probability is added in quadrature: weights not yet seen may hide
        that much. All of [0, 1] without a hit. Where runs failed, it reaches from "none of them is an event"
        to "all are".

        Raises
        ------
        ValueError
            If the level lies outside (0, 1).

        References
        ----------
        Hall (1992), "On the removal of skewness by transformation", Journal of the Royal Statistical Society
        B 54.
        """
        alpha, most = 1 - check_confidence(confidence_level), self._with_missing
        if self._plain and self.draws:
            low, high = clopper_pearson(self.hits, self.draws, alpha)
            if most is not None:
                high = clopper_pearson(most.log_weights.size, self.draws, alpha).high
            return ConfidenceInterval(low, high)
        known = np.isfinite(self.coefficient_of_variation)
        if not known and (self.hits or most is None):
            return ConfidenceInterval(0.0, min(-float(ndtri(alpha / 2)) * self._absolute_error, 1.0))
        low = high = 0.0
        if known:
            low, high = hall(
                self.probability, self.standard_error, self._skewness, self.draws, alpha, self._least_error
            )
        if most is not None:
            p = float(np.exp(most.log_probability))
            high = hall(
                p, p * most.coefficient_of_variation, most.skewness, self.draws, alpha, self._least_error
            ).high
        return ConfidenceInterval(max(low, 0.0), min(high, 1.0))

    def plot(self, ax: Any = None, **arguments: Any) -> Any:
        """Draw levels and interval against evaluations; see `cem.plotting.estimate`."""
        from cem.plotting import estimate

        return estimate(self, ax=ax, **arguments)

    def summary(self) -> str:
        """Return a short text: the probability, what it rests on, and whether to trust it."""
        low, high = self.confidence_interval()
        return (
            f"P = {self.probability:.4g}, 95 % in [{low:.4g}, {high:.4g}], "
            f"coefficient of variation {self.coefficient_of_variation:.3g}\n"
            f"{self.nfev} evaluations, {self.draws} of them in the estimate: {self.hits} hits worth "
            f"{self.effective_sample_size:.0f}, the heaviest carries {self.largest_share:.1%} "
            f"(Pareto shape {self.pareto_shape:.2f})\n"
            f"{'Trusted' if self.success else 'NOT trusted'}: {self.message}"
        )

    def failure_samples(self) -> FailureSamples:
        """Return the hits, as the performance saw them, with their normalised importance weights."""
        return self._samples

    def __repr__(self) -> str:
        return "\n".join(f"{name:>11}: {value}" for name, value in self._rows().items())

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, self._rows())

    def _rows(self) -> dict[str, str]:
        low, high = self.confidence_interval()
        return {
            "probability": f"{self.probability:.6g}  (95 % interval {low:.6g} … {high:.6g})",
            "cv": f"{self.coefficient_of_variation:.3g}",
            "hits": f"{self.hits} of {self.draws} draws, effective {self.effective_sample_size:.1f}",
            **_about_run(self),
        }


def samples(x: Array, weights: Floats) -> FailureSamples:
    """Return read-only failure samples."""
    for array in (x, weights):
        array.flags.writeable = False
    return FailureSamples(x, weights)


LEAST_EFFECTIVE = 20


@dataclass(frozen=True, eq=False, repr=False)
class QuantileEstimate:
    """A quantile of a performance and its mean beyond it.

    Attributes
    ----------
    quantile : float
        The q with P(performance >= q) = probability ("lower" tail: <=); NaN where nothing was drawn.
    expected_shortfall : float
        Mean of the performance given that it lies beyond the quantile; NaN where the draws say that there is
        none.
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
    nan_probability : float
        Probability that the performance is NaN: that its run failed, took too long or died. By default these
        runs count as not beyond the quantile, and the intervals reach to where all of them are.
    resolution : float
        As of a `ProbabilityEstimate`: of a region beyond the quantile that no score leads to.

    Examples
    --------
    >>> import cem
    >>> q = cem.estimate_quantile(lambda x: x[0], cem.Gaussian([0.0], std=1), 1e-3, rng=1)
    >>> low, high = q.confidence_interval()
    >>> low < 3.0902 < high, q.expected_shortfall > q.quantile
    (True, True)
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
    nan_probability: float = 0.0
    resolution: float = 1.0
    _least_error: float = DEFAULT.least_error

    def confidence_interval(self, confidence_level: float = 0.95) -> ConfidenceInterval:
        """Return an interval for the quantile: where the tail's probability with its error is `probability`.

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
        spread = z * float(np.hypot(cv, self._least_error))
        highest, p = self._tail, self._passed
        if self.nan_probability:
            highest = highest.raised()
            error = highest.coefficient_of_variation(highest.point(p))
            spread = max(spread, z * float(np.hypot(error, self._least_error)))
        low = self._tail.point(p * (1 + spread))
        high = highest.point(p * (1 - spread)) if spread < 1 else np.inf
        return self._ordered(low, high)

    @property
    def _passed(self) -> float:
        """The probability that draws reach the point with: of the smaller part."""
        return 1 - self.probability if self._tail.complement else self.probability

    def shortfall_interval(self, confidence_level: float = 0.95) -> ConfidenceInterval:
        """Return an interval for the expected shortfall, normal, with 1.5 % of its excess over the quantile.

        It never lies before that of the quantile, and has no end where runs failed or there is no mean.

        Raises
        ------
        ValueError
            If the level lies outside (0, 1).
        """
        z = _normal_quantile(confidence_level)
        if not self._enough:
            return ConfidenceInterval(-np.inf, np.inf)
        nearest = self.confidence_interval(confidence_level)
        outwards = -self._sign if self._tail.complement else self._sign
        if not np.isfinite(self.quantile):
            return nearest
        if np.isnan(self.expected_shortfall):
            half = np.inf
        else:
            error = self._tail.shortfall_error(self._sign * self.quantile, self.probability)
            floor = self._least_error * abs(self.expected_shortfall - self.quantile)
            half = z * float(np.hypot(error, floor))
        centre = self.expected_shortfall if np.isfinite(half) else 0.0
        low, high = centre - half, centre + half
        if self.nan_probability:
            low, high = (low, np.inf) if outwards > 0 else (-np.inf, high)
        if outwards > 0:
            return ConfidenceInterval(max(low, nearest.low), max(high, nearest.low))
        return ConfidenceInterval(min(low, nearest.high), min(high, nearest.high))

    @property
    def _enough(self) -> bool:
        """Whether enough draws lie beyond the quantile for it to mean something."""
        return self._tail.effective(self._sign * self.quantile) >= LEAST_EFFECTIVE

    def _ordered(self, low: float, high: float) -> ConfidenceInterval:
        ends = sorted((self._sign * low, self._sign * high))
        return ConfidenceInterval(ends[0], ends[1])

    def plot(self, ax: Any = None, **arguments: Any) -> Any:
        """Draw levels and interval against evaluations; see `cem.plotting.estimate`."""
        from cem.plotting import estimate

        return estimate(self, ax=ax, **arguments)

    def summary(self) -> str:
        """Return a short text."""
        low, high = self.confidence_interval()
        least, most = self.shortfall_interval()
        return (
            f"quantile {self.quantile:.6g} at probability {self.probability:g}, "
            f"95 % in [{low:.6g}, {high:.6g}]\n"
            f"expected shortfall {self.expected_shortfall:.6g}, 95 % in [{least:.6g}, {most:.6g}]\n"
            f"{self.nfev} evaluations. {'Trusted' if self.success else 'NOT trusted'}: {self.message}"
        )

    __repr__ = summary

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate in terms that JSON has; NaN becomes None."""
        found: dict[str, Any] = plain(self)
        found["confidence_interval"] = plain(self.confidence_interval())
        found["shortfall_interval"] = plain(self.shortfall_interval())
        return found

    def _repr_html_(self) -> str:
        low, high = self.confidence_interval()
        least, most = self.shortfall_interval()
        rows = {
            "quantile": f"{self.quantile:.6g}  (95 % interval {low:.6g} … {high:.6g})",
            "expected shortfall": f"{self.expected_shortfall:.6g}  (95 % interval {least:.6g} … {most:.6g})",
            "probability": f"{self.probability:g}",
            "cv": f"{self.coefficient_of_variation:.3g}",
            **_about_run(self),
        }
        return html_table(type(self).__name__, rows)


def _about_run(estimate: ProbabilityEstimate | QuantileEstimate) -> dict[str, str]:
    """Return how a run went, by name."""
    status = estimate.status
    names = ("success", "message", "nfev", "nit", "family", "elapsed", "seed")
    rows = {name: str(getattr(estimate, name)) for name in names}
    return {"success": rows.pop("success"), "status": f"{status.name} ({int(status)})", **rows}


def _normal_quantile(confidence_level: float) -> float:
    return float(ndtri(0.5 + check_confidence(confidence_level) / 2))
