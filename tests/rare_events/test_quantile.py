"""Quantiles and expected shortfall against exact ones."""

import numpy as np
import pytest
from scipy import stats

import cem

INPUTS = cem.Gaussian(np.zeros(4), std=1)


def mean_score(X):
    return X.sum(axis=1) / 2


def estimate(probability=1e-4, **kwargs):
    return cem.estimate_quantile(mean_score, INPUTS, probability, **({"vectorized": True, "rng": 1} | kwargs))


@pytest.mark.slow
@pytest.mark.parametrize("probability", [0.3, 1e-2, 1e-5])
def test_normal_quantiles(probability):
    exact = stats.norm.isf(probability)
    beyond = stats.norm.pdf(exact) / probability
    for e in (estimate(probability, rng=seed) for seed in range(2)):
        assert e.success
        assert e.confidence_interval(0.999).low <= exact <= e.confidence_interval(0.999).high
        assert e.shortfall_interval(0.999).low <= beyond <= e.shortfall_interval(0.999).high
        assert e.confidence_interval().low <= e.quantile <= e.confidence_interval().high
        assert e.quantile == pytest.approx(exact, abs=0.1)


@pytest.mark.slow
def test_coverage():
    exact = stats.norm.isf(1e-4)
    runs = [estimate(rng=seed).confidence_interval() for seed in range(60)]
    assert np.mean([low <= exact <= high for low, high in runs]) >= stats.binom.ppf(0.001, 60, 0.95) / 60


def test_exponential_tail_forgets():
    """Beyond any quantile an exponential's mean excess is its mean."""
    e = cem.estimate_quantile(np.max, cem.Exponential([2.0]), 1e-5, rng=1)
    assert e.quantile == pytest.approx(2 * np.log(1e5), rel=0.02)
    assert e.expected_shortfall - e.quantile == pytest.approx(2, rel=0.15)


@pytest.mark.slow
def test_the_lower_tail_mirrors_the_upper():
    upper = estimate()
    lower = cem.estimate_quantile(
        lambda X: -mean_score(X), INPUTS, 1e-4, tail="lower", vectorized=True, rng=1
    )
    assert lower.quantile == -upper.quantile
    assert lower.expected_shortfall == -upper.expected_shortfall
    assert lower.confidence_interval() == tuple(-end for end in upper.confidence_interval()[::-1])


@pytest.mark.slow
def test_more_confidence_is_wider():
    widths = [np.diff(estimate().confidence_interval(level))[0] for level in (0.5, 0.9, 0.99)]
    assert 0 < widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize("budget", [1, 150, 2000])
def test_too_small_a_budget_is_honest(budget):
    e = estimate(max_evaluations=budget)
    assert e.nfev == budget
    assert not e.success
    assert e.confidence_interval() == (-np.inf, np.inf)
    assert "NOT trusted" in e.summary()


@pytest.mark.slow
def test_repeats_whatever_the_workers():
    one = cem.estimate_quantile(np.sum, INPUTS, 1e-2, target_cv=0.2, rng=1)
    two = cem.estimate_quantile(np.sum, INPUTS, 1e-2, target_cv=0.2, rng=1, n_jobs=2)
    assert (one.quantile, one.nfev) == (two.quantile, two.nfev)


BAD = {
    "probability": ({"probability": 0}, ValueError, "probability lies"),
    "tail": ({"tail": "left"}, ValueError, "tail"),
    "target": ({"target_cv": 2}, ValueError, "target_cv"),
    "inputs": ({"inputs": cem.Permutation(3)}, ValueError, "quantiles need"),
    "performance": ({"performance": 3}, TypeError, "callable"),
    "args": ({"args": "abc"}, TypeError, "args must be a tuple"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(change, error, message):
    with pytest.raises(error, match=message):
        cem.estimate_quantile(**({"performance": np.sum, "inputs": INPUTS, "probability": 0.01} | change))


def test_a_quantile_of_labels():
    """P(sum >= 19) is 1.5e-6 and P(sum >= 20) 4.6e-7, by convolution."""
    e = cem.estimate_quantile(
        lambda X: X.sum(axis=1), cem.Categorical([[0.9, 0.06, 0.03, 0.01]] * 20), 1e-6, vectorized=True, rng=1
    )
    assert e.success
    assert e.quantile == 19


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, pytest.param(2, marks=pytest.mark.slow), 10])
def test_the_mean_beyond_an_atom(d):
    """P(x0 > 4) is 3.167e-5: of the worst 1e-4, that share is 1000 and the rest 0."""
    exact = 1000 * stats.norm.sf(4) / 1e-4
    e = cem.estimate_quantile(
        lambda X: np.where(X[:, 0] > 4, 1000.0, 0.0),
        cem.Gaussian(np.zeros(d), std=1),
        1e-4,
        vectorized=True,
        rng=1,
    )
    low, high = e.shortfall_interval(0.999)
    assert e.success
    assert e.quantile == 0
    assert low < exact < high < 1.3 * exact


def test_the_mean_beyond_an_atom_of_bits():
    e = cem.estimate_quantile(
        lambda X: 1000.0 * X.all(axis=1), cem.Bernoulli([0.05] * 4), 1e-4, vectorized=True, rng=1
    )
    low, high = e.shortfall_interval(0.999)
    assert e.success
    assert low < 1000 * 0.05**4 / 1e-4 < high


def test_shortfalls_lie_beyond_the_quantile():
    for e in (estimate(1e-2, target_cv=0.3), estimate(1e-2, target_cv=0.3, tail="lower")):
        side = 0 if e.quantile > 0 else 1
        assert abs(e.shortfall_interval(0.999999)[side]) >= abs(e.confidence_interval(0.999999)[side])


@pytest.mark.slow
@pytest.mark.parametrize("tail", ["upper", "lower"])
def test_probabilities_above_one_half(tail):
    sign = 1 if tail == "upper" else -1
    exact = sign * stats.norm.isf(0.999)
    beyond = sign * stats.norm.pdf(exact) / 0.999
    e = estimate(0.999, tail=tail)
    low, high = e.confidence_interval(0.999)
    assert e.success
    assert low < exact < high
    assert high - low < 0.15
    low, high = e.shortfall_interval(0.999)
    assert low < beyond < high


@pytest.mark.slow
def test_heavy_tails_have_no_mean():
    e = cem.estimate_quantile(np.sum, [stats.pareto(0.9)], 1e-3, rng=1)
    low, high = e.confidence_interval(0.999)
    assert not e.success
    assert np.isnan(e.expected_shortfall)
    assert "expected shortfall" in e.message
    assert low < 1e-3 ** (-1 / 0.9) < high
    assert e.shortfall_interval().high == np.inf


@pytest.mark.parametrize("shape", [1.2, 1.5, 3.0])
def test_means_of_heavy_tails_are_right_or_not_claimed(shape):
    exact = shape / (shape - 1) * 1e-3 ** (-1 / shape)
    runs = [cem.estimate_quantile(np.sum, [stats.pareto(shape)], 1e-3, rng=seed) for seed in range(2)]
    claimed = [e for e in runs if e.success]
    assert shape < 1.5 or len(claimed) == len(runs)
    for e in claimed:
        low, high = e.shortfall_interval(0.999)
        assert low < exact < high


@pytest.mark.slow
def test_infinite_scores():
    def performance(X):
        return np.where(X[:, 0] > 2, np.inf, np.where(X[:, 0] < -2, -np.inf, X[:, 1]))

    inputs = cem.Gaussian([0.0, 0.0], std=1)
    for probability, exact in ((1e-3, np.inf), (0.2, None), (0.99, -np.inf)):
        e = cem.estimate_quantile(performance, inputs, probability, vectorized=True, rng=1)
        assert exact is None or e.quantile == exact
        assert e.expected_shortfall == np.inf or exact == -np.inf
        e.summary()


@pytest.mark.slow
def test_the_shortfall_of_huge_scores_has_an_error_in_their_unit():
    def huge(x):
        return float(np.abs(x).max()) * 1e200

    q = cem.estimate_quantile(huge, cem.Gaussian([0.0, 0.0], std=1.0), 0.01, rng=1)
    plain = cem.estimate_quantile(lambda x: huge(x) / 1e200, cem.Gaussian([0.0, 0.0], std=1.0), 0.01, rng=1)
    np.testing.assert_allclose(
        np.divide(q.shortfall_interval(), 1e200), plain.shortfall_interval(), rtol=1e-9
    )
