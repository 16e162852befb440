"""Ask and tell: the loop by hand, and its files."""

import numpy as np
import pytest
from helpers import ASK_TELL_RUNS, CUBE, bowl_rows, steps
from scipy.optimize import Bounds

import cem
from cem import CrossEntropyMethod


@pytest.mark.parametrize("run", ASK_TELL_RUNS)
def test_it_takes_the_path_of_optimize(run):
    score, options = ASK_TELL_RUNS[run]
    r = cem.optimize(score, vectorized=True, rng=11, max_iterations=8, method="textbook", **options)
    m = steps(CrossEntropyMethod(rng=11, **options), 8, score)
    discrete = r.x.dtype.kind == "i"  # there, optimize asks about no candidate twice
    for column in set(r.history.columns) - ({"seconds", "nfev"} if discrete else {"seconds"}):
        np.testing.assert_array_equal(getattr(m.history, column), getattr(r.history, column))
    assert m.history.nfev[-1] > r.nfev if discrete else m.history.nfev[-1] == r.nfev
    for key, value in r.family.to_arrays().items():
        np.testing.assert_array_equal(m.family.to_arrays()[key], value)
    np.testing.assert_array_equal(m.best_x, r.x)
    assert m.best_fun == r.fun


def test_it_stops_where_optimize_does():
    r = cem.optimize(bowl_rows, bounds=CUBE, vectorized=True, method="textbook", rng=1)
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    while m.stop_reason() is None:
        steps(m, 1)
    assert len(m.history) == r.nit
    assert r.message.startswith(m.stop_reason())
    np.testing.assert_array_equal(m.family.mean, r.family.mean)


def test_each_ask_is_a_new_batch():
    m = CrossEntropyMethod(bounds=CUBE, population=20, rng=1)
    batches = [m.ask() for _ in range(5)]
    assert len(np.unique(np.concatenate(batches), axis=0)) == 100


def test_a_batch_is_read_only():
    for start in (None, cem.Bernoulli([0.5] * 3)):
        X = CrossEntropyMethod(start, bounds=None if start else CUBE, rng=1).ask()
        with pytest.raises(ValueError, match="read-only"):
            X[0, 0] = 0


def test_discrete_batches_are_int64():
    assert CrossEntropyMethod(cem.Bernoulli([0.5] * 3), rng=1).ask().dtype == np.int64


@pytest.mark.parametrize("bounds", [CUBE, Bounds([-2.0] * 3, [3.0] * 3)], ids=["pairs", "scipy"])
def test_a_batch_lies_within_the_bounds(bounds):
    m = CrossEntropyMethod(cem.Gaussian([3.0, 0.0, -2.0], std=10.0), bounds=bounds, population=500, rng=1)
    for _ in range(3):
        X = m.ask()
        assert X.min() >= -2
        assert X.max() <= 3
        m.tell(X, X[:, 0])


def test_the_size_of_a_batch():
    assert CrossEntropyMethod(bounds=CUBE, population=33).ask().shape == (33, 3)


def test_asking_changes_nothing_but_the_next_batch():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    before = m.family
    m.ask()
    assert m.family is before
    assert len(m.history) == 0


def test_rows_may_come_in_any_order():
    m, shuffled = (CrossEntropyMethod(bounds=CUBE, rng=1) for _ in range(2))
    X = m.ask()
    m.tell(X, bowl_rows(X))
    order = np.random.default_rng(0).permutation(len(X))
    shuffled.tell(X[order], bowl_rows(X[order]))
    np.testing.assert_allclose(shuffled.family.mean, m.family.mean, rtol=1e-12)
    np.testing.assert_allclose(shuffled.family.std, m.family.std, rtol=1e-12)
    np.testing.assert_array_equal(shuffled.best_x, m.best_x)


def test_batches_may_come_in_any_order():
    """Asynchronous evaluation: three batches are out, and come back last first."""
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    batches = [m.ask() for _ in range(3)]
    for X in reversed(batches):
        m.tell(X, bowl_rows(X))
    assert len(m.history) == 3
    assert m.best_fun == min(bowl_rows(X).min() for X in batches)


def test_a_part_of_a_batch_teaches_what_it_can():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    X = m.ask()[:40]
    start = m.family
    m.tell(X, bowl_rows(X))
    elites = X[np.argsort(bowl_rows(X))[:4]]
    np.testing.assert_allclose(m.family.mean, start.blend(start.fit(elites), 0.7).mean, rtol=1e-12)
    assert m.history.elites.tolist() == [4]
    assert m.history.nfev.tolist() == [40]


def test_own_rows_teach_as_asked_ones_do():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    rows = [[0.5, 0.5, 0.5], [0.6, 0.5, 0.4], [2.0, 2.0, 2.0], [0.0, 0.0, 1.0]]
    m.tell(rows, [0.0, 0.1, 9.0, 2.0])
    np.testing.assert_array_equal(m.best_x, rows[0])
    assert m.best_fun == 0
    np.testing.assert_allclose(m.family.mean, 0.5)


def test_the_best_so_far_is_kept():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    m.tell([[1.0, 0, 0], [2.0, 0, 0]], [3.0, 2.0])
    m.tell([[0.5, 0, 0], [0.1, 0, 0]], [7.0, 8.0])
    np.testing.assert_array_equal(m.best_x, [2.0, 0, 0])
    assert m.best_fun == 2.0
    m.tell([[0.7, 0, 0], [0.8, 0, 0]], [np.nan, -1.0])
    np.testing.assert_array_equal(m.best_x, [0.8, 0, 0])
    assert m.history.best.tolist() == [2.0, 2.0, -1.0]


def test_the_best_does_not_follow_the_users_rows():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    rows = np.ones((5, 3))
    m.tell(rows, np.arange(5.0))
    rows[:] = 7
    np.testing.assert_array_equal(m.best_x, [1, 1, 1])


def test_maximising_is_minimising_the_negative():
    down = steps(CrossEntropyMethod(bounds=CUBE, rng=1), 5)
    up = steps(CrossEntropyMethod(bounds=CUBE, rng=1, maximize=True), 5, lambda X: -bowl_rows(X))
    np.testing.assert_array_equal(up.family.mean, down.family.mean)
    np.testing.assert_array_equal(up.history.level, -down.history.level)
    np.testing.assert_array_equal(up.history.best, -down.history.best)
    assert up.best_fun == -down.best_fun


def test_nan_ranks_last_and_is_counted():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    X = m.ask()
    scores = np.where(np.arange(100) % 2, np.nan, bowl_rows(X))
    m.tell(X, scores)
    assert m.history.nan_count.tolist() == [50]
    assert m.best_fun == np.nanmin(scores)
    assert m.history.elites.tolist() == [10]


def test_scores_that_are_all_nan_teach_nothing():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    before = m.family
    m.tell(m.ask(), np.full(100, np.nan))
    assert m.family is before
    assert m.best_x is None
    assert np.isnan(m.best_fun)
    assert m.stop_reason() is None
    assert len(m.history) == 1


def test_before_anything_is_told():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    assert m.best_x is None
    assert np.isnan(m.best_fun)
    assert m.stop_reason() is None
    assert len(m.history) == 0
    assert "0 iterations" in repr(m)


def test_telling_does_not_change_what_was_told():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    rows, scores = np.random.default_rng(0).random((50, 3)), np.arange(50.0)
    before = rows.copy(), scores.copy()
    m.tell(rows, scores)
    np.testing.assert_array_equal(rows, before[0])
    np.testing.assert_array_equal(scores, before[1])
    assert rows.flags.writeable


@pytest.mark.parametrize(
    ("rows", "scores", "error", "message"),
    [
        (np.zeros((4, 2)), np.zeros(4), ValueError, r"shape \(n, 3\), one candidate a row; got \(4, 2\)"),
        (np.zeros(3), np.zeros(1), ValueError, r"shape \(n, 3\)"),
        (np.zeros((4, 3)), np.zeros(3), ValueError, r"scores must have shape \(4,\).*got \(3,\)"),
        (np.zeros((4, 3)), np.zeros((4, 1)), ValueError, r"scores must have shape \(4,\)"),
        (np.zeros((4, 3)), 1.0, ValueError, r"scores must have shape \(4,\)"),
        (np.zeros((4, 3)), np.zeros(4) + 0j, TypeError, "real numbers"),
        (np.zeros((4, 3)), ["a"] * 4, TypeError, "real numbers"),
        (np.zeros((4, 3)), [None] * 4, TypeError, "real numbers"),
        (np.zeros((1, 3)), np.zeros(1), ValueError, "Gaussian takes at least 2 rows, got 1"),
        (np.zeros((0, 3)), np.zeros(0), ValueError, "at least 2 rows, got 0"),
    ],
)
def test_what_cannot_be_learned_from_is_told(rows, scores, error, message):
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    before = m.family
    with pytest.raises(error, match=message):
        m.tell(rows, scores)
    assert m.family is before
    assert len(m.history) == 0


def test_stop_reason_says_why():
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    for t in range(5):
        assert m.stop_reason() is None, t
        m.tell(m.ask(), np.zeros(100))
    assert "agree" in m.stop_reason()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "bounds="),
        ({"start": [(-1, 1)] * 3}, ValueError, "looks like bounds"),
        ({"bounds": [(1, -1)]}, ValueError, "inverted"),
        ({"bounds": CUBE, "elite_fraction": 1.0}, ValueError, "elite_fraction"),
        ({"bounds": CUBE, "population": 0}, ValueError, "population"),
        ({"bounds": CUBE, "population": 5}, ValueError, "population of 5 has 1 elites"),
        ({"bounds": CUBE, "rng": "1"}, TypeError, "rng must be"),
        ({"bounds": CUBE, "update": "fast"}, TypeError, "update must have"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        CrossEntropyMethod(**options)
