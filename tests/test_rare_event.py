"""The multilevel method: right on average, honest about each run, and clear about bad input.

Estimates are random, so they are tested as such: over many seeds their mean lies within three standard
errors of the exact value, and their intervals cover it about as often as they say.
"""

import itertools
import math
import time
import warnings

import joblib
import numpy as np
import pytest
from scipy import special, stats

import cem
from problems.rare_event import RareEventProblem, bridge

PAIR = cem.Exponential([1.0, 1.0])
BEYOND_10 = 11 * math.exp(-10)  # P(x1 + x2 >= 10)


def total(x):
    return float(x.sum())


def totals(X):
    return X.sum(axis=1)


def noisy_total(x, rng):
    return float(x.sum()) + 0.1 * rng.standard_normal()


def estimate(*args, method="multilevel", **kwargs):
    return cem.estimate_probability(*args, method=method, **kwargs)


def estimates(runs, *args, first=0, **kwargs):
    return [estimate(*args, rng=first + seed, **kwargs) for seed in range(runs)]


def assert_right_on_average(runs, exact, lean=0.0):
    p = np.array([e.probability for e in runs])
    assert abs(p.mean() - exact) <= 3 * p.std(ddof=1) / np.sqrt(p.size) + lean * exact


def covered(runs, exact):
    """Tell for each run whether its 95 % interval holds the exact value."""
    intervals = np.array([e.confidence_interval() for e in runs])
    return (intervals[:, 0] <= exact) & (exact <= intervals[:, 1])


def least_coverage(n):
    """The coverage that n honest 95 % intervals fall below once in a thousand times."""
    return stats.binom.ppf(0.001, n, 0.95) / n


def assert_trustworthy(runs, exact):
    """Whatever calls itself a success has an interval that means what it says."""
    trusted = np.array([e.success for e in runs])
    assert trusted.any()
    assert covered(runs, exact)[trusted].mean() >= least_coverage(trusted.sum())


def assert_same(a, b):
    """The two estimates are the same bit for bit, times exempt."""
    np.testing.assert_array_equal(
        [a.probability, a.standard_error, a.effective_sample_size],
        [b.probability, b.standard_error, b.effective_sample_size],
    )
    assert (a.nfev, a.nit, a.status, a.message) == (b.nfev, b.nit, b.status, b.message)
    np.testing.assert_array_equal(a.failure_samples().x, b.failure_samples().x)
    np.testing.assert_array_equal(a.failure_samples().weights, b.failure_samples().weights)
    one, two = a.history.to_arrays(), b.history.to_arrays()
    for name in set(one) - {"seconds"}:
        np.testing.assert_array_equal(one[name], two[name])


class Counting:
    """A performance that counts its calls."""

    def __init__(self, performance=total):
        self.performance = performance
        self.calls = 0

    def __call__(self, x, *args):
        self.calls += 1
        return self.performance(x, *args)


# --- right on average: the bridge -----------------------------------------------------------------------


def test_bridge_is_right_on_average():
    runs = estimates(100, bridge(2.0))
    assert all(e.success for e in runs)
    assert_right_on_average(runs, bridge(2.0).reference)
    assert_trustworthy(runs, bridge(2.0).reference)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "successes", "coverage"), [(1.5, 1, 0.92), (2.0, 1, 0.92), (3.0, 0.85, 0.87)]
)
def test_bridge_200_times(level, successes, coverage):
    problem = bridge(level)
    runs = estimates(200, problem, first=1000)
    assert np.mean([e.success for e in runs]) >= successes
    assert_right_on_average(runs, problem.reference)
    assert covered(runs, problem.reference).mean() >= coverage


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


class Poisson:
    """A family as a user would write it: the five methods, nothing else."""

    def __init__(self, mean):
        self.mean = np.asarray(mean, dtype=float)

    def sample(self, n, rng):
        return rng.poisson(self.mean, size=(n, self.mean.size))

    def log_prob(self, x):
        return (special.xlogy(x, self.mean) - self.mean - special.gammaln(x + 1.0)).sum(axis=1)

    def fit(self, x, weights=None):
        return Poisson(np.average(x, axis=0, weights=weights))

    def blend(self, other, rate):
        return Poisson((1 - rate) * self.mean + rate * other.mean)

    def entropy(self):
        return float(0.5 * np.log(2 * np.pi * np.e * np.maximum(self.mean, 0.1)).sum())


def test_a_users_own_family():
    runs = estimates(60, totals, Poisson([1.0, 2.0, 0.5]), 15, vectorized=True)
    assert all(e.success for e in runs)
    assert_right_on_average(runs, stats.poisson.sf(14, 3.5))
    assert_trustworthy(runs, stats.poisson.sf(14, 3.5))


# --- never a tight interval about a wrong number, in silence --------------------------------------------


def test_two_equally_likely_ways_to_fail():
    """Failure regions far apart in four dimensions; a proposal in one of them sees half the probability."""
    exact = 2 * stats.norm.sf(4) - stats.norm.sf(4) ** 2
    inputs = cem.Gaussian(np.zeros(4), std=1)

    def either(X):
        return np.maximum((X[:, 0] + X[:, 1]) / math.sqrt(2), (X[:, 2] - X[:, 3]) / math.sqrt(2))

    runs = estimates(60, either, inputs, 4.0, vectorized=True, max_evaluations=60_000)
    wrong = np.array([e.success for e in runs]) & ~covered(runs, exact)
    assert wrong.mean() <= 1 - least_coverage(60)


@pytest.mark.parametrize("q", [0.03, 0.01, 0.001])
def test_a_network_that_only_works_or_fails(q):
    """No levels to climb, and four ways to fail: a first batch with one hit knows only one of them."""
    runs = estimates(60, network_fails, cem.Bernoulli([q] * 5), 1, vectorized=True, max_evaluations=60_000)
    wrong = np.array([e.success for e in runs]) & ~covered(runs, network_probability(q))
    assert wrong.mean() <= 1 - least_coverage(60)


@pytest.mark.parametrize("budget", [20, 300, 1500, 2500, 4000, 8000])
def test_intervals_of_runs_cut_short_are_honest(budget):
    exact = bridge(1.5).reference
    runs = estimates(60, bridge(1.5), max_evaluations=budget)
    assert all(e.nfev <= budget for e in runs)
    assert not any(e.success for e in runs if e.status is cem.Status.EVALUATION_LIMIT)
    assert covered(runs, exact).mean() >= least_coverage(60)


# --- what the estimate promises -------------------------------------------------------------------------


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


# --- the lower tail -------------------------------------------------------------------------------------


def negative_totals(X):
    return -X.sum(axis=1)


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
    assert_same(
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

    assert_same(estimate(Mine(), rng=3), estimate(total, PAIR, 10.0, rng=3))


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


def test_nan_on_part_of_the_space_is_not_in_the_event():
    def performance(X):
        return np.where(X[:, 0] > X[:, 1], np.nan, X.sum(axis=1))

    runs = estimates(60, performance, PAIR, 10.0, vectorized=True)
    assert all(e.success for e in runs)
    assert_right_on_average(runs, BEYOND_10 / 2)
    for e in runs[:3]:
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
    assert_same(e, estimate(bridge(2.0), max_evaluations=10**9, max_time=1e6, rng=1))


def test_exactly_enough_is_enough():
    e = estimate(bridge(2.0), rng=1)
    assert_same(e, estimate(bridge(2.0), max_evaluations=e.nfev, rng=1))


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
    assert_same(e, estimate(totals, PAIR, 10.0, vectorized=True, rng=1))


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


# --- how the performance is called ----------------------------------------------------------------------


def test_candidates_are_read_only_rows():
    def performance(x):
        assert isinstance(x, np.ndarray)
        assert x.shape == (2,)
        assert not x.flags.writeable
        return total(x)

    estimate(performance, PAIR, 5.0, target_cv=0.3, rng=1)


def test_a_performance_that_writes_to_its_candidate():
    def performance(x):
        x[0] = 0
        return total(x)

    with pytest.raises(cem.ObjectiveError, match="read-only"):
        estimate(performance, PAIR, 5.0, rng=1)


@pytest.mark.parametrize("inputs", [cem.Bernoulli([0.3] * 3), cem.Categorical([[0.7, 0.3]] * 3)])
@pytest.mark.parametrize("vectorized", [False, True])
def test_discrete_candidates_are_wide_integers(inputs, vectorized):
    def performance(x):
        assert x.dtype == np.int64
        return (2 * x - 1).sum(axis=-1)

    e = estimate(performance, inputs, 3, vectorized=vectorized, target_cv=0.2, rng=1)
    assert e.probability == pytest.approx(0.027, rel=0.8)


def test_vectorised_and_one_by_one_are_the_same():
    assert_same(
        estimate(total, PAIR, 10.0, rng=1),
        estimate(totals, PAIR, 10.0, vectorized=True, rng=1),
    )


def test_args():
    e = estimate(lambda x, a, b: a * x.sum() + b, PAIR, 25.0, args=(2, 5), rng=1)
    assert e.probability == estimate(lambda x: 2 * x.sum() + 5, PAIR, 25.0, rng=1).probability


@pytest.mark.parametrize("vectorized", [False, True])
def test_args_come_after_the_generator(vectorized):
    def performance(x, rng, scale):
        assert isinstance(rng, np.random.Generator)
        assert scale == 2
        return scale * x.sum(axis=-1)

    estimate(performance, PAIR, 10.0, vectorized=vectorized, pass_rng=True, args=(2,), target_cv=0.2, rng=1)


def test_every_candidate_has_a_generator_of_its_own():
    noise = []

    def performance(x, rng):
        noise.append(rng.random())
        return total(x)

    e = estimate(performance, PAIR, 10.0, pass_rng=True, target_cv=0.2, rng=1)
    assert len(set(noise)) == len(noise) == e.nfev
    first = list(noise)
    noise.clear()
    assert_same(e, estimate(performance, PAIR, 10.0, pass_rng=True, target_cv=0.2, rng=1))
    assert noise == first


def test_random_performance_is_part_of_the_probability():
    """P(x + noise >= 6), with x exponential and the noise normal: an exponentially modified Gaussian."""

    def performance(X, rng):
        return X[:, 0] + rng.standard_normal(len(X))

    runs = estimates(60, performance, cem.Exponential([1.0]), 6.0, vectorized=True, pass_rng=True)
    exact = stats.exponnorm.sf(6, 1)
    assert_right_on_average(runs, exact)


# --- the same result for every worker, and every kind of seed -------------------------------------------


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("problem", ["plain", "pass_rng", "vectorized"])
def test_results_do_not_depend_on_the_workers(backend, problem):
    performance, options = {
        "plain": (total, {}),
        "pass_rng": (noisy_total, {"pass_rng": True}),
        "vectorized": (totals, {"vectorized": True}),
    }[problem]
    options |= {"inputs": PAIR, "level": 10.0, "target_cv": 0.1, "rng": 5}
    serial = estimate(performance, n_jobs=1, **options)
    with joblib.parallel_config(backend):
        assert_same(serial, estimate(performance, n_jobs=2, **options))


def test_workers_are_inherited():
    with joblib.parallel_config("threading", n_jobs=2):
        inherited = estimate(total, PAIR, 10.0, rng=5)
    assert_same(inherited, estimate(total, PAIR, 10.0, rng=5))


@pytest.mark.parametrize("budget", [1, 999, 2345])
def test_max_evaluations_is_exact_with_workers(budget):
    performance = Counting()
    with joblib.parallel_config("threading"):
        e = estimate(performance, PAIR, 12.0, n_jobs=2, max_evaluations=budget, rng=1)
    assert e.nfev == budget
    assert_same(e, estimate(total, PAIR, 12.0, max_evaluations=budget, rng=1))


def run(rng):
    return estimate(totals, PAIR, 10.0, vectorized=True, target_cv=0.2, rng=rng)


def test_seeds_repeat_and_differ():
    assert_same(run(1), run(1))
    assert_same(run(1), run(np.int64(1)))
    assert run(1).probability != run(2).probability


def test_seed_sequences_repeat_and_are_not_used_up():
    sequence = np.random.SeedSequence(9)
    assert_same(run(sequence), run(sequence))
    assert_same(run(sequence), run(9))
    children = sequence.spawn(2)
    assert run(children[0]).probability != run(children[1]).probability
    assert_same(run(children[0]), run(np.random.SeedSequence(9, spawn_key=(0,))))


def test_generators_give_new_results_at_each_call():
    rng = np.random.default_rng(3)
    first, second = run(rng), run(rng)
    assert first.probability != second.probability
    assert_same(first, run(np.random.default_rng(3)))


@pytest.mark.parametrize(
    "rng",
    [None, 4, np.random.default_rng(3), np.random.SeedSequence(5, spawn_key=(1, 2))],
    ids=["none", "int", "generator", "sequence"],
)
def test_the_seed_repeats_the_run(rng):
    e = run(rng)
    assert_same(e, run(e.seed))


def test_no_seed_is_a_new_seed():
    assert run(None).probability != run(None).probability


def test_numpys_global_generator_is_left_alone():
    before = np.random.get_state()  # noqa: NPY002
    run(1)
    run(None)
    after = np.random.get_state()  # noqa: NPY002
    assert before[2] == after[2]
    np.testing.assert_array_equal(before[1], after[1])


# --- bad input ------------------------------------------------------------------------------------------

BAD = {
    "no level": ({"level": None}, ValueError, "level= is missing"),
    "level NaN": ({"level": np.nan}, ValueError, "level must be .*finite.*nan"),
    "level infinite": ({"level": np.inf}, ValueError, "level must be .*finite.*inf"),
    "level minus infinite": ({"level": -np.inf}, ValueError, "level must be .*finite.*-inf"),
    "level a word": ({"level": "high"}, TypeError, "level must be a number.*'high'"),
    "level a vector": ({"level": [1.0, 2.0]}, TypeError, "level must be a number"),
    "no inputs": ({"inputs": None}, ValueError, "inputs"),
    "inputs a number": ({"inputs": 3}, TypeError, "inputs must be .*got int"),
    "inputs empty": ({"inputs": []}, TypeError, "non-empty list"),
    "inputs bare scipy": ({"inputs": stats.norm()}, TypeError, "list"),
    "inputs not frozen": ({"inputs": [stats.norm]}, TypeError, r"inputs\[0\] is not a frozen"),
    "inputs a class": ({"inputs": cem.Exponential}, TypeError, "class|call"),
    "tail": ({"tail": "left"}, ValueError, "tail must be .*'left'"),
    "method": ({"method": "magic"}, ValueError, "method must be .*'magic'"),
    "target_cv 0": ({"target_cv": 0}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv 1": ({"target_cv": 1}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv negative": ({"target_cv": -0.1}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv NaN": ({"target_cv": np.nan}, ValueError, r"target_cv lies in \(0, 1\)"),
    "target_cv a word": ({"target_cv": "5 %"}, (ValueError, TypeError), "target_cv"),
    "target_cv None": ({"target_cv": None}, (ValueError, TypeError), "target_cv"),
    "family of another dimension": ({"family": cem.Exponential([1.0] * 3)}, ValueError, r"3 variables.* 2"),
    "no family": ({"family": "auto"}, TypeError, "family must have .*got str"),
    "family a class": ({"family": cem.Exponential}, TypeError, "family"),
    "no evaluations": ({"max_evaluations": 0}, ValueError, "max_evaluations must be a positive"),
    "negative evaluations": ({"max_evaluations": -5}, ValueError, "max_evaluations must be a positive"),
    "half an evaluation": ({"max_evaluations": 0.5}, ValueError, "max_evaluations must be a positive whole"),
    "evaluations a word": ({"max_evaluations": "many"}, TypeError, "max_evaluations must be a number"),
    "no time": ({"max_time": 0}, ValueError, "max_time must be a positive"),
    "negative time": ({"max_time": -1}, ValueError, "max_time must be a positive"),
    "time NaN": ({"max_time": np.nan}, ValueError, "max_time must be a positive"),
    "rng a word": ({"rng": "1"}, TypeError, "rng must be .*got str"),
    "rng a float": ({"rng": 1.5}, TypeError, "rng must be .*got float"),
    "rng a bool": ({"rng": True}, TypeError, "rng must be .*got bool"),
    "rng legacy": ({"rng": np.random.RandomState(1)}, TypeError, "rng must be .*RandomState"),
    "rng negative": ({"rng": -1}, ValueError, "rng must be a non-negative"),
    "callback": ({"callback": 3}, TypeError, "callback must be callable"),
    "no workers": ({"n_jobs": 0}, ValueError, "n_jobs"),
    "no time for an evaluation": ({"evaluation_timeout": 0}, ValueError, "evaluation_timeout must be a pos"),
    "a timeout that is a word": ({"evaluation_timeout": "1"}, TypeError, "evaluation_timeout must be a num"),
    "progress": ({"progress": "yes"}, TypeError, "progress must be True or False"),
    "checkpoint": ({"checkpoint": 3}, TypeError, "path of a file"),
    "resume": ({"resume": True}, ValueError, "checkpoint=path"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_anything_is_evaluated(change, error, message):
    performance = Counting()
    arguments = {"inputs": PAIR, "level": 10.0, "rng": 1} | change
    with pytest.raises(error, match=message):
        estimate(performance, **arguments)
    assert performance.calls == 0


@pytest.mark.parametrize("performance", [None, 3.0, "f", PAIR])
def test_a_performance_that_is_none(performance):
    with pytest.raises(TypeError, match="performance must be callable"):
        estimate(performance, PAIR, 10.0)


@pytest.mark.parametrize(
    "off",
    [
        {"evaluation_timeout": None, "progress": False, "checkpoint": None, "resume": False},
        {"progress": 0, "checkpoint": False, "resume": 0},
        {"evaluation_timeout": None, "progress": None, "checkpoint": None, "resume": None},
    ],
)
def test_off_is_accepted(off):
    assert estimate(totals, PAIR, 5.0, vectorized=True, target_cv=0.2, rng=1, **off).success


RESULTS = {
    "nothing": (lambda x: None, TypeError, "return missing"),
    "a word": (lambda x: "3", TypeError, "real number"),
    "a complex number": (lambda x: 1 + 2j, TypeError, "real number"),
    "a vector": (lambda x: x, ValueError, "vectorized=True"),
}


@pytest.mark.parametrize(("performance", "error", "message"), RESULTS.values(), ids=RESULTS)
def test_a_performance_that_returns_what_is_no_number(performance, error, message):
    with pytest.raises(error, match=message):
        estimate(performance, PAIR, 10.0, rng=1)


VECTORISED_RESULTS = {
    "a scalar": (lambda X: 1.0, ValueError, r"\(n, d\).*transpose"),
    "the transpose": (lambda X: X.sum(axis=0), ValueError, r"\(n, d\).*transpose"),
    "a column": (lambda X: X.sum(axis=1, keepdims=True), ValueError, r"\(n, d\).*transpose"),
    "complex numbers": (lambda X: 1j * X.sum(axis=1), TypeError, "real numbers"),
    "words": (lambda X: np.array(["3"] * len(X)), TypeError, "real numbers"),
}


@pytest.mark.parametrize(
    ("performance", "error", "message"), VECTORISED_RESULTS.values(), ids=VECTORISED_RESULTS
)
def test_a_vectorised_performance_of_the_wrong_shape_or_type(performance, error, message):
    with pytest.raises(error, match=message):
        estimate(performance, PAIR, 10.0, vectorized=True, rng=1)


def test_whole_and_numpy_numbers_are_numbers():
    e = estimate(
        np.max, PAIR, np.float32(5), target_cv=np.float64(0.2), max_evaluations=1e5, max_time=100, rng=1
    )
    assert e.success


def test_an_unpicklable_performance_with_processes():
    with joblib.parallel_config("loky"), pytest.raises(TypeError, match=r"module level.*threads"):
        estimate(Unpicklable(), PAIR, 10.0, n_jobs=2, rng=1)


class Unpicklable:
    def __call__(self, x):
        return total(x)

    def __reduce__(self):
        raise TypeError("cannot pickle this")


def test_estimation_is_quiet(capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimate(bridge(2.0), rng=1)
    assert caught == []
    assert capfd.readouterr() == ("", "")
