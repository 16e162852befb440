"""Where the tail of a score with a given probability begins, and how far it reaches.

References
----------
Egloff & Leippold (2010), "Quantile estimation with adaptive importance sampling", Annals of Statistics 38;
Hong, Hu & Liu (2014), "Monte Carlo methods for value-at-risk and conditional value-at-risk: a review", ACM
Transactions on Modeling and Computer Simulation 24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cem.families.base import LARGEST, Floats, Mask
from cem.rare_events.pool import Pool, Sample, effective

UPPER_PART = 0.1  # of the tail's mass, that shows its index: far enough out for its own power to rule
FEW = 10  # effective draws below which an index means nothing


@dataclass(frozen=True, eq=False)
class Tail:
    """Scores, falling, and their likelihood ratios, of draws from one proposal.

    Attributes
    ----------
    scores, ratios : ndarray, shape (n,)
    missing : ndarray of bool, shape (n,)
        Draws whose score is NaN; they stand last, at -inf.
    complement : bool
        Whether the mean is asked for below the point rather than above: of the larger part.
    """

    scores: Floats
    ratios: Floats
    missing: Mask
    complement: bool = False

    @classmethod
    def of(cls, scores: Floats, log_weights: Floats, missing: Mask, complement: bool = False) -> Tail:
        """Sort draws by their scores."""
        order = np.argsort(scores, kind="stable")[::-1]
        return cls(scores[order], np.exp(log_weights)[order], missing[order], complement)

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.scores)

    @property
    def nan_probability(self) -> float:
        """Probability that the score is NaN."""
        return float(self.ratios[self.missing].sum() / max(self.draws, 1))

    def point(self, probability: float) -> float:
        """Return the largest score that is reached with at least this probability; -inf where none is."""
        above = np.cumsum(self.ratios) / max(self.draws, 1)
        at = int(np.searchsorted(above, probability))
        return float(self.scores[at]) if at < self.draws else -np.inf

    def coefficient_of_variation(self, level: float) -> float:
        """Return that of the probability of reaching `level`; infinite where nothing does."""
        return _relative_error(np.where(self.scores >= level, self.ratios, 0.0))

    def effective(self, level: float) -> float:
        """Return the effective number of draws that reach `level`."""
        w = self.ratios[self.scores >= level]
        return float(w.sum() ** 2 / (w * w).sum()) if w.size else 0.0

    def raised(self) -> Tail:
        """Return the tail if every score that is NaN were infinite."""
        first = np.argsort(~self.missing, kind="stable")
        scores = np.where(self.missing, np.inf, self.scores)[first]
        return replace(self, scores=scores, ratios=self.ratios[first], missing=self.missing[first])

    def known(self) -> Tail:
        """Return the tail given that the score is a number."""
        kept = ~self.missing
        share = kept.sum() / self.draws / (1 - min(self.nan_probability, 1 - 1e-12))
        return replace(
            self, scores=self.scores[kept], ratios=self.ratios[kept] * share, missing=self.missing[kept]
        )

    def beyond(self, point: float) -> Floats:
        """Return by how much each score lies beyond a point, shape ``(n,)``; 0 where it does not."""
        gaps = gaps_beyond(self.scores, point, self.missing, self.complement)
        return np.where(self.ratios > 0, gaps, 0.0)

    def shortfall(self, point: float, probability: float) -> float:
        """Return the mean score beyond a point that is passed with `probability`."""
        if not np.isfinite(point):
            return point
        with np.errstate(over="ignore"):
            excess = float((self.ratios * self.beyond(point)).mean() / probability)
        return point - excess if self.complement else point + excess

    def shortfall_error(self, point: float, probability: float) -> float:
        """Return the standard error of the shortfall; infinite where scores are."""
        with np.errstate(over="ignore"):
            terms = self.ratios * self.beyond(point)
        if not np.isfinite(terms).all():
            return np.inf
        unit = float(terms.max()) if terms.max() > LARGEST else 1.0  # squares must be floats
        return float(unit * ((terms / unit).std() / np.sqrt(self.draws) / probability))

    def has_mean(self, point: float) -> bool:
        """Whether the draws beyond a point say that their mean exists: that their tail index is below one.

        The index is Hill's, of the excess over the point, from the upper part of the tail's mass; it has to
        be below one by a standard error. True where too few draws lie there to tell.

        References
        ----------
        Hill (1975), "A simple general approach to inference about the tail of a distribution", Annals of
        Statistics 3.
        """
        gaps = self.beyond(point)
        order = np.argsort(gaps, kind="stable")[::-1]
        gaps, ratios = gaps[order], self.ratios[order]
        finite = (gaps > 0) & np.isfinite(gaps)
        gaps, ratios = gaps[finite], ratios[finite]
        if not gaps.size:
            return True
        mass = np.cumsum(ratios)
        n = int(np.searchsorted(mass, UPPER_PART * mass[-1])) + 1
        gaps, ratios = gaps[:n], ratios[:n]
        with np.errstate(divide="ignore"):
            count = effective(np.log(ratios))
        if count < FEW:
            return True
        index = float(ratios @ np.log(gaps / gaps[-1]) / ratios.sum())
        return bool(index * (1 + 1 / np.sqrt(count)) < 1)


def gaps_beyond(scores: Floats, point: float, missing: Mask, complement: bool) -> Floats:
    """Return by how much each score lies above a point (below, with `complement`), shape ``(n,)``; 0 before.

    So has a score that is `missing`.
    """
    further = (scores < point if complement else scores > point) & ~missing
    gaps = np.zeros(len(scores))
    with np.errstate(over="ignore"):
        gaps[further] = np.abs(scores[further] - point)
    return gaps


def _relative_error(terms: Floats) -> float:
    mean = terms.mean() if terms.size > 1 else 0.0
    return float(terms.std(ddof=1) / np.sqrt(terms.size) / mean) if mean > 0 else np.inf


def tail_of(samples: Sequence[Sample], complement: bool = False) -> Tail:
    """Return the tail of samples that share a proposal."""
    if not samples:
        return Tail(np.empty(0), np.empty(0), np.zeros(0, dtype=bool), complement)
    scores = np.concatenate([s.scores for s in samples])
    missing = np.concatenate([s.missing for s in samples])
    return Tail.of(scores, np.concatenate([s.log_weights() for s in samples]), missing, complement)


def pooled_tail(pool: Pool, complement: bool) -> Tail:
    """Return the tail by what a pool says, for fitting only."""
    return Tail.of(pool.scores, pool.log_weights(), pool.missing, complement)
