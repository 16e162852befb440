"""Components that differ in one coordinate each: the same distribution as a mixture of diagonal normals."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import cem
from cem.families.one_large import OneLarge

RNG = np.random.default_rng
SHARES, AT, MEANS, STDS = [0.1, 0.3, 0.4, 0.2], [0, 1, 0, 1], [4.0, 5.0, -4.0, -3.0], [1.0, 0.5, 2.0, 0.7]
CENTRE, SPREAD = [0.1, -0.2], [1.1, 0.9]
FAMILY = OneLarge(SHARES, MEANS, STDS, CENTRE, SPREAD)


def spelt_out():
    means, stds = np.tile(CENTRE, (4, 1)), np.tile(SPREAD, (4, 1))
    means[np.arange(4), AT], stds[np.arange(4), AT] = MEANS, STDS
    return cem.GaussianMixture(SHARES, means, stds)


def test_density_and_entropy_are_those_of_the_mixture_spelt_out():
    x = RNG(1).normal(size=(100, 2)) * 4
    np.testing.assert_allclose(FAMILY.joint(x), spelt_out().joint(x), rtol=1e-12)
    np.testing.assert_allclose(FAMILY.log_prob(x), spelt_out().log_prob(x), rtol=1e-12)
    assert FAMILY.entropy() == pytest.approx(spelt_out().entropy(), rel=1e-12)
    wide = spelt_out().inflated(1.5).log_prob(x)
    np.testing.assert_allclose(FAMILY.inflated(1.5).log_prob(x), wide, rtol=1e-12)


def test_draws_have_the_density_that_scores_them():
    n = 200_000
    ours, theirs = FAMILY.sample(n, RNG(2)), spelt_out().sample(n, RNG(3))
    for f in (
        lambda x: x[:, 0],
        lambda x: x[:, 1],
        lambda x: x[:, 0] * x[:, 1],
        lambda x: (x**2).sum(axis=1),
    ):
        a, b = f(ours), f(theirs)
        assert abs(a.mean() - b.mean()) <= 4 * np.hypot(a.std(), b.std()) / np.sqrt(n)


def test_a_fit_finds_what_draws_were_made_with():
    start = OneLarge(np.ones(4), [3.0, 3.0, -3.0, -3.0], np.ones(4), np.zeros(2), np.ones(2))
    x = FAMILY.sample(20_000, RNG(4))
    fitted = start.fit(x)
    assert fitted.log_prob(x).mean() > start.log_prob(x).mean()
    np.testing.assert_allclose(fitted.shares, SHARES, atol=0.03)
    np.testing.assert_allclose(fitted.means, MEANS, atol=0.15)
    np.testing.assert_allclose(fitted.stds, STDS, rtol=0.1)


def test_arrays_are_read_only_also_out_of_a_pickle():
    for family in (FAMILY, pickle.loads(pickle.dumps(FAMILY))):
        with pytest.raises(ValueError, match="read-only"):
            family.means[0] = 1.0
        assert repr(family) == "OneLarge(4 components, 2 coordinates)"
        np.testing.assert_array_equal(family.sample(5, RNG(5)), FAMILY.sample(5, RNG(5)))


def test_a_blend_is_a_mixture():
    x = RNG(6).normal(size=(50, 2)) * 3
    normal = cem.GaussianMixture([1.0], [[0.0, 0.0]], [[1.0, 1.0]])
    expected = 0.9 * np.exp(FAMILY.log_prob(x)) + 0.1 * np.exp(normal.log_prob(x))
    np.testing.assert_allclose(np.exp(FAMILY.blend(normal, 0.1).log_prob(x)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"means": [1.0]}, "have shape"),
        ({"centre": [0.0] * 3, "spread": [1.0] * 3}, "multiple of the 3"),
        ({"stds": [1.0, 0.0, 1.0, 1.0]}, "must be positive"),
        ({"shares": [1.0, 0.0, 1.0, 1.0]}, "positive"),
    ],
)
def test_bad_parameters(change, says):
    with pytest.raises(ValueError, match=says):
        replace(FAMILY, **change)
