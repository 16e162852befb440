"""Independent normals with a table of how likely each bin is."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import cem
from cem.families.tilted_bins import BINS, EDGES, NOMINAL, TiltedBins, bins_of, standard_bins

RNG = np.random.default_rng


def some(d, seed=1):
    masses = RNG(seed).dirichlet(np.full(BINS, 0.5), d) + 1e-6
    return TiltedBins(masses / masses.sum(axis=1, keepdims=True))


def test_the_bins_of_a_standard_normal():
    normal, x = standard_bins(3), np.array([[0.1, -9.0, 5.0], [8.5, 0.0, -0.2]])
    np.testing.assert_allclose(normal.log_prob(x), stats.norm.logpdf(x).sum(axis=1), rtol=1e-12)
    assert normal.entropy() == pytest.approx(3 * stats.norm.entropy(), rel=1e-9)
    assert NOMINAL.sum() == pytest.approx(1, abs=1e-15)


def test_the_density_integrates_to_the_masses_and_the_entropy():
    family = some(1)
    for low, high in pairwise(EDGES[20:31]):
        mass = quad(lambda x: np.exp(family.log_prob(np.array([[x]]))[0]), low, high)[0]
        assert mass == pytest.approx(family.masses[0, bins_of(low + 0.1)], rel=1e-8)
    x = family.sample(100_000, RNG(2))
    log = family.log_prob(x)
    assert family.entropy() == pytest.approx(-log.mean(), abs=4 * log.std() / np.sqrt(len(log)))


def test_draws_fall_into_the_bins_as_often_as_they_should():
    family, n = some(2), 100_000
    at = bins_of(family.sample(n, RNG(3)))
    for i in range(2):
        seen = np.bincount(at[:, i], minlength=BINS) / n
        error = np.sqrt(family.masses[i] / n)
        assert np.all(np.abs(seen - family.masses[i]) <= 5 * error + 1e-9)


def test_draws_inside_a_bin_are_normal():
    masses = np.full(BINS, 1e-9)
    masses[bins_of(2.1)] = 1
    x = TiltedBins(masses[None] / masses.sum()).sample(20_000, RNG(4))[:, 0]
    assert stats.kstest(x[(x > 2) & (x < 2.25)], stats.truncnorm(2, 2.25).cdf).pvalue > 1e-4


def test_a_fit_finds_two_humps_in_every_coordinate():
    x = RNG(5).normal(size=(4000, 3))
    x = np.where(RNG(6).random(x.shape) < 0.3, np.abs(x) * 0.3 + 2.5, x)
    fitted = standard_bins(3).fit(x)
    assert fitted.log_prob(x).mean() > stats.norm.logpdf(x).sum(axis=1).mean() + 1
    above = fitted.masses[:, bins_of(2.5) :].sum(axis=1)
    np.testing.assert_allclose(above, 0.3 + 0.7 * stats.norm.sf(2.5), atol=0.04)


def test_infinitely_many_rows_of_all_coordinates_make_them_alike():
    x, w = RNG(7).normal(size=(200, 4)), np.ones(200)
    alike = standard_bins(4).counted(x, w, np.inf).masses
    assert (alike == alike[0]).all()
    near = standard_bins(4).counted(x, w, 1e6).masses
    np.testing.assert_allclose(near, alike, atol=1e-3)
    own = standard_bins(4).counted(x, w, 0.0).masses
    counts, common = np.bincount(bins_of(x[:, 2]), minlength=BINS), slice(bins_of(-1.9), bins_of(1.9))
    np.testing.assert_allclose(own[2, common], (counts[common] + NOMINAL[common]) / 201)


def test_tails_in_which_few_rows_fell_are_those_of_a_normal():
    x = np.abs(RNG(9).normal(size=(300, 2))) + 1.0
    fitted = standard_bins(2).counted(x, np.ones(300), np.inf)
    tilts = fitted.masses[0] / NOMINAL
    far = bins_of(np.sort(x.ravel())[-10])
    assert np.ptp(tilts[far:]) < 1e-9 * tilts[far]
    assert tilts[far] > 1
    assert fitted.masses.sum(axis=1) == pytest.approx(1)


def test_an_inflated_copy_is_nearer_to_the_nominal():
    family = some(4)
    wide = family.inflated(1.0)
    gap, before = (np.abs(np.log(f.masses / NOMINAL)).mean() for f in (wide, family))
    assert gap < before
    np.testing.assert_allclose(wide.masses.sum(axis=1), 1)


@pytest.mark.parametrize(("masses", "match"), [(np.ones((2, 5)), "shape"), (np.ones((2, BINS)), "sum to 1")])
def test_bad_masses(masses, match):
    with pytest.raises(ValueError, match=match):
        TiltedBins(masses)


def test_what_it_is_in_a_pickle_and_in_a_mixture():
    family = pickle.loads(pickle.dumps(some(2)))
    with pytest.raises(ValueError, match="read-only"):
        family.masses[0] = 1.0
    assert repr(family) == "TiltedBins(2 coordinates)"
    normal, x = cem.Gaussian([1.0, 0.0], std=2), RNG(8).normal(size=(5, 2))
    mixed = family.blend(normal, 0.25).log_prob(x)
    parts = np.log([0.75, 0.25])[:, None] + np.array([family.log_prob(x), normal.log_prob(x)])
    np.testing.assert_allclose(mixed, np.logaddexp(*parts))
