"""Mixtures for events that any one coordinate may bring about: a heavy-tailed sum, a maximum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cem.families.gaussian_mixture import GaussianMixture
from cem.families.shares import maximised
from cem.improved.structures import GAIN, LEAST_STD, PRIOR, ROUNDS

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

OWN, COMMON = 5.0, 20.0
FEWEST = 0.02


class OneLarge(NamedTuple):
    """Components that differ from one another in a single coordinate each.

    Component k has `mean` and `std` in the coordinate ``at[k]``, and `centre` and `scatter` in all others.
    """

    mass: Vector
    at: NDArray[np.intp]
    mean: Vector
    std: Vector
    centre: Vector
    scatter: Vector

    def joint(self, x: Matrix) -> Matrix:
        """Log of share times density at each row, ``(n, K)``, but for a constant."""
        common = -0.5 * ((x - self.centre) / self.scatter) ** 2 - np.log(self.scatter)
        own = -0.5 * ((x[:, self.at] - self.mean) / self.std) ** 2 - np.log(self.std)
        return np.asarray(common.sum(axis=1)[:, None] - common[:, self.at] + own + np.log(self.mass))

    def mixture(self) -> GaussianMixture:
        """Give the components as a family."""
        k = np.arange(self.at.size)
        means, stds = np.tile(self.centre, (k.size, 1)), np.tile(self.scatter, (k.size, 1))
        means[k, self.at], stds[k, self.at] = self.mean, self.std
        return GaussianMixture(self.mass, means, stds)


def one_large(x: Matrix, w: Vector, k: int, rng: np.random.Generator) -> GaussianMixture:
    """Fit by EM a component for each coordinate (and sign) in which that coordinate is the large one.

    A component has a mean and a spread of its own in its coordinate, shrunk by `OWN` pseudo-rows towards
    those of all components. In the other coordinates all components share theirs, shrunk by `COMMON`
    pseudo-rows towards a single mean and spread. So even a coordinate that was hardly seen large has its
    component.

    References
    ----------
    Asmussen & Kroese (2006), "Improved algorithms for rare event simulation with heavy tails", Advances in
    Applied Probability 38: which summand is the large one is what a sampler must mix over.
    """
    n, d = x.shape
    large = np.abs(x).argmax(axis=1)
    up = x[np.arange(n), large] > 0
    signs = [s for s, side in ((1.0, up), (-1.0, ~up)) if w[side].sum() > FEWEST * w.sum()]
    at, sign = np.tile(np.arange(d), len(signs)), np.repeat(signs, d)
    r = w[:, None] * ((large[:, None] == at) & (np.where(up, 1.0, -1.0)[:, None] == sign))
    mass = r.sum(axis=0)
    return maximised(
        _refit(x, w, r, mass, at, sign),
        w,
        lambda fitted: fitted.joint(x),
        lambda r, mass: _refit(x, w, r, mass, at, sign),
        lambda mass: np.full(mass.shape, True),
        ROUNDS,
        GAIN * float(w.sum()),
    ).mixture()


def _refit(x: Matrix, w: Vector, r: Matrix, mass: Vector, at: NDArray[np.intp], sign: Vector) -> OneLarge:
    """Make the maximisation step."""
    (n, d), own = x.shape, x[:, at]
    first, second = (r * own).sum(axis=0), (r * own**2).sum(axis=0)
    mean_all = float((sign * first).sum() / max(mass.sum(), 1e-300))
    spread_all = float(second.sum() / max(mass.sum(), 1e-300)) - mean_all**2
    mean = (first + OWN * sign * mean_all) / (mass + OWN)
    gaps = second - 2 * mean * first + mass * mean**2
    spread = (gaps + OWN * max(spread_all, 0.0)) / (mass + OWN)
    rest = w[:, None] - r.reshape(n, -1, d).sum(axis=1)
    others = rest.sum(axis=0)
    centre, scatter = _shrunk((rest * x).sum(axis=0), (rest * x**2).sum(axis=0), others)
    std = np.sqrt(np.maximum(spread + PRIOR / (mass + OWN), LEAST_STD**2))
    return OneLarge(mass + 1, at, mean, std, centre, np.sqrt(scatter))


def _shrunk(first: Vector, second: Vector, rows: Vector) -> tuple[Vector, Vector]:
    """Give means and variances of the coordinates that are not the large one."""
    mean_all = float(first.sum() / rows.sum())
    centre = (first + COMMON * mean_all) / (rows + COMMON)
    square = second - 2 * centre * first + rows * centre**2
    scatter = (square + COMMON * float(square.sum() / rows.sum())) / (rows + COMMON)
    return centre, np.maximum(scatter, LEAST_STD**2)
