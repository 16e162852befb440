"""Proposals for events that any one coordinate may bring about: a heavy-tailed sum, a maximum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cem.families.one_large import OneLarge

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

FEWEST = 0.02
FEW_DIMENSIONS = 60
STANDS_OUT = 0.2


def stands_out(x: Matrix, w: Vector) -> bool:
    """Tell whether now one, now another coordinate of a row is larger than those of normals are.

    In few dimensions that need not be asked: the fit costs little.
    """
    d, size = x.shape[1], np.abs(x)
    if d <= FEW_DIMENSIONS:
        return True
    usual, seen = -float(ndtri(0.5 / d)), float(w @ size.max(axis=1) / w.sum())
    each = np.bincount(size.argmax(axis=1), w)
    return seen > usual + STANDS_OUT and float(each.max()) < 0.5 * float(w.sum())


def one_large(x: Matrix, w: Vector, k: int, rng: np.random.Generator) -> OneLarge:
    """Fit by EM a component for each coordinate (and sign) in which that coordinate is the large one."""
    n, d = x.shape
    large = np.abs(x).argmax(axis=1)
    up = x[np.arange(n), large] > 0
    signs = [s for s, side in ((1.0, up), (-1.0, ~up)) if w[side].sum() > FEWEST * w.sum()]
    at, sign = np.tile(np.arange(d), len(signs)), np.repeat(signs, d)
    r = w[:, None] * ((large[:, None] == at) & (np.where(up, 1.0, -1.0)[:, None] == sign))
    blank = OneLarge(np.ones(at.size), sign, np.ones(at.size), np.zeros(d), np.ones(d))
    return blank.refitted(x, w, r, r.sum(axis=0)).improved(x, w)
