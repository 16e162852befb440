"""The Bernoulli family: mass, fit, blend, entropy, divergence and sampling."""

import numpy as np
import pytest
from scipy import stats

from cem import Bernoulli

P = np.array([0.1, 0.5, 0.85, 0.999])


def rows(n=60, seed=0):
    return (np.random.default_rng(seed).random((n, 4)) < [0.2, 0.4, 0.6, 0.8]).astype(np.int64)


# --- mass -------------------------------------------------------------------------------------------


def test_log_prob():
    x = rows()
    expected = stats.bernoulli.logpmf(x, P).sum(axis=1)
    np.testing.assert_allclose(Bernoulli(P).log_prob(x), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, bool, np.float64])
def test_log_prob_does_not_depend_on_the_dtype(dtype):
    """`1 - x` must not wrap around for small unsigned types."""
    x = rows()
    np.testing.assert_array_equal(Bernoulli(P).log_prob(x.astype(dtype)), Bernoulli(P).log_prob(x))


def test_all_masses_sum_to_one():
    x = np.array([[i >> j & 1 for j in range(4)] for i in range(16)])
    assert np.exp(Bernoulli(P).log_prob(x)).sum() == pytest.approx(1, abs=1e-12)


def test_log_prob_of_certain_positions():
    family = Bernoulli([0.0, 1.0])
    np.testing.assert_array_equal(
        family.log_prob(np.array([[0, 1], [1, 1], [0, 0], [1, 0]])), [0.0, -np.inf, -np.inf, -np.inf]
    )


@pytest.mark.parametrize("entry", [2, -1, 0.5, np.nan])
def test_what_is_neither_0_nor_1_is_impossible(entry):
    assert Bernoulli([0.3, 0.7]).log_prob(np.array([[entry, 1]]))[0] == -np.inf


def test_log_prob_refuses_rows_of_another_length():
    with pytest.raises(ValueError, match=r"\(n, 4\)"):
        Bernoulli(P).log_prob(np.zeros((2, 3)))


# --- fit --------------------------------------------------------------------------------------------


def test_fit_is_the_weighted_mean():
    x, w = rows(), np.random.default_rng(1).random(60)
    np.testing.assert_allclose(Bernoulli(P).fit(x).p, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(Bernoulli(P).fit(x, w).p, np.average(x, axis=0, weights=w), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, bool])
def test_fit_does_not_depend_on_the_dtype(dtype):
    x, w = np.tile(rows(), (10, 1)), np.random.default_rng(1).random(600)
    np.testing.assert_allclose(Bernoulli(P).fit(x.astype(dtype), w).p, Bernoulli(P).fit(x, w).p, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_no_nearby_probability_has_a_higher_likelihood(seed):
    x, w = rows(seed=seed), np.random.default_rng(seed).random(60)
    fitted = Bernoulli(P).fit(x, w)
    best = w @ fitted.log_prob(x)
    for j in range(4):
        for step in (-1e-2, -1e-4, 1e-4, 1e-2):
            assert w @ Bernoulli(fitted.p + step * np.eye(4)[j]).log_prob(x) < best


@pytest.mark.parametrize(
    "x", [[[0, 1]], [[1, 1]] * 7, [[0, 0]] * 3], ids=["one row", "identical ones", "identical zeros"]
)
def test_fit_without_spread(x):
    fitted = Bernoulli([0.5, 0.5]).fit(np.array(x), np.full(len(x), 0.1))
    np.testing.assert_allclose(fitted.p, x[0], atol=1e-15)
    assert 0 <= fitted.entropy() < 1e-13
    np.testing.assert_array_equal(fitted.sample(4, np.random.default_rng(0)), [x[0]] * 4)


@pytest.mark.parametrize("n", [3, 7, 10, 49, 1000])
def test_fit_to_ones_is_exactly_one(n):
    """Weights that sum to 1 + 2e-16 must not make a probability above 1."""
    w = np.random.default_rng(n).random(n)
    fitted = Bernoulli([0.5]).fit(np.ones((n, 1), dtype=np.uint8), w)
    assert fitted.p[0] == pytest.approx(1, abs=1e-12)
    assert fitted.p[0] <= 1


# --- blend and information --------------------------------------------------------------------------


def test_blend_mixes_probabilities():
    mixed = Bernoulli(P).blend(Bernoulli([1.0, 0.0, 0.5, 0.0]), 0.25)
    np.testing.assert_allclose(mixed.p, 0.75 * P + 0.25 * np.array([1.0, 0.0, 0.5, 0.0]))


def test_entropy():
    assert Bernoulli(P).entropy() == pytest.approx(stats.bernoulli.entropy(P).sum(), rel=1e-12)
    assert Bernoulli([0.5] * 10).entropy() == pytest.approx(10 * np.log(2), rel=1e-12)


def test_entropy_of_certainty_is_zero():
    value = Bernoulli([0.0, 1.0]).entropy()
    assert value == 0
    assert not np.signbit(value)


def test_divergence_is_the_sum_over_positions():
    q = np.array([0.3, 0.5, 0.2, 0.9])
    expected = np.sum(P * np.log(P / q) + (1 - P) * np.log((1 - P) / (1 - q)))
    assert Bernoulli(P).kl_divergence(Bernoulli(q)) == pytest.approx(expected, rel=1e-12)


def test_divergence_from_what_is_impossible_is_infinite():
    assert Bernoulli([0.5]).kl_divergence(Bernoulli([1.0])) == np.inf
    assert Bernoulli([1.0]).kl_divergence(Bernoulli([0.5])) == pytest.approx(np.log(2))


# --- sampling ---------------------------------------------------------------------------------------


def test_samples_have_the_probabilities():
    n = 50_000
    x = Bernoulli(P).sample(n, np.random.default_rng(2))
    assert set(np.unique(x)) == {0, 1}
    assert np.all(np.abs(x.mean(axis=0) - P) < 4.5 * np.sqrt(P * (1 - P) / n))


def test_positions_are_independent():
    n = 20_000
    x = Bernoulli(P[:3]).sample(n, np.random.default_rng(5))
    correlation = np.corrcoef(x.T) - np.eye(3)
    assert np.all(np.abs(correlation) < 4.5 / np.sqrt(n))


def test_certain_positions_never_vary():
    x = Bernoulli([0.0, 1.0]).sample(1000, np.random.default_rng(0))
    np.testing.assert_array_equal(x, [[0, 1]] * 1000)


# --- parameters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([0.5, 1.2], r"lie in \[0, 1\].*1\.2"),
        ([-0.1], r"lie in \[0, 1\].*-0\.1"),
        ([np.nan], "p must be finite"),
        ([], "non-empty vector"),
        ([[0.5, 0.5]], "non-empty vector"),
    ],
)
def test_bad_probabilities(p, message):
    with pytest.raises(ValueError, match=message):
        Bernoulli(p)


def test_probabilities_that_are_no_numbers():
    with pytest.raises(TypeError, match="p must be numbers"):
        Bernoulli("half")
