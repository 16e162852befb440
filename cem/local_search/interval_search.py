"""Minimise a separable objective coordinate by coordinate where many rows may be evaluated at once.

Each coordinate's search asks for as many points as there is room for. The union of the best coordinates is
evaluated beside the next points, and not before them; a coordinate that only closes in on its minimum takes
part in it with the point that it is about to try.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request, Step
from cem.families.base import Floats
from cem.local_search.coordinate_search import CoordinateResult, beside, interval, keeps_promise
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.requests import values_at
from cem.local_search.univariate import Track
from cem.local_search.univariate_rounds import Wanted, search_rounds


def interval_search(
    domain: Domain, span: Floats, x: Floats, fx: float, budget: int, noise: NoiseLevel, at_once: int
) -> Generator[Request, Batch, CoordinateResult]:
    """Minimise from `x`, in rounds of at most `at_once` evaluations where that is room for two points each.

    Parameters
    ----------
    domain, span, x, fx, budget, noise
        As for `cem.local_search.coordinate_search.coordinate_search`.
    at_once : int
    """
    low, high = interval(domain, span, x)
    moving = np.flatnonzero(low < high).tolist()
    width, least = max(2, (at_once - 1) // max(1, len(moving))), noise.at(fx) / 10
    tracks = [Track.at(float(start), fx) for start in x]
    searches = {i: search_rounds(tracks[i], float(low[i]), float(high[i]), least, width) for i in moving}
    wanted = {i: next(each) for i, each in searches.items()}
    best, best_value, spent, last = x, fx, 0, False
    while not last:
        last = not wanted
        union = np.array([track.best for track in tracks])
        for i, each in wanted.items():
            union[i] = each.points[0] if each.closing else union[i]
        rows = _beside(x, wanted)
        if spent + len(rows) + 1 > budget:
            break
        values = yield from values_at(np.concatenate([union[None], rows]))
        spent += values.size
        value, *found = values.tolist()
        if value < best_value:
            best, best_value = union, value
        wanted = _told(searches, wanted, found)
        promised = fx + sum(track.values[t] - fx for track, t in zip(tracks, union.tolist(), strict=True))
        if not keeps_promise(value, promised, fx, noise):
            return CoordinateResult(best, best_value, False, spent)
        yield Step(None, "coordinate search")
    return CoordinateResult(best, best_value, True, spent)


def _beside(x: Floats, wanted: dict[int, Wanted]) -> Floats:
    """Return a copy of `x` for each point that is wanted."""
    places = np.array([i for i, each in wanted.items() for _ in each.points], dtype=np.intp)
    return beside(x, places, np.array([t for each in wanted.values() for t in each.points]))


def _told(
    searches: dict[int, Generator[Wanted, list[float], None]], wanted: dict[int, Wanted], found: list[float]
) -> dict[int, Wanted]:
    """Tell each search what was found at its points; return what those that go on want next."""
    after = {}
    for i, each in wanted.items():
        values, found = found[: len(each.points)], found[len(each.points) :]
        try:
            after[i] = searches[i].send(values)
        except StopIteration:
            continue
    return after
