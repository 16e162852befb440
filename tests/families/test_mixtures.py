"""Mixtures: densities against scipy, sampling against moments, fits that raise the likelihood."""

import itertools
import pickle

import numpy as np
import pytest
from scipy import stats

import cem
from cem.families import BernoulliMixture
from cem.families.mixture import allot

RNG = np.random.default_rng
COVARIANCES = [[[1.0, 0.5], [0.5, 2.0]], [[0.3, 0.0], [0.0, 0.2]]]
MEANS = [[0.0, 1.0], [4.0, -2.0]]
FULL = cem.GaussianMixture.from_covariances([3, 1], MEANS, COVARIANCES)
DIAGONAL = cem.GaussianMixture([0.5, 0.5], MEANS, [[1.0, 2.0], [0.5, 0.1]])
BITS = BernoulliMixture([0.3, 0.7], [[0.1, 0.9, 0.5], [0.8, 0.2, 1.0]])


def density(x):
    return sum(
        s * stats.multivariate_normal(m, c).pdf(x)
        for s, m, c in zip((0.75, 0.25), MEANS, COVARIANCES, strict=True)
    )


def test_density_is_scipys():
    x = RNG(1).normal(size=(50, 2)) * 3
    np.testing.assert_allclose(FULL.log_prob(x), np.log(density(x)), rtol=1e-10)
    np.testing.assert_allclose(FULL.covariances, COVARIANCES, atol=1e-12)


def test_a_low_rank_component_has_its_covariance():
    axis = np.array([3.0, 4.0, 0.0]) / 5
    one = cem.GaussianMixture([1], [[1.0, 2, 3]], [[2.0, 2, 2]], axis[None, :, None], [[3.0]])
    covariance = 4 * (np.eye(3) + 8 * np.outer(axis, axis))
    np.testing.assert_allclose(one.covariances[0], covariance)
    x = RNG(1).normal(size=(20, 3)) * 4
    np.testing.assert_allclose(one.log_prob(x), stats.multivariate_normal([1, 2, 3], covariance).logpdf(x))
    draws = one.sample(40_000, RNG(2))
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=5 * covariance.max() * np.sqrt(2 / 40_000))


def test_masses_sum_to_one():
    x = np.array(list(itertools.product((0, 1), repeat=3)))
    assert np.exp(BITS.log_prob(x)).sum() == pytest.approx(1)
    assert BITS.log_prob(x)[0] == pytest.approx(np.log(0.3 * 0.9 * 0.1 * 0.5))


@pytest.mark.parametrize("family", [FULL, DIAGONAL, BITS])
def test_draws_have_the_mixtures_mean(family):
    n = 40_000
    x = family.sample(n, RNG(3))
    mean = family.shares @ (family.p if family is BITS else family.means)
    assert np.all(np.abs(x.mean(axis=0) - mean) <= 5 * x.std(axis=0) / np.sqrt(n) + 1e-12)


@pytest.mark.parametrize("family", [FULL, DIAGONAL, BITS])
def test_a_fit_never_lowers_the_likelihood(family):
    rng = RNG(4)
    x = rng.integers(0, 2, (300, 3)) if family is BITS else rng.normal(size=(300, 2)) * 2
    w = rng.random(300)
    start = BernoulliMixture([1, 1], [[0.4] * 3, [0.6] * 3]) if family is BITS else family
    assert w @ start.fit(x, w).log_prob(x) >= w @ start.log_prob(x)


def test_a_fit_finds_two_clusters():
    x = FULL.sample(5000, RNG(5))
    start = cem.GaussianMixture.from_covariances([1, 1], [[1.0, 0], [3, 0]], [np.eye(2)] * 2)
    fitted = start.fit(x)
    order = np.argsort(fitted.means[:, 0])
    np.testing.assert_allclose(fitted.means[order], MEANS, atol=0.1)
    np.testing.assert_allclose(fitted.shares[order], [0.75, 0.25], atol=0.02)


def test_one_component_fits_as_a_gaussian():
    x, w = RNG(6).normal(size=(50, 2)), RNG(7).random(50)
    fitted = cem.GaussianMixture.from_covariances([1], [[0.0, 0]], [np.eye(2)]).fit(x, w)
    expected = cem.Gaussian([0, 0], covariance=np.eye(2)).fit(x, w)
    np.testing.assert_allclose(fitted.means[0], expected.mean)
    np.testing.assert_allclose(fitted.covariances[0], expected.covariance, rtol=1e-6)


@pytest.mark.parametrize(("one", "two"), [(FULL, DIAGONAL), (BITS, BernoulliMixture([1], [[0.5] * 3]))])
def test_blending_mixes_densities(one, two):
    x = one.sample(20, RNG(8))
    mixed = np.log(0.8 * np.exp(one.log_prob(x)) + 0.2 * np.exp(two.log_prob(x)))
    np.testing.assert_allclose(one.blend(two, 0.2).log_prob(x), mixed)
    assert one.blend(two, 0.0) is one


@pytest.mark.parametrize("family", [FULL, DIAGONAL, BITS])
def test_stored_pickled_and_a_family(family):
    x = family.sample(10, RNG(9))
    for again in (type(family).from_arrays(family.to_arrays()), pickle.loads(pickle.dumps(family))):
        np.testing.assert_array_equal(again.log_prob(x), family.log_prob(x))
    assert isinstance(family, cem.Family)
    assert "2 components" in repr(family)
    assert np.isfinite(family.entropy())


def test_heat_keeps_certain_bits():
    hot = BITS.heated(0.0)
    np.testing.assert_allclose(hot.p, [[0.5, 0.5, 0.5], [0.5, 0.5, 1.0]])


def test_shares_are_allotted_exactly_and_without_bias():
    shares = np.array([0.5, 0.3, 0.2])
    counts = np.array([np.bincount(allot(shares, 7, RNG(s)), minlength=3) for s in range(2000)])
    assert np.all(counts >= np.floor(7 * shares))
    np.testing.assert_allclose(counts.mean(axis=0), 7 * shares, atol=0.06)


BAD = {
    "share": (lambda: cem.GaussianMixture([0, 1], MEANS, MEANS), "shares"),
    "std": (lambda: cem.GaussianMixture([1, 1], MEANS, [[1, 1], [0, 1]]), "stds"),
    "shape": (lambda: cem.GaussianMixture([1, 1, 1], MEANS, np.ones((2, 2))), "shapes"),
    "covariance": (lambda: cem.GaussianMixture.from_covariances([1], [[0, 0]], [-np.eye(2)]), "definite"),
    "probability": (lambda: BernoulliMixture([1], [[0.5, 1.5]]), "probabilities"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e3, 1e6, 1e10, 1e100])
def test_densities_are_those_of_scipy_in_any_unit(unit):
    root = RNG(0).standard_normal((3, 3))
    covariance = root @ root.T + 0.1 * np.eye(3)
    x = RNG(1).standard_normal((5, 3))
    truth = stats.multivariate_normal(np.zeros(3), covariance).logpdf(x) - 3 * np.log(unit)
    mixture = cem.GaussianMixture.from_covariances([1.0], [np.zeros(3)], [covariance * unit**2])
    np.testing.assert_allclose(mixture.log_prob(x * unit), truth, rtol=1e-12)
    values, axes = np.linalg.eigh(covariance)
    spelt_out = cem.GaussianMixture(
        [1.0], np.zeros((1, 3)), np.ones((1, 3)), [axes], [np.sqrt(values) * unit]
    )
    np.testing.assert_allclose(spelt_out.log_prob(x * unit), truth, rtol=1e-8)


@pytest.mark.parametrize("full", [False, True])
def test_a_fit_does_not_depend_on_the_unit(full):
    x = RNG(2).standard_normal((200, 2))
    x[:100] += 5
    x[150:] = x[150]  # a component that sinks into one row is held up, in any unit alike
    fits = []
    for unit in (2.0**-40, 1.0, 2.0**40):
        start = cem.GaussianMixture([1.0, 1.0], [[0, 0], [5 * unit] * 2], np.full((2, 2), unit))
        if full:
            start = cem.GaussianMixture.from_covariances(start.shares, start.means, start.covariances)
        fitted = start.fit(x * unit)
        fits.append((fitted.shares, fitted.means / unit, fitted.covariances / unit**2))
    for other in (fits[0], fits[2]):
        for a, b in zip(fits[1], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)


def test_smoothing_again_and_again_does_not_heap_up_components():
    rng = np.random.default_rng(1)
    family = cem.GaussianMixture([1, 1], [[0.0], [1.0]], [[1.0], [1.0]])
    for _ in range(12):
        x = family.sample(100, rng)
        family = family.blend(family.fit(x[np.argsort(x[:, 0] ** 2)[:10]]), 0.7)
    assert len(family.shares) <= 60
