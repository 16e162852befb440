"""`optimize`: how runs end, what they promise, and what they refuse."""

import os
import pickle
import signal
import time
from dataclasses import replace

import joblib
import numpy as np
import pytest
from scipy.optimize import Bounds
from scipy.optimize import OptimizeResult as ScipyResult

import cem
from cem import Status
from problems.maxcut import MaxCut

BOX = [(-5.0, 5.0)] * 5


def sphere(x):
    return float(x @ x)


def sphere_rows(X):
    return np.sum(X**2, axis=1)


def rosenbrock_rows(X):
    return np.sum(100 * (X[:, 1:] - X[:, :-1] ** 2) ** 2 + (1 - X[:, :-1]) ** 2, axis=1)


def noise(x, rng):
    """Never converges."""
    return rng.random()


def optimize(fun=sphere, **options):
    """The textbook's method: what is tested here is what surrounds any of them."""
    return cem.optimize(fun, **({"bounds": BOX, "rng": 1, "method": "textbook"} | options))


class Recorder:
    """Counts and keeps the calls of an objective."""

    def __init__(self, fun=sphere):
        self.fun = fun
        self.calls = []

    def __call__(self, x, *args):
        self.calls.append(np.array(x))
        return self.fun(x, *args)


def assert_same(a, b):
    """Bit for bit the same run; only the times may differ."""
    np.testing.assert_array_equal(a.x, b.x)
    assert (a.fun, a.nit, a.nfev, a.status, a.message) == (b.fun, b.nit, b.nfev, b.status, b.message)
    for key, value in a.family.to_arrays().items():
        np.testing.assert_array_equal(value, b.family.to_arrays()[key])
    for column in set(a.history.columns) - {"seconds"}:
        np.testing.assert_array_equal(getattr(a.history, column), getattr(b.history, column))


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
    r = optimize(fun, **options)
    assert r.status is status
    assert r.success is (status in (Status.CONVERGED, Status.TARGET_REACHED))
    assert isinstance(r.message, str)
    assert r.message
    assert r.nit == len(r.history)


@pytest.mark.parametrize("seed", range(8))
def test_the_textbook_on_rosenbrock_says_that_it_collapsed(seed):
    r = optimize(rosenbrock_rows, vectorized=True, rng=seed, method="textbook")
    assert r.status is Status.COLLAPSED
    assert not r.success
    assert r.fun > 1
    assert "collapsed" in r.message


@pytest.mark.parametrize("d", [1, 2, 5, 20])
@pytest.mark.parametrize("seed", range(4))
def test_a_sphere_converges(seed, d):
    r = optimize(sphere_rows, vectorized=True, bounds=[(-5, 3)] * d, rng=seed)
    assert r.status is Status.CONVERGED
    assert r.success
    assert r.fun < 1e-7
    np.testing.assert_allclose(r.x, 0, atol=1e-3)


def test_a_constant_converges():
    r = optimize(lambda x: 3.0)
    assert r.status is Status.CONVERGED
    assert r.fun == 3.0


@pytest.mark.parametrize("shift", [0.0, 1e6, -1e6])
def test_the_tolerance_is_relative_to_the_best_score(shift):
    r = optimize(lambda X: sphere_rows(X) + shift, vectorized=True)
    assert r.status is Status.CONVERGED
    assert abs(r.fun - shift) < 1e-8 * (1 + abs(shift))


def test_a_spread_that_goes_before_the_slope_does_is_a_collapse():
    r = optimize(
        lambda X: X @ np.arange(1.0, 6.0),
        vectorized=True,
        bounds=[(-1e6, 1e6)] * 5,
        population=20,
        update=cem.updates.SmoothedFit(1.0),
    )
    assert r.status is Status.COLLAPSED
    assert r.fun > -1.4e7, "the corner has -1.5e7"


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
    coarse, fine = optimize(tol=1e-2), optimize(tol=1e-12)
    assert coarse.nit < fine.nit
    assert coarse.status is fine.status is Status.CONVERGED
    assert fine.fun < coarse.fun


def test_the_confirmation_costs_evaluations_that_are_counted():
    fun = Recorder()
    r = optimize(fun)
    assert r.nfev == len(fun.calls) == r.history.nfev[-1] + 500


# --- budgets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("vectorized", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 99, 100, 101, 250, 1000])
def test_the_number_of_evaluations_is_exact(limit, vectorized):
    calls = 0

    def fun(x):
        nonlocal calls
        calls += len(x) if vectorized else 1
        return sphere_rows(x) if vectorized else sphere(x)

    r = optimize(fun, vectorized=vectorized, max_evaluations=limit)
    assert calls == r.nfev == limit
    assert r.status is Status.EVALUATION_LIMIT
    assert r.fun == pytest.approx(sphere(r.x))


@pytest.mark.parametrize("limit", [1, 99, 101])
def test_the_number_of_evaluations_is_exact_in_parallel(limit):
    fun = Recorder()
    with joblib.parallel_config("threading"):
        r = optimize(fun, max_evaluations=limit, n_jobs=2)
    assert len(fun.calls) == r.nfev == limit
    assert_same(r, optimize(max_evaluations=limit))


def test_the_number_of_evaluations_is_exact_in_the_confirmation():
    full = optimize()
    for limit in (full.history.nfev[-1] + 1, full.nfev - 1):
        fun = Recorder()
        r = optimize(fun, max_evaluations=int(limit))
        assert len(fun.calls) == r.nfev == limit
        assert r.status is Status.EVALUATION_LIMIT, "not confirmed is not converged"
    assert optimize(max_evaluations=full.nfev).status is Status.CONVERGED


@pytest.mark.parametrize("d", [1, 2])
def test_every_run_ends_without_a_budget(d):
    r = optimize(noise, pass_rng=True, bounds=[(0, 1)] * d)
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
    r = optimize(max_iterations=limit)
    assert r.nit == len(r.history) == limit
    assert r.nfev == 100 * limit
    assert r.status is Status.ITERATION_LIMIT


def test_the_time_ends_within_a_batch():
    """At most the evaluation in flight is over time."""
    fun = Recorder(lambda x: time.sleep(0.01) or sphere(x))
    r = optimize(fun, max_time=0.05)
    assert r.status is Status.TIME_LIMIT
    assert 1 <= r.nfev == len(fun.calls) <= 6
    assert r.fun == min(sphere(x) for x in fun.calls)


def test_no_time_at_all():
    fun = Recorder()
    r = optimize(fun, max_time=1e-9)
    assert r.status is Status.TIME_LIMIT
    assert len(fun.calls) == r.nfev == 0
    assert r.x is None
    assert np.isnan(r.fun)
    assert "TIME_LIMIT" in repr(r)


def test_several_limits_the_first_counts():
    assert optimize(max_evaluations=150, max_iterations=1).status is Status.ITERATION_LIMIT
    assert optimize(max_evaluations=150, max_iterations=2).status is Status.EVALUATION_LIMIT


def test_whole_floats_are_counts():
    assert optimize(max_evaluations=1.5e2, max_iterations=1e3, population=50.0).nfev == 150


# --- target -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [20.0, 1.0, 1e-3])
def test_the_target_is_reached_and_no_further(target):
    r = optimize(target=target)
    assert r.status is Status.TARGET_REACHED
    assert r.fun <= target
    assert not np.any(r.history.best <= target), "it stops after the batch that reaches it"


def test_the_target_of_a_maximum():
    r = optimize(lambda x: 10 - sphere(x), maximize=True, target=9.5)
    assert r.status is Status.TARGET_REACHED
    assert 9.5 <= r.fun <= 10


def test_a_target_that_is_out_of_reach_is_no_end():
    assert optimize(target=-1.0).status is Status.CONVERGED


def test_the_target_counts_in_a_batch_that_is_cut():
    r = optimize(lambda x: 0.0, target=1.0, max_evaluations=7)
    assert r.status is Status.TARGET_REACHED
    assert r.nfev == 7


def test_no_target_is_never_reached():
    """An infinitely good score is no target of anybody's."""
    r = optimize(lambda x: -np.inf if x[0] > 4 else sphere(x), max_evaluations=2000)
    assert r.status is not Status.TARGET_REACHED
    assert r.fun == -np.inf
    assert r.x[0] > 4


# --- bounds -----------------------------------------------------------------------------------------


class Cornered:
    """Pulls every candidate over the edge."""

    def __init__(self, sign):
        self.sign = sign

    def __call__(self, x):
        return self.sign * float(x.sum())


STARTS = {
    "box": None,
    "point": [0.1, 2.0, -0.5],
    "point in a corner": [0.3, 2.0, -1.0],
    "Gaussian": cem.Gaussian([0.0, 2.0, 0.0], std=[0.1, 50.0, 3.0]),
    "correlated": cem.Gaussian([0.0, 2.0, 0.0], covariance=np.eye(3) + 0.5),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_bounds_are_never_violated(start, sign):
    """Not by the loop and not by the confirmation: bounds that are not exact in binary on purpose."""
    bounds = [(-0.7, 0.3), (0.1, 1e3), (-1.0, 1 / 3)]
    fun = Recorder(Cornered(sign))
    r = optimize(fun, start=STARTS[start], bounds=bounds, max_evaluations=5000)
    low, high = np.array(bounds).T
    calls = np.array(fun.calls)
    assert len(calls) == r.nfev
    assert np.all(calls >= low)
    assert np.all(calls <= high)
    assert np.all((r.x >= low) & (r.x <= high))


def test_open_sides_with_a_start():
    fun = Recorder(lambda x: float((x[0] - 1) ** 2 + (x[1] + 3) ** 2))
    r = optimize(fun, start=cem.Gaussian([3.0, 0.0], std=5.0), bounds=[(1.5, None), (-np.inf, np.inf)])
    calls = np.array(fun.calls)
    assert calls[:, 0].min() >= 1.5
    np.testing.assert_allclose(r.x, [1.5, -3.0], atol=1e-2)


def test_bounds_of_scipy_are_those_of_pairs():
    assert_same(optimize(bounds=Bounds([-5.0] * 5, [5.0] * 5)), optimize())


def test_equal_bounds_fix_a_variable():
    fun = Recorder()
    r = optimize(fun, bounds=[(-1, 3), (2, 2)])
    assert {x[1] for x in fun.calls} == {2.0}
    assert r.fun == pytest.approx(4.0)


@pytest.mark.parametrize(
    "start", [None, [0.0] * 5, cem.Gaussian([0.0] * 5, std=1.0)], ids=["box", "point", "family"]
)
def test_nothing_is_evaluated_at_the_centre(start):
    """An optimum that happens to lie there must not look solved."""
    fun = Recorder()
    optimize(fun, start=start, max_iterations=1)
    assert np.abs(np.array(fun.calls)).max(axis=1).min() > 1e-3


def test_the_first_batch_is_spread_over_the_box():
    fun = Recorder()
    optimize(fun, bounds=[(-10, 30), (0, 1e-3)], max_iterations=1, population=1000)
    calls = np.array(fun.calls)
    np.testing.assert_allclose(calls.mean(axis=0), [10, 5e-4], rtol=0.1)
    span = np.array([40, 1e-3])
    assert np.all(calls.std(axis=0) > 0.15 * span)
    assert np.all(np.ptp(calls, axis=0) > 0.9 * span)


# --- starts -----------------------------------------------------------------------------------------


def test_a_point_with_bounds_starts_about_it():
    fun = Recorder()
    optimize(fun, start=[10.0, -5.0], bounds=[(-50, 50)] * 2, max_iterations=1, population=1000)
    calls = np.array(fun.calls)
    np.testing.assert_allclose(calls.mean(axis=0), [10, -5], atol=5)
    assert np.all(calls.std(axis=0) > 5)


@pytest.mark.parametrize("point", [[10.0, -10.0], (10, -10), np.array([10, -10]), np.array([10.0, -10.0])])
def test_a_point_alone_is_enough(point):
    r = cem.optimize(lambda x: float((x[0] - 11) ** 2 + (x[1] + 8) ** 2), point, rng=1)
    np.testing.assert_allclose(r.x, [11, -8], atol=1e-3)
    assert r.success


def test_a_family_is_the_first_distribution():
    fun = Recorder()
    start = cem.Gaussian([100.0, -3.0], std=[1.0, 0.01])
    cem.optimize(fun, start, max_iterations=1, population=1000, method="textbook", rng=1)
    np.testing.assert_allclose(np.mean(fun.calls, axis=0), [100, -3], atol=0.2)
    np.testing.assert_allclose(np.std(fun.calls, axis=0), [1, 0.01], rtol=0.1)


def test_a_warm_start_goes_on_where_a_run_ended():
    first = optimize(max_iterations=5)
    fun = Recorder()
    second = optimize(fun, start=first.family, max_iterations=1)
    np.testing.assert_allclose(np.mean(fun.calls, axis=0), first.family.mean, atol=4 * first.family.std.max())
    np.testing.assert_allclose(np.std(fun.calls, axis=0), first.family.std, rtol=0.5)
    assert second.history.level[0] < first.history.level[0]


def test_a_warm_start_of_a_binary_run():
    problem = MaxCut.planted(30, rng=1)
    first = cem.optimize(problem, max_iterations=4, rng=1)
    second = cem.optimize(problem, first.family, rng=2)
    assert second.fun == problem.optimum


@pytest.mark.parametrize("high", [0.1, 0.3, 1 / 3, 0.7, 5.12])
def test_a_warm_start_at_a_bound_does_not_contradict_it(high):
    """Where all elites lie on the bound, so must their mean, rounding or not."""
    options = {"vectorized": True, "bounds": [(-1, high)] * 3, "max_evaluations": 5000}
    for seed in range(3):
        first = optimize(
            lambda X: -X.sum(axis=1), start=cem.Gaussian([0.0] * 3, std=3 * high), rng=seed, **options
        )
        np.testing.assert_allclose(first.x, high, rtol=1e-3)
        second = optimize(lambda X: -X.sum(axis=1), start=first.family, rng=seed, **options)
        np.testing.assert_allclose(second.x, high, rtol=1e-3)


def test_every_family_can_be_optimised():
    def far(x):
        return float(np.abs(x - [1, 0, 2]).sum())

    for start in (
        cem.Categorical([[0.5, 0.5], [0.5, 0.5], [0.25] * 4]),
        cem.Exponential([1.0, 1.0, 1.0]),
        cem.Gaussian([0.0] * 3, covariance=np.eye(3)),
    ):
        r = cem.optimize(far, start, rng=1, max_evaluations=5000)
        np.testing.assert_allclose(r.x, [1, 0, 2], atol=0.1)


# --- sense, arguments -------------------------------------------------------------------------------


def test_maximising_is_minimising_the_negative():
    down, up = optimize(), optimize(lambda x: -sphere(x), maximize=True)
    np.testing.assert_array_equal(up.x, down.x)
    assert up.fun == -down.fun
    assert up.status is down.status
    for column in ("level", "best", "mean"):
        np.testing.assert_array_equal(getattr(up.history, column), -getattr(down.history, column))
    np.testing.assert_array_equal(up.history.entropy, down.history.entropy)


def test_minimising_is_the_default():
    assert_same(optimize(maximize=False), optimize())
    assert_same(optimize(maximize=None), optimize())


@pytest.mark.parametrize("maximize", [False, True])
def test_a_best_score_of_zero_is_not_minus_zero(maximize):
    assert not np.signbit(optimize(lambda x: 0.0, maximize=maximize).fun)


def test_further_arguments():
    r = optimize(lambda x, centre, weight: weight * float(((x - centre) ** 2).sum()), args=(np.ones(5), 2.0))
    np.testing.assert_allclose(r.x, 1, atol=1e-3)


def test_the_population():
    fun = Recorder()
    optimize(fun, population=37, max_iterations=2)
    assert len(fun.calls) == 74


@pytest.mark.parametrize(("d", "population"), [(1, 100), (10, 100), (30, 300), (100, 1000), (300, 1000)])
def test_the_default_population_grows_with_the_dimension(d, population):
    r = optimize(sphere_rows, vectorized=True, bounds=[(-1, 2)] * d, max_iterations=1)
    assert r.nfev == population


def test_the_default_population_is_enough_for_a_covariance():
    start = cem.Gaussian(np.ones(60), covariance=np.eye(60))
    r = cem.optimize(sphere_rows, start, vectorized=True, max_iterations=1, method="textbook", rng=1)
    assert r.history.elites[0] >= 60


# --- updates ----------------------------------------------------------------------------------------


def first_move(update, start, iterations=1):
    """The family after some iterations, and by hand from the batches seen."""
    seen = []
    r = cem.optimize(
        sphere_rows,
        start,
        vectorized=True,
        update=update,
        max_iterations=iterations,
        callback=lambda intermediate_result: seen.append(intermediate_result),
        rng=1,
    )
    fits = [start.fit(each.population[np.sort(np.argsort(each.scores)[:10])]) for each in seen]
    return r.family, fits


START = cem.Gaussian([1.0, 2.0], std=[2.0, 1.0])


@pytest.mark.parametrize("rate", [0.3, 0.7, 1.0])
def test_the_textbook_smooths_with_one_rate(rate):
    family, (fitted,) = first_move(cem.updates.SmoothedFit(rate), START)
    np.testing.assert_allclose(family.mean, (1 - rate) * START.mean + rate * fitted.mean, rtol=1e-12)
    np.testing.assert_allclose(family.std, (1 - rate) * START.std + rate * fitted.std, rtol=1e-12)


def test_the_default_is_the_textbooks_rate():
    assert_same(optimize(), optimize(update=cem.updates.SmoothedFit(0.7)))
    assert_same(optimize(), optimize(method="textbook"))


def test_a_rate_of_its_own_for_the_spread():
    family, (fitted,) = first_move(cem.updates.SmoothedFit(0.9, spread_rate=0.2), START)
    np.testing.assert_allclose(family.mean, 0.1 * START.mean + 0.9 * fitted.mean, rtol=1e-12)
    np.testing.assert_allclose(family.std, 0.8 * START.std + 0.2 * fitted.std, rtol=1e-12)


@pytest.mark.parametrize(("spread_rate", "beta"), [(None, 0.8), (0.5, 0.5)])
def test_rubinsteins_dynamic_decay(spread_rate, beta):
    """β_t = β - β (1 - 1/t)^q, for the spread alone."""
    update = cem.updates.SmoothedFit(0.8, spread_rate=spread_rate, decay=5.0)
    family, fits = first_move(update, START, iterations=3)
    mean, std = START.mean, START.std
    for t, fitted in enumerate(fits, 1):
        share = beta - beta * (1 - 1 / t) ** 5
        mean = 0.2 * mean + 0.8 * fitted.mean
        std = (1 - share) * std + share * fitted.std
    np.testing.assert_allclose(family.mean, mean, rtol=1e-10)
    np.testing.assert_allclose(family.std, std, rtol=1e-10)


def test_dynamic_decay_slows_the_collapse():
    plain = optimize(rosenbrock_rows, vectorized=True)
    slowed = optimize(
        rosenbrock_rows,
        vectorized=True,
        update=cem.updates.SmoothedFit(0.8, decay=5.0),
        max_evaluations=50_000,
    )
    assert slowed.fun < plain.fun


@pytest.mark.parametrize("options", [{"spread_rate": 0.5}, {"decay": 5.0}])
def test_a_spread_that_a_family_does_not_tell_apart_is_told(options):
    fun = Recorder(lambda x: 0.0)
    with pytest.raises(TypeError, match=r"Bernoulli has no spread.*leave spread_rate and decay out"):
        cem.optimize(fun, cem.Bernoulli([0.5] * 3), update=cem.updates.SmoothedFit(**options))
    assert fun.calls == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate lies in"),
        ({"rate": 1.1}, "rate lies in"),
        ({"rate": np.nan}, "rate lies in"),
        ({"spread_rate": 0.0}, "spread_rate lies in"),
        ({"decay": 0.0}, "decay must be positive"),
        ({"decay": -1.0}, "decay must be positive"),
        ({"elite_fraction": 0.0}, "elite_fraction lies in"),
        ({"elite_fraction": 1.0}, "elite_fraction lies in"),
    ],
)
def test_bad_parameters_of_the_textbook(options, message):
    with pytest.raises(ValueError, match=message):
        cem.updates.SmoothedFit(**options)


def test_the_elite_fraction_is_the_updates():
    assert optimize(elite_fraction=0.25, max_iterations=1).history.elites[0] == 25
    update = cem.updates.SmoothedFit(0.7, elite_fraction=0.3)
    assert optimize(update=update, max_iterations=1).history.elites[0] == 30
    assert optimize(update=update, elite_fraction=0.05, max_iterations=1).history.elites[0] == 5


class Greedy:
    """A user's own update: half way to the best candidate, with half the spread."""

    def init(self, start):
        return cem.updates.SmoothedFit().init(start)

    def step(self, state, batch):
        best = batch.x[np.argmax(batch.scores)]
        level = float(batch.scores.max())
        family = cem.Gaussian(best, std=0.7 * state.family.std)
        return replace(state, family=family, level=level, elite_best=level, elites=1)


def test_a_users_own_update():
    r = optimize(update=Greedy(), max_iterations=20)
    assert r.nit == 20, "one elite that still gets better has not converged"
    r = optimize(update=Greedy(), population=50, bounds=[(-3, 2)] * 2)
    assert r.fun < 0.1


# --- callbacks --------------------------------------------------------------------------------------


def test_a_callback_sees_every_iteration():
    seen = []
    fun = Recorder()
    r = optimize(fun, callback=lambda intermediate_result: seen.append(intermediate_result), max_iterations=4)
    assert r.nit == len(seen) == 4
    calls = np.array(fun.calls).reshape(4, 100, 5)
    for t, each in enumerate(seen):
        assert isinstance(each, cem.OptimizeResult)
        np.testing.assert_array_equal(each.population, calls[t])
        np.testing.assert_allclose(each.scores, sphere_rows(calls[t]))
        assert each.nit == len(each.history) == t + 1
        assert each.nfev == 100 * (t + 1)
        assert each.fun == r.history.best[t]
        assert sphere(each.x) == each.fun
        assert not each.success
        assert each.seed == 1
    np.testing.assert_array_equal(seen[-1].family.mean, r.family.mean)


def test_a_callback_sees_scores_in_the_users_sign():
    seen = []
    optimize(
        lambda x: 7 - sphere(x),
        maximize=True,
        max_iterations=1,
        callback=lambda intermediate_result: seen.append(intermediate_result),
    )
    np.testing.assert_allclose(seen[0].scores, 7 - sphere_rows(seen[0].population))


def test_a_callback_may_have_its_argument_by_any_name():
    seen = []
    optimize(callback=lambda anything: seen.append(anything.fun), max_iterations=2)
    assert len(seen) == 2


def test_a_callback_is_called_by_keyword():
    """As scipy does; `intermediate_result` may be keyword-only."""
    seen = []

    def callback(*, intermediate_result):
        seen.append(intermediate_result.fun)

    optimize(callback=callback, max_iterations=2)
    assert len(seen) == 2


@pytest.mark.parametrize("how", ["True", "numpy True", "StopIteration"])
def test_a_callback_stops(how):
    def callback(intermediate_result):
        if intermediate_result.nit < 3:
            return None
        if how == "StopIteration":
            raise StopIteration
        return True if how == "True" else np.True_

    r = optimize(callback=callback)
    assert r.status is Status.CALLBACK
    assert r.nit == 3
    assert r.nfev == 300
    assert r.fun == r.history.best[-1]


@pytest.mark.parametrize("answer", [None, False, np.False_])
def test_a_callback_that_does_not_say_true_goes_on(answer):
    assert_same(optimize(callback=lambda intermediate_result: answer), optimize())


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(2)], ids=["Exception", "SystemExit"])
def test_what_a_callback_raises_passes_through(error):
    def callback(intermediate_result):
        raise error

    with pytest.raises(type(error)) as caught:
        optimize(callback=callback)
    assert caught.value is error


def test_ctrl_c_in_a_callback_gives_the_best_so_far():
    def callback(intermediate_result):
        if intermediate_result.nit == 2:
            raise KeyboardInterrupt

    r = optimize(callback=callback)
    assert r.status is Status.INTERRUPTED
    assert r.nfev == 200
    assert r.fun == r.history.best[-1]


def test_a_callback_cannot_spoil_the_run():
    def callback(intermediate_result):
        intermediate_result.scores[:] = 0
        intermediate_result.history.append(intermediate_result.history[0])
        intermediate_result.x[:] = 99
        intermediate_result.clear()

    assert_same(optimize(callback=callback), optimize())


# --- NaN --------------------------------------------------------------------------------------------


def test_nan_ranks_last_and_is_counted():
    r = optimize(lambda x: np.nan if x[0] > 0 else sphere(x), bounds=[(-3, 2)] * 2)
    assert r.history.nan_count[0] > 10
    assert np.isfinite(r.history.level).all()
    assert r.fun < 1e-3
    assert r.x[0] <= 0


def test_infinitely_bad_ranks_above_nan_and_below_the_rest():
    r = optimize(lambda x: np.inf if x[0] > 0 else sphere(x), bounds=[(-3, 2)] * 2)
    assert r.history.nan_count.sum() == 0
    assert np.isfinite(r.history.level).all()
    assert np.isfinite(r.history.mean).all()
    assert r.fun < 1e-3


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("vectorized", [False, True])
def test_never_a_finite_score_is_an_error(bad, vectorized):
    with pytest.raises(ValueError, match="none of the first 100 candidates has a finite score") as caught:
        optimize(lambda X: np.full(len(X), bad) if vectorized else bad, vectorized=vectorized)
    assert isinstance(caught.value, cem.ObjectiveError)
    assert caught.value.partial.nfev == 100
    assert caught.value.candidate.shape == (5,)


def test_never_a_finite_score_in_a_batch_that_is_cut_is_an_error():
    with pytest.raises(ValueError, match="finite score"):
        optimize(lambda x: np.nan, max_evaluations=10)


def test_one_finite_score_is_enough():
    """From then on batches of NaN are a misfortune, no error."""
    calls = Recorder(lambda x: 1.0 if len(calls.calls) == 50 else np.nan)
    r = optimize(calls, max_evaluations=400)
    assert r.fun == 1.0
    np.testing.assert_array_equal(r.x, calls.calls[49])
    assert r.history.nan_count.tolist() == [99, 100, 100, 100]
    assert r.status is Status.EVALUATION_LIMIT


# --- an objective that raises -----------------------------------------------------------------------


def fails_at(k, error):
    fun = Recorder()

    def failing(x):
        if len(fun.calls) == k:
            raise error
        return fun(x)

    return fun, failing


@pytest.mark.parametrize("k", [0, 1, 150])
def test_an_exception_of_the_objective(k):
    error = ZeroDivisionError("oh")
    fun, failing = fails_at(k, error)
    with pytest.raises(cem.ObjectiveError, match=r"ZeroDivisionError.*oh") as caught:
        optimize(failing)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.__cause__ is error
    partial = caught.value.partial
    assert isinstance(partial, cem.OptimizeResult)
    assert not partial.success
    assert partial.nfev == k
    full = Recorder()
    optimize(full, max_evaluations=k + 1)
    np.testing.assert_array_equal(caught.value.candidate, full.calls[k])
    if k == 0:
        assert partial.x is None
    else:
        assert partial.fun == min(map(sphere, fun.calls))


def test_an_exception_of_a_vectorised_objective():
    error = IndexError("oh")

    def failing(X):
        raise error

    with pytest.raises(cem.ObjectiveError, match="IndexError") as caught:
        optimize(failing, vectorized=True)
    assert caught.value.__cause__ is error
    assert caught.value.candidate.shape == (100, 5)
    assert caught.value.partial.nfev == 0


def test_a_stop_iteration_of_the_objective_is_an_exception_like_others():
    """It must not end the run as if nothing had happened."""
    with pytest.raises(cem.ObjectiveError, match="StopIteration"):
        optimize(lambda x: next(iter([])))


def test_an_objective_error_pickles():
    with pytest.raises(cem.ObjectiveError) as caught:
        optimize(lambda x: 1 / 0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    np.testing.assert_array_equal(again.candidate, caught.value.candidate)
    assert again.partial.nfev == 0


@pytest.mark.parametrize("k", [1, 150])
def test_ctrl_c_gives_the_best_so_far(k):
    fun, failing = fails_at(k, KeyboardInterrupt())
    r = optimize(failing)
    assert r.status is Status.INTERRUPTED
    assert not r.success
    assert r.nfev == k
    assert r.fun == min(map(sphere, fun.calls))
    assert r.nit == len(r.history) == k // 100


def test_a_real_ctrl_c_gives_the_best_so_far():
    fun = Recorder()

    def signalled(x):
        if len(fun.calls) == 120:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        return fun(x)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    try:
        r = optimize(signalled)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert r.status is Status.INTERRUPTED
    assert r.nfev == 120
    assert r.fun == min(map(sphere, fun.calls))


class Own(BaseException):
    """Not an `Exception`."""


@pytest.mark.parametrize("error", [SystemExit(3), Own("mine")], ids=["SystemExit", "own"])
@pytest.mark.parametrize("vectorized", [False, True])
def test_what_is_no_exception_passes_through_untouched(error, vectorized):
    def failing(x):
        raise error

    with pytest.raises(type(error)) as caught:
        optimize(failing, vectorized=vectorized)
    assert caught.value is error
    assert caught.value.__cause__ is None


# --- the result -------------------------------------------------------------------------------------


def test_the_fields_of_a_result():
    r = optimize(max_iterations=3)
    fields = {
        "x",
        "fun",
        "success",
        "status",
        "message",
        "nit",
        "nfev",
        "family",
        "history",
        "elapsed",
        "seed",
    }
    assert fields <= set(r)
    assert isinstance(r, ScipyResult)
    assert isinstance(r, cem.OptimizeResult)
    assert r.x.shape == (5,)
    assert isinstance(r.fun, float)
    assert r.fun == sphere(r.x)
    assert r.fun == r.history.best[-1]
    assert r["nfev"] == r.nfev == 300
    assert isinstance(r.family, cem.Gaussian)
    assert r.elapsed > 0
    assert r.seed == 1


@pytest.mark.parametrize("options", [{}, {"max_iterations": 2}, {"max_time": 1e-9}])
def test_a_result_pickles(options):
    r = optimize(**options)
    again = pickle.loads(pickle.dumps(r))
    assert type(again) is cem.OptimizeResult
    assert again.status is r.status
    assert (again.fun, again.nit, again.nfev) == pytest.approx((r.fun, r.nit, r.nfev), nan_ok=True)
    np.testing.assert_array_equal(again.history.level, r.history.level)
    np.testing.assert_array_equal(again.family.mean, r.family.mean)


def test_a_result_prints_readably():
    text = repr(optimize(bounds=[(-5, 5)] * 2))
    for part in ("CONVERGED", "success: True", "Gaussian(mean=", "History(", "nfev: ", "message: "):
        assert part in text
    assert "object at 0x" not in text
    assert "np." not in text


def test_a_large_result_prints_shortly():
    text = repr(optimize(sphere_rows, vectorized=True, bounds=[(-1, 2)] * 500, max_iterations=1))
    assert len(text) < 2000


def test_the_seed_of_a_run_without_one_repeats_it():
    r = optimize(rng=None)
    assert_same(optimize(rng=r.seed), r)
    assert optimize(rng=None).seed != r.seed


# --- arguments that are off -------------------------------------------------------------------------

OFF = {
    "noisy": [False],
    "constraints": [(), []],
    "integrality": [None, False, np.zeros(5)],
    "polish": [None, False],
    "restarts": [None, 0],
    "improve": [None, False],
    "evaluation_timeout": [None],
    "progress": [False],
    "checkpoint": [None],
    "resume": [False],
}


def cases(values):
    return [(name, value) for name, options in values.items() for value in options]


@pytest.mark.parametrize(("name", "value"), cases(OFF))
def test_an_argument_that_is_off_changes_nothing(name, value):
    assert_same(optimize(max_iterations=2, **{name: value}), optimize(max_iterations=2))


# --- problem objects --------------------------------------------------------------------------------


class Ones:
    """As many ones as possible."""

    start = cem.Bernoulli([0.5] * 10)
    maximize = True

    def __init__(self):
        self.shapes = set()

    def __call__(self, X):
        self.shapes.add(X.shape)
        return X.sum(axis=1)


class Improved(Ones):
    """With a local search that sets the first two entries, for five evaluations."""

    def __init__(self):
        super().__init__()
        self.improvements = []

    def improve(self, X, scores, rng, effort):
        assert X.flags.writeable
        np.testing.assert_array_equal(scores, X.sum(axis=1), err_msg="not in the user's sign")
        assert isinstance(rng, np.random.Generator)
        self.improvements.append((len(X), effort, rng.random()))
        X[:, :2] = 1
        return X, X.sum(axis=1).astype(float), 5


def test_a_problem_brings_what_is_needed():
    problem = Ones()
    r = cem.optimize(problem, rng=1)
    assert r.fun == 10
    assert r.x.tolist() == [1] * 10
    assert (100, 10) in problem.shapes
    assert {width for _, width in problem.shapes} == {10}


def test_a_problem_brings_its_bounds():
    class Shifted:
        start = None
        maximize = False
        bounds = ((-1.0, 2.0), (0.0, 1.0))

        def __call__(self, X):
            assert np.all((X >= [-1, 0]) & (X <= [2, 1]))
            return np.sum((X - 0.5) ** 2, axis=1)

    np.testing.assert_allclose(cem.optimize(Shifted(), rng=1).x, 0.5, atol=1e-3)


def test_the_problems_sense_may_be_repeated():
    assert_same(cem.optimize(Ones(), maximize=True, rng=1), cem.optimize(Ones(), rng=1))


def test_a_sense_against_the_problems_own_is_an_error():
    problem = Ones()
    with pytest.raises(ValueError, match=r"Ones is to be maximised.*maximize=False contradicts"):
        cem.optimize(problem, maximize=False)
    assert problem.shapes == set()


def test_a_start_of_ones_own_for_a_problem():
    start = cem.Bernoulli([0.0] * 5 + [0.5] * 5)
    assert cem.optimize(Ones(), start, rng=1).fun == 5


def test_improvement_is_used_and_counted():
    problem = Improved()
    r = cem.optimize(problem, rng=1, max_iterations=4)
    assert [n for n, _, _ in problem.improvements] == [100] * 4
    assert {effort for _, effort, _ in problem.improvements} == {1}
    assert len({draw for _, _, draw in problem.improvements}) == 4, "a stream of its own for each batch"
    assert r.nfev == 4 * 105
    assert r.history.nfev.tolist() == [105, 210, 315, 420]
    np.testing.assert_array_equal(r.family.p[:2] > 0.98, True)


def test_what_is_improved_teaches_and_is_returned():
    r = cem.optimize(Improved(), rng=1, max_evaluations=3)
    assert r.x[:2].tolist() == [1, 1]
    assert r.fun == r.x.sum()
    assert r.nfev >= 3


def test_improvement_can_be_left_out():
    problem = Improved()
    assert_same(cem.optimize(problem, improve=False, rng=1), cem.optimize(Ones(), rng=1))
    assert problem.improvements == []


def test_improvement_of_a_plain_function():
    def improve(X, scores, rng, effort):
        assert np.all(scores >= 0)
        X = X / 2
        return X, sphere_rows(X), len(X)

    r = optimize(improve=improve, max_iterations=3)
    assert r.nfev == 600
    assert r.fun < optimize(max_iterations=3).fun
    assert sphere(r.x) == pytest.approx(r.fun)


def test_improvement_repeats_with_the_seed():
    def improve(X, scores, rng, effort):
        Y = X + rng.normal(scale=0.1, size=X.shape)
        better = sphere_rows(Y) < scores
        X[better] = Y[better]
        return X, sphere_rows(X), len(X)

    assert_same(optimize(improve=improve), optimize(improve=improve))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda X, scores, rng, effort: (X[:, :2], scores, 0),
        lambda X, scores, rng, effort: (X, scores[:-1], 0),
        lambda X, scores, rng, effort: (X[:-1], scores, 0),
    ],
)
def test_an_improvement_of_the_wrong_shape_is_told(wrong):
    with pytest.raises(ValueError, match="improve must return"):
        optimize(improve=wrong)


@pytest.mark.parametrize("improve", [True, 3, "hard"])
def test_what_cannot_improve_is_told(improve):
    with pytest.raises(TypeError, match="improve must be callable"):
        optimize(improve=improve)


@pytest.mark.parametrize("seed", range(5))
def test_the_planted_cut_is_found(seed):
    problem = MaxCut.planted(200, rng=seed)
    r = cem.optimize(problem, population=1000, elite_fraction=0.1, improve=False, rng=seed)
    assert r.fun == problem.optimum
    assert r.status is Status.CONVERGED
    assert problem.cut_value(r.x) == r.fun
    side = r.x[:100]
    assert np.all(side == side[0])
    assert np.all(r.x[100:] == 1 - side[0])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_large_planted_cut_is_found(seed):
    problem = MaxCut.planted(400, rng=seed)
    r = cem.optimize(problem, population=4000, elite_fraction=0.05, improve=False, rng=seed)
    assert r.fun == problem.optimum


# --- bad input --------------------------------------------------------------------------------------

GAUSSIAN = cem.Gaussian([0.0, 0.0], std=1.0)
CORRELATED = cem.Gaussian(np.zeros(5), covariance=np.eye(5))

BAD = {
    "inverted bounds": ({"bounds": [(0, 1), (1, 0)]}, ValueError, "variable 1 are inverted"),
    "NaN bounds": ({"bounds": [(0, 1), (np.nan, 1)]}, ValueError, "variable 1 hold a NaN"),
    "a flat pair": ({"bounds": (0, 1)}, ValueError, "sequence of .low, high. pairs"),
    "rows of bounds": ({"bounds": np.zeros((2, 5))}, ValueError, "sequence of .low, high. pairs"),
    "no bounds": ({"bounds": []}, ValueError, "sequence of .low, high. pairs"),
    "words as bounds": ({"bounds": [("a", "b")]}, TypeError, "bounds must be numbers"),
    "open bounds alone": (
        {"bounds": [(0, 1), (0, np.inf)]},
        ValueError,
        "variable 1 has an infinite bound.*start",
    ),
    "half-open bounds alone": (
        {"bounds": [(None, 1)]},
        ValueError,
        "variable 0 has an infinite bound.*start",
    ),
    "open scipy bounds": ({"bounds": Bounds(0, [1, np.inf])}, ValueError, "variable 1 has an infinite bound"),
    "bounds for a start": (
        {"start": [(-5, 5)] * 5, "bounds": None},
        ValueError,
        "looks like bounds; write bounds=",
    ),
    "one pair for a start": ({"start": [(-5, 5)], "bounds": None}, ValueError, "looks like bounds"),
    "scipy bounds for a start": (
        {"start": Bounds([-5.0], [5.0]), "bounds": None},
        ValueError,
        "looks like bounds; write bounds=",
    ),
    "neither": ({"bounds": None}, ValueError, "say where to search.*bounds=.*start"),
    "start of another size": ({"start": [0.0, 0.0]}, ValueError, "the start has 2 variables, the bounds 5"),
    "family of another size": ({"start": GAUSSIAN}, ValueError, "has 2 variables, the bounds 5"),
    "point outside": ({"start": [0.0] * 4 + [6.0]}, ValueError, "outside the bounds"),
    "family outside": (
        {"start": cem.Gaussian([50.0, 0.0], std=1.0), "bounds": [(-5, 5)] * 2},
        ValueError,
        "contradict each other",
    ),
    "binary family in bounds": (
        {"start": cem.Bernoulli([0.5] * 5)},
        ValueError,
        "Bernoulli are discrete.*leave bounds out",
    ),
    "a NaN point": ({"start": [0.0, np.nan], "bounds": None}, ValueError, "finite numbers"),
    "a word for a start": ({"start": "here", "bounds": None}, TypeError, "start must be a family"),
    "a class for a start": ({"start": cem.Gaussian, "bounds": None}, TypeError, "not the class Gaussian"),
    "elite fraction 0": ({"elite_fraction": 0.0}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "elite fraction 1": ({"elite_fraction": 1.0}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "elite fraction 10": ({"elite_fraction": 10}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "elite fraction NaN": ({"elite_fraction": np.nan}, ValueError, r"elite_fraction lies in \(0, 1\)"),
    "population 0": ({"population": 0}, ValueError, "population must be a positive whole number"),
    "population -1": ({"population": -1}, ValueError, "population must be a positive whole number"),
    "population 10.5": ({"population": 10.5}, ValueError, "population must be a positive whole number"),
    "population True": ({"population": True}, TypeError, "population must be a number"),
    "population of one elite": ({"population": 10}, ValueError, "population of 10 has 1 elites.*at least 2"),
    "population for a covariance": (
        {"start": CORRELATED, "population": 40},
        ValueError,
        "population of 40 has 4 elites.*at least 5.*raise population or elite_fraction",
    ),
    "no evaluations": ({"max_evaluations": 0}, ValueError, "max_evaluations must be a positive whole number"),
    "minus one evaluation": ({"max_evaluations": -1}, ValueError, "max_evaluations"),
    "half an evaluation": ({"max_evaluations": 0.5}, ValueError, "max_evaluations"),
    "NaN evaluations": ({"max_evaluations": np.nan}, ValueError, "max_evaluations"),
    "words of evaluations": ({"max_evaluations": "many"}, TypeError, "max_evaluations must be a number"),
    "no iterations": ({"max_iterations": 0}, ValueError, "max_iterations must be a positive whole number"),
    "minus one iteration": ({"max_iterations": -1}, ValueError, "max_iterations"),
    "no time": ({"max_time": 0}, ValueError, "max_time must be a positive number"),
    "minus one second": ({"max_time": -1.0}, ValueError, "max_time must be a positive number"),
    "NaN seconds": ({"max_time": np.nan}, ValueError, "max_time must be a positive number"),
    "words of time": ({"max_time": "1"}, TypeError, "max_time must be a number"),
    "a NaN target": ({"target": np.nan}, ValueError, "target must be a number, got NaN"),
    "a word for a target": ({"target": "best"}, TypeError, "target must be a number"),
    "a negative tolerance": ({"tol": -1e-9}, ValueError, "tol must be a non-negative number"),
    "a NaN tolerance": ({"tol": np.nan}, ValueError, "tol must be a non-negative number"),
    "an unknown method": ({"method": "best"}, ValueError, "auto.*textbook.*best"),
    "a word for a stream": ({"rng": "1"}, TypeError, "rng must be None"),
    "a float for a stream": ({"rng": 1.0}, TypeError, "rng must be None"),
    "an old stream": ({"rng": np.random.RandomState(1)}, TypeError, "rng must be None.*RandomState"),
    "a negative seed": ({"rng": -1}, ValueError, "rng must be a non-negative int"),
    "a callback that is none": ({"callback": 3}, TypeError, "callback must be callable"),
    "an update that is none": ({"update": 0.7}, TypeError, "update must have init and step"),
    "a fraction for an update without": (
        {"update": Greedy(), "elite_fraction": 0.1},
        ValueError,
        "Greedy takes no",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_before_anything_is_evaluated(case):
    options, error, message = BAD[case]
    fun = Recorder()
    with pytest.raises(error, match=message):
        optimize(fun, **options)
    assert fun.calls == []


@pytest.mark.parametrize("fun", [None, 3, "f"])
def test_an_objective_that_cannot_be_called_is_told(fun):
    with pytest.raises(TypeError, match="fun must be callable"):
        optimize(fun)


def test_an_improvement_that_spoils_loses_nothing():
    def spoil(X, scores, rng, effort):
        return np.ones_like(X), np.full(len(X), 99.0), 0

    r = cem.optimize(lambda x: x @ x, bounds=[(-1, 1)] * 2, improve=spoil, max_iterations=2, rng=1)
    assert r.fun < 1
    assert r.fun == r.x @ r.x
