"""Runs that were interrupted go on as if they had not been."""

import contextlib
import os
import signal
import time

import numpy as np
import pytest
from checkpoint_helpers import KEPT_USES, Failing, optimize_kept
from helpers import assert_same_estimate, assert_same_history, assert_same_run, rosenbrock, total
from scipy import stats
from scipy.optimize import NonlinearConstraint

import cem
from cem import Status
from cem.checkpoint.journal import Journal
from problems.maxcut import MaxCut


@pytest.mark.parametrize("use", KEPT_USES)
@pytest.mark.parametrize("at", [1, 30, 170])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(path, use, at):
    fun, options = KEPT_USES[use]
    expected = optimize_kept(fun, **options)
    # under constraints, an exception where they are violated is no break
    what = KeyboardInterrupt if use == "constraints" else ZeroDivisionError
    with contextlib.suppress(cem.ObjectiveError):  # a vectorised one is called less often
        optimize_kept(Failing(fun, at, what), checkpoint=path, **options)
    calls = Failing(fun)
    result = optimize_kept(calls, checkpoint=path, resume=True, **options)
    assert_same_run(result, expected)
    if not options.get("vectorized"):
        assert calls.count == max(0, expected.nfev - (at - 1))


def test_a_problem_with_an_improvement(path):
    graph = MaxCut.random(60, rng=2)
    expected = cem.optimize(graph, max_iterations=12, rng=1)

    def stop(intermediate_result):
        if intermediate_result.nit == 7:
            raise KeyError

    with pytest.raises(KeyError):
        cem.optimize(graph, max_iterations=12, rng=1, checkpoint=path, callback=stop)
    assert_same_run(cem.optimize(graph, max_iterations=12, rng=1, checkpoint=path, resume=True), expected)


def test_kept_improvements_are_not_made_again(path):
    made = []

    def improve(X, scores, rng, effort):
        made.append(len(X))
        return X, scores, 0

    options = {"start": cem.Bernoulli([0.5] * 12), "bounds": None, "maximize": True, "improve": improve}
    expected = optimize_kept(total, **options)
    once = len(made)
    optimize_kept(total, checkpoint=path, **options)
    made.clear()
    result = optimize_kept(total, checkpoint=path, resume=True, **options)
    assert_same_run(result, expected)
    assert once > 0
    assert made == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["improved", "multilevel"])
@pytest.mark.parametrize("at", [1, 700, 2200])
def test_probabilities(path, method, at):
    def estimate(performance, **kept):
        return cem.estimate_probability(
            performance, cem.Gaussian([0.0] * 3, std=1), 7, method=method, max_evaluations=5000, rng=2, **kept
        )

    expected = estimate(total)
    with pytest.raises(cem.ObjectiveError):
        estimate(Failing(total, at), checkpoint=path)
    calls = Failing(total)
    assert_same_estimate(estimate(calls, checkpoint=path, resume=True), expected)
    assert calls.count == expected.nfev - (at - 1)


@pytest.mark.slow
def test_quantiles(path):
    def estimate(performance, **kept):
        return cem.estimate_quantile(performance, [stats.norm()] * 2, 1e-3, rng=2, **kept)

    expected = estimate(total)
    with pytest.raises(cem.ObjectiveError):
        estimate(Failing(total, 900), checkpoint=path)
    found = estimate(Failing(total), checkpoint=path, resume=True)
    assert (found.quantile, found.confidence_interval()) == (
        expected.quantile,
        expected.confidence_interval(),
    )
    assert (found.nfev, found.status, found.message) == (expected.nfev, expected.status, expected.message)
    assert_same_history(found.history, expected.history)


@pytest.mark.slow
def test_interrupted_again_and_again(path):
    expected = optimize_kept(rosenbrock)
    calls = 0
    for _ in range(100):
        fun = Failing(rosenbrock, 40)
        try:
            result = optimize_kept(fun, checkpoint=path, resume=True)
            break
        except cem.ObjectiveError:
            calls += fun.count - 1
    assert_same_run(result, expected)
    assert calls + fun.count == expected.nfev


@pytest.mark.slow
def test_workers_may_change(path):
    expected = optimize_kept(rosenbrock, method="textbook")
    with pytest.raises(cem.ObjectiveError):
        optimize_kept(Failing(rosenbrock, 250), checkpoint=path, method="textbook")
    assert_same_run(
        optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True, method="textbook", n_jobs=2),
        expected,
    )


@pytest.mark.parametrize(("stage", "polish"), [("quasi-newton", None), ("sampling", False)])
def test_ctrl_c_gives_the_result_so_far_and_goes_on(path, stage, polish):
    expected = optimize_kept(rosenbrock, polish=polish)
    stages = expected.history.stage
    at = int(expected.history.nfev[np.flatnonzero(stages == stages[len(stages) // 3])[0]])
    part = optimize_kept(Failing(rosenbrock, at, KeyboardInterrupt), checkpoint=path, polish=polish)
    assert part.status is Status.INTERRUPTED
    assert part.nfev == at - 1
    assert_same_run(optimize_kept(Failing(rosenbrock), checkpoint=path, resume=True, polish=polish), expected)


def test_ctrl_c_in_the_final_importance_sampling(path):
    def estimate(performance, **kept):
        return cem.estimate_probability(performance, cem.Gaussian([0.0] * 3, std=1), 7, rng=2, **kept)

    expected = estimate(total)
    part = estimate(Failing(total, expected.nfev - 50, KeyboardInterrupt), checkpoint=path)
    assert part.status is Status.INTERRUPTED
    assert part.probability > 0
    assert_same_estimate(estimate(Failing(total), checkpoint=path, resume=True), expected)


def test_an_objective_that_raises_once(path):
    """What was computed is kept, also that of the batch in flight; a mended function goes on."""
    expected = optimize_kept(rosenbrock)
    with pytest.raises(cem.ObjectiveError) as caught:
        optimize_kept(Failing(rosenbrock, 333, ZeroDivisionError), checkpoint=path)
    assert caught.value.partial.nfev == 332
    calls = Failing(rosenbrock)
    assert_same_run(optimize_kept(calls, checkpoint=path, resume=True), expected)
    assert calls.count == expected.nfev - 332


@pytest.mark.slow
def test_constraints_that_raise_once(path):
    def options(function):
        return {"constraints": NonlinearConstraint(function, 0, np.inf), "max_evaluations": 400}

    def allowed(x):
        return x[0] + 1

    expected = optimize_kept(rosenbrock, **options(allowed))
    broken = Failing(allowed, 150, ZeroDivisionError)
    with pytest.raises(cem.ObjectiveError):
        optimize_kept(rosenbrock, checkpoint=path, **options(broken))
    assert_same_run(
        optimize_kept(rosenbrock, checkpoint=path, resume=True, **options(Failing(allowed))), expected
    )


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_killed_process(path, end):
    """Also in the middle of a batch of slow evaluations."""

    def slow(x):
        time.sleep(0.002)
        return rosenbrock(x)

    expected = optimize_kept(rosenbrock, method="textbook", max_evaluations=300)
    rng = np.random.default_rng(int(end))
    kept = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            optimize_kept(slow, method="textbook", max_evaluations=300, checkpoint=path, resume=True)
            os._exit(0)
        time.sleep(rng.uniform(0.05, 0.3))
        os.kill(pid, end)
        os.waitpid(pid, 0)
        if path.exists():
            kept.append(sum(int(entry.done.sum()) for entry in Journal.read(path, "optimization").entries))
    assert kept == sorted(kept)
    result = optimize_kept(slow, method="textbook", max_evaluations=300, checkpoint=path, resume=True)
    assert_same_run(result, expected)


@pytest.mark.slow
def test_a_half_done_batch_of_slow_evaluations_survives(path):
    def slow(x):
        time.sleep(0.05)
        return rosenbrock(x)

    pid = os.fork()
    if pid == 0:
        optimize_kept(slow, method="textbook", checkpoint=path)
        os._exit(0)
    time.sleep(1.5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    (entry,) = Journal.read(path, "optimization").entries
    assert 10 <= entry.done.sum() < 100
