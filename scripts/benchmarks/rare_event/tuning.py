"""Cases that settings may be tuned on: none of them is in the suite, and none of the suite's is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

import cem
from problems.rare_event.bridge import bridge
from problems.rare_event.credit import normal_loss, normal_tail, t_loss, t_tail
from problems.rare_event.networks import Edges, antipode, disconnected, dodecahedron, lattice, unreliability
from problems.rare_event.problem import RareEventProblem
from problems.rare_event.sums import sum_tail, total

Array = NDArray[np.float64]


def _sums() -> dict[str, tuple[Any, int, float, float]]:
    """Return marginal, number of summands, level and probability by name."""
    from scipy.stats import lognorm, pareto, weibull_min

    return {
        "6 lognormals": (lognorm(1), 6, 70.0, 0.00012349199482464789),
        "12 lognormals": (lognorm(1), 12, 120.0, 2.4884936294853617e-05),
        "10 mild lognormals": (lognorm(0.7), 10, 40.0, 1.4712441095302032e-05),
        "8 heavy lognormals": (lognorm(1.5), 8, 600.0, 9.024004678512934e-05),
        "25 lognormals": (lognorm(1), 25, 180.0, 1.0736323190596586e-05),
        "8 Weibulls": (weibull_min(0.6), 8, 80.0, 4.204637830011962e-05),
        "8 Paretos": (pareto(2), 8, 1000.0, 8.230401721041258e-06),
        "12 Paretos": (pareto(2.5), 12, 300.0, 9.02402120690982e-06),
        "40 Paretos": (pareto(2.0), 40, 3000.0, 4.685607666783321e-06),
        "100 Paretos": (pareto(2.0), 100, 6000.0, 2.9709174884562333e-06),
    }


PORTFOLIOS = {
    "portfolio 80": 1.0714270889122216e-07,
    "portfolio 40": 0.0003040082788471651,
    "portfolio 200": 2.595272272502153e-05,
    "t-portfolio 120": 4.1075226386306954e-05,
}


def _portfolios() -> dict[str, tuple[Array, Array, float, int]]:
    """Return thresholds, exposures, loading and level of portfolios under a normal copula."""
    i = np.arange(1, 81)
    uneven = -ndtri(0.008 * (1 + 0.9 * np.cos(i)))
    return {
        "portfolio 80": (uneven, np.ceil(i / 20) ** 2, 0.35, 190),
        "portfolio 40": (np.full(40, -ndtri(0.015)), np.ones(40), 0.45, 12),
        "portfolio 200": (np.full(200, -ndtri(0.01)), np.ones(200), 0.45, 60),
    }


T_PORTFOLIO = (np.full(120, 4.0), np.ones(120), 0.3, 8, 36)
"""Thresholds, exposures, loading, degrees of freedom and level."""


NETWORKS = {
    "lattice 5 0.15": 0.06111238876739241,
    "lattice 5 0.05": 0.005522915611713011,
    "dodecahedron 0.06": 0.0005283632230077429,
}


def _networks() -> dict[str, tuple[Edges, int, int, float]]:
    """Return edges, terminals and the probability that an edge fails."""
    square, round_ = lattice(5, 5), dodecahedron()
    return {
        "lattice 5 0.15": (square, 0, 24, 0.15),
        "lattice 5 0.05": (square, 0, 24, 0.05),
        "dodecahedron 0.06": (round_, 0, antipode(round_, 0), 0.06),
    }


def compute() -> dict[str, float]:
    """Compute the probabilities of sums, portfolios and networks by name."""
    found = {name: sum_tail(marginal, n, x, 2**16) for name, (marginal, n, x, _) in _sums().items()}
    for name, (edges, exposures, loading, level) in _portfolios().items():
        found[name] = normal_tail(loading, edges, exposures, level)
    edges, exposures, loading, nu, level = T_PORTFOLIO
    found["t-portfolio 120"] = t_tail(loading, nu, edges, exposures, level)
    return found | {name: unreliability(*network) for name, network in _networks().items()}


def _switch(u: Array) -> Array:
    """Two planes, which one by the third input."""
    return np.where(u[:, 2] > 1, u[:, 0] + u[:, 1], u[:, 0] - u[:, 1] - 1)


def _normals() -> dict[str, tuple[int, Callable[[Array], Array], float, float]]:
    """Return dimension, performance, level and probability of cases in standard normals."""
    from scipy.stats import chi2, norm

    def along(u: Array) -> Array:
        return np.asarray(u.sum(axis=1) / np.sqrt(u.shape[1]))

    def largest(u: Array) -> Array:
        return np.asarray(u.max(axis=1))

    def largest_of_five(u: Array) -> Array:
        return np.asarray(u[:, :5].max(axis=1))

    def first_two(u: Array) -> Array:
        return np.asarray(np.abs(u[:, 0] * u[:, 1]))

    def farthest(u: Array) -> Array:
        return np.asarray(np.abs(u).max(axis=1))

    def smallest(u: Array) -> Array:
        return np.asarray(u.min(axis=1))

    def squares(u: Array) -> Array:
        return np.asarray((u**2).sum(axis=1))

    def any_of(n: int, level: float) -> float:
        return float(-np.expm1(n * norm.logcdf(level)))

    switched = norm.sf(1) * norm.sf(5 / np.sqrt(2)) + norm.cdf(1) * norm.sf(6 / np.sqrt(2))
    return {
        "plane 5": (5, along, 4.0, float(norm.sf(4))),
        "plane 40": (40, along, 4.2, float(norm.sf(4.2))),
        "plane 800": (800, along, 3.8, float(norm.sf(3.8))),
        "max of 6": (6, largest, 4.2, any_of(6, 4.2)),
        "max of 20": (20, largest, 4.6, any_of(20, 4.6)),
        "max of 100": (100, largest, 5.0, any_of(100, 5.0)),
        "max of 5 in 80": (80, largest_of_five, 4.6, any_of(5, 4.6)),
        "product in 50": (50, first_two, 9.0, 3.0865857536017175e-05),
        "either of 30": (30, farthest, 4.8, any_of(60, 4.8)),
        "min of 3": (3, smallest, 1.8, float(norm.sf(1.8) ** 3)),
        "ball 6": (6, squares, 40.0, float(chi2.sf(40, 6))),
        "ball 20": (20, squares, 62.0, float(chi2.sf(62, 20))),
        "switch": (3, _switch, 5.0, float(switched)),
    }


def problems() -> list[RareEventProblem]:
    """Return the cases."""
    from scipy.stats import gamma

    cases = [
        RareEventProblem(name, total, [one] * n, x, "upper", p, 1e-5 * p, "discretised convolution")
        for name, (one, n, x, p) in _sums().items()
    ]
    for name, (d, performance, level, p) in _normals().items():
        inputs = cem.Gaussian(np.zeros(d), std=1)
        cases.append(
            RareEventProblem(
                name, performance, inputs, level, "upper", p, 1e-12 * p, "closed form or quadrature"
            )
        )
    p = float(gamma.sf(25, 6))
    waiting = cem.Exponential(np.ones(6))
    cases.append(
        RareEventProblem("6 exponentials", total, waiting, 25.0, "upper", p, 1e-12 * p, "Erlang tail")
    )
    between = bridge(2.5)
    return [*cases, between, *_credit(), *_partings(), _yes_or_no()]


def _partings() -> list[RareEventProblem]:
    cases = []
    for name, (edges, source, target, q) in _networks().items():
        parted, p = disconnected(edges, source, target), NETWORKS[name]
        inputs = cem.Bernoulli(np.full(len(edges), q))
        cases.append(
            RareEventProblem(name, parted, inputs, 1, "upper", p, 1e-12 * p, "frontier dynamic programming")
        )
    return cases


def _yes_or_no() -> RareEventProblem:
    def beyond(x: Array) -> Array:
        return np.asarray(x.sum(axis=1) >= 14, dtype=float)

    p = float(14 * np.exp(-14) + np.exp(-14))
    pair = cem.Exponential(np.ones(2))
    return RareEventProblem("yes or no", beyond, pair, 1.0, "upper", p, 1e-12 * p, "Erlang tail")


def _credit() -> list[RareEventProblem]:
    from scipy.stats import chi2, norm

    cases = []
    for name, (edges, exposures, loading, level) in _portfolios().items():
        loss, p = normal_loss(loading, edges, exposures), PORTFOLIOS[name]
        inputs = cem.Gaussian(np.zeros(len(edges) + 1), std=1)
        cases.append(RareEventProblem(name, loss, inputs, level, "upper", p, 1e-9 * p, "quadrature"))
    edges, exposures, loading, nu, level = T_PORTFOLIO
    loss, p = t_loss(loading, nu, edges, exposures), PORTFOLIOS["t-portfolio 120"]
    marginals = [chi2(nu)] + [norm()] * (len(edges) + 1)
    cases.append(
        RareEventProblem("t-portfolio 120", loss, marginals, level, "upper", p, 1e-7 * p, "quadrature")
    )
    return cases
