"""The box that candidates live in: one frozen value, used by sampling and by local search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cem.families.base import Array, frozen


@dataclass(frozen=True, eq=False)
class Domain:
    """Bounds of each variable; an infinite side is open, equal sides fix the variable.

    Parameters
    ----------
    low, high : array_like, shape (d,)

    Raises
    ------
    ValueError
        If a bound is NaN or inverted, or an infinite bound leaves no room.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __post_init__(self) -> None:
        low, high = frozen(self.low), frozen(self.high)
        if np.any(np.isnan(low) | np.isnan(high)):
            j = int(np.argmax(np.isnan(low) | np.isnan(high)))
            raise ValueError(f"bounds of variable {j} hold a NaN: ({low[j]}, {high[j]}).")
        wrong = (low > high) | (low == np.inf) | (high == -np.inf)
        if np.any(wrong):
            j = int(np.argmax(wrong))
            raise ValueError(f"bounds of variable {j} are inverted: low {low[j]} > high {high[j]}.")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

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

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """Which variables have only one value, shape ``(d,)``."""
        return np.asarray(self.low == self.high)

    def outside(self, x: Array) -> NDArray[np.bool_]:
        """Tell which rows of `x` violate a bound, shape ``(n,)``."""
        return np.asarray(np.any((x < self.low) | (x > self.high), axis=1))

    def project(self, x: Array) -> Array:
        """Give the nearest rows inside the box."""
        return np.clip(x, self.low, self.high)
