"""The distance functions of TSPLIB: whole numbers, rounded exactly as its definition says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cem.families.base import Floats

_PI = 3.141592  # as TSPLIB has it
_EARTH = 6378.388  # radius in km


def _lengths(points: Floats) -> Floats:
    difference = points[:, None, :] - points[None, :, :]
    return np.asarray(np.sqrt((difference**2).sum(axis=2)))


def euclidean(points: Floats) -> Floats:
    """Return the distances EUC_2D of points, shape (n, 2), as (n, n): rounded to the nearest whole number."""
    return np.floor(_lengths(points) + 0.5)


def ceiled(points: Floats) -> Floats:
    """Return the distances CEIL_2D: rounded up."""
    return np.ceil(_lengths(points))


def pseudo_euclidean(points: Floats) -> Floats:
    """Return the distances ATT: a tenth of the squares, rounded to the nearest that is not less."""
    difference = points[:, None, :] - points[None, :, :]
    exact = np.sqrt((difference**2).sum(axis=2) / 10.0)
    nearest = np.floor(exact + 0.5)
    return np.asarray(np.where(nearest < exact, nearest + 1, nearest))


def geographical(points: Floats) -> Floats:
    """Return the distances GEO in km of points whose latitude and longitude are degrees.minutes."""
    degrees = np.trunc(points)
    latitude, longitude = (_PI * (degrees + 5.0 * (points - degrees) / 3.0) / 180.0).T
    q1 = np.cos(longitude[:, None] - longitude)
    q2 = np.cos(latitude[:, None] - latitude)
    q3 = np.cos(latitude[:, None] + latitude)
    cosine = 0.5 * ((1.0 + q1) * q2 - (1.0 - q1) * q3)
    distances = np.trunc(_EARTH * np.arccos(cosine.clip(-1.0, 1.0)) + 1.0)
    np.fill_diagonal(distances, 0.0)
    return np.asarray(distances)


FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "EUC_2D": euclidean,
    "CEIL_2D": ceiled,
    "ATT": pseudo_euclidean,
    "GEO": geographical,
}
