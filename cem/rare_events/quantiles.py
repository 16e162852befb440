"""Quantile functions of normal variates that are right in both tails, as far out as doubles go.

scipy's generic upper quantile is that of one minus the tail, which knows nothing of tails below 1e-16. Each
distribution's quantile functions are held against its log tails and its density once, and replaced from where
they are wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri_exp

from cem.families.base import Floats, Mask
from cem.rare_events.distributions import Distribution

# Normal quantiles at which an inverse is looked at; tails below 37.5 are no normal doubles.
LOOKED_AT = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 22, 30, 37])
NEAR = 4  # of those: up to here scipy's quantiles are taken as they are
TOLERANCE = 1e-6  # of a tail, relative: far below any standard error
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
FALL = 2.0  # of the log density over a panel: 16 nodes then integrate exponentials to rounding
MOST_PANELS, MOST_HALVINGS = 3000, 8  # in all, and of one panel after that before it
LEAST_LOG = -745.0  # of the smallest double


@dataclass(frozen=True, eq=False)
class ContinuousQuantiles:
    """The quantiles of a continuous distribution at normal variates."""

    distribution: Distribution

    def __call__(self, u: Floats) -> Floats:
        """Map standard normals, of any shape, to values of the same shape."""
        f = self.distribution
        if (normal := f.location_and_scale) is not None:
            return np.asarray(normal[0] + normal[1] * u)
        tail = ndtr(-np.abs(u))
        x = np.where(u > 0, f.isf(tail), f.ppf(tail))
        for side, inverse in ((u, self.upper), (-u, self.lower)):
            if inverse is not None and (far := side > inverse.beyond).any():
                x[far] = inverse.sign * inverse.solve(log_ndtr(-side[far]))
        return self._inside(x, u)

    def to_normal(self, x: Floats) -> Floats:
        """Map values ``(n,)`` to the normals that are mapped to them; those outside the support to ±inf."""
        f = self.distribution
        if (normal := f.location_and_scale) is not None:
            return np.asarray((x - normal[0]) / normal[1])
        lower, upper = f.log_cdf(x), f.log_sf(x)
        for tail, inverse, side in ((lower, self.lower, -x), (upper, self.upper, x)):
            if inverse is not None and (far := side > inverse.edges[0]).any():
                tail[far] = inverse.log_tail(side[far])
        return np.where(lower < upper, ndtri_exp(np.minimum(lower, 0)), -ndtri_exp(np.minimum(upper, 0)))

    def _inside(self, x: Floats, u: Floats) -> Floats:
        """Round towards the median next to an end of the support: the end itself has probability 0."""
        low, high = self.distribution.support
        if x.size == 0 or not low < np.nextafter(high, -np.inf):
            return x
        near = 1e-12
        if np.isfinite(high) and (at := (u > 0) & (x >= high - near * abs(high))).any():
            x[at] = _towards(x[at], np.nextafter(high, -np.inf), self.distribution.log_sf, u[at], -np.inf)
        if np.isfinite(low) and (at := (u < 0) & (x <= low + near * abs(low))).any():
            x[at] = _towards(x[at], np.nextafter(low, np.inf), self.distribution.log_cdf, -u[at], np.inf)
        return x

    @cached_property
    def upper(self) -> FarTail | None:
        """What takes the place of scipy's upper quantiles beyond some point."""
        return _far_tail(self.distribution, 1.0)

    @cached_property
    def lower(self) -> FarTail | None:
        """What takes the place of scipy's lower quantiles beyond some point."""
        return _far_tail(self.distribution, -1.0)


def _towards(x: Floats, last: float, log_tail: Callable[..., Floats], u: Floats, inwards: float) -> Floats:
    """Return the last doubles whose tail is no less than that of `u`, among x and its neighbour inwards."""
    x = np.minimum(x, last) if inwards < 0 else np.maximum(x, last)
    short = log_tail(x) < log_ndtr(-u)
    return np.where(short & np.isfinite(log_tail(x)), np.nextafter(x, inwards), x)


@dataclass(frozen=True, eq=False)
class FarTail:
    """The upper tail of ``sign * X``, by integrals of the density over panels out to where it ends.

    Attributes
    ----------
    sign : float
        -1 for the lower tail.
    beyond : float
        Normal quantile from which it is to be used.
    edges : ndarray, shape (m,)
        Of the panels, rising.
    log_tails : ndarray, shape (m,)
        Logarithms of the probabilities beyond the edges.
    """

    distribution: Distribution
    sign: float
    beyond: float
    edges: Floats
    log_tails: Floats

    def solve(self, log_tail: Floats) -> Floats:
        """Return where the tail has these logarithms, shape ``(n,)``: Newton's steps inside their panel."""
        k = np.searchsorted(-self.log_tails, -log_tail, side="right") - 1
        k = np.clip(k, 0, self.edges.size - 2)
        low, high = self.edges[k].copy(), self.edges[k + 1].copy()
        at_low, at_high = self.log_tails[k], self.log_tails[k + 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (at_low - log_tail) / (at_low - at_high)
        x = low + np.clip(np.nan_to_num(share), 0, 1) * (high - low)
        outside = log_tail <= self.log_tails[-1]
        x = np.where(outside, self._extrapolated(log_tail), x)
        for _ in range(50):
            beyond = _log_sum(
                self.log_tails[k + 1], _log_panels(self.distribution, self.sign, x, self.edges[k + 1])
            )
            gap = beyond - log_tail
            low, high = np.where(gap >= 0, x, low), np.where(gap < 0, x, high)
            with np.errstate(over="ignore", invalid="ignore"):
                trial = x + gap * np.exp(beyond - self.distribution.log_density(self.sign * x))
                middle = low + (high - low) / 2
                trial = np.where((trial >= low) & (trial <= high), trial, middle)
                moved, x = np.abs(trial - x), np.where(outside, x, trial)
            if (moved <= 4 * np.spacing(np.abs(x)))[~outside].all():
                break
        return x

    def log_tail(self, x: Floats) -> Floats:
        """Return the logarithm of the tail beyond values ``(n,)`` of ``sign * X`` that it reaches to."""
        k = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, self.edges.size - 2)
        inside = np.minimum(x, self.edges[k + 1])
        part = _log_panels(self.distribution, self.sign, inside, self.edges[k + 1])
        return np.asarray(np.where(x < self.end, _log_sum(self.log_tails[k + 1], part), -np.inf))

    def _extrapolated(self, log_tail: Floats) -> Floats:
        """Return values beyond the last edge by the power of it that the tail falls with there."""
        last, before = self.edges[-1], _before(self.edges)
        if np.isfinite(self.end) or self.edges[before] <= 0:
            return np.full(log_tail.shape, last)
        slope = np.log(last / self.edges[before]) / (self.log_tails[before] - self.log_tails[-1])
        with np.errstate(over="ignore"):
            return np.asarray(last * np.exp(slope * (self.log_tails[-1] - log_tail)))

    @property
    def end(self) -> float:
        """Where the support of ``sign * X`` ends."""
        return self.distribution.support[1] if self.sign > 0 else -self.distribution.support[0]


def _log_sum(first: Floats, second: Floats) -> Floats:
    """Return the logarithm of a sum of exponentials; NaN, for rows beyond all panels, passes through."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.logaddexp(first, second))


def _log_panels(f: Distribution, sign: float, low: Floats, high: Floats) -> Floats:
    """Return the logarithms of the integrals of the density from `low` to `high`, each ``(n,)``."""
    half = (high - low) / 2
    with np.errstate(invalid="ignore", over="ignore"):
        values = f.log_density(sign * (low[:, None] + half[:, None] * (NODES + 1)))
    most = np.max(np.nan_to_num(values, nan=-np.inf, posinf=-np.inf), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.exp(values - np.where(np.isfinite(most), most, 0)[:, None]) @ WEIGHTS
        return np.asarray(np.where(np.isfinite(most), most + np.log(total * half), -np.inf))


def _far_tail(f: Distribution, sign: float) -> FarTail | None:
    """Return what replaces scipy's quantiles in a tail; None where they are right, or nothing is better."""
    inverse, log_tail = (f.isf, f.log_sf) if sign > 0 else (f.ppf, f.log_cdf)
    x = sign * inverse(ndtr(-LOOKED_AT))
    right = _right(x, sign, log_tail) & _agrees_with_density(f, sign, x, log_tail)
    if right.all():
        return None
    for last in range(int(np.argmin(right)) - 1, 1, -1):
        if not x[last] > x[last - 1]:
            continue
        edges = _edges(f, sign, x[last], x[last] - x[last - 1])
        if edges.size < 3:
            continue
        parts = np.append(_log_panels(f, sign, edges[:-1], edges[1:]), _rest(f, sign, edges))
        tails = np.logaddexp.accumulate(parts[::-1])[::-1]
        if abs(tails[0] - float(log_tail(sign * x[last]))) < 10 * TOLERANCE:
            known = tails > -np.inf
            return FarTail(f, sign, float(LOOKED_AT[last]), edges[known], tails[known])
    return None


def _rest(f: Distribution, sign: float, edges: Floats) -> float:
    """Return the logarithm of what lies beyond the last edge, where the density falls on by a power."""
    before, last = edges[_before(edges)], edges[-1]
    if np.isfinite(f.support[1] if sign > 0 else f.support[0]) or before <= 0:
        return -np.inf
    there, here = f.log_density(sign * np.array([before, last]))
    power = (there - here) / np.log(last / before) - 1
    return float(here + np.log(last / power)) if power > 0 and np.isfinite(here) else -np.inf


def _before(edges: Floats) -> int:
    """Return the number of the last edge before the outermost one's half."""
    return min(int(np.searchsorted(edges, edges[-1] / 2)), edges.size - 2)


def _right(x: Floats, sign: float, log_tail: Callable[..., Floats]) -> Mask:
    """Whether values have the tails of `LOOKED_AT`, or lie between two doubles that do not."""
    wanted = log_ndtr(-LOOKED_AT)
    inner, outer = np.nextafter(x, -np.inf), np.nextafter(x, np.inf)
    with np.errstate(invalid="ignore"):
        close = np.abs(log_tail(sign * x) - wanted) <= TOLERANCE
        between = (log_tail(sign * inner) >= wanted) & (wanted >= log_tail(sign * outer))
    return np.asarray(np.isfinite(x) & (close | between))


def _agrees_with_density(f: Distribution, sign: float, x: Floats, log_tail: Callable[..., Floats]) -> Mask:
    """Whether the log tail falls by what the density says: one minus a cdf of nearly one does not.

    Asked far out alone, over steps in which the tail falls by about a tenth, to a hundredth of that.
    """
    right = np.ones(x.size, dtype=bool)
    here = log_tail(sign * x)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        step = 0.1 * np.exp(here - f.log_density(sign * x))
        ahead = log_tail(sign * (x + step))
        fallen = here + np.log(-np.expm1(ahead - here))
        said = _log_panels(f, sign, x, x + step)
        telling = (LOOKED_AT > NEAR) & np.isfinite(said) & (step > 1e5 * np.spacing(np.abs(x)))
        right[telling] = (np.abs(fallen - said) < 0.01)[telling]
    return right


def _edges(f: Distribution, sign: float, start: float, width: float) -> Floats:
    """Return edges of panels over which the density falls alike, from `start` to where nothing is left."""
    end = f.support[1] if sign > 0 else -f.support[0]
    edges, here = [start], float(f.log_density(sign * start))
    first = here
    while len(edges) < MOST_PANELS and np.isfinite(here) and here > first + 2 * LEAST_LOG:
        x = edges[-1]
        width = min(width, 0.5 * (end - x)) if np.isfinite(end) else width
        there = float(f.log_density(sign * (x + width)))
        for _ in range(MOST_HALVINGS):
            if abs(there - here) <= 2 * FALL:
                break
            width /= 2
            there = float(f.log_density(sign * (x + width)))
        if not (np.isfinite(there) and x + width < min(end, 1e300)) or width <= 4 * np.spacing(abs(x)):
            break
        edges.append(x + width)
        width *= float(np.clip(FALL / max(abs(there - here), 1e-300), 0.5, 2.0))
        here = there
    return np.array([*edges, end]) if np.isfinite(end) else np.array(edges)
