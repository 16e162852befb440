"""Importance sampling: likelihood ratios, the running tally of an estimate, and what a plan found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from scipy.special import logsumexp

from cem.core.ending import Status
from cem.core.history import UNKNOWN, Interim
from cem.core.loop import Ended
from cem.families.base import Array, Family, Floats
from cem.rare_events.intervals import clopper_pearson, hall
from cem.rare_events.pool import Sample
from cem.rare_events.settings import DEFAULT
from cem.rare_events.tail import Tail


class Nominal(Protocol):
    """The distribution under which a probability is asked: it can be drawn from and evaluated."""

    def sample(self, n: int, rng: np.random.Generator, /) -> Array:
        """Draw `n` candidates, shape ``(n, d)``."""

    def log_prob(self, x: Array, /) -> Floats:
        """Log density or mass of each row in nats, shape ``(n,)``."""


def log_ratio(nominal: Nominal, proposal: Nominal, x: Array) -> Floats:
    """Return the logarithm of the likelihood ratio p(x)/q(x) of each row, shape ``(n,)``.

    A candidate that is impossible under the nominal has ratio 0.
    """
    if nominal is proposal or not len(x):
        return np.zeros(len(x))
    log_p = np.asarray(nominal.log_prob(x), dtype=np.float64)
    log_q = np.asarray(proposal.log_prob(x), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(log_p == -np.inf, -np.inf, log_p - log_q)


@dataclass(frozen=True, eq=False)
class Tally:
    """Hits of an event among draws from one proposal, with the logarithms of their weights.

    Attributes
    ----------
    draws : int
    hits : ndarray, shape (k, d)
    log_weights : ndarray, shape (k,)
    missing_log_weights : ndarray, shape (m,)
        Of draws whose score is NaN: nobody knows whether they hit.
    added_variance : float
        Relative variance per draw, beside that of the weights.
    """

    draws: int = 0
    hits: Array = field(default_factory=lambda: np.empty((0, 0)))
    log_weights: Floats = field(default_factory=lambda: np.empty(0))
    missing_log_weights: Floats = field(default_factory=lambda: np.empty(0))
    added_variance: float = 0.0

    def add(self, x: Array, scores: Floats, level: float, nominal: Nominal, proposal: Nominal) -> Tally:
        """Count draws from `proposal`, rows ``(n, d)``, by their scores ``(n,)``."""
        hits, missing = (x[kind] for kind in (scores >= level, np.isnan(scores)))
        return self.count(
            len(x), hits, log_ratio(nominal, proposal, hits), log_ratio(nominal, proposal, missing)
        )

    def count(self, draws: int, hits: Array, log_weights: Floats, missing_log_weights: Floats) -> Tally:
        """Count further draws, and the rows ``(k, d)`` among them that hit with the logs of their weights.

        Those whose score is NaN are counted by the logs of their weights ``(m,)``.
        """
        return replace(
            self,
            draws=self.draws + draws,
            hits=np.concatenate([self.hits, hits]) if self.hits.size else np.array(hits),
            log_weights=np.concatenate([self.log_weights, log_weights]),
            missing_log_weights=np.concatenate([self.missing_log_weights, missing_log_weights]),
        )

    def interim(self, plain: bool = False, least_error: float = DEFAULT.least_error) -> Interim:
        """Return what is known so far, for the history: the interval is that of 95 %, NaN count as no hit.

        `plain`: the draws came from the nominal. `least_error` is added to the relative standard error.
        """
        p, cv = float(np.exp(self.log_probability)), self.coefficient_of_variation
        if not len(self.hits) or not np.isfinite(cv):
            return UNKNOWN
        if plain:
            low, high = clopper_pearson(len(self.hits), self.draws, 0.05)
        else:
            low, high = hall(p, self.standard_error, self.skewness, self.draws, 0.05, least_error)
        return Interim(p, cv, max(low, 0.0), min(high, 1.0))

    @property
    def nan_probability(self) -> float:
        """Probability that the score is NaN."""
        return float(np.exp(self.missing_log_weights).sum() / max(self.draws, 1))

    def with_missing(self) -> Tally:
        """Return the tally if every draw whose score is NaN hit; without the rows."""
        every = np.concatenate([self.log_weights, self.missing_log_weights])
        return Tally(self.draws, np.empty((0, 0)), every)

    def known(self, plain: bool) -> Tally:
        """Return the tally given that the score is a number; `plain`: of draws from the nominal.

        To the first order, the error of ``p / (1 - b)``, b the probability of NaN, is that of p over p plus
        that of b over 1 - b; the two kinds of draws exclude one another.
        """
        if self.missing_log_weights.size == 0:
            return self
        if plain:
            left = self.draws - self.missing_log_weights.size
            return replace(self, draws=left, missing_log_weights=np.empty(0))
        rest = 1 - min(self.nan_probability, 1 - 1e-12)
        second = float(np.exp(2 * self.missing_log_weights).sum() / self.draws)
        added = (second - 1) / rest**2 + 1
        weights = self.log_weights - np.log(rest)
        return replace(self, log_weights=weights, missing_log_weights=np.empty(0), added_variance=added)

    @property
    def log_probability(self) -> float:
        """Logarithm of the mean of weight times indicator; -inf without hits."""
        if self.log_weights.size == 0:
            return -np.inf
        return float(logsumexp(self.log_weights) - np.log(self.draws))

    @property
    def coefficient_of_variation(self) -> float:
        """Standard error of the probability relative to it; infinite without hits."""
        if not np.isfinite(self.log_probability) or self.draws < 2:
            return np.inf
        log_second = float(logsumexp(2 * self.log_weights) - np.log(self.draws))
        relative_variance = np.expm1(max(0.0, log_second - 2 * self.log_probability))
        relative_variance = max(0.0, relative_variance + self.added_variance)
        return float(np.sqrt(relative_variance / (self.draws - 1)))

    @property
    def standard_error(self) -> float:
        """Standard error of the probability; infinite without hits."""
        cv = self.coefficient_of_variation
        return cv * float(np.exp(self.log_probability)) if np.isfinite(cv) else np.inf

    @property
    def effective_sample_size(self) -> float:
        """Kish's (Σw)²/Σw² over the hits."""
        if not np.isfinite(self.log_probability):
            return 0.0
        return float(np.exp(2 * logsumexp(self.log_weights) - logsumexp(2 * self.log_weights)))

    @property
    def skewness(self) -> float:
        """Skewness of weight times indicator over the draws; 0 where it has no spread."""
        if not np.isfinite(self.log_probability) or self.draws < 2:
            return 0.0
        w = np.zeros(self.draws)
        w[: self.log_weights.size] = np.exp(self.log_weights - self.log_weights.max())
        spread = float(w.std())
        return float((((w - w.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0

    @property
    def largest_share(self) -> float:
        """Share of the probability that the heaviest hit carries; 0 without hits."""
        return float(self.weights.max(initial=0.0))

    @property
    def weights(self) -> Floats:
        """Weights of the hits, normalised to sum to one, shape ``(k,)``."""
        if not np.isfinite(self.log_probability):
            return np.zeros(self.log_weights.size)
        return np.asarray(np.exp(self.log_weights - logsumexp(self.log_weights)))


def pareto_shape(log_weights: Floats) -> float:
    """Fit a generalised Pareto distribution to the largest weights and return its shape k.

    The mean of weights with k above .7 is not to be trusted. Infinite with too few weights to tell, minus
    infinite where the largest are all the same.

    References
    ----------
    Zhang & Stephens (2009), "A new and efficient estimation method for the generalized Pareto distribution",
    Technometrics 51; Vehtari, Simpson, Gelman, Yao & Gabry (2024), "Pareto smoothed importance sampling",
    Journal of Machine Learning Research 25.
    """
    finite = np.sort(log_weights[np.isfinite(log_weights)])
    m = int(min(0.2 * finite.size, 3 * np.sqrt(finite.size)))
    if m < 5:
        return np.inf
    w = np.exp(finite - finite[-1])
    excess = w[-m:] - w[-m - 1]
    if excess[-1] <= 1e-9:
        return -np.inf
    excess = np.maximum(excess, 1e-12 * excess[-1])
    grid = np.arange(1, 31 + int(np.sqrt(m)))
    quarter = excess[int(m / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(len(grid) / (grid - 0.5))) / (3 * quarter)
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = m * (np.log(-theta / shape) - shape - 1)
    profile = np.where(np.isfinite(profile), profile, -np.inf)
    weight = np.exp(profile - profile.max())
    best = float((theta * weight).sum() / weight.sum())
    k = float(np.log1p(-best * excess).mean())
    return (m * k + 5) / (m + 10)


@dataclass(frozen=True, eq=False)
class Finding:
    """What a plan found out: the draws behind the estimate, where they came from, and how it ended.

    `plain`: drawn from the nominal distribution. The improved method hands over the `samples` themselves, and
    the relative standard error that it adds to every interval. `ended`: a failure that ended it.
    `surrogate`: whether a surrogate guided it, or was given up.
    `nominal_draws`: draws from the nominal in the whole run, also as a part of proposals. `modes`: of a
    system, probability, standard error and share of each mode, shape ``(k, 3)``. `tail`: of a quantile, where
    it does not follow from the samples.
    """

    tally: Tally
    proposal: Family
    plain: bool
    status: Status
    message: str
    samples: tuple[Sample, ...] = ()
    least_error: float = DEFAULT.least_error
    ended: Ended | None = None
    surrogate: bool = False
    nominal_draws: float = 0.0
    modes: Floats | None = None
    tail: Tail | None = None

    @property
    def resolution(self) -> float:
        """The largest probability that a region to which no score leads could have, missed with 5 %.

        Of n draws none falls into a region of probability r with (1 - r)ⁿ; that is .05 at about 3/n.
        """
        return float(-np.expm1(np.log(0.05) / self.nominal_draws)) if self.nominal_draws > 0 else 1.0

    @property
    def about_resolution(self) -> str:
        """What may have been missed, in words."""
        return f"a region to which no score leads could have a probability of {self.resolution:.2g} unseen"
