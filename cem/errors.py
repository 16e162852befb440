"""What the package raises besides `ValueError` and `TypeError`."""

from __future__ import annotations

from typing import Any


class ObjectiveError(RuntimeError):
    """The objective raised; the original exception is the `__cause__`.

    Attributes
    ----------
    candidate : ndarray or None
        The candidate it was called with (all rows of the call if vectorised).
    partial : OptimizeResult, ProbabilityEstimate or None
        The result so far: nothing already computed is lost.
    """

    def __init__(self, message: str, candidate: Any = None, partial: Any = None) -> None:
        super().__init__(message)
        self.candidate = candidate
        self.partial = partial

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.candidate, self.partial)


class NoFiniteScoreError(ObjectiveError, ValueError):
    """No candidate has ever had a score that ranks: all were NaN or infinitely bad."""
