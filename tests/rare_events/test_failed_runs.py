"""Performances that are NaN: what they count for, and what can be said where nobody knows."""

import time

import numpy as np
import pytest
from scipy import stats

import cem

PAIR = cem.Gaussian([0.0, 0.0], std=1)
LOST = stats.norm.cdf(-1)  # P(x1 <= -1)
BEYOND = stats.norm.sf(3)


def lost_below(X):
    """The first input, NaN where the second one lies below -1."""
    return np.where(X[:, 1] > -1, X[:, 0], np.nan)


def lost_beyond(X):
    """The first input, NaN from 2.9 on."""
    return np.where(X[:, 0] < 2.9, X[:, 0], np.nan)


def estimate(performance=lost_below, level=3.0, inputs=PAIR, **kwargs):
    return cem.estimate_probability(performance, inputs, level, **({"vectorized": True, "rng": 1} | kwargs))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "multilevel"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_interval_reaches_from_none_to_all(method, sign):
    """All that one can say is .00114 … .160."""

    def performance(X):
        return sign * lost_below(X)

    tail = "upper" if sign > 0 else "lower"
    e = estimate(performance, 3.0 * sign, tail=tail, method=method)
    low, high = e.confidence_interval()
    assert e.status is cem.Status.UNTRUSTED
    assert not e.success
    assert e.nan_probability == pytest.approx(LOST, rel=0.2)
    assert 0.9 * BEYOND * (1 - LOST) < low < BEYOND * (1 - LOST)
    assert LOST + BEYOND * (1 - LOST) < high < 1.3 * LOST
    assert "NaN" in e.message


@pytest.mark.parametrize("method", ["auto", "multilevel"])
def test_omitted_runs_leave_the_event_given_the_others(method):
    runs = [estimate(nan_policy="omit", method=method, rng=seed) for seed in range(4)]
    assert all(e.success and e.nan_probability == 0 for e in runs)
    p = np.array([e.probability for e in runs])
    error = np.sqrt(np.mean([e.standard_error**2 for e in runs]) / p.size)
    assert abs(p.mean() - BEYOND) < 4 * error


def test_omitted_runs_of_a_frequent_event():
    """Plain draws: as many as are left."""
    e = estimate(level=1.0, nan_policy="omit", target_cv=0.02)
    low, high = e.confidence_interval(0.999)
    assert low < stats.norm.sf(1) < high
    assert e.probability == e.hits / e.draws


@pytest.mark.parametrize("method", ["auto", "multilevel"])
def test_failed_runs_as_events(method):
    e = estimate(lost_beyond, nan_policy="event", method=method)
    low, high = e.confidence_interval(0.999)
    assert e.success
    assert low < stats.norm.sf(2.9) < high


def test_one_failed_run_raises():
    with pytest.raises(cem.ObjectiveError, match="NaN") as caught:
        estimate(nan_policy="raise")
    assert caught.value.candidate[1] <= -1
    assert caught.value.partial.nfev > 0


@pytest.mark.slow
def test_where_no_run_reaches_the_level_but_some_fail():
    e = estimate(lost_beyond)
    low, high = e.confidence_interval()
    assert e.status is cem.Status.LEVEL_UNREACHED
    assert e.nan_probability == pytest.approx(stats.norm.sf(2.9), rel=0.2)
    assert low == 0
    assert stats.norm.sf(2.9) < high < 1.5 * stats.norm.sf(2.9)


def test_few_failures_do_not_matter():
    """A share of 3e-5 beside a probability of .023."""
    e = estimate(lambda X: np.where(X[:, 1] < 4, X[:, 0], np.nan), 2.0)
    assert e.success
    assert e.confidence_interval().low < stats.norm.sf(2) < e.confidence_interval().high


@pytest.mark.slow
def test_evaluations_that_take_too_long_are_failed_runs():
    def performance(x):
        time.sleep(3600 * (x[0] > 0.5))
        return x[0]

    e = cem.estimate_probability(
        performance, PAIR, 0.2, evaluation_timeout=0.2, max_evaluations=6, nan_policy="flag", rng=1
    )
    assert e.nan_probability > 0
    assert not e.success


@pytest.mark.slow
@pytest.mark.parametrize("tail", ["upper", "lower"])
def test_quantiles_reach_from_none_to_all(tail):
    """A share of 2.3e-4 beside a tail of 1e-3: the quantile lies between 3.09 and 3.17."""
    sign = 1 if tail == "upper" else -1

    def performance(X):
        return np.where(X[:, 1] < 3.5, sign * X[:, 0], np.nan)

    e = cem.estimate_quantile(performance, PAIR, 1e-3, tail=tail, vectorized=True, rng=1)
    nearest, farthest = sorted(sign * end for end in e.confidence_interval())
    p = stats.norm.cdf(3.5)
    assert e.status is cem.Status.UNTRUSTED
    assert e.nan_probability == pytest.approx(1 - p, rel=0.4)
    assert nearest < stats.norm.isf(1e-3 / p)
    assert stats.norm.isf((1e-3 - (1 - p)) / p) < farthest < 3.25
    assert np.isinf(sign * e.shortfall_interval()[tail == "upper"])


def test_quantiles_where_more_fail_than_lie_beyond():
    e = cem.estimate_quantile(lost_below, PAIR, 1e-3, vectorized=True, rng=1)
    assert not e.success
    assert e.confidence_interval().high == np.inf


def test_quantiles_of_the_runs_that_did_not_fail():
    e = cem.estimate_quantile(lost_below, PAIR, 1e-3, nan_policy="omit", vectorized=True, rng=1)
    low, high = e.confidence_interval(0.999)
    assert e.success
    assert low < stats.norm.isf(1e-3) < high


@pytest.mark.parametrize("estimator", [cem.estimate_probability, cem.estimate_quantile])
def test_no_other_policies(estimator):
    with pytest.raises(ValueError, match="nan_policy must be one of"):
        estimator(np.sum, PAIR, 0.1, nan_policy="propagate")
