"""Likely hits of a discrete event: from hot hits down to minimal ones.

A hit drawn from a hot nominal has many unlikely bits that the event does not need. They are set back one at a
time, in random order, as long as the row still hits. What is left is a local maximum of the nominal mass in
the event: for a network, a minimal cut. A mixture about these points holds modes that annealing may lose.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from cem.families.base import Array
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.loop import Batch, Request, Rows

STARTS = 60
MOST_POINTS = 200
HELD = 0.9
_LEAST_SHARE = 1e-9


def descend(
    x: Array, nominal: BernoulliMixture, level: float, rng: np.random.Generator
) -> Generator[Request, Batch, Array]:
    """Set unlikely bits back one by one while the rows still hit; give the distinct ends."""
    p0 = nominal.mean
    likely = (p0 > 0.5).astype(x.dtype)
    x = np.array(x)
    todo = (x != likely) & (p0 != 0.5)
    while (going := np.flatnonzero(todo.any(axis=1))).size:
        bit = (rng.random((going.size, x.shape[1])) * todo[going]).argmax(axis=1)
        tried = x[going]
        tried[np.arange(going.size), bit] = likely[bit]
        todo[going, bit] = False
        tried.flags.writeable = False
        batch = yield Rows(tried)
        still = batch.scores >= level
        x[going[still]] = tried[still]
    return np.unique(x, axis=0)


def about(points: Array, nominal: BernoulliMixture) -> BernoulliMixture:
    """Give components that hold each point's unlikely bits with .9 and else follow the nominal.

    Shares follow the root of the points' nominal mass: likely ones lead, none is forgotten.
    """
    mass = nominal.log_prob(points)
    order = np.argsort(mass, kind="stable")[::-1][:MOST_POINTS]
    points, mass = points[order], mass[order]
    p0 = nominal.mean
    held = np.where(points > 0.5, HELD, 1 - HELD)
    p = np.where(points != (p0 > 0.5), held, p0)
    return BernoulliMixture(np.maximum(np.exp(0.5 * (mass - mass.max())), _LEAST_SHARE), p)
