"""One chain: from the nominal distribution to rows inside the event."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from cem.core.loop import Batch, Request
from cem.families.base import Family
from cem.rare_events.archive import OPENING, Archive, mixture
from cem.rare_events.pool import Pool, Sample, effective, scaled, sharpest
from cem.rare_events.spaces.discrete import STARTS, DiscreteSpace, descend

Vector = NDArray[np.float64]
Learning = Generator[Request, Batch, None]

LEVELS = 40
WIDE_SHARE = 0.05
HEATS = (0.2, 0.0, -0.5, -1.0)
SHARPEST, BLUNTEST = 1e-4, 1e3
FEW_EFFECTIVE = 5
FEW_HITS = 20
PATIENCE = 5


@dataclass(frozen=True, eq=False)
class Tilt:
    """How the pool leans towards the event.

    Attributes
    ----------
    log_weights : ndarray
        For the fit.
    sharpness : float
    arrived : bool
        Whether they are the event's own.
    level : float
        The score that half of the tilted pool reaches, at most that of the event.
    """

    log_weights: Vector
    sharpness: float
    arrived: bool
    level: float


def opening(archive: Archive) -> Learning:
    """Begin a chain: half a batch from the nominal distribution, half from the wide one."""
    chain: list[Sample] = []
    archive.chains.append(chain)
    half = archive.batch // 2
    yield from archive.draw(archive.space.nominal, half, chain, "open")
    yield from archive.draw(archive.space.wide, archive.batch - half, chain, "open")


def learn(archive: Archive) -> Learning:
    """Move the last chain into the event, until its pool holds enough hits or learns nothing more."""
    chain = archive.chains[-1]
    if isinstance(archive.space, DiscreteSpace):
        yield from _find_modes(archive, archive.space, chain)
    best_score, best_sharpness, stalled, previous = -np.inf, np.inf, 0, np.inf
    for _ in range(LEVELS):
        pool = Pool(archive.recent(chain))
        tilt = tilted(archive, pool, chain[-1], previous)
        if tilt.arrived:
            return
        top = float(pool.scores.max())
        better = top > best_score or tilt.sharpness < 0.95 * best_sharpness
        stalled = 0 if better or effective(tilt.log_weights) < FEW_EFFECTIVE else stalled + 1
        if stalled >= PATIENCE:
            return
        best_score, best_sharpness = max(best_score, top), min(best_sharpness, tilt.sharpness)
        proposal = next_proposal(archive, pool, tilt, chain)
        yield from archive.draw(proposal, archive.batch, chain, "learn", tilt.level)
        previous = tilt.sharpness


def _find_modes(archive: Archive, space: DiscreteSpace, chain: list[Sample]) -> Learning:
    """Heat until hits are common, descend from them, and draw about where they end."""
    if not space.skewed.any():
        return
    for heat in HEATS:
        if len(archive.hits(chain)) >= STARTS:
            break
        yield from archive.draw(space.heated(heat), archive.batch, chain, "heat")
    hits = archive.hits(chain)
    if len(hits) == 0:
        return
    rng = chain[-1].stream()
    picked = hits[rng.choice(len(hits), size=min(STARTS, len(hits)), replace=False)]
    points = yield from descend(picked, space.likely, space.skewed, archive.level, rng)
    known = points if archive.modes is None else np.vstack([archive.modes, points])
    archive.modes = np.unique(known, axis=0)
    around = mixture([space.about(archive.modes), space.wide], [0.9, 0.1])
    yield from archive.draw(around, archive.batch, chain, "modes", archive.level)


def tilted(archive: Archive, pool: Pool, newest: Sample, previous: float) -> Tilt:
    """Give weights that lead one step towards the event: by score, or by heat where it is yes or no.

    The soft indicator is as sharp as it can be while `Archive.wanted` rows stay effective.
    """
    scores = pool.scores
    if len(np.unique(scores)) <= 2:
        return _heated(archive, pool)
    log_w = pool.log_weights()
    inside = scores >= archive.level
    if effective(log_w[inside]) >= archive.wanted:
        return Tilt(np.where(inside, log_w, -np.inf), SHARPEST, True, archive.level)
    t = distance(scores, archive.level, log_w)

    def weights(sigma: float) -> Vector:
        return np.asarray(log_w + soft(t, sigma))

    sigma = sharpest(weights, SHARPEST, BLUNTEST, archive.wanted)
    arrived = _sharp_enough(t[-len(newest.scores) :], previous, archive.delta)
    log_tilt = weights(sigma)
    return Tilt(log_tilt, sigma, arrived, min(_median(scores, log_tilt), archive.level))


def _median(scores: Vector, log_weights: Vector) -> float:
    """Give the score that half of the weight reaches."""
    order = np.argsort(scores, kind="stable")[::-1]
    above = np.cumsum(np.exp(log_weights[order] - log_weights.max()))
    return float(scores[order[np.searchsorted(above, above[-1] / 2)]])


def _sharp_enough(t: Vector, sigma: float, delta: float) -> bool:
    """Tell whether indicator over soft indicator varies little over a batch that has enough hits."""
    inside = t <= 0
    if not np.isfinite(sigma) or inside.sum() < FEW_HITS:
        return False
    ratio = np.where(inside, np.exp(-soft(np.minimum(t, 0.0), sigma)), 0.0)
    return bool(ratio.std() <= delta * ratio.mean())


def _heated(archive: Archive, pool: Pool) -> Tilt:
    """For a yes-or-no score: hits under the coldest nominal that keeps enough of them."""
    inside = pool.scores >= archive.level
    log_q, x = pool.log_mixture(), pool.x

    def weights(cold: float) -> Vector:
        log_p = pool.log_nominal if cold >= 1 else archive.space.heated(cold).log_prob(x)
        return np.where(inside, log_p - log_q, -np.inf)

    if effective(weights(1.0)) >= archive.wanted:
        return Tilt(weights(1.0), 0.0, True, archive.level)
    low, high = -1.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(weights(middle)) >= archive.wanted else (low, middle)
    return Tilt(weights(low), 1 - low, False, archive.level if inside.any() else np.nan)


def next_proposal(archive: Archive, pool: Pool, tilt: Tilt, chain: list[Sample]) -> Family:
    """Fit to the tilted pool, with a wide part; hotter where nothing has been hit."""
    space = archive.space
    if effective(tilt.log_weights) < FEW_EFFECTIVE:
        heated: Family = space.heated(HEATS[min(len(chain) - OPENING, len(HEATS) - 1)])
        return heated
    fitted = fit(archive, pool, tilt.log_weights, chain[-1].stream())
    return mixture([fitted, space.wide], [1 - WIDE_SHARE, WIDE_SHARE])


def fit(archive: Archive, pool: Pool, log_weights: Vector, rng: np.random.Generator) -> Any:
    """Fit a proposal of the space to the pool."""
    kept = np.isfinite(log_weights)
    slope = None
    if archive.space.dimension > 12 and len(np.unique(pool.scores)) > 2:
        t = distance(pool.scores, archive.level, pool.log_weights())
        slope = archive.space.slope(pool.x, -t)
    return archive.space.fit(pool.x[kept], scaled(log_weights[kept]), slope, rng)


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
