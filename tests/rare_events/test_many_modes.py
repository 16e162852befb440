"""Events that many combinations of inputs bring about, with as many modes."""

import numpy as np
import pytest
from scipy import stats

import cem


def normals(d):
    return cem.Gaussian(np.zeros(d), std=1)


def reached_by(k):
    return lambda X: np.partition(X, X.shape[1] - k, axis=1)[:, X.shape[1] - k]


def shell_and_outside(d):
    """Between two radii, or beyond a third; and its probability."""
    law = stats.chi2(d)
    inner, outer, beyond = law.isf(2e-5), law.isf(1e-5), law.isf(3e-6)

    def performance(X):
        r = (X * X).sum(axis=1)
        return np.where(r > outer, (r - beyond) / 9, r - inner)

    return performance, 1e-5 + 3e-6


CASES = {
    "all orthants of 5": (lambda X: np.abs(X).min(axis=1), normals(5), 1.9, (2 * stats.norm.sf(1.9)) ** 5),
    "all orthants of 9": (lambda X: np.abs(X).min(axis=1), normals(9), 1.1, (2 * stats.norm.sf(1.1)) ** 9),
    "5 of 30": (reached_by(5), normals(30), 2.1, stats.binom(30, stats.norm.sf(2.1)).sf(4)),
    "Poisson counts": (
        lambda X: X.sum(axis=1),
        [stats.poisson(0.01)] * 20,
        5.0,
        stats.poisson(0.2).sf(4),
    ),
    "a shell and outside": (*shell_and_outside(4)[:1], normals(4), 0.0, shell_and_outside(4)[1]),
}


LONG = {"all orthants of 9", "a shell and outside", "Poisson counts"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in CASES]
)
def test_many_modes_are_claimed_and_right(name):
    performance, inputs, level, exact = CASES[name]
    e = cem.estimate_probability(performance, inputs, level, vectorized=True, max_evaluations=300_000, rng=1)
    low, high = e.confidence_interval(0.9999)
    assert e.success, e.message
    assert low < exact < high
