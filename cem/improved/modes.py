"""Likely hits of a discrete event: from hot hits down to minimal ones.

A hit drawn from a hot nominal has many unlikely labels that the event does not need. They are set back one
at a time, in random order, as long as the row still hits. What is left is a local maximum of the nominal mass
in the event: for a network, a minimal cut. A mixture about these points holds modes that annealing may lose.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from cem.families.base import Array
from cem.loop import Batch, Request, Rows

Vector = NDArray[np.float64]

STARTS = 60
MOST_POINTS = 200
HELD = 0.9
_LEAST_SHARE = 1e-9


def descend(
    x: Array, likely: Array, skewed: Array, level: float, rng: np.random.Generator
) -> Generator[Request, Batch, Array]:
    """Set unlikely labels of the `skewed` positions back one by one while rows still hit; give the ends."""
    x = np.array(x)
    todo = (x != likely) & skewed
    while (going := np.flatnonzero(todo.any(axis=1))).size:
        at = (rng.random((going.size, x.shape[1])) * todo[going]).argmax(axis=1)
        tried = x[going]
        tried[np.arange(going.size), at] = likely[at]
        todo[going, at] = False
        tried.flags.writeable = False
        batch = yield Rows(tried)
        still = batch.scores >= level
        x[going[still]] = tried[still]
    return np.unique(x, axis=0)


def leading(points: Array, log_mass: Vector) -> tuple[Array, Vector]:
    """Give the likeliest points, with shares by the root of their mass: none is forgotten."""
    order = np.argsort(log_mass, kind="stable")[::-1][:MOST_POINTS]
    mass = log_mass[order]
    return points[order], np.maximum(np.exp(0.5 * (mass - mass.max())), _LEAST_SHARE)
