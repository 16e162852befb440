"""Proposals conditional on the factors of a portfolio."""

import numpy as np
import pytest
import tuning

import cem
from cem.families.factor_steps import FactorSteps
from cem.rare_events.settings import DEFAULT
from cem.rare_events.spaces.factors import factor_steps
from cem.rare_events.spaces.normal import NormalSpace

RNG = np.random.default_rng
CASES = {case.name: case for case in tuning.problems()}


def defaults(x, loading):
    return (loading * x[:, :1] + np.sqrt(1 - loading**2) * x[:, 1:] > 2).sum(axis=1)


def test_the_slope_tells_the_factor_and_how_it_shifts_the_others():
    x = RNG(1).standard_normal((100_000, 31))
    x[:, 0] += 3
    losses = defaults(x, 0.5)
    hit = losses >= 14
    weights = np.exp(-3 * x[hit, 0])
    weights *= weights.sum() / (weights @ weights)
    slope = NormalSpace(31).slope(x, losses)
    fitted = factor_steps(slope, DEFAULT, x[hit], weights)(x[hit], weights, 1, RNG(2))
    assert isinstance(fitted, FactorSteps)
    np.testing.assert_array_equal(fitted.factors, [0])
    assert fitted.slopes[0] == pytest.approx(0.5 / np.sqrt(0.75), rel=0.25)
    z = fitted.common.means[0, 0]
    np.testing.assert_allclose(fitted.thresholds - fitted.slopes * z, (2 - 0.5 * z) / np.sqrt(0.75), atol=0.1)


def test_a_lower_tail_turns_the_signs():
    x = RNG(1).standard_normal((20_000, 31))
    losses = defaults(-x, 0.5)
    hit, ones = losses >= 4, np.ones((losses >= 4).sum())
    fitted = factor_steps(NormalSpace(31).slope(x, losses), DEFAULT, x[hit], ones)(x[hit], ones, 1, RNG(2))
    np.testing.assert_array_equal(fitted.signs, -1)


@pytest.mark.parametrize("slope", [np.ones(30), np.arange(30.0), np.r_[3.0, 2.0, 1.5, np.ones(30)]])
def test_no_factors_where_none_stands_out(slope):
    assert factor_steps(slope, DEFAULT, np.zeros((10, slope.size)), np.ones(10)) is None


@pytest.mark.slow
def test_a_portfolio_by_few_calls():
    """Unequal obligors, which took 80,000 to 110,000 calls by normal proposals alone."""
    case = CASES["portfolio 80"]
    e = cem.estimate_probability(case, vectorized=True, rng=1)
    assert e.success
    assert e.nfev < 60_000
    assert abs(e.probability - case.reference) <= 4 * e.standard_error
    assert "FactorSteps" in repr(e.family)
