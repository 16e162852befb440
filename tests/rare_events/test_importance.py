"""Likelihood ratios and the tally of an estimate, against the formulas written out in plain numpy."""

import math

import numpy as np
import pytest

import cem
from cem.rare_events.importance import Tally, log_ratio


class Fixed:
    """A distribution that has the given log-probabilities, whatever the rows."""

    def __init__(self, *log_probs):
        self.log_probs = np.array(log_probs, dtype=float)

    def sample(self, n, rng):
        raise NotImplementedError

    def log_prob(self, x):
        assert len(x) == len(self.log_probs)
        return self.log_probs


class Mute(Fixed):
    """A distribution that must not be asked."""

    def log_prob(self, x):
        raise AssertionError("log_prob was called")


def rows(n):
    return np.arange(float(n)).reshape(n, 1)


def tally_of(log_weights, misses=0):
    """Make the tally of hits with these log-weights, and of further draws that missed."""
    k = len(log_weights)
    scores = np.r_[np.ones(k), np.zeros(misses)]
    hits_only = Fixed(*log_weights)
    return Tally().add(rows(k + misses), scores, 1.0, hits_only, Fixed(*np.zeros(k)))


# --- likelihood ratios ----------------------------------------------------------------------------------


def test_ratio_is_the_difference_of_the_logs():
    p, q = cem.Exponential([1.0, 2.0]), cem.Exponential([3.0, 0.5])
    x = np.array([[0.3, 1.0], [4.0, 0.01], [0.0, 0.0]])
    by_hand = np.log(np.exp(-x[:, 0]) * np.exp(-x[:, 1] / 2) / 2)
    by_hand -= np.log(np.exp(-x[:, 0] / 3) / 3 * np.exp(-x[:, 1] / 0.5) / 0.5)
    np.testing.assert_allclose(log_ratio(p, q, x), by_hand, rtol=1e-13)


def test_ratio_is_the_nominal_over_the_proposal_and_not_the_other_way():
    np.testing.assert_array_equal(log_ratio(Fixed(-1.0, -2.0), Fixed(-5.0, -3.0), rows(2)), [4.0, 1.0])


def test_ratio_of_a_distribution_with_itself_is_exactly_one_and_asks_nothing():
    same = Mute()
    np.testing.assert_array_equal(log_ratio(same, same, rows(4)), np.zeros(4))


def test_equal_distributions_that_are_not_one_object_also_have_ratio_one():
    p, q = cem.Gaussian([1.0, 2.0], std=3), cem.Gaussian([1.0, 2.0], std=3)
    np.testing.assert_array_equal(log_ratio(p, q, np.ones((5, 2))), np.zeros(5))


def test_what_the_nominal_cannot_give_has_ratio_zero():
    ratio = log_ratio(cem.Exponential([1.0]), cem.Gaussian([0.0], std=1), np.array([[-1.0], [1.0]]))
    assert ratio[0] == -np.inf
    np.testing.assert_allclose(ratio[1], -1 + 0.5 + 0.5 * np.log(2 * np.pi))


def test_what_neither_can_give_has_ratio_zero_and_not_nan():
    np.testing.assert_array_equal(
        log_ratio(Fixed(-np.inf, -1.0), Fixed(-np.inf, -1.0), rows(2)), [-np.inf, 0.0]
    )


def test_ratios_far_below_the_smallest_double_survive():
    p, q = cem.Gaussian([0.0], std=1), cem.Gaussian([60.0], std=1)
    np.testing.assert_allclose(log_ratio(p, q, np.array([[60.0]])), [-1800.0])


# --- who is a hit ---------------------------------------------------------------------------------------


def test_hits_are_the_scores_at_or_above_the_level():
    scores = np.array([0.9, 1.0, 1.1, np.nan, np.inf, -np.inf])
    p = cem.Gaussian([0.0], std=1)
    tally = Tally().add(rows(6), scores, 1.0, p, p)
    assert tally.draws == 6
    np.testing.assert_array_equal(tally.hits, [[1.0], [2.0], [4.0]])
    np.testing.assert_array_equal(tally.log_weights, np.zeros(3))


def test_only_hits_are_weighed():
    tally = Tally().add(rows(3), np.array([0.0, 5.0, 0.0]), 1.0, Fixed(-2.0), Fixed(-1.0))
    np.testing.assert_array_equal(tally.log_weights, [-1.0])


def test_batches_add_up_to_one_tally():
    p, q = cem.Gaussian([0.0, 0.0], std=1), cem.Gaussian([1.0, 1.0], std=2)
    x = q.sample(300, np.random.default_rng(1))
    scores = x.sum(axis=1)
    whole = Tally().add(x, scores, 3.0, p, q)
    parts = Tally()
    for part in np.split(np.arange(300), [1, 2, 100, 101]):
        parts = parts.add(x[part], scores[part], 3.0, p, q)
    assert parts.draws == whole.draws == 300
    np.testing.assert_array_equal(parts.hits, whole.hits)
    np.testing.assert_array_equal(parts.log_weights, whole.log_weights)


def test_adding_leaves_the_old_tally_alone():
    p = cem.Gaussian([0.0], std=1)
    old = Tally().add(rows(3), np.ones(3), 1.0, p, p)
    old.add(rows(5), np.ones(5), 1.0, p, p)
    assert (old.draws, len(old.hits), len(old.log_weights)) == (3, 3, 3)


def test_hits_are_a_copy():
    p = cem.Gaussian([0.0], std=1)
    x = rows(3)
    tally = Tally().add(x, np.ones(3), 1.0, p, p)
    x[:] = 99
    np.testing.assert_array_equal(tally.hits, rows(3))


# --- the numbers ----------------------------------------------------------------------------------------

MODERATE = np.random.default_rng(0).normal(size=40)


@pytest.mark.parametrize("misses", [0, 1, 60, 10_000])
def test_probability_and_cv_against_the_sample_mean_and_variance(misses):
    y = np.r_[np.exp(MODERATE), np.zeros(misses)]
    tally = tally_of(MODERATE, misses)
    assert math.exp(tally.log_probability) == pytest.approx(y.mean(), rel=1e-12)
    cv = y.std(ddof=1) / np.sqrt(y.size) / y.mean()
    assert tally.coefficient_of_variation == pytest.approx(cv, rel=1e-9)


def test_effective_sample_size_against_kish():
    w = np.exp(MODERATE)
    tally = tally_of(MODERATE, misses=17)
    assert tally.effective_sample_size == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-12)


def test_weights_are_normalised_over_the_hits():
    w = np.exp(MODERATE)
    np.testing.assert_allclose(tally_of(MODERATE, misses=17).weights, w / w.sum(), rtol=1e-12)


@pytest.mark.parametrize("shift", [-800.0, -100_000.0, 900.0])
def test_a_common_factor_changes_only_the_probability(shift):
    plain, shifted = tally_of(MODERATE, misses=60), tally_of(MODERATE + shift, misses=60)
    assert shifted.log_probability == pytest.approx(plain.log_probability + shift, rel=1e-12)
    assert shifted.coefficient_of_variation == pytest.approx(plain.coefficient_of_variation, rel=1e-6)
    assert shifted.effective_sample_size == pytest.approx(plain.effective_sample_size, rel=1e-6)
    np.testing.assert_allclose(shifted.weights, plain.weights, rtol=1e-6)


def test_a_spread_of_e_to_the_800_among_the_weights():
    tally = tally_of([0.0, -800.0, -1600.0], misses=7)
    assert math.exp(tally.log_probability) == pytest.approx(0.1, rel=1e-14)
    assert tally.coefficient_of_variation == pytest.approx(1.0, rel=1e-12)  # one draw of ten
    assert tally.effective_sample_size == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(tally.weights, [1.0, 0.0, 0.0], atol=1e-300)


def test_equal_weights_have_no_variance_where_every_draw_hits():
    tally = tally_of(np.full(50, -800.0))
    assert tally.log_probability == pytest.approx(-800.0, rel=1e-14)
    assert tally.coefficient_of_variation == pytest.approx(0.0, abs=1e-6)
    assert tally.effective_sample_size == pytest.approx(50.0, rel=1e-10)
    assert tally.weights.sum() == pytest.approx(1.0, rel=1e-12)


def test_plain_hits_have_the_binomial_cv():
    tally = tally_of(np.zeros(25), misses=75)
    assert math.exp(tally.log_probability) == pytest.approx(0.25, rel=1e-14)
    assert tally.coefficient_of_variation == pytest.approx(np.sqrt(0.75 / 0.25 / 99), rel=1e-12)
    assert tally.effective_sample_size == pytest.approx(25.0, rel=1e-12)


# --- nothing to go on -----------------------------------------------------------------------------------


@pytest.mark.parametrize("misses", [0, 10])
def test_without_hits(misses):
    tally = Tally() if misses == 0 else tally_of([], misses)
    assert tally.draws == misses
    assert tally.log_probability == -np.inf
    assert tally.coefficient_of_variation == np.inf
    assert tally.effective_sample_size == 0.0
    assert tally.weights.shape == (0,)


def test_one_draw_has_no_known_variance():
    tally = tally_of([0.0])
    assert tally.log_probability == 0.0
    assert tally.coefficient_of_variation == np.inf


def test_hits_that_are_all_impossible_under_the_nominal():
    tally = tally_of([-np.inf, -np.inf], misses=3)
    assert tally.log_probability == -np.inf
    assert tally.coefficient_of_variation == np.inf
    assert tally.effective_sample_size == 0.0
    assert not np.isnan(tally.weights).any()


def test_an_impossible_hit_counts_as_a_draw_with_weight_zero():
    with_it, without = tally_of([0.0, 1.0, -np.inf], misses=3), tally_of([0.0, 1.0], misses=4)
    assert with_it.log_probability == pytest.approx(without.log_probability, rel=1e-14)
    assert with_it.coefficient_of_variation == pytest.approx(without.coefficient_of_variation, rel=1e-12)
    assert with_it.effective_sample_size == pytest.approx(without.effective_sample_size, rel=1e-12)
    assert with_it.weights[2] == 0.0
