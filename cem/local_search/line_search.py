"""A search along a projected path, by parabolas through value, slope and trial."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request
from cem.families.base import Floats
from cem.local_search.requests import value_at

_SUFFICIENT = 1e-4  # Armijo: share of the promised decrease that a step must bring
_EXACT_ENOUGH = (0.8, 1.3)  # a step is kept where the parabola's minimum lies within these shares of it
_FARTHER = 5.0  # at most, from one trial to the next
_TRIALS = 12  # a bracket of 5 to the 12th to either side


class Found(NamedTuple):
    """The best point of a search, its value, the evaluations taken, and the curvature seen on the way."""

    x: Floats
    value: float
    evaluations: int
    curvature: float


def search(
    domain: Domain, x: Floats, fx: float, step: Floats, slope: float, noise: float
) -> Generator[Request, Batch, Found]:
    """Search ``x + t * step``, projected onto the box, from t = 1.

    Parameters
    ----------
    domain : Domain
    x, fx : ndarray of shape (d,), float
        The point and its value.
    step : ndarray, shape (d,)
    slope : float
        Of the value in t, negative.
    noise : float
        A promise below it is not pursued.
    """
    t, best_t, best_x, best = 1.0, 0.0, x, fx
    curvature, count = np.nan, 0
    with np.errstate(all="ignore"):
        length = float(step @ step)
    while count < _TRIALS:
        trial = domain.project(x + t * step)
        if np.array_equal(trial, x) or np.array_equal(trial, best_x):
            break
        value = yield from value_at(trial)
        count += 1
        bend = 2 * (value - fx - slope * t) / t**2
        optimum = -slope / bend if bend > 0 else np.inf
        if np.isfinite(bend) and length > 0:
            curvature = bend / length
        if value < best:
            improved_before = best_t > 0
            best_t, best_x, best = t, trial, value
            if value > fx + _SUFFICIENT * slope * t:
                t = _within(optimum, 0.1 * t, 0.5 * t)
                continue
            if _EXACT_ENOUGH[0] * t <= optimum <= _EXACT_ENOUGH[1] * t:
                break
            if improved_before and optimum < t:
                break
            t = _within(optimum, 0.1 * t, _FARTHER * t)
        elif best_t > 0 or (count >= 2 and -slope * t < noise):
            break
        else:
            t = _within(optimum, 0.05 * t, 0.5 * t)
    return Found(best_x, best, count, curvature)


def _within(t: float, low: float, high: float) -> float:
    return min(max(t, low), high)
