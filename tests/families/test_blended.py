"""Mixtures of unlike families."""

import pickle

import numpy as np
import pytest

import cem
from cem.families.blended import Blended
from cem.families.factor_steps import FactorSteps
from cem.rare_events.archive import mixture

RNG = np.random.default_rng
ONE = cem.GaussianMixture([1.0], [[0.0, 0.0]], [[1.0, 1.0]])
TWO = cem.GaussianMixture([0.5, 0.5], [[3.0, 3.0], [-3.0, 3.0]], [[1.0, 1.0], [0.5, 0.5]])
STEPS = FactorSteps([0], cem.GaussianMixture([1.0], [[1.0]], [[1.0]]), [0.5], [1], [2.0], [0.5])


def test_the_density_is_the_weighted_sum():
    x = RNG(1).normal(size=(50, 2)) * 2
    mixed = STEPS.blend(ONE, 0.25)
    expected = 0.75 * np.exp(STEPS.log_prob(x)) + 0.25 * np.exp(ONE.log_prob(x))
    np.testing.assert_allclose(np.exp(mixed.log_prob(x)), expected, rtol=1e-12)


def test_mixtures_of_normals_in_a_row_become_one():
    mixed = STEPS.blend(ONE, 0.25).blend(TWO, 0.5)
    assert len(mixed.parts) == 2
    np.testing.assert_allclose(mixed.shares, [0.375, 0.625])
    x = RNG(2).normal(size=(50, 2)) * 2
    densities = np.exp([STEPS.log_prob(x), ONE.log_prob(x), TWO.log_prob(x)])
    np.testing.assert_allclose(np.exp(mixed.log_prob(x)), [0.375, 0.125, 0.5] @ densities, rtol=1e-12)


def test_parts_in_any_order():
    x = RNG(3).normal(size=(50, 2)) * 2
    densities = np.exp([ONE.log_prob(x), STEPS.log_prob(x), TWO.log_prob(x), STEPS.log_prob(x)])
    mixed = mixture([ONE, STEPS, TWO, STEPS], [0.4, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(np.exp(mixed.log_prob(x)), [0.4, 0.3, 0.2, 0.1] @ densities, rtol=1e-12)
    assert isinstance(mixture([ONE, TWO], [1, 1]), cem.GaussianMixture)
    np.testing.assert_allclose(mixture([STEPS, STEPS], [3, 1]).shares, [0.75, 0.25])


def test_blends_of_blends():
    mixed = STEPS.blend(ONE, 0.5).blend(STEPS.blend(TWO, 0.5), 0.5)
    np.testing.assert_allclose(mixed.shares, [0.25] * 4)
    assert mixed.blend(ONE, 0) is mixed
    assert mixed.blend(ONE, 1) is ONE


def test_draws_come_from_the_parts_by_their_shares():
    far = Blended([3, 1], [ONE, cem.GaussianMixture([1.0], [[100.0, 100.0]], [[1.0, 1.0]])])
    x = far.sample(1000, RNG(3))
    assert (x[:, 0] > 50).sum() == 250
    np.testing.assert_array_equal(x, pickle.loads(pickle.dumps(far)).sample(1000, RNG(3)))


def test_a_fit_never_lowers_the_likelihood():
    x = np.vstack([STEPS.sample(2000, RNG(4)), TWO.sample(1000, RNG(5))])
    mixed = STEPS.blend(TWO, 0.7)
    fitted = mixed.fit(x)
    assert fitted.log_prob(x).mean() > mixed.log_prob(x).mean()
    np.testing.assert_allclose(fitted.fit(x).shares, [2 / 3, 1 / 3], atol=0.05)


def test_the_entropy_is_an_upper_bound():
    mixed = Blended([0.5, 0.5], [ONE, TWO])
    assert mixed.entropy() >= -mixed.log_prob(mixed.sample(50_000, RNG(6))).mean()


def test_shares_are_checked():
    with pytest.raises(ValueError, match="positive"):
        Blended([1.0, 0.0], [ONE, TWO])
