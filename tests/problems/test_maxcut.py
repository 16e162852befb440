"""MaxCut: values against brute force, generators against their claims."""

import itertools
import pickle

import numpy as np
import pytest

from problems.maxcut import MaxCut


def every_cut(n):
    """All 2**(n-1) cuts, vertex 0 on side 0."""
    return np.array([(0, *sides) for sides in itertools.product((0, 1), repeat=n - 1)], dtype=np.uint8)


def by_definition(problem, x):
    return sum(w for (i, j), w in zip(problem.edges, problem.weights, strict=True) if x[i] != x[j])


# --- values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "edges", "weights", "best"),
    [
        (2, [(0, 1)], None, 1),
        (3, [(0, 1), (1, 2), (2, 0)], None, 2),
        (4, [(0, 1), (1, 2), (2, 3), (3, 0)], None, 4),
        (5, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)], None, 4),
        (5, list(itertools.combinations(range(5), 2)), None, 6),
        (6, list(itertools.product((0, 1, 2), (3, 4, 5))), None, 9),
        (3, [(0, 1), (1, 2), (2, 0)], [-1, -2, -3], 0),
        (3, [(0, 1), (1, 2), (2, 0)], [-1.5, 2.25, 0.5], 2.75),
    ],
    ids=["edge", "triangle", "square", "pentagon", "K5", "K33", "all-negative", "mixed"],
)
def test_best_cuts_of_small_graphs(n, edges, weights, best):
    problem = MaxCut.from_edges(n, edges, weights)
    X = every_cut(n)
    assert problem(X).max() == best
    np.testing.assert_array_equal(problem(X), [by_definition(problem, x) for x in X])


@pytest.mark.parametrize("weights", [(1,), (-1, 1), (-7, -2), (0.1, -0.3, 2.7), (1, 2**23)])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.int64, ">i4"])
def test_values_agree_with_the_definition(weights, dtype):
    problem = MaxCut.random(23, weights=weights, rng=1)
    X = np.random.default_rng(2).integers(0, 2, size=(40, 23)).astype(dtype)
    X.setflags(write=False)
    for layout in (X, np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        values = problem(layout)
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, [by_definition(problem, x) for x in X], rtol=1e-14, atol=1e-12)


@pytest.mark.parametrize("weights", [(1,), (-1, 1), (-7, 3, 100), (0.3, -2.0), range(1, 9)], ids=str)
@pytest.mark.parametrize("rows", [31, 32, 64, 101, 512, 700])
def test_many_candidates_at_once_are_worth_what_each_is_alone(weights, rows):
    """Enough of them are packed into bits."""
    rng = np.random.default_rng(rows)
    graph = MaxCut.random(250, edge_probability=0.3, weights=weights, rng=rng)
    X = rng.integers(0, 2, (rows, graph.n), dtype=np.uint8)
    alone = [graph.cut_value(x) for x in X[-40:]]
    rounding = 0 if all(w == int(w) for w in weights) else 1e-12
    for candidates in (X, X.astype(np.int64), X.astype(bool), np.asfortranarray(X)):
        np.testing.assert_allclose(graph(candidates)[-40:], alone, rtol=rounding)
    differing = X[-1, graph.edges[:, 0]] != X[-1, graph.edges[:, 1]]
    assert alone[-1] == pytest.approx(graph.weights[differing].sum(), rel=1e-12)
    with pytest.raises(ValueError, match="only 0 and 1"):
        graph(np.where(np.arange(graph.n) == 3, 2, X))


@pytest.mark.parametrize("weights", [(-1, 1), (0.1, -0.3, 2.7)])
def test_a_cut_and_its_complement_are_worth_the_same(weights):
    problem = MaxCut.random(300, edge_probability=0.1, weights=weights, rng=3)
    X = np.random.default_rng(4).integers(0, 2, size=(700, 300), dtype=np.uint8)
    np.testing.assert_array_equal(problem(X), problem(1 - X))


def test_whole_numbers_are_added_exactly_on_both_sides_of_float32():
    for top in (2**24, 2**24 + 2):
        problem = MaxCut.from_edges(3, [(0, 1), (0, 2)], [top - 1, 1])
        np.testing.assert_array_equal(problem(every_cut(3)), [0, 1, top - 1, top])


def test_one_candidate_gives_a_number_and_rows_give_an_array():
    problem = MaxCut.from_edges(3, [(0, 1), (1, 2)])
    assert problem.cut_value([0, 1, 0]) == 2.0
    assert isinstance(problem.cut_value(np.array([0, 1, 0])), float)
    assert problem.cut_value([[0, 1, 0]]).shape == (1,)
    assert problem(np.empty((0, 3), dtype=np.uint8)).shape == (0,)


def test_graphs_with_little_in_them():
    alone = MaxCut.from_edges(1, [])
    assert alone.cut_value([1]) == 0.0
    assert alone.partition([1]) == ((), (0,))
    edgeless = MaxCut.from_edges(4, np.empty((0, 2), dtype=int))
    np.testing.assert_array_equal(edgeless(every_cut(4)), np.zeros(8))
    isolated = MaxCut.from_edges(70_000, [(0, 69_999)], [2.5])
    x = np.zeros(70_000, dtype=np.uint8)
    x[69_999] = 1
    assert isolated.cut_value(x) == 2.5


def test_parallel_edges_add_up_and_zero_weights_go():
    problem = MaxCut.from_edges(4, [(3, 1), (1, 3), (2, 0), (0, 1), (1, 0)], [2, 0.5, 0, 1, -1])
    assert problem.edges.tolist() == [[1, 3]]
    assert problem.weights.tolist() == [2.5]


# --- the value object -----------------------------------------------------------------------------------


def test_start_keeps_one_vertex_in_place():
    X = MaxCut.from_edges(5, [(0, 1)]).start.sample(200, np.random.default_rng(5))
    assert X.shape == (200, 5)
    assert (X[:, 0] == 1).all()
    assert set(np.unique(X[:, 1:])) == {0, 1}


def test_it_is_frozen_and_pickles_and_shows_itself():
    problem = MaxCut.from_edges(3, [(0, 1), (1, 2)], optimum=2, name="path")
    assert repr(problem) == "MaxCut(name='path', n=3, edges=2, optimum=2.0)"
    assert problem.maximize is True
    with pytest.raises(AttributeError):
        problem.n = 4
    with pytest.raises(ValueError, match="read-only"):
        problem.weights[0] = 2
    X = every_cut(3)
    for _ in range(2):  # before and after the first evaluation
        copy = pickle.loads(pickle.dumps(problem))
        assert repr(copy) == repr(problem)
        np.testing.assert_array_equal(copy(X), problem(X))


@pytest.mark.parametrize(
    ("n", "edges", "weights", "error", "message"),
    [
        (2.0, [(0, 1)], None, TypeError, "must be an integer, got 2.0"),
        (0, [], None, ValueError, "from 1 to"),
        (3, [(0, 1, 2)], None, ValueError, r"shape \(m, 2\)"),
        (3, 5, None, ValueError, r"shape \(m, 2\)"),
        (3, [(0.0, 1.0)], None, TypeError, "float64"),
        (3, [(0, 1), (1, 3)], None, ValueError, r"edges\[1\] = \[1, 3\] has a vertex out of range"),
        (3, [(-1, 1)], None, ValueError, "out of range"),
        (3, [(0, 1), (2, 2)], None, ValueError, r"edges\[1\] = \[2, 2\] is a self-loop"),
        (3, [(0, 1)], [1, 2], ValueError, r"shape \(1,\)"),
        (3, [(0, 1)], ["a"], TypeError, "real numbers"),
        (3, [(0, 1), (1, 2)], [1, np.nan], ValueError, r"weights\[1\] = nan is not finite"),
    ],
)
def test_bad_edges_are_explained(n, edges, weights, error, message):
    with pytest.raises(error, match=message):
        MaxCut.from_edges(n, edges, weights)


def test_names_must_fit():
    with pytest.raises(ValueError, match="name each of the 3 vertices, got 2"):
        MaxCut(3, np.array([[0, 1]]), np.ones(1), nodes=("a", "b"))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([[0, 1]], ValueError, r"shape \(3,\) or \(N, 3\), got \(1, 2\)"),
        ([[[0, 1, 0]]], ValueError, "shape"),
        ([0.0, 1.0, 0.5], ValueError, "only 0 and 1"),
        (["a", "b", "c"], TypeError, "numbers"),
        ([1, -1, 1], ValueError, "spins > 0"),
        ([[0, 1, 0], [0, 2, 0]], ValueError, "only 0 and 1"),
    ],
)
def test_bad_candidates_are_explained(X, error, message):
    with pytest.raises(error, match=message):
        MaxCut.from_edges(3, [(0, 1)]).cut_value(X)


def test_a_call_takes_rows_only_and_a_partition_one_candidate():
    problem = MaxCut.from_edges(3, [(0, 1)])
    with pytest.raises(ValueError, match=r"shape \(N, 3\), got \(3,\)"):
        problem([0, 1, 0])
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(1, 3\)"):
        problem.partition([[0, 1, 0]])
    with pytest.raises(ValueError, match="only 0 and 1"):
        problem.partition([0, 2, 0])


# --- networkx -------------------------------------------------------------------------------------------


def test_networkx_labels_and_weights_are_kept():
    nx = pytest.importorskip("networkx")
    graph = nx.Graph(name="letters")
    graph.add_node("alone")
    graph.add_edge("b", "a", weight=2.5)
    graph.add_edge("a", "c")
    problem = MaxCut.from_networkx(graph, optimum=3.5)
    assert (problem.name, problem.n, problem.optimum) == ("letters", 4, 3.5)
    assert problem.nodes == ("alone", "b", "a", "c")
    assert problem.cut_value([0, 0, 1, 0]) == 3.5
    assert problem.partition([0, 0, 1, 0]) == (("alone", "b", "c"), ("a",))


def test_networkx_multigraphs_add_up_and_others_are_refused():
    nx = pytest.importorskip("networkx")
    assert MaxCut.from_networkx(nx.MultiGraph([(0, 1), (1, 0)])).weights.tolist() == [2.0]
    assert MaxCut.from_networkx(nx.empty_graph(3)).cut_value([0, 1, 0]) == 0.0
    with pytest.raises(TypeError, match="a graph of networkx, got a value of type list"):
        MaxCut.from_networkx([(0, 1)])
    with pytest.raises(TypeError, match="undirected"):
        MaxCut.from_networkx(nx.DiGraph([(0, 1)]))
    with pytest.raises(TypeError, match="real numbers"):
        MaxCut.from_networkx(nx.Graph([(0, 1, {"weight": None})]))
    with pytest.raises(ValueError, match="self-loop"):
        MaxCut.from_networkx(nx.Graph([(1, 1)]))
    with pytest.raises(ValueError, match="from 1 to"):
        MaxCut.from_networkx(nx.Graph())


# --- generators -----------------------------------------------------------------------------------------


def test_random_graphs_have_the_right_number_of_edges_anywhere():
    problem = MaxCut.random(1000, edge_probability=0.03, rng=9)
    pairs = 1000 * 999 / 2
    assert abs(len(problem.edges) - 0.03 * pairs) < 5 * np.sqrt(0.03 * 0.97 * pairs)
    degrees = np.bincount(problem.edges.ravel(), minlength=1000)
    assert abs(degrees[:500].sum() / degrees.sum() - 0.5) < 0.02
    assert set(problem.weights) == {1.0}


def test_every_pair_is_as_likely_as_any_other():
    rng = np.random.default_rng(10)
    counts = np.zeros((5, 5))
    for _ in range(2000):
        counts[tuple(MaxCut.random(5, edge_probability=0.3, rng=rng).edges.T)] += 1
    taken = counts[np.triu_indices(5, 1)]
    assert (np.abs(taken - 600) < 5 * np.sqrt(2000 * 0.3 * 0.7)).all()
    assert counts.sum() == taken.sum()


def test_random_graphs_at_the_ends():
    assert len(MaxCut.random(9, edge_probability=0, rng=1).edges) == 0
    assert len(MaxCut.random(9, edge_probability=1, rng=1).edges) == 36
    assert len(MaxCut.random(1, edge_probability=1, rng=1).edges) == 0
    assert len(MaxCut.random(100_000, edge_probability=1e-12, rng=1).edges) <= 2
    glass = MaxCut.random(100, weights=(-1, 1), rng=1)
    assert set(glass.weights) == {-1.0, 1.0}
    assert abs(glass.weights.mean()) < 0.1


def test_the_same_seed_gives_the_same_graph():
    for make in (MaxCut.random, MaxCut.planted, lambda n, rng: MaxCut.torus(n, n, rng=rng)):
        first, again, other = make(12, rng=1), make(12, rng=np.random.default_rng(1)), make(12, rng=2)
        np.testing.assert_array_equal(first.edges, again.edges)
        np.testing.assert_array_equal(first.weights, again.weights)
        assert not (
            len(first.edges) == len(other.edges)
            and (first.edges == other.edges).all()
            and (first.weights == other.weights).all()
        )


def test_a_torus_is_four_regular():
    problem = MaxCut.torus(5, 8, rng=11)
    assert (problem.n, len(problem.edges)) == (40, 80)
    assert (np.bincount(problem.edges.ravel()) == 4).all()
    assert set(problem.weights) == {-1.0, 1.0}
    chessboard = np.indices((4, 6)).sum(axis=0).ravel() % 2
    assert MaxCut.torus(4, 6, weights=(1,)).cut_value(chessboard) == 48.0


@pytest.mark.parametrize(("n", "block"), [(2, 1), (5, None), (8, None), (11, 3), (12, 11), (16, None)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_planted_cut_is_the_only_best_one(n, block, seed):
    problem = MaxCut.planted(n, block=block, rng=seed)
    planted = np.arange(n) >= (n // 2 if block is None else block)
    assert problem.cut_value(planted) == problem.optimum
    X = every_cut(n)
    values = problem(X)
    assert values.max() == problem.optimum
    assert np.flatnonzero(values == problem.optimum).size == 1


def test_planted_graphs_of_the_tutorial():
    problem = MaxCut.planted(400, rng=12)
    first, second = problem.edges.T
    across = (first < 200) & (second >= 200)
    assert problem.optimum == 200 * 200
    assert set(problem.weights[across]) == {1.0}
    within = problem.weights[~across]
    assert within.min() > 0
    assert within.max() < 1
    assert abs(within.mean() - 0.5) < 0.01
    assert problem.cut_value(np.arange(400) < 200) == problem.optimum


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxCut.random(5, edge_probability=1.5), "from 0 to 1"),
        (lambda: MaxCut.random(5, edge_probability=float("nan")), "from 0 to 1"),
        (lambda: MaxCut.random(5, weights=()), "one or more numbers"),
        (lambda: MaxCut.random(0), "from 1 to"),
        (lambda: MaxCut.torus(2, 5), "3 or more rows"),
        (lambda: MaxCut.planted(5, block=5), "both blocks need a vertex"),
        (lambda: MaxCut.planted(1), "both blocks need a vertex"),
    ],
)
def test_what_makes_no_graph_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
