"""A direction on the sphere and a length: the von Mises-Fisher-Nakagami distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import digamma, gammaln, ive, logsumexp

from cem.families.base import (
    LARGEST,
    Array,
    Floats,
    Stored,
    check_fit,
    check_rate,
    check_rows,
    frozen,
    parameter_vector,
)
from cem.families.gamma import shape_of

_TINY = float(np.finfo(np.float64).tiny)
MOST_CONCENTRATION = 1e10
ROUNDS = 50
_LARGE = 1000.0  # order or argument from which three terms of its expansion give a Bessel function


@dataclass(frozen=True, eq=False, repr=False)
class VonMisesFisherNakagami(Stored):
    """Rows whose direction is von Mises-Fisher and whose length is Nakagami, independently; immutable.

    For ``x = r a`` with a unit vector a the density is ``C(κ) exp(κ μ'a)`` of the direction, times the
    Nakagami density of the length, ``2 m^m / (Γ(m) Ω^m) r^(2m - 1) exp(-m r² / Ω)``, over ``r^(d - 1)``.

    Parameters
    ----------
    direction : array_like, shape (d,)
        Mean direction, d at least 2; scaled to length one.
    concentration : float
        κ of the direction; 0 is uniform.
    shape : float
        m of the length, positive. With κ = 0, m = d/2 and `spread` d the distribution is standard normal.
    spread : float
        Ω of the length: the mean of its square.

    Raises
    ------
    ValueError
        If a parameter lies outside its range.

    References
    ----------
    Papaioannou, Geyer & Straub (2019), "Improved cross entropy-based importance sampling with a flexible
    mixture model", Reliability Engineering & System Safety 191, Section 4.2; Wood (1994), "Simulation of the
    von Mises Fisher distribution", Communications in Statistics 23.

    Examples
    --------
    >>> import cem
    >>> standard = cem.VonMisesFisherNakagami([1.0, 0.0], concentration=0.0, shape=1.0, spread=2.0)
    >>> [float(f.log_prob([[0.6, 0.8]]).round(4)[0]) for f in (standard, cem.Gaussian([0, 0], std=1))]
    [-2.3379, -2.3379]
    """

    direction: Any
    concentration: Any
    shape: Any
    spread: Any

    def __post_init__(self) -> None:
        direction = parameter_vector("direction", self.direction)
        if direction.size < 2 or not direction.any():
            raise ValueError("direction must be a vector of at least two numbers, not all zero.")
        top = float(np.abs(direction).max())
        if not 1 / LARGEST < top < LARGEST:  # squares would not be floats
            direction = direction / top
        size = float(np.linalg.norm(direction))
        numbers = {
            name: parameter_vector(name, getattr(self, name)) for name in ("concentration", "shape", "spread")
        }
        if max(each.size for each in numbers.values()) > 1:
            raise ValueError("concentration, shape and spread must be single numbers.")
        if not numbers["concentration"][0] >= 0:
            raise ValueError(f"concentration must be finite and not negative, got {self.concentration!r}.")
        for name in ("shape", "spread"):
            if not numbers[name][0] > 0:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)!r}.")
        unit = direction if abs(size - 1) < 1e-12 else direction / size
        object.__setattr__(self, "direction", frozen(unit))
        for name in ("concentration", "shape", "spread"):
            object.__setattr__(self, name, frozen(float(numbers[name][0])))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.direction.size)

    @property
    def resultant(self) -> float:
        """Length of the mean of the unit vectors, A(κ)."""
        return mean_resultant(self.dimension, float(self.concentration))

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` candidates, shape ``(n, d)``."""
        d = self.dimension
        along = _cosines(n, d, float(self.concentration), rng)[:, None]
        across = rng.standard_normal((n, d))
        across -= (across @ self.direction)[:, None] * self.direction
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), _TINY)
        length = np.sqrt(rng.gamma(self.shape, self.spread / self.shape, size=(n, 1)))
        unit = along * self.direction + np.sqrt(np.maximum(1 - along**2, 0)) * across
        return np.asarray(np.maximum(length, _TINY) * unit)

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``."""
        x = np.clip(check_rows(x, self.dimension), -LARGEST, LARGEST)
        r = np.maximum(np.linalg.norm(x, axis=1), _TINY)
        m, d, k = self.shape, self.dimension, float(self.concentration)
        with np.errstate(over="ignore"):  # far beyond the spread the density is 0
            square = m * (r**2 / self.spread)
        length = np.log(2) + m * np.log(m / self.spread) - gammaln(m) + (2 * m - 1) * np.log(r) - square
        turn = log_normaliser(d, k) + k * ((x / r[:, None]) @ self.direction - 1)
        return np.asarray(length + turn - (d - 1) * np.log(r))

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: the mean direction, and the lengths' squares as gamma's."""
        x, w = check_fit(x, weights, self.dimension)
        r = np.maximum(np.linalg.norm(x, axis=1), _TINY)
        return self._from_means(w @ (x / r[:, None]), float(w @ r**2), float(2 * w @ np.log(r)))

    def _from_means(self, mean: Floats, square: float, log_square: float) -> Self:
        """Return the member with this mean unit vector, mean square and mean logarithm of the square."""
        rho = float(np.linalg.norm(mean))
        direction = mean if rho > 1e-12 else self.direction
        square = max(square, _TINY)
        shape = float(shape_of(np.log(square) - log_square))
        return type(self)(direction, concentration_of(self.dimension, rho), shape, square)

    @property
    def _means(self) -> tuple[Floats, float, float]:
        log_square = float(digamma(self.shape) + np.log(self.spread / self.shape))
        return np.asarray(self.resultant * self.direction), float(self.spread), log_square

    def blend(self, other: Self, rate: float, /) -> Self:
        """Return the member nearest to the mixture of the two: sufficient statistics are averaged."""
        a = check_rate(rate)
        if other.dimension != self.dimension:
            raise ValueError(f"the families have {self.dimension} and {other.dimension} coordinates.")
        if a in (0.0, 1.0):
            return self if a == 0 else other
        mean, square, log_square = self._means
        to_mean, to_square, to_log_square = other._means
        return self._from_means(
            (1 - a) * mean + a * to_mean,
            (1 - a) * square + a * to_square,
            (1 - a) * log_square + a * to_log_square,
        )

    def _mean_log_prob(self, other: Self) -> float:
        """Mean of the log density of `other` under this one (all of it in closed form)."""
        mean, square, log_square = self._means
        m, d = other.shape, self.dimension
        length = np.log(2) + m * np.log(m / other.spread) - gammaln(m)
        length += (m - 0.5) * log_square - m * (square / other.spread)
        k = float(other.concentration)
        turn = log_normaliser(d, k) + k * (mean @ other.direction - 1)
        return float(length + turn - (d - 1) / 2 * log_square)

    def entropy(self) -> float:
        """Differential entropy in nats."""
        return -self._mean_log_prob(self)

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, type(self)) or other.dimension != self.dimension:
            raise TypeError("a closed form needs two of this family, of the same dimension.")
        return self._mean_log_prob(self) - self._mean_log_prob(other)

    def __repr__(self) -> str:
        return (
            f"VonMisesFisherNakagami({self.dimension} coordinates, concentration {self.concentration:.3g}, "
            f"shape {self.shape:.3g}, spread {self.spread:.3g})"
        )


def log_bessel(order: float, x: float) -> float:
    """Return the logarithm of ``exp(-x)`` times the modified Bessel function of the first kind, for x > 0.

    Where scipy's underflows or gives up: the power series while its terms are few, else the expansion that is
    uniform in large order and argument.

    References
    ----------
    DLMF, https://dlmf.nist.gov, Equations 10.25.2, 10.41.3 and 10.41.10.
    """
    scaled = float(ive(order, x))
    if scaled > 1e-290:
        return float(np.log(scaled))
    size = float(np.hypot(order, x))
    if size < _LARGE:
        j = np.arange(int(60 + 1.5 * (size - order)))  # the largest term is at (size - order) / 2
        terms = 2 * j * np.log(x / 2) - gammaln(j + 1) - gammaln(order + j + 1)
        return float(order * np.log(x / 2) + logsumexp(terms) - x)
    return expand_log_bessel(order, x)


def expand_log_bessel(order: float, x: float) -> float:
    """Return what `log_bessel` does, by the expansion that is uniform in large orders and arguments."""
    size = float(np.hypot(order, x))
    p = (order / size) ** 2
    series = (
        1
        + (3 - 5 * p) / (24 * size)
        + (81 - 462 * p + 385 * p**2) / (1152 * size**2)
        + (30375 - 369603 * p + 765765 * p**2 - 425425 * p**3) / (414720 * size**3)
    )
    grown = order**2 / (size + x) - order * np.arcsinh(order / x)
    return float(grown - 0.5 * np.log(2 * np.pi * size) + np.log(series))


def log_normaliser(d: int, concentration: float) -> float:
    """Return the log of the factor before ``exp(κ (μ'a - 1))`` on the unit sphere of `d` dimensions."""
    if concentration < 1e-12:
        return float(gammaln(d / 2) - np.log(2) - d / 2 * np.log(np.pi))
    order = d / 2 - 1
    bessel = log_bessel(order, concentration)
    return float(order * np.log(concentration) - d / 2 * np.log(2 * np.pi) - bessel)


def mean_resultant(d: int, concentration: float) -> float:
    """Return the length of the mean unit vector, the ratio of Bessel functions of orders d/2 and d/2 - 1."""
    if concentration < 1e-6:
        return concentration / d
    return float(np.exp(log_bessel(d / 2, concentration) - log_bessel(d / 2 - 1, concentration)))


def concentration_of(d: int, resultant: float) -> float:
    """Solve A(κ) = `resultant` by Newton's method from Banerjee's approximation.

    References
    ----------
    Banerjee, Dhillon, Ghosh & Sra (2005), "Clustering on the unit hypersphere using von Mises-Fisher
    distributions", Journal of Machine Learning Research 6; Sra (2012), Computational Statistics 27.
    """
    rho = min(max(resultant, 0.0), 1 - 1e-9)
    if rho < 1e-12:
        return 0.0
    kappa = min(rho * (d - rho**2) / (1 - rho**2), MOST_CONCENTRATION)
    if kappa > _LARGE**2 * d:  # rounding of the ratio would cost more than the approximation does
        return float(kappa)
    for _ in range(ROUNDS):
        a = mean_resultant(d, kappa)
        slope = 1 - a * a - (d - 1) / kappa * a
        if not slope > 0:
            break
        after = min(max(kappa - (a - rho) / slope, kappa / 2), 2 * kappa, MOST_CONCENTRATION)
        done = abs(after - kappa) <= 1e-12 * kappa
        kappa = after
        if done:
            break
    return float(kappa)


def _cosines(n: int, d: int, concentration: float, rng: np.random.Generator) -> Floats:
    """Draw the cosine of the angle to the mean direction, by Wood's rejection from a beta."""
    k = concentration
    b = (d - 1) / (np.sqrt(4 * k * k + (d - 1) ** 2) + 2 * k)
    x0 = (1 - b) / (1 + b)
    top = k * x0 + (d - 1) * np.log1p(-x0 * x0)
    out, left = np.empty(n), np.arange(n)
    while left.size:
        z = rng.beta((d - 1) / 2, (d - 1) / 2, size=left.size)
        w = (1 - (1 + b) * z) / (1 - (1 - b) * z)
        kept = k * w + (d - 1) * np.log1p(-x0 * w) - top >= np.log(rng.random(left.size))
        out[left[kept]] = w[kept]
        left = left[~kept]
    return out
