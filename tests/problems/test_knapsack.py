"""Knapsacks: values and feasibility by definition, optima by dynamic programming, files with their faults."""

import itertools
import pickle

import numpy as np
import pytest

import cem
from problems.knapsack import Knapsack, MultiKnapsack

PETERSEN_1 = """\
1
 6 10 3800
 100 600 1200 2400 500 2000
 8 12 13 64 22 41
 8 12 13 75 22 41
 3 6 4 18 6 4
 5 10 8 32 6 12
 5 13 8 42 6 20
 5 13 8 48 6 20
 0 0 0 0 8 0
 3 0 4 0 8 0
 3 2 4 0 8 4
 3 2 4 8 8 4
 80 96 20 36 44 48 10 18 22 24
"""


def every_row(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), dtype=np.uint8)


def best_by_dynamic_programming(values, weights, capacity):
    best = np.zeros(int(capacity) + 1)
    for value, weight in zip(values, weights.astype(int), strict=True):
        if weight <= capacity:
            best[weight:] = np.maximum(best[weight:], best[: len(best) - weight] + value)
    return best[-1]


def drawn(n, m, seed, tightness=0.4):
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 100, (m, n))
    values = weights.mean(axis=0).round() + rng.integers(1, 50, n)
    return MultiKnapsack(values, weights, np.floor(tightness * weights.sum(axis=1)))


# --- values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(1, 1), (6, 1), (8, 4)])
def test_values_are_those_of_the_definition(n, m):
    problem = drawn(n, m, seed=1)
    X = every_row(n)
    for x, value in zip(X.astype(int), problem(X), strict=True):
        fits = all(
            load <= capacity for load, capacity in zip(problem.weights @ x, problem.capacities, strict=True)
        )
        assert value == (problem.values @ x if fits else -np.inf)
    if m == 1:
        single = Knapsack(problem.values, problem.weights[0], problem.capacities[0])
        np.testing.assert_array_equal(single(X), problem(X))


def test_fractions_that_add_up_to_the_capacity_fit():
    problem = Knapsack(np.ones(10), np.full(10, 0.1), 1.0)
    assert problem(np.ones((1, 10), dtype=int)) == 10.0
    assert cem.optimize(problem, rng=1).fun == 10.0
    whole = Knapsack([1, 1], [2**52, 2**52], 2**53 - 1)
    assert whole([[1, 1]]) == -np.inf


# --- the search -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("n", "seed"), [(1, 1), (2, 2), (10, 3), (40, 4)])
def test_plain_optimize_finds_the_optimum_of_one_capacity_and_ends(n, seed):
    problem = Knapsack.random(n, rng=seed)
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert result.fun == best_by_dynamic_programming(problem.values, problem.weights, problem.capacity)
    assert problem.weights @ result.x <= problem.capacity
    assert result.fun == problem.values @ result.x


def test_values_that_go_with_the_weights():
    weights = np.random.default_rng(5).integers(1, 200, 30)
    problem = Knapsack(weights + 50, weights, weights.sum() // 3)
    best = best_by_dynamic_programming(problem.values, problem.weights, problem.capacity)
    result = cem.optimize(problem, rng=1, target=best, max_evaluations=300_000)
    assert result.fun == best


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "tightness"), [(12, 3, 0.5), (12, 5, 0.2), (13, 2, 0.8)])
def test_plain_optimize_finds_the_optimum_of_several_capacities(n, m, tightness):
    problem = drawn(n, m, seed=6, tightness=tightness)
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert result.fun == problem(every_row(n)).max()
    assert (problem.weights @ result.x <= problem.capacities).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "best"),
    [
        (Knapsack([1, 2], [3, 4], 0), 0),
        (Knapsack([1, 2], [3, 4], 3.5), 1),
        (Knapsack([1, 2], [3, 4], 100), 3),
        (Knapsack([1, 2, 0], [0, 0, 0], 0), 3),
        (Knapsack([0, 0], [1, 1], 1), 0),
        (MultiKnapsack([5, 4, 3], [[1, 0, 0], [0, 1, 1]], [0, 1]), 4),
    ],
)
def test_odd_knapsacks(problem, best):
    assert cem.optimize(problem, rng=1).fun == best


def test_without_improvement_the_solution_fits_too():
    problem = drawn(20, 10, seed=7, tightness=0.15)
    start = problem(problem.start.sample(2000, np.random.default_rng(1)))
    assert np.isfinite(start).mean() > 0.5
    result = cem.optimize(problem, improve=False, rng=1)
    assert (problem.weights @ result.x <= problem.capacities).all()
    assert result.fun > 0


@pytest.mark.parametrize("fractions", [False, True])
def test_whatever_is_improved_fits_and_nothing_can_be_added(fractions):
    problem = drawn(30, 4, seed=8)
    if fractions:
        problem = MultiKnapsack(problem.values / 7, problem.weights / 7, problem.capacities / 7)
    rng = np.random.default_rng(9)
    for X in (
        np.zeros((3, 30), dtype=np.uint8),
        np.ones((1, 30), dtype=np.uint8),
        rng.integers(0, 2, (25, 30), dtype=np.uint8),
        np.empty((0, 30), dtype=np.uint8),
    ):
        before = problem(X)
        once, again = (problem.improve(X.copy(), before, np.random.default_rng(1), 1) for _ in range(2))
        np.testing.assert_array_equal(once[0], again[0])
        np.testing.assert_array_equal(once[1], problem(once[0]))
        assert once[2] == again[2] == 30 * len(X)
        assert (once[1] >= before).all()
        for x in once[0]:
            more = np.repeat(x[None], 30, axis=0) | np.eye(30, dtype=np.uint8)
            assert np.isneginf(problem(more)[x == 0]).all()


class Interpreted(MultiKnapsack):
    """The same, as it is searched where numba is absent."""

    _compiled = None


@pytest.mark.parametrize(("n", "m", "divisor"), [(60, 5, 1), (3, 2, 1), (40, 1, 1), (50, 4, 7)])
def test_compiled_or_not_it_packs_the_same(n, m, divisor):
    whole = drawn(n, m, seed=n)
    given = (whole.values / divisor, whole.weights / divisor, whole.capacities / divisor)
    X = np.random.default_rng(1).integers(0, 2, (12, n), dtype=np.uint8)
    found = []
    for kind in (MultiKnapsack, Interpreted):
        problem = kind(*given)
        found.append(problem.improve(X, problem(X), np.random.default_rng(2), 2))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][2] == found[1][2]


# --- where problems come from ---------------------------------------------------------------------------


def test_random_knapsacks():
    problem = Knapsack.random(500, rng=10)
    assert problem.weights.min() >= 1
    assert problem.weights.max() <= 1000
    assert problem.values.min() >= 1
    assert abs(problem.values - problem.weights).max() <= 100
    assert problem.capacity == problem.weights.sum() // 2
    np.testing.assert_array_equal(Knapsack.random(500, rng=np.random.default_rng(10)).values, problem.values)
    with pytest.raises(ValueError, match="1 or more"):
        Knapsack.random(0)


def test_a_file_of_the_or_library(tmp_path):
    file = tmp_path / "mknap1.txt"
    file.write_text(PETERSEN_1)
    problem = MultiKnapsack.from_file(file)
    assert (problem.n, problem.name, problem.optimum) == (6, "mknap1-1", 3800.0)
    assert problem.weights.shape == (10, 6)
    assert problem(every_row(6)).max() == 3800
    assert cem.optimize(problem, rng=1, target=problem.optimum, max_evaluations=100_000).fun == 3800


def test_a_file_of_several_problems_on_any_lines(tmp_path):
    file = tmp_path / "two"
    file.write_text("2 2 1 0\n3 4\n1 1.5 1\r\n1 1 7 7\n2\n\n3\n")
    first, second = MultiKnapsack.from_file(str(file)), MultiKnapsack.from_file(file, 2)
    assert (first.name, first.optimum, first.weights.tolist()) == ("two-1", None, [[1.0, 1.5]])
    assert (second.name, second.optimum, second.capacities.tolist()) == ("two-2", 7.0, [3.0])
    assert (second.values.tolist(), second.weights.tolist()) == ([7.0], [[2.0]])


@pytest.mark.parametrize(
    ("text", "number", "line", "message"),
    [
        ("", 1, 1, "ends after 0 of 1 numbers; expected the number of problems"),
        ("one\n", 1, 1, "'one' is not a number"),
        ("0\n", 1, 1, "0 cannot be the number of problems"),
        ("1\n2 1 0\n3 4\n1 1\n1\n", 2, 1, "has problems 1 to 1, not 2"),
        ("1\n2 1 0\n3 4\n1 1\n1\n", 0, 1, "has problems 1 to 1, not 0"),
        ("1\n2.5 1 0\n", 1, 2, "2.5 cannot be the number of items of problem 1"),
        ("1\n2 0 0\n", 1, 2, "0 cannot be the number of capacities"),
        ("1\n2 1 0\n3 x\n1 1\n1\n", 1, 3, "'x' is not a number; expected the values"),
        ("1\n2 1 0\n3 4\n1 -1\n1\n", 1, 4, "-1 must be finite and not negative"),
        ("1\n2 1 0\n3 4\n1 1\nnan\n", 1, 5, "nan must be finite"),
        ("1\n2 1 0\n3 4\n1 1\n", 1, 4, "ends after 0 of 1 numbers; expected the capacities"),
        ("1\n9999999999 1 0\n3 4\n", 1, 3, "ends after 2 of 9999999999 numbers; expected the values"),
        ("1\n2 1 0\n3 4\n1\n\n", 1, 5, "ends after 1 of 2 numbers; expected the weights"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, number, line, message):
    file = tmp_path / "bad.txt"
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"bad\.txt, line {line}: .*{message}"):
        MultiKnapsack.from_file(file, number)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        MultiKnapsack.from_file(tmp_path / "nowhere")


# --- the value objects ----------------------------------------------------------------------------------


def test_they_are_frozen_and_pickle_and_show_themselves():
    single, multi = Knapsack([1, 2], [3, 4], 5, optimum=2), MultiKnapsack([1, 2], [[3, 4]], [5])
    assert repr(single) == "Knapsack(name='knapsack', n=2, optimum=2.0)"
    assert repr(multi) == "MultiKnapsack(name='multi-knapsack', n=2, capacities=1, optimum=None)"
    X = every_row(2)
    for problem in (single, multi):
        with pytest.raises(AttributeError):
            problem.optimum = 1
        with pytest.raises(ValueError, match="read-only"):
            problem.values[0] = 2
        for _ in range(2):  # before and after the first use
            np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem))(X), problem(X))
            problem.improve(X.copy(), problem(X), np.random.default_rng(1), 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Knapsack([], [], 1), ValueError, "values must not be empty"),
        (lambda: Knapsack([1], [1, 2], 1), ValueError, r"weights must have shape \(1,\)"),
        (
            lambda: Knapsack([1, -1], [1, 2], 1),
            ValueError,
            r"values\[1\] = -1.0 must be finite and not negative",
        ),
        (lambda: Knapsack([1], [np.nan], 1), ValueError, r"weights\[0\] = nan"),
        (lambda: Knapsack([1], [1], -1), ValueError, "capacity = -1.0"),
        (lambda: Knapsack([1], [1], [1]), ValueError, "capacity must be a number"),
        (lambda: Knapsack(["a"], [1], 1), TypeError, "values must be real numbers"),
        (lambda: MultiKnapsack([1, 2], [[1]], [1]), ValueError, r"shape \(1, 2\); got \(1, 1\)"),
        (lambda: MultiKnapsack([1, 2], [1, 2], [1]), ValueError, "weights must be a matrix"),
        (lambda: MultiKnapsack([1], [[1], [-2]], [1, 1]), ValueError, r"weights\[1, 0\] = -2.0"),
        (lambda: Knapsack([1], [1], 1)([[2]]), ValueError, "only 0 and 1"),
        (lambda: MultiKnapsack([1], [[1]], [1])([1]), ValueError, "shape"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()
