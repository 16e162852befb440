"""Test functions of continuous optimisation, to be minimised in any number of variables.

Each takes points as rows, ``f(X)`` of shape (n,) for `X` of shape (n, d), or one point (d,), for which it
returns a float. It knows its usual box, its least value there and where that is taken:

    cem.optimize(rastrigin, bounds=rastrigin.bounds(10), vectorized=True)   # rastrigin.optimum(10) is 0

Most definitions follow S. Surjanovic and D. Bingham, "Virtual Library of Simulation Experiments: Test
Functions and Datasets", https://www.sfu.ca/~ssurjano, 2013; each function names the paper it comes from.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import Floats


@dataclass(frozen=True, eq=False, repr=False)
class BenchmarkFunction:
    """A function to minimise over a box, with its known optimum.

    Attributes
    ----------
    formula : callable
        Maps rows (n, d) to values (n,).
    side : (float, float)
        The box, the same in each coordinate.
    minimum : float or None
        The least value in every dimension; None where it is that of the computed minimiser.
    locate : callable
        Maps d to a global minimiser (d,).
    least_dimension : int
        The fewest variables it is defined for.
    """

    formula: Callable[[Floats], Floats]
    side: tuple[float, float]
    locate: Callable[[int], Floats]
    minimum: float | None = 0.0
    least_dimension: int = 1

    def __post_init__(self) -> None:
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            object.__setattr__(self, attribute, getattr(self.formula, attribute))

    @property
    def name(self) -> str:
        """The function's name."""
        return self.formula.__name__

    def __call__(self, x: ArrayLike) -> float | Floats:
        """Evaluate rows (n, d) to values (n,), or one point (d,) to a float."""
        points = np.asarray(x, dtype=np.float64)
        if points.ndim not in (1, 2):
            raise ValueError(f"{self.name} takes rows (n, d) or one point (d,), got shape {points.shape}.")
        self._check_dimension(points.shape[-1])
        values = self.formula(np.ascontiguousarray(np.atleast_2d(points)))
        return float(values[0]) if points.ndim == 1 else values

    def bounds(self, d: int) -> list[tuple[float, float]]:
        """Return the usual box as d pairs (low, high)."""
        return [self.side] * self._check_dimension(d)

    def minimizer(self, d: int) -> Floats:
        """Return a point (d,) of the box where the least value is taken."""
        return self.locate(self._check_dimension(d))

    def optimum(self, d: int) -> float:
        """Return the least value over the box."""
        point = self.minimizer(d)
        return float(self.formula(point[np.newaxis])[0]) if self.minimum is None else self.minimum

    def _check_dimension(self, d: int) -> int:
        d = operator.index(d)
        if d < self.least_dimension:
            raise ValueError(f"{self.name} needs d >= {self.least_dimension} variables, got d = {d}.")
        return d

    def __reduce__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        low, high = self.side
        return f"<{type(self).__name__} {self.name} on [{low:g}, {high:g}]^d>"


def _benchmark(
    side: tuple[float, float],
    minimizer: Callable[[int], Floats],
    minimum: float | None = 0.0,
    least_dimension: int = 1,
) -> Callable[[Callable[[Floats], Floats]], BenchmarkFunction]:
    return lambda formula: BenchmarkFunction(formula, side, minimizer, minimum, least_dimension)


def _total(terms: Floats) -> Floats:
    """Sum each row's terms."""
    return np.asarray(terms.sum(axis=1))


@_benchmark((-5.12, 5.12), np.zeros)
def sphere(x: Floats) -> Floats:
    """Sphere, Σ xᵢ²: convex, separable, perfectly conditioned.

    Source: K. A. De Jong, "An Analysis of the Behavior of a Class of Genetic Adaptive Systems", PhD thesis,
    University of Michigan, 1975 (F1).
    """
    return _total(x**2)


@_benchmark((-5.0, 5.0), np.zeros)
def ellipsoid(x: Floats) -> Floats:
    """Ellipsoid, Σ 10^(6 (i-1)/(d-1)) xᵢ²: convex, separable, of condition number 10⁶.

    Source: N. Hansen and A. Ostermeier, "Completely Derandomized Self-Adaptation in Evolution Strategies",
    Evolutionary Computation 9, 2001.
    """
    return _total(np.logspace(0, 6, x.shape[1]) * x**2)


@_benchmark((-5.0, 10.0), np.zeros)
def zakharov(x: Floats) -> Floats:
    """Zakharov, Σ xᵢ² + s² + s⁴ with s = Σ i xᵢ / 2: unimodal, steep along one direction.

    Source: Surjanovic and Bingham (2013).
    """
    s = _total(0.5 * np.arange(1, x.shape[1] + 1) * x)
    return _total(x**2) + s**2 + s**4


@_benchmark((-5.0, 10.0), np.ones, least_dimension=2)
def rosenbrock(x: Floats) -> Floats:
    """Rosenbrock, Σ 100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)²: a long, flat, curved valley.

    Source: H. H. Rosenbrock, "An Automatic Method for Finding the Greatest or Least Value of a Function",
    The Computer Journal 3, 1960, in two variables.
    """
    left, right = x[:, :-1], x[:, 1:]
    return _total(100 * (right - left**2) ** 2 + (1 - left) ** 2)


def _dixon_price_minimizer(d: int) -> Floats:
    return np.asarray(2.0 ** (2.0 ** -np.arange(d) - 1))


@_benchmark((-10.0, 10.0), _dixon_price_minimizer)
def dixon_price(x: Floats) -> Floats:
    """Dixon-Price, (x₁ - 1)² + Σ i (2 xᵢ² - xᵢ₋₁)²: a valley with 2^(d-1) ends, of unlike signs.

    Source: L. C. W. Dixon and R. C. Price, "Truncated Newton Method for Sparse Unconstrained Optimization
    Using Automatic Differentiation", Journal of Optimization Theory and Applications 60, 1989.
    """
    i = np.arange(2, x.shape[1] + 1)
    return (x[:, 0] - 1) ** 2 + _total(i * (2 * x[:, 1:] ** 2 - x[:, :-1]) ** 2)


@_benchmark((-5.12, 5.12), np.zeros)
def rastrigin(x: Floats) -> Floats:
    """Rastrigin, Σ xᵢ² + 10 (1 - cos 2πxᵢ): a bowl with a local minimum near each point of a grid.

    Source: H. Mühlenbein, M. Schomisch and J. Born, "The Parallel Genetic Algorithm as Function Optimizer",
    Parallel Computing 17, 1991, after L. A. Rastrigin, 1974.
    """
    return _total(x**2 + 10 * (1 - np.cos(2 * math.pi * x)))


@_benchmark((-32.768, 32.768), np.zeros)
def ackley(x: Floats) -> Floats:
    """Ackley, 20 (1 - exp(-r/5)) + e - exp(c), with r the root mean square of x and c the mean of cos 2πxᵢ.

    A nearly flat outer region with many local minima, and a narrow hole at the centre.

    Source: D. H. Ackley, "A Connectionist Machine for Genetic Hillclimbing", Kluwer, 1987.
    """
    r = np.sqrt(_total(x**2) / x.shape[1])
    c = _total(np.cos(2 * math.pi * x)) / x.shape[1]
    return np.asarray(-20 * np.expm1(-r / 5) - math.e * np.expm1(c - 1))


@_benchmark((-600.0, 600.0), np.zeros)
def griewank(x: Floats) -> Floats:
    """Griewank, 1 + Σ xᵢ² / 4000 - Π cos(xᵢ / √i): a bowl with many small, regular dents.

    Source: A. O. Griewank, "Generalized Descent for Global Optimization", Journal of Optimization Theory and
    Applications 34, 1981.
    """
    i = np.arange(1, x.shape[1] + 1)
    return np.asarray(1 + _total(x**2) / 4000 - np.cos(x / np.sqrt(i)).prod(axis=1))


@_benchmark((-10.0, 10.0), np.ones)
def levy(x: Floats) -> Floats:
    """Levy, sin² πv₁ + Σ vᵢ² (1 + 10 sin²(πvᵢ + 1)) + v_d² (1 + sin² 2πv_d) with v = (x - 1) / 4.

    The sum is over i < d. There are many local minima.

    Source: Surjanovic and Bingham (2013), after A. V. Levy and A. Montalvo, "The Tunneling Algorithm for the
    Global Minimization of Functions", SIAM Journal on Scientific and Statistical Computing 6, 1985.
    """
    v = (x - 1) / 4
    first, last, inner = v[:, 0], v[:, -1], v[:, :-1]
    ends = np.sin(math.pi * first) ** 2 + last**2 * (1 + np.sin(2 * math.pi * last) ** 2)
    return np.asarray(ends + _total(inner**2 * (1 + 10 * np.sin(math.pi * inner + 1) ** 2)))


def _schwefel_peak() -> float:
    """Return the point where x sin √x is greatest below 500: tan t = -t/2 with t = √x between 6π and 7π."""
    t = 7 * math.pi
    for _ in range(12):
        t = 7 * math.pi - math.atan(t / 2)
    return t**2


SCHWEFEL_PEAK = _schwefel_peak()


@_benchmark((-500.0, 500.0), lambda d: np.full(d, SCHWEFEL_PEAK))
def schwefel(x: Floats) -> Floats:
    """Schwefel, Σ c - xᵢ sin √|xᵢ|: deep local minima far from the global one, which lies near a corner.

    The constant c = 418.98… is exact to machine precision, so that the minimum is 0. Outside the box the
    function goes below it.

    Source: H.-P. Schwefel, "Numerical Optimization of Computer Models", Wiley, 1981 (problem 2.26).
    """
    peak = SCHWEFEL_PEAK * np.sin(np.sqrt(SCHWEFEL_PEAK))
    return _total(peak - x * np.sin(np.sqrt(np.abs(x))))


def _styblinski_tang_minimizer(d: int) -> Floats:
    """Repeat the least root of the derivative, 2x³ - 16x + 5/2."""
    return np.full(d, np.polynomial.polynomial.polyroots([2.5, -16.0, 0.0, 2.0]).min())


@_benchmark((-5.0, 5.0), _styblinski_tang_minimizer, minimum=None)
def styblinski_tang(x: Floats) -> Floats:
    """Styblinski-Tang, Σ (xᵢ⁴ - 16 xᵢ² + 5 xᵢ) / 2: 2^d minima, one in each orthant.

    Source: M. A. Styblinski and T.-S. Tang, "Experiments in Nonconvex Optimization: Stochastic Approximation
    with Function Smoothing and Simulated Annealing", Neural Networks 3, 1990.
    """
    return _total(x**4 - 16 * x**2 + 5 * x) / 2


def _michalewicz_minimizer(d: int) -> Floats:
    return np.array([_michalewicz_coordinate(i) for i in range(1, d + 1)])


@functools.cache
def _michalewicz_coordinate(i: int) -> float:
    """Return the point of [0, π] where sin(x) sin(u)²⁰ with u = i x²/π is greatest.

    Between neighbouring zeros jπ, (j + 1)π of sin(u) it has one peak, at a zero of its logarithmic
    derivative. The highest is one of the two nearest to the top of sin(x), at π/2, where u = iπ/4.
    """
    from scipy.optimize import brentq

    def slope(x: float) -> float:
        return 1 / math.tan(x) + 40 * i * x / math.pi / math.tan(i * x**2 / math.pi)

    def height(x: float) -> float:
        return math.sin(x) * math.sin(i * x**2 / math.pi) ** 20

    def peak(j: int) -> float:
        low, high = (math.pi * math.sqrt((j + quarter) / i) for quarter in (0.25, 0.75))
        return float(brentq(slope, low, high, xtol=1e-14))

    below = math.floor(i / 4 - 0.5)
    return max((peak(j) for j in {max(below, 0), below + 1}), key=height)


@_benchmark((0.0, math.pi), _michalewicz_minimizer, minimum=None)
def michalewicz(x: Floats) -> Floats:
    """Michalewicz, -Σ sin(xᵢ) sin²⁰(i xᵢ² / π): steep ridges and valleys between wide plateaus.

    Source: Z. Michalewicz, "Genetic Algorithms + Data Structures = Evolution Programs", Springer, 1992.
    """
    i = np.arange(1, x.shape[1] + 1)
    return -_total(np.sin(x) * np.sin(i * x**2 / math.pi) ** 20)


ALL = (
    sphere,
    ellipsoid,
    zakharov,
    rosenbrock,
    dixon_price,
    rastrigin,
    ackley,
    griewank,
    levy,
    schwefel,
    styblinski_tang,
    michalewicz,
)
