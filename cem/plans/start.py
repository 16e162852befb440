"""From what a user gives to what a run begins with: a distribution, a domain, an update, a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from cem.core.budget import positive_count, real_number
from cem.core.domain import Domain
from cem.core.loop import Update
from cem.core.selection import elite_count
from cem.families.base import Array, Family, dimension, is_family, minimum_rows
from cem.families.gaussian import Gaussian
from cem.updates import SmoothedFit

MOST_NUMBERS = 2**30  # of a population: 8 GiB
BOX_STD = 0.3  # of the span of a variable
POINT_STD = 0.2  # of the span: a point says more than the middle of a box
OPEN_STD = 0.3  # of 1 + |x0|, where a side is open
LEAST_SPAN, MOST_SPAN = 1e-140, 1e140  # of a box: Gaussians keep spreads within 1e-150 and 1e150
LEAST_ITERATIONS = 15  # that a budget buys, where an update learns from so few candidates
PROBE_ROWS = 1000  # a start that reaches the box in 1 of 300 rows is refused in 1 of 28 seeds


def resolve_start(start: Any, bounds: Any, integrality: Any = None) -> tuple[Family, Domain | None]:
    """Return the first distribution and the domain.

    Parameters
    ----------
    start : Family, array_like of shape (d,), or None
        A point becomes a Gaussian about it with a std of 0.2 spans (0.3 (1 + |x0|) where a side is open);
        None becomes the box's Gaussian, with a std of 0.3 spans about the centre.
    bounds : sequence of (low, high), scipy.optimize.Bounds, or None
    integrality : array_like of 0 or 1, shape (d,), scalar, or None

    Raises
    ------
    ValueError
        If neither is given, they contradict each other, or open sides come without a start.
    TypeError
        If `start` is none of these.
    """
    if isinstance(start, type):
        raise TypeError(f"start must be a distribution, not the class {start.__name__}; call it first.")
    domain = None if bounds is None else Domain.from_bounds(bounds, _size(start))
    if domain is not None:
        _check_spans(domain)
    if integrality is not None:
        domain = _with_integers(start, domain, integrality)
    if is_family(start):
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
    if domain.clearly_outside(point[None])[0]:
        raise ValueError(
            f"the start {point} lies outside the bounds, which are one (low, high) pair for each variable."
        )
    point = domain.project(point)
    return Gaussian(point, std=_point_std(point, domain)), domain


def resolve_starts(
    start: Any, bounds: Any, integrality: Any = None
) -> tuple[Family, Domain | None, Array | None, Callable[[Array], Family] | None]:
    """Return what `resolve_start` does, and where there are several starts, these and how each is begun from.

    Parameters
    ----------
    start, bounds, integrality
        As for `resolve_start`; `start` may be several points too, shape ``(k, d)``.

    Returns
    -------
    family : Family
    domain : Domain or None
    points : ndarray of shape (k, d), or None
    about : callable, or None
        From one of the points to a first distribution.

    Raises
    ------
    ValueError, TypeError
        As `resolve_start` does.
    """
    if is_family(start) or isinstance(start, type) or np.ndim(start) != 2 or hasattr(start, "lb"):
        return *resolve_start(start, bounds, integrality), None, None
    if bounds is None and np.shape(start)[1] == 2:
        _point(start)  # refuses what looks like bounds
    each = [resolve_start(point, bounds, integrality) for point in start]
    points = np.stack([np.asarray(family.mean) for family, _ in each])  # type: ignore[attr-defined]
    domain = each[0][1]
    if domain is not None:
        points = np.array(domain.present(points))

    def about(point: Array) -> Family:
        return resolve_start(point, bounds, integrality)[0]

    return each[0][0], domain, points, about


def resolve_update(update: Update | None, elite_fraction: float | None) -> Update:
    """Return the update, `SmoothedFit` by default, with the elite fraction asked for.

    Raises
    ------
    TypeError
        If `update` is not one.
    ValueError
        If the update has no elite fraction to set, or it lies outside (0, 1).
    """
    update = SmoothedFit() if update is None else update
    if not (callable(getattr(update, "init", None)) and callable(getattr(update, "step", None))):
        raise TypeError(f"update must have init and step, like cem.updates.SmoothedFit; got {update!r}.")
    if elite_fraction is None:
        return update
    if not is_dataclass(update) or "elite_fraction" not in {each.name for each in fields(update)}:
        raise ValueError(f"{type(update).__name__} takes no elite_fraction; leave it out.")
    return replace(update, elite_fraction=real_number("elite_fraction", elite_fraction))


def resolve_population(
    population: int | None, family: Family, update: Update, most: int | None = None
) -> int:
    """Return the candidates per iteration.

    The update's own default, if it has one, otherwise ten per variable, between 100 and 1,000, and enough for
    a fit; fewer where `most` evaluations would not buy fifteen iterations of so many.

    Raises
    ------
    ValueError
        If the population asked for has fewer elites than the family needs.
    """
    fraction = float(getattr(update, "elite_fraction", 1.0))
    needed = rows_needed(family, update)
    if population is None:
        least = int(np.ceil(2 * needed / fraction))
        if (own := getattr(update, "population", None)) is not None:
            usual = int(own(family))
        else:
            usual = max(min(1000, max(100, 10 * dimension(family))), least)
        fewest = int(np.ceil(needed / fraction))
        if usual * dimension(family) > MOST_NUMBERS:
            raise ValueError(
                f"elite_fraction={fraction:g} takes a population of {usual}, which is more than fits into "
                "memory: raise it, or say which population you want."
            )
        return usual if most is None else min(usual, max(fewest, most // LEAST_ITERATIONS))
    n = positive_count("population", population)
    if n * dimension(family) > MOST_NUMBERS:
        raise ValueError(f"a population of {n} is more than fits into memory; lower it.")
    if elite_count(n, fraction) < needed:
        raise ValueError(
            f"a population of {n} has {elite_count(n, fraction)} elites; fitting this "
            f"{type(family).__name__} takes at least {needed}: raise population or elite_fraction."
        )
    return n


def resolve_stages(polish: Any, restarts: Any, best_known: bool) -> tuple[bool, int | None]:
    """Return whether to polish and how often to restart (None: until runs agree); None asks for the default.

    Raises
    ------
    TypeError, ValueError
        If polish is no bool, or restarts no count.
    """
    if polish is None:
        polish = best_known
    elif polish not in (True, False):
        raise TypeError(f"polish must be None, True or False, got {polish!r}.")
    if restarts is None:
        return bool(polish), None if best_known else 0
    if restarts is False or (not isinstance(restarts, str) and restarts == 0):
        return bool(polish), 0
    return bool(polish), positive_count("restarts", restarts)


def rows_needed(family: Family, update: Update) -> int:
    """Return the rows that an iteration needs: what the update says, otherwise what a fit needs."""
    own = getattr(update, "minimum_rows", None)
    return minimum_rows(family) if own is None else int(own)


def _size(start: Any) -> int | None:
    """Return how many variables a start has; None where there is none."""
    if start is None:
        return None
    return dimension(start) if is_family(start) else int(_point(start).size)


def _with_integers(start: Any, domain: Domain | None, integrality: Any) -> Domain | None:
    """Add integer variables to the domain, which is open where there are no bounds."""
    integer = np.asarray(integrality)
    if integer.dtype.kind not in "biuf" or not np.all((integer == 0) | (integer == 1)):
        raise ValueError(f"integrality is 0 or 1 for each variable, got {integrality!r}.")
    if not integer.any():
        return domain
    if is_family(start) and not hasattr(start, "stretched"):
        raise TypeError(f"integrality takes a Gaussian start, not a {type(start).__name__}.")
    if domain is None:
        if start is None:
            raise ValueError("say where to search: give bounds=, or a start (a family or a point).")
        domain = Domain.open(dimension(start) if is_family(start) else _point(start).size)
    if integer.ndim == 0:
        integer = np.full(domain.dimension, integer)
    return Domain(domain.low, domain.high, integer.astype(np.bool_))


def _box_gaussian(domain: Domain) -> Gaussian:
    if not domain.bounded:
        j = int(np.argmin(np.isfinite(domain.low) & np.isfinite(domain.high)))
        raise ValueError(
            f"variable {j} has an infinite bound, so the bounds alone do not say where to start; "
            "give a start as well: a point, or e.g. cem.Gaussian(mean, std=…)."
        )
    span = domain.high - domain.low
    return Gaussian(domain.low + span / 2, std=np.where(span > 0, BOX_STD * span, 1.0))


def all_over(start: Any, domain: Domain) -> bool:
    """Whether a start is the Gaussian that a box is searched with where nobody says more."""
    if not isinstance(start, Gaussian) or not domain.bounded or not start.diagonal:
        return False
    usual = _box_gaussian(domain)
    return np.array_equal(start.mean, usual.mean) and np.array_equal(start.std, usual.std)


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


def _check_spans(domain: Domain) -> None:
    closed = np.isfinite(domain.low) & np.isfinite(domain.high) & ~domain.fixed
    half = np.where(closed, domain.high / 2, 0.0) - np.where(closed, domain.low / 2, 0.0)
    far, close = half > MOST_SPAN / 2, half < LEAST_SPAN / 2
    for wrong, why in ((far, "too far apart"), (close, "too close together")):
        if np.any(wrong & closed):
            j = int(np.argmax(wrong & closed))
            raise ValueError(
                f"the bounds of variable {j}, {domain.low[j]} and {domain.high[j]}, are {why} for float64; "
                "search for the variable in another unit, or for its logarithm."
            )


def _check_agreement(start: Family, domain: Domain) -> None:
    domain = domain.relaxed
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
    misplaced = (
        mean is not None and not callable(mean) and bool(domain.clearly_outside(np.atleast_2d(mean))[0])
    )
    free = ~domain.fixed
    never = np.any(np.all((x < domain.low) | (x > domain.high), axis=0) & free)
    if misplaced or never:
        raise ValueError(f"the start ({name}) and the bounds contradict each other: it lies outside them.")
