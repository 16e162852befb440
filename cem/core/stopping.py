"""When a run has nothing left to learn: from its state to a reason, or None."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cem.core.budget import real_number
from cem.core.loop import State


@dataclass(frozen=True)
class Stopping:
    """The elite scores agree for `patience` iterations running; a single one, with that before it.

    Parameters
    ----------
    tol : float
        Scores agree within ``tol * (1 + |best|)``.
    patience : int
        Iterations for which they must agree, so that a plateau met by chance is not an end.

    Raises
    ------
    ValueError
        If `tol` is negative or NaN.
    """

    tol: float = 1e-9
    patience: int = 5

    def __post_init__(self) -> None:
        if not real_number("tol", self.tol) >= 0:
            raise ValueError(f"tol must be a non-negative number, got {self.tol!r}.")

    def margin(self, best: float) -> float:
        """Give the difference of scores that does not count, at a best score of `best`."""
        return self.tol * (1 + abs(best))

    def quiet(self, before: State, after: State) -> bool:
        """Tell whether the elites agree."""
        margin = self.margin(after.elite_best)
        spread = after.elite_best - (after.level if after.elites > 1 else before.level)
        return after.elites > 0 and abs(spread) <= margin

    def reason(self, state: State) -> str | None:
        """Say why the run should stop, or None."""
        if state.quiet >= self.patience:
            return "the elite scores agree within the tolerance"
        return None


@dataclass(frozen=True)
class LevelReached:
    """The level of the elites has come to `level`, or rises no more.

    Parameters
    ----------
    level : float
        The level to reach (scores are maximised).
    patience : int
        Iterations without a rise after which it counts as out of reach.
    most : int
        Iterations after which it does so in any case: each is to multiply the probability of the event
        by the elite fraction, and with 0.1 no double is left after 308.
    """

    level: float
    patience: int = 5
    most: int = 60

    def quiet(self, before: State, after: State) -> bool:
        """Tell whether the level has not risen and nothing more waits above it."""
        return not after.level > before.level and before.iteration > 0 and _waiting(after) == _waiting(before)

    def reason(self, state: State) -> str | None:
        """Say why the run should stop, or None."""
        if state.level >= self.level:
            return "the level is reached"
        if state.quiet >= self.patience:
            return f"the level has not risen for {self.patience} iterations"
        if state.iteration >= self.most:
            return f"the level is not reached after {self.most} iterations"
        return None


@dataclass(frozen=True)
class ArchiveSettled:
    """A full archive of elites has not been bettered for `patience` batches running."""

    patience: int = 16

    def quiet(self, before: State, after: State) -> bool:
        """Tell whether the elites' scores are the same as before."""
        return before.elites == after.elites and not _total(after) > _total(before)

    def reason(self, state: State) -> str | None:
        """Say why the run should stop, or None."""
        if state.quiet >= self.patience:
            return f"the archive has not been bettered for {self.patience} batches"
        return None


def _waiting(state: State) -> int:
    return len(state.memory.get("scores", ()))


def _total(state: State) -> float:
    return float(state.memory["scores"].sum()) if "scores" in state.memory else -float("inf")


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
