"""How runs end."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Why a run ended. Only `CONVERGED` and `TARGET_REACHED` are successes."""

    CONVERGED = 0
    TARGET_REACHED = 1
    EVALUATION_LIMIT = 2
    ITERATION_LIMIT = 3
    TIME_LIMIT = 4
    COLLAPSED = 5
    CALLBACK = 6
    INTERRUPTED = 7
    INFEASIBLE = 8
    LEVEL_UNREACHED = 9
    UNTRUSTED = 10

    @property
    def success(self) -> bool:
        """Whether the run did what it was asked to do."""
        return self in (Status.CONVERGED, Status.TARGET_REACHED)

    @property
    def limit(self) -> bool:
        """Whether the budget ended the run."""
        return self in (Status.EVALUATION_LIMIT, Status.ITERATION_LIMIT, Status.TIME_LIMIT)
