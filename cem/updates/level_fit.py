"""The multilevel update for rare events: raise the level, refit by likelihood-ratio weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cem.families.base import Family
from cem.families.gaussian import Gaussian
from cem.importance import Nominal, log_ratio
from cem.loop import Batch
from cem.selection import elite_level
from cem.state import State

DEFENCE = 0.01


@dataclass(frozen=True, eq=False)
class LevelFit:
    """Fit to the candidates at or above the elite quantile, weighted by the likelihood ratio.

    Where the quantile does not rise above the last level (few distinct scores), the next higher score is
    taken, once enough candidates have come to it. All candidates that tie at the level count. A discrete fit
    is blended with one per cent of the nominal (of `defence`, where the nominal is of another kind),
    so that no possible candidate gets probability 0; a Gaussian fit is widened to the nominal's spread, so
    that likelihood ratios have a variance.

    Parameters
    ----------
    nominal : object with `log_prob`
        The distribution under which the probability is asked.
    level : float
        Where the event begins (scores are maximised).
    elite_fraction : float
        Fraction ρ in (0, 1) that defines the quantile.
    least_elites : int
        Candidates without which the level is not raised; those that there are wait for more.
    defence : Family, optional
        Stands in for a nominal of another kind in the blend of a discrete fit. Default: the last proposal.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method", Annals of
    Operations Research 134, Algorithm 2.1.
    """

    nominal: Nominal
    level: float
    elite_fraction: float = 0.1
    least_elites: int = 1
    defence: Family | None = None

    def init(self, start: Family, /) -> State:
        """Give the state before the first batch."""
        return State(start)

    def step(self, state: State, batch: Batch, /) -> State:
        """Raise the level and refit; too few candidates above the last level wait for the next batch."""
        x, scores = batch.x, batch.scores
        if "x" in state.memory:
            x = np.concatenate([state.memory["x"], x])
            scores = np.concatenate([state.memory["scores"], scores])
        level = self._next_level(state, batch.scores)
        chosen = scores >= level
        if level == -np.inf or chosen.sum() < self.least_elites:
            waiting = scores > np.fmax(state.level, -np.inf)
            return replace(state, elites=0, memory={"x": x[waiting], "scores": scores[waiting]})
        return replace(
            state,
            family=self._fit(state.family, x[chosen]),
            level=level,
            elite_best=float(scores[chosen].max()),
            elites=int(chosen.sum()),
            memory={},
        )

    def _next_level(self, state: State, scores: NDArray[np.float64]) -> float:
        """Give the elite quantile, or where it does not rise, the least score above the last level."""
        level = elite_level(scores, self.elite_fraction)
        last = float(np.fmax(state.level, -np.inf))
        if not level > last:
            higher = scores[scores > last]
            waiting = state.memory.get("scores", higher)
            level = float(np.concatenate([higher, waiting]).min(initial=np.inf))
        return min(level, self.level)

    def _fit(self, family: Family, x: NDArray[np.float64]) -> Family:
        log_weights = log_ratio(self.nominal, family, x)
        top = log_weights.max()
        if not np.isfinite(top):
            return family
        fitted = family.fit(x, np.exp(log_weights - top))
        if isinstance(fitted, Gaussian) and isinstance(self.nominal, Gaussian):
            return fitted.widened(self.nominal)
        if x.dtype.kind not in "iub":
            return fitted
        if isinstance(self.nominal, type(family)):
            return fitted.blend(self.nominal, DEFENCE)
        return fitted.blend(family if self.defence is None else self.defence, DEFENCE)
