"""Variables with names: reals, whole numbers and choices, and the column of numbers that stands for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cem.core.budget import real_number, truth
from cem.families.base import Array

MOST_WHOLE = 2**53  # whole numbers up to which a float64 knows each


@dataclass(frozen=True)
class Real:
    """A real variable between two bounds.

    Parameters
    ----------
    low, high : float
        `low` < `high`, finite.
    log : bool
        Whether it is searched on a log scale: then its order of magnitude is even at first. `low` > 0.

    Raises
    ------
    ValueError, TypeError
        If that is not so.

    Examples
    --------
    >>> import cem
    >>> cem.Real(1e-5, 1e-1, log=True)
    Real(low=1e-05, high=0.1, log=True)
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _finite(f"{name} of a Real", getattr(self, name)))
        if not self.low < self.high:
            raise ValueError(f"a Real needs low < high, got ({self.low}, {self.high}).")
        if truth("log", self.log) and not self.low > 0:
            raise ValueError(f"a log scale needs low > 0, got ({self.low}, {self.high}).")

    whole = False

    @property
    def sides(self) -> tuple[float, float]:
        """The bounds of its column."""
        return (float(np.log(self.low)), float(np.log(self.high))) if self.log else (self.low, self.high)

    def coordinate(self, name: str, value: Any) -> float:
        """Return what stands for a value in its column.

        Raises
        ------
        ValueError, TypeError
            If it is none of its values.
        """
        number = _between(name, value, self.low, self.high)
        return float(np.log(number)) if self.log else number

    def scalar(self, x: float) -> float:
        """Return the value that stands behind an entry of its column."""
        return min(max(float(np.exp(x)), self.low), self.high) if self.log else float(x)

    def values(self, column: Array) -> Array:
        """Return the values behind its column, shape ``(n,)``."""
        return np.clip(np.exp(column), self.low, self.high) if self.log else np.array(column)


@dataclass(frozen=True)
class Integer:
    """A whole number between two bounds, both of them included.

    Parameters
    ----------
    low, high : int
        `low` <= `high`.
    log : bool
        Whether it is searched on a log scale. `low` >= 1.

    Raises
    ------
    ValueError, TypeError
        If that is not so.

    Examples
    --------
    >>> import cem
    >>> cem.Integer(1, 12)
    Integer(low=1, high=12, log=False)
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = _finite(f"{name} of an Integer", getattr(self, name))
            if value != np.floor(value):
                raise ValueError(f"{name} of an Integer must be a whole number, got {value}.")
            if abs(value) > MOST_WHOLE:
                raise ValueError(f"{name} of an Integer lies within 2**53, got {value:g}.")
            object.__setattr__(self, name, int(value))
        if not self.low <= self.high:
            raise ValueError(f"an Integer needs low <= high, got ({self.low}, {self.high}).")
        if truth("log", self.log) and not self.low >= 1:
            raise ValueError(f"a log scale needs low >= 1, got ({self.low}, {self.high}).")

    @property
    def whole(self) -> bool:
        """Whether its column holds whole numbers."""
        return not self.log

    @property
    def sides(self) -> tuple[float, float]:
        """The bounds of its column; on a log scale the first and the last value have their halves outside."""
        room = 0.5 if self.log and self.low < self.high else 0.0
        low, high = self.low - room, self.high + room
        return (float(np.log(low)), float(np.log(high))) if self.log else (float(low), float(high))

    def coordinate(self, name: str, value: Any) -> float:
        """Return what stands for a value in its column.

        Raises
        ------
        ValueError, TypeError
            If it is none of its values.
        """
        number = _between(name, value, self.low, self.high)
        if number != np.floor(number):
            raise ValueError(f"{name}={value!r} is no whole number.")
        return float(np.log(number)) if self.log else number

    def scalar(self, x: float) -> int:
        """Return the value that stands behind an entry of its column."""
        return int(self.values(np.array([x]))[0])

    def values(self, column: Array) -> Array:
        """Return the values behind its column, shape ``(n,)``."""
        number = np.rint(np.exp(column) if self.log else column)
        return np.clip(number, self.low, self.high).astype(np.int64)

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.high - self.low + 1

    def support(self) -> Array:
        """Return all entries of its column."""
        values = np.arange(self.low, self.high + 1.0)
        return np.log(values) if self.log else values


@dataclass(frozen=True, init=False)
class Choice:
    """One of several options.

    Parameters
    ----------
    options : sequence, or mapping of an option to a Space
        A mapping's space is that of the further variables which there are only where its option is chosen;
        None or an empty space for none.

    Raises
    ------
    ValueError, TypeError
        If there is no option, one is given twice, or what stands behind an option is no space.

    Examples
    --------
    >>> import cem
    >>> cem.Choice(["rbf", "poly"])
    Choice(options=('rbf', 'poly'))
    """

    options: tuple[Any, ...]
    spaces: tuple[Any, ...] = field(repr=False)

    def __init__(self, options: Iterable[Any] | Mapping[Any, Any]) -> None:
        if isinstance(options, str | bytes) or not isinstance(options, Iterable):
            raise TypeError(f"a Choice takes a sequence of options, or a mapping to spaces; got {options!r}.")
        named = options if isinstance(options, Mapping) else None
        listed = tuple(options)
        if not listed:
            raise ValueError("a Choice needs at least one option.")
        for i, option in enumerate(listed):
            if any(_same(option, other) for other in listed[:i]):
                raise ValueError(f"a Choice has the option {option!r} twice.")
        spaces = tuple(None if named is None else named[option] for option in listed)
        for option, space in zip(listed, spaces, strict=True):
            if space is not None and not hasattr(space, "variables"):
                raise TypeError(f"behind the option {option!r} stands a Space or None, got {space!r}.")
        object.__setattr__(self, "options", listed)
        object.__setattr__(self, "spaces", spaces)

    whole = True

    @property
    def sides(self) -> tuple[float, float]:
        """The bounds of its column."""
        return 0.0, len(self.options) - 1.0

    def coordinate(self, name: str, value: Any) -> float:
        """Return the number of an option.

        Raises
        ------
        ValueError
            If it is none of the options.
        """
        code = next((i for i, own in enumerate(self.options) if _same(own, value)), None)
        if code is None:
            raise ValueError(f"{name}={value!r} is none of the options {self.options}.")
        return float(code)

    def scalar(self, x: float) -> Any:
        """Return the option that stands behind an entry of its column."""
        return self.options[int(x)]

    @property
    def count(self) -> int:
        """How many options there are."""
        return len(self.options)

    def support(self) -> Array:
        """Return all entries of its column."""
        return np.arange(float(len(self.options)))

    def values(self, column: Array) -> Array:
        """Return the options behind its column, shape ``(n,)``; objects unless all are of one plain type."""
        plain = len({type(option) for option in self.options}) == 1
        if plain and isinstance(self.options[0], str | bool | int | float):
            options = np.array(self.options)
        else:
            options = np.empty(len(self.options), dtype=object)
            options[:] = self.options
        return np.asarray(options[column.astype(np.int64)])


def _finite(name: str, value: Any) -> float:
    number = real_number(name, value)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}.")
    return number


def _between(name: str, value: Any, low: float, high: float) -> float:
    number = real_number(name, value)
    if not low <= number <= high:
        raise ValueError(f"{name}={value!r} lies outside [{low}, {high}].")
    return number


def _same(a: Any, b: Any) -> bool:
    """Whether two options are the same: True is not 1, but 1.0 is."""
    if isinstance(a, bool | np.bool_) != isinstance(b, bool | np.bool_):
        return False
    try:
        return bool(a == b)
    except (TypeError, ValueError):  # arrays and their like
        return a is b
