"""Minimise a separable objective coordinate by coordinate, all coordinates at once.

Each round asks every coordinate's own search for one point (a batch of d rows that differ from the base
in one coordinate), then tries the union of the best coordinates. A separable objective keeps what the
union promises; where it doesn't, the stage ends.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request, Step
from cem.families.base import Floats, Index
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.requests import value_at, values_by_blocks
from cem.local_search.univariate import Track, search


@dataclass(frozen=True, eq=False)
class CoordinateResult:
    """Where a coordinate search ended; `separable` is False where a union broke its promise."""

    x: Floats
    value: float
    separable: bool
    evaluations: int


def coordinate_search(
    domain: Domain, span: Floats, x: Floats, fx: float, budget: int, noise: NoiseLevel
) -> Generator[Request, Batch, CoordinateResult]:
    """Minimise from `x`, in rounds of at most d + 1 evaluations.

    Parameters
    ----------
    domain : Domain
    span : ndarray, shape (d,)
        How far to look, to either side of `x`, where a side is open.
    x, fx : ndarray of shape (d,), float
        Start and its value.
    budget : int
        Evaluations beyond which no round begins.
    noise : NoiseLevel
    """
    low, high = interval(domain, span, x)
    best, best_value, spent = x, fx, 0
    tracks = [Track.at(float(start), fx) for start in x]
    searches = [
        search(track, float(left), float(right), noise.at(fx) / 10)
        for track, left, right in zip(tracks, low, high, strict=True)
    ]
    wanted = {i: next(searches[i]) for i in np.flatnonzero(low < high).tolist()}
    while wanted and spent + len(wanted) + 1 <= budget:
        order = list(wanted)
        for i, value in zip(order, (yield from _beside(x, wanted)).tolist(), strict=True):
            try:
                wanted[i] = searches[i].send(value)
            except StopIteration:
                del wanted[i]
        spent += len(order)
        union = np.array([track.best for track in tracks])
        if not np.array_equal(union, best):
            promised = fx + sum(track.values[track.best] - fx for track in tracks)
            value = yield from value_at(union)
            spent += 1
            if value < best_value:
                best, best_value = union, value
            if not keeps_promise(value, promised, fx, noise):
                return CoordinateResult(best, best_value, False, spent)
        yield Step(None, "coordinate search")
    return CoordinateResult(best, best_value, True, spent)


def interval(domain: Domain, span: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Return the ends of what is searched in each coordinate: the box, or the span where a side is open."""
    low = np.where(np.isfinite(domain.low), domain.low, x - span)
    return low, np.where(np.isfinite(domain.high), domain.high, x + span)


def keeps_promise(value: float, promised: float, fx: float, noise: NoiseLevel) -> bool:
    """Whether a union is worth what its coordinates promised, as it is where the objective is separable."""
    return abs(value - promised) <= 1e-3 * abs(promised - fx) + 1e3 * noise.at(max(abs(value), abs(fx)))


def beside(x: Floats, places: Index, points: Floats) -> Floats:
    """Return copies of `x` with one coordinate replaced in each."""
    rows = np.repeat(x[None], places.size, axis=0)
    rows[np.arange(len(rows)), places] = points
    return rows


def _beside(x: Floats, wanted: dict[int, float]) -> Generator[Request, Batch, Floats]:
    """Evaluate copies of `x` with one coordinate replaced in each."""
    places, points = np.array(list(wanted)), np.array(list(wanted.values()))
    return (
        yield from values_by_blocks(lambda part: beside(x, places[part], points[part]), places.size, x.size)
    )
