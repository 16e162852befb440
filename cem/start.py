"""From what a user gives as start and bounds to a first distribution and a domain."""

from __future__ import annotations

from typing import Any

import numpy as np

from cem.domain import Domain
from cem.families.base import Family, dimension
from cem.families.gaussian import Gaussian

BOX_STD = 0.3  # of the span of a variable
POINT_STD = 0.2
OPEN_STD = 0.3  # of 1 + |x0|, where a side is open
PROBE_ROWS = 1000


def resolve_start(start: Any, bounds: Any) -> tuple[Family, Domain | None]:
    """Give the first distribution and the domain.

    Parameters
    ----------
    start : Family, array_like of shape (d,), or None
        A point becomes a Gaussian about it with a std of 0.2 spans (0.3 (1 + |x0|) where a side is open);
        None becomes the box's Gaussian, with a std of 0.3 spans about the centre.
    bounds : sequence of (low, high), scipy.optimize.Bounds, or None

    Raises
    ------
    ValueError
        If neither is given, they contradict each other, or open sides come without a start.
    TypeError
        If `start` is none of these.
    """
    domain = None if bounds is None else Domain.from_bounds(bounds)
    if isinstance(start, type):
        raise TypeError(f"start must be a distribution, not the class {start.__name__}; call it first.")
    if isinstance(start, Family):
        if domain is not None:
            _check_agreement(start, domain)
        return start, domain
    if start is None:
        if domain is None:
            raise ValueError("say where to search: give bounds=, or a start (a family or a point).")
        return _box_gaussian(domain), domain
    point = _point(start)
    if domain is None:
        return Gaussian(point, std=OPEN_STD * (1 + np.abs(point))), None
    if point.size != domain.dimension:
        raise ValueError(f"the start has {point.size} variables, the bounds {domain.dimension}.")
    if domain.outside(point[None])[0]:
        raise ValueError(f"the start {point} lies outside the bounds.")
    return Gaussian(point, std=_point_std(point, domain)), domain


def _box_gaussian(domain: Domain) -> Gaussian:
    if not domain.bounded:
        j = int(np.argmin(np.isfinite(domain.low) & np.isfinite(domain.high)))
        raise ValueError(
            f"variable {j} has an infinite bound, so the bounds alone do not say where to start; "
            "give a start as well: a point, or e.g. cem.Gaussian(mean, std=…)."
        )
    span = domain.high - domain.low
    return Gaussian(domain.low + span / 2, std=np.where(span > 0, BOX_STD * span, 1.0))


def _point(start: Any) -> Any:
    if hasattr(start, "lb") or np.ndim(start) == 2:
        raise ValueError("the second argument is a start, but this looks like bounds; write bounds=….")
    try:
        point = np.atleast_1d(np.asarray(start, dtype=np.float64))
    except (TypeError, ValueError):
        raise TypeError(
            "start must be a family (sample, log_prob, fit, blend, entropy), a point of numbers, or None; "
            f"got {type(start).__name__}."
        ) from None
    if point.ndim != 1 or point.size == 0 or not np.all(np.isfinite(point)):
        raise ValueError(f"a start point must be a non-empty vector of finite numbers, got {start!r}.")
    return point


def _point_std(point: Any, domain: Domain) -> Any:
    span = domain.high - domain.low
    std = np.where(np.isfinite(span), POINT_STD * span, OPEN_STD * (1 + np.abs(point)))
    return np.where(std > 0, std, 1.0)


def _check_agreement(start: Family, domain: Domain) -> None:
    name = type(start).__name__
    d = dimension(start)
    if d != domain.dimension:
        raise ValueError(f"the start ({name}) has {d} variables, the bounds {domain.dimension}.")
    x = np.asarray(start.sample(min(PROBE_ROWS, max(1, 2**20 // d)), np.random.default_rng(0)))
    if x.dtype.kind in "iub":
        raise ValueError(
            f"candidates of {name} are discrete and lie in their own set; leave bounds out, or give a "
            "continuous start."
        )
    mean = getattr(start, "mean", None)
    misplaced = mean is not None and not callable(mean) and bool(domain.outside(np.atleast_2d(mean))[0])
    free = ~domain.fixed
    never = np.any(np.all((x < domain.low) | (x > domain.high), axis=0) & free)
    if misplaced or never:
        raise ValueError(f"the start ({name}) and the bounds contradict each other: it lies outside them.")
