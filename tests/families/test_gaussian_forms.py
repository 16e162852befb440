"""Gaussians given by a factor, and by a few directions."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.families import FactoredGaussian, LowRankGaussian

RNG = np.random.default_rng(4)
FACTOR = RNG.standard_normal((3, 3))
VECTORS = RNG.standard_normal((2, 3))
VECTORS /= np.linalg.norm(VECTORS, axis=1)[:, None]
FACTORED = FactoredGaussian([1.0, 2.0, -1.0], FACTOR)
LOW_RANK = LowRankGaussian([1.0, 2.0, -1.0], [0.5, 1.0, 2.0], VECTORS, [3.0, -0.4])


def covariance(family):
    if isinstance(family, FactoredGaussian):
        return family.factor @ family.factor.T
    stretch = np.eye(3)
    for v, r in zip(family.vectors, family.stretches, strict=True):
        stretch = (np.eye(3) + r * np.outer(v, v)) @ stretch
    root = family.std[:, None] * stretch
    return root @ root.T


each = pytest.mark.parametrize("family", [FACTORED, LOW_RANK], ids=["factored", "low rank"])


@each
def test_densities_are_those_of_scipy(family):
    reference = stats.multivariate_normal(family.mean, covariance(family))
    x = family.sample(20, np.random.default_rng(1))
    np.testing.assert_allclose(family.log_prob(x), reference.logpdf(x), rtol=1e-8)
    assert family.entropy() == pytest.approx(float(reference.entropy()), rel=1e-9)


@each
def test_samples_have_the_covariance(family):
    x = family.sample(200_000, np.random.default_rng(2))
    truth = covariance(family)
    scale = np.sqrt(np.outer(np.diag(truth), np.diag(truth)))
    assert np.abs((np.cov(x.T) - truth) / scale).max() < 5 * np.sqrt(2 / 200_000)


@each
def test_a_fit_to_its_own_samples_comes_back(family):
    fitted = family.fit(family.sample(100_000, np.random.default_rng(3)))
    np.testing.assert_allclose(covariance(fitted), covariance(family), rtol=0.05, atol=0.05)


@each
def test_blending_has_ends(family):
    other = family.fit(np.random.default_rng(5).standard_normal((50, 3)))
    for rate, end in ((0.0, family), (1.0, other)):
        blended = family.blend(other, rate)
        np.testing.assert_allclose(covariance(blended), covariance(end), rtol=1e-9)
    plain = cem.Gaussian([0.0] * 3, std=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(covariance(family.blend(plain, 1.0)), np.diag([1.0, 4.0, 9.0]), atol=1e-12)


@each
def test_it_is_stored_by_name(family):
    again = type(family).from_arrays(family.to_arrays())
    np.testing.assert_array_equal(covariance(again), covariance(family))
    assert isinstance(family, cem.Family)
    assert type(family).__name__ in repr(family)


def test_whitening_undoes_sampling():
    z = np.random.default_rng(6).standard_normal((4, 3))
    x = LOW_RANK.sample(4, np.random.default_rng(6))
    np.testing.assert_allclose(LOW_RANK.whiten(x), z, rtol=1e-12)


def test_the_divergence_is_the_plain_ones():
    other = cem.Gaussian([0.0] * 3, std=1.0)
    assert FACTORED.kl_divergence(other) == pytest.approx(FACTORED.plain.kl_divergence(other))
    assert FACTORED.kl_divergence(FACTORED) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FactoredGaussian([0.0, 0.0], np.eye(3)),
        lambda: FactoredGaussian([0.0], [[np.nan]]),
        lambda: LowRankGaussian([0.0], [1.0], np.ones((2, 1)), [0.0]),
        lambda: LowRankGaussian([0.0], [0.0], np.ones((1, 1)), [0.0]),
        lambda: LowRankGaussian([0.0], [1.0], np.ones((1, 1)), [-1.0]),
    ],
)
def test_bad_parameters_are_told(make):
    with pytest.raises(ValueError, match=r"must|differ"):
        make()


@each
def test_it_is_the_gaussian_with_its_covariance(family):
    np.testing.assert_allclose(family.plain.covariance, covariance(family), rtol=1e-12)
    np.testing.assert_allclose(family.plain.mean, family.mean)
    assert family.kl_divergence(family.plain) == pytest.approx(0, abs=1e-12)


@each
def test_stretching_takes_one_factor_or_one_for_each_coordinate(family):
    for factor in (2.0, np.array([2.0, 0.5, 1.0])):
        moved = family.stretched(np.ones(3), factor)
        scale = np.broadcast_to(factor, 3)
        np.testing.assert_allclose(covariance(moved), covariance(family) * np.outer(scale, scale), rtol=1e-12)
        np.testing.assert_array_equal(moved.mean, np.ones(3))


@each
def test_widening_falls_below_neither(family):
    """``A - B`` is positive semidefinite where A falls nowhere below B."""
    floor = cem.Gaussian(np.zeros(3), std=1.0)
    wide = family.widened(floor)
    for least in (np.eye(3), covariance(family)):
        assert np.linalg.eigvalsh(wide.covariance - least)[0] > -1e-12
    assert np.linalg.det(wide.covariance) < np.linalg.det(np.eye(3) + covariance(family))


@pytest.mark.parametrize(
    "family", [FACTORED, LOW_RANK, FACTORED.plain], ids=["factored", "low rank", "plain"]
)
def test_a_full_adaptation_begins_with_its_covariance(family):
    state = cem.updates.PathAdaptation("full").init(family)
    np.testing.assert_allclose(covariance(state.family), family.plain.covariance, rtol=1e-12)
