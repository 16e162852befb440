"""Direction and length."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.families.von_mises_fisher_nakagami import concentration_of, log_bessel, mean_resultant

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
