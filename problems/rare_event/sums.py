"""Sums of independent positive variables, light and heavy, and a product of dependent ones.

References are discretised convolutions: each summand's mass in a cell is put at the cell's middle, an error
of order h² that Richardson's extrapolation removes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

import cem
from cem.families.base import Floats
from problems.rare_event.problem import RareEventProblem

REFERENCES = {
    "lognormal sum": 4.8951339577375936e-05,
    "Pareto sum 5": 1.4193148694478333e-05,
    "Pareto sum 10": 1.543520763802949e-06,
    "Weibull sum 4": 3.83930905416483e-06,
    "Weibull sum 10": 1.911796396207612e-07,
    "lognormal product": 0.0003793052771140905,
}

SD, CORRELATION, PRODUCT = 0.5, 0.3, 40.0


def sum_tail(marginal: Any, n: int, x: float, cells: int = 2**17) -> float:
    """P(X_1 + … + X_n > x) for positive iid X."""
    coarse, fine = _discrete(marginal, n, x, cells), _discrete(marginal, n, x, 2 * cells)
    return (4 * fine - coarse) / 3


def _discrete(marginal: Any, n: int, x: float, cells: int) -> float:
    """Mass at cell middles; n middles sum to a multiple of h/2 shifted by n/2."""
    h = x / cells
    edges = h * np.arange(cells + 1)
    mass = -np.diff(marginal.sf(edges))
    power = _convolved(mass, n)
    # sum of indices k stands for the value h·(k + n/2); the boundary value counts half
    inside = power[: cells - n // 2]
    if n % 2 == 0:
        return float(1 - inside.sum() - power[cells - n // 2] / 2)
    return float(1 - inside[: cells - n // 2].sum())


def _convolved(mass: Floats, n: int) -> Floats:
    """Return the n-fold convolution, kept to its first len(mass) cells, by repeated squaring."""
    from scipy.signal import fftconvolve

    power = mass if n % 2 else np.ones(1)
    if n > 1:
        half = _convolved(mass, n // 2)
        power = fftconvolve(power, fftconvolve(half, half)[: len(mass)])[: len(mass)]
    return np.asarray(power)


def asmussen_kroese(marginal: Any, n: int, x: float, draws: int, seed: int = 0) -> tuple[float, float]:
    """Independent check by conditional Monte Carlo (Asmussen & Kroese 2006)."""
    rng = np.random.default_rng(seed)
    total, square, done = 0.0, 0.0, 0
    while done < draws:
        rest = marginal.rvs(size=(100_000, n - 1), random_state=rng)
        y = n * marginal.sf(np.maximum(rest.max(1), x - rest.sum(1)))
        total, square, done = total + y.sum(), square + (y * y).sum(), done + len(y)
    mean = total / done
    return mean, float(np.sqrt((square / done - mean**2) / done) / mean)


def _sums() -> dict[str, tuple[Any, int, float]]:
    """Return marginal, number of summands and level by name."""
    from scipy.stats import lognorm, pareto, weibull_min

    return {
        "lognormal sum": (lognorm(1), 10, 100.0),
        "Pareto sum 5": (pareto(1.5), 5, 5000.0),
        "Pareto sum 10": (pareto(3), 10, 200.0),
        "Weibull sum 4": (weibull_min(0.5), 4, 200.0),
        "Weibull sum 10": (weibull_min(0.25), 10, 100_000.0),
    }


def _copula() -> Floats:
    return np.full((3, 3), CORRELATION) + (1 - CORRELATION) * np.eye(3)


def compute() -> dict[str, float]:
    """Compute the references by name."""
    found = {name: sum_tail(*given) for name, given in _sums().items()}
    spread = SD * np.sqrt(_copula().sum())
    return found | {"lognormal product": float(ndtr(-np.log(PRODUCT) / spread))}


def total(x: Floats) -> Floats:
    """Performance: the sum of a row."""
    return np.asarray(x.sum(axis=1))


def product(x: Floats) -> Floats:
    """Performance: the product of a row."""
    return np.asarray(x.prod(axis=1))


def problems() -> list[RareEventProblem]:
    """Return the cases."""
    from scipy.stats import lognorm

    cases = []
    for name, (one, n, level) in _sums().items():
        reference = REFERENCES[name]
        source = "discretised convolution"
        cases.append(
            RareEventProblem(name, total, [one] * n, level, "upper", reference, 1e-5 * reference, source)
        )
    pearson = np.expm1(_copula() * SD**2) / np.expm1(SD**2)
    inputs = cem.JointInputs([lognorm(SD)] * 3, pearson)
    name = "lognormal product"
    reference = REFERENCES[name]
    source = "closed form"
    cases.append(
        RareEventProblem(name, product, inputs, PRODUCT, "upper", reference, 1e-12 * reference, source)
    )
    return cases
