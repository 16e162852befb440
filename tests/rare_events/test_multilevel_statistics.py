"""The multilevel method: right on average and honest about each run.

Estimates are random, so they are tested as such: over many seeds their mean lies within three standard
errors of the exact value, and their intervals cover it about as often as they say.
"""

import itertools
import math

import numpy as np
import pytest
from helpers import (
    Poisson,
    assert_right_on_average,
    assert_trustworthy,
    covered,
    estimate,
    estimates,
    least_coverage,
    totals,
)
from scipy import stats

import cem
from problems.rare_event import bridge

# --- right on average: the bridge -----------------------------------------------------------------------


@pytest.mark.slow
def test_bridge_is_right_on_average():
    runs = estimates(50, bridge(2.0))
    assert all(e.success for e in runs)
    assert_right_on_average(runs, bridge(2.0).reference)
    assert_trustworthy(runs, bridge(2.0).reference)


@pytest.mark.slow
@pytest.mark.parametrize("level", [1.5, 2.0, 3.0])
def test_bridge_200_times(level):
    problem = bridge(level)
    runs = estimates(200, problem, first=1000)
    assert level == 3 or all(e.success for e in runs)
    assert_right_on_average(runs, problem.reference)
    assert_trustworthy(runs, problem.reference)


def test_bridge_needs_far_fewer_draws_than_plain_monte_carlo():
    e = estimate(bridge(2.0), rng=1)
    plain = 1 / (bridge(2.0).reference * e.coefficient_of_variation**2)
    assert e.nfev < plain / 100


# --- right on average: every family ---------------------------------------------------------------------


def network_fails(X):
    """Whether source and sink of the bridge are cut off from one another (a 1 is a broken edge)."""
    a, b, c, d, e = np.asarray(X, dtype=bool).T
    return ((a & b) | (d & e) | (a & c & e) | (b & c & d)).astype(float)


def network_probability(q):
    return 2 * q**2 + 2 * q**3 - 5 * q**4 + 2 * q**5


def test_the_network_polynomial_by_enumeration():
    q, states = 0.1, np.array(list(itertools.product((0, 1), repeat=5)))
    masses = q ** states.sum(axis=1) * (1 - q) ** (5 - states.sum(axis=1))
    assert masses @ network_fails(states) == pytest.approx(network_probability(q), rel=1e-12)


TABLES = [[0.7, 0.2, 0.1], [0.9, 0.1], [0.6, 0.3, 0.08, 0.02], [0.5, 0.5], [0.8, 0.15, 0.05]]


def categorical_probability(level):
    states = itertools.product(*(range(len(table)) for table in TABLES))
    return sum(
        math.prod(table[label] for table, label in zip(TABLES, labels, strict=True))
        for labels in states
        if sum(labels) >= level
    )


def gamma_sum(level, shape):
    return float(stats.gamma.sf(level, shape))


HALF = math.sqrt(0.5)


CASES = {
    "gaussian, 1-D": (totals, cem.Gaussian([0.0], std=1), 4.0, stats.norm.sf(4)),
    "gaussian, 2-D": (totals, cem.Gaussian([1.0, -1.0], std=[3, 4]), 20.0, stats.norm.sf(4)),
    "gaussian, 10-D": (totals, cem.Gaussian(np.zeros(10), std=1), 4 * math.sqrt(10), stats.norm.sf(4)),
    "gaussian, correlated": (
        totals,
        cem.Gaussian([0.0, 0.0], covariance=[[1, 0.5], [0.5, 1]]),
        3.5 * math.sqrt(3),
        stats.norm.sf(3.5),
    ),
    "gaussian, outside a ball": (
        lambda X: (X**2).sum(axis=1),
        cem.Gaussian([0.0, 0.0], std=1),
        20.0,
        math.exp(-10),
    ),
    "exponential": (totals, cem.Exponential([1.0, 1.0, 1.0]), 20.0, gamma_sum(20, 3)),
    "exponential, minimum": (lambda X: X.min(axis=1), cem.Exponential([1.0, 2.0]), 6.0, math.exp(-9)),
    "bernoulli, network": (network_fails, cem.Bernoulli([0.1] * 5), 1, network_probability(0.1)),
    "bernoulli, sum": (totals, cem.Bernoulli([0.1] * 20), 12, stats.binom.sf(11, 20, 0.1)),
    "categorical": (totals, cem.Categorical(TABLES), 8, categorical_probability(8)),
    "marginals, lognormal": (
        lambda X: np.log(X).sum(axis=1),
        [stats.lognorm(1.0), stats.lognorm(2.0), stats.lognorm(2.0)],
        12.0,
        stats.norm.sf(4),
    ),
    "marginals, gamma": (totals, [stats.expon(), stats.gamma(2.0)], 20.0, gamma_sum(20, 3)),
    "marginals, discrete": (
        totals,
        [stats.randint(0, 10), stats.randint(0, 10), stats.bernoulli(0.1), stats.bernoulli(0.2)],
        19,
        0.01 * (0.1 + 0.2 - 0.02) + 0.02 * 0.02,
    ),
}


@pytest.mark.parametrize(("performance", "inputs", "level", "exact"), CASES.values(), ids=CASES)
@pytest.mark.slow
def test_right_on_average(performance, inputs, level, exact):
    runs = estimates(60, performance, inputs, level, vectorized=True, max_evaluations=40_000)
    assert np.mean([e.success for e in runs]) >= 0.9
    assert_right_on_average(runs, exact)
    assert_trustworthy(runs, exact)


LEANS = {"marginals, gamma": 0.01}
"""What the only proposal of the method overlooks: one summand that brings the event about alone."""


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_right_on_average_to_two_per_cent(name):
    performance, inputs, level, exact = CASES[name]
    runs = estimates(100, performance, inputs, level, vectorized=True, target_cv=0.02, first=1000)
    assert_right_on_average(runs, exact, LEANS.get(name, 0.0))
    assert_trustworthy(runs, exact)


def test_a_users_own_family():
    runs = estimates(60, totals, Poisson([1.0, 2.0, 0.5]), 15, vectorized=True)
    assert all(e.success for e in runs)
    assert_right_on_average(runs, stats.poisson.sf(14, 3.5))
    assert_trustworthy(runs, stats.poisson.sf(14, 3.5))


# --- never a tight interval about a wrong number, in silence --------------------------------------------


@pytest.mark.slow
def test_two_equally_likely_ways_to_fail():
    """Failure regions far apart in four dimensions; a proposal in one of them sees half the probability."""
    exact = 2 * stats.norm.sf(4) - stats.norm.sf(4) ** 2
    inputs = cem.Gaussian(np.zeros(4), std=1)

    def either(X):
        return np.maximum((X[:, 0] + X[:, 1]) / math.sqrt(2), (X[:, 2] - X[:, 3]) / math.sqrt(2))

    runs = estimates(30, either, inputs, 4.0, vectorized=True, max_evaluations=60_000)
    wrong = np.array([e.success for e in runs]) & ~covered(runs, exact)
    assert wrong.mean() <= 1 - least_coverage(30)


@pytest.mark.slow
@pytest.mark.parametrize("q", [0.03, 0.01, 0.001])
def test_a_network_that_only_works_or_fails(q):
    """No levels to climb, and four ways to fail: a first batch with one hit knows only one of them."""
    runs = estimates(30, network_fails, cem.Bernoulli([q] * 5), 1, vectorized=True, max_evaluations=60_000)
    wrong = np.array([e.success for e in runs]) & ~covered(runs, network_probability(q))
    assert wrong.mean() <= 1 - least_coverage(30)


@pytest.mark.slow
@pytest.mark.parametrize("budget", [20, 300, 1500, 2500, 4000, 8000])
def test_intervals_of_runs_cut_short_are_honest(budget):
    exact = bridge(1.5).reference
    runs = estimates(60, bridge(1.5), max_evaluations=budget)
    assert all(e.nfev <= budget for e in runs)
    assert not any(e.success for e in runs if e.status is cem.Status.EVALUATION_LIMIT)
    assert covered(runs, exact).mean() >= least_coverage(60)


# --- what the estimate promises -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("target_cv", [0.3, 0.1, 0.03])
def test_target_cv_is_honoured(target_cv):
    runs = estimates(30, bridge(1.5), target_cv=target_cv)
    assert all(e.coefficient_of_variation <= target_cv for e in runs)
    assert all(e.success or e.status is cem.Status.UNTRUSTED for e in runs)
    assert np.mean([e.success for e in runs]) > 0.5
    p = np.array([e.probability for e in runs])
    # The spread seen over 30 runs is that of the target, up to what a chi-square with 29 degrees varies by.
    assert p.std(ddof=1) / p.mean() <= target_cv * np.sqrt(stats.chi2.ppf(0.999, 29) / 29)


def test_a_smaller_target_costs_more():
    costs = [estimate(bridge(1.5), target_cv=cv, rng=1).nfev for cv in (0.1, 0.03, 0.01)]
    assert costs[0] < costs[1] < costs[2]


def test_a_success_says_so():
    e = estimate(bridge(2.0), rng=1)
    assert isinstance(e, cem.ProbabilityEstimate)
    assert e.success
    assert e.status is cem.Status.TARGET_REACHED
    assert "target" in e.message
    assert isinstance(e.family, cem.Exponential)
    assert e.seed == 1


def test_history_and_counts_agree():
    e = estimate(bridge(2.0), rng=1)
    climb = e.history.stage == "climb"
    assert len(e.history) == e.nit
    assert np.all(np.diff(e.history.level) >= 0)
    assert np.all(e.history.level[climb][:-1] < 2)
    assert np.all(e.history.level[~climb] == 2)
    assert np.all(np.diff(e.history.nfev) > 0)
    assert e.history.nfev[-1] == e.nfev
    assert set(e.history.stage) == {"climb", "measure"}
    assert e.draws == e.nfev - e.history.nfev[climb][-1]
