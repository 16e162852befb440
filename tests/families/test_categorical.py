"""The categorical family: tables of different sizes, mass, fit, blend, entropy, divergence and sampling."""

import itertools

import numpy as np
import pytest
from scipy import stats

from cem import Categorical

TABLES = [[0.2, 0.3, 0.5], [0.9, 0.1], [0.25, 0.25, 0.25, 0.25], [1.0]]
FAMILY = Categorical(TABLES)
SIZES = [3, 2, 4, 1]


def rows(n=80, seed=0):
    return np.random.default_rng(seed).integers(0, SIZES, size=(n, 4))


def tables(family):
    return [table[:k] for table, k in zip(family.probabilities, family.categories, strict=True)]


# --- tables -----------------------------------------------------------------------------------------


def test_positions_may_differ_in_their_number_of_categories():
    np.testing.assert_array_equal(FAMILY.categories, SIZES)
    for table, expected in zip(tables(FAMILY), TABLES, strict=True):
        np.testing.assert_allclose(table, expected)


def test_a_matrix_gives_positions_of_one_size():
    family = Categorical(np.full((5, 3), 1 / 3))
    np.testing.assert_array_equal(family.categories, [3] * 5)


# --- mass -------------------------------------------------------------------------------------------


def test_log_prob():
    x = rows()
    expected = sum(
        stats.rv_discrete(values=(range(len(table)), table)).logpmf(x[:, j]) for j, table in enumerate(TABLES)
    )
    np.testing.assert_allclose(FAMILY.log_prob(x), expected, rtol=1e-12, atol=1e-15)


def test_all_masses_sum_to_one():
    x = np.array(list(itertools.product(*map(range, SIZES))))
    assert np.exp(FAMILY.log_prob(x)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("row", [[3, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0.5, 0, 0, 0]])
def test_labels_that_a_position_does_not_have_are_impossible(row):
    assert FAMILY.log_prob(np.array([row]))[0] == -np.inf


def test_a_label_of_probability_zero_is_impossible():
    np.testing.assert_array_equal(Categorical([[0.0, 1.0]]).log_prob(np.array([[0], [1]])), [-np.inf, 0.0])


def test_log_prob_refuses_rows_of_another_length():
    with pytest.raises(ValueError, match=r"\(n, 4\)"):
        FAMILY.log_prob(np.zeros((2, 3), dtype=int))


# --- fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_fit_is_the_weighted_frequency_of_each_label(weighted):
    x = rows()
    w = np.random.default_rng(1).random(80) if weighted else np.ones(80)
    fitted = FAMILY.fit(x, w if weighted else None)
    np.testing.assert_array_equal(fitted.categories, SIZES)
    for j, table in enumerate(tables(fitted)):
        expected = [w[x[:, j] == label].sum() / w.sum() for label in range(SIZES[j])]
        np.testing.assert_allclose(table, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_no_nearby_table_has_a_higher_likelihood(seed):
    x, w = rows(seed=seed), np.random.default_rng(seed).random(80)
    fitted = FAMILY.fit(x, w)
    best = w @ fitted.log_prob(x)
    for j in range(3):
        for one, other in itertools.permutations(range(SIZES[j]), 2):
            for step in (1e-4, 1e-2):
                nudged = [table.copy() for table in tables(fitted)]
                nudged[j][one] += step
                nudged[j][other] -= step
                assert w @ Categorical(nudged).log_prob(x) < best


@pytest.mark.parametrize("n", [1, 7])
def test_fit_without_spread(n):
    fitted = FAMILY.fit(np.array([[2, 1, 3, 0]] * n), np.full(n, 0.1))
    assert fitted.entropy() == 0
    np.testing.assert_array_equal(fitted.sample(5, np.random.default_rng(0)), [[2, 1, 3, 0]] * 5)


@pytest.mark.parametrize("row", [[3, 0, 0, 0], [0, 2, 0, 0], [-1, 0, 0, 0]])
def test_fit_refuses_labels_that_a_position_does_not_have(row):
    """A label beyond its position's table must not be counted in the next position's."""
    with pytest.raises(ValueError, match="labels must lie in"):
        FAMILY.fit(np.array([row]))


# --- blend and information --------------------------------------------------------------------------


def test_blend_mixes_tables():
    other = Categorical([[1.0, 0.0, 0.0], [0.0, 1.0], [0.1, 0.2, 0.3, 0.4], [1.0]])
    mixed = FAMILY.blend(other, 0.25)
    for a, b, c in zip(tables(FAMILY), tables(other), tables(mixed), strict=True):
        np.testing.assert_allclose(c, 0.75 * a + 0.25 * b)


def test_blend_refuses_other_categories():
    with pytest.raises(ValueError, match="number of categories"):
        Categorical([[0.5, 0.5]]).blend(Categorical([[0.5, 0.25, 0.25]]), 0.5)


def test_entropy():
    expected = sum(stats.entropy(table) for table in TABLES)
    assert FAMILY.entropy() == pytest.approx(expected, rel=1e-12)


def test_divergence_is_the_sum_over_positions():
    other = Categorical([[0.1, 0.1, 0.8], [0.5, 0.5], [0.1, 0.2, 0.3, 0.4], [1.0]])
    expected = sum(stats.entropy(a, b) for a, b in zip(tables(FAMILY), tables(other), strict=True))
    assert FAMILY.kl_divergence(other) == pytest.approx(expected, rel=1e-12)


def test_divergence_from_what_is_impossible_is_infinite():
    even, certain = Categorical([[0.5, 0.5]]), Categorical([[1.0, 0.0]])
    assert even.kl_divergence(certain) == np.inf
    assert certain.kl_divergence(even) == pytest.approx(np.log(2))


# --- sampling ---------------------------------------------------------------------------------------


def test_samples_have_the_probabilities():
    n = 50_000
    x = FAMILY.sample(n, np.random.default_rng(2))
    for j, table in enumerate(TABLES):
        counts = np.bincount(x[:, j], minlength=len(table))
        assert counts.size == len(table)
        if len(table) > 1:
            assert stats.chisquare(counts, n * np.array(table)).pvalue > 1e-4


def test_labels_of_probability_zero_are_never_drawn():
    zeros = [[0.0, 0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0]]
    x = Categorical(zeros).sample(20_000, np.random.default_rng(0))
    assert set(x[:, 0]) == {1, 3}
    assert set(x[:, 1]) == {2}
    assert set(x[:, 2]) == {0}


class Always(np.random.Generator):
    """A generator that only ever draws one number."""

    def __init__(self, number):
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self, size=None, *_, **__):
        return np.full(size, self.number)


def test_rounding_never_draws_a_label_that_does_not_exist():
    """Ten times 0.1 add up to less than 1: the largest uniform number must still find a label."""
    family = Categorical([[0.1] * 10, [0.1] * 9 + [0.1 - 1e-9 + 1e-9], [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(family.sample(1, Always(np.nextafter(1, 0))), [[9, 9, 1]])


def test_a_uniform_number_of_zero_draws_no_label_of_probability_zero():
    family = Categorical([[0.0, 1.0], [0.0, 0.0, 0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(family.sample(1, Always(0.0)), [[1, 2, 0]])


# --- parameters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([[0.5, 0.6]], "position 0 must hold probabilities that sum to 1.*1.1"),
        ([[0.5, 0.5], [0.5, -0.5, 1.0]], "position 1 .*-0.5"),
        ([[0.5, np.nan]], "position 0 must be finite"),
        ([[0.5, 0.5], []], "position 1 must be a non-empty vector"),
        ([], "at least one position"),
        ([0.5, 0.5], r"one table \(a vector\) for each position"),
    ],
)
def test_bad_tables(probabilities, message):
    with pytest.raises(ValueError, match=message):
        Categorical(probabilities)


@pytest.mark.parametrize("probabilities", [3, [["a", "b"]]])
def test_tables_that_are_none(probabilities):
    with pytest.raises(TypeError, match=r"vector|must be numbers, in rows of one length"):
        Categorical(probabilities)


def test_a_table_within_rounding_of_one_is_taken():
    family = Categorical([[1 / 3, 1 / 3, 0.333333333]])
    assert family.probabilities.sum() == pytest.approx(1, abs=1e-15)
