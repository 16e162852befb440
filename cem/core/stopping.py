"""When a run has nothing left to learn: from its state to a reason, or None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cem.budget import real_number
from cem.state import State


class Rule(Protocol):
    """When to stop."""

    def quiet(self, before: State, after: State) -> bool:
        """Tell whether an iteration has brought nothing new; they are counted in ``state.quiet``."""

    def reason(self, state: State) -> str | None:
        """Say why the run should stop, or None."""


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
