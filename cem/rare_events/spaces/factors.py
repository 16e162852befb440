"""Which inputs are the common factors of all others, and proposals conditional on them."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import ndtri

from cem.families.base import Floats
from cem.families.factor_steps import FactorSteps, best_steps
from cem.families.one_large import OneLarge
from cem.rare_events.settings import Settings
from cem.rare_events.spaces.choice import Fitter
from cem.rare_events.spaces.structures import full, seeded


def factor_steps(slope: Floats, settings: Settings, x: Floats, w: Floats) -> Fitter[FactorSteps] | None:
    """Return the fit of steps given factors, where a few entries of `slope` stand out from all others.

    Where the score depends on ``e_i + z @ b`` of every other input e_i, its slope in the factors z is b times
    the sum of its slopes in the others (mean derivatives of a sum of single-index functions). This holds for
    normal rows; b is refined to where the rows' likelihood is largest.
    """
    size = np.abs(slope)
    order = np.argsort(size, kind="stable")[::-1]
    gaps = size[order[: settings.most_factors]] / np.maximum(
        size[order[1 : settings.most_factors + 1]], 1e-300
    )
    k = int(gaps.argmax()) + 1
    if gaps[k - 1] < settings.stands_out:
        return None
    factors = np.sort(order[:k])
    others = np.delete(np.arange(slope.size), factors)
    signs = np.where(slope[others] >= 0, 1.0, -1.0)
    heavy = np.argsort(w, kind="stable")[::-1][: settings.factor_rows]
    slopes = _refined(
        slope[factors] / size[others].sum(),
        settings.turns,
        x[heavy][:, factors],
        x[heavy][:, others] * signs,
        w[heavy],
    )

    def fit(x: Floats, w: Floats, components: int, rng: np.random.Generator) -> FactorSteps:
        common = seeded(full, settings, x[:, factors], w, components, rng)
        blank = FactorSteps(factors, common, slopes, signs, np.zeros(others.size), np.zeros(others.size))
        return blank.with_steps(x, w)

    return fit


def _refined(slopes: Floats, turns: tuple[tuple[float, ...], ...], z: Floats, e: Floats, w: Floats) -> Floats:
    """Multiply the slopes, one after the other, by what makes the steps clearest."""
    best = best_steps(e, z @ slopes, w).gain
    for some, at in product(turns, range(slopes.size)):
        here = slopes.copy()
        for turn in some:
            tried = here.copy()
            tried[at] *= turn
            gain = best_steps(e, z @ tried, w).gain
            if gain > best:
                best, slopes = gain, tried
    return slopes


def stands_out(settings: Settings, x: Floats, w: Floats) -> bool:
    """Whether now one, now another coordinate of a row is larger than those of normals are.

    In few dimensions that need not be asked: the fit costs little.
    """
    d, size = x.shape[1], np.abs(x)
    if d <= settings.always_one_large:
        return True
    usual, seen = -float(ndtri(0.5 / d)), float(w @ size.max(axis=1) / w.sum())
    each = np.bincount(size.argmax(axis=1), w)
    return seen > usual + settings.least_excess and float(each.max()) < 0.5 * float(w.sum())


def one_large(settings: Settings, x: Floats, w: Floats, k: int, rng: np.random.Generator) -> OneLarge:
    """Fit by EM a component for each coordinate (and sign) in which that coordinate is the large one."""
    n, d = x.shape
    large = np.abs(x).argmax(axis=1)
    up = x[np.arange(n), large] > 0
    signs = [s for s, side in ((1.0, up), (-1.0, ~up)) if w[side].sum() > settings.fewest * w.sum()]
    at, sign = np.tile(np.arange(d), len(signs)), np.repeat(signs, d)
    r = w[:, None] * ((large[:, None] == at) & (np.where(up, 1.0, -1.0)[:, None] == sign))
    blank = OneLarge(np.ones(at.size), sign, np.ones(at.size), np.zeros(d), np.ones(d))
    return blank.refitted(x, w, r, r.sum(axis=0)).with_more_likelihood(x, w)
