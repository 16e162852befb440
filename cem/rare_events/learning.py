"""One chain: from the nominal distribution to rows inside the event."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from cem.core.loop import Batch, Request
from cem.families.base import Family, Floats
from cem.rare_events.archive import OPENING, Archive, mixture
from cem.rare_events.pool import Pool, Sample, effective, scaled, sharpest
from cem.rare_events.settings import Settings
from cem.rare_events.spaces.discrete import DiscreteSpace, descend

Learning = Generator[Request, Batch, None]
ATOM = 1.5  # times its probability: more than the pool of a chain errs by


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

    log_weights: Floats
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
    """Move the last chain into the event, until its pool holds enough hits or learns nothing more.

    The level of a quantile moves along, with what the pool knows of it.
    """
    chain = archive.chains[-1]
    if isinstance(archive.space, DiscreteSpace) and archive.probability is None:
        yield from _find_modes(archive, archive.space, chain)
    yield from _climb(archive, chain)
    if archive.probability is not None:
        yield from _pass_atom(archive, chain, archive.probability)


def _pass_atom(archive: Archive, chain: list[Sample], probability: float) -> Learning:
    """Go on beyond the level of a quantile that holds much more than its probability: the mean lies there."""
    pool = Pool(archive.recent(chain))
    archive.aim(pool)
    if archive.complement or pool.log_probability(archive.level) < np.log(ATOM * probability):
        return
    above = pool.scores[pool.scores > archive.level]
    archive.level = float(above.min()) if above.size else float(np.nextafter(archive.level, np.inf))
    yield from _climb(archive, chain, aim=False)


def _climb(archive: Archive, chain: list[Sample], *, aim: bool = True) -> Learning:
    """Tilt, fit and draw until there are enough hits or nothing more is learned.

    Without `aim` the level stays, and is given up where every heat has hit nothing.
    """
    settings = archive.settings
    best_score, best_sharpness, stalled, previous = -np.inf, np.inf, 0, np.inf
    for batch in range(settings.levels):
        pool = Pool(archive.recent(chain))
        if aim:
            archive.aim(pool)
        tilt = tilted(archive, pool, chain[-1], previous)
        if tilt.arrived:
            return
        top = float(pool.scores.max())
        better = top > best_score or tilt.sharpness < settings.progress * best_sharpness
        poor = effective(tilt.log_weights) < settings.few_effective
        stalled = 0 if better or poor else stalled + 1
        hopeless = not aim and batch >= len(settings.heats) and top < archive.level
        if stalled >= settings.patience or hopeless:
            return
        best_score, best_sharpness = max(best_score, top), min(best_sharpness, tilt.sharpness)
        proposal = next_proposal(archive, pool, tilt, chain)
        yield from archive.draw(proposal, archive.batch, chain, "learn", tilt.level)
        previous = tilt.sharpness


def _find_modes(archive: Archive, space: DiscreteSpace, chain: list[Sample]) -> Learning:
    """Heat until hits are common, descend from them, and draw about where they end."""
    starts = space.settings.mode_starts
    if not (starts and space.skewed.any()):
        return
    for heat in space.settings.heats:
        if len(archive.hits(chain)) >= starts:
            break
        yield from archive.draw(space.heated(heat), archive.batch, chain, "heat")
    hits = archive.hits(chain)
    if len(hits) == 0:
        return
    rng = chain[-1].stream()
    picked = hits[rng.choice(len(hits), size=min(starts, len(hits)), replace=False)]
    points = yield from descend(picked, space.likely, space.skewed, archive.level, rng)
    known = points if archive.modes is None else np.vstack([archive.modes, points])
    archive.modes = np.unique(known, axis=0)
    around = mixture([space.about(archive.modes), space.wide], list(space.settings.mode_rates))
    yield from archive.draw(around, archive.batch, chain, "modes", archive.level)


def tilted(archive: Archive, pool: Pool, newest: Sample, previous: float) -> Tilt:
    """Return weights that lead one step towards the event: by score, or by heat where it is yes or no.

    The soft indicator is as sharp as it can be while `Archive.wanted` rows stay effective.
    """
    scores = pool.scores
    if len(np.unique(scores)) <= 2:
        return _heated(archive, pool)
    low, high = archive.settings.sharpness
    log_w = pool.log_weights()
    inside = scores >= archive.level
    if effective(log_w[inside]) >= archive.wanted:
        return Tilt(np.where(inside, log_w, -np.inf), low, True, archive.level)
    t = distance(archive.settings)(scores, archive.level, log_w)

    def weights(sigma: float) -> Floats:
        return np.asarray(log_w + soft(t, sigma))

    sigma = sharpest(weights, low, high, archive.wanted)
    arrived = _sharp_enough(t[-len(newest.scores) :], previous, archive)
    log_tilt = weights(sigma)
    return Tilt(log_tilt, sigma, arrived, min(_median(scores, log_tilt), archive.level))


def _median(scores: Floats, log_weights: Floats) -> float:
    """Return the score that half of the weight reaches."""
    order = np.argsort(scores, kind="stable")[::-1]
    above = np.cumsum(np.exp(log_weights[order] - log_weights.max()))
    return float(scores[order[np.searchsorted(above, above[-1] / 2)]])


def _sharp_enough(t: Floats, sigma: float, archive: Archive) -> bool:
    """Whether indicator over soft indicator varies little over a batch that has enough hits."""
    inside = t <= 0
    if not np.isfinite(sigma) or inside.sum() < archive.settings.few_hits:
        return False
    ratio = np.where(inside, np.exp(-soft(np.minimum(t, 0.0), sigma)), 0.0)
    return bool(ratio.std() <= archive.delta * ratio.mean())


def _heated(archive: Archive, pool: Pool) -> Tilt:
    """For a yes-or-no score: hits under the coldest nominal that keeps enough of them."""
    inside = pool.scores >= archive.level
    log_q, x = pool.log_mixture(), pool.x

    def weights(cold: float) -> Floats:
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
    space, settings = archive.space, archive.settings
    if effective(tilt.log_weights) < settings.few_effective:
        heats = settings.heats
        return space.heated(heats[min(len(chain) - OPENING, len(heats) - 1)])
    fitted = fit(archive, pool, tilt.log_weights, chain[-1].stream())
    return mixture([fitted, space.wide], [1 - settings.wide_share, settings.wide_share])


def fit(archive: Archive, pool: Pool, log_weights: Floats, rng: np.random.Generator) -> Family:
    """Fit a proposal of the space to the pool."""
    kept = np.isfinite(log_weights)
    slope = None
    if archive.space.dimension > archive.settings.small and len(np.unique(pool.scores)) > 2:
        t = distance(archive.settings)(pool.scores, archive.level, pool.log_weights())
        slope = archive.space.slope(pool.x, -t)
    return archive.space.fit(pool.x[kept], scaled(log_weights[kept]), slope, rng)


_LEAST = 1e-300  # a mass whose logarithm is still finite
_CERTAIN = -1e-12  # the log of a tail mass whose normal quantile is still finite (-7)

Distance = Callable[[Floats, float, Floats], Floats]


def distance(settings: Settings) -> Distance:
    """Return how the distance of scores to a level is told."""
    return settings.distance or normal_distance


def normal_distance(scores: Floats, level: float, log_weights: Floats) -> Floats:
    """Return each row's normal distance to the event, ``(n,)``: positive outside, not positive inside."""
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


def _normal(mass: Floats | float, log_offset: float) -> Floats:
    """Return -Φ⁻¹ of a tail mass that lacks the factor exp(log_offset)."""
    log_tail = np.log(np.maximum(mass, _LEAST)) + log_offset
    return np.asarray(-ndtri_exp(np.minimum(log_tail, _CERTAIN)))


def soft(t: Floats, sigma: float) -> Floats:
    """Return the logarithm of the soft indicator Φ(-t/σ).

    References
    ----------
    Papaioannou, Geyer & Straub (2019), "Improved cross entropy-based importance sampling with a flexible
    mixture model", Reliability Engineering & System Safety 191.
    """
    return np.asarray(log_ndtr(-t / sigma))
