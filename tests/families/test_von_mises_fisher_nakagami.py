"""Direction and length."""

import tracemalloc

import numpy as np
import pytest
from scipy import special, stats

import cem
from cem.families.von_mises_fisher_nakagami import (
    concentration_of,
    expand_log_bessel,
    log_bessel,
    mean_resultant,
)

FAMILY = cem.VonMisesFisherNakagami([1.0, 2.0, -2.0], 4.0, 2.0, 3.0)


@pytest.mark.parametrize("d", [2, 10, 1000])
def test_standard_normal_is_a_member(d):
    x = np.random.default_rng(0).standard_normal((20, d))
    member = cem.VonMisesFisherNakagami(np.ones(d), 0.0, d / 2, d)
    np.testing.assert_allclose(member.log_prob(x), stats.norm.logpdf(x).sum(axis=1), rtol=1e-11)


def test_log_density_is_that_of_direction_and_length():
    x = FAMILY.sample(50, np.random.default_rng(1))
    r = np.linalg.norm(x, axis=1)
    turn = stats.vonmises_fisher(FAMILY.direction, 4.0).logpdf(x / r[:, None])
    length = stats.nakagami(2.0, scale=np.sqrt(3.0)).logpdf(r)
    np.testing.assert_allclose(FAMILY.log_prob(x), turn + length - 2 * np.log(r), rtol=1e-10)


def test_draws_in_many_dimensions_have_the_means_they_should():
    family, n = cem.VonMisesFisherNakagami(np.ones(200), 300.0, 90.0, 250.0), 20_000
    x = family.sample(n, np.random.default_rng(2))
    square = (x**2).sum(axis=1)
    along = x @ family.direction / np.sqrt(square)
    assert abs(square.mean() - 250) < 4 * square.std() / np.sqrt(n)
    assert abs(along.mean() - family.resultant) < 4 * along.std() / np.sqrt(n)


@pytest.mark.parametrize("d", [2, 3, 50, 1000, 10_000])
@pytest.mark.parametrize("concentration", [1e-3, 0.5, 20.0, 3000.0])
def test_the_concentration_solves_its_equation(d, concentration):
    rho = mean_resultant(d, concentration)
    assert 0 < rho < 1
    assert concentration_of(d, rho) == pytest.approx(concentration, rel=1e-7)


def test_bessels_logarithm_where_it_underflows():
    """Both sides of the recurrence I(v-1) - I(v+1) = 2v/x I(v), in logarithms."""
    low, middle, high = (log_bessel(v, 90.0) for v in (998.0, 999.0, 1000.0))
    assert np.exp(low - middle) - np.exp(high - middle) == pytest.approx(2 * 999 / 90, rel=1e-9)


@pytest.mark.parametrize(("order", "x"), [(0.5, 2000.0), (300.0, 1500.0), (900.0, 9000.0), (40.0, 1e6)])
def test_bessels_expansion_is_scipys_value(order, x):
    assert expand_log_bessel(order, x) == pytest.approx(np.log(special.ive(order, x)), rel=1e-12)


@pytest.mark.parametrize(("order", "x"), [(2000.0, 90.0), (1e5, 1e4), (1e5, 1e7), (30.0, 1e10)])
def test_bessels_expansion_solves_the_recurrence(order, x):
    """I(v-1) - I(v+1) = 2v/x I(v), but for the rounding of the logarithms."""
    low, middle, high = (log_bessel(v, x) for v in (order - 1, order, order + 1))
    right = 2 * order / x
    rounding = 4 * np.finfo(float).eps * max(1.0, abs(middle)) * np.exp(low - middle)
    assert np.exp(low - middle) - np.exp(high - middle) == pytest.approx(right, rel=1e-9, abs=rounding)


@pytest.mark.parametrize("d", [2, 3, 100, 10_000])
@pytest.mark.parametrize("noise", [0.0, 1e-300, 1e-16, 1e-10, 1e-6, 1e-3])
def test_a_fit_to_nearly_one_direction_takes_no_memory(d, noise):
    """The concentration is (d - 1) / (2 - 2 rho) to first order, far beyond where scipy's functions end."""
    rng = np.random.default_rng(6)
    x = 1 + noise * rng.standard_normal((20, d))
    tracemalloc.start()
    fitted = cem.VonMisesFisherNakagami(np.ones(d), 1.0, 1.0, 1.0).fit(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6 + 100 * x.size
    unit = x / np.linalg.norm(x, axis=1)[:, None]
    rho = min(float(np.linalg.norm(unit.mean(axis=0))), 1 - 1e-9)
    about = min((d - 1) / (2 * (1 - rho)), 1e10)
    assert fitted.concentration == pytest.approx(about, rel=0.02 + 2 * (1 - rho))
    assert np.all(np.isfinite(fitted.log_prob(x)))


def test_no_neighbour_is_likelier_than_the_fit():
    rng = np.random.default_rng(3)
    x, w = FAMILY.sample(60, rng), rng.random(60)
    fitted = FAMILY.fit(x, w)
    best = w @ fitted.log_prob(x)
    arrays = fitted.to_arrays()
    for name in arrays:
        for factor in (0.99, 1.01):
            change = [factor, 1, 1] if name == "direction" else factor
            other = type(fitted)(**(arrays | {name: arrays[name] * change}))
            assert w @ other.log_prob(x) < best


@pytest.mark.parametrize(
    "change",
    [
        {"direction": [1.0]},
        {"direction": [0.0, 0.0]},
        {"concentration": -1},
        {"shape": 0},
        {"spread": np.inf},
    ],
)
def test_what_is_no_member_is_told(change):
    given = {"direction": [1.0, 0.0], "concentration": 1.0, "shape": 1.0, "spread": 1.0}
    with pytest.raises(ValueError, match=next(iter(change))):
        cem.VonMisesFisherNakagami(**(given | change))


def test_a_fit_to_one_row_does_not_raise():
    for row in ([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]):
        fitted = FAMILY.fit(np.array([row]))
        assert np.isfinite(fitted.concentration)
        assert fitted.spread > 0
