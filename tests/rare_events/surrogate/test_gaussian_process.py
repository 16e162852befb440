"""Gaussian processes against closed forms."""

import numpy as np
import pytest
from scipy import stats

from cem.rare_events.surrogate.gaussian_process import (
    CONSTANT,
    JITTER,
    PRIOR_MEAN,
    PRIOR_STD,
    GaussianProcess,
    find_hyperparameters,
    negative_log_posterior,
    prior_length,
)


def rows(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def theta_for(d, seed=1):
    rng = np.random.default_rng(seed)
    return np.append([-0.7, -1.2, -0.3, -2.5], np.log(2.0) + 0.4 * rng.standard_normal(d))


def kernel(u, v, theta):
    """The covariance of two rows, written out."""
    a, b, s = np.exp(theta[:3])
    lengths = np.exp(theta[4:])
    r = np.sqrt(5 * np.sum(((u - v) / lengths) ** 2))
    squared = np.sum(u * v / lengths**2)
    return CONSTANT + a**2 * (u @ v) + b**2 * squared**2 + s**2 * (1 + r + r**2 / 3) * np.exp(-r)


def gram(u, v, theta):
    return np.array([[kernel(a, b, theta) for b in v] for a in u])


def noise(theta):
    return np.exp(2 * theta[3]) + JITTER


@pytest.mark.parametrize("d", [1, 3, 7])
def test_the_posterior_is_that_of_the_direct_formula(d):
    x, u, theta = rows(15, d), rows(6, d, 5), theta_for(d)
    y = np.sin(x[:, 0]) + 0.1 * x.sum(axis=1)
    inverse = np.linalg.inv(gram(x, x, theta) + noise(theta) * np.eye(15))
    across = gram(u, x, theta)
    covariance = gram(u, u, theta) - across @ inverse @ across.T
    process = GaussianProcess.condition(x, y, theta)
    mean, deviation = process.predict(u, chunk=4)
    np.testing.assert_allclose(mean, across @ inverse @ y, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(deviation**2, np.diag(covariance) + noise(theta), rtol=1e-6)
    np.testing.assert_allclose(process.covariance(u), covariance, atol=1e-8)


def test_a_block_more_is_the_posterior_of_all_rows():
    x, u, theta = rows(20, 4), rows(9, 4, 5), theta_for(4)
    y = np.cos(x[:, 1]) + x[:, 0]
    whole = GaussianProcess.condition(x, y, theta)
    grown = GaussianProcess.condition(x[:11], y[:11], theta).extended(x[11:15], y[11:15])
    grown = grown.extended(x[15:], y[15:])
    np.testing.assert_allclose(grown.factor, whole.factor, atol=1e-9)
    for one, other in zip(grown.predict(u), whole.predict(u), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("d", [1, 4])
def test_the_posterior_density_of_hyperparameters_is_likelihood_times_prior(d):
    x, theta = rows(12, d), theta_for(d)
    y = x[:, 0] ** 2 - 1
    covariance = gram(x, x, theta) + noise(theta) * np.eye(12)
    expected = -stats.multivariate_normal(np.zeros(12), covariance).logpdf(y)
    expected += 0.5 * (((theta[:4] - PRIOR_MEAN) / PRIOR_STD) ** 2).sum()
    expected += 0.5 * ((theta[4:] - prior_length(d)) ** 2).sum()
    assert negative_log_posterior(theta, x, y)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_differences(seed):
    d = 3
    x, theta = rows(14, d, seed), theta_for(d, seed)
    y = np.sin(2 * x[:, 0]) + x[:, 1]
    h = 1e-5
    slopes = [
        (negative_log_posterior(theta + h * e, x, y)[0] - negative_log_posterior(theta - h * e, x, y)[0])
        / (2 * h)
        for e in np.eye(4 + d)
    ]
    np.testing.assert_allclose(negative_log_posterior(theta, x, y)[1], slopes, rtol=1e-5, atol=1e-6)


def test_hyperparameters_end_where_little_is_left_to_gain_and_tell_what_matters():
    x = rows(60, 3)
    y = np.sin(2 * x[:, 0]) + 0.3 * x[:, 1]
    y = (y - y.mean()) / y.std()
    theta, value = find_hyperparameters(x, y)
    for e in np.eye(7):
        for h in (-0.05, 0.05):
            assert negative_log_posterior(theta + h * e, x, y)[0] > value - 0.5
    assert theta[4] < theta[5]
    assert theta[4] < theta[6]
    u = rows(200, 3, 9)
    truth = (np.sin(2 * u[:, 0]) + 0.3 * u[:, 1] - np.mean(np.sin(2 * x[:, 0]) + 0.3 * x[:, 1])) / np.std(
        np.sin(2 * x[:, 0]) + 0.3 * x[:, 1]
    )
    mean, deviation = GaussianProcess.condition(x, y, theta).predict(u)
    assert np.mean(np.abs(mean - truth) < 3 * deviation) > 0.95
    assert np.median(np.abs(mean - truth)) < 0.1


def test_what_is_left_out_is_predicted_by_the_others():
    x, theta = rows(9, 2), theta_for(2)
    y = rows(9, 1, seed=4)[:, 0]
    for i, (error, own) in enumerate(zip(*GaussianProcess.condition(x, y, theta).left_out(), strict=True)):
        others = np.arange(9) != i
        mean, deviation = GaussianProcess.condition(x[others], y[others], theta).predict(x[i : i + 1])
        assert error == pytest.approx(y[i] - mean[0], rel=1e-6)
        assert own == pytest.approx(deviation[0], rel=1e-6)
