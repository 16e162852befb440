"""Independent gamma coordinates."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma

import cem
from cem.families.gamma import shape_of

FAMILY = cem.Gamma([0.5, 3.0], [2.0, 0.1])


def test_log_density_is_scipys():
    x = FAMILY.sample(100, np.random.default_rng(0))
    exact = stats.gamma(0.5, scale=2).logpdf(x[:, 0]) + stats.gamma(3, scale=0.1).logpdf(x[:, 1])
    np.testing.assert_allclose(FAMILY.log_prob(x), exact, rtol=1e-12)
    assert FAMILY.log_prob(np.array([[1.0, -1.0]]))[0] == -np.inf


@pytest.mark.parametrize("shape", [1e-4, 0.03, 1.0, 7.0, 1e4])
def test_the_shape_solves_its_equation(shape):
    assert shape_of(np.log(shape) - digamma(shape)) == pytest.approx(shape, rel=1e-9)


def test_no_neighbour_is_likelier_than_the_fit():
    rng = np.random.default_rng(1)
    x, w = FAMILY.sample(50, rng), rng.random(50)
    fitted = FAMILY.fit(x, w)
    best = w @ fitted.log_prob(x)
    for factor in (0.99, 1.01):
        assert w @ cem.Gamma(fitted.shape * factor, fitted.scale).log_prob(x) < best
        assert w @ cem.Gamma(fitted.shape, fitted.scale * factor).log_prob(x) < best


@pytest.mark.parametrize("row", [[0.0, 0.0], [3.0, 3.0], [1e-300, 1e300]])
def test_a_fit_to_one_row_does_not_raise(row):
    fitted = FAMILY.fit(np.array([row, row]))
    assert np.all(np.isfinite(fitted.shape))
    assert np.all(fitted.scale > 0)


@pytest.mark.parametrize(("shape", "scale"), [([0.0], [1.0]), ([1.0], [-1.0]), ([1.0, 2.0], [1.0])])
def test_what_is_no_gamma_is_told(shape, scale):
    with pytest.raises(ValueError, match="shape"):
        cem.Gamma(shape, scale)


@pytest.mark.slow
def test_a_rare_sum_of_gammas():
    exact = stats.gamma.sf(25, 3.5)
    e = cem.estimate_probability(
        lambda X: X.sum(axis=1), cem.Gamma([0.5, 3.0], [1.0, 1.0]), 25, vectorized=True, target_cv=0.1, rng=1
    )
    assert e.success
    assert abs(e.probability / exact - 1) < 4 * e.coefficient_of_variation


def test_where_one_entry_has_no_density_and_another_has_a_pole_there_is_none():
    family = cem.Gamma([0.5, 2.0], [1.0, 1.0])
    assert family.log_prob([[0.0, 0.0]]).tolist() == [-np.inf]
    assert family.log_prob([[0.0, 1.0]]).tolist() == [np.inf]


def test_a_scale_whose_draws_would_overflow_is_refused():
    with pytest.raises(ValueError, match=r"at most 1e\+300; measure in other units"):
        cem.Gamma([1.0], [1e308])
