"""Where to evaluate while the surrogate is still learned: the start, the event's border, and around it."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtri, ndtri

from cem.families.base import Floats, Index
from cem.rare_events.surrogate.gaussian_process import GaussianProcess
from cem.rare_events.surrogate.proposal import View, systematic
from cem.rare_events.surrogate.several import JointProcess

LEAST_START, START_PER_INPUT, START_BEYOND = 12, 2, 4  # rows of a start: as many as a trend has terms, twice
FEW = 12  # inputs up to which this holds; beyond, 1.25 d + 14
STRETCHES = (2.2, 1.3)  # most of the outer half, whose stretch is 1 + 2.5/√d; and of the inner half
CANDIDATES = 200  # among which the points of a batch are chosen
BALL_CANDIDATES = 1500
REACH = 1.1  # times the distance of the event: how far a look around goes
TINY = 1e-6  # of a prior variance: what keeps a greedy step from dividing by nothing


def starting_size(d: int) -> int:
    """Return the number of rows that a start has."""
    return max(LEAST_START, START_PER_INPUT * d + START_BEYOND) if d <= FEW else int(1.25 * d + 14)


def stretches(d: int) -> tuple[float, float]:
    """Return by how much the two halves of a start are stretched."""
    return min(1 + 2.5 / np.sqrt(d), STRETCHES[0]), STRETCHES[1]


def starting_points(d: int, n: int, rng: np.random.Generator) -> Floats:
    """Return a Latin hypercube of `n` normal rows, in turn from a wider and a narrower one, ``(n, d)``.

    References
    ----------
    McKay, Beckman & Conover (1979), Technometrics 21.
    """
    cells = rng.permuted(np.tile(np.arange(n)[:, None], (1, d)), axis=0)
    z = ndtri((cells + rng.random((n, d))) / n)
    outer, inner = stretches(d)
    return np.asarray(z * np.where(np.arange(n) % 2 == 0, outer, inner)[:, None])


def starting_weights(x: Floats) -> Floats:
    """Return nominal density over that of the start, of rows ``(n, d)`` of it, shape ``(n,)``."""
    square, d = np.einsum("ij,ij->i", x, x), x.shape[1]
    logs = [-0.5 * square / s**2 - d * np.log(s) for s in stretches(d)]
    return np.asarray(np.exp(-0.5 * square - np.logaddexp(*logs) + np.log(2)))


def border_points(
    view: View, process: GaussianProcess | JointProcess, n: int, rng: np.random.Generator
) -> Floats:
    """Return `n` rows of a pool, ``(n, d)``, where the surrogate may misjudge most of the event.

    Candidates are drawn in proportion to weight times chance of a wrong side; of them those are chosen, one
    after another, that leave the least variance at all the others.
    """
    weights = view.pool.weights * view.miss
    if not weights.sum() > 0:
        weights = view.pool.weights
    at = np.unique(systematic(weights, CANDIDATES, rng.permutation(len(weights)), rng))
    chosen = spread(process.covariance(view.pool.u[at]), min(n, len(at)))
    return view.pool.u[at[chosen]]


def spread(covariance: Floats, n: int) -> Index:
    """Choose `n` of m candidates greedily, each the one that reduces the others' relative variance most.

    Parameters
    ----------
    covariance : ndarray, shape (m, m)

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    Cohn (1996), "Neural network exploration using optimal experiment design", Neural Networks 9.
    """
    left = covariance.copy()
    first = np.maximum(np.diag(left), 1e-14)
    chosen: list[int] = []
    for _ in range(n):
        own = np.maximum(np.diag(left), 1e-14) + TINY * first
        gain = (left**2 / first[:, None]).sum(axis=0) / own
        gain[chosen] = -1.0
        best = int(np.argmax(gain))
        chosen.append(best)
        left -= np.outer(left[:, best], left[:, best]) / own[best]
    return np.array(chosen)


def radius(d: int, probability: float) -> float:
    """Return the distance beyond which `d` standard normals lie with this probability."""
    return float(np.sqrt(chdtri(d, min(probability, 0.5))))


def ball_points(known: Floats, probability: float, n: int, rng: np.random.Generator) -> Floats:
    """Return `n` rows of a ball that reaches beyond an event of this probability, far from all known rows.

    Parameters
    ----------
    known : ndarray, shape (m, d)
    probability : float
    n : int

    Returns
    -------
    ndarray, shape (n, d)
    """
    d = known.shape[1]
    z = rng.standard_normal((BALL_CANDIDATES, d))
    far = REACH * radius(d, probability) * rng.random(BALL_CANDIDATES) ** (1 / d)
    z *= (far / np.linalg.norm(z, axis=1))[:, None]
    gap = np.full(BALL_CANDIDATES, np.inf)
    for row in known:
        gap = np.minimum(gap, ((z - row) ** 2).sum(axis=1))
    chosen = []
    for _ in range(n):
        best = int(np.argmax(gap))
        chosen.append(best)
        gap = np.minimum(gap, ((z - z[best]) ** 2).sum(axis=1))
    return z[chosen]


def axis_points(d: int, probability: float) -> Floats:
    """Return the rows with one input alone so large that beyond lies a tenth of this probability."""
    far = -float(ndtri(min(0.01, probability / 10)))
    return np.concatenate([far * np.eye(d), -far * np.eye(d)])
