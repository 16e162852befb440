"""The test functions: their minima, their shapes, their manners."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from problems import continuous
from problems.continuous import ALL, michalewicz, rosenbrock, schwefel, sphere, styblinski_tang

every_function = pytest.mark.parametrize("function", ALL, ids=lambda function: function.name)
dimensions = pytest.mark.parametrize("d", [2, 3, 10, 40])


def points_in(function, d, n, rng):
    low, high = np.transpose(function.bounds(d))
    return rng.uniform(low, high, size=(n, d))


def floor(function, d):
    """The optimum, less what rounding may do to a sum of d terms."""
    optimum = function.optimum(d)
    return optimum - 1e-12 * (d + abs(optimum))


@every_function
@dimensions
def test_the_minimizer_attains_the_optimum_within_bounds(function, d):
    x, optimum = function.minimizer(d), function.optimum(d)
    assert function(x) == pytest.approx(optimum, rel=1e-12, abs=1e-12)
    assert x.shape == (d,)
    assert isinstance(optimum, float)
    bounds = function.bounds(d)
    assert len(bounds) == d
    assert all(low <= coordinate <= high for coordinate, (low, high) in zip(x, bounds, strict=True))


@every_function
@dimensions
def test_no_random_point_is_better(function, d):
    x = points_in(function, d, 2000, np.random.default_rng(d))
    assert function(x).min() >= floor(function, d)


@every_function
@dimensions
@pytest.mark.parametrize("step", [1e-1, 1e-3, 1e-5, 1e-7, 1e-9])
def test_no_perturbation_of_the_minimizer_is_better(function, d, step):
    low, high = np.transpose(function.bounds(d))
    moves = step * np.random.default_rng(d).standard_normal((200, d))
    x = np.clip(function.minimizer(d) + np.vstack([moves, step * np.eye(d), -step * np.eye(d)]), low, high)
    assert function(x).min() >= floor(function, d)


@pytest.mark.parametrize("function", [schwefel, styblinski_tang], ids=lambda function: function.name)
def test_one_coordinate_on_a_fine_grid(function):
    (low, high), (best,) = function.bounds(1)[0], function.minimizer(1)
    grid = np.linspace(low, high, 200_001)
    values = function(grid[:, np.newaxis])
    assert abs(grid[values.argmin()] - best) <= grid[1] - grid[0]


def test_each_coordinate_of_michalewicz_on_a_fine_grid():
    grid = np.linspace(0, math.pi, 40_001)
    for i, best in enumerate(michalewicz.minimizer(60), start=1):
        profile = np.sin(grid) * np.sin(i * grid**2 / math.pi) ** 20
        assert profile.max() <= math.sin(best) * math.sin(i * best**2 / math.pi) ** 20 + 1e-15


@pytest.mark.parametrize(
    ("function", "d", "optimum"),
    [
        (michalewicz, 2, -1.8013034100985532),
        (michalewicz, 5, -4.687658179088148),
        (michalewicz, 10, -9.660151715641349),
        (styblinski_tang, 1, -39.16616570377142),
        (styblinski_tang, 7, -7 * 39.16616570377142),
    ],
)
def test_published_optima(function, d, optimum):
    assert function.optimum(d) == pytest.approx(optimum, rel=1e-13)


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        ("sphere", [1, 2, 3], 14),
        ("ellipsoid", [1, 1, 1], 1 + 1e3 + 1e6),
        ("zakharov", [1, 2], 5 + 2.5**2 + 2.5**4),
        ("rosenbrock", [-1.2, 1], 24.2),
        ("dixon_price", [1, 1, 2], 2 * 1 + 3 * 49),
        ("rastrigin", [0.5, 1.5], 0.25 + 2.25 + 40),
        ("ackley", [1, 1], 20 * (1 - math.exp(-0.2))),
        ("griewank", [math.pi, 0], 2 + math.pi**2 / 4000),
        ("levy", [3, 1], 1 + 0.25 * (1 + 10 * math.sin(math.pi / 2 + 1) ** 2)),
        ("schwefel", [0, 0], 2 * 418.9828872724338),
        ("styblinski_tang", [1, -2], (1 - 16 + 5 + 16 - 64 - 10) / 2),
        ("michalewicz", [math.pi / 2, math.pi / 2], -(math.sin(math.pi / 4) ** 20) - 1),
    ],
)
def test_values_worked_out_by_hand(name, x, value):
    assert getattr(continuous, name)(x) == pytest.approx(value, rel=1e-13)


@every_function
@dimensions
def test_rows_are_single_points(function, d):
    x = points_in(function, d, 20, np.random.default_rng(d))
    values = function(x)
    assert values.shape == (20,)
    assert isinstance(function(x[0]), float)
    assert_allclose([function(row) for row in x], values, rtol=1e-13)
    assert_allclose(function(np.asfortranarray(x)), values, rtol=1e-13)


@every_function
def test_inputs_are_not_changed(function):
    x = points_in(function, 4, 5, np.random.default_rng(1))
    before = x.copy()
    x.flags.writeable = False
    function(x)
    function(x[0])
    np.testing.assert_array_equal(x, before)


@every_function
def test_integers_and_lists_are_points_too(function):
    assert function([1, 2, 3]) == function(np.array([1.0, 2.0, 3.0]))
    assert function(np.ones((2, 3), dtype=np.int8)).shape == (2,)
    assert function(np.empty((0, 3))).shape == (0,)


@every_function
def test_the_minimizer_is_the_callers_own(function):
    function.minimizer(3)[:] = 99
    assert function(function.minimizer(3)) == pytest.approx(function.optimum(3), abs=1e-12)


@every_function
def test_it_pickles_and_copies_as_itself(function):
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function
    assert getattr(continuous, function.name) is function


@every_function
def test_it_introduces_itself(function):
    assert function.__name__ == function.name
    assert "Source: " in function.__doc__
    assert function.name in repr(function)


def test_it_is_immutable():
    with pytest.raises(AttributeError):
        sphere.side = (0.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [rosenbrock.bounds, rosenbrock.optimum, rosenbrock.minimizer, lambda d: rosenbrock(np.ones((3, d)))],
)
def test_too_few_variables(call):
    with pytest.raises(ValueError, match="rosenbrock needs d >= 2 variables, got d = 1"):
        call(1)


@every_function
def test_no_variables_at_all(function):
    with pytest.raises(ValueError, match="got d = 0"):
        function([])


def test_a_dimension_is_an_integer():
    with pytest.raises(TypeError, match="integer"):
        sphere.bounds(2.5)


@pytest.mark.parametrize("x", [1.0, np.ones((2, 2, 2))])
def test_points_are_rows(x):
    with pytest.raises(ValueError, match=r"takes rows \(n, d\) or one point \(d,\)"):
        sphere(x)
