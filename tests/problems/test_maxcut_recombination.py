"""Recombination by dynamic programming: exact where nothing is tied, never worse than the best parent."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import cem
from problems.maxcut import MaxCut
from problems.maxcut.search import numpy_engine
from problems.maxcut.search.elimination import eliminate
from problems.maxcut.search.graph import CutGraph, contract
from problems.maxcut.search.recombination import CAPACITY, cross, recombine
from problems.qubo import QUBO

try:
    from problems.maxcut.search import numba_engine

    ENGINES = [numpy_engine, numba_engine]
except ImportError:
    ENGINES = [numpy_engine]


def gain_of(graph, flips):
    """Return what the rows of `flips` gain, where every edge is one whose ends lie on one side."""
    flips = np.atleast_2d(flips)
    tails = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    return (flips[:, tails] != flips[:, graph.indices]) @ graph.weights / 2


def best_gain(graph):
    """Return the largest gain by looking at all choices."""
    rest = np.array(list(itertools.product([False, True], repeat=graph.n - 1)))
    return gain_of(graph, np.column_stack([np.zeros(len(rest), bool), rest])).max()


def eliminated(graph, seed, width=14, capacity=CAPACITY, hub=None):
    rng = np.random.default_rng(seed)
    n = graph.n
    hub = int(rng.integers(n)) if hub is None else hub
    return eliminate(
        graph.indptr, graph.indices, graph.weights, hub, rng.permutation(n),
        rng.random(2**width + n) < 0.5, rng.integers(n + 1, size=n), width, capacity,
    )  # fmt: skip


def random_graph(rng, n, share, whole):
    heads, tails = np.triu_indices(n, 1)
    chosen = rng.random(len(heads)) < share
    weights = rng.integers(-5, 6, chosen.sum()) if whole else rng.normal(size=chosen.sum())
    return CutGraph.from_edges(n, heads[chosen], tails[chosen], weights)


def shapes(n):
    """Return the edges of graphs of every kind that groups can form."""
    path = [(i, i + 1) for i in range(n - 1)]
    yield "path", path
    yield "cycle", [*path, (n - 1, 0)]
    yield "star", [(0, i) for i in range(1, n)]
    yield "wheel", [*((0, i) for i in range(1, n)), *((i, i % (n - 1) + 1) for i in range(1, n))]
    yield "complete", list(itertools.combinations(range(n), 2))
    yield "two components", [(0, 1), (1, 2), (3, 4), (4, 5), (3, 5)]
    yield "ladder", [*((i, i + 2) for i in range(n - 2)), *((i, i + 1) for i in range(0, n - 1, 2))]


@pytest.mark.parametrize("edges", [e for _, e in shapes(10)], ids=[name for name, _ in shapes(10)])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "real"])
def test_the_best_of_graphs_of_any_shape(edges, whole):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        weights = rng.integers(-5, 6, len(edges)) if whole else rng.normal(size=len(edges))
        graph = CutGraph.from_edges(10, *np.transpose(edges), weights)
        flips, ties = eliminated(graph, seed)
        assert ties == 0
        assert gain_of(graph, flips)[0] == pytest.approx(best_gain(graph), abs=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_the_best_of_random_graphs_and_bounds_where_vertices_are_tied(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, int(rng.integers(2, 12)), rng.random(), seed % 2)
    best = best_gain(graph)
    for width, capacity in ((14, CAPACITY), (3, CAPACITY), (2, CAPACITY), (14, 40)):
        flips, ties = eliminated(graph, seed, width, capacity)
        gain = gain_of(graph, flips)[0]
        assert -1e-12 <= gain <= best + 1e-12
        if ties == 0 and capacity == CAPACITY:
            assert gain == pytest.approx(best, abs=1e-12)


def test_narrow_eliminations_tie_vertices():
    graph = random_graph(np.random.default_rng(1), 11, 1.0, True)
    assert eliminated(graph, 1, width=3)[1] > 0
    assert eliminated(graph, 1, width=14)[1] == 0


def test_cuts_that_are_as_good_are_found_all():
    triangle = CutGraph.from_edges(3, [0, 1, 0], [1, 2, 2], [1, 1, 1])
    found = {tuple(eliminated(triangle, seed, hub=0)[0].tolist()) for seed in range(40)}
    assert found == {(False, True, False), (False, False, True), (False, True, True)}


def test_the_hub_stays():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        graph = random_graph(rng, 9, 0.6, True)
        hub = int(rng.integers(9))
        assert not eliminated(graph, seed, hub=hub)[0][hub]


def spins_of(rng, rows, n):
    return (2 * rng.integers(2, size=(rows, n)) - 1).astype(np.int8)


def kernel_graph(graph):
    return CutGraph.from_edges(graph.n, *graph.edges.T, graph.weights.astype(np.int64))


def values(graph, spins):
    return graph.cut_value((np.atleast_2d(spins) > 0).astype(int))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_child_is_the_best_of_what_its_parents_leave_open(count):
    graph = MaxCut.torus(5, 5, rng=1)
    rng = np.random.default_rng(count)
    checked = 0
    for _ in range(12):
        parents = spins_of(rng, count, graph.n)
        parents[:, 2:] = parents[0, 2:]  # else there would be too many groups to look at all choices
        parents[1:, 7:15] *= -1
        small = contract(kernel_graph(graph), parents)
        child = cross(kernel_graph(graph), parents, rng)
        choices = np.array(list(itertools.product([-1, 1], repeat=small.graph.n)), np.int8)
        assert values(graph, child)[0] == values(graph, small.expand(choices)).max()
        checked += small.graph.n > 2
    assert checked > 6


@pytest.mark.parametrize("width", [2, 5, 14])
@pytest.mark.parametrize(
    "graph",
    [MaxCut.torus(20, 20, rng=1), MaxCut.random(60, edge_probability=0.1, rng=2), MaxCut.random(40, rng=3)],
    ids=["torus", "sparse", "dense"],
)
def test_a_child_is_never_worse_than_the_first_parent(graph, width):
    rng = np.random.default_rng(width)
    gains = []
    for count in (2, 3, 6, 12):
        parents = spins_of(rng, count, graph.n)
        child = cross(kernel_graph(graph), parents, rng, width)
        gains.append(values(graph, child)[0] - values(graph, parents[0])[0])
    assert min(gains) >= 0


def test_real_weights_never_lose_by_rounding():
    rng = np.random.default_rng(5)
    for seed in range(20):
        graph = MaxCut.torus(6, 6, weights=(0.1, -0.7, 1e-9, 1 / 3), rng=seed)
        inner = CutGraph.from_edges(graph.n, *graph.edges.T, graph.weights)
        parents = spins_of(rng, 3, graph.n)
        assert values(graph, cross(inner, parents, rng))[0] >= values(graph, parents[0])[0]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.NAME)
def test_children_are_deepened_and_repeat(engine):
    graph = MaxCut.torus(16, 16, rng=1)
    layout = engine.prepare(kernel_graph(graph))
    parents = spins_of(np.random.default_rng(1), 4, graph.n)
    first, second = (recombine(engine, layout, parents, np.random.default_rng(2), 1) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1] >= 1
    child, deepened = values(graph, first[0])
    assert deepened >= child >= values(graph, parents)[0]


@pytest.mark.slow
def test_the_same_answers_without_a_compiler():
    """The functions are the same, compiled or not."""
    code = """
import numpy as np
from problems.maxcut import MaxCut
from problems.maxcut.search.graph import CutGraph
from problems.maxcut.search.recombination import cross
for seed in range(3):
    for weights in ((-1, 1), (0.25, -1.5, 3.75)):
        g = MaxCut.torus(14, 14, weights=weights, rng=seed)
        whole = np.all(g.weights == np.floor(g.weights))
        graph = CutGraph.from_edges(g.n, *g.edges.T, g.weights.astype(np.int64) if whole else g.weights)
        rng = np.random.default_rng(seed)
        for k in (2, 5, 12):
            parents = (2 * rng.integers(2, size=(k, g.n)) - 1).astype(np.int8)
            parents[:, 60:] = parents[0, 60:]
            print(np.packbits(cross(graph, parents, rng, 6) > 0).tobytes().hex())
"""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": flag}, timeout=300,
        ).stdout
        for flag in ("0", "1")
    ]  # fmt: skip
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) > 6


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.NAME)
def test_problems_recombine_through_optimize(engine):
    graph = MaxCut.torus(12, 12, rng=3)
    graph.__dict__["_engine"] = engine
    r = cem.optimize(graph, max_iterations=30, rng=1)
    assert r.fun == graph.cut_value(r.x)
    plain = MaxCut.torus(12, 12, rng=3)
    again = cem.optimize(plain, max_iterations=30, rng=1, improve=plain.improve)
    assert again.fun == plain.cut_value(again.x)


def test_recombine_returns_a_child_no_worse_than_the_best_parent():
    graph = MaxCut.torus(9, 9, rng=3)
    X = np.random.default_rng(1).integers(2, size=(5, 81)).astype(np.uint8)
    better, scores, extra = graph.recombine(X, graph(X), np.random.default_rng(2), 1)
    np.testing.assert_array_equal(scores, graph(better))
    assert better.shape == (2, 81)
    assert graph(X).max() <= scores[0] <= scores[1]
    assert extra >= 1


@pytest.mark.slow
def test_quadratic_functions_recombine_too():
    rng = np.random.default_rng(4)
    Q = np.where(rng.random((40, 40)) < 0.1, rng.integers(-9, 10, (40, 40)), 0)
    problem = QUBO(Q, rng.integers(-9, 10, 40))
    X = rng.integers(2, size=(4, 40)).astype(np.uint8)
    better, scores, _ = problem.recombine(X, problem(X), rng, 1)
    np.testing.assert_array_equal(scores, problem(better))
    assert problem(X).min() >= scores[0] >= scores[1]


def test_nothing_to_recombine():
    graph = MaxCut.from_edges(5, np.empty((0, 2), int))
    X = np.eye(5, dtype=np.uint8)[:2]
    better, scores, extra = graph.recombine(X, graph(X), np.random.default_rng(1), 1)
    np.testing.assert_array_equal(better, X[:1])
    assert (scores.tolist(), extra) == ([0.0], 0)
    same = np.repeat(MaxCut.torus(4, 4, rng=1).start.sample(1, np.random.default_rng(0)), 3, axis=0)
    torus = MaxCut.torus(4, 4, rng=1)
    assert torus.recombine(same, torus(same), np.random.default_rng(1), 1)[1].min() >= torus(same)[0]
