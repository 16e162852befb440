"""Who teaches: elites and levels, as pure functions of scores that are to be maximised."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def elite_count(n: int, fraction: float) -> int:
    """Return ``max(1, ceil(fraction * n))``, guarded against the rounding of the product."""
    return max(1, math.ceil(fraction * n - 1e-9 * max(1.0, fraction * n)))


def best_rows(scores: Scores, k: int) -> NDArray[np.intp]:
    """Return the indices of exactly `k` best scores in order of arrival; ties go to who came first.

    NaN ranks last.
    """
    ranked = np.fmax(scores, -np.inf)  # NaN becomes -inf
    n = ranked.size
    if k >= n:
        return np.arange(n)
    threshold = np.partition(ranked, n - k)[n - k]
    rows: NDArray[np.intp] = (ranked >= threshold).nonzero()[0]
    if rows.size == k:
        return rows
    chosen = ranked > threshold
    ties = np.flatnonzero(ranked == threshold)
    chosen[ties[: k - int(chosen.sum())]] = True
    return np.flatnonzero(chosen)


def elite_rows(scores: Scores, fraction: float) -> NDArray[np.intp]:
    """Return the indices of the elites: the best `fraction` of the scores, less those that are not numbers.

    Scores of NaN or -inf never teach; where nothing else is there, no row is an elite.
    """
    rows = best_rows(scores, elite_count(scores.size, fraction))
    teaches = scores[rows] > -np.inf
    return rows if teaches.all() else rows[teaches]


def elite_level(scores: Scores, fraction: float) -> float:
    """Return the level γ: the score of the worst elite, ``max(1, ceil(fraction * n))``-th from the top."""
    ranked = np.fmax(scores, -np.inf)  # NaN becomes -inf
    n = ranked.size
    k = elite_count(n, fraction)
    return float(np.partition(ranked, n - k)[n - k])
