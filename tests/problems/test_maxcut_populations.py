"""Populations of cuts that are resampled as they cool."""

from dataclasses import replace

import numpy as np
import pytest

from problems.maxcut import MaxCut
from problems.maxcut.search import improvement, numpy_engine
from problems.maxcut.search.graph import CutGraph

numba_engine = pytest.importorskip("problems.maxcut.search.numba_engine")

ROWS = 4000


def layout_of(graph, **changes):
    u, v = graph.edges.T
    kernel = CutGraph.from_edges(graph.n, u, v, graph.weights.astype(np.int64))
    return numba_engine.prepare(replace(kernel, **changes))


def cooled(layout, rows, sweeps, seed):
    rng = np.random.default_rng(seed)
    state = numba_engine.load(layout, rng.choice(np.array([-1, 1], np.int8), (rows, layout.graph.n)))
    cuts, _, _ = numba_engine.cool_population(
        layout.indptr, layout.indices, layout.weights, layout.mixed, state.up, state.fields,
        numba_engine._POOL, layout.limit, layout.graph.hot, layout.graph.cold, sweeps, sweeps,
        layout.graph.n, np.uint64(seed),
    )  # fmt: skip
    return state, cuts


def test_a_population_follows_the_boltzmann_distribution():
    graph = MaxCut.random(12, edge_probability=0.5, weights=(-1, 1, 2), rng=3)
    x = (np.arange(2**12)[:, None] >> np.arange(12)) & 1
    values = graph.cut_value(x)
    cold = 0.5
    weights = np.exp((values - values.max()) / cold)
    mean = np.average(values, weights=weights)
    sd = np.sqrt(np.average((values - mean) ** 2, weights=weights))
    half = graph.weights.sum() / 2
    layout = layout_of(graph, hot=20.0, cold=cold)
    found = np.array([cooled(layout, ROWS, 20, seed)[1].mean() + half for seed in (1, 2)])
    # some rows share a forefather: twice three standard errors of independent ones; without resampling, -0.81
    assert np.abs(found - mean).max() < 6 * sd / np.sqrt(ROWS)


def test_cuts_and_fields_are_those_of_the_rows():
    graph = MaxCut.random(130, edge_probability=0.1, weights=(-1, 1, 3), rng=1)
    layout = layout_of(graph)
    state, cuts = cooled(layout, 10, 30, 5)
    rows = numba_engine.unload(layout, state)
    np.testing.assert_array_equal(graph.cut_value((rows > 0).astype(int)), cuts + graph.weights.sum() / 2)
    np.testing.assert_array_equal(numba_engine.load(layout, rows).fields, state.fields)


def test_the_best_row_of_each_population_is_kept():
    graph = MaxCut.random(100, edge_probability=0.2, rng=2)
    layout = layout_of(graph)
    rng = np.random.default_rng(4)
    spins = rng.choice(np.array([-1, 1], np.int8), (12, 100))
    seeds = improvement.seeds(rng, 3)
    state = numba_engine.load(layout, spins)
    best, work = numba_engine.anneal_population(layout, state, 4, 50, seeds)
    again, _ = numba_engine.anneal_population(layout, numba_engine.load(layout, spins), 4, 50, seeds)
    kept = graph.cut_value((numba_engine.unload(layout, best) > 0).astype(int))
    rows = graph.cut_value((numba_engine.unload(layout, state) > 0).astype(int)).reshape(3, 4)
    assert work > 0
    assert np.all(kept >= rows.max(axis=1))
    np.testing.assert_array_equal(best.up, again.up)


@pytest.mark.parametrize(
    ("edges", "effort", "rows"),
    [(10_000, 1, 24), (50_000, 1, 24), (100_000, 1, 12), (100_000, 2, 24), (10_000_000, 1, 1)],
)
def test_populations_are_smaller_on_large_graphs(edges, effort, rows):
    graph = CutGraph(np.zeros(1, np.int64), np.zeros(2 * edges, np.int32), np.ones(2 * edges), 1.0, 0.1)
    assert improvement.population_rows(numba_engine, graph, 24, effort) == rows
    assert improvement.population_rows(numpy_engine, graph, 24, effort) == 1


def test_a_row_by_itself_is_annealed_and_many_are_one_population(monkeypatch):
    graph = MaxCut.random(200, edge_probability=0.05, rng=1)
    layout, sizes = layout_of(graph), []
    real = numba_engine.anneal_population

    def watched(layout, state, rows, sweeps, seeds):
        sizes.append((rows, len(seeds)))
        return real(layout, state, rows, sweeps, seeds)

    monkeypatch.setattr(numba_engine, "anneal_population", watched)
    monkeypatch.setattr(improvement, "SWEEPS", 100)
    for rows in (1, 24, 48):
        rng = np.random.default_rng(rows)
        spins = rng.choice(np.array([-1, 1], np.int8), (rows, 200))
        better, _ = improvement.improve(numba_engine, layout, spins, rng, 1)
        assert better.shape == (max(1, rows // 24), 200)
    assert sizes == [(24, 1), (24, 2)]
