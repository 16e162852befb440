"""The bound: never below the optimum, near it on average, proved even where the guesses are wrong."""

import itertools
import math

import numpy as np
import pytest
from helpers import public_instances
from scipy import sparse

from problems.maxcut import MaxCut, bound
from problems.maxcut.bound import is_semidefinite, upper_bound

WHOLE = [(1,), (-1, 1), (-3, 2, 7), (-5, -2)]
WEIGHTS = [*WHOLE, (0.1, -0.3, 2.7), (1e-9, 1e6, -1e6), (3e300, -1e300), (1e-310,)]


def of(problem):
    return upper_bound(problem.n, problem.edges, problem.weights)


def optimum(problem):
    """The best of all cuts, each summed exactly."""
    best = 0.0
    for sides in itertools.product((0, 1), repeat=problem.n - 1):
        x = np.array((0, *sides))
        best = max(best, math.fsum(problem.weights[x[problem.edges[:, 0]] != x[problem.edges[:, 1]]]))
    return best


def cycle(n, weight=1):
    return MaxCut.from_edges(n, [(k, (k + 1) % n) for k in range(n)], [weight] * n)


# --- against brute force --------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
@pytest.mark.parametrize("density", [0.15, 0.4, 1.0])
def test_no_cut_is_above_the_bound(weights, density):
    rng = np.random.default_rng(1)
    gaps = []
    for _ in range(12):
        problem = MaxCut.random(int(rng.integers(2, 11)), edge_probability=density, weights=weights, rng=rng)
        best, above = optimum(problem), of(problem)
        assert above >= best
        positive = problem.weights[problem.weights > 0].sum()
        assert above <= positive + 1e-12 * np.abs(problem.weights).sum()
        if weights in WHOLE:
            assert above <= positive
        if best > 1e-9 * np.abs(problem.weights).sum():
            gaps.append(above / best - 1)
    assert np.mean(gaps or [0]) < 0.12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_real_weights_in_all_magnitudes(seed):
    rng = np.random.default_rng(seed)
    edges = np.array(list(itertools.combinations(range(9), 2)))
    for _ in range(10):
        weights = rng.standard_normal(36) * 10.0 ** rng.uniform(-8, 8, size=36)
        problem = MaxCut.from_edges(9, edges, weights)
        assert of(problem) >= optimum(problem)


@pytest.mark.parametrize("seed", range(5))
def test_cut_values_as_computed_stay_below_too(seed):
    """A bipartite graph's best cut is the sum of its weights: rounding alone could push it above."""
    rng = np.random.default_rng(seed)
    edges = [(i, j) for i in range(40) for j in range(40, 90)]
    problem = MaxCut.from_edges(90, edges, rng.random(2000))
    best = problem.cut_value(np.arange(90) < 40)
    assert best <= of(problem) <= best * (1 + 1e-11)


# --- graphs whose optimum is known ----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 50])
def test_without_edges_it_is_zero(n):
    assert upper_bound(n, [], []) == 0.0
    assert upper_bound(n, np.empty((0, 2), dtype=int), np.empty(0)) == 0.0


def test_negative_weights_only():
    assert upper_bound(3, [(0, 1), (1, 2), (0, 2)], [-1, -2.5, -1e9]) == 0.0
    assert upper_bound(4, [(0, 1), (0, 1)], [1, -1]) == 0.0


@pytest.mark.parametrize("n", [3, 5, 7, 9, 21, 101, 401])
def test_odd_cycles(n):
    assert of(cycle(n)) == n - 1
    assert of(cycle(n, 3)) == 3 * (n - 1)
    expected = n / 2 * (1 + math.cos(math.pi / n))  # the relaxation's value
    assert 0.999 * (n - 1) < 10 * of(cycle(n, 0.1)) <= expected * (1 + 1e-4)


@pytest.mark.parametrize("shape", [(2, 3), (30, 40), (1, 9)])
def test_bipartite_graphs(shape):
    a, b = shape
    rng = np.random.default_rng(2)
    edges = np.array([(i, a + j) for i in range(a) for j in range(b)])
    weights = rng.integers(1, 9, size=len(edges))
    assert upper_bound(a + b, edges, weights) == weights.sum()
    grid = MaxCut.torus(10, 12, weights=(1,))
    assert of(grid) == 240


def test_frustration_free_signs():
    """Weights s_i s_j: the cut along s takes all positive edges and no other."""
    rng = np.random.default_rng(3)
    sides = rng.integers(0, 2, size=300)
    problem = MaxCut.random(300, edge_probability=0.05, rng=4)
    i, j = problem.edges.T
    signed = MaxCut(300, problem.edges, np.where(sides[i] != sides[j], 1.0, -1.0))
    assert of(signed) == signed.cut_value(sides) == (signed.weights > 0).sum()


@pytest.mark.parametrize(("n", "block"), [(60, None), (200, None), (90, 30)])
def test_planted(n, block):
    problem = MaxCut.planted(n, block=block, rng=5)
    assert problem.optimum <= of(problem) <= 1.07 * problem.optimum
    if block is None:
        assert of(problem) <= 1.00001 * problem.optimum


def test_complete_graphs():
    """The relaxation gives n²/4, which is the optimum for even n."""
    for n in (4, 20, 61, 200):
        problem = MaxCut.random(n, edge_probability=1, rng=1)
        assert of(problem) == n * n // 4


# --- what is rounded, and what does not matter ----------------------------------------------------------


def test_whole_numbers_give_a_value_that_a_cut_can_have():
    torus = MaxCut.torus(10, 10, rng=6)  # degrees are even: so are all cuts
    assert of(torus) % 2 == 0
    tenfold = MaxCut(100, torus.edges, torus.weights * 10)
    assert of(tenfold) == 10 * of(torus)
    huge = MaxCut.from_edges(3, [(0, 1), (1, 2), (0, 2)], [2.0**60 + 2**8] * 3)
    assert 2 * (2**60 + 2**8) <= of(huge) < 2.2501 * 2**60


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 0.1, 1e7, 1e300])
def test_the_unit_of_weights_does_not_matter(scale):
    problem = MaxCut.random(60, edge_probability=0.2, weights=(-1 / 3, 1, 2**0.5), rng=7)
    scaled = upper_bound(60, problem.edges, problem.weights * scale)
    assert scaled == pytest.approx(scale * of(problem), rel=1e-5)


def test_isolated_vertices_order_and_repetition_do_not_matter():
    problem = MaxCut.random(40, edge_probability=0.3, weights=(-1 / 3, 1), rng=8)
    above = of(problem)
    assert of(problem) == above
    shift = upper_bound(5000, problem.edges[::-1] * 100 + 7, problem.weights[::-1])
    assert shift == pytest.approx(above, rel=1e-5)
    doubled = upper_bound(40, np.repeat(problem.edges, 2, axis=0), np.repeat(problem.weights, 2))
    assert doubled == pytest.approx(2 * above, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, [], []), ValueError, "from 1 to"),
        ((3, [(0, 3)], [1]), ValueError, "out of range"),
        ((3, [(0, 1)], [1, 2]), ValueError, r"shape \(1,\)"),
        ((3, [(0, 1)], [math.nan]), ValueError, "not finite"),
    ],
)
def test_what_is_no_graph_is_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        upper_bound(*arguments)


# --- larger graphs, and guesses that are wrong ----------------------------------------------------------


@pytest.mark.parametrize(
    "problem",
    [
        MaxCut.random(500, edge_probability=0.01, rng=9),
        MaxCut.torus(20, 25, rng=10),
        MaxCut.random(200, weights=(-1, 1), rng=11),
    ],
    ids=repr,
)
def test_larger_graphs(problem):
    """Sparse ones are eliminated in part: the bound is near the dense eigenvalue's, and above good cuts."""
    above = of(problem)
    W = np.zeros((problem.n, problem.n))
    W[tuple(problem.edges.T)] = problem.weights
    W += W.T
    spectral = problem.weights.sum() / 2 - problem.n * np.linalg.eigvalsh(W)[0] / 4
    assert above <= spectral
    sides = np.random.default_rng(12).integers(0, 2, size=problem.n)
    for _ in range(20):
        spins = 2 * sides - 1
        for v in range(problem.n):
            spins[v] = -1 if W[v] @ spins > 0 else 1
        sides = (spins + 1) // 2
    assert problem.cut_value(sides) <= above <= 1.5 * problem.cut_value(sides)


def test_a_wrong_estimate_does_not_make_it_invalid(monkeypatch):
    graphs = [MaxCut.random(9, edge_probability=0.6, weights=(-1.5, 1), rng=k) for k in range(10)]
    monkeypatch.setattr(bound, "least_eigenvalue", lambda *_: 1.0)
    monkeypatch.setattr(bound, "PASSES", (1, 1))
    for problem in graphs:
        assert of(problem) >= optimum(problem)


def test_where_nothing_can_be_certified_the_weights_are_added_up(monkeypatch):
    monkeypatch.setattr(bound, "MOST_CORE", 20)
    assert of(cycle(401)) == 400  # all its cuts are even
    assert of(cycle(401, 0.1)) == pytest.approx(40.1, rel=1e-12)
    path = MaxCut.from_edges(500, [(k, k + 1) for k in range(499)], [(-1) ** k for k in range(499)])
    assert of(path) == 250


@pytest.mark.parametrize("n", [5, 320, 900])
def test_semidefinite_is_told_from_indefinite(n):
    """Laplacians have the eigenvalue 0: a little more is proved, a little less is not, nor is 0 itself."""
    problem = MaxCut.random(n, edge_probability=min(1.0, 5 / n), weights=(1, 2.5), rng=13)
    i, j = problem.edges.T
    W = sparse.coo_array((problem.weights, (i, j)), shape=(n, n))
    laplacian = sparse.diags_array(np.asarray((W + W.T).sum(axis=1)).ravel()) - (W + W.T)
    for shift, proved in ((1e-8, True), (-1e-8, False), (1e-15, False)):
        assert is_semidefinite((laplacian + shift * sparse.eye_array(n)).tocsr()) is proved
    assert not is_semidefinite(sparse.csr_array((n, n)))


@pytest.mark.parametrize(("file", "best"), public_instances("gset", "G1", "G11", "G14", "G48", "G51"))
def test_gset(file, best):
    known = {"G1": 12083, "G11": 628, "G14": 3191, "G48": 6000, "G51": 4006}[file.stem]
    assert best <= of(MaxCut.from_file(file)) <= known + 1
