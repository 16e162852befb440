"""Rank weights and learning rates of path adaptation: how much each candidate teaches.

Equation numbers are those of Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv:1604.00772), Table 1
and Equations (49) to (58).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import exp, sqrt

import numpy as np

from cem.core.loop import Batch
from cem.families.base import Array, Floats

LEAST_SQUARE = 1e-300  # keeps a quotient finite where a squared length has underflowed
_LEAST_SIZE = 1e-140  # its square is still a normal float


@dataclass(frozen=True, eq=False)
class Rates:
    """Weights by rank, best first, and learning rates.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        Positive ones sum to 1; the rest are negative.
    mass : float
        Variance-effective number of the positive weights (mu_eff).
    c_sigma, d_sigma, c_c, c_1, c_mu : float
        Rates of the step-size path, its damping, the shape's path, the rank-one and the rank-mu update.
    length : float
        Expected length of a standard normal vector.
    """

    weights: Floats
    mass: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    length: float

    @cached_property
    def parents(self) -> int:
        """Number of positive weights."""
        return int(np.count_nonzero(self.weights > 0))

    @cached_property
    def total(self) -> float:
        """Sum of all weights."""
        return float(self.weights.sum())

    @cached_property
    def gain_sigma(self) -> float:
        """What a step adds to the step-size path, so that it stays standard normal where nothing selects."""
        return sqrt(self.c_sigma * (2 - self.c_sigma) * self.mass)

    @cached_property
    def gain_c(self) -> float:
        """What a step adds to the shape's path."""
        return sqrt(self.c_c * (2 - self.c_c) * self.mass)


def smallest_population(d: int) -> int:
    """Return the default population, ``4 + floor(3 ln d)`` (48)."""
    return 4 + int(3 * np.log(d))


@cache
def rates(n: int, d: int, separable: bool = False) -> Rates:
    """Compute the defaults of Table 1; `separable` learns d variances, not d (d + 1) / 2 covariances."""
    raw = np.log((n + 1) / 2) - np.log(np.arange(1, n + 1))  # (49)
    good, bad = raw[raw > 0], raw[raw <= 0]
    mass = float(good.sum() ** 2 / (good**2).sum())
    mass_bad = float(bad.sum() ** 2 / (bad**2).sum()) if bad.any() else 0.0
    c_sigma = (mass + 2) / (d + mass + 5)  # (55)
    d_sigma = 1 + 2 * max(0.0, np.sqrt((mass - 1) / (d + 1)) - 1) + c_sigma  # (55)
    c_c = (4 + mass / d) / (d + 4 + 2 * mass / d)  # (56)
    c_1 = 2 / ((d + 1.3) ** 2 + mass)  # (57)
    c_mu = min(1 - c_1, 2 * (0.25 + mass + 1 / mass - 2) / ((d + 2) ** 2 + mass))  # (58)
    if separable:  # Ros & Hansen (2008), Section 3: faster by (d + 2) / 3
        faster = (d + 2) / 3
        c_1, c_mu = c_1 * faster, c_mu * faster
        total = max(1.0, c_1 + c_mu)
        c_1, c_mu = c_1 / total, c_mu / total
    limit = min(
        1 + c_1 / c_mu,  # (50)
        1 + 2 * mass_bad / (mass + 2),  # (51)
        (1 - c_1 - c_mu) / (d * c_mu),  # (52)
    )
    weights = np.concatenate([good / good.sum(), limit * bad / max(-float(bad.sum()), 1e-300)])  # (53)
    weights.flags.writeable = False
    length = float(np.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d)))
    return Rates(weights, mass, c_sigma, float(d_sigma), c_c, c_1, c_mu, length)


@dataclass(frozen=True, eq=False)
class Ranked:
    """A batch, best first, with the weight of each row; what has no rank is left out of the best half."""

    x: Array
    scores: Floats
    weights: Floats
    parents: int
    total: float  # of all weights

    @classmethod
    def of(cls, batch: Batch, by: Rates) -> Ranked | None:
        """Rank `batch`; None where no score ranks (all NaN or infinitely bad)."""
        order = (-batch.scores).argsort(kind="stable")
        scores = batch.scores[order]
        weights, parents, total = by.weights, by.parents, by.total
        if not scores[parents - 1] > -np.inf:
            if not scores[0] > -np.inf:
                return None
            parents = int(np.count_nonzero(scores > -np.inf))
            weights = np.where(scores > -np.inf, weights, np.minimum(weights, 0.0))
            weights[:parents] /= weights[:parents].sum()
            total = float(weights.sum())
        return cls(batch.x[order], scores, weights, parents, total)


def is_settled(length: float, iteration: int, d: int, r: Rates) -> float:
    """Return h: 0 while the step-size path is still too long for the shape to learn from its own, else 1."""
    decayed = sqrt(1 - (1 - r.c_sigma) ** (2 * iteration))
    return 1.0 if length < decayed * (1.4 + 2 / (d + 1)) * r.length else 0.0


def resize(sigma: float, change: float) -> float:
    """Return ``sigma * exp(change)`` (44), by at most e at once and within what squares to a normal float."""
    return min(max(sigma * exp(min(1.0, change)), _LEAST_SIZE), 1 / _LEAST_SIZE)
