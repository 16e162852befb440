"""What an estimation gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from cem.families.base import Array, Family
from cem.history import History
from cem.status import Status


class ConfidenceInterval(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


class FailureSamples(NamedTuple):
    """Candidates in the event, shape ``(k, d)``, and their weights, shape ``(k,)``, summing to one."""

    x: Array
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ProbabilityEstimate:
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

    def confidence_interval(self, confidence_level: float = 0.95) -> ConfidenceInterval:
        """Give an interval for the probability, inside [0, 1].

        Clopper and Pearson's where the draws came from the nominal distribution; otherwise log-normal,
        ``p exp(±z s)`` with ``s² = log(1 + cv²)``, and all of [0, 1] without a hit.

        Raises
        ------
        ValueError
            If the level lies outside (0, 1).
        """
        if not 0 < confidence_level < 1:
            raise ValueError(f"a confidence level lies in (0, 1), got {confidence_level!r}.")
        alpha = 1 - confidence_level
        if self._plain and self.draws:
            return _clopper_pearson(self.hits, self.draws, alpha)
        if self.hits == 0 or not np.isfinite(self.coefficient_of_variation):
            return ConfidenceInterval(0.0, 1.0)
        s = np.sqrt(np.log1p(self.coefficient_of_variation**2))
        factor = float(np.exp(-ndtri(alpha / 2) * s))
        return ConfidenceInterval(self.probability / factor, min(1.0, self.probability * factor))

    def failure_samples(self) -> FailureSamples:
        """Give the hits, as the performance saw them, with their normalised importance weights."""
        return self._samples

    def __repr__(self) -> str:
        low, high = self.confidence_interval()
        return "\n".join(
            f"{name:>11}: {value}"
            for name, value in {
                "probability": f"{self.probability:.6g}  (95 % interval {low:.6g} … {high:.6g})",
                "cv": f"{self.coefficient_of_variation:.3g}",
                "hits": f"{self.hits} of {self.draws} draws, effective {self.effective_sample_size:.1f}",
                "success": self.success,
                "status": f"{self.status.name} ({int(self.status)})",
                "message": self.message,
                "nfev": self.nfev,
                "nit": self.nit,
                "family": self.family,
                "elapsed": self.elapsed,
                "seed": self.seed,
            }.items()
        )


def _clopper_pearson(hits: int, draws: int, alpha: float) -> ConfidenceInterval:
    """Give Clopper and Pearson's (1934) interval for a binomial proportion."""
    low = 0.0 if hits == 0 else float(betaincinv(hits, draws - hits + 1, alpha / 2))
    high = 1.0 if hits == draws else float(betaincinv(hits + 1, draws - hits, 1 - alpha / 2))
    return ConfidenceInterval(low, high)


def samples(x: Array, weights: NDArray[Any]) -> FailureSamples:
    """Give read-only failure samples."""
    for array in (x, weights):
        array.flags.writeable = False
    return FailureSamples(x, weights)
