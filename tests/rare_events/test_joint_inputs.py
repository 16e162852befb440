"""Gaussian copulas on scipy.stats marginals: the correlation asked for is the one that comes."""

import numpy as np
import pytest
from scipy import stats

import cem


def draws(inputs, n=60_000):
    return inputs.from_normal(np.random.default_rng(1).standard_normal((n, inputs.dimension)))


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


def test_a_dict_names_its_inputs():
    named = cem.JointInputs({"load": stats.gumbel_r(10, 2), "soil": stats.binom(10, 0.3)})
    assert named.names == ("load", "soil")
    assert cem.JointInputs([stats.norm()] * 2).names == ("x0", "x1")
    assert cem.JointInputs([stats.norm()] * 2, names=["a", "b"]).names == ("a", "b")
    assert "load: gumbel_r(10, 2)" in repr(named)
    assert "pearson correlation" in repr(cem.JointInputs([stats.norm()] * 2, [[1, 0.5], [0.5, 1]]))


def test_there_and_back():
    correlation = 0.7 * np.eye(3) + 0.3
    inputs = cem.JointInputs([stats.lognorm(0.5), stats.f(3, 8), stats.norm(5, 2)], correlation, "rank")
    u = np.random.default_rng(1).standard_normal((50, 3)) * 3
    np.testing.assert_allclose(inputs.to_normal(inputs.from_normal(u)), u, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("marginal", [stats.binom(10, 0.3), stats.geom(1e-6), stats.zipf(1.5)])
def test_discrete_values_come_back(marginal):
    inputs = cem.JointInputs([marginal])
    x = inputs.from_normal(np.linspace(-4, 4, 101)[:, None])
    np.testing.assert_array_equal(inputs.from_normal(inputs.to_normal(x)), x)
    assert np.isnan(inputs.to_normal([[0.5]])).all()


def test_a_sample_has_its_shape_and_seed():
    inputs = cem.JointInputs([stats.expon(), stats.norm()], [[1, 0.5], [0.5, 1]])
    x = inputs.sample(100, np.random.default_rng(1))
    assert x.shape == (100, 2)
    np.testing.assert_array_equal(x, inputs.sample(100, np.random.default_rng(1)))


@pytest.mark.slow
def test_single_distributions_and_dicts_are_inputs():
    exact = stats.expon.sf(8)
    for inputs in (stats.expon(), {"wait": stats.expon()}, cem.JointInputs(stats.expon())):
        e = cem.estimate_probability(np.sum, inputs, 8, rng=1)
        assert e.success
        assert abs(e.probability - exact) < 4 * e.standard_error


def test_a_multivariate_normal_is_inputs():
    mean, covariance = np.array([1.0, 2.0]), np.array([[4.0, 1.5], [1.5, 1.0]])
    inputs = stats.multivariate_normal(mean, covariance)
    exact = stats.norm.sf((12 - mean.sum()) / np.sqrt(covariance.sum()))
    e = cem.estimate_probability(lambda x: x.sum(axis=1), inputs, 12, vectorized=True, rng=1)
    assert e.success
    assert abs(e.probability - exact) < 4 * e.standard_error


@pytest.mark.skipif(not hasattr(stats, "make_distribution"), reason="scipy has no new distributions yet")
def test_new_distributions_of_scipy():
    gamma = stats.make_distribution(stats.gamma)(a=2.0)
    inputs = cem.JointInputs([stats.Normal(mu=1, sigma=2), gamma], [[1, 0.4], [0.4, 1]])
    old = cem.JointInputs([stats.norm(1, 2), stats.gamma(2)], [[1, 0.4], [0.4, 1]])
    u = np.random.default_rng(1).standard_normal((100, 2)) * 4
    np.testing.assert_allclose(inputs.from_normal(u), old.from_normal(u), rtol=1e-6)
    assert "Normal" in repr(inputs)


def test_rows_of_another_width():
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        cem.JointInputs([stats.norm()] * 2).from_normal(np.zeros((3, 3)))


def test_a_singular_correlation_has_no_way_back():
    with pytest.raises(ValueError, match="singular"):
        cem.JointInputs([stats.norm()] * 2, np.ones((2, 2))).to_normal(np.zeros((1, 2)))


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
    "names": (([ONE] * 2, None, "pearson", ["a", "a"]), ValueError, "distinct"),
    "both names": (({"a": ONE}, None, "pearson", ["a"]), ValueError, "leave it out"),
    "no str": (([ONE], None, "pearson", [1]), TypeError, "names"),
    "range": (([ONE] * 2, [[1, -0.9], [-0.9, 1]]), ValueError, r"-0\.6449 to 1\.0000"),
    "kind": (([ONE] * 2, np.eye(2), "kendall"), ValueError, "correlation_kind"),
    "marginals": (([1, 2],), TypeError, "not a frozen"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        cem.JointInputs(*arguments)
