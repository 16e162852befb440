"""The tail of a score as a surrogate says it, corrected by true evaluations, at every level at once.

What corrects the probability of one level (`cem.rare_events.surrogate.correction`) does so for all that lie
near it: each pool row counts at the score predicted of it, and each row that was evaluated once more at its
true score, and with the opposite sign at the one predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cem.families.base import Floats
from cem.rare_events.surrogate.correction import RULE_OF_THREE, Correction, Round
from cem.rare_events.tail import Tail


@dataclass(frozen=True, eq=False)
class ScoredRound:
    """One round of a correction, in scores.

    Attributes
    ----------
    found : Round
    pool_scores, pool_weights : ndarray, shape (N,)
        Predicted of the pool, and nominal over proposal.
    scores, predicted : ndarray, shape (M,)
        Of the rows evaluated.
    """

    found: Round
    pool_scores: Floats
    pool_weights: Floats
    scores: Floats
    predicted: Floats

    def at(self, level: float) -> Round:
        """Return the round of the event that this level is reached."""
        v = self.pool_weights * (self.pool_scores >= level)
        return replace(
            self.found,
            probability=float(v.mean()),
            pool_error=float(v.std()) / np.sqrt(len(v)),
            hit=self.scores >= level,
            expected=self.predicted >= level,
        )

    def excess(self, point: float) -> tuple[Floats, Floats]:
        """Return weights times scores beyond a point: of the pool, and truth less prediction of the rows."""
        beyond = np.maximum(self.scores - point, 0.0) - np.maximum(self.predicted - point, 0.0)
        return self.pool_weights * np.maximum(self.pool_scores - point, 0.0), self.found.weights * beyond


@dataclass(frozen=True, eq=False)
class CorrectedTail(Tail):
    """A tail whose ratios may be negative; its errors are those of the correction."""

    rounds: tuple[ScoredRound, ...] = ()

    @classmethod
    def of_rounds(cls, rounds: Sequence[ScoredRound]) -> CorrectedTail:
        """Put rounds together, each as far as it has rows."""
        drawn = sum(len(each.scores) for each in rounds)
        scores, shares = [], []
        for each in rounds:
            part = len(each.scores) / drawn
            scores += [each.pool_scores, each.scores, each.predicted]
            shares += [
                part * each.pool_weights / len(each.pool_weights),
                each.found.weights / drawn,
                -each.found.weights / drawn,
            ]
        every, ratios = np.concatenate(scores), np.concatenate(shares)
        order = np.argsort(every, kind="stable")[::-1]
        none = np.zeros(len(every), dtype=bool)
        return cls(every[order], ratios[order] * len(every), none, False, tuple(rounds))

    def point(self, probability: float) -> float:
        """Return the largest score that is reached with at least this probability; -inf where none is."""
        reached = np.cumsum(self.ratios) / max(self.draws, 1) >= probability
        return float(self.scores[int(reached.argmax())]) if reached.any() else -np.inf

    def coefficient_of_variation(self, level: float) -> float:
        """Return that of the probability of reaching `level`; infinite where it is not positive."""
        if not self.rounds or np.isnan(level):
            return np.inf
        p, error = Correction(tuple(each.at(level) for each in self.rounds)).estimate()
        return error / p if p > 0 else np.inf

    def effective(self, level: float) -> float:
        """Return how many draws would tell the probability of reaching `level` as well."""
        cv = self.coefficient_of_variation(level)
        return 1 / cv**2 if cv > 0 else np.inf

    def beyond(self, point: float) -> Floats:
        """Return by how much each score lies beyond a point, shape ``(n,)``; 0 where it does not."""
        return np.maximum(self.scores - point, 0.0)

    def shortfall_error(self, point: float, probability: float) -> float:
        """Return the standard error of the shortfall, with a disagreement that was not seen."""
        drawn = sum(len(each.scores) for each in self.rounds)
        variance = pool = largest = unseen = 0.0
        for each in self.rounds:
            v, z = each.excess(point)
            n = len(z)
            variance += float(((z - z.mean()) ** 2).sum()) * n / max(n - 1, 1) / drawn**2
            pool = max(pool, float(v.std()) / np.sqrt(len(v)))
            largest = max(largest, float(np.abs(z).max(initial=0.0)))
            unseen += n * each.found.unseen / drawn * float(v.mean()) / probability
        hidden = RULE_OF_THREE * (max(unseen, largest) / drawn) ** 2
        return float(np.sqrt(variance + pool**2 + hidden)) / probability

    def has_mean(self, point: float) -> bool:
        """Whether the pool's rows beyond a point say that their mean exists."""
        each = self.rounds[-1]
        order = np.argsort(each.pool_scores, kind="stable")[::-1]
        none = np.zeros(len(order), dtype=bool)
        return Tail(each.pool_scores[order], each.pool_weights[order], none).has_mean(point)
