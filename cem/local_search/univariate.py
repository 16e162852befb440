"""Global minimisation of one variable on an interval, a value at a time.

A search is a generator: it yields where to look and is sent the value found there. First it tries
parabolas and watches whether the curvature stays the same as the scale shrinks: so it does for a
single well, and does not where many wells lie side by side. Then golden-ratio points and STEP ("select
the easiest point": Langerman, Seront & Bersini 1994) look at the whole interval.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

Univariate = Generator[float, float, None]
SIZES = (28, 40, 60, 80, 120)  # numbers of points to which an interval is filled
_GOLDEN = (np.sqrt(5) - 1) / 2  # steps that fill the interval evenly, however many
SAME_CURVATURE = (0.6, 1.7)  # of the coarsest: less than halved or doubled
_SAME_SLOPE = (0.4, 1.05)  # of a convex function towards its least end


@dataclass
class Track:
    """Points of one search in order, with the best of them."""

    points: list[float] = field(default_factory=list)
    values: dict[float, float] = field(default_factory=dict)

    @classmethod
    def at(cls, t: float, value: float) -> Self:
        """Begin with one point."""
        return cls([t], {t: value})

    @property
    def best(self) -> float:
        """Where the least value was seen."""
        return min(self.points, key=self.values.__getitem__)

    def add(self, t: float, value: float) -> None:
        """Note a value."""
        if t not in self.values:
            insort(self.points, t)
        self.values[t] = value

    def bracket(self) -> tuple[float, float, float]:
        """Return the best point between its neighbours (itself, at an end)."""
        best = self.best
        i = bisect_left(self.points, best)
        return self.points[max(i - 1, 0)], best, self.points[min(i + 1, len(self.points) - 1)]


def search(track: Track, low: float, high: float, noise: float, sizes: Sequence[int] = SIZES) -> Univariate:
    """Minimise on [low, high]; `track` holds the start and collects all points.

    Parameters
    ----------
    track : Track
        With at least one point.
    low, high : float
        Finite ends.
    noise : float
        Differences of values below it mean nothing.
    sizes : sequence of int
        Numbers of points to which the interval is filled, each followed by a refinement of the best.
    """
    for end in (low, high):
        if end not in track.values:
            track.add(end, (yield end))
    one_well = yield from refine(track, low, high, noise, watch=True)
    if one_well:
        return
    wanted = 8
    offset = 0.5
    while wanted:
        offset = (offset + _GOLDEN) % 1.0
        t = low + offset * (high - low)
        track.add(t, (yield t))
        wanted -= 1
    turn = 0
    for size in sizes:
        while len(track.points) < size:
            turn += 1
            promising = most_promising(track, noise) if turn % 3 else None
            t = easiest(track) if promising is None else promising
            if t in track.values:
                break
            track.add(t, (yield t))
        yield from refine(track, low, high, noise)


def easiest(track: Track) -> float:
    """Return the midpoint of the interval whose parabola down to below the best is the flattest."""
    t = np.array(track.points)
    f = np.array([track.values[p] for p in track.points])
    finite = f[np.isfinite(f)]
    top = float(finite.max()) if finite.size else 1.0
    f = np.where(np.isfinite(f), f, top)
    aim = f.min() - 1e-2 * (float(np.median(f)) - f.min()) - 1e-300
    root = np.sqrt(f - aim)
    difficulty = (root[:-1] + root[1:]) / np.diff(t)
    i = int(np.argmin(difficulty))
    return float((t[i] + t[i + 1]) / 2)


def most_promising(track: Track, noise: float) -> float | None:
    """Return the vertex of the well that promises to reach below the best, if one does.

    A well is a point below both its neighbours. What it promises is its parabola's depth, and a quarter of
    its flanks' height for what three points don't show.
    """
    t = np.array(track.points)
    f = np.array([track.values[p] for p in track.points])
    a, m, b = t[:-2], t[1:-1], t[2:]
    fa, fm, fb = f[:-2], f[1:-1], f[2:]
    with np.errstate(all="ignore"):
        left, right = (fm - fa) / (m - a), (fb - fm) / (b - m)
        curvature = 2 * (right - left) / (b - a)
        slope = (left * (b - m) + right * (m - a)) / (b - a)
        vertex = m - slope / curvature
        hope = 0.5 * slope**2 / curvature + 0.25 * np.minimum(fa - fm, fb - fm)
    least = 0.02 * (b - a)
    near = np.abs(vertex - m) < least
    vertex = np.where(near, m + np.where(b - m >= m - a, least, -least), vertex)
    unsettled = (fm <= fa) & (fm <= fb) & (hope > noise) & (hope > 0.02 * (fm - f.min() + hope))
    reach = np.where(unsettled, fm - hope, np.inf)
    best = int(np.argmin(reach))
    return float(vertex[best]) if reach[best] < f.min() else None


def refine(
    track: Track, low: float, high: float, noise: float, watch: bool = False, limit: int = 60
) -> Generator[float, float, bool]:
    """Close in on the best point by parabolas.

    Returns
    -------
    bool
        With `watch`: whether the curvature stayed the same from the whole interval down to a
        hundredth of it.
    """
    scale = high - low
    coarse, steep = None, None
    for _ in range(limit):
        a, m, b = track.bracket()
        fa, fm, fb = track.values[a], track.values[m], track.values[b]
        width = b - a
        if width <= 1e-13 * max(abs(m), scale * 1e-3) or max(fa, fb) - fm <= 2 * noise:
            return True
        if a == m or b == m:
            # The best is an end: look just inside, closer each time.
            inner = b if a == m else a
            t = m + 0.1 * (inner - m)
            slope = (track.values[inner] - fm) / abs(inner - m)
            if watch:
                if steep is not None and not _SAME_SLOPE[0] * steep <= slope <= _SAME_SLOPE[1] * steep:
                    return False
                steep = slope
            if abs(inner - m) < (0.02 if watch else 1e-9) * scale:
                return True
            track.add(t, (yield t))
            continue
        curvature = curvature_of(a, fa, m, fm, b, fb)
        if not np.isfinite(curvature) or curvature <= 0:
            t = (a + m) / 2 if m - a > b - m else (m + b) / 2
        else:
            if watch and width > 1e-3 * scale:
                if coarse is not None and not (
                    SAME_CURVATURE[0] * coarse <= curvature <= SAME_CURVATURE[1] * coarse
                ):
                    return False
                coarse = curvature if coarse is None else coarse
            slope = (fb - fa) / (b - a) - 0.5 * curvature * (b + a - 2 * m)
            t = m - slope / curvature
            if (
                0.5 * curvature * (t - m) ** 2 <= noise
                and 0.5 * curvature * min(m - a, b - m) ** 2 <= 10 * noise
            ):
                return True
            # Keep the longer side shrinking: a trial on top of m, or of an end, teaches nothing.
            long_side = max(m - a, b - m)
            least = 0.1 * long_side if long_side > 4 * abs(t - m) else 0.05 * abs(t - m)
            if abs(t - m) < least:
                t = m + least if b - m >= m - a else m - least
            t = min(max(t, a + 0.05 * (m - a)), b - 0.05 * (b - m))
        if t in track.values:
            return True
        track.add(t, (yield t))
    return True


def curvature_of(a: float, fa: float, m: float, fm: float, b: float, fb: float) -> float:
    """Second derivative of the parabola through three points."""
    return 2 * ((fb - fm) / (b - m) - (fm - fa) / (m - a)) / (b - a)
