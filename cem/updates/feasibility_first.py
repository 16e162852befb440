"""Feasibility first: let any update rank constrained candidates, with a tolerance that tightens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cem.constraints import Constraints
from cem.families.base import Family
from cem.loop import Batch, Update
from cem.state import State

_SCALE, _EPSILON = "constraint_scale", "epsilon"


@dataclass(frozen=True, eq=False)
class FeasibilityFirst:
    """Hand `update` scores by which a candidate within the tolerance beats every other one.

    Those whose violation is at most ε are ranked by their scores; the rest come after them, by their
    violation (Deb's penalty without a parameter). ε begins as the violation that the best `share` of the
    first batch stays below and never grows, so that the search comes to a narrow feasible set through
    its neighbourhood (Takahama & Sakai). A violation is the mean over all constraints, each in units of its
    median violation in the first batch.

    The level of elites that are not within ε is not a score but a merit: the worst score within ε, less
    the violation.

    Parameters
    ----------
    update : Update
    constraints : Constraints
    share : float
        Fraction of a batch that the tolerance lets through.

    References
    ----------
    Deb (2000), "An efficient constraint handling method for genetic algorithms", Computer Methods in
    Applied Mechanics and Engineering 186, Equation (4); Takahama & Sakai (2006), "Constrained Optimization
    by the ε Constrained Differential Evolution with Gradient-Based Mutation and Feasible Elites", CEC.
    """

    update: Update
    constraints: Constraints = field(repr=False)
    share: float = 0.2

    @property
    def elite_fraction(self) -> float:
        """The wrapped update's."""
        return float(getattr(self.update, "elite_fraction", 1.0))

    def init(self, start: Family, /) -> State:
        """Give the state before the first batch."""
        return self.update.init(start)

    def step(self, state: State, batch: Batch, /) -> State:
        """Rank by feasibility and score, and let the update learn."""
        if batch.residuals is None:
            raise ValueError("this update takes batches with residuals of constraints.")
        amounts = self.constraints.violations(batch.residuals)
        scale = state.memory.get(_SCALE, _scale_of(amounts))
        violation = np.where(
            self.constraints.excess(batch.residuals) > 0, np.mean(amounts / scale, axis=1), 0.0
        )
        within = float(np.quantile(np.minimum(violation, 1e300), self.share))
        epsilon = min(float(state.memory.get(_EPSILON, np.inf)), within)
        merit = deb_merit(batch.scores, violation, epsilon)
        after = self.update.step(state, replace(batch, scores=merit))
        return replace(after, memory={**after.memory, _SCALE: scale, _EPSILON: np.array(epsilon)})


def deb_merit(
    scores: NDArray[np.float64], violation: NDArray[np.float64], epsilon: float = 0.0
) -> NDArray[np.float64]:
    """Give scores in which a violation beyond `epsilon` costs more than any difference of scores.

    Deb (2000), Equation (4), for maximisation: the worst score within `epsilon`, less the violation.
    """
    met = violation <= epsilon
    ranked = scores[met & np.isfinite(scores)]
    worst = float(ranked.min()) if ranked.size else 0.0
    return np.where(met, scores, worst - violation)


def _scale_of(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the median violation of each constraint by those that violate it, 1 where none does."""
    scale = np.ones(amounts.shape[1])
    for j, column in enumerate(amounts.T):
        violated = column[(column > 0) & np.isfinite(column)]
        if violated.size:
            scale[j] = max(float(np.median(violated)), 1e-300)
    return scale
