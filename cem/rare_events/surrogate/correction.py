"""What true evaluations add to a surrogate's probability: an estimate without bias, and its error.

Of a pool of N rows with weights w (nominal over proposal), the surrogate's share is
p_s = Σ w 1[mean ≥ 0] / N. Of M rows drawn with chances ρ the truth is asked, and

    p = p_s + Σ (1[score ≥ level] - 1[mean ≥ 0]) w / (N ρ) / M

has the mean Σ w 1[score ≥ level] / N whatever the surrogate says: a difference estimator (Särndal, Swensson &
Wretman 1992, "Model Assisted Survey Sampling", Section 6.3) in the place of the product of two estimates of
Dubourg, Sudret & Deheeger (2013), the variance of whose second factor does not vanish with the surrogate's
errors. Adaptive kriging (AK-MCS: Echard, Gayton & Lemaire 2011, Structural Safety 33) reports p_s, and leaves
out what the surrogate is wrong by.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cem.families.base import Array, Floats, Mask
from cem.rare_events.importance import Tally
from cem.rare_events.surrogate.proposal import View

RULE_OF_THREE = 2.34
"""Unseen disagreements, as a variance: 1.96 √2.34 = 3, the 95 % bound on a count of which none was seen."""
AS_PROPOSED, FROM_WIDE = 0.08, 0.12
"""Shares of the rows that are drawn as the proposal and as a wide normal draw: no chance is ever 0."""
ZONE, ZONE_FLOOR = 2.0, 0.3
"""Rows that make up so many times the surrogate's probability lie near; their floor, relative to inside."""
FLOORS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Of which the one with the fewest evaluations predicted is taken."""
STEEPEST = 10.0
"""Times the chance of a wrong side, the most that its root weighs: below, a row is sure for any sample."""
FINAL_POOL = 20_000
"""Rows whose weights vary by 1 to 2 are known to 1 % in the mean: a fifth of the usual target."""
LEAST_REST = 0.3
"""Of the target, what is left to the correction at least where the pool itself takes up the rest."""
LEAST_ERROR = 0.01
"""Share of the probability below which the heaviest expected disagreements are left to the rule of three."""


@dataclass(frozen=True, eq=False)
class Inclusion:
    """With which chances rows of a pool are evaluated.

    Attributes
    ----------
    needed : float
        Evaluations predicted to reach the target.
    chances : ndarray, shape (N,)
        ρ, summing to one.
    unseen : float
        Weight that one disagreement deep inside the event would have: w / (N ρ) there.
    """

    needed: float
    chances: Floats
    unseen: float


def plan_inclusion(view: View, target_cv: float) -> Inclusion:
    """Choose chances of inclusion so that the evaluations predicted are fewest.

    They are proportional to w (√(miss (1 - miss)) + floor), by Neyman's allocation: to the standard
    deviation of what a row adds. The floor is for errors that the surrogate does not expect.
    """
    w, n, scale = view.pool.weights, len(view.pool.weights), view.scale
    near = _near(view)
    floor = np.maximum(np.maximum(view.possible, view.inside), ZONE_FLOOR * near)
    miss = np.minimum(view.miss, 0.5)
    deviation = np.minimum(np.sqrt(miss * (1 - miss)), STEEPEST * miss)
    wide = np.where(near, 0.0, view.pool.wide)
    wide = wide / wide.sum() if wide.sum() > 0 else np.full(n, 1 / n)
    kept = 1 - AS_PROPOSED - FROM_WIDE
    pool_variance = min(view.coefficient_of_variation, 1.0) ** 2 * n / FINAL_POOL
    rest = max(target_cv**2 - pool_variance, (LEAST_REST * target_cv) ** 2)
    found = []
    for strength in FLOORS:
        h = deviation + strength * floor
        size = float((w * h).mean())
        chances = kept * w * h / (size * n) + AS_PROPOSED / n + FROM_WIDE * wide
        z = w / (n * chances)
        unseen = size / strength / kept
        expected = _without_heaviest(chances * miss * z, z, LEAST_ERROR * scale) / scale**2
        found.append(Inclusion(_needed(expected, unseen / scale, rest), chances, unseen))
    return min(found, key=lambda each: each.needed)


def _near(view: View) -> Mask:
    """Return which rows lie so high that all above make up `ZONE` times the probability, ``(N,)``."""
    order = np.argsort(-view.mean, kind="stable")
    mass = np.cumsum(view.pool.weights[order]) / len(order)
    near = np.zeros(len(order), dtype=bool)
    near[order[: int(np.searchsorted(mass, ZONE * view.scale)) + 1]] = True
    return near


def _without_heaviest(mass: Floats, z: Floats, most: float) -> float:
    """Return Σ mass z without the largest z, which together carry no more than `most` of the mass."""
    order = np.argsort(-z, kind="stable")
    kept = np.cumsum(mass[order]) > most
    return float((mass[order] * z[order])[kept].sum())


def _needed(variance: float, unseen: float, target: float) -> float:
    """Return the m at which variance/m + 2.34 unseen²/m² is `target`."""
    return float((variance + np.sqrt(variance**2 + 4 * target * RULE_OF_THREE * unseen**2)) / (2 * target))


@dataclass(frozen=True, eq=False)
class Round:
    """One sample of M rows of a pool, and what their evaluations say.

    Attributes
    ----------
    probability : float
        That of the surrogate, p_s.
    pool_error : float
        Standard error of the pool's own draws.
    unseen : float
    u : ndarray, shape (M, d)
    weights : ndarray, shape (M,)
        w / (N ρ).
    hit, lost, expected : ndarray, shape (M,)
        Which rows reached the level, had no score, and were expected to reach it.
    miss : ndarray, shape (M,)
        The chance that the surrogate gave to being wrong.
    scores, predicted : ndarray, shape (M,)
        The scores, and what was predicted, on the surrogate's scale; of interest to quantiles.
    """

    probability: float
    pool_error: float
    unseen: float
    u: Array
    weights: Floats
    hit: Mask
    lost: Mask
    expected: Mask
    miss: Floats
    scores: Floats = field(default_factory=lambda: np.empty(0))
    predicted: Floats = field(default_factory=lambda: np.empty(0))

    def differences(self, *, lost_count: bool = False) -> Floats:
        """Return weight times truth less expectation, ``(M,)``; `lost_count`: NaN are events."""
        truth = self.hit | self.lost if lost_count else self.hit
        return np.asarray(self.weights * (truth.astype(float) - self.expected))


@dataclass(frozen=True, eq=False)
class Correction:
    """All samples so far.

    `lost_at_start` is the probability of NaN by the first design, and `lost_error` its standard error.
    """

    rounds: tuple[Round, ...] = ()
    lost_at_start: float = 0.0
    lost_error: float = 0.0

    @property
    def draws(self) -> int:
        """Rows drawn, those that were drawn twice counted twice."""
        return sum(len(each.weights) for each in self.rounds)

    def estimate(self, *, lost_count: bool = False) -> tuple[float, float]:
        """Return the probability and its standard error; `lost_count`: NaN are events."""
        p, variance, largest = self._moments(lost_count)
        m = self.draws
        unseen = sum(len(each.weights) * each.unseen for each in self.rounds) / m
        unseen_variance = RULE_OF_THREE * (max(unseen, largest) / m) ** 2
        pool = max(each.pool_error for each in self.rounds)
        return p, float(np.sqrt(variance + unseen_variance + pool**2))

    def _moments(self, lost_count: bool) -> tuple[float, float, float]:
        """Return the probability, the variance of its differences, and the largest of them."""
        m, p, variance, largest = self.draws, 0.0, 0.0, 0.0
        for each in self.rounds:
            z = each.differences(lost_count=lost_count)
            n = len(z)
            p += n / m * (each.probability + float(z.mean()))
            variance += float(((z - z.mean()) ** 2).sum()) * n / max(n - 1, 1) / m**2
            largest = max(largest, float(np.abs(z).max()))
        return p, variance, largest

    def further(self, target_cv: float) -> float:
        """Return how many more rows the target asks for, if they differ as those so far."""
        p, variance, largest = self._moments(lost_count=False)
        m = self.draws
        if not p > 0:
            return np.inf
        unseen = max(sum(len(each.weights) * each.unseen for each in self.rounds) / m, largest) / p
        pool = max(each.pool_error for each in self.rounds) / p
        rest = max(target_cv**2 - pool**2, (LEAST_REST * target_cv) ** 2)
        return max(_needed(variance * m / p**2, unseen, rest) - m, 1.0)

    @property
    def heaviest_share(self) -> float:
        """Share of the probability that the largest difference adds or takes."""
        p, _, largest = self._moments(lost_count=False)
        return largest / self.draws / p if p > 0 else 1.0

    def tally(self) -> CorrectedTally:
        """Return what the front door is told: the estimate, and the rows that were seen in the event."""
        if not self.rounds:
            return CorrectedTally()
        u, weights, hit, lost = (
            np.concatenate([getattr(each, name) for each in self.rounds])
            for name in ("u", "weights", "hit", "lost")
        )
        p, error = self.estimate()
        high, high_error = self.estimate(lost_count=True)
        missing = np.log(weights[lost])
        lost_error = float(np.sqrt((weights[lost] ** 2).sum())) / self.draws
        if self.lost_at_start > weights[lost].sum() / self.draws:
            missing, lost_error = np.log([self.lost_at_start * self.draws]), self.lost_error
            high, high_error = max(high, p + self.lost_at_start), float(np.hypot(error, self.lost_error))
        return CorrectedTally(
            draws=self.draws,
            hits=u[hit],
            log_weights=np.log(weights[hit]),
            missing_log_weights=missing,
            estimate=p,
            error=error,
            highest=high,
            highest_error=high_error,
            lost_error=lost_error,
            heaviest=self.heaviest_share,
        )


@dataclass(frozen=True, eq=False)
class CorrectedTally(Tally):
    """Rows of the correction that hit, with their weights, and the estimate that they corrected.

    Attributes
    ----------
    estimate, error : float
        The probability, which may come out negative, and its standard error.
    highest, highest_error : float
        The same if every NaN were an event.
    lost_error : float
        Standard error of the probability of NaN.
    heaviest : float
        Share of the estimate that the largest disagreement carries.
    """

    hits: Array = field(default_factory=lambda: np.empty((0, 0)))
    estimate: float = 0.0
    error: float = np.inf
    highest: float = 0.0
    highest_error: float = np.inf
    lost_error: float = 0.0
    heaviest: float = 0.0

    @property
    def log_probability(self) -> float:
        """Logarithm of the estimate; -inf where it is not positive."""
        return float(np.log(self.estimate)) if self.estimate > 0 else -np.inf

    @property
    def standard_error(self) -> float:
        """Standard error of the estimate, also where that is not positive."""
        return self.error

    @property
    def coefficient_of_variation(self) -> float:
        """Standard error of the estimate relative to it; infinite where it is not positive."""
        return self.error / self.estimate if self.estimate > 0 else np.inf

    @property
    def effective_sample_size(self) -> float:
        """Kish's (Σw)²/Σw² over the hits."""
        square = float(np.exp(2 * self.log_weights).sum())
        return float(np.exp(self.log_weights).sum()) ** 2 / square if square > 0 else 0.0

    @property
    def skewness(self) -> float:
        """0: what has not been seen is in the standard error."""
        return 0.0

    @property
    def largest_share(self) -> float:
        """Share of the probability that the heaviest disagreement carries."""
        return self.heaviest

    @property
    def weights(self) -> Floats:
        """Weights of the hits, normalised to sum to one, shape ``(k,)``."""
        w = np.exp(self.log_weights)
        return np.asarray(w / w.sum()) if w.size else w

    def with_missing(self) -> Tally:
        """Return the tally if every NaN were an event."""
        return replace(self, estimate=self.highest, error=self.highest_error)

    def known(self, plain: bool) -> Tally:
        """Return the tally given that the score is a number."""
        if self.missing_log_weights.size == 0:
            return self
        rest = 1 - min(self.nan_probability, 1 - 1e-12)
        error = float(np.hypot(self.error / rest, max(self.estimate, 0.0) * self.lost_error / rest**2))
        return replace(self, estimate=self.estimate / rest, error=error, missing_log_weights=np.empty(0))
