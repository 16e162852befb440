"""When a sampling run that adapts its step size should end: the rule of the runs that restarts repeat."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cem.state import State

_FLAT = 1e-12
_ROUNDING = 4e-15
_NARROW = 1e-12
_WORST_RATIO = 1e7
_BARREN = 10
_EVERY = 10  # iterations: how often the slower criteria are looked at


class Watch:
    """The criteria of Hansen's tutorial (arXiv:1604.00772), Appendix B.3; it notes the iterations of one run.

    Parameters
    ----------
    start_std : ndarray, shape (d,)
        Marginal spread at the beginning.
    n : int
        Candidates an iteration.
    tol : float, optional
        Best scores that differ by no more than ``tol * (1 + |best|)`` count as equal. Default: by no more
        than 1e-12 or rounding.
    """

    def __init__(self, start_std: NDArray[np.float64], n: int, tol: float | None = None) -> None:
        self._start_std, self._tol = start_std, tol
        per_iteration = start_std.size / n
        self._recent: deque[float] = deque(maxlen=10 + int(np.ceil(30 * per_iteration)))
        self._window = 120 + 30 * per_iteration
        self._bests: list[float] = []
        self._levels: list[float] = []
        self._barren = 0

    def quiet(self, before: State, after: State) -> bool:
        """Note an iteration; what it was worth only its successors show."""
        self._barren = 0 if after.elites else self._barren + 1
        if self._barren:
            return False
        self._recent.append(after.elite_best)
        self._bests.append(after.elite_best)
        self._levels.append(after.level)
        return False

    def reason(self, state: State) -> str | None:
        """Say why the run should stop, or None."""
        if self._barren >= _BARREN:
            return "no candidate has a score that ranks"
        if not self._bests or self._barren:
            return None
        if self._flat(state):
            return "the best scores no longer differ"
        axes = state.memory.get("axes")
        if axes is not None and axes[-1] > _WORST_RATIO * axes[0]:
            return "the covariance is ill-conditioned"
        if len(self._bests) % _EVERY:
            return None
        family: Any = state.family
        size = np.maximum(self._start_std, 1e-3 * np.abs(family.mean))
        if np.all(family.std < _NARROW * size):
            return "the spread is gone"
        return "no better than a while ago" if self._stagnant() else None

    def _flat(self, state: State) -> bool:
        if len(self._recent) < (self._recent.maxlen or 0):
            return False
        best = state.elite_best
        least = max(_FLAT, _ROUNDING * abs(best)) if self._tol is None else self._tol * (1 + abs(best))
        if abs(best - self._recent[0]) > least:
            return False
        span = max(self._recent) - min(self._recent)
        return span == 0 or (span <= least and best - state.level <= least)

    def _stagnant(self) -> bool:
        """Tell whether the newest third of a long window is no better than the oldest."""
        n = len(self._bests)
        window = min(int(self._window + 0.2 * n), 20_000)
        if n <= window:
            return False
        third = max(window // 3, 20)
        return all(
            np.median(scores[-third:]) <= np.median(scores[-window : third - window])
            for scores in (self._bests, self._levels)
        )
