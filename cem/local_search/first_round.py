"""What may be asked about a start all at once: its value twice, derivatives, and whether f is separable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cem.core.domain import Domain
from cem.families.base import Floats
from cem.local_search.curvature import DenseCurvature
from cem.local_search.differences import SecondDifferences
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.separability import Exchanges

_ASIDE = 0.1  # of the span, in each variable: where the point lies that coordinates are exchanged with
_FARTHER = 10.0  # times the first step along an axis: over which the same curvature must be found
_SAME = 0.1  # by which two estimates of one curvature may differ, if values are as exact as they look


@dataclass(frozen=True, eq=False)
class FirstRound:
    """The rows of a first round about `x`: `x` twice, another point, exchanges, longer steps, differences."""

    x: Floats
    other: Floats
    exchanges: Exchanges
    longer: Floats
    second: SecondDifferences

    @classmethod
    def about(cls, domain: Domain, span: Floats, x: Floats, rng: np.random.Generator) -> FirstRound | None:
        """Choose the rows; None where the box leaves no room for differences.

        The curvature is guessed to change f by its own size over the region, so that the steps of the
        differences do not depend on that size.
        """
        curvature = 1 / max(float(np.mean(span)), 1e-100) ** 2
        model, noise = DenseCurvature.isotropic(x.size, curvature), NoiseLevel().relative
        second = SecondDifferences.along(domain, x, model, ~domain.fixed, noise)
        if second is None or second.steps.size == 0:
            return None
        longer = x + np.multiply.outer((1 + _FARTHER, 1 - _FARTHER), second.steps[0] * second.basis[:, 0])
        if domain.outside(longer).any():
            return None
        other = domain.project(x + _ASIDE * span * rng.choice((-1.0, 1.0), x.size))
        return cls(x, other, Exchanges.between(x, other, rng), longer, second)

    @property
    def rows(self) -> Floats:
        """Where to evaluate; the first two are `x`."""
        first = [self.x, self.x, self.other]
        return np.concatenate([first, self.exchanges.rows, self.longer, self.second.rows()])

    def separable(self, values: Floats, noise: NoiseLevel) -> bool:
        """Whether exchanges say that the objective is a sum of functions of one variable each."""
        exchanged = values[3 : 3 + len(self.exchanges.rows)]
        return self.exchanges.separable(exchanged, float(values[0]), float(values[2]), noise)

    def derivatives(self, values: Floats) -> tuple[Floats, DenseCurvature] | None:
        """Return gradient and Hessian; None where a value is not finite, or nothing changes the value.

        None too where longer steps find another curvature: then values are too noisy for the short ones.
        """
        fx, about = float(values[0]), values[3 + len(self.exchanges.rows) :]
        middle, end = about[[2, 2 + self.second.steps.size]]
        with np.errstate(all="ignore"):
            near, far = end - 2 * middle + fx, about[0] - 2 * middle + about[1]
        if not abs(far / _FARTHER**2 - near) <= _SAME * abs(near) + 1e-10 * abs(fx):
            return None
        found = self.second.learned(about[2:], fx)
        return found if found is not None and np.any(found[0]) else None
