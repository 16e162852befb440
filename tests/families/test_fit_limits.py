"""What every fit does with its rows and weights before it looks at them, from both sides of each limit."""

import numpy as np
import pytest

import cem
from cem.families import CategoricalMixture
from cem.families.base import LARGEST, check_fit, fit_weights


@pytest.mark.parametrize("x", [[[0.5, -2.0]], [[LARGEST, -LARGEST]], [[3, -4]]])
def test_usable_rows_are_taken_as_they_are(x):
    x = np.array(x)
    assert np.shares_memory(check_fit(x, None, 2)[0], x)


def test_rows_beyond_all_reason_count_as_the_largest():
    x = np.array([[2 * LARGEST, -2 * LARGEST], [1.0, -1.0]])
    np.testing.assert_array_equal(check_fit(x, None, 2)[0], [[LARGEST, -LARGEST], [1.0, -1.0]])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_refused(wrong):
    with pytest.raises(ValueError, match="finite rows"):
        check_fit(np.array([[1.0], [wrong]]), None, 1)


def test_weights_are_relative():
    np.testing.assert_array_equal(fit_weights(np.zeros((2, 1)), np.array([1e-320, 3e-320])), [0.25, 0.75])
    np.testing.assert_array_equal(fit_weights(np.zeros((2, 1)), np.array([0.0, 5.0])), [0.0, 1.0])
    np.testing.assert_array_equal(fit_weights(np.zeros((4, 1)), None), [0.25] * 4)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [np.inf, 1.0], [np.nan, 1.0]])
def test_weights_that_weigh_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="finite, non-negative and not all zero"):
        fit_weights(np.zeros((2, 1)), np.array(weights))


def test_weights_that_add_up_to_more_than_one_by_rounding_make_no_probability_above_it():
    sums = [np.full(n, 1 / n) @ np.ones(n) for n in range(1, 500)]
    assert max(sums) > 1
    assert all(cem.Bernoulli([0.5]).fit(np.ones((n, 1))).p[0] <= 1 for n in range(1, 500))


def test_rows_that_weigh_nothing_are_no_members_of_a_linkage_tree():
    tree = cem.LinkageTree([[0, 1], [1, 0], [1, 1]])
    fitted = tree.fit([[0, 1], [1, 1], [0, 1]], [1.0, 0.0, 3.0])
    np.testing.assert_array_equal(fitted.members, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(fitted.weights, [0.25, 0.75])


@pytest.mark.parametrize(("share", "kept"), [(0.51, 2), (0.49, 1)])
def test_a_component_stays_that_more_than_half_a_row_belongs_to(share, kept):
    family = cem.GaussianMixture([0.5, 0.5], [[0.0], [9.0]], [[1.0], [1.0]])
    r = np.full((4, 2), 0.25) * [1 - share / 4, share / 4]
    assert len(family._refit_kept(np.zeros((4, 1)), r, r.sum(axis=0)).shares) == kept


def test_a_mixture_of_diagonal_normals_has_each_components_own_moments():
    x = np.array([[0.0, 1.0], [2.0, 5.0], [10.0, -1.0], [14.0, -1.5]])
    family = cem.GaussianMixture([0.5, 0.5], [[0.0, 0.0], [9.0, 9.0]], np.ones((2, 2)))
    r = np.array([[0.25, 0.0], [0.25, 0.0], [0.0, 0.25], [0.0, 0.25]])
    after = family.refit(x, r, r.sum(axis=0))
    np.testing.assert_allclose(after.means, [[1.0, 3.0], [12.0, -1.25]])
    np.testing.assert_allclose(after.stds, [[1.0, 2.0], [2.0, 0.25]])


def test_mixtures_of_labels_have_each_components_own_frequencies():
    family = CategoricalMixture([0.5, 0.5], np.full((2, 2, 3), 1 / 3))
    rows = family.prepare(np.array([[0, 2], [1, 2], [0, 0]]))
    r = np.array([[0.25, 0.0], [0.25, 0.25], [0.0, 0.25]])
    after = family.refit(rows, r, r.sum(axis=0))
    np.testing.assert_allclose(after.shares, [0.5, 0.5])
    np.testing.assert_allclose(after.tables[0], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(after.tables[1], [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
