"""Scores by rank: how far a row is from the event, on the normal scale.

The distance is Φ⁻¹ of a score's nominal probability of being exceeded, estimated from the pool, counted from
that of the event. A linear limit state is linear in it, and nothing depends on the performance's own scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

Vector = NDArray[np.float64]
_LEAST = 1e-300
_CERTAIN = -1e-12


def distance(scores: Vector, level: float, log_weights: Vector) -> Vector:
    """Give each row's normal distance to the event: positive outside, not positive inside."""
    values, where = np.unique(scores, return_inverse=True)
    shift = float(log_weights.max())
    weights = np.exp(log_weights - shift)
    offset = shift - np.log(len(scores))
    mass = np.bincount(where, weights, minlength=len(values))
    above = np.cumsum(mass[::-1])[::-1]
    beta = _normal(above - mass / 2, offset)
    hit = values >= level
    edge = float(_normal(mass[hit].sum(), offset)) if hit.any() else float(beta[-1])
    t = np.where(hit, np.minimum(edge - beta, 0.0), np.maximum(edge - beta, 0.0))
    return np.asarray(t[where])


def _normal(mass: Vector | float, log_offset: float) -> Vector:
    """Give -Φ⁻¹ of a tail mass that lacks the factor exp(log_offset)."""
    log_tail = np.log(np.maximum(mass, _LEAST)) + log_offset
    return np.asarray(-ndtri_exp(np.minimum(log_tail, _CERTAIN)))


def soft(t: Vector, sigma: float) -> Vector:
    """Give the logarithm of the soft indicator Φ(-t/σ).

    References
    ----------
    Papaioannou, Geyer & Straub (2019), "Improved cross entropy-based importance sampling with a flexible
    mixture model", Reliability Engineering & System Safety 191.
    """
    return np.asarray(log_ndtr(-t / sigma))
