"""How runs end."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from cem.families.base import Array, Family

NOISY = "the objective is noisy (two evaluations of one candidate differ; noisy=True says so beforehand)"


class Status(IntEnum):
    """Why a run ended. Only `CONVERGED` and `TARGET_REACHED` are successes.

    Examples
    --------
    >>> Status.COLLAPSED.success, Status.TIME_LIMIT.limit, int(Status.CONVERGED)
    (False, True, 0)
    """

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


class ObjectiveError(RuntimeError):
    """The objective raised; the original exception is the `__cause__`.

    Attributes
    ----------
    candidate : ndarray or None
        The candidate it was called with (all rows of the call if vectorised).
    partial : OptimizeResult, ProbabilityEstimate or None
        The result so far: nothing already computed is lost.

    Examples
    --------
    >>> import cem
    >>> def fails(x):
    ...     raise OSError("the licence server is down")
    >>> try:
    ...     r = cem.optimize(fails, bounds=[(0, 1)], rng=1)
    ... except cem.ObjectiveError as error:
    ...     print(repr(error.__cause__), error.candidate.shape, error.partial.nfev)
    OSError('the licence server is down') (1,) 0
    """

    def __init__(self, message: str, candidate: Any = None, partial: Any = None) -> None:
        super().__init__(message)
        self.candidate = candidate
        self.partial = partial

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.candidate, self.partial)


class NoFiniteScoreError(ObjectiveError, ValueError):
    """No candidate has ever had a score that ranks: all were NaN or infinitely bad."""


class Estimate(NamedTuple):
    """What is known of a noisy objective at one point: an average score (maximised) and its error.

    `residuals`, shape ``(m,)``, are those of the constraints, where there are any.
    """

    x: Array
    score: float
    standard_error: float
    residuals: Array | None = None


class Minimum(NamedTuple):
    """A local minimum that a search has come to, and its value (minimised; the user's sign in results)."""

    x: Array
    value: float


class Ending(NamedTuple):
    """How a plan ended by itself.

    `family` is what its result should give, where that is not the last one sampled; `estimate` is what it
    returns in place of the best candidate seen. `looks` is how many descents from elsewhere stand behind
    what is said, `minima` where they and others ended. `exact`: every candidate has been evaluated.
    """

    status: Status
    message: str
    family: Family | None = None
    estimate: Estimate | None = None
    looks: int | None = None
    minima: tuple[Minimum, ...] = ()
    exact: bool = False
