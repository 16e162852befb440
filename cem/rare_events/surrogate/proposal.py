"""Where to draw: a proposal for the event as the surrogate sees it, its doubt included.

The score that the surrogate predicts at u is normal. The event that it may reach the level,
mean(u) + ξ sd(u) ≥ 0 with one more standard normal ξ, has probability E[π(u)], π = Φ(mean/sd), and the
density of u given it is proportional to π times the nominal: the quasi-optimal density of meta-model
importance sampling (Dubourg, Sudret & Deheeger 2013). The improved method learns it, on the surrogate's
predictions in place of evaluations.

References
----------
Dubourg, Sudret & Deheeger (2013), "Metamodel-based importance sampling for structural reliability analysis",
Probabilistic Engineering Mechanics 33.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from scipy.special import ndtr, ndtri

from cem.core.loop import Batch, Draw, Request, Rows
from cem.families.base import Array, Family, Floats, Index, Mask
from cem.families.gaussian_mixture import GaussianMixture
from cem.rare_events.archive import Archive, mixture
from cem.rare_events.learning import learn, opening
from cem.rare_events.measuring import fitting_pool
from cem.rare_events.pool import scaled
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.model import Surrogate
from cem.rare_events.surrogate.several import SystemSurrogate

ENOUGH = 150.0  # effective rows of a pool from which a proposal is fitted; fewer, and it is learned anew
FITTED_ROWS = 1500  # that a fit looks at
NEGLIGIBLE = 1e-6  # of the heaviest row: weights below are left out of a fit
LEVELS = 15  # most batches of a chain: events of 1e-12 take 7 to 13
LEAST_TAIL, MOST_TAIL = 1e-15, 0.2  # probabilities for which the wide normal is made

T = TypeVar("T")
Score = Callable[[Floats], Floats]


def serve(plan: Generator[Request, Batch, T], score: Score, rng: np.random.Generator) -> T:
    """Serve the rows of a plan with a score that costs nothing."""
    answer: Batch | None = None
    try:
        while True:
            request = plan.send(answer)  # type: ignore[arg-type]  # a generator starts with None
            answer = None
            if isinstance(request, Draw | Rows):
                x = np.asarray(
                    request.x if isinstance(request, Rows) else request.family.sample(request.n, rng)
                )
                seed = int(rng.integers(2**63))
                answer = Batch(x, score(x), partial(np.random.default_rng, seed))
    except StopIteration as finished:
        found: T = finished.value
        return found


def learn_proposal(
    surrogate: Surrogate | SystemSurrogate, space: NormalSpace, rng: np.random.Generator
) -> Family:
    """Learn where the surrogate may reach the level, by the improved method on the augmented event."""
    d = space.dimension

    def possible(u: Floats) -> Floats:
        mean, deviation = surrogate.judge(*surrogate.predict(u[:, :d]))
        return np.asarray(mean + deviation * u[:, d])

    settings = replace(space.settings, levels=LEVELS)
    archive = Archive(NormalSpace(d + 1, settings), 0.0)
    for _ in range(space.settings.chains):
        serve(opening(archive), possible, rng)
        serve(learn(archive), possible, rng)
    pool = fitting_pool(archive)
    log_weights = pool.event_weights(0.0)
    hit = np.isfinite(log_weights)
    if not hit.any():
        return mixture([space.wide, space.nominal], [0.5, 0.5])
    x = pool.x[hit, :d]
    slope = space.slope(pool.x[:, :d], pool.scores)
    return _complete(space, space.fit(x, scaled(log_weights[hit]), slope, rng))


def _complete(space: NormalSpace, fitted: Family) -> Family:
    """Return a fit with its inflated copy, the wide part and the nominal."""
    return mixture([fitted, space.inflated(fitted), space.wide, space.nominal], list(space.rates))  # type: ignore[arg-type]


def refit_proposal(view: View, space: NormalSpace, rng: np.random.Generator) -> Family:
    """Fit a proposal to a pool by the weights that the surrogate gives its rows now."""
    v = view.pool.weights * view.possible
    at = np.flatnonzero(v > NEGLIGIBLE * v.max())
    w = v[at]
    if len(at) > FITTED_ROWS:
        at = at[np.unique(systematic(w, FITTED_ROWS, np.arange(len(at)), rng))]
        w = np.maximum(v[at] / v[at].mean(), 1.0)  # a row that stands for several keeps what it stands for
    w = w * (w.sum() / (w * w).sum()) * min(1.0, view.effective / len(at))
    return _complete(space, space.fit(view.pool.u[at], w, space.slope(view.pool.u, view.mean), rng))


def wide_normal(d: int, probability: float) -> GaussianMixture:
    """Return the isotropic normal that is best for a half-space of this probability in an unknown direction.

    With β the half-space's distance, the variance 1 + β²/d maximises the density at the radius √(d + β²).
    """
    beta = float(-ndtri(np.clip(probability, LEAST_TAIL, MOST_TAIL)))
    return GaussianMixture([1.0], np.zeros((1, d)), np.full((1, d), np.sqrt(1 + beta**2 / d)))


def systematic(weights: Floats, n: int, order: Index, rng: np.random.Generator) -> Index:
    """Draw `n` indices with chances proportional to weights ``(m,)``, systematically along an order ``(m,)``.

    Index i is expected n·w_i/Σw times: Madow (1949), Annals of Mathematical Statistics 20.
    """
    sums = np.cumsum(weights[order])
    at = (rng.random() + np.arange(n)) / n * sums[-1]
    return np.asarray(order[np.minimum(np.searchsorted(sums, at, side="right"), len(order) - 1)])


@dataclass(frozen=True, eq=False)
class FreePool:
    """Rows drawn from a proposal, at which the surrogate may be asked for nothing.

    Attributes
    ----------
    u : ndarray, shape (N, d)
    weights : ndarray, shape (N,)
        Nominal density over that of the proposal.
    wide : ndarray, shape (N,)
        Density of a wide normal over that of the proposal.
    proposal : Family
    """

    u: Floats
    weights: Floats
    wide: Floats
    proposal: Family

    @classmethod
    def draw(
        cls,
        space: NormalSpace,
        proposal: Family,
        n: int,
        rng: np.random.Generator,
        probability: float,
        wide_share: float = 0.0,
    ) -> FreePool:
        """Draw `n` rows, a share of them from the wide normal for an event of this probability."""
        wide = wide_normal(space.dimension, probability)
        if wide_share:
            proposal = mixture([proposal, wide], [1 - wide_share, wide_share])
        u: Array = np.asarray(proposal.sample(n, rng))
        log_q = np.asarray(proposal.log_prob(u))
        weights, over = (np.exp(f.log_prob(u) - log_q) for f in (space.nominal, wide))
        return cls(u, weights, over, proposal)


@dataclass(frozen=True, eq=False)
class View:
    """A pool as the surrogate sees it.

    Attributes
    ----------
    pool : FreePool
    mean, deviation : ndarray, shape (N,)
        Of the score predicted; the level is 0.
    possible : ndarray, shape (N,)
        The chance π that a row lies in the event.
    predicted : pair of ndarray
        Mean and deviation as the surrogate predicted them: of a system, for each mode, shapes ``(N, k)``.
    """

    pool: FreePool
    mean: Floats
    deviation: Floats
    possible: Floats
    predicted: tuple[Floats, Floats]

    @classmethod
    def of(cls, pool: FreePool, surrogate: Surrogate | SystemSurrogate) -> View:
        """Look at a pool."""
        predicted = surrogate.predict(pool.u)
        mean, deviation = surrogate.judge(*predicted)
        return cls(pool, mean, deviation, ndtr(mean / deviation), predicted)

    @property
    def inside(self) -> Mask:
        """Which rows the surrogate places in the event, shape ``(N,)``."""
        return np.asarray(self.mean >= 0)

    @property
    def miss(self) -> Floats:
        """The chance that a row lies on the other side, shape ``(N,)``."""
        return np.where(self.inside, 1 - self.possible, self.possible)

    @property
    def augmented(self) -> float:
        """Probability of the augmented event."""
        return float((self.pool.weights * self.possible).mean())

    @property
    def probability(self) -> float:
        """Probability that the mean reaches the level."""
        return float((self.pool.weights * self.inside).mean())

    @property
    def scale(self) -> float:
        """The probability by which errors are judged: positive wherever one of the two is."""
        return max(self.probability, 0.5 * self.augmented, LEAST_TAIL)

    @property
    def doubtful_share(self) -> float:
        """Share of the augmented event that the surrogate expects to misjudge."""
        return float((self.pool.weights * self.miss).mean()) / max(self.augmented, LEAST_TAIL)

    @property
    def effective(self) -> float:
        """Effective rows of the augmented event."""
        v = self.pool.weights * self.possible
        square = float(v @ v)
        return float(v.sum()) ** 2 / square if square > 0 else 0.0

    @property
    def coefficient_of_variation(self) -> float:
        """That of `probability`, of the pool's draws alone."""
        v = self.pool.weights * self.inside
        mean = float(v.mean())
        return float(v.std()) / mean / np.sqrt(len(v)) if mean > 0 else np.inf
