"""Global minimisation of one variable on an interval, several values at a time.

The counterpart of `cem.local_search.univariate` where many rows may be evaluated at once: an even grid tells
whether there is a single well. Then every round closes in on the best point, by its parabola and by points
to both sides of that, and looks where a parabola promises most or STEP finds it easiest to reach below the
best; of points that are asked for together, each is chosen as if those before it were as predicted.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from cem.local_search.univariate import (
    SAME_CURVATURE,
    SIZES,
    Track,
    curvature_of,
    easiest,
    most_promising,
)

_ASIDE = (0.1, -0.1, 0.01, -0.01, 1e-3, -1e-3)  # of the room about the vertex of a parabola
_INWARDS = (0.1, 0.3, 0.01, 1e-3)  # of the way from an end that is the best point to the next one
_LEAST_GRID = 5  # points that show whether the curvature is the same everywhere


class Wanted(NamedTuple):
    """Points to evaluate, the likeliest first, and whether nothing but the best well is left to search."""

    points: list[float]
    closing: bool


def search_rounds(
    track: Track, low: float, high: float, noise: float, width: int
) -> Generator[Wanted, list[float], None]:
    """Minimise on [low, high] by at most `width` points at a time, five at first.

    Parameters
    ----------
    track : Track
        With at least one point; it collects all points.
    low, high : float
        Finite ends.
    noise : float
        Differences of values below it mean nothing.
    width : int
        Two or more.
    """
    grid = np.linspace(low, high, max(_LEAST_GRID, width)).tolist()
    points = [t for t in grid if t not in track.values]
    _note(track, points, (yield Wanted(points, False)))
    most = 0 if _one_well(track) else SIZES[-1]
    while len(track.points) < most:
        points = closer(track, noise)[: (width + 1) // 2]
        points += _elsewhere(track, points, noise, width - len(points))
        if not points:
            break
        _note(track, points, (yield Wanted(points, False)))
    while points := closer(track, noise)[:width]:
        _note(track, points, (yield Wanted(points, True)))


def closer(track: Track, noise: float) -> list[float]:
    """Return points that close in on the best one, the most important first; none where it is settled."""
    a, m, b = track.bracket()
    fa, fm, fb = (track.values[t] for t in (a, m, b))
    least = 1e-13 * max(abs(m), 1e-3 * (track.points[-1] - track.points[0]))
    if b - a <= least or max(fa, fb) - fm <= 2 * noise:
        return []
    if a == m or b == m:
        inner = b if a == m else a
        points = [m + share * (inner - m) for share in _INWARDS]
    else:
        curvature = curvature_of(a, fa, m, fm, b, fb)
        t = (a + m) / 2 if m - a > b - m else (m + b) / 2
        if np.isfinite(curvature) and curvature > 0:
            t = m - ((fb - fa) / (b - a) - 0.5 * curvature * (b + a - 2 * m)) / curvature
            if 0.5 * curvature * max((t - m) ** 2, 0.1 * min(m - a, b - m) ** 2) <= noise:
                return []
        room = min(t - a, b - t)
        points = [t, *(t + share * room for share in _ASIDE)]
    return [t for t in points if a < t < b and t not in track.values]


def _elsewhere(track: Track, taken: list[float], noise: float, count: int) -> list[float]:
    """Choose further points as if all before them were as predicted."""
    known = Track(list(track.points), dict(track.values))
    _note(known, taken, [_predicted(known, t) for t in taken])
    points: list[float] = []
    for turn in range(count):
        promising = most_promising(known, noise) if turn % 3 else None
        t = easiest(known) if promising is None else promising
        if t in known.values:
            break
        points.append(t)
        _note(known, [t], [_predicted(known, t)])
    return points


def _predicted(track: Track, t: float) -> float:
    """Interpolate between the neighbours of `t`; values that are not finite count as the largest that is."""
    f = np.array([track.values[p] for p in track.points])
    return float(np.interp(t, track.points, np.minimum(f, f[np.isfinite(f)].max(initial=-np.inf))))


def _note(track: Track, points: list[float], values: list[float]) -> None:
    for t, value in zip(points, values, strict=True):
        track.add(t, value)


def _one_well(track: Track) -> bool:
    """Whether the curvature is the same, to a factor of about two, all over the interval."""
    t = track.points
    f = [track.values[p] for p in t]
    triples = zip(t, f, t[1:], f[1:], t[2:], f[2:], strict=False)
    bends = np.array([curvature_of(*each) for each in triples])
    if not np.all(np.isfinite(bends)):
        return False
    middle = float(np.median(bends))
    low, high = SAME_CURVATURE
    return middle > 0 and bool(np.all((bends >= low * middle) & (bends <= high * middle)))
