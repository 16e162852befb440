"""Pictures of cuts, tours and schedules: what is drawn is what is meant."""

import sys

import numpy as np
import pytest

from problems.flowshop import FlowShop
from problems.maxcut import MaxCut
from problems.pictures import layout, scaled_apart
from problems.qap import QAP
from problems.tsp import TSP


@pytest.fixture(autouse=True)
def off_screen():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.fixture
def square():
    return MaxCut.from_edges(4, [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)], name="square")


CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]]


def test_a_cut(square):
    ax = square.plot([0, 1, 0, 1], points=CORNERS)
    lines = {each.get_label(): each for each in ax.collections}
    assert len(lines["cut"].get_segments()) == 4
    np.testing.assert_array_equal(lines["inside a side"].get_segments()[0], [[0, 0], [1, 1]])
    np.testing.assert_array_equal(lines["side 1"].get_offsets(), [[1, 0], [0, 1]])
    assert "a cut of 4" in ax.get_title()
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3"]
    low, high = ax.get_xlim()
    assert low < 0 < 1 < high


def test_into_given_axes(square):
    from matplotlib import pyplot as plt

    own = plt.subplots()[1]
    assert square.plot([0, 1, 0, 1], ax=own) is own


@pytest.mark.slow
def test_names_of_vertices():
    nx = pytest.importorskip("networkx")
    graph = MaxCut.from_networkx(nx.Graph([("a", "b"), ("b", "c")]))
    assert {text.get_text() for text in graph.plot([0, 1, 0]).texts} == {"a", "b", "c"}


@pytest.mark.parametrize("n", [60, 600])
def test_a_layout_keeps_neighbours_together(n):
    edges = np.column_stack((np.arange(n - 1), np.arange(1, n)))
    at = layout(n, edges)
    order = np.argsort(at[:, 0])
    assert abs(np.diff(order)).max() == 1  # a path's Fiedler vector is monotone
    assert abs(at).max() == 1


def test_a_layout_of_parts_is_a_circle():
    at = layout(6, np.array([[0, 1], [2, 3], [4, 5]]))
    np.testing.assert_allclose(np.hypot(*at.T), 1)
    np.testing.assert_allclose(layout(1, np.empty((0, 2), int)), [[1, 0]])


def test_a_tour():
    away = np.array(CORNERS)
    problem = TSP(np.hypot(*(away[:, None] - away).T), points=away)
    ax = problem.plot([2, 0, 1, 3])
    x, y = ax.get_lines()[0].get_data()
    np.testing.assert_array_equal(np.column_stack((x, y)), np.array(CORNERS)[[2, 0, 1, 3, 2]])
    assert f"{problem([[2, 0, 1, 3]])[0]:,.10g}" in ax.get_title()
    assert ax.get_aspect() == 1.0


def test_a_tour_without_points():
    with pytest.raises(ValueError, match="needs the cities' points"):
        TSP(np.ones((3, 3)) - np.eye(3)).plot([0, 1, 2])


def test_a_schedule():
    problem = FlowShop([[3, 1], [2, 4]])
    assert problem.schedule([1, 0]).tolist() == [[1, 0], [5, 1]]
    ax = problem.plot([1, 0])
    bars = [bar for container in ax.containers for bar in container]
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(0, 1), (1, 4), (1, 3), (5, 2)]
    assert "makespan 7" in ax.get_title()
    assert sorted(text.get_text() for text in ax.texts) == ["0", "0", "1", "1"]


def test_schedules_end_when_the_makespan_says():
    problem = FlowShop.random(12, 5, rng=1)
    rng = np.random.default_rng(2)
    for _ in range(20):
        x = rng.permutation(12)
        ends = problem.schedule(x) + problem.times
        assert ends.max() == problem(x[None])[0]
        assert (np.diff(problem.schedule(x)[:, x], axis=1) >= problem.times[:, x][:, :-1]).all()


def test_an_assignment():
    away = np.array([[0, 0], [3, 0], [3, 1], [0, 1]])
    distances = np.hypot(*(away[:, None] - away).T)
    flows = np.zeros((4, 4))
    flows[0, 1], flows[2, 3] = 1, 4
    problem = QAP(flows, distances)
    ax = problem.plot([0, 1, 2, 3])
    lines, points = ax.collections
    ends = np.array(lines.get_segments())
    np.testing.assert_allclose(np.hypot(*(ends[:, 0] - ends[:, 1]).T), [2 * 3, 2 * 3])
    assert list(lines.get_linewidths()) == [1, 4]
    assert len(points.get_offsets()) == 4
    assert f"an assignment of {problem([[0, 1, 2, 3]])[0]:,.10g}" in ax.get_title()
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3"]
    assert QAP([[0]], [[0]]).plot([0]).get_title() == "qap: an assignment of 0"


def test_places_are_as_far_apart_as_said():
    points = np.random.default_rng(1).normal(size=(7, 2))
    distances = np.hypot(*(points[:, None] - points).T)
    at = scaled_apart(distances)
    np.testing.assert_allclose(np.hypot(*(at[:, None] - at).T), distances, atol=1e-7)


@pytest.mark.parametrize("x", [[0, 0], [0], [[0, 1]]])
def test_what_is_no_order(x):
    with pytest.raises(ValueError, match=r"order|shape"):
        FlowShop([[3, 1], [2, 4]]).plot(x)


def test_points_of_another_shape(square):
    with pytest.raises(ValueError, match=r"points must have shape \(4, 2\)"):
        square.plot([0, 1, 0, 1], points=[[0, 0]])


def test_a_missing_extra_is_named(square, monkeypatch):
    for name in ("matplotlib", "matplotlib.pyplot", "matplotlib.collections"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="cemkit"):
        square.plot([0, 1, 0, 1])
