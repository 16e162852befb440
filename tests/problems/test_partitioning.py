"""Number partitioning and graph bipartition: values, exactness, balance, and optima by brute force."""

import itertools
import pickle

import numpy as np
import pytest

import cem
from problems.maxcut import MaxCut
from problems.partitioning import GraphBipartition, NumberPartitioning


def every_row(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), dtype=np.uint8)


def difference(numbers, x):
    return abs(sum(a if side else -a for a, side in zip(numbers, x, strict=True)))


# --- numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "numbers",
    [
        [5],
        [0, 0],
        [4, 5, 6, 7, 8],
        [-3, 1, 4, -1],
        [2**53, 1, 1, 2**53 - 1],
        [10**40 + 7, 10**40, 3, 10**25],
        [0.5, 0.25, 3, 1e-3],
        np.array([3, 1, 2], dtype=np.uint8),
        np.array([0.1, 0.7], dtype=np.float32),
    ],
    ids=str,
)
def test_differences_are_those_of_the_definition(numbers):
    problem = NumberPartitioning(numbers)
    X = every_row(problem.n)
    expected = [difference(list(problem.numbers), x) for x in X.tolist()]
    np.testing.assert_array_equal(problem(X), np.array(expected, dtype=float))
    np.testing.assert_array_equal(problem(1 - X), problem(X))
    for x, exact in zip(X, expected, strict=True):
        assert problem.difference(x) == exact
        assert type(problem.difference(x)) is type(problem.numbers[0])


def test_only_an_exact_split_scores_zero():
    problem = NumberPartitioning([2**60, 2**60 + 1, 10**30, 10**30])
    assert problem([[0, 1, 0, 1]]) == 1.0
    assert problem.difference([0, 1, 1, 1]) == 2 * 10**30 + 1


@pytest.mark.parametrize(
    ("n", "top", "seed"),
    [(1, 9, 1), (2, 9, 2), (3, 9, 3), (9, 100, 4), (13, 10**6, 5), (12, 2**62, 6), (11, 2**90, 7)],
)
def test_plain_optimize_finds_the_least_difference_and_ends(n, top, seed):
    rng = np.random.default_rng(seed)
    numbers = [int(a * 2**53) * top // 2**53 + 1 for a in rng.random(n)]
    problem = NumberPartitioning(numbers)
    best = min(difference(numbers, x) for x in every_row(n).tolist())
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert problem.difference(result.x) == best
    assert result.fun == float(best)


def test_real_and_negative_numbers_are_split_too():
    numbers = np.random.default_rng(8).normal(size=10)
    problem = NumberPartitioning(numbers)
    result = cem.optimize(problem, rng=1)
    assert result.fun == pytest.approx(problem(every_row(10)).min(), abs=1e-15)


def test_a_perfect_split_of_many_numbers_ends_a_run_at_once():
    numbers = np.random.default_rng(9).integers(1, 10**6, 200)
    problem = NumberPartitioning(numbers)
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert result.fun == numbers.sum() % 2


def test_more_numbers_than_can_be_split_in_one_go():
    numbers = [int(a) for a in np.random.default_rng(10).integers(1, 2**20, 27)]
    result = cem.optimize(NumberPartitioning(numbers), rng=1, target=sum(numbers) % 2, max_evaluations=5000)
    assert result.fun == sum(numbers) % 2
    multiples = NumberPartitioning([5 * a for a in (1, 3, 5, 8, 2, 2)])
    assert cem.optimize(multiples, rng=1).fun == 5.0


def test_improving_never_makes_worse_and_repeats():
    rng = np.random.default_rng(11)
    for numbers in (
        rng.integers(1, 2**50, 40),
        rng.normal(size=40),
        [int(a) << 60 for a in rng.integers(1, 2**50, 40)],
    ):
        problem = NumberPartitioning(numbers)
        for rows in (0, 1, 7):
            X = rng.integers(0, 2, (rows, 40), dtype=np.uint8)
            once, again = (
                problem.improve(X.copy(), problem(X), np.random.default_rng(1), 1) for _ in range(2)
            )
            np.testing.assert_array_equal(once[0], again[0])
            np.testing.assert_array_equal(once[1], problem(once[0]))
            assert (once[1] <= problem(X)).all()
            assert once[2] == again[2] == rows


# --- graphs ---------------------------------------------------------------------------------------------


def least_cut(problem):
    X = every_row(problem.n)
    balanced = X[abs(2 * X.sum(axis=1, dtype=int) - problem.n) <= 1]
    return problem.graph(balanced).min()


def test_what_is_not_balanced_is_no_solution():
    graph = MaxCut.random(5, weights=(1, -2, 0.5), rng=1)
    X = every_row(5)
    ones = X.sum(axis=1)
    values = GraphBipartition(graph)(X)
    balanced = (ones == 2) | (ones == 3)
    np.testing.assert_array_equal(values[balanced], graph(X[balanced]))
    assert np.isposinf(values[~balanced]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "graph",
    [
        MaxCut.from_edges(1, []),
        MaxCut.from_edges(2, [(0, 1)], [-3]),
        MaxCut.from_edges(6, []),
        MaxCut.random(9, rng=2),
        MaxCut.random(12, weights=(1, 2, -1.5), rng=3),
    ],
    ids=["vertex", "edge", "edgeless", "odd", "mixed"],
)
def test_plain_optimize_finds_the_least_balanced_cut_and_ends(graph):
    problem = GraphBipartition(graph)
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert result.fun == least_cut(problem)
    assert abs(2 * result.x.sum() - problem.n) <= 1
    assert graph.cut_value(result.x) == result.fun


def test_the_halves_of_a_torus_are_found():
    problem = GraphBipartition(MaxCut.torus(8, 10, weights=(1,)), optimum=16)
    result = cem.optimize(problem, rng=1, target=16, max_evaluations=2000)
    assert result.fun == problem.optimum


@pytest.mark.slow
def test_without_improvement_the_solution_is_balanced_too():
    problem = GraphBipartition(MaxCut.random(14, rng=4))
    result = cem.optimize(problem, improve=False, rng=1)
    assert result.x.sum() == 7
    assert result.fun == problem(result.x[None])[0]


@pytest.mark.parametrize("n", [10, 11, 40])
def test_whatever_is_improved_comes_out_balanced(n):
    problem = GraphBipartition(MaxCut.random(n, edge_probability=0.3, rng=5))
    rng = np.random.default_rng(6)
    for X in (
        np.zeros((2, n), dtype=np.uint8),
        np.ones((30, n), dtype=np.uint8),
        (rng.random((25, n)) < 0.1).astype(np.uint8),
        np.eye(n, dtype=np.uint8)[:1],
        np.empty((0, n), dtype=np.uint8),
    ):
        once, again = (problem.improve(X.copy(), problem(X), np.random.default_rng(1), 2) for _ in range(2))
        np.testing.assert_array_equal(once[0], again[0])
        np.testing.assert_array_equal(once[1], problem(once[0]))
        assert once[0].shape == X.shape
        assert np.isfinite(once[1]).all()


# --- the value objects ----------------------------------------------------------------------------------


def test_they_are_frozen_and_pickle_and_show_themselves():
    numbers = NumberPartitioning([1, 2, 3], optimum=0)
    graph = GraphBipartition(MaxCut.from_edges(4, [(0, 1)]), optimum=0, name="edge")
    assert repr(numbers) == "NumberPartitioning(name='number-partitioning', n=3, optimum=0.0)"
    assert repr(graph) == "GraphBipartition(name='edge', n=4, edges=1, optimum=0.0)"
    for problem in (numbers, graph):
        with pytest.raises(AttributeError):
            problem.optimum = 1
        X = problem.start.sample(20, np.random.default_rng(1))
        assert (X[:, 0] == 1).all()
        for _ in range(2):  # before and after the first use
            np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem))(X), problem(X))
            problem.improve(X.copy(), problem(X), np.random.default_rng(1), 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: NumberPartitioning([]), ValueError, "empty"),
        (lambda: NumberPartitioning([1, "2"]), TypeError, r"numbers\[1\] = '2'"),
        (lambda: NumberPartitioning([True, 2]), TypeError, r"numbers\[0\] = True"),
        (lambda: NumberPartitioning([1, np.nan]), ValueError, r"numbers\[1\] = nan is not finite"),
        (lambda: NumberPartitioning([1e308, 1e308]), ValueError, "beyond the largest float"),
        (lambda: NumberPartitioning([10**309]), ValueError, "beyond the largest float"),
        (lambda: NumberPartitioning([10**309, 0.5]), ValueError, "beyond the largest float"),
        (lambda: NumberPartitioning([1, 2])([[0, 2]]), ValueError, "only 0 and 1"),
        (lambda: NumberPartitioning([1, 2])([0, 1]), ValueError, "shape"),
        (lambda: NumberPartitioning([1, 2]).difference([[0, 1]]), ValueError, "shape"),
        (lambda: GraphBipartition([(0, 1)]), TypeError, "must be a MaxCut.*got list"),
        (lambda: GraphBipartition(MaxCut.from_edges(2, []))([[0, 1, 1]]), ValueError, "shape"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()
