"""The multilevel method on events and performances of every kind."""

import math

import numpy as np
import pytest
from helpers import (
    BEYOND_10,
    PAIR,
    Counting,
    assert_right_on_average,
    assert_same_estimate,
    assert_trustworthy,
    covered,
    estimate,
    estimates,
    least_coverage,
    negative_totals,
    total,
    totals,
)
from scipy import stats

import cem
from problems.rare_event import RareEventProblem

# --- the lower tail -------------------------------------------------------------------------------------


def test_the_lower_tail_mirrors_the_upper():
    upper = estimate(totals, PAIR, 10.0, vectorized=True, rng=1)
    lower = estimate(negative_totals, PAIR, -10.0, tail="lower", vectorized=True, rng=1)
    assert lower.probability == upper.probability
    assert lower.standard_error == upper.standard_error
    assert (lower.status, lower.nfev) == (upper.status, upper.nfev)
    np.testing.assert_array_equal(lower.failure_samples().x, upper.failure_samples().x)
    np.testing.assert_array_equal(lower.history.level, -upper.history.level)
    np.testing.assert_array_equal(lower.history.best, -upper.history.best)
    np.testing.assert_array_equal(lower.history.mean, -upper.history.mean)


def test_the_lower_tail_is_right():
    """The sum of three exponentials is small: P(sum <= .05)."""
    runs = estimates(60, totals, cem.Exponential([1.0] * 3), 0.05, tail="lower", vectorized=True)
    exact = stats.gamma.cdf(0.05, 3)
    assert all(e.success for e in runs)
    assert_right_on_average(runs, exact)
    assert all(np.all(totals(e.failure_samples().x) <= 0.05) for e in runs)


def test_the_level_itself_is_in_the_event():
    coin = cem.Bernoulli([0.5])
    for tail, level in (("upper", 1), ("lower", 0)):
        e = estimate(totals, coin, level, tail=tail, vectorized=True, rng=1)
        assert 0.4 < e.probability < 0.6


# --- problem objects ------------------------------------------------------------------------------------


def a_problem(tail="upper", vectorized=True, performance=totals, level=10.0):
    problem = RareEventProblem("pair", performance, PAIR, level, tail, BEYOND_10, 0.0, "by hand")
    if not vectorized:
        object.__setattr__(problem, "vectorized", False)
    return problem


def test_a_problem_brings_everything():
    assert_same_estimate(
        estimate(a_problem(), rng=3),
        estimate(totals, PAIR, 10.0, vectorized=True, rng=3),
    )


def test_a_problem_brings_its_tail():
    problem = a_problem("lower", performance=negative_totals, level=-10.0)
    e = estimate(problem, rng=3)
    assert e.probability == estimate(a_problem(), rng=3).probability


def test_a_problem_of_a_users_own():
    class Mine:
        inputs, level, tail = PAIR, 10.0, "upper"

        def performance(self, x):
            assert x.shape == (2,)
            return total(x)

    assert_same_estimate(estimate(Mine(), rng=3), estimate(total, PAIR, 10.0, rng=3))


@pytest.mark.parametrize("argument", [{"inputs": PAIR}, {"level": 2.0}, {"tail": "upper"}])
def test_what_a_problem_brings_is_not_given_again(argument):
    with pytest.raises(ValueError, match=f"brings its own {next(iter(argument))}"):
        estimate(a_problem(), **argument)


# --- a first proposal -----------------------------------------------------------------------------------


def first_population(**kwargs):
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result.population)
        return True

    estimate(totals, PAIR, 10.0, vectorized=True, callback=callback, rng=1, **kwargs)
    return seen[0]


def test_the_first_batch_is_drawn_from_the_first_proposal():
    nominal, proposed = first_population(), first_population(family=cem.Exponential([5.0, 7.0]))
    np.testing.assert_allclose(nominal.mean(axis=0), [1, 1], atol=5 / np.sqrt(1000))
    np.testing.assert_allclose(proposed.mean(axis=0), [5, 7], atol=5 * 7 / np.sqrt(1000))


PROPOSALS = {
    "good": (PAIR, cem.Exponential([5.0, 5.0])),
    "poor": (PAIR, cem.Exponential([0.7, 1.5])),
    "marginals": ([stats.expon(), stats.expon()], cem.Exponential([5.0, 5.0])),
}


@pytest.mark.slow
@pytest.mark.parametrize(("inputs", "family"), PROPOSALS.values(), ids=PROPOSALS)
def test_a_first_proposal_leaves_the_answer_alone(inputs, family):
    runs = estimates(60, totals, inputs, 10.0, family=family, vectorized=True)
    assert all(e.success for e in runs)
    assert_right_on_average(runs, BEYOND_10)
    assert_trustworthy(runs, BEYOND_10)


def test_a_first_proposal_of_another_family():
    """Truncation at zero is not in the Gaussian; the weights put it there."""
    runs = estimates(60, totals, PAIR, 4.0, family=cem.Gaussian([2.0, 2.0], std=2), vectorized=True)
    assert_right_on_average(runs, 5 * math.exp(-4))


def test_a_first_proposal_that_hits_only_what_cannot_happen():
    """All draws are in the event and none is possible: the probability is 0 as far as anyone can see."""
    e = estimate(
        negative_totals, cem.Exponential([1.0]), 2.0, family=cem.Gaussian([-50.0], std=1), vectorized=True,
        max_evaluations=5000, rng=1,
    )  # fmt: skip
    assert not e.success
    assert e.probability == 0
    assert e.confidence_interval() == (0, 1)
    assert not np.isnan(e.failure_samples().weights).any()


def test_a_discrete_first_proposal_for_discrete_marginals_rules_nothing_out():
    """One of the five bits hardly matters: a fit to few hits must not make it certain."""
    runs = estimates(
        60, totals, [stats.bernoulli(0.02)] * 5, 3, family=cem.Bernoulli([0.5] * 5), vectorized=True
    )
    exact = stats.binom.sf(2, 5, 0.02)
    assert_right_on_average(runs, exact)
    assert_trustworthy(runs, exact)


# --- easy, hard and impossible events -------------------------------------------------------------------


def test_a_certain_event():
    e = estimate(total, PAIR, -1.0, rng=1)
    assert e.probability == 1
    assert e.success
    assert e.standard_error == pytest.approx(0, abs=1e-9)
    low, high = e.confidence_interval()
    assert 0.99 < low < 1
    assert high == 1


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.5, 0.1, 0.9])
def test_an_event_that_is_not_rare(p):
    runs = estimates(60, totals, cem.Gaussian([0.0], std=1), stats.norm.isf(p), vectorized=True)
    assert all(e.success for e in runs)
    assert_right_on_average(runs, p)
    assert covered(runs, p).mean() >= least_coverage(60)


IMPOSSIBLE = {
    "bounded": (np.cos, cem.Gaussian([0.0], std=1), 1.5, "upper"),
    "bounded below": (np.cos, cem.Gaussian([0.0], std=1), -1.5, "lower"),
    "discrete": (total, cem.Bernoulli([0.2] * 5), 6, "upper"),
    "constant": (lambda x: 3.0, PAIR, 4.0, "upper"),
    "minus infinity": (lambda x: -np.inf, PAIR, 4.0, "upper"),
    "creeping up": (lambda x: -np.exp(-np.sum(x)), PAIR, 1e-6, "upper"),
    "marginals": (total, [stats.uniform(), stats.uniform()], 2.001, "upper"),
}


@pytest.mark.parametrize(("performance", "inputs", "level", "tail"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_level_that_nothing_can_reach(performance, inputs, level, tail):
    e = estimate(performance, inputs, level, tail=tail, rng=1)
    assert not e.success
    assert e.status is cem.Status.LEVEL_UNREACHED
    assert "level" in e.message
    assert e.nfev < 1_000_000
    assert e.probability == 0
    low, high = e.confidence_interval()
    assert low == 0
    assert high > 1e-4
    assert repr(e)


# --- odd performances -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_nan_on_part_of_the_space_is_not_in_the_event():
    def performance(X):
        return np.where(X[:, 0] > X[:, 1], np.nan, X.sum(axis=1))

    runs = estimates(60, performance, PAIR, 10.0, vectorized=True)
    assert_right_on_average(runs, BEYOND_10 / 2)
    for e in runs[:3]:
        assert e.status is cem.Status.UNTRUSTED
        assert e.history.nan_count[0] == pytest.approx(500, abs=5 * np.sqrt(250))
        assert e.nfev > e.history.nan_count.sum() > 0


def test_nan_everywhere_is_an_error():
    performance = Counting(lambda x: np.nan)
    with pytest.raises(cem.ObjectiveError, match="NaN") as caught:
        estimate(performance, PAIR, 10.0, rng=1)
    assert isinstance(caught.value.partial, cem.ProbabilityEstimate)
    assert not caught.value.partial.success
    assert performance.calls <= 10_000


def test_nan_in_the_lower_tail_is_not_in_the_event():
    def performance(X):
        return np.where(X[:, 0] > X[:, 1], np.nan, -X.sum(axis=1))

    e = estimate(performance, PAIR, -10.0, tail="lower", vectorized=True, rng=1)
    assert not np.isnan(performance(e.failure_samples().x)).any()
    assert e.probability == pytest.approx(BEYOND_10 / 2, rel=0.3)


@pytest.mark.parametrize(("floor", "successes"), [(2.0, 0.9), (3.0, 0.0)])
def test_minus_infinity_on_most_of_the_space(floor, successes):
    """Only 2.3 % and .13 % of the first batch have a finite performance."""

    def performance(X):
        return np.where(X[:, 0] < floor, -np.inf, X[:, 1])

    inputs = cem.Gaussian([0.0, 0.0], std=1)
    exact = stats.norm.sf(floor) * stats.norm.sf(1.5)
    runs = estimates(60, performance, inputs, 1.5, vectorized=True, max_evaluations=60_000)
    wrong = np.array([e.success for e in runs]) & ~covered(runs, exact)
    assert wrong.mean() <= 1 - least_coverage(60)
    assert np.mean([e.success for e in runs]) >= successes


def test_infinite_performance_is_in_the_event():
    def performance(X):
        x = X[:, 0]
        return np.where(x > 6, np.inf, x)

    runs = estimates(60, performance, cem.Exponential([1.0]), 9.0, vectorized=True)
    assert_right_on_average(runs, math.exp(-6))
    assert_trustworthy(runs, math.exp(-6))


STEPS = {
    "wide steps": (lambda X: np.floor(X.sum(axis=1) / 4), PAIR, 3.0, 13 * math.exp(-12)),
    "an indicator": (lambda X: (X.sum(axis=1) >= 6).astype(float), PAIR, 1.0, 7 * math.exp(-6)),
    "integers": (lambda X: X.sum(axis=1), cem.Bernoulli([0.05] * 12), 5, stats.binom.sf(4, 12, 0.05)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("performance", "inputs", "level", "exact"), STEPS.values(), ids=STEPS)
def test_few_distinct_performances(performance, inputs, level, exact):
    runs = estimates(60, performance, inputs, level, vectorized=True)
    assert all(e.success for e in runs)
    assert_right_on_average(runs, exact)
    assert_trustworthy(runs, exact)


def test_an_indicator_of_something_very_rare_is_given_up_honestly():
    runs = estimates(40, lambda X: (X.sum(axis=1) >= 25) * 1.0, PAIR, 1.0, vectorized=True)
    exact = 26 * math.exp(-25)
    for e in runs:
        assert not e.success
        assert e.status is cem.Status.LEVEL_UNREACHED
    assert covered(runs, exact).all()
