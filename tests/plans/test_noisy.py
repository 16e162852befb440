"""Noisy objectives: what is returned is no lucky draw, and says how good it is."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import cem
from cem.plans.noisy import rank_change

BOX = [(-5, 5)] * 3


def noisy_square(X, rng, sigma=0.1):
    return (X**2).sum(axis=1) + sigma * rng.standard_normal(len(X))


def run(**options):
    settings = {"bounds": BOX, "vectorized": True, "pass_rng": True, "noisy": True, "rng": 1}
    return cem.optimize(noisy_square, **(settings | options))


def test_ranks_that_do_not_change_are_certain():
    scores = np.arange(20.0)
    assert rank_change(scores, scores) < 0
    assert rank_change(scores, scores + 1e-9) < 0


def test_ranks_by_chance_are_uncertain():
    rng = np.random.default_rng(1)
    measured = [rank_change(rng.standard_normal(20), rng.standard_normal(20)) for _ in range(50)]
    assert np.mean(measured) > 0


def test_the_estimate_is_unbiased_and_its_error_is_right():
    z = []
    for seed in range(40):
        r = run(rng=seed, max_evaluations=3000)
        z.append((r.fun - (r.x**2).sum()) / r.fun_standard_error)
    assert abs(np.mean(z)) < 4 / np.sqrt(len(z))
    assert 0.6 < np.std(z) < 1.5


def test_the_returned_point_is_the_mean():
    r = run(max_evaluations=10_000)
    np.testing.assert_array_equal(r.x, r.family.mean)
    assert (r.x**2).sum() < 0.05
    assert r.fun > r.history.best[-1]  # which is a lucky draw
    assert r.nfev <= 10_000


def test_more_evaluations_where_noise_decides():
    r = run(max_evaluations=30_000)
    spent = np.diff(r.history.nfev)
    assert spent[-1] > 3 * spent[0]


def test_it_settles():
    r = run(max_evaluations=200_000)
    assert r.success
    assert (r.x**2).sum() < 0.01
    assert r.fun_standard_error < 0.02


def test_without_noise():
    r = cem.optimize(lambda x: (x**2).sum(), bounds=BOX, noisy=True, rng=1)
    assert r.success
    assert r.fun < 1e-8
    assert r.fun_standard_error < 1e-12


def test_a_maximum():
    r = cem.optimize(
        lambda X, rng: -noisy_square(X, rng),
        bounds=BOX,
        vectorized=True,
        pass_rng=True,
        noisy=True,
        maximize=True,
        max_evaluations=10_000,
        rng=1,
    )
    assert (r.x**2).sum() < 0.05
    assert abs(r.fun) < 0.05 + 4 * r.fun_standard_error


def test_an_end_from_outside_returns_what_was_measured():
    r = run(max_iterations=5)
    assert r.status is cem.Status.ITERATION_LIMIT
    assert np.isfinite(r.fun)
    assert np.isfinite(r.fun_standard_error)
    r = run(max_evaluations=50)
    assert r.status is cem.Status.EVALUATION_LIMIT
    assert r.nfev <= 50
    assert np.isfinite(r.fun_standard_error)


def test_discrete_candidates():
    def fun(X, rng):
        return -X.sum(axis=1) + 0.5 * rng.standard_normal(len(X))

    r = cem.optimize(
        fun,
        cem.Bernoulli(np.full(8, 0.5)),
        vectorized=True,
        pass_rng=True,
        noisy=True,
        max_evaluations=20_000,
        rng=1,
    )
    assert r.x.tolist() == [1] * 8
    assert r.fun == pytest.approx(-8, abs=4 * r.fun_standard_error)


def test_integers():
    r = run(integrality=[1, 1, 0], max_evaluations=10_000)
    np.testing.assert_array_equal(r.x[:2], 0)


@pytest.mark.parametrize("seed", range(3))
def test_noise_that_nobody_spoke_of_is_seen_and_said(seed):
    r = run(noisy=False, max_evaluations=3000, rng=seed)
    assert r.message.startswith("the objective is noisy")
    assert abs(r.fun - (r.x**2).sum()) < 5 * r.fun_standard_error  # no lucky draw


def test_few_evaluations_are_enough_for_an_estimate():
    r = run(max_evaluations=60)
    assert r.nit >= 5
    assert np.isfinite(r.fun)
    assert np.isfinite(r.fun_standard_error)


def test_the_same_seed_gives_the_same():
    a, b = run(max_evaluations=3000), run(max_evaluations=3000)
    np.testing.assert_array_equal(a.x, b.x)
    assert a.fun == b.fun


@pytest.mark.parametrize(
    ("options", "match"),
    [({"target": 0.0}, "target"), ({"constraints": LinearConstraint(np.ones((1, 3)), 0, 1)}, "together")],
)
def test_what_does_not_go_with_noise(options, match):
    with pytest.raises(ValueError, match=match):
        run(**options)
