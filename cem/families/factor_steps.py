"""Normals that are independent given common factors, each with a step in its density at a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from scipy.special import log_ndtr, logit, ndtr, ndtri, ndtri_exp, xlog1py, xlogy

from cem.families.base import Array, Floats, Index, ReadOnly, check_fit, check_rows, frozen
from cem.families.blended import Blended
from cem.families.gaussian import LOG_2PI
from cem.families.gaussian_mixture import GaussianMixture

CELLS, GROUPS = 48, 16
_FAR, _TINY = -30.0, 1e-300
_FARTHEST = 1e100  # the square of a count of these is still a normal float
BETWEEN = (-2.0, 3.0)
EVIDENCE = 3.0
MOST_PRIOR = 50.0


@dataclass(frozen=True, eq=False, repr=False)
class FactorSteps(ReadOnly):
    """A few factors, and coordinates that are independent given them; immutable.

    The factors z follow a Gaussian mixture. Given z, ``sign * e`` of a coordinate e is a standard normal, but
    for one thing: it exceeds its threshold ``t - z @ slopes`` with the probability `rate`, or with its own
    where that is greater. Such is a default in a portfolio, which factors and event both make likelier.

    Parameters
    ----------
    factors : array_like of int, shape (k,)
        Which coordinates of a row are the factors.
    common : GaussianMixture
        Distribution of the factors.
    slopes : array_like, shape (k,)
    signs, thresholds, rates : array_like, shape (d - k,)
        Of the other coordinates in order. Rates lie in [0, 1); one of 0 leaves a standard normal.

    Raises
    ------
    ValueError
        If shapes disagree, or a rate lies outside [0, 1).

    References
    ----------
    Glasserman & Li (2005), "Importance sampling for portfolio credit risk", Management Science 51: shifted
    factors, and given them likelier defaults unless the factors alone bring the loss.
    """

    factors: Any
    common: GaussianMixture
    slopes: Any
    signs: Any
    thresholds: Any
    rates: Any

    dtype: ClassVar = np.dtype(np.float64)

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", frozen(self.factors, np.intp))
        for name in ("slopes", "signs", "thresholds", "rates"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        k, m = self.factors.size, self.rates.size
        if self.common.dimension != k or self.slopes.shape != (k,):
            raise ValueError(f"common and slopes need one entry for each of {k} factors.")
        if any(getattr(self, name).shape != (m,) for name in ("signs", "thresholds", "rates")):
            raise ValueError("signs, thresholds and rates are vectors of one length.")
        if len(set(self.factors)) != k or not set(self.factors) <= set(range(k + m)):
            raise ValueError(f"factors must be {k} of {k + m} coordinates, got {self.factors}.")
        if not np.all((self.rates >= 0) & (self.rates < 1)):
            raise ValueError("rates lie in [0, 1).")

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return int(self.factors.size + self.rates.size)

    @property
    def others(self) -> Index:
        """The coordinates that are no factors."""
        return np.delete(np.arange(self.dimension), self.factors)

    def _edges(self, z: Floats) -> Floats:
        """Return the thresholds given the factors, shape ``(n, d - k)``."""
        return np.asarray(self.thresholds - (z @ self.slopes)[:, None])

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` rows, shape ``(n, d)``."""
        z = self.common.sample(n, rng)
        edge = self._edges(z)
        over = rng.random(edge.shape) < np.maximum(self.rates, ndtr(-edge))
        log_u = np.log1p(-rng.random(edge.shape))
        depth = ndtri_exp(log_u + _log_tail(np.negative(edge, out=edge, where=over)))
        x = np.empty((n, self.dimension))
        x[:, self.factors] = z
        x[:, self.others] = self.signs * np.where(over, -depth, depth)
        return x

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``."""
        x = np.clip(check_rows(x, self.dimension), -_FARTHEST, _FARTHEST)
        z, e = x[:, self.factors], x[:, self.others] * self.signs
        edge = self._edges(z)
        over, raised = e > edge, edge > -ndtri(self.rates)
        tail = _log_tail(np.negative(edge, out=edge, where=over))
        rates = np.where(self.rates > 0, self.rates, 0.5)
        step = (over & raised) @ logit(rates) + raised @ np.log1p(-rates) - tail.sum(axis=1, where=raised)
        normal = -0.5 * np.einsum("ij,ij->i", e, e) - 0.5 * LOG_2PI * e.shape[1]
        return np.asarray(self.common.log_prob(z) + normal + step)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit the factors' mixture, thresholds and rates; which are factors, slopes and signs stay."""
        x, w = check_fit(x, weights, self.dimension)
        x = np.clip(x, -_FARTHEST, _FARTHEST)
        common = self.common.fit(x[:, self.factors], w)
        return self.replaced(common=common).with_steps(x, w / (w @ w))

    def with_steps(self, x: Array, w: Floats) -> Self:
        """Fit thresholds and rates to rows whose weights sum to their effective number."""
        steps = best_steps(x[:, self.others] * self.signs, x[:, self.factors] @ self.slopes, w)
        return self.replaced(thresholds=steps.thresholds, rates=steps.rates)

    def inflated(self, by: float, /) -> Self:
        """Return it with every standard deviation of the k factors times 1 + by/√k."""
        return self.replaced(common=self.common.inflated(by))

    def blend(self, other: Any, rate: float, /) -> Any:
        """Return the mixture of the two, ``(1 - rate) * self + rate * other``."""
        return Blended([1.0], [self]).blend(other, rate)

    def entropy(self) -> float:
        """Return the differential entropy in nats, with the factors at their components' means."""
        edge = self._edges(self.common.means)
        own, rest = np.maximum(ndtr(-edge), _TINY), np.maximum(ndtr(edge), _TINY)
        rate = np.maximum(self.rates, own)
        pull = np.exp(-0.5 * edge**2 - 0.5 * LOG_2PI) * edge
        square = 1 + rate * pull / own - (1 - rate) * pull / rest
        step = xlogy(rate, rate / own) + xlog1py(1 - rate, -rate) - (1 - rate) * np.log(rest)
        each = (0.5 * square + 0.5 * LOG_2PI - step).sum(axis=1)
        return float(self.common.entropy() + self.common.shares @ each)

    def __repr__(self) -> str:
        return f"FactorSteps({self.factors.size} factors, {self.rates.size} coordinates)"


def _log_tail(x: Floats) -> Floats:
    """Return log Φ(x), twice as fast as `log_ndtr` where x is not far below zero."""
    far = x < _FAR
    out = np.log(ndtr(np.maximum(x, _FAR)))
    out[far] = log_ndtr(x[far])
    return np.asarray(out)


class Steps(NamedTuple):
    """Thresholds and rates of coordinates, and what the rows' log-likelihood gains by them."""

    thresholds: Floats
    rates: Floats
    gain: float


def best_steps(e: Floats, shift: Floats, w: Floats) -> Steps:
    """Fit a step to each column of `e` in rows shifted by `shift`; the weights sum to their effective number.

    A threshold is where the likelihood gains most, on a grid. The likelihoods of all columns shrink towards
    their mean by as many rows as the columns' alikeness suggests (beta-binomial moments). Where the gain does
    not outweigh chance there is no step.
    """
    grid, share, rest = _profiles(e + shift[:, None], shift, w)
    n, everywhere, everywhere_rest = float(w.sum()), share.mean(axis=1), rest.mean(axis=1)
    at = int(_gain(everywhere, everywhere_rest).argmax())
    chance = everywhere[at] * (1 - everywhere[at])
    unlike = share[at].var(ddof=1) - chance / n if share.shape[1] > 1 else np.inf
    prior = min(chance / max(unlike, 1e-12), MOST_PRIOR * n)
    share = (n * share + prior * everywhere[:, None]) / (n + prior)
    rest = (n * rest + prior * everywhere_rest[:, None]) / (n + prior)
    gain, each = _gain(share, rest), np.arange(e.shape[1])
    best = gain.argmax(axis=0)
    most = gain[best, each]
    rates = np.clip(share[best, each], 1 / (n + 2), 1 - 1 / (n + 2))
    return Steps(grid[best], np.where((n + prior) * most > EVIDENCE, rates, 0.0), n * float(most.sum()))


def _gain(share: Floats, rest: Floats) -> Floats:
    """Return what a row's log-likelihood gains by a step whose upper part holds `share` of the rows."""
    return xlogy(share, share) + xlog1py(1 - share, -share) - rest


def _profiles(y: Floats, shift: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    """Count the rows above each threshold of a grid, those with about the same shift together.

    Returns the grid ``(t,)``, the rows' share, and the mean log-likelihood of a standard normal to be above
    or below as they are, each ``(t, d - k)``.
    """
    n, m = y.shape
    middle, spread = y.mean(), y.std()
    if not spread > 1e-9 * abs(middle):  # all alike: any threshold does
        spread = max(1.0, 1e-9 * abs(middle))
    grid = middle + spread * np.linspace(*BETWEEN, CELLS)
    cell = np.clip(np.ceil((y - grid[0]) / (grid[1] - grid[0])), 0, CELLS).astype(np.intp)
    group = np.minimum(np.argsort(np.argsort(shift, kind="stable"), kind="stable") * GROUPS // n, GROUPS - 1)
    mass = np.bincount(group, w, GROUPS)
    centre = np.bincount(group, w * shift, GROUPS) / np.where(mass > 0, mass, 1.0)
    flat = (group[:, None] * (CELLS + 1) + cell) * m + np.arange(m)
    counts = np.bincount(flat.ravel(), np.repeat(w, m), GROUPS * (CELLS + 1) * m)
    over = counts.reshape(GROUPS, CELLS + 1, m)[:, ::-1].cumsum(axis=1)[:, -2::-1] / w.sum()
    edge = grid - centre[:, None]
    above, below = log_ndtr(-edge), log_ndtr(edge)
    rest = np.einsum("gt,gtm->tm", above - below, over) + (mass / w.sum() @ below)[:, None]
    return grid, over.sum(axis=0), rest
