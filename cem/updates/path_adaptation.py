"""The Gaussian refit with memory: rank weights, covariance about the old mean, evolution paths, step size.

Equation numbers are those of Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv:1604.00772), Appendix A.
In cross-entropy terms: rank weights refit the Gaussian by weighted maximum likelihood about the *old* mean,
which raises the likelihood of the steps taken rather than of the points reached; a path adds the direction on
which successive refits agree, and another path's length sets the size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, sqrt
from typing import Any, ClassVar

import numpy as np

from cem.core.loop import Batch, State
from cem.families.base import Family
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gaussian import Gaussian
from cem.families.low_rank_gaussian import LowRankGaussian
from cem.updates import low_rank_adaptation, separable_adaptation
from cem.updates.recombination import Ranked, Rates, rates, resized, settled, smallest_population

FULL_UP_TO = 200
_LEAST = 1e-300
_VARIANTS = ("auto", "full", "separable", "low-rank")


@dataclass(frozen=True)
class PathAdaptation:
    """Cumulative covariance and step-size adaptation of a Gaussian.

    Parameters
    ----------
    variant : {"auto", "full", "separable", "low-rank"}
        What is learnt of the shape: a covariance (O(d²) a candidate), d variances (O(d)), or about 3 ln d
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
        """Give the default number of candidates an iteration."""
        return smallest_population(_checked(start).mean.size)

    def init(self, start: Family, /) -> State:
        """Begin with the start's shape and no history.

        Raises
        ------
        TypeError
            If the start is not Gaussian.
        """
        gaussian = _checked(start)
        variant = self.variant
        if variant == "auto":
            low_rank = isinstance(start, LowRankGaussian)
            variant = "full" if gaussian.mean.size <= FULL_UP_TO else "separable"
            variant = "low-rank" if low_rank else variant
        if variant == "separable":
            return separable_adaptation.begin(gaussian)
        if variant == "low-rank":
            return low_rank_adaptation.begin(gaussian)
        return _begin(gaussian)

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
        family: Any = state.family
        rule = rates(n, d, separable=not isinstance(family, FactoredGaussian))
        ranked = Ranked.of(batch, rule)
        if ranked is None:
            return replace(state, elites=0)
        moved: Family
        if isinstance(family, LowRankGaussian):
            moved, memory = low_rank_adaptation.move(state, ranked, rule)
        elif isinstance(family, Gaussian):
            moved, memory = separable_adaptation.move(state, ranked, rule)
        else:
            moved, memory = _move(state, ranked, rule)
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


def _checked(start: Family) -> Any:
    if not isinstance(start, Gaussian | FactoredGaussian | LowRankGaussian):
        raise TypeError(f"path adaptation moves Gaussians, not {type(start).__name__}; use SmoothedFit.")
    return start


def _begin(start: Any) -> State:
    """Split the covariance into the size σ, the geometric mean of its axes, and a shape of determinant 1."""
    if isinstance(start, LowRankGaussian):
        start = Gaussian(start.mean, std=start.std)
    family = FactoredGaussian.of(start)
    covariance = family.factor @ family.factor.T
    values, basis = np.linalg.eigh(covariance)
    axes = np.sqrt(np.maximum(values, 1e-14 * values[-1]))
    sigma = float(np.exp(np.mean(np.log(axes))))
    memory = {
        "sigma": np.array(sigma),
        "shape": covariance / sigma**2,
        "basis": basis,
        "axes": axes / sigma,
        "log_axes": np.array(np.log(axes / sigma).sum()),
        "path_sigma": np.zeros(axes.size),
        "path_c": np.zeros(axes.size),
        "stale": np.array(0),
    }
    return State(family, memory=memory)


def _move(state: State, ranked: Ranked, r: Rates) -> tuple[FactoredGaussian, dict[str, Any]]:
    """Refit mean, covariance and size."""
    memory = state.memory
    mean = state.family.mean  # type: ignore[attr-defined]
    d, mu = mean.size, ranked.parents
    sigma, shape = float(memory["sigma"]), memory["shape"]
    basis, axes, log_axes = memory["basis"], memory["axes"], memory["log_axes"]

    y = ranked.x - mean
    y /= sigma  # (39)
    step = ranked.weights[:mu] @ y[:mu]  # (41)
    new_mean = mean + sigma * step  # (42), with c_m = 1

    path_sigma = (1 - r.c_sigma) * memory["path_sigma"]
    whitened_step = basis @ ((step @ basis) / axes)
    path_sigma += r.gain_sigma * whitened_step  # (43)
    length = sqrt(path_sigma @ path_sigma)
    h = settled(length, state.iteration + 1, d, r)
    path_c = (1 - r.c_c) * memory["path_c"]
    path_c += h * r.gain_c * step  # (45)

    w = ranked.weights.copy()
    whitened = y[mu:] @ basis
    whitened /= axes
    w[mu:] *= d / np.maximum(np.einsum("ij,ij->i", whitened, whitened), _LEAST)  # (46)
    lost = (1 - h) * r.c_c * (2 - r.c_c)
    keep = 1 + r.c_1 * lost - r.c_1 - r.c_mu * ranked.total
    shape = keep * shape + np.multiply.outer(r.c_1 * path_c, path_c) + (y.T * (r.c_mu * w)) @ y  # (47)
    sigma = resized(sigma, (r.c_sigma / r.d_sigma) * (length / r.length - 1))  # (44)

    stale = int(memory["stale"]) + 1
    if stale >= 1 / (10 * d * (r.c_1 + r.c_mu)):  # Appendix B.2: factorise when it has changed enough
        stale = 0
        values, basis = np.linalg.eigh(shape)  # looks at one triangle
        axes = np.sqrt(np.maximum(values, 1e-14 * values[-1]))
        log_axes = np.array(np.log(axes).sum())
    volume = d * log(sigma) + float(log_axes)
    moved = FactoredGaussian.owning(mean=new_mean, factor=basis * (sigma * axes), log_volume=volume)
    return moved, {
        "sigma": np.array(sigma),
        "shape": shape,
        "basis": basis,
        "axes": axes,
        "log_axes": log_axes,
        "path_sigma": path_sigma,
        "path_c": path_c,
        "stale": np.array(stale),
    }
