"""Reliability index, design point, importance factors, sensitivities and other inputs, by closed forms."""

import json
import pickle

import numpy as np
import pytest
from scipy import stats

import cem
from cem.rare_events.failures import nearest_boundary

SLOPE, MEAN, STD = np.array([1.0, 2.0, -1.0]), np.array([1.0, 0.0, 2.0]), np.array([1.0, 0.5, 2.0])
CORRELATION = np.array([[1, 0.3, 0], [0.3, 1, -0.2], [0, -0.2, 1]])
NAMES, LEVEL = ("load", "snow", "strength"), 9.0
MARGINALS = dict(zip(NAMES, (stats.norm(m, s) for m, s in zip(MEAN, STD, strict=True)), strict=True))
SEEDS = range(6)


def linear(x):
    return x @ SLOPE


def exact(mean=MEAN, std=STD, correlation=CORRELATION):
    """Return the probability that the linear function of normals reaches the level."""
    spread = np.sqrt(SLOPE @ (correlation * np.outer(std, std)) @ SLOPE)
    return stats.norm.sf((LEVEL - SLOPE @ mean) / spread)


def estimate(correlation, seed=1, **settings):
    inputs = cem.JointInputs(MARGINALS, None if correlation is None else correlation)
    return cem.estimate_probability(linear, inputs, LEVEL, vectorized=True, rng=seed, **settings)


def slope(of, at, j, h=1e-5):
    step = np.eye(3)[j] * h
    return (of(at + step) - of(at - step)) / (2 * h)


@pytest.fixture(scope="module", params=["independent", "correlated"])
def runs(request):
    correlation = CORRELATION if request.param == "correlated" else np.eye(3)
    given = CORRELATION if request.param == "correlated" else None
    return correlation, [estimate(given, seed) for seed in SEEDS]


def test_the_index_and_its_interval(runs):
    correlation, estimates = runs
    beta = -stats.norm.ppf(exact(correlation=correlation))
    inside = 0
    for e in estimates:
        low, high = e.reliability_index_interval()
        assert low < e.reliability_index < high
        assert e.reliability_index == pytest.approx(-stats.norm.ppf(e.probability))
        inside += low < beta < high
    assert inside >= len(estimates) - 1


def test_the_design_point_of_a_plane_is_exact(runs):
    """It is the mean plus the covariance times the slope, as far as the level."""
    correlation, estimates = runs
    covariance = correlation * np.outer(STD, STD)
    point = MEAN + covariance @ SLOPE * (LEVEL - SLOPE @ MEAN) / (SLOPE @ covariance @ SLOPE)
    z = (point - MEAN) / STD
    beta = -stats.norm.ppf(exact(correlation=correlation))
    for e in estimates:
        np.testing.assert_allclose(e.design_point.x, point, rtol=1e-6)
        assert e.design_point.distance == pytest.approx(beta, rel=1e-6)
        np.testing.assert_allclose(list(e.importance_factors.values()), z**2 / (z @ z), atol=1e-6)
        assert tuple(e.importance_factors) == NAMES


def test_sensitivities(runs):
    """Derivatives of the closed form; standard errors hold over seeds and parameters."""
    correlation, estimates = runs
    right = {}
    for j, name in enumerate(NAMES):
        right[name, "mean"] = slope(lambda mean: exact(mean=mean, correlation=correlation), MEAN, j)
        right[name, "standard deviation"] = slope(lambda std: exact(std=std, correlation=correlation), STD, j)
    scores = []
    for e in estimates:
        table = e.sensitivities()
        for key, value in right.items():
            row = table[key]
            scores.append((row.derivative - value) / row.standard_error)
    scores = np.array(scores)
    assert np.abs(scores).max() < 4.5
    assert 0.6 < np.sqrt((scores**2).mean()) < 1.6


def test_the_derivative_by_a_correlation():
    table, h = estimate(CORRELATION).sensitivities(), 1e-5
    for i, j in ((0, 1), (0, 2), (1, 2)):
        step = np.zeros((3, 3))
        step[i, j] = step[j, i] = h
        right = (exact(correlation=CORRELATION + step) - exact(correlation=CORRELATION - step)) / (2 * h)
        row = table[f"{NAMES[i]}, {NAMES[j]}", "pearson correlation"]
        assert row.value == CORRELATION[i, j]
        assert abs(row.derivative - right) < 4 * row.standard_error


@pytest.mark.slow
def test_a_pearson_correlation_of_lognormals():
    """The product of lognormals is lognormal; its spread has the copula's correlation."""
    s, rho, level = 0.5, 0.4, 15.0

    def right(pearson):
        r = np.log1p(pearson * np.expm1(s * s)) / s**2
        return stats.norm.sf(np.log(level) / (s * np.sqrt(2 + 2 * r)))

    inputs = cem.JointInputs([stats.lognorm(s)] * 2, [[1, rho], [rho, 1]])
    e = cem.estimate_probability(lambda x: x.prod(axis=1), inputs, level, vectorized=True, rng=1)
    row = e.sensitivities()["x0, x1", "pearson correlation"]
    assert abs(row.derivative - (right(rho + 1e-5) - right(rho - 1e-5)) / 2e-5) < 4 * row.standard_error
    scale = e.sensitivities()["x0", "scale"]
    r = np.log1p(rho * np.expm1(s * s)) / s**2
    spread = s * np.sqrt(2 + 2 * r)
    assert abs(scale.derivative - stats.norm.pdf(np.log(level) / spread) / spread) < 4 * scale.standard_error


def erlang_tail(level, shape, scale):
    return stats.gamma.sf(level, shape, scale=scale)


@pytest.mark.slow
def test_shape_and_scale_of_one_input():
    level, shape, scale, h = 30.0, 2.5, 1.5, 1e-5
    e = cem.estimate_probability(np.sum, [stats.gamma(shape, scale=scale)], level, rng=1)
    table = e.sensitivities()
    by = {
        "a": (erlang_tail(level, shape + h, scale) - erlang_tail(level, shape - h, scale)) / (2 * h),
        "scale": (erlang_tail(level, shape, scale + h) - erlang_tail(level, shape, scale - h)) / (2 * h),
    }

    def moments(mean, std):
        return erlang_tail(level, (mean / std) ** 2, std**2 / mean)

    mean, std = shape * scale, np.sqrt(shape) * scale
    by["mean"] = (moments(mean + h, std) - moments(mean - h, std)) / (2 * h)
    by["standard deviation"] = (moments(mean, std + h) - moments(mean, std - h)) / (2 * h)
    for name, right in by.items():
        assert abs(table["x0", name].derivative - right) < 4 * table["x0", name].standard_error, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "parameter", "right"),
    [
        ([stats.poisson(2)], "mu", stats.poisson(2).pmf(11)),
        ([stats.binom(10, 0.1)], "p", 10 * stats.binom(9, 0.1).pmf(11 - 4)),
        (cem.Exponential([2.0]), "mean", 12 / 4 * np.exp(-6)),
        (cem.Bernoulli([0.01, 0.02]), "p", 0.02),
    ],
    ids=["poisson", "binomial", "exponential", "bits"],
)
def test_other_inputs(inputs, parameter, right):
    level = {"mu": 12, "p": 8 if isinstance(inputs, list) else 2, "mean": 12}[parameter]
    e = cem.estimate_probability(lambda x: x.sum(axis=1), inputs, level, vectorized=True, rng=1)
    row = e.sensitivities()["x0", parameter]
    assert abs(row.derivative - right) < 4 * row.standard_error


def test_what_moves_the_support_has_no_derivative():
    e = cem.estimate_probability(np.sum, [stats.uniform(), stats.norm()], 4, rng=1)
    assert np.isnan(e.sensitivities()["x0", "mean"].derivative)
    assert np.isfinite(e.sensitivities()["x1", "mean"].derivative)


@pytest.mark.slow
def test_correlated_discrete_inputs_are_said_not_to_be_known():
    inputs = cem.JointInputs([stats.poisson(2), stats.norm()], [[1, 0.5], [0.5, 1]])
    e = cem.estimate_probability(lambda x: x.sum(axis=1), inputs, 12, vectorized=True, rng=1)
    table = e.sensitivities()
    assert np.isnan(table["x0", "mean"].derivative)
    assert table["x0, x1", "pearson correlation"].derivative > 0


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [None, CORRELATION])
def test_under_other_inputs(correlation):
    e = estimate(correlation, target_cv=0.02)
    other = cem.JointInputs([stats.norm(1.2, 1.05), stats.norm(0, 0.5), stats.norm(1.9, 2)], correlation)
    found = e.under(other)
    right = exact(
        MEAN + np.array([0.2, 0, -0.1]), STD * [1.05, 1, 1], np.eye(3) if correlation is None else correlation
    )
    low, high = found.confidence_interval(0.999)
    assert low < right < high
    assert found.standard_error < 0.05 * right
    same = e.under(cem.JointInputs(MARGINALS, correlation))
    assert same.probability == pytest.approx(e.probability)


@pytest.mark.slow
def test_inputs_too_far_or_out_of_reach():
    e = estimate(None)
    with pytest.raises(ValueError, match="too far"):
        e.under([stats.norm(-3, 0.3)] * 3)
    with pytest.raises(ValueError, match="3 inputs, the others are 2"):
        e.under([stats.norm()] * 2)
    bounded = cem.estimate_probability(np.sum, [stats.uniform()] * 2, 1.99, rng=1)
    with pytest.raises(ValueError, match="x0 would lie in"):
        bounded.under([stats.uniform(0, 2), stats.uniform()])


def test_families_of_ones_own_are_refused_clearly():
    path = cem.Categorical(np.full((3, 4), 0.25))
    e = cem.estimate_probability(lambda x: float((x == 3).all()), path, 1, rng=1)
    with pytest.raises(ValueError, match="Categorical inputs have no parameters"):
        e.sensitivities()
    with pytest.raises(ValueError, match="standard normal space"):
        _ = e.design_point
    assert "NOT trusted" in e.report() or "Trusted" in e.report()


def test_without_failures():
    e = cem.estimate_probability(np.sum, [stats.uniform()], 2, method="improved", max_evaluations=2000, rng=1)
    for ask in (lambda: e.design_point, e.sensitivities, lambda: e.under([stats.uniform()])):
        with pytest.raises(ValueError, match="no row failed"):
            ask()
    assert e.reliability_index == np.inf
    assert "no row failed" in e.report()
    assert json.loads(json.dumps(e.to_dict(), allow_nan=False))["design_point"] is None


def test_a_curved_boundary_gives_a_failing_row():
    e = cem.estimate_probability(
        lambda x: np.abs(x).max(axis=1), [stats.norm()] * 2, 4, vectorized=True, rng=1
    )
    assert np.abs(e.design_point.x).max() >= 4 - 1e-9
    assert 4 <= e.design_point.distance + 1e-9 < 4.3


def test_the_boundary_is_found_by_planes_alone():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4000, 3)) * 1.5
    np.testing.assert_allclose(
        nearest_boundary(x, x @ [1, 2, 2], 6.0), np.array([1, 2, 2]) * 6 / 9, rtol=1e-9
    )
    assert nearest_boundary(x, np.where(x[:, 0] > 2, 1.0, 0.0), 1.0) is None
    assert nearest_boundary(x, x @ [1, 2, 2], 100.0) is None


def test_tables_and_reports():
    pd = pytest.importorskip("pandas")
    e = estimate(CORRELATION)
    table = e.sensitivities()
    frame = table.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["input", "parameter", "value", "derivative", "standard_error"]
    assert len(frame) == len(table) == 9
    with pytest.raises(KeyError):
        table["load", "colour"]
    text, page = e.report(), e.report(html=True)
    for word in ("reliability index", "snow", "Design point", "pearson correlation"):
        assert word in text
        assert word in page
    assert page.count("<h2>") == 5


def test_estimates_pickle_with_what_they_know():
    e = estimate(CORRELATION)
    e.sensitivities()
    again = pickle.loads(pickle.dumps(e))
    assert list(again.sensitivities()) == list(e.sensitivities())
    np.testing.assert_array_equal(again.design_point.x, e.design_point.x)


@pytest.mark.slow
def test_dictionaries_are_ready_for_json():
    e = estimate(CORRELATION)
    found = json.loads(json.dumps(e.to_dict(), allow_nan=False))
    assert found["probability"] == e.probability
    assert found["status"] == e.status.name
    assert len(found["sensitivities"]["rows"]) == 9
    q = cem.estimate_quantile(np.sum, [stats.norm()] * 2, 1e-3, rng=1)
    assert json.loads(json.dumps(q.to_dict(), allow_nan=False))["quantile"] == q.quantile
    r = cem.optimize(lambda x: float(x @ x), bounds=[(-1, 2)] * 2, max_evaluations=200, rng=1)
    assert json.loads(json.dumps(r.to_dict(), allow_nan=False))["fun"] == r.fun


@pytest.mark.slow
@pytest.mark.parametrize("method", ["multilevel", "surrogate"])
def test_other_methods(method):
    e = estimate(None, method=method, max_evaluations=20_000)
    right = slope(lambda mean: exact(mean=mean, correlation=np.eye(3)), MEAN, 0)
    row = e.sensitivities()["load", "mean"]
    assert abs(row.derivative - right) < 4 * row.standard_error
    assert e.design_point.distance >= -stats.norm.ppf(exact(correlation=np.eye(3))) - 1e-9
