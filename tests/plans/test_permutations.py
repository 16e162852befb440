"""The plan for orders: optima of small known problems, claims, workers and resuming."""

import itertools

import numpy as np
import pytest

import cem
from cem.local_search.order_moves import MOVES, OrderMoves


def assignment(n, seed):
    """A quadratic assignment problem with random symmetric tables."""
    rng = np.random.default_rng(seed)
    flow, distance = (a + a.T for a in rng.integers(0, 10, (2, n, n)))
    return lambda x: (flow * distance[x[:, :, None], x[:, None, :]]).sum(axis=(1, 2))


def circle(n, seed):
    """Cities on a circle in random order: the best tour goes round, of length 2 n sin(π/n)."""
    angle = 2 * np.pi * np.random.default_rng(seed).permutation(n) / n
    z = np.exp(1j * angle)
    return lambda x: np.abs(z[x] - z[np.roll(x, -1, axis=1)]).sum(axis=1)


@pytest.mark.parametrize("kind", ["transition", "position"])
def test_a_tour_is_found_and_claimed(kind):
    r = cem.optimize(circle(11, 3), cem.Permutation(11, kind), vectorized=True, rng=1)
    assert r.fun == pytest.approx(22 * np.sin(np.pi / 11))
    assert r.status is cem.Status.CONVERGED
    assert "runs from scratch" in r.message
    assert sorted(r.x.tolist()) == list(range(11))
    assert r.x.dtype == np.int64


@pytest.mark.slow
def test_a_quadratic_assignment_is_solved():
    f = assignment(8, 5)
    best = f(np.array(list(itertools.permutations(range(8))))).min()
    r = cem.optimize(f, cem.Permutation(8, "position"), vectorized=True, max_evaluations=8000, rng=2)
    assert r.fun == best


def test_a_small_space_is_seen_whole():
    r = cem.optimize(lambda x: abs(x - [2, 0, 1, 3]).sum(), cem.Permutation(4), rng=1)
    assert (r.fun, r.nfev, r.message) == (0, 24, "all 24 candidates were evaluated")
    assert r.success


def test_every_row_is_an_order_and_population_is_what_may_be_evaluated_at_once():
    sizes = []

    def f(x):
        assert (np.sort(x, axis=1) == np.arange(9)).all()
        sizes.append(len(x))
        return x @ np.arange(9)

    cem.optimize(f, cem.Permutation(9), population=6, vectorized=True, max_evaluations=900, rng=1)
    assert max(sizes) == 6
    assert np.mean(sizes) > 5.5


@pytest.mark.slow
def test_workers_and_resuming_change_nothing(tmp_path):
    many = assignment(9, 1)

    def one(x):
        return float(many(x[None])[0])

    ask = {"start": cem.Permutation(9), "rng": 4}
    whole = cem.optimize(one, **ask, max_evaluations=500)
    spread = cem.optimize(one, **ask, max_evaluations=500, n_jobs=2)
    cem.optimize(one, **ask, max_evaluations=200, checkpoint=tmp_path / "run")
    resumed = cem.optimize(one, **ask, max_evaluations=500, checkpoint=tmp_path / "run", resume=True)
    for other in (spread, resumed):
        np.testing.assert_array_equal(whole.x, other.x)
        np.testing.assert_array_equal(whole.history.best, other.history.best)


def test_a_target_that_is_missed_is_no_success():
    r = cem.optimize(
        circle(9, 0), cem.Permutation(9), vectorized=True, target=0.1, max_evaluations=3000, rng=1
    )
    assert (r.success, r.nfev) == (False, 3000)


@pytest.mark.parametrize("move", MOVES)
def test_moves_keep_orders(move):
    x = np.random.default_rng(0).permutation(8)
    moves = OrderMoves(8, np.random.default_rng(1))
    for i, j in moves.places[MOVES.index(move)].tolist():
        y = move(x, i, j)
        assert sorted(y.tolist()) == list(range(8))
        assert (y != x).any()


def test_every_order_in_reach_of_one_move_is_reached_once():
    moves = OrderMoves(6, np.random.default_rng(1))
    for move, places in zip(MOVES, moves.places, strict=True):
        reached = {move(np.arange(6), i, j).tobytes() for i, j in places.tolist()}
        assert len(reached) == len(places)
