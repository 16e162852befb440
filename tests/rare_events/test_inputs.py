"""What is random: scipy.stats marginals by way of standard-normal space, and inputs that are none."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_ndtr, ndtr

import cem
from cem.rare_events.marginals import Marginals
from cem.rare_events.working_space import resolve_inputs

FAR = np.array([-8.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 8.0])


def log_lower(u):
    """Logarithm of Φ(u)."""
    return log_ndtr(u)


def log_upper(u):
    """Logarithm of 1 - Φ(u)."""
    return log_ndtr(-u)


def log_of_minus_log(log_p, log_rest):
    """Log of -log p, from whichever of log p and log(1-p) is accurate."""
    minus_log = np.where(log_p < -0.7, -log_p, -np.log1p(-np.exp(log_rest)))
    return np.log(minus_log)


# Each: a frozen distribution and its exact quantile as a function of the standard normal u.
CONTINUOUS = {
    "normal": (stats.norm(3, 2), lambda u: 3 + 2 * u),
    "lognormal": (stats.lognorm(0.5, scale=2), lambda u: 2 * np.exp(0.5 * u)),
    "exponential": (stats.expon(scale=4), lambda u: 4 * np.exp(log_of_minus_log(log_upper(u), log_lower(u)))),
    "weibull": (
        stats.weibull_min(1.5, scale=2),
        lambda u: 2 * np.exp(log_of_minus_log(log_upper(u), log_lower(u)) / 1.5),
    ),
    "gumbel": (stats.gumbel_r(1, 2), lambda u: 1 - 2 * log_of_minus_log(log_lower(u), log_upper(u))),
    "logistic": (stats.logistic(0, 3), lambda u: 3 * (log_lower(u) - log_upper(u))),
    "pareto": (stats.pareto(2.5), lambda u: np.exp(-log_upper(u) / 2.5)),
    "uniform": (stats.uniform(0, 5), lambda u: 5 * ndtr(u)),
}


@pytest.mark.parametrize(("marginal", "quantile"), CONTINUOUS.values(), ids=CONTINUOUS)
@pytest.mark.parametrize("u", FAR)
def test_both_tails_are_exact(marginal, quantile, u):
    x = Marginals((marginal,)).from_normal(np.array([[u]]))
    np.testing.assert_allclose(x, [[quantile(np.array(u))]], rtol=1e-10)


@pytest.mark.parametrize(("marginal", "_"), CONTINUOUS.values(), ids=CONTINUOUS)
def test_the_change_of_tail_leaves_no_step(marginal, _):
    u = np.linspace(-1e-3, 1e-3, 2001)
    x = Marginals((marginal,)).from_normal(u[:, None])[:, 0]
    steps = np.diff(x)
    assert np.all(steps > 0)
    np.testing.assert_allclose(steps, steps.mean(), rtol=0.02)


@pytest.mark.parametrize(
    "marginal",
    [stats.poisson(3), stats.binom(10, 0.3), stats.randint(-2, 5), stats.bernoulli(0.1), stats.geom(0.2)],
    ids=["poisson", "binomial", "randint", "bernoulli", "geometric"],
)
def test_discrete_quantiles_by_definition(marginal):
    u = np.linspace(-7.95, 7.95, 401)
    k = Marginals((marginal,)).from_normal(u[:, None])[:, 0]
    np.testing.assert_array_equal(k, np.round(k))
    # The quantile is the k with P(X < k) < Φ(u) <= P(X <= k), said by the tail that is accurate there.
    low, high = u <= 0, u > 0
    assert np.all(marginal.cdf(k[low]) >= ndtr(u[low]) * (1 - 1e-9))
    assert np.all(marginal.cdf(k[low] - 1) <= ndtr(u[low]) * (1 + 1e-9))
    assert np.all(marginal.sf(k[high]) <= ndtr(-u[high]) * (1 + 1e-9))
    assert np.all(marginal.sf(k[high] - 1) >= ndtr(-u[high]) * (1 - 1e-9))


def test_draws_of_discrete_marginals_have_their_frequencies():
    n, marginals = 20_000, [stats.poisson(1.5), stats.bernoulli(0.3)]
    x = Marginals(tuple(marginals)).sample(n, np.random.default_rng(1))
    for column, marginal in zip(x.T, marginals, strict=True):
        for k in range(4):
            p = marginal.pmf(k)
            assert abs(np.mean(column == k) - p) <= 4 * np.sqrt(p * (1 - p) / n)


def test_draws_of_continuous_marginals_have_their_distributions_and_are_independent():
    marginals = (stats.expon(scale=2), stats.norm(1, 3), stats.beta(2, 3))
    x = Marginals(marginals).sample(5000, np.random.default_rng(2))
    assert x.shape == (5000, 3)
    for column, marginal in zip(x.T, marginals, strict=True):
        assert stats.kstest(column, marginal.cdf).pvalue > 1e-3
    correlation = np.corrcoef(stats.rankdata(x, axis=0), rowvar=False)
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 4 / np.sqrt(5000)


def test_each_column_goes_to_its_own_marginal():
    x = Marginals((stats.norm(10, 1), stats.norm(20, 2))).from_normal(np.array([[1.0, -1.0], [-8.0, 8.0]]))
    np.testing.assert_allclose(x, [[11.0, 18.0], [2.0, 36.0]])


def test_rows_are_read_only():
    x = Marginals((stats.norm(),)).from_normal(np.zeros((2, 1)))
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0] = 1


def test_log_prob_sums_densities_and_masses():
    x = np.array([[0.5, 2.0], [3.0, 0.0], [-1.0, 1.0]])
    expected = stats.expon.logpdf(x[:, 0]) + stats.poisson(3).logpmf(x[:, 1])
    np.testing.assert_allclose(Marginals((stats.expon(), stats.poisson(3))).log_prob(x), expected)
    assert expected[2] == -np.inf


# --- resolving ------------------------------------------------------------------------------------------


def test_a_family_is_its_own_first_proposal():
    nominal = cem.Exponential([1.0, 2.0])
    resolved = resolve_inputs(nominal, own=True)
    assert resolved.nominal is nominal
    assert resolved.proposal is nominal
    x = np.ones((3, 2))
    np.testing.assert_array_equal(resolved.present(x), x)


def test_a_first_proposal_is_taken():
    nominal, proposal = cem.Exponential([1.0, 2.0]), cem.Exponential([3.0, 4.0])
    resolved = resolve_inputs(nominal, proposal)
    assert resolved.nominal is nominal
    assert resolved.proposal is proposal


def test_marginals_are_sampled_in_standard_normal_space():
    resolved = resolve_inputs([stats.expon(), stats.norm(5, 2)], own=True)
    assert resolved.nominal is resolved.proposal
    np.testing.assert_array_equal(resolved.proposal.mean, [0, 0])
    np.testing.assert_array_equal(resolved.proposal.std, [1, 1])
    np.testing.assert_allclose(resolved.present(np.zeros((1, 2))), [[np.log(2), 5]])


def test_marginals_with_a_first_proposal_stay_in_their_own_space():
    resolved = resolve_inputs((stats.expon(), stats.expon(scale=2)), cem.Exponential([3.0, 4.0]))
    x = np.array([[1.0, 2.0]])
    np.testing.assert_array_equal(resolved.present(x), x)
    np.testing.assert_allclose(resolved.nominal.log_prob(x), [-1 - 1 - np.log(2)])


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (None, ValueError, "inputs"),
        ([], TypeError, "non-empty list"),
        ("norm", TypeError, "family .* or a non-empty list .* got str"),
        (3.0, TypeError, "got float"),
        ([stats.norm(), stats.norm], TypeError, r"inputs\[1\] is not a frozen"),
        ([0.0, 1.0], TypeError, r"inputs\[0\] is not a frozen"),
        ([cem.Gaussian([0.0], std=1)], TypeError, r"inputs\[0\]"),
        ([stats.multivariate_normal([0, 0])], TypeError, r"inputs\[0\]"),
        ([stats.norm([0, 1])], TypeError, "one for each input"),
        (cem.Gaussian, TypeError, "class|call"),
    ],
    ids=["none", "empty", "str", "number", "unfrozen", "numbers", "family", "multivariate", "array", "class"],
)
def test_inputs_that_are_none(inputs, error, message):
    with pytest.raises(error, match=message):
        resolve_inputs(inputs)


@pytest.mark.parametrize("inputs", [cem.Exponential([1.0, 1.0]), [stats.expon(), stats.expon()]])
def test_a_proposal_of_another_dimension(inputs):
    with pytest.raises(ValueError, match=r"3 variables.* 2"):
        resolve_inputs(inputs, cem.Exponential([1.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    "family", [np.ones(2), stats.expon(), "auto", cem.Exponential], ids=["array", "scipy", "str", "class"]
)
def test_a_proposal_that_is_no_family(family):
    with pytest.raises(TypeError, match="family"):
        resolve_inputs(cem.Exponential([1.0, 1.0]), family)


@pytest.mark.parametrize(
    ("probabilities", "level", "exact"),
    [([1e-15] * 3, 1, 3e-15), ([1e-20] * 3, 3, 1e-60), ([0.0, 1e-15], 1, 1e-15), ([0.05] * 4, 4, 0.05**4)],
)
def test_lists_of_bits_are_bits(probabilities, level, exact):
    """In normal space a bit is a threshold, which no double holds below 1e-16 of a tail."""
    e = cem.estimate_probability(lambda x: x.sum(), [stats.bernoulli(p) for p in probabilities], level, rng=1)
    low, high = e.confidence_interval(0.999)
    assert e.success
    assert low < exact < high
    assert e.failure_samples().x.dtype == np.float64


def test_a_bit_that_is_never_one():
    e = cem.estimate_probability(np.sum, [stats.bernoulli(0)], 1, max_evaluations=3000, rng=1)
    assert e.probability == 0
    assert not e.success


def test_bits_between_other_marginals_stay_where_they_are():
    seen = []
    cem.estimate_probability(
        lambda x: seen.append(x) or x.sum(),
        [stats.bernoulli(0.1, loc=2), stats.bernoulli(0.1)],
        4,
        max_evaluations=10,
        rng=1,
    )
    assert {2.0, 3.0} >= {row[0] for row in seen}
