"""Quantiles in both tails, far out: the tail of the quantile is the tail asked for."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_ndtr, ndtr, zeta

import cem
from cem.rare_events.marginals import Marginals

FAR = np.array([5.0, 6.5, 7.5, 8.7, 12.0, 20.0, 36.0])


def at(marginal, u):
    return Marginals((marginal,)).from_normal(np.asarray(u, dtype=float)[:, None])[:, 0]


# Log upper tails, or lower ones, by a formula that is accurate far out where scipy's own inverse is not.
UPPER = {
    "fisk": (stats.fisk(3.0), lambda x: -np.log1p(x**3)),
    "moyal": (
        stats.moyal(),
        lambda x: np.log(2 / np.sqrt(2 * np.pi)) - x / 2 + np.log1p(-np.exp(-x) / 6 + np.exp(-2 * x) / 40),
    ),
    "f(2, 4)": (stats.f(2, 4), lambda x: -2 * np.log1p(x / 2)),
    "betaprime": (stats.betaprime(1, 3), lambda x: -3 * np.log1p(x)),
    "burr": (stats.burr(2.0, 1.0), lambda x: -np.log1p(x**2)),
    "genlogistic": (stats.genlogistic(1.0), lambda x: -x - np.log1p(np.exp(-x))),
    "pearson3": (stats.pearson3(2.0), lambda x: -(x + 1)),
    "skewcauchy": (stats.skewcauchy(0.0), lambda x: np.log(np.arctan2(1, x) / np.pi)),
    "foldcauchy": (stats.foldcauchy(0.0), lambda x: np.log(2 * np.arctan2(1, x) / np.pi)),
}
LOWER = {
    "burr12": (stats.burr12(3.0, 2.0), lambda x: np.log(-np.expm1(-2 * np.log1p(x**3)))),
    "halfnorm": (stats.halfnorm(), lambda x: np.log(2 * x / np.sqrt(2 * np.pi))),
    "truncated weibull": (
        stats.truncweibull_min(1.0, 0.0, 5.0),
        lambda x: np.log(-np.expm1(-x) / -np.expm1(-5.0)),
    ),
    "powernorm": (stats.powernorm(3.0), lambda x: np.log(-np.expm1(3 * log_ndtr(-x)))),
    "negative pearson3": (stats.pearson3(-2.0), lambda x: -(1 - x)),
}


@pytest.mark.parametrize(("marginal", "log_tail"), UPPER.values(), ids=UPPER)
def test_upper_tails(marginal, log_tail):
    np.testing.assert_allclose(log_tail(at(marginal, FAR)), log_ndtr(-FAR), rtol=1e-8, atol=2e-6)


@pytest.mark.parametrize(("marginal", "log_tail"), LOWER.values(), ids=LOWER)
def test_lower_tails(marginal, log_tail):
    np.testing.assert_allclose(log_tail(at(marginal, -FAR)), log_ndtr(-FAR), rtol=1e-8, atol=2e-6)


def test_next_to_an_end_that_is_not_zero():
    """A triangle's upper tail is (1 - x)^2/(1 - c): so far out doubles end."""
    x = at(stats.triang(0.5), [5.0, 6.0])
    np.testing.assert_allclose(1 - x, np.sqrt(0.5 * ndtr([-5.0, -6.0])), rtol=1e-6)
    assert (at(stats.triang(0.5), [9.0, 20, 37]) < 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("marginal", "level", "exact"),
    [
        (stats.binom(100, 0.05), 36, stats.binom(100, 0.05).sf(35)),
        (stats.poisson(2), 22, stats.poisson(2).sf(21)),
    ],
)
def test_probabilities_of_one_discrete_input(marginal, level, exact):
    e = cem.estimate_probability(lambda x: x[:, 0], [marginal], level, vectorized=True, rng=1)
    low, high = e.confidence_interval(0.999)
    assert e.success
    assert low < exact < high
    assert exact < 1e-15


DISCRETE = [
    stats.binom(100, 0.05),
    stats.poisson(2),
    stats.poisson(1e5),
    stats.nbinom(2, 1e-6),
    stats.geom(0.3),
    stats.geom(1e-6),
    stats.nbinom(2, 0.1),
    stats.planck(0.5),
    stats.hypergeom(300, 120, 60),
    stats.bernoulli(1e-15),
]


@pytest.mark.parametrize("marginal", DISCRETE, ids=[f"{m.dist.name}{m.args}" for m in DISCRETE])
def test_discrete_steps(marginal):
    """The quantile is the first value beyond which no more than the tail lies."""
    u = np.linspace(1, 36, 71)
    x = at(marginal, u)
    assert (marginal.logsf(x) <= log_ndtr(-u) + 1e-5).all()
    inside = x > marginal.support()[0]
    assert (marginal.logsf(x[inside] - 1) > log_ndtr(-u[inside]) - 1e-5).all()
    x = at(marginal, -u)
    assert (marginal.logcdf(x) >= log_ndtr(-u) - 1e-5).all()
    inside = x > marginal.support()[0]
    assert (marginal.logcdf(x[inside] - 1) < log_ndtr(-u[inside]) + 1e-5).all()


def test_discrete_tails_that_scipy_takes_from_one_minus_the_cdf():
    u = np.array([8.7, 12.0, 20.0, 30.0])
    k = at(stats.dlaplace(0.8), u)  # P(X > k) = e^(-a k)/(e^a + 1)
    tail = -0.8 * k - np.log1p(np.exp(0.8))
    assert (tail <= log_ndtr(-u)).all()
    assert (tail + 0.8 > log_ndtr(-u)).all()
    k = at(stats.zipf(2.2), u)
    np.testing.assert_allclose(np.log(zeta(2.2, k + 1) / zeta(2.2)), log_ndtr(-u), atol=1e-3)
    k = at(stats.dlaplace(1e-6), u)
    np.testing.assert_allclose(-1e-6 * k - np.log(2), log_ndtr(-u), rtol=1e-4)


@pytest.mark.slow
def test_a_zipf_that_scipy_never_inverts():
    e = cem.estimate_probability(np.sum, [stats.zipf(1.5)] * 2, 1e12, rng=1)
    assert e.success
    # P(X > k) -> 2 k^(-1/2)/zeta(1.5); the sum is large where one of the two is.
    assert e.probability == pytest.approx(4 * 1e-6 / zeta(1.5), rel=0.2)


def test_listed_values():
    marginal = stats.rv_discrete(values=([0, 2.5, 7], [1e-20, 0.5, 0.5]))()
    np.testing.assert_array_equal(at(marginal, [-10.0, -9.0, -0.1, 0.1, 30]), [0, 2.5, 2.5, 7, 7])


@pytest.mark.parametrize(
    "marginal", [stats.uniform(), stats.uniform(1, 1), stats.beta(2, 1), stats.truncexpon(2.0)]
)
def test_the_ends_themselves_have_no_probability(marginal):
    low, high = marginal.support()
    x = at(marginal, [-38.0, -37.0, -9.0, 8.5, 9.0, 37.0, 38.0, 40.0])
    assert (x < high).all()
    assert (x[1:] > low).all()


@pytest.mark.slow
def test_a_uniform_is_never_one():
    e = cem.estimate_probability(np.sum, [stats.uniform()], 1, max_evaluations=20_000, rng=1)
    assert not e.success
    assert e.probability == 0


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e160, 1e-200, 1e300])
def test_normals_of_any_scale(scale):
    e = cem.estimate_probability(lambda x: x[0], [stats.norm(0, scale)], 5 * scale, rng=1)
    assert e.success
    assert abs(e.probability - ndtr(-5.0)) < 4 * e.standard_error


def test_a_right_inverse_is_left_as_it_is():
    u = np.linspace(-8, 8, 201)
    for marginal in (
        stats.expon(),
        stats.lognorm(0.5),
        stats.gamma(2.5),
        stats.weibull_min(1.5),
        stats.gumbel_r(),
    ):
        x = np.where(u > 0, marginal.isf(ndtr(-np.abs(u))), marginal.ppf(ndtr(-np.abs(u))))
        np.testing.assert_array_equal(at(marginal, u), x)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["alpha", "foldcauchy", "levy_l", "skewcauchy", "mielke", "rice", "pearson3"]
)
def test_every_normal_that_a_double_can_hold_has_a_value(name):
    shapes = {"alpha": (3.5,), "foldcauchy": (4.7,), "skewcauchy": (0.5,), "mielke": (10, 4), "rice": (0.7,)}
    marginal = getattr(stats, name)(*shapes.get(name, () if name == "levy_l" else (0.1,)))
    u = np.sort(np.append(np.random.default_rng(1).standard_normal(200) * 4, [-40.0, -38, 38, 40]))
    x = at(marginal, u)
    assert not np.isnan(x).any()
    assert (x[1:] >= x[:-1]).all()
    inputs = cem.JointInputs([marginal])
    core = np.abs(u) < 8
    np.testing.assert_allclose(inputs.from_normal(inputs.to_normal(x[:, None]))[core, 0], x[core], rtol=1e-6)
