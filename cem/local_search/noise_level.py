"""How noisy an objective's values are: told by their bits, or by their differences along a line."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import factorial
from typing import Self

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request
from cem.families.base import Floats
from cem.local_search.requests import values_at

_DOUBLE = 4e-16  # a few roundings of float64
_SINGLE = 1e-7  # a rounding of float32


@dataclass(frozen=True)
class NoiseLevel:
    """Noise of objective values.

    Parameters
    ----------
    relative : float
        As a share of the value's size.
    absolute : float
        A floor.
    """

    relative: float = _DOUBLE
    absolute: float = 1e-300

    def at(self, value: float) -> float:
        """Standard deviation of the noise of an objective value."""
        return max(self.relative * abs(value), self.absolute)

    def at_least(self, noise: float, value: float) -> Self:
        """Learn that values of about `value` carry `noise`."""
        if not noise > self.at(value):
            return self
        return type(self)(noise / abs(value), self.absolute) if value else type(self)(self.relative, noise)


def from_bits(values: Floats) -> NoiseLevel:
    """Return the level of single precision or of double: whether every value survives rounding to float32.

    Whole and other short numbers survive it in any case and say nothing.
    """
    finite = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        single = finite.astype(np.float32).astype(np.float64)
    mantissa, _ = np.frexp(finite)
    long = mantissa * 2.0**16 != np.round(mantissa * 2.0**16)
    return NoiseLevel(_SINGLE) if long.any() and np.array_equal(single, finite) else NoiseLevel()


def along_line(
    domain: Domain, x: Floats, fx: float, direction: Floats, spacing: float, points: int = 7
) -> Generator[Request, Batch, float | None]:
    """Estimate the noise at `x` from equally spaced values (Moré & Wild 2011, algorithm ECnoise).

    The k-th differences of a smooth function vanish as the spacing falls, those of noise do not:
    ``sigma_k² = (k!)² / (2k)! · mean of the squared k-th differences`` (their Equation 2.4).

    Parameters
    ----------
    domain : Domain
    x, fx : ndarray of shape (d,), float
        The point and its value.
    direction : ndarray of shape (d,)
        A unit vector.
    spacing : float
        Distance of neighbouring points, to begin with.
    points : int
        Number of values, `fx` among them.

    Returns
    -------
    float or None
        The noise level; None where the spacing was unfit for three attempts.
    """
    for _ in range(3):
        offsets = spacing * np.arange(1, points)
        rows = x + offsets[:, None] * direction
        if domain.outside(rows).any():
            rows = x - offsets[:, None] * direction
        rows = domain.project(rows)
        values = np.concatenate([[fx], (yield from values_at(rows))])
        if not np.all(np.isfinite(values)):
            return None
        if np.count_nonzero(np.diff(values)) <= (points - 1) // 2:
            spacing *= 100  # too fine: the values repeat
            continue
        level = _from_differences(values)
        if level is not None:
            return level
        spacing /= 100  # too coarse: the objective's own shape is seen
    return None


def _from_differences(values: Floats) -> float | None:
    """Return the first of three neighbouring sigma_k that agree within 4, where differences change sign."""
    table, levels, changes = values, [], []
    for k in range(1, values.size - 1):
        table = np.diff(table)
        gamma = factorial(k) ** 2 / factorial(2 * k)
        levels.append(float(np.sqrt(gamma * np.mean(table**2))))
        changes.append(bool(table.min() < 0 < table.max()))
    for k in range(len(levels) - 2):
        three = levels[k : k + 3]
        if max(three) <= 4 * min(three) and changes[k]:
            return levels[k]
    return None
