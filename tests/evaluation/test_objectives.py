"""Evaluation: how objectives are called, what they return, and when they raise."""

import contextlib
import gc
import os
import signal
import time
import warnings

import joblib
import numpy as np
import pytest
from helpers import BACKENDS, assert_same_run, few_iterations, rosenbrock, scaled

import cem
from cem.core.streams import Streams
from cem.evaluation import VECTORISED_NUMBERS, Evaluator, Objective
from cem.evaluation.chunks import LEAST, SLICE, Chunks, Pace, unknown_runs


def scaled_with_stream(x, rng, factor):
    return factor * float(x @ x) + rng.random()


def divides_by_zero(x):
    return 1 / 0 if x[0] > 2.5 else float(x[0])


# --- what an objective returns ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [3, 3.0, np.float32(3), np.int8(3), np.array(3.0), np.array([3.0]), np.array([[3]]), [3.0]],
    ids=lambda value: f"{type(value).__name__} {np.shape(value)}",
)
def test_one_real_number_in_any_clothes(value):
    assert few_iterations(lambda x: value, max_iterations=1).fun == 3


def test_a_bool_is_a_number():
    assert few_iterations(lambda x: bool(x[0] > 0), max_iterations=1).fun == 0


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros(4), ValueError, r"one number for one candidate.*shape \(4,\).*vectorized=True"),
        ([1.0, 2.0], ValueError, r"shape \(2,\)"),
        (np.zeros((2, 2)), ValueError, r"shape \(2, 2\)"),
        ([], ValueError, r"shape \(0,\)"),
        ("3", TypeError, "real number, got '3'"),
        (b"3", TypeError, "real number"),
        (1j, TypeError, "real number, got 1j"),
        (np.complex128(1), TypeError, "real number"),
        (None, TypeError, "got None.*return missing"),
        ({}, TypeError, "real number"),
        (np.datetime64("2020-01-01"), TypeError, "real number"),
    ],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize("n_jobs", [1, 2], ids=["serial", "threads"])
def test_what_is_not_one_real_number_is_told(value, error, message, n_jobs):
    with joblib.parallel_config("threading"), pytest.raises(error, match=message):
        few_iterations(lambda x: value, n_jobs=n_jobs)


@pytest.mark.parametrize(
    ("fun", "error", "message"),
    [
        (lambda X: 3.0, ValueError, r"\(n, d\) = \(100, 4\).*row.*transpose.*\(100,\).*got shape \(\)"),
        (lambda X: None, ValueError, r"\(n, d\) = \(100, 4\)"),
        (lambda X: X.sum(axis=0), ValueError, r"transpose.*got shape \(4,\)"),
        (lambda X: X.sum(axis=1)[:, None], ValueError, r"got shape \(100, 1\)"),
        (lambda X: X.sum(axis=1)[:-1], ValueError, r"got shape \(99,\)"),
        (lambda X: X.sum(axis=1) + 0j, TypeError, "real numbers, got dtype complex"),
        (lambda X: ["3"] * len(X), TypeError, "real numbers"),
        (lambda X: [None] * len(X), TypeError, "real numbers"),
    ],
    ids=["scalar", "None", "wrong axis", "column", "one short", "complex", "strings", "Nones"],
)
def test_what_is_not_one_real_number_a_row_is_told(fun, error, message):
    with pytest.raises(error, match=message):
        few_iterations(fun, vectorized=True, method="textbook")


def test_vectorised_scores_may_be_a_list_or_whole_numbers():
    assert few_iterations(lambda X: [3] * len(X), vectorized=True, max_iterations=1).fun == 3


def test_a_wrong_value_is_told_at_the_first_call():
    calls = []
    with pytest.raises(TypeError):
        few_iterations(lambda x: calls.append(x))
    assert len(calls) == 1


# --- how an objective is called ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_further_arguments_come_after_the_candidate(n_jobs):
    doubled = few_iterations(scaled, args=(2.0, 1.0), n_jobs=n_jobs)
    assert doubled.fun == pytest.approx(2 * float(doubled.x @ doubled.x) + 1.0)


def test_further_arguments_come_after_the_stream():
    r = few_iterations(scaled_with_stream, args=(0.0,), pass_rng=True)
    assert 0 < r.fun < 0.05


def test_vectorised_calls_have_rows_of_candidates():
    shapes = set()

    def rows(X):
        shapes.add(X.shape)
        return X[:, 0]

    few_iterations(rows, vectorized=True, population=120, method="textbook")
    assert shapes == {(120, 4)}


# --- an objective that raises -----------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "n_jobs"), [("loky", 2), ("threading", 2), ("threading", 3)])
def test_an_exception_is_the_same_for_any_number_of_workers(backend, n_jobs):
    with pytest.raises(cem.ObjectiveError) as serial:
        few_iterations(divides_by_zero)
    with joblib.parallel_config(backend), pytest.raises(cem.ObjectiveError) as caught:
        few_iterations(divides_by_zero, n_jobs=n_jobs)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    np.testing.assert_array_equal(caught.value.candidate, serial.value.candidate)
    assert caught.value.candidate[0] > 2.5
    assert caught.value.partial.nfev == serial.value.partial.nfev
    np.testing.assert_array_equal(caught.value.partial.x, serial.value.partial.x)
    notes = getattr(caught.value.__cause__, "__notes__", [])
    assert any("divides_by_zero" in note for note in notes), "the worker's traceback is lost"
    with joblib.parallel_config(backend):
        assert_same_run(few_iterations(rosenbrock, n_jobs=n_jobs), few_iterations(rosenbrock))


class TwoArguments(Exception):  # noqa: N818
    """An exception that cannot be unpickled."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


def raises_two_arguments(x):
    raise TwoArguments("trouble", "the mill")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_exception_that_cannot_be_pickled_still_says_what_was_wrong(n_jobs):
    with pytest.raises(cem.ObjectiveError, match="trouble at the mill"):
        few_iterations(raises_two_arguments, n_jobs=n_jobs)


def interrupts(x):
    if x[0] > 2.5:
        raise KeyboardInterrupt
    return float(x[0])


def exits(x):
    if x[0] > 2.5:
        raise SystemExit(3)
    return float(x[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_interrupt_in_a_worker_gives_the_best_so_far(backend, forget_interrupt):
    serial = few_iterations(interrupts)
    forget_interrupt()
    with joblib.parallel_config(backend):
        r = few_iterations(interrupts, n_jobs=2)
    assert r.status is cem.Status.INTERRUPTED
    assert_same_run(r, serial)


def sends_ctrl_c(x, path, limit, pid):
    """Leaves a mark at each call; the call that finds `limit` of them interrupts the parent process."""
    with open(path, "ab") as file:
        file.write(b".")
    if os.path.getsize(path) == limit:
        os.kill(pid, signal.SIGINT)
    time.sleep(2e-3)
    return float(x @ x)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_real_ctrl_c_while_workers_work_keeps_what_they_have_done(backend, tmp_path):
    """It comes in the second batch of 100, late enough for some of that batch to count."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    try:
        with joblib.parallel_config(backend):
            r = few_iterations(
                sends_ctrl_c, args=(tmp_path / "calls", 170, os.getpid()), n_jobs=2, method="textbook"
            )
    finally:
        signal.signal(signal.SIGINT, usual)
    assert r.status is cem.Status.INTERRUPTED
    assert r.nit == 1
    assert 100 < r.nfev < 200
    assert r.fun == pytest.approx(float(r.x @ r.x))


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_system_exit_in_a_worker_passes_through(backend):
    with joblib.parallel_config(backend), pytest.raises(SystemExit) as caught:
        few_iterations(exits, n_jobs=2)
    assert caught.value.code == 3


def slow(x):
    time.sleep(1e-3)
    return float(x @ x)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("fun", "options"),
    [(divides_by_zero, {}), (interrupts, {}), (slow, {"max_time": 0.05, "population": 1000})],
    ids=["exception", "interrupt", "time limit"],
)
def test_a_parallel_run_that_ends_early_warns_of_nothing(backend, fun, options):
    """Results that are no longer wanted are the package's business, not the user's."""
    with warnings.catch_warnings(record=True) as seen, joblib.parallel_config(backend):
        warnings.simplefilter("always")
        with contextlib.suppress(cem.ObjectiveError):
            few_iterations(fun, n_jobs=2, **options)
        gc.collect()
    assert [str(each.message) for each in seen] == []


# --- the evaluator by itself ------------------------------------------------------------------------


def first_entry(x):
    return float(x[0])


def scored(objective, n_jobs, x, known=(), **options):
    """Score `x`, of which the rows `known` have been scored as -1 before."""
    out, done = np.full(len(x), np.nan), np.zeros(len(x), dtype=bool)
    out[list(known)], done[list(known)] = -1.0, True
    with Evaluator(objective, n_jobs) as evaluator:
        steps = list(evaluator.score(x, 0, out, done, **options))
    return steps, out, done


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_every_row_is_scored_in_its_place(n_jobs, n):
    x = np.arange(2.0 * n).reshape(n, 2)
    with joblib.parallel_config("threading"):
        steps, out, done = scored(Objective(first_entry, Streams(1)), n_jobs, x)
    np.testing.assert_array_equal(out, x[:, 0])
    assert done.all()
    assert set(steps) == {None}


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("known", [[0], [99], [3, 4, 50], range(99), range(100)], ids=str)
def test_nothing_is_scored_twice(n_jobs, known):
    calls = []
    x = np.arange(100.0)[:, None]
    with joblib.parallel_config("threading"):
        _, out, done = scored(
            Objective(lambda row: calls.append(row[0]) or 0.0, Streams(1)), n_jobs, x, known
        )
    assert sorted(calls) == sorted(set(range(100)) - set(known))
    assert done.all()
    np.testing.assert_array_equal(np.flatnonzero(out == -1), known)


def test_a_known_vectorised_call_is_not_made_again():
    x = np.arange(300.0 * 2000).reshape(2000, 300)
    rows, calls = VECTORISED_NUMBERS // 300, []

    def fun(X):
        calls.append(X[0, 0] / 300)
        return X[:, 0]

    known = [*range(rows), *range(rows, rows + 5)]
    _, out, done = scored(Objective(fun, Streams(1), vectorized=True), 1, x, known)
    assert calls == [rows, 2 * rows]
    assert done.all()
    np.testing.assert_array_equal(out, np.where(np.arange(2000) < rows, -1, x[:, 0]))


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scores_are_shown_as_they_come(n_jobs):
    """Twenty evaluations of .05 s: nobody waits for all of them to see the first ones."""
    x = np.arange(20.0)[:, None]
    out, done, seen = np.empty(20), np.zeros(20, dtype=bool), []

    def fun(row):
        time.sleep(0.05)
        return float(row[0])

    with joblib.parallel_config("threading"), Evaluator(Objective(fun, Streams(1)), n_jobs) as evaluator:
        for failure in evaluator.score(x, 0, out, done):
            assert failure is None
            np.testing.assert_array_equal(out[done], x[done, 0])
            seen.append(int(done.sum()))
    assert seen[-1] == 20
    assert max(np.diff([0, *seen])) <= 6


@pytest.mark.parametrize("workers", [2, 7, 500])
@pytest.mark.parametrize("seconds", [np.nan, 1e-9, 1e-4, 0.01, 3600.0])
@pytest.mark.parametrize("known", [[], [0], [3, 4, 50], range(10, 1000), range(1000)], ids=len)
def test_pieces_cover_the_unknown_rows(workers, seconds, known):
    """Each row once, no piece above half a worker's share or a quarter of a second, where it is worth it."""
    done = np.zeros(1000, dtype=bool)
    done[list(known)] = True
    pace = Pace()
    pace.seconds = seconds
    pieces = list(Chunks(unknown_runs(done), workers, pace))
    rows = [row for piece in pieces for row in range(piece.start, piece.stop)]
    assert rows == np.flatnonzero(~done).tolist()
    sizes = [piece.stop - piece.start for piece in pieces]
    if np.isnan(seconds) or seconds > 1:
        assert set(sizes) <= {1}
    elif sizes:
        assert max(sizes) <= max(1, SLICE / seconds, -(-len(rows) // workers))
        assert sizes[-1] == 1 or sizes[-1] * seconds <= LEAST


def test_serial_scoring_ends_at_the_deadline():
    """The evaluation in flight is the last one."""
    x = np.arange(100.0)[:, None]
    steps, out, done = scored(Objective(first_entry, Streams(1)), 1, x, deadline=time.monotonic())
    assert steps == [None]
    assert np.flatnonzero(done).tolist() == [0]
    assert np.isnan(out[1:]).all()


@pytest.mark.parametrize("n_jobs", [0, "2", 1.5])
def test_a_wrong_number_of_workers_is_told_before_anything_is_evaluated(n_jobs):
    calls = []
    with pytest.raises((ValueError, TypeError)):
        few_iterations(lambda x: calls.append(x), n_jobs=n_jobs)
    assert calls == []


@pytest.mark.parametrize("n_jobs", ["2", 1.5, True])
def test_n_jobs_is_a_whole_number(n_jobs):
    with pytest.raises(TypeError, match="n_jobs"):
        cem.optimize(lambda x: 0.0, bounds=[(0, 1)], n_jobs=n_jobs)


def test_args_come_in_a_tuple():
    with pytest.raises(TypeError, match=r"args=\(3,\)"):
        cem.optimize(lambda x, a: 0.0, bounds=[(0, 1)], args=3)


def test_an_improvement_that_stops_iterating_does_not_pass_for_an_end():
    def improve(X, scores, rng, effort):
        raise StopIteration

    with pytest.raises(StopIteration):
        cem.optimize(lambda x: x @ x, bounds=[(0, 1)], improve=improve)
