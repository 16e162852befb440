"""The max-cut search: engines, contraction, improvement, and the whole of it through `optimize`."""

import itertools
import pickle

import numpy as np
import pytest
from helpers import public_instances

import cem
from problems.maxcut import MaxCut
from problems.maxcut.search import improvement, numpy_engine
from problems.maxcut.search.graph import CutGraph, annealing_range, contract, gain_step

try:
    from problems.maxcut.search import numba_engine

    ENGINES = [numpy_engine, numba_engine]
except ImportError:
    ENGINES = [numpy_engine]


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.NAME)
def engine(request):
    return request.param


def random_graph(rng, n, weights):
    pairs = np.array(list(itertools.combinations(range(n), 2)))
    chosen = pairs[rng.random(len(pairs)) < 0.5]
    return MaxCut.from_edges(n, chosen, rng.choice(weights, len(chosen)))


def kernel_graph(graph):
    whole = np.all(graph.weights == np.floor(graph.weights))
    weights = graph.weights.astype(np.int64) if whole else graph.weights
    return CutGraph.from_edges(graph.n, *graph.edges.T, weights)


def best_cut(graph):
    x = np.array(list(itertools.product([0, 1], repeat=graph.n - 1)))
    return graph.cut_value(np.column_stack([np.zeros(len(x), int), x])).max()


def spins_of(rng, rows, n):
    return (2 * rng.integers(2, size=(rows, n)) - 1).astype(np.int8)


def with_engine(graph, engine):
    graph.__dict__["_engine"] = engine
    return graph


WEIGHTS = {
    "ones": [1],
    "signs": [-1, 1],
    "beyond int8": [-300, 500, 7],
    "beyond int32": [-(2**40), 2**40, 12345],
    "floats": [0.1, -0.7, 2.5],
    "negative": [-3, -1],
    "tiny floats": [1e-9, 3.3e-9],
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("seed", range(3))
def test_optimum_of_small_graphs(engine, weights, seed):
    graph = random_graph(np.random.default_rng(seed), 11, weights)
    r = cem.optimize(with_engine(graph, engine), max_iterations=12, rng=seed)
    assert r.fun == pytest.approx(best_cut(graph), rel=1e-12)
    assert r.fun == pytest.approx(graph.cut_value(r.x), rel=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_reheats_gain_exactly_what_they_say(engine, weights):
    rng = np.random.default_rng(2)
    graph = random_graph(rng, 70, weights)
    layout = engine.prepare(kernel_graph(graph))
    state = engine.load(layout, spins_of(rng, 3, 70))
    engine.anneal(layout, state, 5, improvement.seeds(rng, 3))
    before = graph.cut_value((engine.unload(layout, state) > 0).astype(int))
    gains, work = engine.reheat(layout, state, 0.2 * layout.graph.rms, 20, improvement.seeds(rng, 3))
    after = graph.cut_value((engine.unload(layout, state) > 0).astype(int))
    assert work > 0
    scale = np.abs(graph.weights).sum()
    assert np.all(after >= before - 1e-12 * scale)
    assert np.all(after - before >= gains - 1e-9 * scale)


def test_annealed_states_are_local_optima(engine):
    rng = np.random.default_rng(0)
    graph = random_graph(rng, 65, [-2, 1, 3])
    layout = engine.prepare(kernel_graph(graph))
    state = engine.load(layout, spins_of(rng, 2, 65))
    engine.anneal(layout, state, 30, improvement.seeds(rng, 2))
    for x in (engine.unload(layout, state) > 0).astype(int):
        flipped = np.where(np.eye(65, dtype=bool), 1 - x, x)
        assert graph.cut_value(flipped).max() <= graph.cut_value(x)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 129])
def test_loading_and_unloading_change_nothing(engine, n):
    rng = np.random.default_rng(n)
    graph = random_graph(rng, n, [1, -1]) if n > 2 else MaxCut.from_edges(n, [(0, 1)][: n - 1])
    layout = engine.prepare(kernel_graph(graph))
    spins = spins_of(rng, 4, n)
    np.testing.assert_array_equal(engine.unload(layout, engine.load(layout, spins)), spins)


@pytest.mark.parametrize("seed", range(4))
def test_a_contraction_keeps_differences_of_cuts(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, 30, [-2, 1, 5])
    rows = spins_of(rng, 3, 30)
    rows[:, :20] = rows[0, :20] * rng.choice([-1, 1], (3, 1))
    small = contract(kernel_graph(graph), rows)
    assert small.graph.n < 30
    inner = (
        MaxCut.from_edges(
            small.graph.n,
            np.column_stack(
                [np.repeat(np.arange(small.graph.n), np.diff(small.graph.indptr)), small.graph.indices]
            ),
            small.graph.weights / 2,
        )
        if len(small.graph.indices)
        else None
    )
    groups = spins_of(rng, 8, small.graph.n)
    outer = graph.cut_value((small.expand(groups) > 0).astype(int))
    values = inner.cut_value((groups > 0).astype(int)) if inner else np.zeros(8)
    np.testing.assert_allclose(outer - outer[0], values - values[0], atol=1e-9)
    np.testing.assert_array_equal(small.shrink(small.expand(groups)), groups)


def test_a_contraction_merges_exactly_what_all_rows_agree_on():
    graph = CutGraph.from_edges(4, [0, 1, 2], [1, 2, 3], [1, 1, 1])
    rows = np.array([[1, 1, -1, 1], [-1, -1, -1, 1], [1, 1, 1, -1]], np.int8)
    small = contract(graph, rows)
    assert small.label[0] == small.label[1] != small.label[2] == small.label[3]
    np.testing.assert_array_equal(small.sign, rows[0])


def test_fair_coins_agree_on_nothing():
    graph = kernel_graph(MaxCut.random(200, edge_probability=0.1, rng=1))
    assert contract(graph, spins_of(np.random.default_rng(0), 24, 200)).graph.n == 200


def test_gain_steps():
    even = CutGraph.from_edges(3, [0, 1, 2], [1, 2, 0], [1, 1, 1])
    assert gain_step(even.weights, even.indptr) == 2
    odd = CutGraph.from_edges(3, [0, 1], [1, 2], [3, 3])
    assert gain_step(odd.weights, odd.indptr) == 3
    hot, cold = annealing_range(even.weights, even.indptr)
    assert hot > cold > 0


@pytest.mark.parametrize("make", [lambda: MaxCut.torus(12, 12, rng=1), lambda: MaxCut.random(80, rng=2)])
def test_the_same_seed_repeats(engine, make):
    first, second, other = (
        cem.optimize(with_engine(make(), engine), max_iterations=6, rng=seed) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.history.mean, second.history.mean)
    assert first.nfev == second.nfev
    assert not np.array_equal(first.history.mean, other.history.mean)


def test_the_number_of_workers_changes_nothing():
    runs = [
        cem.optimize(MaxCut.torus(10, 10, rng=1), max_iterations=4, rng=1, n_jobs=jobs) for jobs in (1, 2)
    ]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    np.testing.assert_array_equal(runs[0].history.mean, runs[1].history.mean)


def test_the_engine_shows_in_the_history(engine):
    r = cem.optimize(with_engine(MaxCut.torus(8, 8, rng=1), engine), max_iterations=2, rng=1)
    assert set(r.history.stage) == {f"annealing ({engine.NAME})"}


@pytest.mark.slow
def test_it_ends_by_itself_and_says_how_it_knows(engine):
    graph = with_engine(MaxCut.torus(4, 4, rng=1), engine)
    r = cem.optimize(graph, rng=1)
    assert r.status is cem.Status.CONVERGED
    assert "3 independent runs" in r.message


def test_improve_takes_any_number_of_rows(engine):
    graph = with_engine(MaxCut.torus(8, 8, rng=1), engine)
    rng = np.random.default_rng(0)
    for rows in (1, 2, 12, 100):
        X = rng.integers(2, size=(rows, 64)).astype(np.uint8)
        better, scores, extra = graph.improve(X, graph(X), np.random.default_rng(1), 1)
        assert 1 <= len(better) <= rows
        np.testing.assert_array_equal(scores, graph(better))
        assert scores.max() >= graph(X).max()
        assert extra > 0


def test_without_improvement_it_is_the_textbook():
    r = cem.optimize(MaxCut.planted(60, rng=1), improve=False, method="textbook", rng=1)
    assert set(r.history.stage) == {"sampling"}
    assert r.fun == MaxCut.planted(60, rng=1).optimum


@pytest.mark.parametrize(
    "graph",
    [
        MaxCut.from_edges(5, np.empty((0, 2), int)),
        MaxCut.from_edges(1, np.empty((0, 2), int)),
        MaxCut.from_edges(4, [(0, 1), (1, 2)], [-1.0, -2.0]),
    ],
    ids=["edgeless", "one vertex", "negative"],
)
def test_graphs_with_nothing_to_cut(graph):
    r = cem.optimize(graph, rng=1)
    assert r.fun == 0
    assert r.success


@pytest.mark.slow
def test_isolated_vertices():
    r = cem.optimize(MaxCut.from_edges(70, [(0, 69), (69, 1)]), rng=1)
    assert r.fun == 2
    assert r.success


@pytest.mark.slow
def test_many_vertices():
    n = 66_000
    graph = MaxCut.from_edges(n, np.column_stack([np.arange(n - 1), np.arange(1, n)]))
    r = cem.optimize(graph, max_iterations=1, rng=1)
    assert r.fun > 0.9 * (n - 1)
    assert r.fun == graph.cut_value(r.x)


def test_a_prepared_problem_pickles():
    graph = MaxCut.torus(6, 6, rng=1)
    cem.optimize(graph, max_iterations=1, rng=1)
    again = pickle.loads(pickle.dumps(graph))
    x = np.ones(36, int)
    assert again.cut_value(x) == graph.cut_value(x)


BIQMAC = ["g05_60.0", "pm1s_80.0", "pw09_100.0", "w09_100.0", "t2g10_5555", "ising2.5-100_5555"]


@pytest.mark.parametrize(("file", "best"), public_instances("biqmac", *BIQMAC))
def test_biqmac_optima(file, best):
    graph = MaxCut.from_file(file)
    for seed in range(2):
        assert cem.optimize(graph, target=best, max_iterations=200, rng=seed).fun == best


@pytest.mark.parametrize(("file", "best"), public_instances("gset", "G1", "G11", "G48"))
def test_easy_gset_graphs_reach_the_best_known_value(file, best):
    r = cem.optimize(MaxCut.from_file(file), target=best, max_iterations=60, rng=1)
    assert r.status is cem.Status.TARGET_REACHED


@pytest.mark.parametrize("effort", [1, 2, 5])
def test_large_graphs_begin_with_anneals_of_the_same_work(engine, effort):
    """The arrays are all that is looked at: a stand-in of so many edges will do."""

    def sweeps(edges):
        none, many = np.empty(2 * edges, np.int8), np.empty(5001, np.int8)
        return improvement.anneal_sweeps(engine, CutGraph(many, none, none, 1.0, 0.1), effort)

    whole = improvement.SWEEPS * 2 ** (effort - 1) * (1.0 if engine.NAME == "numba" else 0.25)
    assert sweeps(0) == sweeps(improvement.LARGE) == whole
    assert sweeps(4 * improvement.LARGE) == whole / 4
