"""Who teaches: exactly so many elites, ties by order of arrival, NaN last; and all ties at a level."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import cem
from cem.core.loop import Batch, State
from cem.core.selection import best_rows, elite_count, elite_level, elite_rows
from cem.rare_events.importance import log_ratio
from cem.rare_events.multilevel import LevelFit
from cem.updates import SmoothedFit

INF, NAN = np.inf, np.nan


# --- how many ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [1, 3, 5, 7, 10, 14, 20, 29, 30, 33, 50, 57, 58, 70, 90, 99])
def test_the_number_of_elites_is_exactly_the_ceiling(percent):
    """0.07 · 100 is 7.000000000000001 in floating point, and still seven elites."""
    fraction = Fraction(percent, 100)
    for n in range(1, 2001):
        assert elite_count(n, percent / 100) == max(1, math.ceil(fraction * n)), n


@pytest.mark.parametrize("n", [10**6, 10**7 + 1])
def test_the_number_of_elites_of_a_large_population(n):
    assert elite_count(n, 0.1) == math.ceil(Fraction(1, 10) * n)


def test_there_is_always_an_elite():
    assert elite_count(1, 0.01) == 1
    assert elite_count(5, 1e-12) == 1


# --- who --------------------------------------------------------------------------------------------


def expected_rows(scores, k):
    """Sort by score, best first, then by arrival; NaN as bad as can be."""
    ranked = [-INF if math.isnan(s) else s for s in scores]
    return sorted(sorted(range(len(ranked)), key=lambda i: (-ranked[i], i))[:k])


@pytest.mark.parametrize("seed", range(20))
def test_the_best_rows_with_many_ties(seed):
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.0, 1.0, 2.0, 3.0, NAN, INF, -INF], size=rng.integers(1, 30))
    for k in range(1, len(scores) + 1):
        np.testing.assert_array_equal(best_rows(scores, k), expected_rows(scores.tolist(), k))


@pytest.mark.parametrize(
    ("scores", "k", "expected"),
    [
        ([5, 5, 5, 5], 2, [0, 1]),
        ([1, 5, 2, 5, 5], 2, [1, 3]),
        ([1, 7, 5, 5, 5], 3, [1, 2, 3]),
        ([NAN, 1, NAN, 2], 2, [1, 3]),
        ([-INF, -INF, 0, INF], 2, [2, 3]),
        ([NAN, NAN, NAN], 1, [0]),
    ],
)
def test_ties_go_to_who_came_first(scores, k, expected):
    np.testing.assert_array_equal(best_rows(np.array(scores, dtype=float), k), expected)


def test_selection_does_not_change_the_scores():
    scores = np.array([1.0, NAN, 3.0, 2.0])
    elite_rows(scores, 0.5)
    elite_level(scores, 0.5)
    np.testing.assert_array_equal(scores, [1.0, NAN, 3.0, 2.0])


def test_what_is_no_score_never_teaches():
    scores = np.array([NAN, 1.0, -INF, NAN])
    np.testing.assert_array_equal(elite_rows(scores, 0.75), [1])
    assert elite_rows(np.array([NAN, -INF]), 0.5).size == 0


def test_an_infinitely_good_score_teaches():
    np.testing.assert_array_equal(elite_rows(np.array([0.0, INF, 1.0, 2.0]), 0.5), [1, 3])


# --- the level --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_the_level_is_the_score_of_the_worst_elite(seed):
    rng = np.random.default_rng(seed)
    scores = rng.choice([0.0, 1.0, 2.0, 3.0, NAN, INF, -INF], size=40)
    for fraction in (0.01, 0.1, 0.33, 0.9):
        k = elite_count(40, fraction)
        ranked = sorted((-INF if math.isnan(s) else s for s in scores.tolist()), reverse=True)
        assert elite_level(scores, fraction) == ranked[k - 1]


def test_the_level_is_no_interpolation():
    """Between -inf and 1, or 1 and inf, an interpolating quantile would be NaN or infinite."""
    assert elite_level(np.array([-INF] * 9 + [1.0]), 0.1) == 1.0
    assert elite_level(np.array([-INF] * 9 + [1.0]), 0.2) == -INF
    assert elite_level(np.array([0.0, 1.0, INF, INF]), 0.75) == 1.0


# --- what updates make of it ------------------------------------------------------------------------


def batch(x, scores):
    x, scores = np.asarray(x), np.asarray(scores, dtype=float)
    return Batch(x, scores, lambda: np.random.default_rng(0))


def test_the_textbook_update_fits_exactly_the_elites():
    """Ten rows tie for the third place of three: only the first of them teaches."""
    x = np.arange(12.0)[:, None]
    scores = [9.0, 8.0] + [5.0] * 10
    update = SmoothedFit(rate=1.0, elite_fraction=0.25)
    state = update.step(update.init(cem.Gaussian([0.0], std=1.0)), batch(x, scores))
    assert state.elites == 3
    assert state.level == 5
    assert state.elite_best == 9
    assert state.family.mean[0] == pytest.approx(1.0)


def test_the_textbook_update_leaves_a_family_that_nothing_teaches():
    update = SmoothedFit()
    start = cem.Gaussian([0.0], std=1.0)
    state = update.step(update.init(start), batch([[1.0]] * 10, [NAN] * 5 + [-INF] * 5))
    assert state.elites == 0
    assert state.family is start


def test_an_estimate_takes_all_that_tie_at_the_level():
    """Cutting ties would skew the likelihood-ratio fit: here by the order of arrival."""
    nominal = cem.Exponential([1.0])
    x = np.arange(1.0, 21.0)[:, None]
    scores = np.repeat([2.0, 1.0], [1, 19])
    state = LevelFit(nominal, level=10.0, elite_fraction=0.1).step(State(nominal), batch(x, scores))
    assert state.elites == 20
    assert state.level == 1.0
    assert state.family.mean[0] == pytest.approx(10.5)


def test_an_estimate_fits_by_likelihood_ratios():
    nominal, proposal = cem.Exponential([1.0]), cem.Exponential([3.0])
    x = np.array([[1.0], [4.0], [5.0], [8.0]])
    update = LevelFit(nominal, level=4.0, elite_fraction=0.5)
    state = update.step(State(proposal), batch(x, x[:, 0]))
    assert state.level == 4.0, "the level never rises above the event's own"
    weights = stats.expon.pdf(x[1:, 0]) / stats.expon.pdf(x[1:, 0], scale=3.0)
    assert state.family.mean[0] == pytest.approx(np.average(x[1:, 0], weights=weights))


def test_the_likelihood_ratio_of_what_the_nominal_cannot_give_is_zero():
    ratio = log_ratio(cem.Exponential([1.0]), cem.Gaussian([0.0], std=1.0), np.array([[-1.0], [1.0]]))
    assert ratio[0] == -INF
    assert ratio[1] == pytest.approx(-1 - stats.norm.logpdf(1))


@pytest.mark.parametrize("percent", [7, 14])
def test_the_rounding_of_a_large_product_adds_no_elite(percent):
    n = 2_184_600  # of which 0.07 n is 2.9e-11 above a whole number in floating point
    assert percent / 100 * n > percent * 21_846
    assert elite_count(n, percent / 100) == percent * 21_846


def test_what_is_more_than_rounding_adds_one():
    assert elite_count(2, 0.5 + 0.75e-9) == 2
