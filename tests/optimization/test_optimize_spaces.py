"""`optimize`: bounds, starts, sense and arguments, and how distributions are updated."""

import numpy as np
import pytest
from helpers import Greedy, Recorder, assert_same_run, rosenbrock_rows, sphere, sphere_rows, textbook
from scipy.optimize import Bounds

import cem
from problems.maxcut import MaxCut

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
    r = textbook(fun, start=STARTS[start], bounds=bounds, max_evaluations=5000)
    low, high = np.array(bounds).T
    calls = np.array(fun.calls)
    assert len(calls) == r.nfev
    assert np.all(calls >= low)
    assert np.all(calls <= high)
    assert np.all((r.x >= low) & (r.x <= high))


def test_open_sides_with_a_start():
    fun = Recorder(lambda x: float((x[0] - 1) ** 2 + (x[1] + 3) ** 2))
    r = textbook(fun, start=cem.Gaussian([3.0, 0.0], std=5.0), bounds=[(1.5, None), (-np.inf, np.inf)])
    calls = np.array(fun.calls)
    assert calls[:, 0].min() >= 1.5
    np.testing.assert_allclose(r.x, [1.5, -3.0], atol=1e-2)


def test_bounds_of_scipy_are_those_of_pairs():
    assert_same_run(textbook(bounds=Bounds([-5.0] * 5, [5.0] * 5)), textbook())


def test_equal_bounds_fix_a_variable():
    fun = Recorder()
    r = textbook(fun, bounds=[(-1, 3), (2, 2)])
    assert {x[1] for x in fun.calls} == {2.0}
    assert r.fun == pytest.approx(4.0)


@pytest.mark.parametrize(
    "start", [None, [0.0] * 5, cem.Gaussian([0.0] * 5, std=1.0)], ids=["box", "point", "family"]
)
def test_nothing_is_evaluated_at_the_centre(start):
    """An optimum that happens to lie there must not look solved."""
    fun = Recorder()
    textbook(fun, start=start, max_iterations=1)
    assert np.abs(np.array(fun.calls)).max(axis=1).min() > 1e-3


def test_the_first_batch_is_spread_over_the_box():
    fun = Recorder()
    textbook(fun, bounds=[(-10, 30), (0, 1e-3)], max_iterations=1, population=1000)
    calls = np.array(fun.calls)
    np.testing.assert_allclose(calls.mean(axis=0), [10, 5e-4], rtol=0.1)
    span = np.array([40, 1e-3])
    assert np.all(calls.std(axis=0) > 0.15 * span)
    assert np.all(np.ptp(calls, axis=0) > 0.9 * span)


# --- starts -----------------------------------------------------------------------------------------


def test_a_point_with_bounds_starts_about_it():
    fun = Recorder()
    textbook(fun, start=[10.0, -5.0], bounds=[(-50, 50)] * 2, max_iterations=1, population=1000)
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
    first = textbook(max_iterations=5)
    fun = Recorder()
    second = textbook(fun, start=first.family, max_iterations=1)
    np.testing.assert_allclose(np.mean(fun.calls, axis=0), first.family.mean, atol=4 * first.family.std.max())
    np.testing.assert_allclose(np.std(fun.calls, axis=0), first.family.std, rtol=0.5)
    assert second.history.level[0] < first.history.level[0]


@pytest.mark.slow
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
        first = textbook(
            lambda X: -X.sum(axis=1), start=cem.Gaussian([0.0] * 3, std=3 * high), rng=seed, **options
        )
        np.testing.assert_allclose(first.x, high, rtol=1e-3)
        second = textbook(lambda X: -X.sum(axis=1), start=first.family, rng=seed, **options)
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
    down, up = textbook(), textbook(lambda x: -sphere(x), maximize=True)
    np.testing.assert_array_equal(up.x, down.x)
    assert up.fun == -down.fun
    assert up.status is down.status
    for column in ("level", "best", "mean"):
        np.testing.assert_array_equal(getattr(up.history, column), -getattr(down.history, column))
    np.testing.assert_array_equal(up.history.entropy, down.history.entropy)


def test_minimising_is_the_default():
    assert_same_run(textbook(maximize=False), textbook())
    assert_same_run(textbook(maximize=None), textbook())


@pytest.mark.parametrize("maximize", [False, True])
def test_a_best_score_of_zero_is_not_minus_zero(maximize):
    assert not np.signbit(textbook(lambda x: 0.0, maximize=maximize).fun)


def test_further_arguments():
    r = textbook(lambda x, centre, weight: weight * float(((x - centre) ** 2).sum()), args=(np.ones(5), 2.0))
    np.testing.assert_allclose(r.x, 1, atol=1e-3)


def test_the_population():
    fun = Recorder()
    textbook(fun, population=37, max_iterations=2)
    assert len(fun.calls) == 74


@pytest.mark.parametrize(("d", "population"), [(1, 100), (10, 100), (30, 300), (100, 1000), (300, 1000)])
def test_the_default_population_grows_with_the_dimension(d, population):
    r = textbook(sphere_rows, vectorized=True, bounds=[(-1, 2)] * d, max_iterations=1)
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
    assert_same_run(textbook(), textbook(update=cem.updates.SmoothedFit(0.7)))
    assert_same_run(textbook(), textbook(method="textbook"))


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
    plain = textbook(rosenbrock_rows, vectorized=True)
    slowed = textbook(
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
    assert textbook(elite_fraction=0.25, max_iterations=1).history.elites[0] == 25
    update = cem.updates.SmoothedFit(0.7, elite_fraction=0.3)
    assert textbook(update=update, max_iterations=1).history.elites[0] == 30
    assert textbook(update=update, elite_fraction=0.05, max_iterations=1).history.elites[0] == 5


def test_a_users_own_update():
    r = textbook(update=Greedy(), max_iterations=20)
    assert r.nit == 20, "one elite that still gets better has not converged"
    r = textbook(update=Greedy(), population=50, bounds=[(-3, 2)] * 2)
    assert r.fun < 0.1
