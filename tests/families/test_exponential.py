"""The exponential family: density, fit, blend, entropy, divergence and sampling."""

import numpy as np
import pytest
from scipy import stats

from cem import Exponential

MEAN = np.array([0.25, 3.0, 100.0])


def rows(n=60, seed=0):
    return np.random.default_rng(seed).gamma(2.0, size=(n, 3)) * [1.0, 2.0, 50.0]


# --- density ----------------------------------------------------------------------------------------


def test_log_prob():
    x = rows()
    expected = stats.expon.logpdf(x, scale=MEAN).sum(axis=1)
    np.testing.assert_allclose(Exponential(MEAN).log_prob(x), expected, rtol=1e-12)


def test_zero_is_inside_and_below_it_is_impossible():
    family = Exponential([2.0, 0.5])
    np.testing.assert_allclose(family.log_prob(np.array([[0.0, 0.0]])), [0.0], atol=1e-15)
    assert family.log_prob(np.array([[1.0, -1e-300]]))[0] == -np.inf


def test_log_prob_refuses_rows_of_another_length():
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        Exponential(MEAN).log_prob(np.zeros((2, 4)))


# --- fit --------------------------------------------------------------------------------------------


def test_fit_is_the_weighted_mean():
    x, w = rows(), np.random.default_rng(1).random(60)
    np.testing.assert_allclose(Exponential(MEAN).fit(x).mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(Exponential(MEAN).fit(x, w).mean, np.average(x, axis=0, weights=w), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_no_nearby_mean_has_a_higher_likelihood(seed):
    x, w = rows(seed=seed), np.random.default_rng(seed).random(60)
    fitted = Exponential(MEAN).fit(x, w)
    best = w @ fitted.log_prob(x)
    for j in range(3):
        for step in (-1e-2, -1e-4, 1e-4, 1e-2):
            assert w @ Exponential(fitted.mean * (1 + step * np.eye(3)[j])).log_prob(x) < best


LARGEST = np.finfo(np.float64).max


@pytest.mark.parametrize(
    "x",
    [
        [[3.0, 4.0]],
        [[3.0, 4.0]] * 5,
        [[0.0, 0.0]] * 3,
        [[5e-324, 0.0]] * 3,
        [[1e200, 1.0], [1e150, 2.0]],
        [[1e300, 1e300]] * 3,
        [[LARGEST, 1.0]] * 7,
    ],
    ids=["one row", "identical", "zeros", "denormal", "1e200", "1e300", "largest float"],
)
def test_fit_never_raises_on_finite_rows(x):
    """The fit and what the loop then does with it."""
    start = Exponential([1.0, 1.0])
    fitted = start.fit(np.array(x))
    assert np.all(np.isfinite(fitted.mean))
    assert np.all(fitted.mean > 0)
    assert np.isfinite(fitted.entropy())
    assert np.isfinite(start.blend(fitted, 0.7).entropy())


def test_log_prob_of_ordinary_rows_under_a_fit_to_zeros_is_no_error():
    """An elite set at 0 leaves almost no mass at 10: that is a very low log density, not an overflow."""
    fitted = Exponential([1.0]).fit(np.zeros((3, 1)))
    assert fitted.log_prob(np.array([[10.0]]))[0] < -1e300


# --- blend and information --------------------------------------------------------------------------


def test_blend_mixes_means():
    mixed = Exponential(MEAN).blend(Exponential([1.0, 1.0, 1.0]), 0.25)
    np.testing.assert_allclose(mixed.mean, 0.75 * MEAN + 0.25)


def test_entropy():
    assert Exponential(MEAN).entropy() == pytest.approx(stats.expon.entropy(scale=MEAN).sum(), rel=1e-12)


def test_divergence_is_the_textbook_formula():
    p, q = Exponential([0.5]), Exponential([2.0])
    assert p.kl_divergence(q) == pytest.approx(np.log(4) + 0.25 - 1, rel=1e-12)
    assert q.kl_divergence(p) == pytest.approx(np.log(0.25) + 4 - 1, rel=1e-12)


# --- sampling ---------------------------------------------------------------------------------------


def test_samples_have_the_means_and_are_exponential():
    n = 50_000
    x = Exponential(MEAN).sample(n, np.random.default_rng(2))
    assert x.min() >= 0
    assert np.all(np.abs(x.mean(axis=0) - MEAN) < 4.5 * MEAN / np.sqrt(n))
    for j in range(3):
        assert stats.kstest(x[:5000, j] / MEAN[j], "expon").pvalue > 1e-3


def test_coordinates_are_independent():
    n = 20_000
    x = Exponential(MEAN).sample(n, np.random.default_rng(5))
    assert np.all(np.abs(np.corrcoef(x.T) - np.eye(3)) < 4.5 / np.sqrt(n))


# --- parameters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        ([0.0, 1.0], "means must be positive"),
        ([1.0, -1.0], "means must be positive.*-1"),
        ([np.nan], "mean must be finite"),
        ([np.inf], "mean must be finite"),
        ([], "non-empty vector"),
        ([[1.0]], "non-empty vector"),
    ],
)
def test_bad_means(mean, message):
    with pytest.raises(ValueError, match=message):
        Exponential(mean)


def test_means_that_are_no_numbers():
    with pytest.raises(TypeError, match="mean must be numbers, in rows of one length"):
        Exponential("long")


def test_a_mean_whose_draws_would_overflow_is_refused():
    with pytest.raises(ValueError, match=r"at most 1e\+300; measure in other units"):
        Exponential([1.0, 1e308])
