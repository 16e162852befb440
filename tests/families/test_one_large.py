"""Components that differ in one coordinate each: the same distribution as a mixture of diagonal normals."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import cem
from cem.families.one_large import COMMON, LEAST_STD, OWN, PRIOR, OneLarge

RNG = np.random.default_rng
SHARES, AT, MEANS, STDS = [0.1, 0.3, 0.4, 0.2], [0, 1, 0, 1], [4.0, 5.0, -4.0, -3.0], [1.0, 0.5, 2.0, 0.7]
CENTRE, SPREAD = [0.1, -0.2], [1.1, 0.9]
FAMILY = OneLarge(SHARES, MEANS, STDS, CENTRE, SPREAD)


def spelt_out():
    means, stds = np.tile(CENTRE, (4, 1)), np.tile(SPREAD, (4, 1))
    means[np.arange(4), AT], stds[np.arange(4), AT] = MEANS, STDS
    return cem.GaussianMixture(SHARES, means, stds)


def test_density_and_entropy_are_those_of_the_mixture_spelt_out():
    x = RNG(1).normal(size=(100, 2)) * 4
    np.testing.assert_allclose(FAMILY.joint(x), spelt_out().joint(x), rtol=1e-12)
    np.testing.assert_allclose(FAMILY.log_prob(x), spelt_out().log_prob(x), rtol=1e-12)
    assert FAMILY.entropy() == pytest.approx(spelt_out().entropy(), rel=1e-12)
    wide = spelt_out().inflated(1.5).log_prob(x)
    np.testing.assert_allclose(FAMILY.inflated(1.5).log_prob(x), wide, rtol=1e-12)


def test_draws_have_the_density_that_scores_them():
    n = 200_000
    ours, theirs = FAMILY.sample(n, RNG(2)), spelt_out().sample(n, RNG(3))
    for f in (
        lambda x: x[:, 0],
        lambda x: x[:, 1],
        lambda x: x[:, 0] * x[:, 1],
        lambda x: (x**2).sum(axis=1),
    ):
        a, b = f(ours), f(theirs)
        assert abs(a.mean() - b.mean()) <= 4 * np.hypot(a.std(), b.std()) / np.sqrt(n)


def test_a_fit_finds_what_draws_were_made_with():
    start = OneLarge(np.ones(4), [3.0, 3.0, -3.0, -3.0], np.ones(4), np.zeros(2), np.ones(2))
    x = FAMILY.sample(20_000, RNG(4))
    fitted = start.fit(x)
    assert fitted.log_prob(x).mean() > start.log_prob(x).mean()
    np.testing.assert_allclose(fitted.shares, SHARES, atol=0.03)
    np.testing.assert_allclose(fitted.means, MEANS, atol=0.15)
    np.testing.assert_allclose(fitted.stds, STDS, rtol=0.1)


def step_spelt_out(family, x, w, r):
    """One maximisation step, coordinate by coordinate: shares, means, variances, centre, scatter."""
    sign = [1.0 if mean >= 0 else -1.0 for mean in family.means]
    mass = r.sum(axis=0)
    together = max(mass.sum(), 1e-300)
    mean_all = sum(s * (r[:, k] @ x[:, AT[k]]) for k, s in enumerate(sign)) / together
    spread_all = sum(r[:, k] @ x[:, AT[k]] ** 2 for k in range(4)) / together - mean_all**2
    means, variances = [], []
    for k, s in enumerate(sign):
        own = x[:, AT[k]]
        means.append((r[:, k] @ own + OWN * s * mean_all) / (mass[k] + OWN))
        gaps = r[:, k] @ (own - means[-1]) ** 2
        variances.append((gaps + OWN * max(spread_all, 0) + PRIOR) / (mass[k] + OWN))
    rest = np.stack([w - r[:, [k for k in range(4) if AT[k] == j]].sum(axis=1) for j in range(2)], axis=1)
    middle = (rest * x).sum() / rest.sum()
    centre = [(rest[:, j] @ x[:, j] + COMMON * middle) / (rest[:, j].sum() + COMMON) for j in range(2)]
    squares = np.array([rest[:, j] @ (x[:, j] - centre[j]) ** 2 for j in range(2)])
    scatter = (squares + COMMON * squares.sum() / rest.sum()) / (rest.sum(axis=0) + COMMON)
    return (mass + 1) / (mass + 1).sum(), means, variances, centre, scatter


@pytest.mark.parametrize("share", [0.6, 0.0])
@pytest.mark.parametrize("means", [MEANS, [0.0, 2.0, -1.0, 0.0]])
def test_a_step_is_the_one_spelt_out(share, means):
    family = OneLarge(SHARES, means, STDS, CENTRE, SPREAD)
    rng = RNG(5)
    x, w = rng.normal(size=(30, 2)) * 3 + 0.5, rng.uniform(0.5, 2, 30)
    r = share * w[:, None] * rng.dirichlet(np.ones(4), 30)
    after = family.refitted(x, w, r, r.sum(axis=0))
    shares, means, variances, centre, scatter = step_spelt_out(family, x, w, r)
    np.testing.assert_allclose(after.shares, shares, rtol=1e-9)
    np.testing.assert_allclose(after.means, means, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(after.stds**2, np.maximum(variances, LEAST_STD**2), rtol=1e-9)
    np.testing.assert_allclose(after.centre, centre, rtol=1e-9)
    np.testing.assert_allclose(after.spread**2, scatter, rtol=1e-9)


def test_rows_count_by_their_effective_number():
    x = RNG(6).normal(size=(40, 2))
    heavy = np.where(np.arange(40) < 10, 7.0, 0.0)
    once, only = FAMILY.fit(x, heavy), FAMILY.fit(x[:10])
    np.testing.assert_allclose(once.means, only.means, rtol=1e-9)
    np.testing.assert_allclose(once.stds, only.stds, rtol=1e-9)


def test_arrays_are_read_only_also_out_of_a_pickle():
    for family in (FAMILY, pickle.loads(pickle.dumps(FAMILY))):
        with pytest.raises(ValueError, match="read-only"):
            family.means[0] = 1.0
        assert repr(family) == "OneLarge(4 components, 2 coordinates)"
        np.testing.assert_array_equal(family.sample(5, RNG(5)), FAMILY.sample(5, RNG(5)))


def test_a_blend_is_a_mixture():
    x = RNG(6).normal(size=(50, 2)) * 3
    normal = cem.GaussianMixture([1.0], [[0.0, 0.0]], [[1.0, 1.0]])
    expected = 0.9 * np.exp(FAMILY.log_prob(x)) + 0.1 * np.exp(normal.log_prob(x))
    np.testing.assert_allclose(np.exp(FAMILY.blend(normal, 0.1).log_prob(x)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"means": [1.0]}, "have shape"),
        ({"centre": [0.0] * 3, "spread": [1.0] * 3}, "multiple of the 3"),
        ({"stds": [1.0, 0.0, 1.0, 1.0]}, "must be positive"),
        ({"shares": [1.0, 0.0, 1.0, 1.0]}, "positive"),
    ],
)
def test_bad_parameters(change, says):
    with pytest.raises(ValueError, match=says):
        replace(FAMILY, **change)
