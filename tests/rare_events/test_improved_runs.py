"""What estimates of the improved method promise, and how their runs end."""

import math

import joblib
import numpy as np
import pytest
from helpers import (
    BEYOND_10,
    PAIR,
    assert_right,
    assert_same_estimate,
    improved,
    improved_runs,
    total,
    totals,
)
from scipy import stats

import cem


@pytest.mark.slow
def test_an_estimate_and_its_history():
    e = improved(totals, PAIR, 10.0)
    assert e.status is cem.Status.TARGET_REACHED
    assert set(e.history.stage) == {"open", "learn", "measure", "outside"}
    assert e.history.nfev[-1] == e.nfev
    assert len(e.history) == e.nit
    assert np.all(e.history.level[e.history.stage == "measure"] == 10)
    learned = e.history.level[e.history.stage == "learn"]
    assert np.all((learned > 2) & (learned <= 10))
    x, weights = e.failure_samples()
    assert np.all(totals(x) >= 10)
    assert weights.sum() == pytest.approx(1)
    assert 0 < e.largest_share < 0.1
    assert e.pareto_shape < 0.7
    for part in (f"{e.probability:.4g}", "Trusted", "Pareto", str(e.nfev)):
        assert part in e.summary()


@pytest.mark.slow
def test_the_lower_tail_mirrors_the_upper():
    upper = improved(totals, PAIR, 8.0)
    lower = improved(lambda X: -X.sum(axis=1), PAIR, -8.0, tail="lower")
    assert (lower.probability, lower.nfev) == (upper.probability, upper.nfev)
    np.testing.assert_array_equal(lower.history.best, -upper.history.best)
    np.testing.assert_array_equal(lower.history.level, -upper.history.level)


def test_bits_are_wide_integers_to_the_performance():
    def performance(X):
        assert X.dtype == np.int64
        assert not X.flags.writeable
        return (2 * X - 1).sum(axis=1)

    e = improved(performance, cem.Bernoulli([0.2] * 6), 6)
    assert e.probability == pytest.approx(0.2**6, rel=0.2)
    assert e.failure_samples().x.dtype == np.int64


def test_certain_bits():
    exact = 0.1**4
    e = improved(totals, cem.Bernoulli([0.0, 1.0, 0.1, 0.1, 0.1, 0.1]), 5)
    assert e.probability == pytest.approx(exact, rel=0.15)


IMPOSSIBLE = {
    "bounded": (lambda X: np.cos(X[:, 0]), cem.Gaussian([0.0], std=1), 1.5),
    "discrete": (totals, cem.Bernoulli([0.2] * 5), 6),
    "constant": (lambda X: np.full(len(X), 3.0), PAIR, 4.0),
    "minus infinity": (lambda X: np.full(len(X), -np.inf), PAIR, 4.0),
    "marginals": (totals, [stats.uniform()] * 2, 2.001),
}


@pytest.mark.slow
@pytest.mark.parametrize(("performance", "inputs", "level"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_level_that_nothing_can_reach(performance, inputs, level):
    e = improved(performance, inputs, level)
    assert e.status is cem.Status.LEVEL_UNREACHED
    assert "level" in e.message
    assert e.probability == 0
    low, high = e.confidence_interval()
    assert low == 0
    assert high > 1e-4
    assert "NOT trusted" in e.summary()


def test_a_certain_event_and_a_frequent_one():
    e = improved(totals, PAIR, -1.0)
    assert e.success
    assert e.probability == 1
    assert 0.98 < e.confidence_interval().low < 1
    frequent = improved_runs(8, totals, cem.Gaussian([0.0], std=1), stats.norm.isf(0.3))
    assert_right(frequent, 0.3)


def test_nan_everywhere_is_an_error():
    with pytest.raises(cem.ObjectiveError, match="NaN") as caught:
        improved(lambda X: np.full(len(X), np.nan), PAIR, 10.0)
    assert isinstance(caught.value.partial, cem.ProbabilityEstimate)


@pytest.mark.slow
@pytest.mark.parametrize("budget", [1, 2, 199, 200, 201, 1500, 4321])
def test_max_evaluations_is_exact(budget):
    counted = []

    def performance(X):
        counted.append(len(X))
        return totals(X)

    e = improved(performance, PAIR, 12.0, method="improved", target_cv=0.01, max_evaluations=budget)
    low, high = e.confidence_interval()
    assert sum(counted) == e.nfev == budget
    assert e.status is cem.Status.EVALUATION_LIMIT
    assert str(budget) in e.message
    assert low <= 13 * math.exp(-12) <= high


@pytest.mark.parametrize("budget", [1, 5, 50])
def test_a_tiny_budget_that_only_hits_is_no_certainty(budget):
    e = improved(totals, PAIR, 0.0, max_evaluations=budget)
    assert e.probability == 1
    assert not e.success
    assert e.confidence_interval().low < 1 - 1 / (budget + 1)


@pytest.mark.slow
def test_exactly_enough_is_enough():
    e = improved(totals, PAIR, 8.0)
    assert_same_estimate(e, improved(totals, PAIR, 8.0, max_evaluations=e.nfev, max_time=1e6))


class Trouble:
    """A performance that raises at its call number `at`."""

    def __init__(self, at, error):
        self.calls, self.at, self.error = 0, at, error

    def __call__(self, x):
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        return total(x)


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 300, 1500, 3000])
def test_a_performance_that_raises(at):
    with pytest.raises(cem.ObjectiveError, match="by my fault") as caught:
        improved(Trouble(at, ZeroDivisionError("by my fault")), PAIR, 10.0, target_cv=0.02, vectorized=False)
    partial = caught.value.partial
    assert partial.nfev == at - 1
    assert not partial.success
    low, high = partial.confidence_interval()
    assert 0 <= low < high <= 1


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 300, 1500, 3000])
def test_ctrl_c_returns_what_there_is(at):
    e = improved(Trouble(at, KeyboardInterrupt()), PAIR, 10.0, target_cv=0.02, vectorized=False)
    low, high = e.confidence_interval()
    assert e.status is cem.Status.INTERRUPTED
    assert e.nfev == at - 1
    assert low <= BEYOND_10 <= high


@pytest.mark.slow
def test_callback_after_every_iteration():
    seen = []
    e = improved(totals, PAIR, 8.0, callback=seen.append)
    assert [r.nit for r in seen] == list(range(1, e.nit + 1))
    for r in seen:
        np.testing.assert_array_equal(r.scores, totals(r.population))
    stopped = improved(totals, PAIR, 8.0, callback=lambda r: r.nit == 3)
    assert (stopped.status, stopped.nit) == (cem.Status.CALLBACK, 3)


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [PAIR, cem.Gaussian([1, 1], covariance=[[1, 0.5], [0.5, 1]])])
def test_results_do_not_depend_on_the_workers(inputs):
    serial = improved(total, inputs, 8.0, vectorized=False, target_cv=0.2)
    assert_same_estimate(serial, improved(totals, inputs, 8.0, target_cv=0.2))
    for backend in ("threading", "loky"):
        with joblib.parallel_config(backend):
            assert_same_estimate(
                serial, improved(total, inputs, 8.0, vectorized=False, target_cv=0.2, n_jobs=2)
            )


@pytest.mark.slow
def test_seeds_repeat_and_differ():
    one, again, other, unsaid = (
        improved(totals, PAIR, 8.0, target_cv=0.2, rng=seed) for seed in (3, 3, 4, None)
    )
    assert_same_estimate(one, again)
    assert one.probability != other.probability
    assert_same_estimate(unsaid, improved(totals, PAIR, 8.0, target_cv=0.2, rng=unsaid.seed))


def test_numpys_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    improved(totals, PAIR, 8.0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("when", [1, 3])
def test_ctrl_c_between_evaluations_keeps_what_there_is(monkeypatch, when):
    """It may come while a proposal is fitted; what was measured until then is reported all the same."""
    from cem.rare_events import learning

    original, calls = learning.fit, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == when:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(learning, "fit", interrupted)
    e = cem.estimate_probability(totals, PAIR, 10.0, vectorized=True, rng=1)
    assert len(calls) == when
    assert e.status is cem.Status.INTERRUPTED
    assert not e.success
    assert e.nfev >= e.draws > 0
    low, high = e.confidence_interval()
    assert low <= BEYOND_10 <= high
