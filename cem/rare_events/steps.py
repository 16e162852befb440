"""Quantile functions of discrete distributions: exact steps at thresholds of a normal variate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from cem.families.base import Floats
from cem.rare_events.distributions import Distribution

FIRST_WINDOW, LAST_WINDOW = 2**8, 2**16  # values to each side of the median that are tabled
RATIO = 1.003  # of the offsets beyond, between which the logarithms of masses are interpolated
FALL = 0.03  # of these: tails are then right to some 1e-6
MOST_NODES = 2**19
LARGEST = 1e300
LEAST_LOG = -708.0  # of the smallest normal double


@dataclass(frozen=True, eq=False)
class Side:
    """What lies beyond the table on one side of the median: the tail's logarithm at offsets from it."""

    offset: float
    log_tail: Callable[[Floats], Floats]

    def solve(self, log_tail: Floats) -> Floats:
        """Return the first whole offsets beyond which no more than these tails lie, shape ``(n,)``."""
        low = np.full(log_tail.shape, self.offset - 1)
        high = low + 1
        while (open_ := (self.log_tail(high) > log_tail) & (high < LARGEST)).any():
            low = np.where(open_, high, low)
            high = np.where(open_, 2 * high, high)
        while (wide := high - low > np.maximum(1.0, np.spacing(high))).any():
            middle = np.where(wide, np.floor(low + (high - low) / 2), high)
            more = self.log_tail(middle) > log_tail
            low, high = np.where(wide & more, middle, low), np.where(wide & ~more, middle, high)
        return high


@dataclass(frozen=True, eq=False)
class DiscreteQuantiles:
    """The quantiles of a discrete distribution at normal variates.

    Raises
    ------
    ValueError
        If its masses do not sum to one.
    """

    distribution: Distribution

    def __call__(self, u: Floats) -> Floats:
        """Map standard normals, of any shape, to values of the same shape."""
        values, thresholds, centre, above, below = self.table
        x = values[np.searchsorted(thresholds, u, side="left")]
        if above is not None and (far := u > thresholds[-1]).any():
            x[far] = centre + above.solve(log_ndtr(-u[far]))
        if below is not None and (far := u <= thresholds[0]).any():
            x[far] = centre - below.solve(log_ndtr(u[far]))
        return x

    def to_normal(self, x: Floats) -> Floats:
        """Map values ``(n,)`` to normals in the middle, by probability, of what is mapped to them.

        Values that are none of the distribution's go to NaN.
        """
        low, high = self.ends(x)
        with np.errstate(invalid="ignore"):
            below = np.logaddexp(log_ndtr(low), log_ndtr(high)) - np.log(2)
            above = np.logaddexp(log_ndtr(-low), log_ndtr(-high)) - np.log(2)
        u = np.where(below < above, ndtri_exp(np.minimum(below, 0)), -ndtri_exp(np.minimum(above, 0)))
        return np.where(np.isnan(low), np.nan, u)

    def ends(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the ends of the intervals of normals that go to values ``(n,)``; NaN where none do."""
        values, thresholds, centre, above, below = self.table
        edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
        i = np.clip(np.searchsorted(values, x), 0, values.size - 1)
        known = values[i] == x
        low, high = np.where(known, edges[i], np.nan), np.where(known, edges[i + 1], np.nan)
        whole = x == np.round(x)
        if above is not None and (far := (x >= values[-1]) & whole).any():
            o = x[far] - centre
            low[far] = np.where(o > above.offset, -ndtri_exp(above.log_tail(o - 1)), low[far])
            high[far] = -ndtri_exp(above.log_tail(o))
        if below is not None and (far := (x <= values[0]) & whole).any():
            o = centre - x[far]
            high[far] = np.where(o > below.offset, ndtri_exp(below.log_tail(o - 1)), high[far])
            low[far] = ndtri_exp(below.log_tail(o))
        return low, high

    @cached_property
    def table(self) -> tuple[Floats, Floats, float, Side | None, Side | None]:
        """Values (m,), the thresholds (m - 1,) between them, the median, and what lies beyond."""
        f = self.distribution
        listed = f.points
        if listed is not None:
            values, p = listed
            return values, thresholds_of(p, 0.0, 0.0), float(values[0]), None, None
        low, high = f.support
        centre = float(f.ppf(0.5))
        if not np.isfinite(centre):
            raise ValueError(f"the quantile function of the marginal {f.name} fails at one half.")
        ends = [
            _window(f, centre, sign, min(abs(end - centre), LARGEST)) for sign, end in ((-1, low), (1, high))
        ]
        values = centre + np.arange(-ends[0][0], ends[1][0] + 1, dtype=np.float64)
        p = np.exp(f.log_density(values))
        below, above = (
            None if done else _beyond(f, centre, sign, float(count), abs(end - centre))
            for sign, end, (count, done) in zip((-1, 1), (low, high), ends, strict=True)
        )
        lower, upper = (
            0.0 if side is None else float(np.exp(side.log_tail(np.array([side.offset]))[0]))
            for side in (below, above)
        )
        total = lower + float(p.sum()) + upper
        if not abs(total - 1) < 1e-5:
            raise ValueError(f"the masses of the marginal {f.name} sum to {total:.9g}, not to one.")
        return values, thresholds_of(p, lower, upper), centre, above, below


def thresholds_of(p: Floats, lower: float, upper: float) -> Floats:
    """Return the normal quantiles between values of the masses `p`, ``(m,)``, shape ``(m - 1,)``.

    `lower` and `upper` are the masses beyond all values. Each threshold comes from the smaller tail.
    """
    below = lower + np.cumsum(p)[:-1]
    above = upper + np.cumsum(p[::-1])[::-1][1:]
    with np.errstate(divide="ignore"):
        small = np.log(np.minimum(np.minimum(below, above), 0.5))
    z = np.where(below <= above, 1.0, -1.0) * ndtri_exp(small)
    return np.asarray(np.maximum.accumulate(z))


def _window(f: Distribution, centre: float, sign: int, room: float) -> tuple[int, bool]:
    """Return how many values on one side of the centre hold all mass, or are the most to table; and which."""
    count = FIRST_WINDOW
    while count < room:
        if not float(f.log_density(centre + sign * count)) > LEAST_LOG:
            return count, True
        if count >= LAST_WINDOW:
            return count, False
        count *= 4
    return int(room), True


def _beyond(f: Distribution, centre: float, sign: int, offset: float, room: float) -> Side:
    """Return the tail beyond the table, by sums of masses whose logarithms are interpolated."""
    nodes, masses = _refined(f, centre, sign, _graded(offset, room))
    counts, falls = np.diff(nodes), np.diff(masses)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rate = falls / counts
        each = np.where(falls == 0, np.log(counts), np.log(np.expm1(falls) / np.expm1(rate)))
    blocks = masses[:-1] + rate + each
    logs = np.log(nodes)
    half = int(np.searchsorted(logs, logs[-1] - np.log(2)))
    power = (masses[half] - masses[-1]) / (logs[-1] - logs[half]) - 1
    rest = masses[-1] + logs[-1] - np.log(power) if nodes[-1] < room and power > 0 else -np.inf
    tails = np.logaddexp.accumulate(np.append(blocks, rest)[::-1])[::-1]

    def summed(o: Floats) -> Floats:
        known = np.interp(np.log(o), logs[tails > -np.inf], tails[tails > -np.inf])
        further = rest - power * (np.log(o) - logs[-1]) if rest > -np.inf else np.full(o.shape, -np.inf)
        return np.where(o < nodes[-1], known, further)

    return Side(offset, summed)


def _graded(offset: float, room: float) -> Floats:
    """Return whole offsets between the table's and the last, close together next to both."""
    outwards = np.append(offset, np.exp(np.arange(np.log(offset), np.log(min(room, LARGEST)), np.log(RATIO))))
    inwards = np.empty(0)
    if room < LARGEST:
        inwards = room - np.append(np.exp(np.arange(0.0, np.log(room - offset), np.log(RATIO))), 0.0)
    return np.unique(np.maximum(np.floor(np.concatenate([outwards, inwards])), offset))


def _refined(f: Distribution, centre: float, sign: int, nodes: Floats) -> tuple[Floats, Floats]:
    """Halve gaps between offsets until the log mass falls little over each; return both."""
    masses = f.log_density(centre + sign * nodes)
    for _ in range(60):
        last = int(np.argmin(masses > LEAST_LOG)) or nodes.size
        nodes, masses = nodes[: last + 1], np.maximum(masses[: last + 1], 2 * LEAST_LOG)
        gaps = np.diff(nodes)
        steep = (np.abs(np.diff(masses)) > FALL) & (gaps >= 2) & (gaps > 1e-6 * nodes[1:])
        if not steep.any() or nodes.size > MOST_NODES:
            break
        between = np.floor((nodes[:-1] + nodes[1:])[steep] / 2)
        nodes = np.concatenate([nodes, between])
        masses = np.concatenate([masses, f.log_density(centre + sign * between)])
        order = np.argsort(nodes, kind="stable")
        nodes, masses = nodes[order], masses[order]
    return nodes[masses > LEAST_LOG], masses[masses > LEAST_LOG]
