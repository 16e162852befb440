"""Runs that were interrupted go on as if they had not been."""

import contextlib
import os
import signal
import time

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem
from cem import Status
from cem.checkpoint.journal import Journal
from problems.continuous import rosenbrock
from problems.maxcut import MaxCut

BOX = [(-3.0, 4.0)] * 3


class Calls:
    """An objective that counts its calls, and fails at one of them."""

    def __init__(self, fun, at=None, what=ZeroDivisionError):
        self.fun, self.at, self.what, self.count = fun, at, what, 0

    def __getstate__(self):
        return {"fun": self.fun}  # what it is, whatever befalls it

    def __setstate__(self, state):
        self.__init__(**state)

    def __call__(self, x, *args):
        self.count += 1
        if self.count == self.at:
            raise self.what
        return self.fun(x, *args)


def valley(x):
    return float(rosenbrock(x[None])[0])


def bumps(x):
    return float((x**2 + 3 * (1 - np.cos(5 * x))).sum())


def noisy(x, rng):
    return float((x**2).sum() + 0.1 * rng.normal())


def total(x):
    return float(x.sum())


def optimize(fun, **options):
    return cem.optimize(fun, **{"bounds": BOX, "max_evaluations": 600, "rng": 5} | options)


USES = {
    "default": (valley, {}),
    "restarts": (bumps, {"polish": False}),
    "textbook": (valley, {"method": "textbook"}),
    "binary": (total, {"bounds": None, "start": cem.Bernoulli([0.5] * 30), "maximize": True}),
    "integers": (bumps, {"integrality": [1, 0, 1]}),
    "noisy": (noisy, {"noisy": True, "pass_rng": True}),
    "constraints": (valley, {"constraints": LinearConstraint(np.ones((1, 3)), -1, 1)}),
    "vectorized": (lambda X: (X**2).sum(axis=1), {"vectorized": True}),
}


def assert_identical(one, other):
    """Everything but the times."""
    for name in ("x", "fun", "nfev", "nit", "status", "message", "probability", "standard_error", "quantile"):
        np.testing.assert_array_equal(getattr(one, name, None), getattr(other, name, None), err_msg=name)
    for name, values in one.history.to_arrays().items():
        if name != "seconds":
            np.testing.assert_array_equal(values, getattr(other.history, name), err_msg=name)
    for name, values in one.family.to_arrays().items():
        np.testing.assert_array_equal(values, other.family.to_arrays()[name], err_msg=name)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("at", [1, 30, 170])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(path, use, at):
    fun, options = USES[use]
    expected = optimize(fun, **options)
    # under constraints, an exception where they are violated is no break
    what = KeyboardInterrupt if use == "constraints" else ZeroDivisionError
    with contextlib.suppress(cem.ObjectiveError):  # a vectorised one is called less often
        optimize(Calls(fun, at, what), checkpoint=path, **options)
    calls = Calls(fun)
    result = optimize(calls, checkpoint=path, resume=True, **options)
    assert_identical(result, expected)
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
    assert_identical(cem.optimize(graph, max_iterations=12, rng=1, checkpoint=path, resume=True), expected)


def test_kept_improvements_are_not_made_again(path):
    made = []

    def improve(X, scores, rng, effort):
        made.append(len(X))
        return X, scores, 0

    options = {"start": cem.Bernoulli([0.5] * 12), "bounds": None, "maximize": True, "improve": improve}
    expected = optimize(total, **options)
    once = len(made)
    optimize(total, checkpoint=path, **options)
    made.clear()
    result = optimize(total, checkpoint=path, resume=True, **options)
    assert_identical(result, expected)
    assert once > 0
    assert made == []


@pytest.mark.parametrize("method", ["improved", "multilevel"])
@pytest.mark.parametrize("at", [1, 700, 2200])
def test_probabilities(path, method, at):
    def estimate(performance, **kept):
        return cem.estimate_probability(
            performance, cem.Gaussian([0.0] * 3, std=1), 7, method=method, max_evaluations=5000, rng=2, **kept
        )

    expected = estimate(total)
    with pytest.raises(cem.ObjectiveError):
        estimate(Calls(total, at), checkpoint=path)
    calls = Calls(total)
    assert_identical(estimate(calls, checkpoint=path, resume=True), expected)
    assert calls.count == expected.nfev - (at - 1)


def test_quantiles(path):
    def estimate(performance, **kept):
        return cem.estimate_quantile(performance, [stats.norm()] * 2, 1e-3, rng=2, **kept)

    expected = estimate(total)
    with pytest.raises(cem.ObjectiveError):
        estimate(Calls(total, 900), checkpoint=path)
    assert_identical(estimate(Calls(total), checkpoint=path, resume=True), expected)


def test_interrupted_again_and_again(path):
    expected = optimize(valley)
    calls = 0
    for _ in range(100):
        fun = Calls(valley, 40)
        try:
            result = optimize(fun, checkpoint=path, resume=True)
            break
        except cem.ObjectiveError:
            calls += fun.count - 1
    assert_identical(result, expected)
    assert calls + fun.count == expected.nfev


def test_workers_may_change(path):
    expected = optimize(valley, method="textbook")
    with pytest.raises(cem.ObjectiveError):
        optimize(Calls(valley, 250), checkpoint=path, method="textbook")
    assert_identical(
        optimize(Calls(valley), checkpoint=path, resume=True, method="textbook", n_jobs=2), expected
    )


@pytest.mark.parametrize(("stage", "polish"), [("quasi-newton", None), ("sampling", False)])
def test_ctrl_c_gives_the_result_so_far_and_goes_on(path, stage, polish):
    expected = optimize(valley, polish=polish)
    stages = expected.history.stage
    at = int(expected.history.nfev[np.flatnonzero(stages == stages[len(stages) // 3])[0]])
    part = optimize(Calls(valley, at, KeyboardInterrupt), checkpoint=path, polish=polish)
    assert part.status is Status.INTERRUPTED
    assert part.nfev == at - 1
    assert_identical(optimize(Calls(valley), checkpoint=path, resume=True, polish=polish), expected)


def test_ctrl_c_in_the_final_importance_sampling(path):
    def estimate(performance, **kept):
        return cem.estimate_probability(performance, cem.Gaussian([0.0] * 3, std=1), 7, rng=2, **kept)

    expected = estimate(total)
    part = estimate(Calls(total, expected.nfev - 50, KeyboardInterrupt), checkpoint=path)
    assert part.status is Status.INTERRUPTED
    assert part.probability > 0
    assert_identical(estimate(Calls(total), checkpoint=path, resume=True), expected)


def test_an_objective_that_raises_once(path):
    """What was computed is kept, also that of the batch in flight; a mended function goes on."""
    expected = optimize(valley)
    with pytest.raises(cem.ObjectiveError) as caught:
        optimize(Calls(valley, 333, ZeroDivisionError), checkpoint=path)
    assert caught.value.partial.nfev == 332
    calls = Calls(valley)
    assert_identical(optimize(calls, checkpoint=path, resume=True), expected)
    assert calls.count == expected.nfev - 332


def test_constraints_that_raise_once(path):
    def options(function):
        return {"constraints": NonlinearConstraint(function, 0, np.inf), "max_evaluations": 400}

    def allowed(x):
        return x[0] + 1

    expected = optimize(valley, **options(allowed))
    broken = Calls(allowed, 150, ZeroDivisionError)
    with pytest.raises(cem.ObjectiveError):
        optimize(valley, checkpoint=path, **options(broken))
    assert_identical(optimize(valley, checkpoint=path, resume=True, **options(Calls(allowed))), expected)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_killed_process(path, end):
    """Also in the middle of a batch of slow evaluations."""

    def slow(x):
        time.sleep(0.002)
        return valley(x)

    expected = optimize(valley, method="textbook", max_evaluations=300)
    rng = np.random.default_rng(int(end))
    kept = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            optimize(slow, method="textbook", max_evaluations=300, checkpoint=path, resume=True)
            os._exit(0)
        time.sleep(rng.uniform(0.05, 0.3))
        os.kill(pid, end)
        os.waitpid(pid, 0)
        if path.exists():
            kept.append(sum(int(entry.done.sum()) for entry in Journal.read(path, "optimization").entries))
    assert kept == sorted(kept)
    result = optimize(slow, method="textbook", max_evaluations=300, checkpoint=path, resume=True)
    assert_identical(result, expected)


def test_a_half_done_batch_of_slow_evaluations_survives(path):
    def slow(x):
        time.sleep(0.05)
        return valley(x)

    pid = os.fork()
    if pid == 0:
        optimize(slow, method="textbook", checkpoint=path)
        os._exit(0)
    time.sleep(1.5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    (entry,) = Journal.read(path, "optimization").entries
    assert 10 <= entry.done.sum() < 100
