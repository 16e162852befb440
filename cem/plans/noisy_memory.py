"""What a noisy run remembers of its latest candidates, for the point that it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cem.core.constraints import Constraints
from cem.core.loop import Batch
from cem.families.base import Array, Floats
from cem.local_search.regression import Cloud

LATEST = 0.25  # share of the evaluations that the returned point rests on


class Seen(NamedTuple):
    """A batch: how many evaluations there were after it, its rows, scores and residuals."""

    spent: int
    x: Array
    scores: Floats
    residuals: Floats | None


@dataclass(eq=False)
class Memory:
    """The batches of the latest half of a run, and which of its iterations noise decided.

    Parameters
    ----------
    before : int
        Evaluations that were spent before the run.
    """

    before: int
    seen: list[Seen] = field(init=False, default_factory=list)
    decided: list[tuple[int, bool]] = field(init=False, default_factory=list)  # evaluations, by noise?

    def add(self, spent: int, batch: Batch, decided: bool) -> None:
        """Remember a batch, after so many evaluations."""
        self.seen.append(Seen(spent, batch.x, batch.scores, batch.residuals))
        self.decided.append((spent, decided))
        oldest = self.before + (1 - 2 * LATEST) * (spent - self.before)
        while self.seen[0].spent < oldest:
            del self.seen[0]

    def forget(self) -> None:
        """Begin anew."""
        self.seen, self.decided = [], []

    def share_decided(self, since: float, spent: int) -> float:
        """Return the share of the iterations in the last `since` of all evaluations that noise decided."""
        first = spent - since * (spent - self.before)
        flags = [flag for at, flag in self.decided if at > first]
        return sum(flags) / len(flags) if flags else 0.0

    def latest(self, spent: int) -> tuple[Cloud | None, Floats, Floats | None]:
        """Return the candidates of the last quarter of the evaluations, their scores and residuals."""
        first = spent - LATEST * (spent - self.before)
        recent = [each for each in self.seen if each.spent > first]
        x, scores = np.concatenate([each.x for each in recent]), np.concatenate([e.scores for e in recent])
        usable = np.isfinite(scores)
        if any(each.residuals is None for each in recent):
            return Cloud.of(x[usable]), scores[usable], None
        residuals = np.concatenate([np.asarray(each.residuals) for each in recent])
        usable &= np.isfinite(residuals).all(axis=1)
        return Cloud.of(x[usable]), scores[usable], residuals[usable]

    def nearest_feasible(self, mean: Array, constraints: Constraints | None) -> tuple[Array, Floats | None]:
        """Return the candidate with the least excess, of several the one nearest to the mean."""
        best, rank = (mean, None), (np.inf, np.inf)
        for each in self.seen:
            if constraints is None or each.residuals is None:
                continue
            excess = constraints.excess(each.residuals)
            distance = np.linalg.norm(each.x - mean, axis=1)
            row = int(np.lexsort((distance, excess))[0])
            if (float(excess[row]), float(distance[row])) < rank:
                rank = float(excess[row]), float(distance[row])
                best = np.asarray(each.x[row]), each.residuals[row]
        return best
