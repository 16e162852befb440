"""Intervals for a probability: from hits that count the same, and from weighted ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtri

from cem.core.budget import real_number


class ConfidenceInterval(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


def check_confidence(level: object) -> float:
    """Check a confidence level.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it lies outside (0, 1).
    """
    if not 0 < (checked := real_number("confidence_level", level)) < 1:
        raise ValueError(f"a confidence level lies in (0, 1), such as 0.95, got {level!r}.")
    return checked


def clopper_pearson(hits: int, draws: int, alpha: float) -> ConfidenceInterval:
    """Return Clopper and Pearson's (1934) interval for a binomial proportion."""
    low = 0.0 if hits == 0 else float(betaincinv(hits, draws - hits + 1, alpha / 2))
    high = 1.0 if hits == draws else float(betaincinv(hits + 1, draws - hits, 1 - alpha / 2))
    return ConfidenceInterval(low, high)


def hall(
    p: float, error: float, skewness: float, draws: int, alpha: float, least_error: float
) -> ConfidenceInterval:
    """Return Hall's (1992) interval for a mean of weights, with the least error added in quadrature."""
    z = -float(ndtri(alpha / 2))
    floor = z * least_error * p
    down = error * max(unskewed(z, skewness, draws), 0.0)
    up = error * max(-unskewed(-z, skewness, draws), 0.0)
    return ConfidenceInterval(p - float(np.hypot(down, floor)), p + float(np.hypot(up, floor)))


def unskewed(z: float, skewness: float, n: int) -> float:
    """Return the studentised quantile that Hall's transformation of a skewed mean of `n` takes to `z`."""
    c = skewness / (3 * np.sqrt(max(n, 1)))
    if abs(c) < 1e-8:
        return z
    return float((np.cbrt(1 + 3 * c * (z - c / 2)) - 1) / c)
