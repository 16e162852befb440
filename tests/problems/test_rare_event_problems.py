"""The bridge: its performance against a graph search, its references against print and simulation."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path as graph_search

import cem
from problems.rare_event import RareEventProblem, bridge

MEANS = np.array([0.25, 0.4, 0.1, 0.3, 0.2])
EDGES = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]  # source 0, sink 3


def length_by_graph_search(x):
    i, j = np.array(EDGES).T
    return graph_search(csr_array((x, (i, j)), shape=(4, 4)), directed=False)[0, 3]


@pytest.mark.parametrize(
    ("level", "printed"), [(1.5, "3.34089e-04"), (2.0, "1.34246e-05"), (3.0, "2.05790e-08")]
)
def test_references_to_the_printed_digits(level, printed):
    problem = bridge(level)
    assert f"{problem.reference:.5e}" == printed
    assert 0 <= problem.reference_error <= 1e-9 * problem.reference


def test_what_a_bridge_is():
    problem = bridge()
    assert isinstance(problem, RareEventProblem)
    assert (problem.level, problem.tail, problem.vectorized) == (2.0, "upper", True)
    assert isinstance(problem.inputs, cem.Exponential)
    np.testing.assert_array_equal(problem.inputs.mean, MEANS)
    assert "bridge" in problem.name
    assert "De Boer" in problem.source


def test_performance_is_the_shortest_path():
    x = np.random.default_rng(1).exponential(MEANS * [1, 1, 1, 1, 1], size=(300, 5))
    x[::3] = x[::3, ::-1]  # every path is shortest somewhere
    np.testing.assert_allclose(
        bridge().performance(x), [length_by_graph_search(row) for row in x], rtol=1e-14
    )


def test_every_path_matters():
    x = np.array([[1, 9, 9, 1, 9], [1, 9, 1, 9, 1], [9, 1, 9, 9, 1], [9, 1, 1, 1, 9]], dtype=float)
    np.testing.assert_array_equal(bridge().performance(x), [2, 3, 2, 3])


@pytest.mark.parametrize("level", [0.3, 1.0])
def test_reference_by_plain_monte_carlo(level):
    n = 400_000
    problem = bridge(level)
    x = problem.inputs.sample(n, np.random.default_rng(2))
    hits = np.mean(problem.performance(x) >= level)
    assert abs(hits - problem.reference) <= 3 * np.sqrt(problem.reference * (1 - problem.reference) / n)


@pytest.mark.parametrize("level", [1.5, 2.0])
def test_reference_by_conditional_monte_carlo(level):
    """Given edges 1 to 3, the last two are independent and each must be long enough."""
    x1, x2, x3 = np.random.default_rng(3).exponential(2 * MEANS[:3], size=(400_000, 3)).T
    ratio = np.prod([2 * np.exp(-x / (2 * m)) for x, m in zip((x1, x2, x3), MEANS[:3], strict=True)], axis=0)
    need4 = np.maximum(0, np.maximum(level - x1, level - x2 - x3))
    need5 = np.maximum(0, np.maximum(level - x2, level - x1 - x3))
    y = ratio * np.exp(-need4 / MEANS[3] - need5 / MEANS[4])
    standard_error = y.std(ddof=1) / np.sqrt(y.size)
    assert standard_error < 0.02 * y.mean()
    assert abs(y.mean() - bridge(level).reference) <= 3 * standard_error


def test_references_fall_from_one_towards_zero():
    references = [bridge(level).reference for level in (1e-9, 0.1, 0.5, 1, 2, 5, 20)]
    assert references[0] == pytest.approx(1, abs=1e-6)
    assert np.all(np.diff(references) < 0)
    assert references[-1] > 0


@pytest.mark.parametrize("level", [0, -1, np.nan, np.inf, -np.inf])
def test_bad_level(level):
    with pytest.raises(ValueError, match="level must be a positive finite"):
        bridge(level)
