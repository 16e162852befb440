"""Scores at the ends of what a float can be: no plan breaks or warns (tests turn warnings into errors)."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import cem

EXTREMES = [math.inf, -math.inf, math.nan, 1.7e308, -1e308, 0.0, 5e-324, 1e200]
PLANS = {
    "default": {"bounds": [(-1, 2)] * 2},
    "textbook": {"bounds": [(-1, 2)] * 2, "method": "textbook"},
    "restarts": {"bounds": [(-1, 2)] * 2, "polish": False, "rng": 2},  # 1: none of the first batch ranks
    "integers": {"bounds": [(-50, 50)] * 2, "integrality": 1},
    "noisy": {"bounds": [(-1, 2)] * 2, "noisy": True},
    "constraints": {"bounds": [(-1, 2)] * 2, "constraints": LinearConstraint([[1, 1]], 0, 1)},
    "bits": {"start": cem.Bernoulli([0.5] * 9)},
    "labels": {"start": cem.Categorical(np.full((5, 4), 0.25))},
    "positive": {"start": cem.Exponential([1.0, 1.0])},
}


def among(values, x):
    """One of the values, as good as at random; every third score is an ordinary one."""
    k = int(abs(float(x @ np.arange(1, len(x) + 1))) * 1e6)
    return values[k % len(values)] if k % 3 else float(((x - 0.3) ** 2).sum())


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("plan", PLANS)
def test_extreme_scores(plan, maximize):
    for values in itertools.combinations(EXTREMES, 2):
        r = cem.optimize(
            lambda x, values=values: among(values, x),
            maximize=maximize,
            max_evaluations=250,
            **{"rng": 1} | PLANS[plan],
        )
        assert r.nfev <= 250
        if plan != "noisy" and r.x is not None and not (plan == "constraints" and r.maxcv != 0):
            assert among(values, r.x) == r.fun


def test_scores_told_may_be_extreme():
    for values in itertools.combinations(EXTREMES, 3):
        m = cem.CrossEntropyMethod(bounds=[(-1, 2)] * 2, rng=1)
        for _ in range(6):
            X = m.ask()
            m.tell(X, np.resize(values, len(X)))
        assert np.isfinite(m.family.mean).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_asking_and_telling_ends_where_no_score_ranks(bad):
    m = cem.CrossEntropyMethod(bounds=[(-1, 2)] * 2, rng=1)
    for k in range(5):
        assert m.stop_reason() is None, k
        X = m.ask()
        m.tell(X, np.full(len(X), bad))
    assert m.stop_reason() == "no score of the last 5 batches ranks: all are NaN or infinitely bad"
    X = m.ask()
    m.tell(X, X.sum(axis=1))
    assert m.stop_reason() is None


@pytest.mark.parametrize("most", [300, 777, 2000])
def test_a_noisy_run_spends_what_it_says(most):
    r = cem.optimize(
        lambda x, rng: float(x @ x + 0.3 * rng.standard_normal()),
        bounds=[(-1, 2)] * 3,
        noisy=True,
        pass_rng=True,
        max_evaluations=most,
        rng=1,
    )
    assert r.message == f"max_evaluations ({most}) is spent"
    assert r.nfev == most
