"""The best candidate so far: the least infeasible, then the best score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cem.core.constraints import Constraints
from cem.families.base import Array, Floats


@dataclass
class Incumbent:
    """The best candidate of a run.

    Attributes
    ----------
    constraints : Constraints or None
    any_score : bool
        Whether infinitely bad scores are as good a beginning as any.
    x : ndarray, shape (d,), or None
        The candidate as the objective saw it; None before the first that ranks.
    score : float
        Its score, maximised.
    excess, violation : float
        By how much it is infeasible: as candidates are ranked, and the largest violation of a constraint.
    feasible : bool
    seen : bool
        Whether any candidate has ranked.
    """

    constraints: Constraints | None
    any_score: bool
    x: Array | None = None
    score: float = -np.inf
    excess: float = np.inf
    violation: float = np.inf
    feasible: bool = False
    seen: bool = False

    def consider(self, shown: Array, scores: Floats, residuals: Array | None, excess: Floats | None) -> None:
        """Keep the best of the rows `shown`, shape ``(n, d)``, if it is better than what there is.

        Parameters
        ----------
        shown : ndarray, shape (n, d)
            As the objective saw them.
        scores : ndarray, shape (n,)
            Maximised.
        residuals : ndarray, shape (n, m), or None
        excess : ndarray, shape (n,), or None
        """
        if not len(scores):
            return
        top = self._best_free(scores) if excess is None else self._best_constrained(scores, excess)
        if top is None:
            return
        self.seen = True
        least, score = 0.0 if excess is None else float(excess[top]), float(scores[top])
        if self.x is not None and not (-least, score) > (-self.excess, self.score):
            return
        self.score, self.excess = score, least
        self.x = np.array(shown[top])
        self.feasible = True
        if self.constraints is not None and residuals is not None:
            self.feasible = self.constraints.met(residuals[top])
            self.violation = float(self.constraints.violations(residuals[top]).max(initial=0.0))

    def _best_free(self, scores: Floats) -> int | None:
        top = int(scores.argmax())  # the first NaN, if there is one
        if scores[top] > -np.inf:
            return top
        worth = np.fmax(scores, -np.inf)  # NaN becomes -inf
        top = int(worth.argmax())
        if worth[top] > -np.inf:
            return top
        if not self.any_score or np.isnan(scores).all():
            return None
        return int(np.isnan(scores).argmin())

    def _best_constrained(self, scores: Floats, excess: Floats) -> int | None:
        self.seen = self.seen or bool(np.isfinite(excess).any())
        ranks = ~np.isnan(scores) if self.any_score else scores > -np.inf
        ranks = (ranks | (excess > 0)) & np.isfinite(excess)
        ranks &= excess == excess[ranks].min(initial=np.inf)
        if not ranks.any():
            return None
        return int(np.nanargmax(np.where(ranks, np.fmax(scores, -np.inf), np.nan)))
