"""Few evaluations: exact probabilities, hand-overs, failed runs, budgets, exact repetition."""

import math

import numpy as np
import pytest
from helpers import least_coverage
from scipy import stats

import cem


def normal(d):
    return cem.Gaussian(np.zeros(d), std=np.ones(d))


def estimate(performance, inputs, level, **kwargs):
    kwargs = {"method": "surrogate", "vectorized": True, "rng": 1} | kwargs
    return cem.estimate_probability(performance, inputs, level, **kwargs)


def plane(X):
    return X.sum(axis=1) / np.sqrt(X.shape[1])


def erlang(level):
    return (1 + level) * math.exp(-level)


CASES = {
    "plane 2": (plane, normal(2), 3.5, stats.norm.sf(3.5)),
    "plane 10": (plane, normal(10), 4.0, stats.norm.sf(4.0)),
    "two planes": (lambda X: np.abs(plane(X)), normal(3), 3.2, 2 * stats.norm.sf(3.2)),
    "circle": (lambda X: (X**2).sum(axis=1), normal(2), 16.0, stats.chi2.sf(16.0, 2)),
    "ball": (lambda X: (X**2).sum(axis=1), normal(5), 24.0, stats.chi2.sf(24.0, 5)),
    "exponentials": (lambda X: X.sum(axis=1), cem.Exponential([1.0, 1.0]), 12.0, erlang(12.0)),
    "lognormal product": (
        lambda X: np.exp(0.4 * X.sum(axis=1)),
        normal(4),
        math.exp(2.8),
        stats.norm.sf(3.5),
    ),
    "ratio": (
        lambda X: np.exp(X[:, 0] - 0.5 * X[:, 1]),
        normal(2),
        math.exp(3.6 * math.sqrt(1.25)),
        stats.norm.sf(3.6),
    ),
    "gamma": (lambda X: X.sum(axis=1), cem.Gamma([2.0, 3.0], [1.0, 1.0]), 16.0, stats.gamma.sf(16.0, 5)),
}


FAST = ("plane 2", "two planes", "exponentials")


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_smooth_limit_states_take_few_evaluations(name):
    performance, inputs, level, exact = CASES[name]
    e = estimate(performance, inputs, level)
    low, high = e.confidence_interval()
    assert e.success
    assert e.status is cem.Status.TARGET_REACHED
    assert e.coefficient_of_variation <= 0.05
    assert low <= exact <= high
    assert e.nfev < 300
    assert "surrogate" in e.message


@pytest.mark.slow
def test_intervals_cover_over_many_seeds():
    covered = [
        low <= exact <= high
        for performance, inputs, level, exact in CASES.values()
        for seed in range(8)
        for low, high in [estimate(performance, inputs, level, rng=seed).confidence_interval()]
    ]
    assert np.mean(covered) >= least_coverage(len(covered))


@pytest.mark.slow
def test_the_lower_tail_and_a_looser_target():
    e = estimate(plane, normal(3), -3.0, tail="lower", target_cv=0.1)
    low, high = e.confidence_interval()
    assert e.success
    assert low <= stats.norm.sf(3) <= high
    assert e.nfev < 90


@pytest.mark.slow
def test_rows_of_the_estimate_are_in_the_event():
    e = estimate(plane, normal(3), 3.0)
    x, weights = e.failure_samples()
    assert (plane(x) >= 3.0).all()
    assert len(x) == e.hits > 10
    assert weights.sum() == pytest.approx(1)


# --- where a surrogate is of no use -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("performance", "d", "level", "exact"),
    [
        (lambda X: (plane(X) > 3.0).astype(float), 3, 0.5, stats.norm.sf(3.0)),
        (lambda X: np.where(X[:, 1] < -3, np.inf, X[:, 0]), 4, 3.0, 1 - stats.norm.cdf(3.0) ** 2),
    ],
    ids=["yes or no", "infinite scores"],
)
def test_the_improved_method_takes_over(performance, d, level, exact):
    e = estimate(performance, normal(d), level)
    low, high = e.confidence_interval()
    assert "a surrogate was given up" in e.message
    assert e.nfev > 1000
    assert low <= exact <= high


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_chaos_is_handed_over(seed):
    def chaotic(X):
        return plane(X) + np.sin(40 * X[:, 0])

    e = estimate(chaotic, normal(3), 3.5, rng=seed)
    u = np.linspace(-8, 8, 200_001)  # the sum of the others is normal
    rest = (3.5 - np.sin(40 * u)) * np.sqrt(3) - u
    exact = float((stats.norm.pdf(u) * stats.norm.sf(rest / np.sqrt(2))).sum() * (u[1] - u[0]))
    low, high = e.confidence_interval()
    assert "a surrogate was given up" in e.message
    assert not e.success or low <= exact <= high


@pytest.mark.slow
@pytest.mark.parametrize(
    "performance",
    [lambda X: np.ones(len(X)), lambda X: np.tanh(X[:, 0]), lambda X: 1 + 1e-14 * X[:, 0]],
    ids=["constant", "bounded far from its level", "nearly flat"],
)
def test_what_never_comes_near_is_bounded_by_nominal_draws(performance):
    e = estimate(performance, normal(3), 5.0, max_evaluations=200)
    low, high = e.confidence_interval()
    assert not e.success
    assert low == 0
    assert 0 < high < 0.05
    assert e.nfev == 200


# --- failed runs -----------------------------------------------------------------------------------------


def corner(X):
    return np.where(X[:, 1] < -1.2, np.nan, X[:, 0])


@pytest.mark.slow
def test_failed_runs_in_a_corner_reach_from_no_event_to_every_event():
    e = estimate(corner, normal(3), 3.2, max_evaluations=400)
    low, high = e.confidence_interval()
    p, lost = stats.norm.sf(3.2), stats.norm.cdf(-1.2)
    assert low <= p * (1 - lost)
    assert high >= p * (1 - lost) + lost
    assert not e.success
    assert e.nan_probability > 0.01
    assert e.status in (cem.Status.UNTRUSTED, cem.Status.EVALUATION_LIMIT)


@pytest.mark.slow
def test_failed_runs_may_be_left_out():
    e = estimate(corner, normal(3), 3.2, max_evaluations=400, nan_policy="omit")
    low, high = e.confidence_interval()
    assert low <= stats.norm.sf(3.2) <= high
    assert not e.success or e.coefficient_of_variation <= 0.05


def test_a_failed_run_may_be_an_error():
    with pytest.raises(cem.ObjectiveError, match="nan_policy"):
        estimate(lambda X: np.full(len(X), np.nan), normal(2), 3.0, nan_policy="raise")


def test_failures_of_the_performance_come_out():
    def broken(X):
        if len(X) > 1:
            raise ZeroDivisionError("mesh")
        return X[:, 0]

    with pytest.raises(cem.ObjectiveError) as caught:
        estimate(broken, normal(2), 3.0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.partial.confidence_interval() == (0.0, 1.0)


# --- budgets ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("budget", [1, 18, 40])
def test_small_budgets_are_spent_and_their_intervals_are_honest(budget):
    covered = 0
    for seed in range(2):
        e = estimate(plane, normal(2), 3.0, max_evaluations=budget, rng=seed)
        low, high = e.confidence_interval()
        assert e.nfev == budget
        assert not e.success
        assert e.status is cem.Status.EVALUATION_LIMIT
        covered += low <= stats.norm.sf(3.0) <= high
    assert covered == 2


def test_no_surrogates_number_stands_alone():
    def stop(intermediate_result):
        return intermediate_result.nfev > 10

    e = estimate(plane, normal(2), 3.0, callback=stop)
    assert e.status is cem.Status.CALLBACK
    assert np.isnan(e.probability)
    assert e.confidence_interval() == (0.0, 1.0)
    assert "no estimate" in e.message


# --- how it is chosen --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_auto_chooses_it_for_small_budgets_of_few_continuous_inputs():
    def rows(**kwargs):
        given = {"target_cv": 0.3, "vectorized": True, "rng": 1} | kwargs
        e = cem.estimate_probability(plane, given.pop("inputs"), 3.0, **given)
        return "surrogate" in e.message

    assert rows(inputs=normal(2), max_evaluations=2999)
    assert rows(inputs=[stats.norm()] * 3, max_evaluations=500)
    assert not rows(inputs=normal(2), max_evaluations=3000)
    assert not rows(inputs=normal(21), max_evaluations=500)
    assert not rows(inputs=[stats.poisson(1.0)] * 2, max_evaluations=500)
    assert not rows(inputs=normal(2), max_evaluations=500, family=normal(2))


@pytest.mark.parametrize(
    ("inputs", "more"),
    [(cem.Bernoulli([0.1] * 3), {}), (normal(2), {"pass_rng": True}), (normal(2), {"family": normal(2)})],
)
def test_what_it_is_not_for_is_refused(inputs, more):
    def score(X, *_):
        return X.sum(axis=1)

    with pytest.raises(ValueError, match='method="surrogate"'):
        estimate(score, inputs, 2.0, **more)


# --- exact repetition --------------------------------------------------------------------------------------


def bits(e):
    return e.probability, e.coefficient_of_variation, e.confidence_interval(), e.nfev, e.nit, e.message


def curved(x):
    return float(x.sum() / np.sqrt(3) + 0.1 * x[0] ** 2)


@pytest.fixture(scope="module")
def whole():
    return estimate(curved, normal(3), 3.5, vectorized=False)


def test_workers_change_nothing(whole):
    assert bits(whole) == bits(estimate(curved, normal(3), 3.5, vectorized=False, n_jobs=2))


@pytest.mark.slow
@pytest.mark.parametrize("after", [2, 40])
def test_resumed_runs_end_with_the_same_bits(tmp_path, after, whole):
    path = tmp_path / "run.npz"
    calls = []

    def counted(x):
        calls.append(1)
        return curved(x)

    def stop(intermediate_result):
        return intermediate_result.nfev >= after

    cut = estimate(counted, normal(3), 3.5, vectorized=False, checkpoint=path, callback=stop)
    assert cut.nfev < whole.nfev
    done = estimate(counted, normal(3), 3.5, vectorized=False, checkpoint=path, resume=True)
    assert bits(done)[:5] == bits(whole)[:5]
    assert len(calls) < cut.nfev + whole.nfev
