"""Factors and steps: one density for drawing and scoring, and fits that find what draws were made with."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_ndtr

import cem
from cem.families.factor_steps import FactorSteps, best_steps

RNG = np.random.default_rng
COMMON = cem.GaussianMixture([0.5, 0.5], [[0.0], [1.0]], [[1.2], [1.5]])
STEPS = FactorSteps([1], COMMON, [0.4], [1, -1, 1], [1.5, 0.5, 2.0], [0.4, 0.7, 0.0])
NORMAL = cem.Gaussian(np.zeros(4), std=1)


def assert_mean(values, expected):
    """The mean lies within four of its standard errors of what it should be."""
    assert abs(values.mean() - expected) <= 4 * values.std() / np.sqrt(values.size)


def test_draws_have_the_density_that_scores_them():
    ours, theirs = STEPS.sample(200_000, RNG(1)), NORMAL.sample(200_000, RNG(2))
    ratio = np.exp(STEPS.log_prob(theirs) - NORMAL.log_prob(theirs))
    assert_mean(ratio, 1.0)
    for f in (lambda x: np.tanh(x).sum(axis=1), lambda x: np.cos(x @ [1.0, -2.0, 0.5, 1.0])):
        gap = f(ours)
        error = np.hypot(gap.std(), (ratio * f(theirs)).std()) / np.sqrt(200_000)
        assert abs(gap.mean() - (ratio * f(theirs)).mean()) <= 4 * error


def test_thresholds_are_exceeded_at_the_rates_or_at_a_normals_own():
    z = 3.0
    at = cem.GaussianMixture([1.0], [[z]], [[1e-9]])
    x = FactorSteps([0], at, [0.5], [1, 1, -1], [2.0, 1.0, 2.0], [0.5, 0.5, 0.3]).sample(100_000, RNG(3))
    edges = np.array([2.0, 1.0, 2.0]) - 0.5 * z
    over = (x[:, 1:] * [1, 1, -1] > edges).mean(axis=0)
    expected = [0.5, stats.norm.sf(edges[1]), stats.norm.sf(edges[2])]
    assert np.all(np.abs(over - expected) <= 4 * 0.5 / np.sqrt(100_000))


def test_without_rates_the_others_are_standard_normal():
    plain = FactorSteps([0], cem.GaussianMixture([1], [[0.0]], [[1.0]]), [0.7], [1] * 3, [1.0] * 3, [0.0] * 3)
    x = NORMAL.sample(100, RNG(4)) * 3
    np.testing.assert_allclose(plain.log_prob(x), NORMAL.log_prob(x), rtol=1e-12)


def test_a_fit_finds_thresholds_and_rates():
    true = FactorSteps([0], COMMON, [0.4], [1, -1, 1], [1.5, 0.5, 2.0], [0.4, 0.8, 0.2])
    fitted = true.fit(true.sample(40_000, RNG(5)))
    np.testing.assert_allclose(fitted.thresholds, true.thresholds, atol=0.12)  # a grid of 0.11 to 0.14
    np.testing.assert_allclose(fitted.rates, true.rates, atol=0.05)
    assert fitted.common.shares @ fitted.common.means == pytest.approx(0.5, abs=4 * 1.44 / 200)


def test_columns_that_look_alike_share_a_step():
    alike = FactorSteps([0], COMMON, [0.4], [1] * 30, [2.0] * 30, [0.3] * 30)
    fitted = alike.fit(alike.sample(300, RNG(6)))
    assert np.ptp(fitted.rates) < 0.02
    np.testing.assert_allclose(fitted.rates, 0.3, atol=4 * np.sqrt(0.21 / 9000) + 0.02)


def test_normal_columns_get_no_step():
    x = RNG(7).standard_normal((2000, 20))
    steps = best_steps(x, RNG(8).standard_normal(2000), np.ones(2000))
    assert (steps.rates > 0).mean() <= 0.1


def test_the_right_slope_makes_the_steps_clearest():
    alike = FactorSteps([0], COMMON, [0.6], [1] * 10, [2.0] * 10, [0.4] * 10)
    x = alike.sample(4000, RNG(9))
    gains = [best_steps(x[:, 1:], slope * x[:, 0], np.ones(4000)).gain for slope in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert np.argmax(gains) == 2


def test_entropy_where_the_factors_hardly_vary():
    narrow = cem.GaussianMixture([1.0], [[2.0]], [[1e-6]])
    steps = FactorSteps([1], narrow, [0.4], [1, -1, 1], [1.5, 0.5, 2.0], [0.4, 0.7, 0.0])
    assert_mean(-steps.log_prob(steps.sample(100_000, RNG(10))), steps.entropy())


def test_far_tails():
    for threshold in (0.5, 5.0, 29.99, 30.0, 38.0, 45.0):
        step, plain = (FactorSteps([0], COMMON, [0.0], [1], [threshold], [rate]) for rate in (0.5, 0.0))
        x = np.array([[0.3, threshold + 0.1], [0.3, threshold - 0.1]])
        gained = np.log(0.5) - log_ndtr([-threshold, threshold])
        np.testing.assert_allclose(step.log_prob(x) - plain.log_prob(x), gained, rtol=1e-9, atol=1e-12)
    far = FactorSteps([0], COMMON, [0.4], [1], [45.0], [0.5])
    assert np.all(np.isfinite(far.log_prob(far.sample(1000, RNG(11)))))
    assert np.isfinite(far.entropy())
    assert np.isfinite(FactorSteps([0], COMMON, [0.4], [1, 1], [45.0, -45.0], [0.0, 0.0]).entropy())


def test_inflating_widens_the_factors_alone():
    wide = STEPS.inflated(1.0)
    np.testing.assert_allclose(wide.common.stds, 2 * COMMON.stds)
    np.testing.assert_array_equal(wide.rates, STEPS.rates)


def test_arrays_are_read_only_also_out_of_a_pickle():
    for family in (STEPS, pickle.loads(pickle.dumps(STEPS))):
        with pytest.raises(ValueError, match="read-only"):
            family.rates[0] = 1.0
        assert repr(family) == "FactorSteps(1 factors, 3 coordinates)"
        np.testing.assert_array_equal(family.sample(5, RNG(12)), STEPS.sample(5, RNG(12)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"slopes": [0.1, 0.2]}, "one entry for each"),
        ({"signs": [1, 1]}, "one length"),
        ({"factors": [4]}, "of 4 coordinates"),
        ({"rates": [0.5, 1.0, 0.5]}, r"rates lie in \[0, 1\)"),
    ],
)
def test_bad_parameters(change, says):
    with pytest.raises(ValueError, match=says):
        replace(STEPS, **change)
