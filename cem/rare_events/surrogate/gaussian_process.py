"""Gaussian processes with a polynomial trend, and the hyperparameters that data make likeliest.

The covariance of two rows u and v is a constant, a linear and a squared-linear trend and a Matérn 5/2 kernel
with a length for each coordinate,

    c + a² u·v + b² (Σ u_j v_j / ℓ_j²)² + s² (1 + r + r²/3) exp(-r),    r² = 5 Σ (u_j - v_j)² / ℓ_j²,

and noise on the diagonal. Hyperparameters are the logarithms of a, b, s, the noise's standard deviation and
ℓ, in this order, shape ``(4 + d,)``; values are meant to be standardised.

References
----------
Rasmussen & Williams (2006), "Gaussian Processes for Machine Learning", MIT Press: Algorithm 2.1 for the
posterior, Section 2.7 for trends as a part of the covariance, Equation (4.17) for Matérn 5/2, (5.9) for the
gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from cem.clock import look_at_clock
from cem.families.base import Floats
from cem.families.gaussian import LOG_2PI

CONSTANT = 10.0  # variance of the constant: of a standardised value's mean hardly anything is known
JITTER = 1e-8  # on the diagonal, so that rows which nearly coincide can be factorised
SCALES = 4  # hyperparameters before the lengths
PRIOR_MEAN = np.array(
    [-1.0, -1.0, -1.0, -8.0]
)  # of log scales: parts of a unit variance; a code has no noise
PRIOR_STD = np.array([2.0, 2.0, 2.0, 3.0])  # factors of e² to e³ either way: what the data say decides
START = np.array([-0.5, -1.5, -0.5, -7.0])
SECOND_START = np.array([-1.5, -1.5, 0.2, -7.0])  # less trend, shorter lengths
SHORTER = 0.7  # nats
BOUNDS = ((-8.0, 4.0), (-8.0, 4.0), (-8.0, 4.0), (-9.2, 0.0))  # of log scales; noise from 1e-4 up
LENGTHS = (0.2, 200.0)  # beyond, a coordinate of standard deviation 1 is white or does not matter
ROUNDS = (60, 25)  # most steps of L-BFGS from the start, and from where the last fit ended


def prior_length(d: int) -> float:
    """Return the log of a length at which standard normal rows, √(2d) apart, are still related."""
    return float(np.log(2 * np.sqrt(d)))


def negative_log_posterior(theta: Floats, x: Floats, y: Floats) -> tuple[float, Floats]:
    """Return the negative log posterior density of hyperparameters, up to a constant, and its gradient.

    Parameters
    ----------
    theta : ndarray, shape (4 + d,)
    x : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    """
    n, d = x.shape
    linear, quadratic, matern, noise = np.exp(2 * theta[:SCALES])
    look_at_clock()
    z = x / np.exp(theta[SCALES:])
    inner = z @ z.T
    r = _scaled_distances(inner, np.diag(inner), np.diag(inner))
    decay = np.exp(-r)
    parts = linear * (x @ x.T), quadratic * inner**2, matern * (1 + r + r * r / 3) * decay
    covariance = CONSTANT + parts[0] + parts[1] + parts[2]
    covariance[np.diag_indices(n)] += noise + JITTER
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(theta)
    alpha = cho_solve((factor, True), y)
    off = (theta[:SCALES] - PRIOR_MEAN) / PRIOR_STD
    far = theta[SCALES:] - prior_length(d)
    value = 0.5 * y @ alpha + np.log(np.diag(factor)).sum() + 0.5 * n * LOG_2PI
    value += 0.5 * (off @ off) + 0.5 * (far @ far)
    w = np.outer(alpha, alpha) - cho_solve((factor, True), np.eye(n))
    gradient = np.empty_like(theta)
    gradient[:3] = [-(w * part).sum() for part in parts]
    gradient[3] = -noise * np.trace(w)
    gradient[:SCALES] += off / PRIOR_STD
    m, q = w * (matern * 5 / 3 * (1 + r) * decay), w * inner
    gradient[SCALES:] = far - m.sum(axis=1) @ z**2 + np.einsum("ij,ij->j", z, m @ z)
    gradient[SCALES:] += 2 * quadratic * np.einsum("ij,ij->j", z, q @ z)
    return float(value), gradient


def find_hyperparameters(x: Floats, y: Floats, start: Floats | None = None) -> tuple[Floats, float]:
    """Maximise the posterior of the hyperparameters by L-BFGS, from `start` or from two points of its own.

    Returns
    -------
    theta : ndarray, shape (4 + d,)
    value : float
        The negative log posterior there.
    """
    from scipy.optimize import minimize

    d = x.shape[1]
    bounds = [*BOUNDS, *([tuple(np.log(LENGTHS))] * d)]
    length = np.full(d, prior_length(d))
    starts = [np.append(START, length), np.append(SECOND_START, length - SHORTER)]
    if start is not None:
        starts = [start]
    rounds = ROUNDS[start is not None]
    found = [
        minimize(
            negative_log_posterior,
            s,
            args=(x, y),
            method="L-BFGS-B",
            jac=True,
            bounds=bounds,
            options={"maxiter": rounds},
        )
        for s in starts
    ]
    best = min(found, key=lambda one: float(one.fun))
    return np.asarray(best.x), float(best.fun)


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """The posterior, given values `y` at rows `x`.

    Attributes
    ----------
    x : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    theta : ndarray, shape (4 + d,)
    factor : ndarray, shape (n, n)
        Lower Cholesky factor of the rows' covariance.
    """

    x: Floats
    y: Floats
    theta: Floats
    factor: Floats

    @classmethod
    def condition(cls, x: Floats, y: Floats, theta: Floats) -> Self:
        """Return the posterior given `y`, shape ``(n,)``, at `x`, shape ``(n, d)``."""
        factor = np.linalg.cholesky(_noisy(_prior_covariance(x, x, theta), theta))
        return cls(x, y, theta, np.asarray(factor, dtype=np.float64))

    def extended(self, x: Floats, y: Floats) -> Self:
        """Return the posterior given further values ``(k,)`` at rows ``(k, d)``, by a block of the factor."""
        across = solve_triangular(self.factor, self.cross_covariance(x).T, lower=True)
        rest = _noisy(_prior_covariance(x, x, self.theta), self.theta) - across.T @ across
        n, k = len(self.x), len(x)
        factor = np.zeros((n + k, n + k))
        factor[:n, :n], factor[n:, :n], factor[n:, n:] = self.factor, across.T, np.linalg.cholesky(rest)
        return type(self)(np.vstack([self.x, x]), np.append(self.y, y), self.theta, factor)

    @property
    def noise_variance(self) -> float:
        """Variance of a value about the process."""
        return float(np.exp(2 * self.theta[3])) + JITTER

    def left_out(self) -> tuple[Floats, Floats]:
        """Return how far each value is off what the others predict, and its standard deviation, ``(n,)``.

        By Equation (5.12) of Rasmussen & Williams (2006): with K the covariance, [K⁻¹y]_i / [K⁻¹]_ii and
        1 / √[K⁻¹]_ii.
        """
        inverse = cho_solve((self.factor, True), np.eye(len(self.y)))
        precision = np.diag(inverse)
        return np.asarray(inverse @ self.y / precision), 1 / np.sqrt(precision)

    def predict(self, u: Floats, chunk: int = 4000) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the values, noise included, at rows ``(m, d)``."""
        alpha = cho_solve((self.factor, True), self.y)
        mean, variance = np.empty(len(u)), np.empty(len(u))
        for first in range(0, len(u), chunk):
            look_at_clock()
            rows = slice(first, first + chunk)
            across = self.cross_covariance(u[rows])
            mean[rows] = across @ alpha
            solved = solve_triangular(self.factor, across.T, lower=True, check_finite=False)
            variance[rows] = self._own_variance(u[rows]) - np.einsum("ij,ij->j", solved, solved)
        return mean, np.sqrt(np.maximum(variance, 0.0) + self.noise_variance)

    def covariance(self, u: Floats) -> Floats:
        """Return the posterior covariance of the process at rows ``(m, d)``, shape ``(m, m)``."""
        solved = solve_triangular(self.factor, self.cross_covariance(u).T, lower=True, check_finite=False)
        return _prior_covariance(u, u, self.theta) - np.asarray(solved.T @ solved)

    def cross_covariance(self, u: Floats) -> Floats:
        """Return the prior covariance of rows ``(m, d)`` with those that are known, shape ``(m, n)``."""
        return _prior_covariance(u, self.x, self.theta)

    def _own_variance(self, u: Floats) -> Floats:
        linear, quadratic, matern, _ = np.exp(2 * self.theta[:SCALES])
        z = u / np.exp(self.theta[SCALES:])
        square = np.einsum("ij,ij->i", z, z)
        return np.asarray(CONSTANT + linear * np.einsum("ij,ij->i", u, u) + quadratic * square**2 + matern)


def _prior_covariance(u: Floats, v: Floats, theta: Floats) -> Floats:
    linear, quadratic, matern, _ = np.exp(2 * theta[:SCALES])
    lengths = np.exp(theta[SCALES:])
    a, b = u / lengths, v / lengths
    inner = a @ b.T
    r = _scaled_distances(inner, np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b))
    trend = CONSTANT + linear * (u @ v.T) + quadratic * inner**2
    return np.asarray(trend + matern * (1 + r + r * r / 3) * np.exp(-r))


def _scaled_distances(inner: Floats, left: Floats, right: Floats) -> Floats:
    """Return √5 times the distances of rows from their inner products and squares."""
    return np.asarray(np.sqrt(5 * np.maximum(left[:, None] + right[None, :] - 2 * inner, 0.0)))


def _noisy(covariance: Floats, theta: Floats) -> Floats:
    covariance[np.diag_indices(len(covariance))] += np.exp(2 * theta[3]) + JITTER
    return covariance
