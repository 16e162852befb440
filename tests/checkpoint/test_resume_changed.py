"""What may change when a run goes on, and what becomes of broken files and disks."""

import logging
import os
import time

import numpy as np
import pytest
from checkpoint_helpers import KEPT_USES, Failing, bumps, optimize_kept
from helpers import assert_same_run, rosenbrock, total

import cem
from cem import Status
from cem.checkpoint import file as checkpoint


def test_a_finished_run_returns_without_an_evaluation(path):
    seen = []
    expected = optimize_kept(Failing(rosenbrock), checkpoint=path)
    calls = Failing(rosenbrock)
    result = optimize_kept(calls, checkpoint=path, resume=True, callback=lambda r: seen.append(r))
    assert_same_run(result, expected)
    assert calls.count == 0
    assert seen == []


@pytest.mark.parametrize("use", ["default", "textbook"])
def test_a_larger_budget_goes_on(path, use):
    fun, options = KEPT_USES[use]
    expected = optimize_kept(fun, **options | {"max_evaluations": 900})
    optimize_kept(fun, checkpoint=path, **options | {"max_evaluations": 333})
    result = optimize_kept(fun, checkpoint=path, resume=True, **options | {"max_evaluations": 900})
    assert_same_run(result, expected)


@pytest.mark.slow
@pytest.mark.parametrize("use", ["constraints", "integers", "noisy"])
def test_a_larger_budget_goes_on_with_the_populations_of_the_first(path, use):
    fun, options = KEPT_USES[use]
    first = optimize_kept(Failing(fun), checkpoint=path, **options | {"max_evaluations": 100})
    calls = Failing(fun)
    result = optimize_kept(calls, checkpoint=path, resume=True, **options | {"max_evaluations": 900})
    estimate = int(100 - first.history.nfev[-1]) if use == "noisy" else 0  # of the first part alone
    assert result.nfev == 900
    assert calls.count == 800 + estimate
    np.testing.assert_array_equal(result.history.nfev[: first.nit], first.history.nfev)
    np.testing.assert_array_equal(result.history.best[: first.nit - 1], first.history.best[:-1])


def test_a_smaller_budget_is_kept(path):
    optimize_kept(Failing(rosenbrock), checkpoint=path)
    assert_same_run(
        optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True, max_evaluations=200),
        optimize_kept(rosenbrock, max_evaluations=200),
    )


def test_more_iterations_and_more_time(path):
    expected = optimize_kept(rosenbrock, max_evaluations=None, max_iterations=20)
    optimize_kept(Failing(rosenbrock), checkpoint=path, max_evaluations=None, max_iterations=8)
    result = optimize_kept(
        Failing(rosenbrock),
        checkpoint=path,
        resume=True,
        max_evaluations=None,
        max_iterations=20,
        max_time=1000,
    )
    assert_same_run(result, expected)


def test_time_goes_on_where_it_stopped(path):
    def slow(x):
        time.sleep(0.002)
        return rosenbrock(x)

    first = optimize_kept(Failing(slow), checkpoint=path, max_evaluations=None, max_time=0.3)
    assert first.status is Status.TIME_LIMIT
    calls = Failing(slow)
    again = optimize_kept(calls, checkpoint=path, resume=True, max_evaluations=None, max_time=0.3)
    assert calls.count == 0
    assert again.status is Status.TIME_LIMIT
    assert again.elapsed >= 0.3


def test_a_callback_sees_each_iteration_once(path):
    expected = optimize_kept(rosenbrock)
    seen = []

    def note(intermediate_result):
        seen.append(intermediate_result.nit)

    with pytest.raises(cem.ObjectiveError):
        optimize_kept(Failing(rosenbrock, 300), checkpoint=path, callback=note)
    optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True, callback=note)
    assert seen == sorted(seen)
    assert set(seen) == set(range(1, expected.nit + 1))
    assert len(seen) <= expected.nit + 1  # what was evaluated after the last iteration is shown at the end


def test_no_file_means_a_new_run_and_no_resume_a_new_one_too(path):
    expected = optimize_kept(rosenbrock)
    assert_same_run(optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True), expected)
    calls = Failing(rosenbrock)
    assert_same_run(optimize_kept(calls, checkpoint=path), expected)
    assert calls.count == expected.nfev


def test_a_run_without_a_seed_keeps_the_one_it_drew(path):
    with pytest.raises(cem.ObjectiveError):
        optimize_kept(Failing(rosenbrock, 200), checkpoint=path, rng=None)
    result = optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True, rng=None)
    assert_same_run(result, optimize_kept(rosenbrock, rng=result.seed))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rng": 6}, r"rng was \[5, \[\]\] and is now \[6, \[\]\]"),
        ({"bounds": [(-3.0, 5.0)] * 3}, "bounds was"),
        ({"population": 20}, "population was None and is now 20"),
        ({"tol": 1e-3}, "tol was None and is now 0.001"),
        ({"method": "textbook"}, "method was 'auto' and is now 'textbook'"),
        ({"maximize": True}, "maximize was None and is now True"),
        ({"target": 1.0}, "target was"),
        ({"fun": bumps}, "function was Failing and is now bumps"),
    ],
)
def test_other_arguments_are_refused_by_name(path, change, message):
    optimize_kept(Failing(rosenbrock), checkpoint=path)
    before = path.read_bytes()
    arguments = {"fun": Failing(rosenbrock)} | change
    with pytest.raises(ValueError, match=message):
        optimize_kept(arguments.pop("fun"), checkpoint=path, resume=True, **arguments)
    assert path.read_bytes() == before


def test_another_version_is_refused(path, monkeypatch):
    optimize_kept(Failing(rosenbrock), checkpoint=path)
    monkeypatch.setattr("cem.checkpoint.resuming.__version__", "99")
    with pytest.raises(ValueError, match=r"version of cem was [0-9.]+ and is now 99"):
        optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True)


def test_another_kind_of_run_is_refused(path):
    optimize_kept(Failing(rosenbrock), checkpoint=path)
    with pytest.raises(ValueError, match="holds a optimization"):
        cem.estimate_probability(total, cem.Gaussian([0.0], std=1), 3, checkpoint=path, resume=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"resume": True}, ValueError, "checkpoint=path"),
        ({"checkpoint": 3}, TypeError, "path of a file"),
        ({"checkpoint": "missing/folder/run"}, OSError, "cannot be written"),
        ({"checkpoint": "."}, OSError, "folder"),
        ({"checkpoint": "run", "resume": "yes"}, TypeError, "resume must be"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_evaluated(tmp_path, monkeypatch, options, error, message):
    monkeypatch.chdir(tmp_path)
    calls = Failing(rosenbrock)
    with pytest.raises(error, match=message):
        optimize_kept(calls, **options)
    assert calls.count == 0


def test_a_damaged_file_is_told_and_left_alone(path):
    optimize_kept(Failing(rosenbrock), checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])
    before = path.read_bytes()
    calls = Failing(rosenbrock)
    with pytest.raises(ValueError, match="damaged"):
        optimize_kept(calls, checkpoint=path, resume=True)
    assert calls.count == 0
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written(path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint, "write", refuse)
    calls = Failing(rosenbrock)
    with pytest.raises(PermissionError, match="cannot be written"):
        optimize_kept(calls, checkpoint=path)
    assert calls.count == 0


def test_a_full_disk_loses_nothing_but_the_file(path, monkeypatch, caplog):
    expected = optimize_kept(rosenbrock)
    write = checkpoint.write

    def full(target, header, arrays, sync):
        if arrays:
            raise OSError(28, "No space left on device")
        write(target, header, arrays, sync)

    monkeypatch.setattr(checkpoint, "write", full)
    result = optimize_kept(Failing(rosenbrock), checkpoint=path)
    assert result.message == f"{expected.message}; the checkpoint cannot be written (No space left on device)"
    np.testing.assert_array_equal(result.x, expected.x)
    assert sum("No space left" in record.message for record in caplog.records) == 1


def test_other_arithmetic_goes_on_and_says_so(path, monkeypatch, caplog):
    with pytest.raises(cem.ObjectiveError):
        optimize_kept(Failing(rosenbrock, 300), checkpoint=path, polish=False)
    sample = cem.families.FactoredGaussian.sample
    monkeypatch.setattr(
        cem.families.FactoredGaussian, "sample", lambda self, n, rng: np.nextafter(sample(self, n, rng), 9)
    )
    calls = Failing(rosenbrock)
    result = optimize_kept(calls, checkpoint=path, resume=True, polish=False)
    assert "not bit-identical" in result.message
    assert "bit-identical" in caplog.text
    assert calls.count < result.nfev
    assert result.nfev <= 600


def test_a_clock_that_moves_back_changes_nothing(path, monkeypatch):
    expected = optimize_kept(rosenbrock)
    with pytest.raises(cem.ObjectiveError):
        optimize_kept(Failing(rosenbrock, 300), checkpoint=path)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 1e6)
    os.utime(path, (0, 0))
    assert_same_run(optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True), expected)


def test_iterations_and_oddities_are_logged(caplog):
    def sometimes(x):
        return rosenbrock(x) if x[0] < 3 else np.nan

    with caplog.at_level(logging.INFO, logger="cem"):
        result = optimize_kept(sometimes, method="textbook")
    infos = [record for record in caplog.records if record.levelno == logging.INFO]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(infos) == result.nit
    assert "iteration 1: level" in infos[0].message
    assert result.nan_count > len(warnings) == 1
    assert {record.name for record in caplog.records} == {"cem"}
