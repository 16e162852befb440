"""The Gaussian refit with memory, in its three variants."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.core.loop import Batch
from cem.families import FactoredGaussian, LowRankGaussian
from cem.updates.recombination import rates, smallest_population
from problems import continuous

VARIANTS = ["full", "separable", "low-rank"]


def batch(x, scores):
    return Batch(
        np.asarray(x, dtype=float), np.asarray(scores, dtype=float), lambda: np.random.default_rng(0)
    )


def solve(function, d, variant, limit, std=2.0, seed=1):
    return cem.optimize(
        function,
        start=cem.Gaussian(np.random.default_rng(seed).uniform(-1, 3, d), std=std),
        vectorized=True,
        update=cem.updates.PathAdaptation(variant),
        target=1e-8,
        max_evaluations=limit,
        rng=seed,
    )


# --- weights and rates ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 8, 50, 1000])
@pytest.mark.parametrize("d", [1, 2, 7, 30])
@pytest.mark.parametrize("separable", [False, True])
def test_rates_are_those_of_a_proper_average(n, d, separable):
    r = rates(n, d, separable)
    assert r.weights.shape == (n,)
    assert r.weights[: r.parents].sum() == pytest.approx(1)
    assert np.all(np.diff(r.weights) <= 1e-15)
    assert 0 < r.c_1 + r.c_mu <= 1 + 1e-15
    assert 1 <= r.mass <= r.parents + 1e-9


def test_the_defaults_of_the_tutorial():
    """Table 1 for D = 10 and its population of 10, worked out by hand."""
    r = rates(smallest_population(10), 10)
    assert smallest_population(10) == 10
    assert r.parents == 5
    assert r.mass == pytest.approx(3.167, abs=1e-3)
    assert r.c_sigma == pytest.approx(5.167 / 18.167, abs=1e-3)
    assert r.c_1 == pytest.approx(2 / (11.3**2 + 3.167), abs=1e-5)
    assert r.length == pytest.approx(stats.chi(10).mean(), rel=1e-3)


# --- what it solves ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_sphere_is_solved(variant):
    r = solve(continuous.sphere, 8, variant, 8000)
    assert r.status is cem.Status.TARGET_REACHED


def test_a_covariance_is_learnt():
    """Rosenbrock's valley is curved: neither variances nor few directions follow it as well."""
    assert solve(continuous.rosenbrock, 6, "full", 12_000, std=0.5).success


def test_variances_are_learnt():
    assert solve(continuous.ellipsoid, 10, "separable", 10_000).success


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "d"), [("separable", 1000), ("low-rank", 300)])
def test_many_variables(variant, d):
    assert solve(continuous.sphere, d, variant, 150 * d).success


@pytest.mark.slow
@pytest.mark.parametrize("d", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_variables_of_many_scales(d):
    assert solve(continuous.ellipsoid, d, "separable", 500 * d).success


def test_by_ask_and_tell():
    m = cem.CrossEntropyMethod(bounds=[(-3, 5)] * 4, update=cem.updates.PathAdaptation(), rng=1)
    for _ in range(150):
        x = m.ask()
        m.tell(x, continuous.sphere(x))
    assert m.best_fun < 1e-8
    assert len(x) == smallest_population(4)


def test_ask_and_tell_go_on_from_a_file(tmp_path):
    a = cem.CrossEntropyMethod(bounds=[(-3, 5)] * 4, update=cem.updates.PathAdaptation(), rng=1)
    for step in range(20):
        if step == 10:
            a.save(tmp_path / "m.npz")
            b = cem.CrossEntropyMethod.load(tmp_path / "m.npz")
        x = a.ask()
        a.tell(x, continuous.sphere(x))
    for _ in range(10):
        x = b.ask()
        b.tell(x, continuous.sphere(x))
    np.testing.assert_array_equal(a.family.factor, b.family.factor)


# --- how it steps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_does_not_depend_on_the_order_of_a_batch(variant):
    update = cem.updates.PathAdaptation(variant)
    state = update.init(cem.Gaussian([1.0, -2.0, 0.5], std=[1.0, 2.0, 3.0]))
    x = state.family.sample(12, np.random.default_rng(1))
    order = np.random.default_rng(2).permutation(12)
    scores = -continuous.sphere(x)
    a, b = update.step(state, batch(x, scores)), update.step(state, batch(x[order], scores[order]))
    np.testing.assert_allclose(a.family.mean, b.family.mean, rtol=1e-12)
    np.testing.assert_allclose(a.family.std, b.family.std, rtol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_ranks_count(variant):
    update = cem.updates.PathAdaptation(variant)
    state = update.init(cem.Gaussian([1.0, -2.0, 0.5], std=1.0))
    x = state.family.sample(12, np.random.default_rng(1))
    scores = -continuous.sphere(x)
    a, b = update.step(state, batch(x, scores)), update.step(state, batch(x, np.exp(scores)))
    np.testing.assert_array_equal(a.family.mean, b.family.mean)


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_a_preference_the_size_is_stationary(variant):
    """On random scores the log size is a walk with next to no drift (5 standard errors)."""
    update = cem.updates.PathAdaptation(variant)
    rng = np.random.default_rng(3)
    changes = []
    for _ in range(60):
        state = update.init(cem.Gaussian(np.zeros(5), std=1.0))
        for _ in range(30):
            x = state.family.sample(8, rng)
            state = update.step(state, batch(x, rng.standard_normal(8)))
        changes.append(np.log(float(state.memory["sigma"])))
    assert abs(np.mean(changes)) < 5 * np.std(changes) / np.sqrt(60) + 0.15


@pytest.mark.parametrize("variant", VARIANTS)
def test_bad_scores_do_not_teach(variant):
    update = cem.updates.PathAdaptation(variant)
    state = update.init(cem.Gaussian([0.0, 0.0], std=1.0))
    x = state.family.sample(8, np.random.default_rng(1))
    assert update.step(state, batch(x, np.full(8, np.nan))).family is state.family
    scores = np.full(8, np.nan)
    scores[3] = 1.0
    one = update.step(state, batch(x, scores))
    assert one.elites == 1
    np.testing.assert_allclose(one.family.mean, x[3], atol=1e-12)


def test_the_variant_is_chosen_by_dimension():
    update = cem.updates.PathAdaptation()
    assert isinstance(update.init(cem.Gaussian(np.zeros(200), std=1.0)).family, FactoredGaussian)
    large = update.init(cem.Gaussian(np.zeros(201), std=1.0)).family
    assert isinstance(large, cem.Gaussian)
    assert large.diagonal
    directed = LowRankGaussian.of(cem.Gaussian(np.zeros(9), std=1.0))
    assert isinstance(update.init(directed).family, LowRankGaussian)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_goes_on_from_its_family(variant):
    first = solve(continuous.sphere, 5, variant, 1500)
    again = cem.updates.PathAdaptation(variant).init(first.family)
    np.testing.assert_allclose(again.family.std, first.family.std, rtol=1e-9)


def test_what_it_cannot_move_is_told():
    with pytest.raises(TypeError, match="Gaussians, not Bernoulli"):
        cem.updates.PathAdaptation().init(cem.Bernoulli([0.5]))
    with pytest.raises(ValueError, match="variant is one of"):
        cem.updates.PathAdaptation("diagonal")
    state = cem.updates.PathAdaptation().init(cem.Gaussian([0.0], std=1.0))
    with pytest.raises(ValueError, match="at least 2"):
        cem.updates.PathAdaptation().step(state, batch([[1.0]], [0.0]))
