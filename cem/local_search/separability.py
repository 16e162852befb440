"""A test of whether the objective is a sum of functions of one variable each.

For such a sum, exchanging any group of coordinates between two points x and b changes nothing in total:
``f(u) + f(v) = f(x) + f(b)``. Splitting a random numbering by each binary digit in turn parts every pair of
coordinates at least once, so ``ceil(log2 d)`` exchanges test all pairs.
"""

from __future__ import annotations

from collections.abc import Generator

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
    moving = np.flatnonzero(x != b)
    if not np.isfinite(fx + fb) or moving.size == 0:
        return False
    if moving.size == 1:
        return True
    number = np.zeros(x.size, dtype=np.int64)
    number[moving] = rng.permutation(moving.size)
    informative = False
    for digit in range(int(np.ceil(np.log2(moving.size)))):
        taken = (number >> digit) & 1 == 1
        u, v = np.where(taken, x, b), np.where(taken, b, x)
        fu, fv = (yield from values_at(np.stack([u, v]))).tolist()
        tolerance = 50 * noise.at(max(abs(fu), abs(fv), abs(fx), abs(fb)))
        if not abs(fu + fv - fx - fb) <= tolerance:
            return False
        informative = informative or min(abs(fu - fx), abs(fu - fb)) > 1e3 * tolerance
    return informative
