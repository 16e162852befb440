"""Knapsacks and maximum satisfiability: right values, feasible answers, small optima."""

import itertools

import numpy as np
import pytest

import cem
from problems.knapsack import Knapsack, MultiKnapsack
from problems.maxsat import MaxSAT

ALL_TEN = np.array(list(itertools.product([0, 1], repeat=10)))


@pytest.mark.parametrize("seed", range(3))
def test_a_knapsack_is_packed_best(seed):
    rng = np.random.default_rng(seed)
    values, weights = rng.integers(1, 30, 10), rng.integers(1, 30, 10)
    r = cem.optimize(Knapsack(values, weights, 60), rng=seed)
    fitting = ALL_TEN[ALL_TEN @ weights <= 60]
    assert r.fun == (fitting @ values).max()
    assert r.x @ weights <= 60
    assert r.fun == r.x @ values
    assert r.success


@pytest.mark.parametrize("seed", range(3))
def test_several_knapsacks_are_all_kept(seed):
    rng = np.random.default_rng(seed)
    values, weights = rng.integers(1, 30, 10), rng.integers(1, 30, (3, 10))
    capacities = np.array([60, 70, 80])
    r = cem.optimize(MultiKnapsack(values, weights, capacities), rng=seed)
    fitting = ALL_TEN[np.all(ALL_TEN @ weights.T <= capacities, axis=1)]
    assert r.fun == (fitting @ values).max()
    assert np.all(weights @ r.x <= capacities)


def test_an_overfull_knapsack_is_never_worth_anything():
    problem = Knapsack([3, 4], [2, 3], 4)
    full, one = problem(np.array([[1, 1], [0, 1]]))
    assert full < one == 4


@pytest.mark.parametrize("seed", range(3))
def test_most_clauses_are_met(seed):
    problem = MaxSAT.random(10, 60, rng=seed)
    r = cem.optimize(problem, rng=seed, max_iterations=40)
    assert r.fun == problem(ALL_TEN).max()
    assert problem.holds(r.x).sum() == r.fun


def test_values_of_a_formula():
    problem = MaxSAT(2, [[1, 2], [-1], [1, -2]])
    np.testing.assert_array_equal(problem(np.array([[0, 0], [0, 1], [1, 0], [1, 1]])), [2, 2, 2, 2])


def test_a_formula_from_a_file(tmp_path):
    path = tmp_path / "small.cnf"
    path.write_text("c a comment\np cnf 3 3\n1 -2 0\n2 3 0\n-1 0\n")
    problem = MaxSAT.from_file(path)
    assert problem(np.array([[0, 0, 1]]))[0] == 3
    assert problem(np.array([[1, 0, 0]]))[0] == 1


def test_a_wrong_literal_is_told_with_its_line(tmp_path):
    path = tmp_path / "wrong.cnf"
    path.write_text("p cnf 2 2\n1 2 0\n1 7 0\n")
    with pytest.raises(ValueError, match="3"):
        MaxSAT.from_file(path)


def test_a_negative_capacity_is_refused():
    with pytest.raises(ValueError, match="capacit"):
        Knapsack([1, 2], [1, 2], -1)
