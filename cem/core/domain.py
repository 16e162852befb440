"""The box that candidates live in: one frozen value, used by sampling and by local search."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cem.core.budget import real_number
from cem.families.base import Array, Floats, Mask, frozen

log = logging.getLogger("cem")
ROUNDING = 1e-12  # of a value or of its span: more than a few operations on doubles lose (2e-16 each)


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
    def from_bounds(cls, bounds: Any, d: int | None = None) -> Domain:
        """Read bounds as users write them: a sequence of (low, high) pairs, or a `scipy.optimize.Bounds`.

        None on a side of a pair means that the side is open.

        Parameters
        ----------
        bounds : sequence of pairs, or scipy.optimize.Bounds
        d : int, optional
            How many variables there are, where a start says so: `Bounds` of one variable hold for all then.

        Raises
        ------
        ValueError
            If the shape is not that of pairs, or a pair is inverted or NaN.
        TypeError
            If an entry is not a number.

        Warns
        -----
        UserWarning
            If two lists or arrays of two numbers fix a variable as pairs, but not as all low and all high
            sides, and no start tells. Where both readings leave room, the logger "cem" says which one holds.
        """
        if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
            low, high = np.broadcast_arrays(np.atleast_1d(bounds.lb), np.atleast_1d(bounds.ub))
            if low.size == 1 and d is not None:
                low, high = np.repeat(low, d), np.repeat(high, d)
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
            low = np.array(
                [-np.inf if pair[0] is None else real_number("a bound", pair[0]) for pair in pairs]
            )
            high = np.array(
                [np.inf if pair[1] is None else real_number("a bound", pair[1]) for pair in pairs]
            )
        except TypeError:
            raise TypeError(f"bounds must be numbers (or None for an open side); got {bounds!r}.") from None
        domain = cls(low, high)
        if d is None and len(pairs) == 2 and not any(isinstance(pair, tuple) for pair in bounds):
            domain._tell_transposed()
        return domain

    def _tell_transposed(self) -> None:
        """Warn where two variables' bounds could as well be ``[lows, highs]``."""
        (a, c), (b, d) = self.low.tolist(), self.high.tolist()
        if not (a < c and b < d and b != c):
            return
        message = (
            f"bounds are read as a (low, high) pair for each variable: x[0] in [{a:g}, {b:g}], x[1] in "
            f"[{c:g}, {d:g}]. If [lows, highs] was meant, write scipy.optimize.Bounds(lows, highs); if not, "
            "a start (or tuples for pairs) settles it."
        )
        if a == b or c == d:
            warnings.warn(message, stacklevel=2)
        else:
            log.warning(message)

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

    def clearly_outside(self, x: Array) -> Mask:
        """Return which rows of `x` violate a bound by more than rounding, shape ``(n,)``."""
        scale = np.fmax(np.abs(x), np.where(np.isfinite(self.high - self.low), self.high - self.low, 0.0))
        room = ROUNDING * scale
        return np.asarray(((x < self.low - room) | (x > self.high + room)).any(axis=1))

    def project(self, x: Array) -> Array:
        """Return the nearest rows inside the box."""
        return np.clip(x, self.low, self.high)
