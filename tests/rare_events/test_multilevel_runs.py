"""How runs of the multilevel method end, and what is kept when they end early."""

import math
import time

import joblib
import numpy as np
import pytest
from helpers import (
    BEYOND_10,
    PAIR,
    Counting,
    Poisson,
    assert_same_estimate,
    assert_trustworthy,
    estimate,
    negative_totals,
    total,
    totals,
)
from scipy import stats

import cem
from problems.rare_event import bridge

# --- budgets --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 2, 999, 1000, 1001, 2500, 7777])
@pytest.mark.parametrize("vectorized", [False, True])
def test_max_evaluations_is_exact(budget, vectorized):
    counted = []

    def performance(x):
        counted.append(len(x) if vectorized else 1)
        return totals(x) if vectorized else total(x)

    e = estimate(
        performance, PAIR, 12.0, target_cv=0.001, vectorized=vectorized, max_evaluations=budget, rng=1
    )
    assert sum(counted) == e.nfev == budget
    assert e.status is cem.Status.EVALUATION_LIMIT
    assert not e.success
    assert str(budget) in e.message


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 100])
def test_tiny_budgets_are_honest(budget):
    e = estimate(bridge(2.0), max_evaluations=budget, rng=1)
    low, high = e.confidence_interval()
    assert not e.success
    assert e.nfev == budget
    assert low <= bridge(2.0).reference <= high
    assert high - low > 1 / (budget + 1)
    assert repr(e)


@pytest.mark.parametrize("budget", [1, 5, 50])
def test_a_tiny_budget_that_only_hits_is_no_certainty(budget):
    e = estimate(total, PAIR, 0.0, max_evaluations=budget, rng=1)
    low, high = e.confidence_interval()
    assert e.probability == 1
    assert not e.success
    assert low < 1 - 1 / (budget + 1)
    assert high == 1


def test_a_generous_budget_changes_nothing():
    e = estimate(bridge(2.0), rng=1)
    assert_same_estimate(e, estimate(bridge(2.0), max_evaluations=10**9, max_time=1e6, rng=1))


def test_exactly_enough_is_enough():
    e = estimate(bridge(2.0), rng=1)
    assert_same_estimate(e, estimate(bridge(2.0), max_evaluations=e.nfev, rng=1))


def test_max_time_ends_a_slow_run():
    def slow(x):
        time.sleep(1e-3)
        return total(x)

    performance = Counting(slow)
    e = estimate(performance, PAIR, 12.0, max_time=0.2, rng=1)
    assert e.status is cem.Status.TIME_LIMIT
    assert not e.success
    assert 0 < performance.calls == e.nfev < 1000
    assert "max_time" in e.message
    low, high = e.confidence_interval()
    assert low < high


def test_a_target_reached_in_the_last_batch_is_reached_though_the_batch_was_cut():
    exact = bridge(1.5).reference
    runs = [
        estimate(bridge(1.5), target_cv=0.1, max_evaluations=budget, rng=1)
        for budget in range(3000, 9000, 100)
    ]
    for e in runs:
        assert (e.status is cem.Status.EVALUATION_LIMIT) == (e.coefficient_of_variation > 0.1)
    assert {e.success for e in runs} == {True, False}
    assert_trustworthy(runs, exact)


def test_a_run_without_an_iteration_has_an_empty_history():
    e = estimate(bridge(2.0), max_evaluations=10, rng=1)
    assert e.nit == len(e.history) == 0
    for name in ("stage", "level", "nfev"):
        assert getattr(e.history, name).shape == (0,)


def test_no_time_at_all_is_no_knowledge_at_all():
    e = estimate(bridge(2.0), max_time=1e-12, rng=1)
    assert e.status is cem.Status.TIME_LIMIT
    assert not e.success
    low, high = e.confidence_interval()
    assert low < bridge(2.0).reference < high
    assert high - low > 0.5
    assert repr(e)


# --- errors and interruptions ---------------------------------------------------------------------------


class Trouble(Counting):
    """A performance that raises at its call number `at`."""

    def __init__(self, at, error):
        super().__init__()
        self.at, self.error = at, error

    def __call__(self, x):
        if self.calls + 1 == self.at:
            raise self.error
        return super().__call__(x)


ANYWHERE = pytest.mark.parametrize("at", [1, 2, 500, 1500, 4500], ids="call {}".format)


@ANYWHERE
def test_a_performance_that_raises(at):
    trouble = Trouble(at, ZeroDivisionError("by my fault"))
    with pytest.raises(cem.ObjectiveError, match="ZeroDivisionError: by my fault") as caught:
        estimate(trouble, PAIR, 10.0, target_cv=0.01, rng=1)
    error = caught.value
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert np.shape(error.candidate) == (2,)
    assert isinstance(error.partial, cem.ProbabilityEstimate)
    assert error.partial.nfev == at - 1
    assert not error.partial.success
    low, high = error.partial.confidence_interval()
    assert 0 <= low < high <= 1


def test_a_vectorised_performance_that_raises():
    def performance(X):
        raise ValueError("no rows today")

    with pytest.raises(cem.ObjectiveError, match="no rows today") as caught:
        estimate(performance, PAIR, 10.0, vectorized=True, rng=1)
    assert caught.value.partial.nfev == 0


def fails_far_out(x):
    if x.sum() > 12:
        raise ArithmeticError("too far out")
    return float(x.sum())


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_performance_that_raises_in_a_worker(backend):
    with joblib.parallel_config(backend), pytest.raises(cem.ObjectiveError, match="too far out") as caught:
        estimate(fails_far_out, PAIR, 20.0, n_jobs=2, rng=1)
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert isinstance(caught.value.partial, cem.ProbabilityEstimate)
    assert caught.value.candidate.sum() > 12


@ANYWHERE
def test_ctrl_c_returns_what_there_is(at):
    e = estimate(Trouble(at, KeyboardInterrupt()), PAIR, 10.0, target_cv=0.01, rng=1)
    assert isinstance(e, cem.ProbabilityEstimate)
    assert e.status is cem.Status.INTERRUPTED
    assert not e.success
    assert e.nfev == at - 1
    low, high = e.confidence_interval()
    assert low <= BEYOND_10 <= high
    assert repr(e)


def test_ctrl_c_in_a_callback_returns_what_there_is():
    def callback(intermediate_result):
        if intermediate_result.nit == 2:
            raise KeyboardInterrupt

    e = cem.estimate_probability(
        totals, PAIR, 12.0, vectorized=True, callback=callback, method="multilevel", rng=1
    )
    assert e.status is cem.Status.INTERRUPTED
    assert not e.success
    assert e.nfev == 2000


@pytest.mark.parametrize("method", ["sample", "fit", "log_prob"])
def test_ctrl_c_in_a_family_returns_what_there_is(method, monkeypatch):
    """Ctrl-C comes whenever it comes: also between two evaluations."""
    original, calls = getattr(Poisson, method), []

    def interrupted(self, *args):
        if method != "sample" or args[0] > 1:  # one row is drawn to learn its length
            calls.append(method)
            if len(calls) == 4:
                raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(Poisson, method, interrupted)
    try:
        e = cem.estimate_probability(totals, Poisson([0.2] * 4), 12, vectorized=True, target_cv=0.01, rng=1)
    except KeyboardInterrupt:
        pytest.fail("Ctrl-C came through")
    assert len(calls) >= 4
    assert e.status is cem.Status.INTERRUPTED
    assert not e.success
    assert e.nfev > 1000
    low, high = e.confidence_interval()
    assert low <= stats.poisson.sf(11, 0.8) <= high


def test_ctrl_c_while_measuring_keeps_the_measurement():
    e = estimate(Trouble(30_000, KeyboardInterrupt()), PAIR, 10.0, target_cv=0.001, rng=1)
    assert e.status is cem.Status.INTERRUPTED
    assert e.hits > 5000
    assert abs(e.probability - BEYOND_10) < 5 * e.standard_error


def test_what_is_no_exception_passes_through():
    with pytest.raises(SystemExit):
        estimate(Trouble(1500, SystemExit(3)), PAIR, 10.0, rng=1)


# --- callbacks ------------------------------------------------------------------------------------------


def test_callback_after_every_iteration():
    seen = []
    e = estimate(totals, PAIR, 10.0, vectorized=True, callback=seen.append, rng=1)
    assert len(seen) == e.nit
    assert [r.nit for r in seen] == list(range(1, e.nit + 1))
    assert [r.nfev for r in seen] == e.history.nfev.tolist()
    for r in seen:
        np.testing.assert_array_equal(r.scores, totals(r.population))
        assert len(r.history) == r.nit
        assert hasattr(r.family, "sample")
    assert_same_estimate(e, estimate(totals, PAIR, 10.0, vectorized=True, rng=1))


def test_callback_sees_the_users_sign_and_inputs():
    seen = []
    inputs = [stats.expon(100), stats.expon(100)]
    estimate(negative_totals, inputs, -212, tail="lower", vectorized=True, callback=seen.append, rng=1)
    for r in seen:
        assert np.all(r.population >= 100)
        np.testing.assert_array_equal(r.scores, negative_totals(r.population))
        assert -212 <= r.level <= -200


def test_callback_by_keyword():
    nits = []

    def callback(*, intermediate_result):
        nits.append(intermediate_result.nit)

    e = estimate(totals, PAIR, 10.0, vectorized=True, callback=callback, rng=1)
    assert nits == list(range(1, e.nit + 1))


def stop_by_true(intermediate_result):
    return intermediate_result.nit == 2


def stop_by_exception(intermediate_result):
    if intermediate_result.nit == 2:
        raise StopIteration


@pytest.mark.parametrize("callback", [stop_by_true, stop_by_exception])
def test_callback_stops(callback):
    e = estimate(totals, PAIR, 12.0, vectorized=True, callback=callback, rng=1)
    assert e.status is cem.Status.CALLBACK
    assert not e.success
    assert "callback" in e.message
    assert (e.nit, e.nfev) == (2, 2000)
    low, high = e.confidence_interval()
    assert low <= 13 * math.exp(-12) <= high


def test_callback_that_stops_the_measurement_keeps_it():
    e = estimate(
        totals, PAIR, 10.0, vectorized=True, target_cv=0.001, rng=1,
        callback=lambda r: r.history.stage[-1] == "measure",
    )  # fmt: skip
    assert e.status is cem.Status.CALLBACK
    assert e.draws == 1000
    assert abs(e.probability - BEYOND_10) < 5 * e.standard_error


def test_an_error_in_a_callback_is_the_users():
    def callback(intermediate_result):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        estimate(totals, PAIR, 10.0, vectorized=True, callback=callback, rng=1)
