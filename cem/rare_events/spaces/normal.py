"""What the plan must know of the space it works in: one class per kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from cem.families.base import Array, Family
from cem.families.factor_steps import FactorSteps
from cem.families.gaussian_mixture import GaussianMixture
from cem.rare_events.spaces.choice import Candidate, choose
from cem.rare_events.spaces.factors import factor_steps, one_large, stands_out
from cem.rare_events.spaces.structures import Along, LowRank, full, isotropic, seeded, sparse

Vector = NDArray[np.float64]
LEAST_HEAT = 0.01
RIDGE = 1e-3


class Space(Protocol):
    """The nominal distribution, a wide one for defence, and the fit of a proposal to weighted rows."""

    @property
    def dimension(self) -> int:
        """Length of a row."""

    @property
    def nominal(self) -> Any:
        """The distribution under which the probability is asked."""

    @property
    def wide(self) -> Any:
        """A wider one, of which every proposal has a part."""

    @property
    def rates(self) -> tuple[float, ...]:
        """Shares of the fit, its inflated copy, the wide part and the nominal in a final proposal."""

    def heated(self, heat: float, /) -> Any:
        """Give the nominal's density to the power `heat`, normalised."""

    def fit(self, x: Array, w: Vector, slope: Vector | None, rng: np.random.Generator, /) -> Any:
        """Fit a proposal; `slope` is the direction in which the score rises, where it is known."""

    def inflated(self, fitted: Any, /) -> Any:
        """Give a wider copy of a fit."""

    def slope(self, x: Array, y: Vector, /) -> Vector | None:
        """Give the direction in which `y` rises, where directions matter."""


class Inflatable(Family, Protocol):
    """A family that can be widened."""

    def inflated(self, factor: float, /) -> Family:
        """Multiply standard deviations by `factor`."""


@dataclass(frozen=True, eq=False)
class NormalSpace:
    """Independent standard normals."""

    dimension: int

    rates = (0.60, 0.30, 0.06, 0.04)

    @cached_property
    def nominal(self) -> GaussianMixture:
        """N(0, I)."""
        return self._centred(1.0)

    @cached_property
    def wide(self) -> GaussianMixture:
        """Standard deviations of 1 + 2.5/√d."""
        return self._centred(1 + 2.5 / np.sqrt(self.dimension))

    def _centred(self, std: float) -> GaussianMixture:
        d = self.dimension
        return GaussianMixture([1.0], np.zeros((1, d)), np.full((1, d), std))

    def heated(self, heat: float, /) -> GaussianMixture:
        """Give the density to the power `heat`, normalised."""
        return self._centred(max(heat, LEAST_HEAT) ** -0.5)

    def inflated(self, fitted: Inflatable, /) -> Family:
        """Raise the fitted standard deviations, d of them, by the factor 1 + 1/√d."""
        free = fitted.factors.size if isinstance(fitted, FactorSteps) else self.dimension
        return fitted.inflated(1 + 1 / np.sqrt(free))

    def slope(self, x: Array, y: Vector, /) -> Vector | None:
        """Give the unit gradient of a ridge regression of `y`; few dimensions need none."""
        if self.dimension < 13:
            return None

        def normal_equations(v: Vector) -> Vector:
            along = x @ v
            return np.asarray(x.T @ (along - along.mean()) + RIDGE * len(x) * v)

        square = LinearOperator((self.dimension, self.dimension), matvec=normal_equations, dtype=np.float64)
        slope, _ = cg(square, x.T @ (y - y.mean()), rtol=1e-6, maxiter=self.dimension)
        size = float(np.linalg.norm(slope))
        return np.asarray(slope / size) if np.isfinite(size) and size > 0 else None

    def fit(self, x: Array, w: Vector, slope: Vector | None, rng: np.random.Generator, /) -> Family:
        """Fit the structure and number of components that predict held-out rows best."""
        if slope is None:
            mean = w @ x / w.sum()
            slope = np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return choose(self._candidates(slope, x, w), x, w, rng)

    def _candidates(self, slope: Vector, x: Array, w: Vector) -> Sequence[Candidate]:
        d = self.dimension
        fit_full, fit_sparse = partial(seeded, full), partial(seeded, sparse)
        if d <= 12:
            found = [Candidate(fit_full, (1, 2, 3, 4, 6, 8)), Candidate(fit_sparse, (1, 2, 4, 8, 12, 16))]
            return [*found, Candidate(one_large, (1,))] if d > 2 else found
        many = (1, 4, 10, 16) if d <= 60 else (1, 4) if d <= 200 else (1,)
        found = [
            Candidate(partial(seeded, Along(slope)), (1,)),
            Candidate(fit_sparse, many),
            Candidate(partial(seeded, LowRank(slope)), (1, 2) if d <= 200 else (1,)),
            Candidate(partial(seeded, isotropic), (1,)),
        ]
        steps = factor_steps(slope, x, w)
        if steps is not None:
            found.append(Candidate(steps, (1,)))
        if stands_out(x, w):
            found.append(Candidate(one_large, (1,)))
        return [*found, Candidate(fit_full, (1, 2, 4))] if d <= 35 else found
