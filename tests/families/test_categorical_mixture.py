"""Mixtures of independent categories."""

import numpy as np
import pytest

import cem
from cem.families import CategoricalMixture

RNG = np.random.default_rng
TABLES = np.array([[[0.5, 0.3, 0.2], [0.9, 0.1, 0.0]], [[0.1, 0.1, 0.8], [0.2, 0.8, 0.0]]])
MIXTURE = CategoricalMixture([1, 3], TABLES)


def test_it_is_a_family():
    assert isinstance(MIXTURE, cem.Family)
    again = CategoricalMixture.from_arrays(MIXTURE.to_arrays())
    np.testing.assert_array_equal(again.tables, MIXTURE.tables)


def test_masses_sum_to_one_and_draws_follow_them():
    x = np.array([(a, b) for a in range(3) for b in range(3)])
    mass = np.exp(MIXTURE.log_prob(x))
    assert mass.sum() == pytest.approx(1)
    assert mass[2] == 0
    n = 40_000
    drawn = MIXTURE.sample(n, RNG(1))
    shares = np.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9) / n
    assert np.all(np.abs(shares - mass) <= 4 * np.sqrt(mass * (1 - mass) / n))


def test_one_component_is_categorical():
    one = CategoricalMixture([1], TABLES[:1])
    x = one.sample(100, RNG(2))
    np.testing.assert_allclose(one.log_prob(x), cem.Categorical(TABLES[0]).log_prob(x))
    np.testing.assert_allclose(one.fit(x).tables[0], cem.Categorical(TABLES[0]).fit(x).probabilities)
    assert one.log_prob(np.array([[3, 0]]))[0] == -np.inf


def test_a_fit_raises_the_likelihood():
    x, w = MIXTURE.sample(500, RNG(3)), RNG(4).random(500)
    start = CategoricalMixture([1, 1], TABLES[::-1] * 0.5 + 1 / 6)
    assert w @ start.fit(x, w).log_prob(x) > w @ start.log_prob(x)


def test_blending_and_heating():
    blended = MIXTURE.blend(CategoricalMixture([1], TABLES[:1]), 0.5)
    np.testing.assert_allclose(blended.shares, [0.125, 0.375, 0.5])
    flat = MIXTURE.heated(0.0)
    np.testing.assert_allclose(flat.tables[0], [[1 / 3] * 3, [0.5, 0.5, 0]])


@pytest.mark.parametrize(
    ("shares", "tables"), [([1], TABLES), ([1, 1], TABLES * 2), ([1, 1], -TABLES), ([1], [[0.5, 0.5]])]
)
def test_what_is_no_mixture_is_told(shares, tables):
    with pytest.raises(ValueError, match="table"):
        CategoricalMixture(shares, tables)
