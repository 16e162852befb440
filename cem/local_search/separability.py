"""A test of whether the objective is a sum of functions of one variable each.

For such a sum, exchanging any group of coordinates between two points x and b changes nothing in total:
``f(u) + f(v) = f(x) + f(b)``. Splitting a random numbering by each binary digit in turn parts every pair of
coordinates at least once, so ``ceil(log2 d)`` exchanges test all pairs.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Self

import numpy as np

from cem.core.loop import Batch, Request
from cem.families.base import Floats
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.requests import values_at


def is_separable(
    x: Floats, fx: float, b: Floats, fb: float, noise: NoiseLevel, rng: np.random.Generator
) -> Generator[Request, Batch, bool]:
    """Test by exchanging halves of the coordinates of `x` and `b`; mostly two evaluations where it fails.

    Parameters
    ----------
    x, fx : ndarray of shape (d,), float
        A point and its value.
    b, fb : ndarray of shape (d,), float
        Another; coordinates in which the two agree are left out.
    noise : NoiseLevel
    rng : numpy.random.Generator
        Numbers the coordinates.

    Returns
    -------
    bool
        True only where no exchange changed the sum and at least one changed the values clearly.
    """
    if not np.isfinite(fx + fb):
        return False
    exchanges = Exchanges.between(x, b, rng)
    if exchanges.moving < 2:
        return exchanges.moving == 1
    informative = False
    for first in range(0, len(exchanges.rows), 2):
        values = yield from values_at(exchanges.rows[first : first + 2])
        kept, told = exchanges.judged(values, fx, fb, noise)
        if not kept:
            return False
        informative = informative or told
    return informative


@dataclass(frozen=True, eq=False)
class Exchanges:
    """Pairs of rows that are `x` and `b` with some coordinates exchanged, each pair of them at least once.

    Attributes
    ----------
    moving : int
        Number of coordinates in which the two differ.
    rows : ndarray, shape (2 * ceil(log2 moving), d)
    """

    moving: int
    rows: Floats

    @classmethod
    def between(cls, x: Floats, b: Floats, rng: np.random.Generator) -> Self:
        """Number the coordinates in which the two differ at random, and part them by each binary digit."""
        moving = np.flatnonzero(x != b)
        number = np.zeros(x.size, dtype=np.int64)
        number[moving] = rng.permutation(moving.size)
        rows = [np.empty((0, x.size))]
        for digit in range(int(np.ceil(np.log2(max(1, moving.size))))):
            taken = (number >> digit) & 1 == 1
            rows.append(np.stack([np.where(taken, x, b), np.where(taken, b, x)]))
        return cls(moving.size, np.concatenate(rows))

    @staticmethod
    def judged(values: Floats, fx: float, fb: float, noise: NoiseLevel) -> tuple[bool, bool]:
        """Return whether a pair's values leave the sum as it was, and whether they differ clearly."""
        fu, fv = values.tolist()
        tolerance = 50 * noise.at(max(abs(fu), abs(fv), abs(fx), abs(fb)))
        kept = abs(fu + fv - fx - fb) <= tolerance
        return kept, kept and min(abs(fu - fx), abs(fu - fb)) > 1e3 * tolerance

    def separable(self, values: Floats, fx: float, fb: float, noise: NoiseLevel) -> bool:
        """Judge by the values of all rows."""
        if not np.isfinite(fx + fb) or self.moving < 2:
            return self.moving == 1
        found = [self.judged(pair, fx, fb, noise) for pair in values.reshape(-1, 2)]
        return all(kept for kept, _ in found) and any(told for _, told in found)
