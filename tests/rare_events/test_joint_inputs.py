"""Gaussian copulas on scipy.stats marginals: the correlation asked for is the one that comes."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.rare_events.inputs import nataf, pearson_of


def draws(inputs, n=60_000):
    return inputs.from_normal(np.random.default_rng(1).standard_normal((n, inputs.dimension)))


def test_lognormals_have_a_closed_form():
    """For lognormals the copula's correlation is log(1 + ρ(e^{s²} - 1))/s²."""
    s, rho = 0.5, 0.4
    marginal = stats.lognorm(s)
    assert nataf(marginal, marginal, rho) == pytest.approx(np.log1p(rho * np.expm1(s**2)) / s**2, rel=1e-8)


def test_normals_keep_their_correlation():
    assert nataf(stats.norm(3, 2), stats.norm(), -0.7) == pytest.approx(-0.7, abs=1e-10)


@pytest.mark.parametrize("pair", [(stats.expon(), stats.gumbel_r()), (stats.gamma(2), stats.uniform())])
def test_pearson_is_solved(pair):
    x = draws(cem.JointInputs(pair, [[1, 0.5], [0.5, 1]]))
    assert np.corrcoef(x.T)[0, 1] == pytest.approx(0.5, abs=0.03)
    rho = nataf(*pair, 0.5)
    assert pearson_of(*pair, rho) == pytest.approx(0.5, abs=1e-9)


def test_ranks_are_kept():
    x = draws(cem.JointInputs([stats.expon(), stats.pareto(1.0)], [[1, -0.6], [-0.6, 1]], "rank"))
    assert stats.spearmanr(x).statistic == pytest.approx(-0.6, abs=0.02)


def test_marginals_are_kept():
    x = draws(cem.JointInputs([stats.expon(), stats.norm(5, 2)], [[1, 0.8], [0.8, 1]]))
    assert stats.kstest(x[:, 0], stats.expon().cdf).pvalue > 1e-3
    assert stats.kstest(x[:, 1], stats.norm(5, 2).cdf).pvalue > 1e-3


def test_without_a_correlation_inputs_are_independent():
    u = np.random.default_rng(2).standard_normal((5, 2))
    np.testing.assert_allclose(cem.JointInputs([stats.norm(1, 2)] * 2).from_normal(u), 1 + 2 * u)


def test_a_probability_of_dependent_inputs():
    """The product of three correlated lognormals is lognormal."""
    sd, level = 0.5, 20.0
    normal = np.full((3, 3), 0.3) + 0.7 * np.eye(3)
    inputs = cem.JointInputs([stats.lognorm(sd)] * 3, np.expm1(normal * sd**2) / np.expm1(sd**2))
    exact = stats.norm.sf(np.log(level) / (sd * np.sqrt(normal.sum())))
    e = cem.estimate_probability(lambda X: X.prod(axis=1), inputs, level, vectorized=True, rng=1)
    assert e.success
    assert abs(e.probability - exact) < 4 * e.standard_error
    slow = cem.estimate_probability(
        lambda X: X.prod(axis=1), inputs, level, vectorized=True, rng=1, method="multilevel"
    )
    assert abs(slow.probability - exact) < 4 * slow.standard_error


ONE = stats.expon()
BAD = {
    "shape": (([ONE] * 2, np.eye(3)), ValueError, "shape"),
    "asymmetric": (([ONE] * 2, [[1, 0.1], [0.2, 1]]), ValueError, "symmetric"),
    "no ones": (([ONE] * 2, [[2, 0.1], [0.1, 1]]), ValueError, "ones"),
    "out of reach": (([ONE] * 2, [[1, -0.9], [-0.9, 1]]), ValueError, "out of reach"),
    "indefinite": (
        ([stats.norm()] * 3, [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]),
        ValueError,
        "no Gaussian copula",
    ),
    "kind": (([ONE] * 2, np.eye(2), "kendall"), ValueError, "correlation_kind"),
    "marginals": (([1, 2],), TypeError, "not a frozen"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        cem.JointInputs(*arguments)
