"""When a run has nothing left to learn: from its state to a reason, or None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cem.loop import State


@dataclass(frozen=True)
class Stopping:
    """The rule: the elite scores agree within ``tol * (1 + |best|)`` for `patience` iterations running.

    Parameters
    ----------
    tol : float
        Relative (and, near zero, absolute) tolerance on the elite scores.
    patience : int
        Iterations for which they must agree, so that a plateau met by chance is not an end.
    """

    tol: float = 1e-9
    patience: int = 5

    def __post_init__(self) -> None:
        if not self.tol >= 0:
            raise ValueError(f"tol must be a non-negative number, got {self.tol!r}.")

    def margin(self, best: float) -> float:
        """Give the difference of scores that does not count, at a best score of `best`."""
        return self.tol * (1 + abs(best))

    def quiet(self, state: State) -> bool:
        """Tell whether the elites of the last iteration agree."""
        return state.elites > 0 and state.elite_best - state.level <= self.margin(state.elite_best)

    def reason(self, state: State) -> str | None:
        """Say why the run should stop, or None."""
        if state.quiet >= self.patience:
            return "the elite scores agree within the tolerance"
        return None
