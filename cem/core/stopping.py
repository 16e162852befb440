"""When a run has nothing left to learn: from its state to a reason, or None."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cem.core.budget import real_number
from cem.core.loop import State
from cem.families.base import Array, Floats

TOLERANCE = 1e-12  # of the range of scores: a thousand times what the runs' own ends are told by (`_FLAT`)
ROUNDING = 4e-15  # of the best score: some twenty roundings of a float64


@dataclass(frozen=True)
class Stopping:
    """The elite scores agree for `patience` iterations running; a single one, with that before it.

    Parameters
    ----------
    tol : float
        Scores agree within ``tol`` times the range of scores that the run has seen, or within rounding.
    patience : int
        Iterations for which they must agree, so that a plateau met by chance is not an end.
    target : float, optional
        A score that is wanted, in either sense: where the distance to it is less than the range that was
        seen, it counts in its place.

    Raises
    ------
    ValueError
        If `tol` is negative or NaN.
    """

    tol: float = TOLERANCE
    patience: int = 5
    target: float | None = None

    def __post_init__(self) -> None:
        if not real_number("tol", self.tol) >= 0:
            raise ValueError(f"tol must be a non-negative number, got {self.tol!r}.")

    def margin(self, best: float, climb: float = 0.0) -> float:
        """Return the difference of scores that does not count, at a best score after a climb of `climb`."""
        if not np.isfinite(best):
            return 0.0
        span = climb if self.target is None else min(climb, abs(abs(best) - abs(self.target)))
        return max(self.tol * span, ROUNDING * abs(best))

    def note(self, before: State, after: State, /) -> State:
        """Count the iterations in a row in which the elites agree."""
        margin = self.margin(after.elite_best, after.climb)
        spread = after.elite_best - (after.level if after.elites > 1 else before.level)
        return counted(before, after, after.elites > 0 and abs(spread) <= margin)

    def reason(self, state: State, /) -> str | None:
        """Return why the run should stop, or None."""
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

    def note(self, before: State, after: State, /) -> State:
        """Count the iterations in a row in which the level has not risen and nothing more waits above it."""
        risen = after.level > before.level or before.iteration == 0
        return counted(before, after, not risen and _waiting(after) == _waiting(before))

    def reason(self, state: State, /) -> str | None:
        """Return why the run should stop, or None."""
        if state.level >= self.level:
            return "the level is reached"
        if state.quiet >= self.patience:
            return f"the level has not risen for {self.patience} iterations"
        if state.iteration >= self.most:
            return f"the level is not reached after {self.most} iterations"
        return None


@dataclass(frozen=True)
class ArchiveSettled:
    """An archive of elites has not been bettered for `patience` batches, or all candidates are one.

    Every candidate is let into an archive that is not full: one that holds a single elite after more than
    `patience` with a score were offered has seen nothing else.
    """

    patience: int = 16

    def note(self, before: State, after: State, /) -> State:
        """Count the batches in a row after which the elites' scores are the same as before."""
        same = before.elites == after.elites and not _total(after) > _total(before)
        return counted(before, after, same)

    def reason(self, state: State, /) -> str | None:
        """Return why the run should stop, or None."""
        scored = int(state.memory.get("scored", 0))
        if state.elites == 1 and scored > self.patience:
            return f"all {scored} candidates are the same"
        if state.quiet >= self.patience:
            return f"the archive has not been bettered for {self.patience} batches"
        return None


def counted(before: State, after: State, quiet: bool) -> State:
    """Return `after` with `quiet` counted on where the iteration was quiet, and set to 0 where it was not."""
    return replace(after, quiet=before.quiet + 1 if quiet else 0)


def _waiting(state: State) -> int:
    return len(state.memory.get("scores", ()))


def _total(state: State) -> float:
    return float(state.memory["scores"].sum()) if "scores" in state.memory else -float("inf")


# Hansen's tutorial, Appendix B.3: TolHistFun (there 1e-12 in the objective's unit), TolX 1e-12 of the first
# spread, NoEffectCoord in terms of the coordinate's own size, ConditionCov 1e14 (of variances: 1e7 of axes).
_FLAT = 1e-15  # of the range of scores
_NARROW = 1e-12
_WORST_RATIO = 1e7
_SIZE = 1e-3  # of a coordinate's value: a spread below 1e-12 of that is below its resolution too
_BARREN = 10  # iterations without a score that ranks
_EVERY = 10  # iterations: how often the slower criteria are looked at
_MOST_KEPT = 20_000  # iterations: the longest window of Appendix B.3
_SCORES, _COUNTS = "recent_scores", "recent_counts"


@dataclass(frozen=True, eq=False)
class Exhausted:
    """The criteria of Hansen's tutorial (arXiv:1604.00772), Appendix B.3, for runs with memory.

    What it goes by, the best scores and levels of the last iterations, is kept in ``state.memory``.

    Parameters
    ----------
    start_std : ndarray, shape (d,)
        Marginal spread at the beginning.
    n : int
        Candidates per iteration.
    tol : float, optional
        Best scores that differ by no more than ``tol`` times the range of scores that the run has seen, or
        than rounding, count as equal. Default: 1e-15.
    """

    start_std: Floats
    n: int
    tol: float | None = None

    def note(self, before: State, after: State, /) -> State:
        """Remember the best score and the level, or that there was none."""
        scores = before.memory.get(_SCORES, np.empty((0, 2)))
        ranked, barren = before.memory.get(_COUNTS, (0, 0))
        if after.elites:
            row = ((after.elite_best, after.level),)
            scores, ranked, barren = np.concatenate((scores[1 - _MOST_KEPT :], row)), ranked + 1, 0
        else:
            barren += 1
        memory = {**after.memory, _SCORES: scores, _COUNTS: np.array((ranked, barren))}
        return replace(after, memory=memory)

    def reason(self, state: State, /) -> str | None:
        """Return why the run should stop, or None."""
        ranked, barren = state.memory.get(_COUNTS, (0, 0))
        if barren >= _BARREN:
            return "no candidate has a score that ranks"
        if not ranked or barren:
            return None
        scores = state.memory[_SCORES]
        if self._flat(scores[-self._short :, 0], state):
            return "the best scores no longer differ"
        axes = state.memory.get("axes")
        if axes is not None and axes[-1] > _WORST_RATIO * axes[0]:
            return "the covariance is ill-conditioned"
        if ranked % _EVERY:
            return None
        family: Any = state.family
        size = np.maximum(self.start_std, _SIZE * np.abs(family.mean))
        if np.all(family.std < _NARROW * size):
            return "the spread is gone"
        return "no better than a while ago" if self._stagnant(scores, int(ranked)) else None

    @property
    def _short(self) -> int:
        """Iterations whose best scores are compared: 10 + 30 d / n."""
        return 10 + int(np.ceil(30 * (self.start_std.size / self.n)))

    def _flat(self, bests: Array, state: State) -> bool:
        """Whether the best scores of the last iterations, shape ``(k,)``, are equal."""
        if len(bests) < self._short:
            return False
        best = state.elite_best
        least = max((_FLAT if self.tol is None else self.tol) * state.climb, ROUNDING * abs(best))
        if abs(best - bests[0]) > least:
            return False
        span = bests.max() - bests.min()
        return bool(span == 0 or (span <= least and best - state.level <= least))

    def _stagnant(self, scores: Array, ranked: int) -> bool:
        """Whether the newest third of a long window is no better than the oldest: 120 + 30 d / n + 0.2 t."""
        window = min(int(120 + 30 * (self.start_std.size / self.n) + 0.2 * ranked), _MOST_KEPT)
        if ranked <= window:
            return False
        third = max(window // 3, 20)
        first, last = scores[-window : third - window], scores[-third:]
        return bool(np.all(np.median(last, axis=0) <= np.median(first, axis=0)))
