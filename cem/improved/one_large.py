"""Mixtures for events that any one coordinate may bring about: a heavy-tailed sum, a maximum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cem.families.gaussian_mixture import GaussianMixture
from cem.families.shares import log_total
from cem.improved.structures import GAIN, LEAST_STD, PRIOR, ROUNDS

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

OWN, COMMON = 5.0, 20.0
FEWEST = 0.02


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
    total = float(w.sum())
    large = np.abs(x).argmax(axis=1)
    up = x[np.arange(n), large] > 0
    signs = [s for s, side in ((1.0, up), (-1.0, ~up)) if w[side].sum() > FEWEST * total]
    at, sign = np.tile(np.arange(d), len(signs)), np.repeat(signs, d)
    r = w[:, None] * ((large[:, None] == at) & (np.where(up, 1.0, -1.0)[:, None] == sign))
    mixture, before = _refit(x, w, r, at, sign), -np.inf
    for _ in range(ROUNDS):
        joint = mixture.joint(x)
        log = log_total(joint)
        mixture = _refit(x, w, np.exp(joint - log[:, None]) * w[:, None], at, sign)
        now = float(w @ log / total)
        if now - before < GAIN:
            break
        before = now
    return mixture


def _refit(x: Matrix, w: Vector, r: Matrix, at: NDArray[np.intp], sign: Vector) -> GaussianMixture:
    """Make the maximisation step."""
    d, mass = x.shape[1], r.sum(axis=0)
    own = x[:, at]
    first, second = (r * own).sum(axis=0), (r * own**2).sum(axis=0)
    mean_all = float((sign * first).sum() / max(mass.sum(), 1e-300))
    spread_all = float(second.sum() / max(mass.sum(), 1e-300)) - mean_all**2
    mean = (first + OWN * sign * mean_all) / (mass + OWN)
    gaps = second - 2 * mean * first + mass * mean**2
    spread = (gaps + OWN * max(spread_all, 0.0)) / (mass + OWN)
    rest = np.repeat(w[:, None], d, axis=1)
    for j in range(d):
        rest[:, j] -= r[:, at == j].sum(axis=1)
    others = rest.sum(axis=0)
    centre, scatter = _shrunk((rest * x).sum(axis=0), (rest * x**2).sum(axis=0), others)
    k = len(at)
    means, stds = np.tile(centre, (k, 1)), np.tile(np.sqrt(scatter), (k, 1))
    means[np.arange(k), at] = mean
    stds[np.arange(k), at] = np.sqrt(np.maximum(spread + PRIOR / (mass + OWN), LEAST_STD**2))
    return GaussianMixture(mass + 1, means, stds)


def _shrunk(first: Vector, second: Vector, rows: Vector) -> tuple[Vector, Vector]:
    """Give means and variances of the coordinates that are not the large one."""
    mean_all = float(first.sum() / rows.sum())
    centre = (first + COMMON * mean_all) / (rows + COMMON)
    square = second - 2 * centre * first + rows * centre**2
    scatter = (square + COMMON * float(square.sum() / rows.sum())) / (rows + COMMON)
    return centre, np.maximum(scatter, LEAST_STD**2)
