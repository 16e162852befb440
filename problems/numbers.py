"""Numbers that problems are made of: read as float64 without rounding whole ones in silence."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from cem.families.base import Floats

EXACT = 2**53  # float64 holds every whole number up to here


def read_numbers(name: str, values: Any) -> tuple[Floats, bool]:
    """Return an array of real numbers as float64, and whether they were given as whole numbers.

    Raises
    ------
    TypeError
        If an entry is no real number.
    ValueError
        If an entry is masked, or a whole number, Fraction or Decimal that float64 would round.
    """
    refuse_masked(name, values)
    raw = np.asarray(values)
    if raw.dtype.kind == "f" and not isinstance(values, np.ndarray) and (abs(raw) > EXACT).any():
        raw = np.asarray(values, dtype=object)  # numpy has made floats of whole numbers of different types
    if raw.dtype.kind == "O":
        for place, value in np.ndenumerate(raw):
            _check_exact(_entry(name, place), value)
        whole = all(isinstance(value, int | np.integer) for value in raw.flat)
        return raw.astype(np.float64), whole
    if raw.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got {raw.dtype}")
    numbers = raw.astype(np.float64)
    whole = raw.dtype.kind in "iu"
    if whole and (large := np.argwhere(abs(numbers) >= EXACT)).size:
        for place in map(tuple, large.tolist()):
            _check_exact(_entry(name, place), int(raw[place]))
    return numbers, whole


def shape_of(name: str, values: Any) -> tuple[int, ...]:
    """Return the shape of what an array is made of.

    Raises
    ------
    ValueError
        If its rows differ in length.
    """
    try:
        return np.shape(values)
    except ValueError as error:
        raise ValueError(f"{name} must be rows of one length, got rows of several") from error


def check_whole_sum(what: str, *parts: Floats) -> None:
    """Check that sums of some of these whole numbers, of any sign, are exact in float64.

    They are while the sum of all magnitudes is below 2**53 times a power of two that divides each number.

    Raises
    ------
    ValueError
        If they might not be.
    """
    if sum(float(abs(part).sum()) for part in parts) < EXACT:
        return
    numbers = [abs(int(number)) for part in parts for number in part.ravel().tolist()]
    bits = math.gcd(*numbers)
    if sum(numbers) >= (bits & -bits) * EXACT:
        raise ValueError(
            f"{what} are whole numbers whose magnitudes add up to {sum(numbers)}, beyond 2**53, where scores "
            "would be rounded; divide them by a common factor, or give floats where rounding is meant"
        )


def check_finite_sum(what: str, *parts: Floats) -> None:
    """Check that the magnitudes of these numbers have a sum in float64.

    Raises
    ------
    ValueError
        If they overflow.
    """
    with np.errstate(over="ignore"):
        total = sum(float(abs(part).sum()) for part in parts)
    if total == math.inf:
        raise ValueError(f"the magnitudes of {what} add up to more than 1.8e308; divide them all by a power")


def check_finite(name: str, numbers: Floats, least: float = -math.inf) -> None:
    """Check that numbers are finite and not below 0, where that is the least.

    Raises
    ------
    ValueError
        Naming the first that is not.
    """
    good = np.isfinite(numbers) & (numbers >= least)
    if not good.all():
        place = tuple(np.argwhere(~good)[0].tolist())
        said = "is not finite" if least < 0 else "must be finite and not negative"
        raise ValueError(f"{_entry(name, place)} = {numbers[place]} {said}")


def refuse_masked(name: str, values: Any) -> None:
    """Refuse masked entries, which have no value.

    Raises
    ------
    ValueError
        If there is any.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries; fill them in, or leave them out")


def _check_exact(entry: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(
        value, int | float | np.integer | np.floating | Fraction | Decimal
    ):
        raise TypeError(f"{entry} must be real numbers, got {value!r}")
    try:
        exact = value != value or float(value) == value
    except OverflowError:
        exact = False
    if not exact:
        raise ValueError(
            f"{entry} = {value} cannot be held exactly as float64; scale all such numbers to whole ones "
            "below 2**53, or convert them with float(…) where rounding is meant"
        )


def _entry(name: str, place: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, place))}]" if place else name
