"""`optimize`: callbacks, NaN, an objective that raises, and the result."""

import os
import pickle
import signal
import time

import numpy as np
import pytest
from helpers import Recorder, assert_same_run, sphere, sphere_rows, textbook
from scipy.optimize import OptimizeResult as ScipyResult

import cem
from cem import Status

# --- callbacks --------------------------------------------------------------------------------------


def test_a_callback_sees_every_iteration():
    seen = []
    fun = Recorder()
    r = textbook(fun, callback=lambda intermediate_result: seen.append(intermediate_result), max_iterations=4)
    assert r.nit == len(seen) == 4
    calls = np.array(fun.calls).reshape(4, 100, 5)
    for t, each in enumerate(seen):
        assert isinstance(each, cem.OptimizeResult)
        np.testing.assert_array_equal(each.population, calls[t])
        np.testing.assert_allclose(each.scores, sphere_rows(calls[t]))
        assert each.nit == len(each.history) == t + 1
        assert each.nfev == 100 * (t + 1)
        assert each.fun == r.history.best[t]
        assert sphere(each.x) == each.fun
        assert not each.success
        assert each.seed == 1
    np.testing.assert_array_equal(seen[-1].family.mean, r.family.mean)


def test_a_callback_sees_scores_in_the_users_sign():
    seen = []
    textbook(
        lambda x: 7 - sphere(x),
        maximize=True,
        max_iterations=1,
        callback=lambda intermediate_result: seen.append(intermediate_result),
    )
    np.testing.assert_allclose(seen[0].scores, 7 - sphere_rows(seen[0].population))


def test_a_callback_may_have_its_argument_by_any_name():
    seen = []
    textbook(callback=lambda anything: seen.append(anything.fun), max_iterations=2)
    assert len(seen) == 2


def test_a_callback_is_called_by_keyword():
    """As scipy does; `intermediate_result` may be keyword-only."""
    seen = []

    def callback(*, intermediate_result):
        seen.append(intermediate_result.fun)

    textbook(callback=callback, max_iterations=2)
    assert len(seen) == 2


@pytest.mark.parametrize("how", ["True", "numpy True", "StopIteration"])
def test_a_callback_stops(how):
    def callback(intermediate_result):
        if intermediate_result.nit < 3:
            return None
        if how == "StopIteration":
            raise StopIteration
        return True if how == "True" else np.True_

    r = textbook(callback=callback)
    assert r.status is Status.CALLBACK
    assert r.nit == 3
    assert r.nfev == 300
    assert r.fun == r.history.best[-1]


@pytest.mark.parametrize("answer", [None, False, np.False_])
def test_a_callback_that_does_not_say_true_goes_on(answer):
    assert_same_run(textbook(callback=lambda intermediate_result: answer), textbook())


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(2)], ids=["Exception", "SystemExit"])
def test_what_a_callback_raises_passes_through(error):
    def callback(intermediate_result):
        raise error

    with pytest.raises(type(error)) as caught:
        textbook(callback=callback)
    assert caught.value is error


def test_ctrl_c_in_a_callback_gives_the_best_so_far():
    def callback(intermediate_result):
        if intermediate_result.nit == 2:
            raise KeyboardInterrupt

    r = textbook(callback=callback)
    assert r.status is Status.INTERRUPTED
    assert r.nfev == 200
    assert r.fun == r.history.best[-1]


def test_a_callback_cannot_spoil_the_run():
    def callback(intermediate_result):
        intermediate_result.scores[:] = 0
        intermediate_result.history.append(intermediate_result.history[0])
        intermediate_result.x[:] = 99
        intermediate_result.clear()

    assert_same_run(textbook(callback=callback), textbook())


# --- NaN --------------------------------------------------------------------------------------------


def test_nan_ranks_last_and_is_counted():
    r = textbook(lambda x: np.nan if x[0] > 0 else sphere(x), bounds=[(-3, 2)] * 2)
    assert r.history.nan_count[0] > 10
    assert np.isfinite(r.history.level).all()
    assert r.fun < 1e-3
    assert r.x[0] <= 0


def test_infinitely_bad_ranks_above_nan_and_below_the_rest():
    r = textbook(lambda x: np.inf if x[0] > 0 else sphere(x), bounds=[(-3, 2)] * 2)
    assert r.history.nan_count.sum() == 0
    assert np.isfinite(r.history.level).all()
    assert np.isfinite(r.history.mean).all()
    assert r.fun < 1e-3


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("vectorized", [False, True])
def test_never_a_finite_score_is_an_error(bad, vectorized):
    with pytest.raises(ValueError, match="none of the first 100 candidates has a finite score") as caught:
        textbook(lambda X: np.full(len(X), bad) if vectorized else bad, vectorized=vectorized)
    assert isinstance(caught.value, cem.ObjectiveError)
    assert caught.value.partial.nfev == 100
    assert caught.value.candidate.shape == (5,)


def test_never_a_finite_score_in_a_batch_that_is_cut_is_an_error():
    with pytest.raises(ValueError, match="finite score"):
        textbook(lambda x: np.nan, max_evaluations=10)


def test_one_finite_score_is_enough():
    """From then on batches of NaN are a misfortune, no error."""
    calls = Recorder(lambda x: 1.0 if len(calls.calls) == 50 else np.nan)
    r = textbook(calls, max_evaluations=400)
    assert r.fun == 1.0
    np.testing.assert_array_equal(r.x, calls.calls[49])
    assert r.history.nan_count.tolist() == [99, 100, 100, 100]
    assert r.status is Status.EVALUATION_LIMIT


# --- an objective that raises -----------------------------------------------------------------------


def fails_at(k, error):
    fun = Recorder()

    def failing(x):
        if len(fun.calls) == k:
            raise error
        return fun(x)

    return fun, failing


@pytest.mark.parametrize("k", [0, 1, 150])
def test_an_exception_of_the_objective(k):
    error = ZeroDivisionError("oh")
    fun, failing = fails_at(k, error)
    with pytest.raises(cem.ObjectiveError, match=r"ZeroDivisionError.*oh") as caught:
        textbook(failing)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.__cause__ is error
    partial = caught.value.partial
    assert isinstance(partial, cem.OptimizeResult)
    assert not partial.success
    assert partial.nfev == k
    full = Recorder()
    textbook(full, max_evaluations=k + 2)  # the last one is of the best candidate again
    np.testing.assert_array_equal(caught.value.candidate, full.calls[k])
    if k == 0:
        assert partial.x is None
    else:
        assert partial.fun == min(map(sphere, fun.calls))


def test_an_exception_of_a_vectorised_objective():
    error = IndexError("oh")

    def failing(X):
        raise error

    with pytest.raises(cem.ObjectiveError, match="IndexError") as caught:
        textbook(failing, vectorized=True)
    assert caught.value.__cause__ is error
    assert caught.value.candidate.shape == (100, 5)
    assert caught.value.partial.nfev == 0


def test_a_stop_iteration_of_the_objective_is_an_exception_like_others():
    """It must not end the run as if nothing had happened."""
    with pytest.raises(cem.ObjectiveError, match="StopIteration"):
        textbook(lambda x: next(iter([])))


def test_an_objective_error_pickles():
    with pytest.raises(cem.ObjectiveError) as caught:
        textbook(lambda x: 1 / 0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    np.testing.assert_array_equal(again.candidate, caught.value.candidate)
    assert again.partial.nfev == 0


@pytest.mark.parametrize("k", [1, 150])
def test_ctrl_c_gives_the_best_so_far(k):
    fun, failing = fails_at(k, KeyboardInterrupt())
    r = textbook(failing)
    assert r.status is Status.INTERRUPTED
    assert not r.success
    assert r.nfev == k
    assert r.fun == min(map(sphere, fun.calls))
    assert r.nit == len(r.history) == k // 100


def test_a_real_ctrl_c_gives_the_best_so_far():
    fun = Recorder()

    def signalled(x):
        if len(fun.calls) == 120:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        return fun(x)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    try:
        r = textbook(signalled)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert r.status is Status.INTERRUPTED
    assert r.nfev == 120
    assert r.fun == min(map(sphere, fun.calls))


class Own(BaseException):
    """Not an `Exception`."""


@pytest.mark.parametrize("error", [SystemExit(3), Own("mine")], ids=["SystemExit", "own"])
@pytest.mark.parametrize("vectorized", [False, True])
def test_what_is_no_exception_passes_through_untouched(error, vectorized):
    def failing(x):
        raise error

    with pytest.raises(type(error)) as caught:
        textbook(failing, vectorized=vectorized)
    assert caught.value is error
    assert caught.value.__cause__ is None


# --- the result -------------------------------------------------------------------------------------


def test_the_fields_of_a_result():
    r = textbook(max_iterations=3)
    fields = {
        "x",
        "fun",
        "success",
        "status",
        "message",
        "nit",
        "nfev",
        "family",
        "history",
        "elapsed",
        "seed",
    }
    assert fields <= set(r)
    assert isinstance(r, ScipyResult)
    assert isinstance(r, cem.OptimizeResult)
    assert r.x.shape == (5,)
    assert isinstance(r.fun, float)
    assert r.fun == sphere(r.x)
    assert r.fun == r.history.best[-1]
    assert r["nfev"] == r.nfev == 300
    assert isinstance(r.family, cem.Gaussian)
    assert r.elapsed > 0
    assert r.seed == 1


@pytest.mark.parametrize("options", [{}, {"max_iterations": 2}, {"max_time": 1e-9}])
def test_a_result_pickles(options):
    r = textbook(**options)
    again = pickle.loads(pickle.dumps(r))
    assert type(again) is cem.OptimizeResult
    assert again.status is r.status
    assert (again.fun, again.nit, again.nfev) == pytest.approx((r.fun, r.nit, r.nfev), nan_ok=True)
    np.testing.assert_array_equal(again.history.level, r.history.level)
    np.testing.assert_array_equal(again.family.mean, r.family.mean)


def test_a_result_prints_readably():
    text = repr(textbook(bounds=[(-5, 5)] * 2))
    for part in ("CONVERGED", "success: True", "Gaussian(mean=", "History(", "nfev: ", "message: "):
        assert part in text
    assert "object at 0x" not in text
    assert "np." not in text


def test_a_large_result_prints_shortly():
    text = repr(textbook(sphere_rows, vectorized=True, bounds=[(-1, 2)] * 500, max_iterations=1))
    assert len(text) < 2000


def test_the_seed_of_a_run_without_one_repeats_it():
    r = textbook(rng=None)
    assert_same_run(textbook(rng=r.seed), r)
    assert textbook(rng=None).seed != r.seed
