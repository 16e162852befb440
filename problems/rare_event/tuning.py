"""Cases that settings may be tuned on: none of them is in the suite, and none of the suite's is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cem
from problems.rare_event.bridge import bridge
from problems.rare_event.problem import RareEventProblem
from problems.rare_event.sums import sum_tail, total

Array = NDArray[np.float64]


def _sums() -> dict[str, tuple[Any, int, float, float]]:
    """Give marginal, number of summands, level and probability by name."""
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
    }


def compute() -> dict[str, float]:
    """Compute the sums' probabilities by name."""
    return {name: sum_tail(marginal, n, x, 2**16) for name, (marginal, n, x, _) in _sums().items()}


def _switch(u: Array) -> Array:
    """Two planes, which one by the third input."""
    return np.where(u[:, 2] > 1, u[:, 0] + u[:, 1], u[:, 0] - u[:, 1] - 1)


def _normals() -> dict[str, tuple[int, Callable[[Array], Array], float, float]]:
    """Give dimension, performance, level and probability of cases in standard normals, all in closed form."""
    from scipy.stats import chi2, norm

    def along(u: Array) -> Array:
        return np.asarray(u.sum(axis=1) / np.sqrt(u.shape[1]))

    def largest(u: Array) -> Array:
        return np.asarray(u.max(axis=1))

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
        "max of 6": (6, largest, 4.2, any_of(6, 4.2)),
        "max of 20": (20, largest, 4.6, any_of(20, 4.6)),
        "either of 30": (30, farthest, 4.8, any_of(60, 4.8)),
        "min of 3": (3, smallest, 1.8, float(norm.sf(1.8) ** 3)),
        "ball 6": (6, squares, 40.0, float(chi2.sf(40, 6))),
        "switch": (3, _switch, 5.0, float(switched)),
    }


def problems() -> list[RareEventProblem]:
    """Make the cases."""
    from scipy.stats import gamma

    cases = [
        RareEventProblem(name, total, [one] * n, x, "upper", p, 1e-5 * p, "discretised convolution")
        for name, (one, n, x, p) in _sums().items()
    ]
    for name, (d, performance, level, p) in _normals().items():
        inputs = cem.Gaussian(np.zeros(d), std=1)
        cases.append(RareEventProblem(name, performance, inputs, level, "upper", p, 1e-12 * p, "closed form"))
    p = float(gamma.sf(25, 6))
    waiting = cem.Exponential(np.ones(6))
    cases.append(
        RareEventProblem("6 exponentials", total, waiting, 25.0, "upper", p, 1e-12 * p, "Erlang tail")
    )
    between = bridge(2.5)
    return [*cases, between]
