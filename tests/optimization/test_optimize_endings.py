"""`optimize`: how runs end, and what budgets and targets promise."""

import time

import joblib
import numpy as np
import pytest
from helpers import Recorder, assert_same_run, rosenbrock_rows, sphere, sphere_rows, textbook
from scipy.optimize import LinearConstraint

import cem
from cem import Status


def noise(x, rng):
    """Never converges."""
    return rng.random()


# --- how runs end -----------------------------------------------------------------------------------


def interrupts_itself(x):
    raise KeyboardInterrupt


ENDS = {
    Status.CONVERGED: (sphere, {}),
    Status.TARGET_REACHED: (sphere, {"target": 1.0}),
    Status.EVALUATION_LIMIT: (sphere, {"max_evaluations": 250}),
    Status.ITERATION_LIMIT: (sphere, {"max_iterations": 3}),
    Status.TIME_LIMIT: (lambda x: time.sleep(0.002) or sphere(x), {"max_time": 0.02}),
    Status.COLLAPSED: (rosenbrock_rows, {"vectorized": True}),
    Status.CALLBACK: (sphere, {"callback": lambda intermediate_result: True}),
    Status.INTERRUPTED: (interrupts_itself, {}),
}


@pytest.mark.parametrize("status", ENDS, ids=lambda status: status.name)
def test_each_status_is_reached(status):
    fun, options = ENDS[status]
    r = textbook(fun, **options)
    assert r.status is status
    assert r.success is (status in (Status.CONVERGED, Status.TARGET_REACHED))
    assert isinstance(r.message, str)
    assert r.message
    assert r.nit == len(r.history)


@pytest.mark.parametrize("seed", range(8))
def test_the_textbook_on_rosenbrock_says_that_it_collapsed(seed):
    r = textbook(rosenbrock_rows, vectorized=True, rng=seed, method="textbook")
    assert r.status is Status.COLLAPSED
    assert not r.success
    assert r.fun > 1
    assert "collapsed" in r.message


@pytest.mark.parametrize("d", [1, 2, 5, 20])
@pytest.mark.parametrize("seed", range(4))
def test_a_sphere_converges(seed, d):
    r = textbook(sphere_rows, vectorized=True, bounds=[(-5, 3)] * d, rng=seed)
    assert r.status is Status.CONVERGED
    assert r.success
    assert r.fun < 1e-7
    np.testing.assert_allclose(r.x, 0, atol=1e-3)


def test_a_constant_shows_nothing():
    """One single value is no evidence of anything."""
    r = textbook(lambda x: 3.0)
    assert r.status is Status.COLLAPSED
    assert "every candidate had the same score" in r.message
    assert r.fun == 3.0


@pytest.mark.parametrize("shift", [0.0, 1e6, -1e6])
def test_the_tolerance_is_relative_to_the_best_score(shift):
    r = textbook(lambda X: sphere_rows(X) + shift, vectorized=True)
    assert r.status is Status.CONVERGED
    assert abs(r.fun - shift) < 1e-8 * (1 + abs(shift))


def test_a_spread_that_goes_before_the_slope_does_is_a_collapse():
    r = textbook(
        lambda X: X @ np.arange(1.0, 6.0),
        vectorized=True,
        bounds=[(-1e6, 1e6)] * 5,
        population=20,
        update=cem.updates.SmoothedFit(1.0),
    )
    assert r.status is Status.COLLAPSED
    assert r.fun > -1.4e7, "the corner has -1.5e7"


@pytest.mark.slow
@pytest.mark.parametrize(("population", "rate"), [(10, 0.1), (5, 0.01), (1, 0.5)])
def test_one_elite_that_agrees_with_itself_is_no_convergence(population, rate):
    """A single elite has no spread; what says that it is over is that it gets no better."""
    for seed in range(10):
        r = cem.optimize(
            lambda X: X.sum(axis=1),
            cem.Bernoulli([0.5] * 50),
            vectorized=True,
            maximize=True,
            population=population,
            update=cem.updates.SmoothedFit(rate),
            max_evaluations=2000,
            rng=seed,
        )
        assert not r.success or r.fun == 50, r.message


def test_a_coarser_tolerance_stops_earlier():
    coarse, fine = textbook(tol=1e-2), textbook(tol=1e-12)
    assert coarse.nit < fine.nit
    assert coarse.status is fine.status is Status.CONVERGED
    assert fine.fun < coarse.fun


def test_the_confirmation_costs_evaluations_that_are_counted():
    fun = Recorder()
    r = textbook(fun)
    assert r.nfev == len(fun.calls) == r.history.nfev[-1] + 500 + 1
    np.testing.assert_array_equal(fun.calls[-1], r.x)  # once more, before it is claimed


# --- budgets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vectorized", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 99, 100, 101, 250, 1000])
def test_the_number_of_evaluations_is_exact(limit, vectorized):
    calls = 0

    def fun(x):
        nonlocal calls
        calls += len(x) if vectorized else 1
        return sphere_rows(x) if vectorized else sphere(x)

    r = textbook(fun, vectorized=vectorized, max_evaluations=limit)
    assert calls == r.nfev == limit
    assert r.status is Status.EVALUATION_LIMIT
    assert r.fun == pytest.approx(sphere(r.x))


@pytest.mark.parametrize("limit", [1, 99, 101])
def test_the_number_of_evaluations_is_exact_in_parallel(limit):
    fun = Recorder()
    with joblib.parallel_config("threading"):
        r = textbook(fun, max_evaluations=limit, n_jobs=2)
    assert len(fun.calls) == r.nfev == limit
    assert_same_run(r, textbook(max_evaluations=limit))


def test_the_number_of_evaluations_is_exact_in_the_confirmation():
    full = textbook()
    for limit in (full.history.nfev[-1] + 1, full.nfev - 2):
        fun = Recorder()
        r = textbook(fun, max_evaluations=int(limit))
        assert len(fun.calls) == r.nfev == limit
        assert r.status is Status.EVALUATION_LIMIT, "not confirmed is not converged"
    assert textbook(max_evaluations=full.nfev).status is Status.CONVERGED


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
def test_every_run_ends_without_a_budget(d):
    r = textbook(noise, pass_rng=True, bounds=[(0, 1)] * d)
    assert r.nfev == 10_000 * d
    assert r.status is Status.EVALUATION_LIMIT


def test_every_run_of_a_problem_ends_without_a_budget():
    class Restless:
        start = cem.Bernoulli([0.5] * 2)
        maximize = True

        def __init__(self):
            self.rng = np.random.default_rng(0)

        def __call__(self, X):
            return self.rng.random(len(X))

        def improve(self, X, scores, rng, effort):
            return X, scores, 3

    r = cem.optimize(Restless(), rng=1)
    assert r.status is Status.EVALUATION_LIMIT
    assert r.nfev <= 20_100


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_the_number_of_iterations_is_exact(limit):
    r = textbook(max_iterations=limit)
    assert r.nit == len(r.history) == limit
    assert r.nfev == 100 * limit
    assert r.status is Status.ITERATION_LIMIT


def test_the_time_ends_within_a_batch():
    """At most the evaluation in flight is over time."""
    fun = Recorder(lambda x: time.sleep(0.01) or sphere(x))
    r = textbook(fun, max_time=0.05)
    assert r.status is Status.TIME_LIMIT
    assert 1 <= r.nfev == len(fun.calls) <= 6
    assert r.fun == min(sphere(x) for x in fun.calls)


def test_no_time_at_all():
    fun = Recorder()
    r = textbook(fun, max_time=1e-9)
    assert r.status is Status.TIME_LIMIT
    assert len(fun.calls) == r.nfev == 0
    assert r.x is None
    assert np.isnan(r.fun)
    assert "TIME_LIMIT" in repr(r)


def test_several_limits_the_first_counts():
    limits = {"max_evaluations": 150, "population": 100}
    assert textbook(max_iterations=1, **limits).status is Status.ITERATION_LIMIT
    assert textbook(max_iterations=2, **limits).status is Status.EVALUATION_LIMIT


@pytest.mark.parametrize("budget", [60, 100, 400])
@pytest.mark.parametrize("options", [{"integrality": [1, 1, 0, 0, 0], "polish": False}, {"noisy": True}])
def test_a_small_budget_buys_iterations(options, budget):
    r = cem.optimize(sphere, bounds=[(-5, 5)] * 5, max_evaluations=budget, rng=1, **options)
    assert len(r.history) >= (15 if "polish" in options else 5)


def test_whole_floats_are_counts():
    assert textbook(max_evaluations=1.5e2, max_iterations=1e3, population=50.0).nfev == 150


# --- target -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [20.0, 1.0, 1e-3])
def test_the_target_is_reached_and_no_further(target):
    r = textbook(target=target)
    assert r.status is Status.TARGET_REACHED
    assert r.fun <= target
    assert not np.any(r.history.best <= target), "it stops after the batch that reaches it"


def test_the_target_of_a_maximum():
    r = textbook(lambda x: 10 - sphere(x), maximize=True, target=9.5)
    assert r.status is Status.TARGET_REACHED
    assert 9.5 <= r.fun <= 10


def test_a_target_that_is_missed_is_no_success():
    r = textbook(target=-1.0)
    assert r.status is Status.COLLAPSED
    assert r.message.startswith("the target -1.0 is not reached")


def test_the_target_counts_in_a_batch_that_is_cut():
    r = textbook(lambda x: 0.0, target=1.0, max_evaluations=7)
    assert r.status is Status.TARGET_REACHED
    assert r.nfev == 7


def test_no_target_is_never_reached():
    """An infinitely good score is no target of anybody's."""
    r = textbook(lambda x: -np.inf if x[0] > 4 else sphere(x), max_evaluations=2000)
    assert r.status is not Status.TARGET_REACHED
    assert r.fun == -np.inf
    assert r.x[0] > 4


# --- problems that know their optimum ---------------------------------------------------------------


class KnowsItsOptimum:
    """Count the ones among ten; with a sign of -1 it is to be minimised."""

    def __init__(self, sign=1, optimum=10, most=None, improve=None):
        self.maximize, self.sign, self.optimum, self.start = (
            sign > 0,
            sign,
            optimum,
            cem.Bernoulli([0.5] * 10),
        )
        if most is not None:
            self.constraints = LinearConstraint(np.ones(10), -np.inf, most)
        if improve is not None:
            self.improve = improve

    def __call__(self, X):
        return self.sign * X.sum(axis=1, dtype=float)


def fills_up(X, scores, rng, effort):
    return np.ones_like(X[:1]), np.array([10.0]), 1


@pytest.mark.parametrize(
    ("problem", "fun"),
    [
        (KnowsItsOptimum(), 10),
        (KnowsItsOptimum(sign=-1, optimum=-10), -10),
        (KnowsItsOptimum(optimum=7), None),  # what is said to be the optimum may be bettered
        (KnowsItsOptimum(improve=fills_up), 10),
        (KnowsItsOptimum(optimum=6, most=6), 6),
    ],
    ids=["maximised", "minimised", "bettered", "improved", "constrained"],
)
def test_a_known_optimum_ends_the_run(problem, fun):
    r = cem.optimize(problem, rng=1)
    assert (r.status, r.message) == (Status.CONVERGED, "the known optimum is reached")
    assert r.fun == fun or (fun is None and r.fun >= 7)
    assert r.fun == problem(r.x[None])[0]


def test_an_infeasible_candidate_does_not_reach_the_optimum():
    r = cem.optimize(KnowsItsOptimum(optimum=8, most=6), rng=1, max_evaluations=20_000)
    assert r.message != "the known optimum is reached"
    assert r.fun == 6


@pytest.mark.slow
def test_an_optimum_that_is_not_reached_or_not_known_changes_nothing():
    runs = [cem.optimize(KnowsItsOptimum(optimum=value), rng=1) for value in (11, None)]
    assert_same_run(*runs)
    assert runs[0].message != "the known optimum is reached"


def test_a_target_comes_before_the_known_optimum():
    assert cem.optimize(KnowsItsOptimum(), target=10, rng=1).status is Status.TARGET_REACHED
    assert cem.optimize(KnowsItsOptimum(), target=5, rng=1).status is Status.TARGET_REACHED


def test_an_optimum_is_a_number():
    with pytest.raises(TypeError, match="optimum must be a number"):
        cem.optimize(KnowsItsOptimum(optimum="10"), rng=1)
