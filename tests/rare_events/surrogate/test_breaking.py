"""Performances that no smooth surrogate can know: each is handed over, flagged, or right."""

import numpy as np
import pytest
from scipy import integrate, stats

import cem

SF, CDF = stats.norm.sf, stats.norm.cdf


def normal(d):
    return cem.Gaussian(np.zeros(d), std=np.ones(d))


def plane(X):
    return X.sum(axis=1) / np.sqrt(X.shape[1])


def estimate(performance, d, level, **kwargs):
    kwargs = {"method": "surrogate", "vectorized": True} | kwargs
    return cem.estimate_probability(performance, normal(d), level, **kwargs)


def below(a, b, correlation):
    return float(stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([a, b]))


def honest(e, exact):
    """Whether an estimate is right or says that it may not be."""
    low, high = e.confidence_interval()
    return not e.success or low <= exact <= high or abs(e.probability / exact - 1) < 0.05


def over_normal(tail):
    return float(integrate.quad(lambda z: stats.norm.pdf(z) * tail(z), -9, 9, limit=2000, points=[1.5])[0])


def resonance(X):
    return X[:, 0] + 3 / (1 + ((X[:, 1] - 1.5) / 0.1) ** 2)


CASES = {
    "jump across the event": (
        lambda X: X[:, 0] - 5 * (X[:, 1] < -1),
        4,
        3.2,
        SF(3.2) * SF(-1) + SF(8.2) * CDF(-1),
    ),
    "jump into the event": (
        lambda X: X[:, 0] + 2 * (X[:, 1] > 1.3),
        3,
        3.4,
        SF(3.4) * CDF(1.3) + SF(1.4) * SF(1.3),
    ),
    "cliff in one of twelve": (
        lambda X: plane(X) + 10 * (X[:, 5] > 3.6),
        12,
        3.5,
        SF(3.6) + below(-3.5, 3.6, -(12**-0.5)),
    ),
    "narrow resonance": (resonance, 3, 4.0, over_normal(lambda z: SF(4 - 3 / (1 + ((z - 1.5) / 0.1) ** 2)))),
    "infinite mode": (
        lambda X: np.where(X[:, 2] > 3.2, np.inf, X[:, 0]),
        5,
        3.2,
        1 - (1 - SF(3.2)) ** 2,
    ),
    "bounded": (lambda X: np.tanh(plane(X)), 3, np.tanh(3.3), SF(3.3)),
    "one per cent of noise": (
        lambda X: plane(X) * (1 + 0.01 * np.sin(1e4 * X.sum(axis=1))),
        3,
        3.3,
        float(integrate.quad(lambda t: SF(3.3 / (1 + 0.01 * np.sin(t))) / np.pi, -np.pi / 2, np.pi / 2)[0]),
    ),
    "few values": (lambda X: np.floor(4 * plane(X)) / 4, 3, 3.25, SF(3.25)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_claimed_that_is_wrong(name):
    performance, d, level, exact = CASES[name]
    assert all(honest(estimate(performance, d, level, rng=seed), exact) for seed in range(3))


@pytest.mark.parametrize(
    "name", [pytest.param("jump across the event", marks=pytest.mark.slow), "jump into the event"]
)
def test_a_jump_is_handed_over_or_flagged(name):
    performance, d, level, _ = CASES[name]
    e = estimate(performance, d, level, rng=1, max_evaluations=150)
    assert not e.success
    assert "scores jump" in e.message or e.status is cem.Status.EVALUATION_LIMIT


@pytest.mark.slow
def test_failed_runs_in_a_corner_are_flagged():
    e = estimate(lambda X: np.where(X[:, 1] < -2.5, np.nan, X[:, 0]), 3, 3.0, rng=1, max_evaluations=250)
    low, high = e.confidence_interval()
    assert not e.success
    assert low <= SF(3.0) * SF(-2.5) <= high
    assert e.nan_probability > 0
    assert "NaN" in e.message
