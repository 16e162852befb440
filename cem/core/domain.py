"""The box that candidates live in: one frozen value, used by sampling and by local search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cem.families.base import Array, Floats, Mask, frozen


@dataclass(frozen=True, eq=False)
class Domain:
    """Bounds of each variable; an infinite side is open, equal sides fix the variable.

    Parameters
    ----------
    low, high : array_like, shape (d,)
        Those of an integer variable move in to the nearest integers.
    integer : array_like of bool, shape (d,), optional
        Which variables are integers; None for none.

    Raises
    ------
    ValueError
        If a bound is NaN or inverted, an infinite bound leaves no room, or no integer lies between the
        bounds of an integer variable.
    """

    low: Floats
    high: Floats
    integer: Any = None

    def __post_init__(self) -> None:
        low, high = frozen(self.low), frozen(self.high)
        if np.any(np.isnan(low) | np.isnan(high)):
            j = int(np.argmax(np.isnan(low) | np.isnan(high)))
            raise ValueError(f"bounds of variable {j} hold a NaN: ({low[j]}, {high[j]}).")
        wrong = (low > high) | (low == np.inf) | (high == -np.inf)
        if np.any(wrong):
            j = int(np.argmax(wrong))
            raise ValueError(f"bounds of variable {j} are inverted: low {low[j]} > high {high[j]}.")
        integer = frozen(np.zeros(low.size) if self.integer is None else self.integer, np.bool_)
        if integer.shape != low.shape:
            raise ValueError(f"integrality has {integer.size} entries, the bounds {low.size}.")
        inner_low, inner_high = (
            frozen(np.where(integer, move(side), side)) for move, side in ((np.ceil, low), (np.floor, high))
        )
        if np.any(inner_low > inner_high):
            j = int(np.argmax(inner_low > inner_high))
            raise ValueError(f"variable {j} is an integer, but none lies in [{low[j]}, {high[j]}].")
        object.__setattr__(self, "low", inner_low)
        object.__setattr__(self, "high", inner_high)
        object.__setattr__(self, "integer", integer)

    @classmethod
    def open(cls, d: int) -> Domain:
        """Return the domain of `d` variables without bounds."""
        return cls(np.full(d, -np.inf), np.full(d, np.inf))

    @classmethod
    def from_bounds(cls, bounds: Any) -> Domain:
        """Read bounds as users write them: a sequence of (low, high) pairs, or a `scipy.optimize.Bounds`.

        None on a side of a pair means that the side is open.

        Raises
        ------
        ValueError
            If the shape is not that of pairs, or a pair is inverted or NaN.
        TypeError
            If an entry is not a number.
        """
        if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
            low, high = np.broadcast_arrays(np.atleast_1d(bounds.lb), np.atleast_1d(bounds.ub))
            return cls(np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64))
        try:
            pairs = [tuple(pair) for pair in bounds]
        except TypeError:
            pairs = []
        if not pairs or any(len(pair) != 2 for pair in pairs):
            raise ValueError(
                "bounds must be a sequence of (low, high) pairs, one a variable, or a scipy.optimize.Bounds; "
                f"got {bounds!r}."
            )
        try:
            low = np.array([-np.inf if pair[0] is None else float(pair[0]) for pair in pairs])
            high = np.array([np.inf if pair[1] is None else float(pair[1]) for pair in pairs])
        except (TypeError, ValueError):
            raise TypeError(f"bounds must be numbers (or None for an open side); got {bounds!r}.") from None
        return cls(low, high)

    @property
    def dimension(self) -> int:
        """Number of variables."""
        return int(self.low.size)

    @property
    def bounded(self) -> bool:
        """Whether every side is finite."""
        return bool(np.all(np.isfinite(self.low) & np.isfinite(self.high)))

    @cached_property
    def fixed(self) -> Mask:
        """Which variables have only one value, shape ``(d,)``."""
        return np.asarray(self.low == self.high)

    @cached_property
    def _integers(self) -> bool:
        return bool(self.integer.any())

    @cached_property
    def relaxed(self) -> Domain:
        """The box that candidates are drawn in: half a unit wider on each side of an integer variable."""
        room = np.where(self.integer & ~self.fixed, 0.5, 0.0)
        return Domain(self.low - room, self.high + room) if room.any() else self

    def present(self, x: Array) -> Array:
        """Return drawn rows as the objective sees them: integer variables rounded, inside the bounds."""
        if not self._integers:
            return x
        rounded = np.where(self.integer, np.clip(np.rint(x), self.low, self.high), x)
        rounded.flags.writeable = False
        return rounded

    def outside(self, x: Array) -> Mask:
        """Return which rows of `x` violate a bound, shape ``(n,)``."""
        return np.asarray(((x < self.low) | (x > self.high)).any(axis=1))

    def project(self, x: Array) -> Array:
        """Return the nearest rows inside the box."""
        return np.clip(x, self.low, self.high)
