"""Describing arguments: equal ones alike, different ones not, in every process."""

import functools
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem
from cem.checkpoint.resuming import describe, describe_objective
from problems import rare_event
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT


def square(x):
    return x**2


class Counting:
    def __init__(self, weights):
        self.weights, self.calls, self.seen = np.asarray(weights), 0, []

    def __call__(self, x):
        self.calls += 1
        self.seen.append(x)
        return float(self.weights @ x)


DIFFERENT = [
    None,
    True,
    1,
    1.5,
    "1",
    [1, 2],
    [[1], 2],
    np.arange(3),
    np.arange(3.0),
    np.arange(300),
    np.arange(300)[::-1],
    {"a": 1},
    {"a": 2},
    {1, 2},
    square,
    np.sin,
    functools.partial(square, 2),
    functools.partial(square, 3),
    cem.Gaussian([0.0, 1.0], std=1),
    cem.Gaussian([0.0, 1.0], std=2),
    cem.Bernoulli([0.5, 0.5]),
    cem.updates.SmoothedFit(0.7),
    cem.updates.SmoothedFit(0.8),
    stats.norm(0, 1),
    stats.norm(0, 2),
    stats.expon(0, 2),
    LinearConstraint(np.eye(2), 0, 1),
    LinearConstraint(np.eye(2), 0, 2),
    NonlinearConstraint(square, 0, 1),
]


def test_different_values_are_described_differently():
    texts = [describe(value) for value in DIFFERENT]
    assert len(set(texts)) == len(texts)
    assert max(map(len, texts)) <= 80


@pytest.mark.parametrize("number", range(len(DIFFERENT)))
def test_equal_values_are_described_alike(number):
    value = DIFFERENT[number]
    again = np.array(value) if isinstance(value, np.ndarray) else value
    assert describe(again) == describe(value)


def test_numbers_of_numpy_are_numbers():
    assert describe(np.float64(2.5)) == describe(2.5)
    assert describe((1, 2)) == describe([1, 2])
    assert describe(np.array([1.0, 2.0])) == describe(np.array([1.0, 2.0])[::1])


def test_another_process_describes_alike():
    code = (
        "import cem, numpy as np; from cem.checkpoint.resuming import describe\n"
        "print(describe([cem.Gaussian(np.arange(9.0), std=1), {'b': 1, 'a': {3, 1, 2}}, ['x' * 100]]))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_an_objective_is_known_by_its_class_and_arrays():
    """Counters and logs change while it is called."""
    fun = Counting([1, 2])
    before = describe_objective(fun)
    fun(np.ones(2))
    assert describe_objective(fun) == before
    assert describe_objective(Counting([1, 3])) != before
    assert describe_objective(square) == "square"
    assert describe_objective(lambda x: x).endswith("<lambda>")


def test_a_graph_is_known_by_its_edges():
    graph = MaxCut.random(30, rng=1)
    before = describe_objective(graph)
    cem.optimize(graph, max_evaluations=200, rng=1)
    assert describe_objective(graph) == before
    assert describe_objective(MaxCut.random(30, rng=1)) == before
    assert describe_objective(MaxCut.random(30, rng=2)) != before


def test_problems_that_differ_are_told_apart():
    formulas = [MaxSAT.random(30, 60, rng=seed) for seed in (1, 2, 1)]
    first, second, again = (describe_objective(each) for each in formulas)
    assert first == again != second
    cases = rare_event.suite()
    assert len({describe_objective(case) for case in cases}) == len(cases)


def test_counters_of_a_problem_are_not_looked_at():
    class Problem(Counting):
        start, maximize = cem.Bernoulli([0.5, 0.5]), True

    fun = Problem([1, 2])
    before = describe_objective(fun)
    fun(np.ones(2))
    assert describe_objective(fun) == before
    assert describe_objective(Problem([2, 1])) != before


def test_a_loop_of_references_ends():
    loop = []
    loop.append(loop)
    assert describe(loop)
    fun = Counting([1])
    fun.itself = fun
    assert describe(fun)
