"""What goes wrong while candidates are evaluated, and what it costs: the table of docs/scaling.md."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from helpers import assert_same_run

import cem
from cem.core.streams import Streams
from cem.evaluation import Evaluator, Objective, worker_process

BOX = [(-2.0, 3.0)] * 3
LATE = 2.2  # of BOX's first variable: a few candidates in a hundred lie beyond

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and process groups of POSIX")


def score(x):
    return float(x @ x)


def nan_beyond(x, *_):
    return np.nan if x[0] > LATE else score(x)


def killed(x):
    if x[0] > LATE:
        os.kill(os.getpid(), signal.SIGKILL)
    return score(x)


def segfaults(x):
    if x[0] > LATE:
        ctypes.string_at(0)
    return score(x)


def exits(x):
    if x[0] > LATE:
        os._exit(0)
    return score(x)


def hangs(x):
    if x[0] > LATE:
        time.sleep(3600)
    return score(x)


def killed_once(x, folder):
    """Every candidate beyond LATE kills its worker at the first attempt."""
    if x[0] > LATE:
        mark = Path(folder) / x.tobytes().hex()
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return score(x)


def kills_rows(X):
    if (X[:, 0] > LATE).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return (X**2).sum(axis=1)


def raises(x):
    if x[0] > LATE:
        raise OSError("the licence server is away")
    return score(x)


def raises_once(x, folder):
    if x[0] > LATE and not (Path(folder) / "mark").exists():
        (Path(folder) / "mark").touch()
        raise OSError("the licence server is away")
    return score(x)


def garbage(x):
    return "garbage" if x[0] > LATE else score(x)


def always_exits(x):
    os._exit(3)


def dies_at_birth(pipe):
    os._exit(7)


def optimize(fun, **options):
    defaults = {"bounds": BOX, "max_iterations": 2, "population": 30, "rng": 11, "method": "textbook"}
    return cem.optimize(fun, **(defaults | options))


@pytest.fixture(scope="module")
def with_nan():
    """The run in which candidates beyond LATE are NaN: what a worker's death must amount to."""
    r = optimize(nan_beyond)
    assert r.history.nan_count.tolist() == [1, 1], "the pool is to be broken in two batches"
    return r


# --- workers that end -------------------------------------------------------------------------------


@pytest.mark.parametrize(("fun", "batches"), [(killed, 2), (segfaults, 1), (exits, 1)])
def test_a_candidate_that_ends_its_worker_twice_is_nan(fun, batches, with_nan, caplog):
    with caplog.at_level(logging.WARNING, logger="cem"):
        r = optimize(fun, n_jobs=2, max_iterations=batches)
    assert_same_run(r, with_nan if batches == 2 else optimize(nan_beyond, max_iterations=batches))
    told = [each.getMessage() for each in caplog.records if "scored as NaN" in each.getMessage()]
    assert len(told) == r.history.nan_count.sum() == batches
    assert all("ended its worker" in each for each in told)


@pytest.mark.slow
def test_a_worker_killed_from_outside_costs_nothing(tmp_path):
    r = optimize(killed_once, args=(str(tmp_path),), n_jobs=2)
    assert_same_run(r, optimize(score))
    assert len(os.listdir(tmp_path)) >= 2, "the pool was not broken twice"


def test_a_hanging_candidate_is_nan(with_nan, caplog):
    """Also with a single worker."""
    with caplog.at_level(logging.WARNING, logger="cem"):
        assert_same_run(optimize(hangs, evaluation_timeout=0.2), with_nan)
    assert any("more than 0.2 s" in each.getMessage() for each in caplog.records)


@pytest.mark.slow
def test_a_timeout_that_nobody_needs_changes_nothing():
    assert_same_run(optimize(score, evaluation_timeout=30.0, n_jobs=2), optimize(score))


@pytest.mark.slow
def test_a_vectorised_call_costs_only_the_guilty_row():
    r = optimize(kills_rows, vectorized=True, evaluation_timeout=30.0, max_iterations=1, population=16, rng=1)
    alone = optimize(nan_beyond, max_iterations=1, population=16, rng=1)
    assert r.history.nan_count.tolist() == alone.history.nan_count.tolist() == [1]
    assert r.fun == pytest.approx(alone.fun)


@pytest.mark.slow
def test_where_no_candidate_can_be_evaluated_it_says_so():
    with pytest.raises(RuntimeError, match=r"first 5 candidates.*exit code 3"):
        optimize(always_exits, n_jobs=2)


@pytest.mark.slow
def test_workers_that_cannot_start_are_told(monkeypatch):
    monkeypatch.setattr(worker_process, "worker_side", SimpleNamespace(main=dies_at_birth))
    worker_process.end_resting()
    with pytest.raises(RuntimeError, match=r"ended before they evaluated anything \(exit code 7\)"):
        optimize(score, n_jobs=2)


# --- estimates --------------------------------------------------------------------------------------

PAIR = cem.Gaussian([0.0, 0.0], std=1)


def nan_far_out(x):
    return np.nan if x[1] < -3.2 else float(x[0])


def killed_far_out(x):
    if x[1] < -3.2:
        os.kill(os.getpid(), signal.SIGKILL)
    return float(x[0])


def hangs_far_out(x):
    if x[1] < -3.2:
        time.sleep(3600)
    return float(x[0])


@pytest.mark.slow
@pytest.mark.parametrize("fun", [killed_far_out, pytest.param(hangs_far_out, marks=pytest.mark.slow)])
def test_estimates_survive_too(fun):
    options = {"level": 2.0, "method": "multilevel", "target_cv": 0.1, "rng": 7, "max_evaluations": 3000}
    e = cem.estimate_probability(nan_far_out, PAIR, **options)
    assert e.history.nan_count.sum() == 1
    shared = cem.estimate_probability(fun, PAIR, n_jobs=2, evaluation_timeout=0.3, **options)
    assert (shared.probability, shared.nfev) == (e.probability, e.nfev)
    assert shared.history.nan_count.tolist() == e.history.nan_count.tolist()


@pytest.mark.slow
def test_quantiles_have_a_timeout():
    options = {"target_cv": 0.2, "rng": 1}
    q = cem.estimate_quantile(score, PAIR, 1e-3, **options)
    assert cem.estimate_quantile(score, PAIR, 1e-3, evaluation_timeout=30.0, **options).quantile == q.quantile
    with pytest.raises(ValueError, match="evaluation_timeout must be a positive"):
        cem.estimate_quantile(score, PAIR, 1e-3, evaluation_timeout=-1.0)


# --- what is an answer, not a death -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [None, 30.0])
def test_an_exception_is_an_answer(timeout):
    """It is not tried again, and the result so far is the serial one."""
    with pytest.raises(cem.ObjectiveError, match="licence server") as serial:
        optimize(raises)
    with pytest.raises(cem.ObjectiveError, match="licence server") as caught:
        optimize(raises, n_jobs=2, evaluation_timeout=timeout)
    np.testing.assert_array_equal(caught.value.candidate, serial.value.candidate)
    assert caught.value.partial.nfev == serial.value.partial.nfev
    np.testing.assert_array_equal(caught.value.partial.x, serial.value.partial.x)


def test_an_exception_that_comes_once_ends_the_run_all_the_same(tmp_path):
    with pytest.raises(cem.ObjectiveError, match="licence server"):
        optimize(raises_once, args=(str(tmp_path),), n_jobs=2)


def test_nan_is_a_score(with_nan):
    assert_same_run(optimize(nan_beyond, n_jobs=2), with_nan)


def test_garbage_is_told():
    with pytest.raises(TypeError, match="real number, got 'garbage'"):
        optimize(garbage, n_jobs=2)


@pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
def test_a_timeout_needs_processes_of_our_own(backend):
    with joblib.parallel_config(backend), pytest.raises(ValueError, match="evaluation_timeout needs"):
        optimize(score, evaluation_timeout=1.0, n_jobs=2)


# --- interrupts, and parents that die ---------------------------------------------------------------


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def all_gone(pids, patience=20.0):
    until = time.monotonic() + patience
    while not all(gone(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return [pid for pid in pids if not gone(pid)] == []


def marks_and_sleeps(x, folder):
    """The first four candidates are scored; then workers are busy for an hour."""
    if len(os.listdir(folder)) >= 4:
        (Path(folder) / f"busy{os.getpid()}").touch()
        time.sleep(3600)
    time.sleep(0.3)
    (Path(folder) / f"done{x[0]}").touch()
    return score(x)


def busy_pids(folder, count=2, patience=30.0):
    until = time.monotonic() + patience
    while time.monotonic() < until:
        pids = [int(name[4:]) for name in os.listdir(folder) if name.startswith("busy")]
        if len(pids) >= count:
            return pids
        time.sleep(0.02)
    raise TimeoutError("the workers never started")


@pytest.mark.slow
def test_ctrl_c_while_workers_are_busy_keeps_what_is_done(tmp_path):
    def press():
        busy_pids(tmp_path)
        os.kill(os.getpid(), signal.SIGINT)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=press)
    thread.start()
    try:
        r = optimize(marks_and_sleeps, args=(str(tmp_path),), n_jobs=2)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, usual)
    assert r.status is cem.Status.INTERRUPTED
    assert r.nfev >= 4
    assert r.fun == score(r.x)
    assert all_gone(busy_pids(tmp_path))


SCRIPT = """
    import os, subprocess, sys, time
    from pathlib import Path
    import cem

    def fun(x, folder):
        if sys.argv[2] == "short":
            Path(folder, f"busy{os.getpid()}").touch()
            time.sleep(0.01)
            return 0.0
        child = subprocess.Popen(["sleep", "3600"])
        Path(folder, f"busy{os.getpid()}").touch()
        Path(folder, f"busy{child.pid}").touch()
        time.sleep(3600)

    cem.optimize(fun, bounds=[(0, 1)], args=(sys.argv[1],), n_jobs=2, max_evaluations=50, rng=1)
"""


def start_script(folder, mode):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), mode])


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(how, tmp_path):
    """And with them what the objective has started."""
    parent = start_script(tmp_path, "long")
    pids = busy_pids(tmp_path, count=4)
    parent.send_signal(how)
    assert parent.wait(20) == -how
    assert all_gone(pids)


@pytest.mark.slow
def test_nothing_is_left_after_a_run(tmp_path):
    assert start_script(tmp_path, "short").wait(60) == 0
    assert all_gone(busy_pids(tmp_path))


def test_the_same_workers_serve_the_next_run():
    def pids():
        with Evaluator(Objective(lambda x: float(os.getpid()), Streams(1)), 2) as evaluator:
            out, done = np.empty(50), np.zeros(50, dtype=bool)
            list(evaluator.score(np.zeros((50, 1)), 0, out, done))
        return set(out)

    first = pids()
    assert len(pids() | first) <= 2
