"""Path adaptation: the Gaussian refit with memory, evolution paths and a step size of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cem.core.loop import Batch, State
from cem.families.base import Family
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gaussian import Gaussian, GaussianLike
from cem.families.low_rank_gaussian import LowRankGaussian
from cem.updates import full_adaptation, low_rank_adaptation, separable_adaptation
from cem.updates.recombination import Ranked, Rates, rates, smallest_population

Move = Callable[[State, Ranked, Rates], tuple[Any, dict[str, Any]]]

FULL_UP_TO = 200
_VARIANTS = ("auto", "full", "separable", "low-rank")
_BEGIN: dict[str, Callable[[GaussianLike], State]] = {
    "full": full_adaptation.begin,
    "separable": separable_adaptation.begin,
    "low-rank": low_rank_adaptation.begin,
}
_MOVE: dict[type[Any], Move] = {  # by what `begin` made
    FactoredGaussian: full_adaptation.move,
    Gaussian: separable_adaptation.move,
    LowRankGaussian: low_rank_adaptation.move,
}


@dataclass(frozen=True)
class PathAdaptation:
    """Cumulative covariance and step-size adaptation of a Gaussian.

    Parameters
    ----------
    variant : {"auto", "full", "separable", "low-rank"}
        What is learnt of the shape: a covariance (O(d²) per candidate), d variances (O(d)), or about 3 ln d
        directions (O(d ln d)). "auto" is "full" up to 200 variables and "separable" beyond: a covariance
        takes some d² evaluations to learn, which no one has there, d variances some 10 d. Where the
        variables are known to interact strongly, "low-rank" is the choice; a `LowRankGaussian` as the start
        makes it.

    Raises
    ------
    ValueError
        If there is no such variant.

    References
    ----------
    Hansen (2016), "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772; Ros & Hansen (2008), "A Simple
    Modification in CMA-ES Achieving Linear Time and Space Complexity", PPSN X; Loshchilov, Glasmachers &
    Beyer (2019), "Large Scale Black-Box Optimization by Limited-Memory Matrix Adaptation", IEEE TEVC 23.
    """

    variant: str = "auto"

    minimum_rows: ClassVar = 2

    def __post_init__(self) -> None:
        if self.variant not in _VARIANTS:
            raise ValueError(f"variant is one of {', '.join(_VARIANTS)}; got {self.variant!r}.")

    def population(self, start: Family, /) -> int:
        """Return the default number of candidates per iteration."""
        return smallest_population(_check_start(start).dimension)

    def init(self, start: Family, /) -> State:
        """Begin with the start's shape and no history.

        Raises
        ------
        TypeError
            If the start is not Gaussian.
        """
        gaussian = _check_start(start)
        if self.variant != "auto":
            return _BEGIN[self.variant](gaussian)
        if isinstance(gaussian, LowRankGaussian):
            return low_rank_adaptation.begin(gaussian)
        return _BEGIN["full" if gaussian.dimension <= FULL_UP_TO else "separable"](gaussian)

    def step(self, state: State, batch: Batch, /) -> State:
        """Rank, move the mean, extend the paths, refit the shape, set the size.

        A batch without a score that ranks leaves everything as it is.

        Raises
        ------
        ValueError
            If the batch has fewer than two candidates.
        """
        n, d = batch.x.shape
        if n < self.minimum_rows:
            raise ValueError(f"path adaptation ranks at least {self.minimum_rows} candidates, got {n}.")
        rule = rates(n, d, separable=not isinstance(state.family, FactoredGaussian))
        ranked = Ranked.of(batch, rule)
        if ranked is None:
            return replace(state, elites=0)
        moved, memory = _MOVE[type(state.family)](state, ranked, rule)
        return State(
            moved,
            state.iteration,
            level=float(ranked.scores[ranked.parents - 1]),
            elite_best=float(ranked.scores[0]),
            elites=ranked.parents,
            best=state.best,
            quiet=state.quiet,
            memory=memory,
        )


def _check_start(start: Family) -> GaussianLike:
    if not isinstance(start, GaussianLike):
        raise TypeError(f"path adaptation moves Gaussians, not {type(start).__name__}; use SmoothedFit.")
    return start
