"""Sweeps without a compiler: colourings, dense blocks, components, and which sweep which graph takes."""

import itertools

import numpy as np
import pytest

from problems.maxcut import MaxCut
from problems.maxcut.search import colouring, components, dense_sweeps, numpy_engine, sparse_sweeps
from problems.maxcut.search.graph import CutGraph


def kernel_graph(graph):
    whole = np.all(graph.weights == np.floor(graph.weights))
    weights = graph.weights.astype(np.int64) if whole else graph.weights
    return CutGraph.from_edges(graph.n, *graph.edges.T, weights)


def random_graph(n, probability, weights=(1,), seed=1):
    return kernel_graph(MaxCut.random(n, edge_probability=probability, weights=weights, rng=seed))


def coloured(graph):
    return colouring.greedy_colouring(graph.indptr, graph.indices)


def dense(graph):
    return dense_sweeps.prepare(graph, coloured(graph))


def spins_of(rng, rows, n):
    return (2 * rng.integers(2, size=(rows, n)) - 1).astype(np.int8)


def seeds(count, seed=0):
    return np.random.default_rng(seed).integers(2**64, size=count, dtype=np.uint64)


GRAPHS = {
    "complete": random_graph(70, 1.0),
    "signs": random_graph(90, 0.3, (-1, 1)),
    "sparse": random_graph(100, 0.03),
    "floats": random_graph(60, 0.7, (0.1, -0.7, 2.5)),
    "beyond single precision": random_graph(50, 0.8, (-(2**40), 2**40, 12345)),
    "isolated vertices": CutGraph.from_edges(80, [0, 1], [70, 3], [1, 2]),
    "no edges": CutGraph.from_edges(40, [], [], np.empty(0, np.int64)),
}


# --- colourings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_both_ways_to_colour_give_the_same_proper_colouring(graph):
    order = np.argsort(-np.diff(graph.indptr), kind="stable").tolist()
    starts = graph.indptr.tolist()
    by_sets = colouring.by_sets(starts, graph.indices, order)
    np.testing.assert_array_equal(by_sets, colouring.by_arrays(starts, graph.indices, order))
    tails = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    assert np.all(by_sets[tails] != by_sets[graph.indices])
    assert set(by_sets) == set(range(by_sets.max() + 1))


# --- dense blocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_place_is_drawn_once_a_sweep(graph):
    places = []
    for block in dense(graph).blocks:
        inner = block.colours or [dense_sweeps.Colour(None, 0, block.stop - block.start)]
        assert len(block.colours) != 1
        for colour in inner:
            places += range(block.start + colour.start, block.start + colour.stop)
    assert places == list(range(graph.n))


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_a_sweep_without_noise_is_sequential_descent(graph):
    """At temperature 0 every vertex, one after another, goes where its neighbours pull it the least."""
    layout = dense(graph)
    spins = np.ascontiguousarray(spins_of(np.random.default_rng(0), 5, graph.n).T, dtype=np.float32)
    swept, matrix = spins.copy(), graph.matrix().toarray()[np.ix_(layout.order, layout.order)]
    for block in layout.blocks:
        dense_sweeps.block_update(block, swept, dense_sweeps.POOL)(np.float32(0), 0)
    for column, result in zip(spins.T.astype(matrix.dtype), swept.T, strict=True):
        for v in range(graph.n):
            field = matrix[v] @ column
            if abs(field) * layout.per_unit > graph.n:  # beyond what rounding to units decides
                assert result[v] == -np.sign(field)
            column[v] = result[v]


def test_sweeps_sample_the_boltzmann_distribution():
    """Twelve vertices in many candidates; mean energy against the sum over all 4096 states."""
    graph = random_graph(12, 0.8, (-2, 1, 3), seed=3)
    layout = dense(graph)
    matrix = graph.matrix().toarray()[np.ix_(layout.order, layout.order)]
    temperature = 0.5 * graph.rms
    states = np.array(list(itertools.product([-1, 1], repeat=12)))
    energies = 0.5 * np.einsum("ki,ij,kj->k", states, matrix, states)
    weights = np.exp(-(energies - energies.min()) / (2 * temperature))  # a flip gains half of what it lowers
    weights /= weights.sum()
    mean = weights @ energies
    spread = np.sqrt(weights @ (energies - mean) ** 2)

    candidates = 4000
    rng = np.random.default_rng(0)
    spins = np.ascontiguousarray(spins_of(rng, candidates, 12).T, dtype=np.float32)
    updates = [dense_sweeps.block_update(block, spins, dense_sweeps.POOL) for block in layout.blocks]
    heat = np.float32(temperature * layout.per_unit)
    for _ in range(60):
        for update in updates:
            update(heat, int(rng.integers(len(dense_sweeps.POOL) - 12 * candidates)))
    found = 0.5 * np.einsum("ik,ij,jk->k", spins, matrix, spins)
    assert abs(found.mean() - mean) < 4 * spread / np.sqrt(candidates)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_fields_stay_those_of_the_spins_and_no_flip_gains(graph):
    layout = dense(graph)
    rng = np.random.default_rng(0)
    state = dense_sweeps.load(layout, spins_of(rng, 6, graph.n))
    scale = max(float(abs(layout.weights).sum(axis=1).max()), 1.0)
    dense_sweeps.anneal(layout, state, 10, seeds(6))
    for seed in range(3):
        np.testing.assert_allclose(state.fields, state.spins @ layout.weights, atol=1e-12 * scale)
        assert (state.spins * state.fields).max() <= 1e-12 * scale
        dense_sweeps.reheat(layout, state, 0.3 * graph.rms, 12, seeds(6, seed))


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_an_accepted_difference_gains_exactly_what_it_says(graph):
    layout = dense(graph)
    rng = np.random.default_rng(5)
    first, second = (dense_sweeps.load(layout, spins_of(rng, 8, graph.n)) for _ in range(2))
    weights = layout.weights.astype(np.float64)

    def cuts():
        return -np.einsum("ki,ij,kj->k", first.spins, weights, first.spins) / 4

    before = cuts()
    gains = dense_sweeps.accept_components(layout, first, second, rng)
    np.testing.assert_allclose(cuts() - before, gains, atol=1e-10 * max(abs(weights).sum(), 1))
    assert np.all(gains >= -1e-10 * max(abs(weights).sum(), 1))


def test_the_products_of_the_linear_algebra_are_exact():
    """Whatever the weights, sums of whole units stay where single precision adds without rounding."""
    for graph in GRAPHS.values():
        layout = dense(graph)
        noise = float(abs(dense_sweeps.POOL).max()) * graph.hot * layout.per_unit
        for block in layout.blocks:
            assert np.array_equal(block.rows, np.rint(block.rows))
            fields = abs(block.rows).sum(axis=1, dtype=np.float64)
            for colour in block.colours:
                inner = abs(colour.rows[:, block.stop - block.start :]).sum(axis=1, dtype=np.float64)
                assert np.array_equal(colour.rows, np.rint(colour.rows))
                fields[colour.start : colour.stop] += inner
            assert fields.max(initial=0) + noise < 2**24


# --- components -------------------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [0.005, 0.02, 0.1, 1.0])
def test_both_ways_to_find_components_agree(probability):
    rng = np.random.default_rng(1)
    upper = np.triu(rng.random((60, 60)) < probability, 1)
    weights = (upper + upper.T) * rng.choice([-1.5, 2.0])
    different = rng.random((60, 7)) < rng.random(7)
    different[:, 0], different[:, 1] = False, True
    by_edges = components.by_edges(different, *np.nonzero(upper))
    by_rows = components.by_rows(different, weights)
    assert by_edges[0] == by_rows[0]
    pairs = set(zip(by_edges[1].tolist(), by_rows[1].tolist(), strict=True))
    assert len(pairs) == by_edges[0]


# --- which sweeps -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "edges", "sweeps"),
    [
        (50, 150, dense_sweeps),
        (200, 19_900, dense_sweeps),
        (1000, 3000, sparse_sweeps),
        (1000, 499_500, dense_sweeps),
        (3000, 9000, sparse_sweeps),
    ],
)
def test_small_and_dense_graphs_take_dense_sweeps(n, edges, sweeps):
    layout = numpy_engine.prepare(random_graph(n, min(1.0, edges / (n * (n - 1) / 2))))
    assert isinstance(layout, sweeps.Layout)


def test_small_graphs_take_fewer_sweeps():
    shares = [numpy_engine.share(random_graph(n, 2 / n)) for n in (10, 100, 800, 2000)]
    assert shares[0] < shares[1] < shares[2] == shares[3]
