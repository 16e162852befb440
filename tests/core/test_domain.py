"""The box: how it is read, what it refuses, and what it tells."""

import numpy as np
import pytest
from scipy.optimize import Bounds

from cem.core.domain import Domain

INF = np.inf


# --- reading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bounds",
    [
        [(-1, 2), (0, 5)],
        ((-1.0, 2.0), (0.0, 5.0)),
        [[-1, 2], [0, 5]],
        np.array([[-1, 2], [0, 5]]),
        zip([-1, 0], [2, 5], strict=True),
        Bounds([-1, 0], [2, 5]),
        Bounds(np.array([-1.0, 0.0]), np.array([2.0, 5.0])),
    ],
    ids=["pairs", "tuples", "lists", "array", "zip", "Bounds", "Bounds of arrays"],
)
def test_bounds_as_users_write_them(bounds):
    domain = Domain.from_bounds(bounds)
    np.testing.assert_array_equal(domain.low, [-1.0, 0.0])
    np.testing.assert_array_equal(domain.high, [2.0, 5.0])
    assert domain.dimension == 2
    assert domain.low.dtype == domain.high.dtype == np.float64


def test_none_is_an_open_side():
    domain = Domain.from_bounds([(None, 1), (0, None), (None, None)])
    np.testing.assert_array_equal(domain.low, [-INF, 0, -INF])
    np.testing.assert_array_equal(domain.high, [1, INF, INF])


def test_bounds_of_scipy_broadcast():
    domain = Domain.from_bounds(Bounds(0, [1, 2, 3]))
    np.testing.assert_array_equal(domain.low, [0, 0, 0])
    np.testing.assert_array_equal(domain.high, [1, 2, 3])


def test_a_domain_does_not_follow_the_users_arrays():
    low, high = np.zeros(2), np.ones(2)
    domain = Domain(low, high)
    low[:] = 0.5
    np.testing.assert_array_equal(domain.low, [0, 0])
    with pytest.raises(ValueError, match="read-only"):
        domain.low[0] = 3
    with pytest.raises(AttributeError):
        domain.low = low


# --- refusing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ([(0, 1), (1, 0)], r"variable 1 are inverted.*1\.0 > high 0\.0"),
        ([(0, 1), (np.nan, 1)], "variable 1 hold a NaN"),
        ([(0, np.nan)], "variable 0 hold a NaN"),
        (Bounds([0, 1], [1, 0]), "variable 1 are inverted"),
        ([(INF, INF)], "variable 0"),
        ([(-INF, -INF)], "variable 0"),
        ([(INF, -INF)], "variable 0 are inverted"),
        ([], "sequence of"),
        ((0, 1), "sequence of"),
        ([(0, 1, 2)], "sequence of"),
        ([(0,), (1,)], "sequence of"),
        (np.zeros((2, 5)), "sequence of"),
        (np.zeros(4), "sequence of"),
        (5, "sequence of"),
    ],
)
def test_bounds_that_are_none(bounds, message):
    with pytest.raises(ValueError, match=message):
        Domain.from_bounds(bounds)


@pytest.mark.parametrize("bounds", [[("a", "b")], [(0, 1j)], [(0, [1])]])
def test_bounds_that_are_no_numbers(bounds):
    with pytest.raises(TypeError, match="bounds must be numbers"):
        Domain.from_bounds(bounds)


# --- telling ----------------------------------------------------------------------------------------

BOX = Domain(np.array([-1.0, 0.0, -INF]), np.array([1.0, 0.0, 5.0]))


def test_outside_is_outside():
    x = np.array([[0, 0, 0], [-1, 0, 5], [1, 0, -1e300], [1 + 1e-15, 0, 0], [0, 1e-300, 0], [0, 0, 6]])
    np.testing.assert_array_equal(BOX.outside(x), [False, False, False, True, True, True])


def test_projection_gives_the_nearest_rows():
    x = np.array([[-3.0, 2.0, 9.0], [0.5, 0.0, -1e9]])
    np.testing.assert_array_equal(BOX.project(x), [[-1.0, 0.0, 5.0], [0.5, 0.0, -1e9]])
    np.testing.assert_array_equal(x, [[-3.0, 2.0, 9.0], [0.5, 0.0, -1e9]], err_msg="rows were changed")


def test_equal_sides_fix_a_variable():
    np.testing.assert_array_equal(BOX.fixed, [False, True, False])


def test_bounded_means_on_every_side():
    assert not BOX.bounded
    assert not Domain(np.array([0.0]), np.array([INF])).bounded
    assert Domain(np.array([0.0]), np.array([1.0])).bounded
