"""Continuous variables by default: local stage, restarts, agreement; and each of them switched off."""

import numpy as np
import pytest
from helpers import assert_same_run
from scipy.optimize import LinearConstraint

import cem
from cem import Status
from cem.families import FactoredGaussian, LowRankGaussian
from cem.plans.bipop import Regimes
from problems import continuous
from problems.continuous import rastrigin, rosenbrock, sphere

BOX = [(-5.0, 3.0)] * 4


def tilted(x):
    """Two wells and a valley; not separable."""
    return float((x[0] ** 2 - 1) ** 2 + 0.3 * x[0] + 10 * (x[1] - x[0]) ** 2 + (x[2:] ** 2).sum())


class Recorder:
    def __init__(self, fun):
        self.fun, self.calls = fun, []

    def __call__(self, x):
        self.calls.append(np.array(x))
        return self.fun(x)


def optimize(fun=tilted, **options):
    return cem.optimize(fun, **({"bounds": BOX, "rng": 1} | options))


# --- what it solves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "d"),
    [(continuous.sphere, 5), (rosenbrock, 5), (continuous.ackley, 5)],
)
def test_standard_functions_are_solved_and_confirmed(function, d):
    r = cem.optimize(function, bounds=function.bounds(d), vectorized=True, rng=1)
    assert r.status is Status.CONVERGED
    assert f"{r.looks} descents" in r.message or "descents from all over" in r.message
    assert r.fun - function.optimum(d) < 1e-8
    assert r.nfev < 10_000 * d


@pytest.mark.slow
def test_many_wells_are_confirmed_or_not_claimed():
    r = cem.optimize(lambda x: float(rastrigin(x - 1.3)), bounds=[(-5, 5)] * 3, rng=1)
    assert r.fun < 1e-8


def test_the_pure_method_solves_a_valley():
    r = cem.optimize(rosenbrock, bounds=rosenbrock.bounds(5), vectorized=True, polish=False, rng=2)
    assert r.success
    assert r.fun < 1e-8
    assert set(r.history.stage) == {"sampling", "look"}


def test_without_local_methods_short_runs_look_elsewhere():
    def fun(x):
        better = 4 * ((x - [3, -3]) ** 2).sum(axis=1)
        return np.minimum(better, (x**2).sum(axis=1) + 1)

    r = cem.optimize(fun, bounds=[(-5, 5)] * 2, vectorized=True, polish=False, rng=1)
    assert r.success
    assert r.fun < 1e-9
    assert r.looks >= 30


def test_a_maximum():
    r = optimize(lambda x: -tilted(x), maximize=True)
    assert r.success
    assert r.fun == pytest.approx(-optimize().fun, abs=1e-9)


@pytest.mark.parametrize("needle", [np.inf, 3.0])
def test_one_single_value_shows_nothing(needle):
    """A constant, and a function that is lower at one point only."""
    r = optimize(lambda x: 50.0 if np.all(x == needle) else 100.0)
    assert r.status is Status.COLLAPSED
    assert r.fun == 100.0
    assert "every candidate had the same score" in r.message


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("fun", "best"),
    [
        (lambda x: x.sum(), [0.0] * 5),
        (lambda x: -np.log1p(x).sum(), [1.0] * 5),
        (lambda x: ((x - [2, -1, 0.5, 0.25, 3]) ** 2 * [1, 10, 3, 1, 7]).sum(), [1, 0, 0.5, 0.25, 1]),
        (lambda x: np.exp(x).sum() - 3 * x[0] + x[1] * x[2], [1.0, 0, 0, 0, 0]),
    ],
)
def test_an_optimum_on_several_bounds_is_found_and_claimed(fun, best, seed):
    r = cem.optimize(lambda x: float(fun(x)), bounds=[(0, 1)] * 5, rng=seed, max_evaluations=20_000)
    assert r.success
    np.testing.assert_allclose(r.x, best, atol=1e-7)
    assert r.fun <= fun(np.array(best)) * (1 + 1e-15 * np.sign(fun(np.array(best))))


def test_whole_numbers_are_a_plateau():
    r = optimize(lambda x: float(np.round(np.abs(x)).sum()), max_evaluations=5000)
    assert r.fun == 0


# --- promises ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("polish", [None, False])
@pytest.mark.parametrize("limit", [1, 2, 3, 9, 57, 300, 1003])
def test_the_number_of_evaluations_is_exact(limit, polish):
    fun = Recorder(tilted)
    r = optimize(fun, max_evaluations=limit, polish=polish, tol=0.0)
    assert r.nfev == len(fun.calls) == limit
    assert r.status is Status.EVALUATION_LIMIT
    assert r.fun == min(map(tilted, fun.calls))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "start",
    [None, [0.1, 0.2, 0.3], cem.Gaussian([0.0, 2.0, 0.0], covariance=np.eye(3) + 0.5)],
    ids=["box", "point", "correlated"],
)
def test_bounds_are_never_violated(start, sign):
    """Not by differences, not by searches, not by runs: bounds that are not exact in binary on purpose."""
    low, high = np.array([(-0.7, 0.3), (0.1, 1e3), (-1.0, 1 / 3)]).T
    fun = Recorder(lambda x: sign * float(x.sum() + 0.1 * np.sin(9 * x).sum()))
    r = optimize(fun, start=start, bounds=np.stack([low, high], 1), max_evaluations=4000)
    calls = np.array(fun.calls)
    assert np.all(calls >= low)
    assert np.all(calls <= high)
    assert np.all((r.x >= low) & (r.x <= high))


def test_open_sides():
    fun = Recorder(lambda x: float((x[0] - 1) ** 2 + (x[1] + 3) ** 2))
    r = optimize(fun, start=[2.0, 2.0], bounds=[(1.5, None), (-np.inf, np.inf)])
    assert np.array(fun.calls)[:, 0].min() >= 1.5
    np.testing.assert_allclose(r.x, [1.5, -3.0], atol=1e-6)
    assert r.success


def test_no_bounds_at_all():
    r = optimize(lambda x: float(((x - 40) ** 2).sum()), start=[2.0, 2.0], bounds=None)
    np.testing.assert_allclose(r.x, 40, atol=1e-6)


def test_fixed_variables():
    fun = Recorder(lambda x: float((x[0] - 1) ** 2 + x[1] * (x[2] - x[0]) ** 2))
    r = optimize(fun, bounds=[(-5, 5), (2, 2), (-5, 5)])
    assert {row[1] for row in fun.calls} == {2.0}
    np.testing.assert_allclose(r.x, [1, 2, 1], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("fun", [tilted, lambda x: np.nan if x[0] > 0 else tilted(x)], ids=["plain", "NaN"])
def test_workers_do_not_change_the_result(fun):
    from joblib import parallel_config

    serial = optimize(fun, max_evaluations=700)
    for n_jobs in (2, 4):
        with parallel_config("threading"):
            assert_same_run(optimize(fun, max_evaluations=700, n_jobs=n_jobs), serial)


def test_vectorised_is_the_same():
    def rows(X):
        return np.array([tilted(x) for x in X])

    assert_same_run(optimize(rows, vectorized=True), optimize())


def test_seeds_repeat_and_differ():
    assert_same_run(optimize(rng=5), optimize(rng=5))
    assert optimize(rng=5).nfev != optimize(rng=6).nfev or optimize(rng=5).fun != optimize(rng=6).fun


def test_nothing_is_evaluated_at_the_centre():
    fun = Recorder(tilted)
    optimize(fun, max_iterations=3)
    assert not np.any(np.all(np.array(fun.calls) == -1.0, axis=1))


def test_the_target_ends_it():
    r = optimize(target=0.5)
    assert r.status is Status.TARGET_REACHED
    assert r.fun <= 0.5


@pytest.mark.parametrize("stop", [1, 4, 20])
def test_a_callback_sees_local_steps_and_stops(stop):
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)
        return len(seen) == stop

    r = optimize(callback=callback)
    assert r.status is Status.CALLBACK
    assert r.nit == len(seen) == stop
    assert len(seen[0].population) == len(seen[0].scores)


def test_half_of_the_box_undefined():
    r = optimize(lambda x: np.nan if x[0] > 0.3 else tilted(x))
    assert r.success
    assert r.fun == pytest.approx(optimize().fun, abs=1e-8)


def test_undefined_at_the_start_is_no_error():
    r = optimize(lambda x: tilted(x) if np.abs(x + 1).max() > 1 else np.nan)
    assert np.isfinite(r.fun)


def test_an_exception_comes_out():
    def breaks(x):
        if x[0] > 1:
            raise RuntimeError("no")
        return tilted(x)

    with pytest.raises(cem.ObjectiveError) as info:
        optimize(breaks)
    assert info.value.partial.nfev > 0


# --- noise ------------------------------------------------------------------------------------------


def test_noise_is_noticed_and_nothing_claimed():
    r = optimize(
        lambda x, rng: float(x @ x) + 0.1 * rng.standard_normal(), pass_rng=True, max_evaluations=4000
    )
    assert r.status is Status.EVALUATION_LIMIT
    assert "quasi-Newton" not in set(r.history.stage)
    assert np.abs(r.family.mean).max() < 1


def test_single_precision_costs_little():
    r = optimize(lambda x: float(np.float32(tilted(x))))
    assert r.fun == pytest.approx(optimize().fun, abs=1e-5)


# --- history and result -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_history_tells_stages_and_why():
    r = optimize(lambda x: float(rastrigin(np.array([[1, 0.5], [-0.5, 1]]) @ x[:2]) + x[2:] @ x[2:]))
    h = r.history
    assert "quasi-Newton" in h.stage
    assert "sampling" in h.stage
    assert np.all(np.isnan(h.level[h.stage == "quasi-Newton"]))
    assert np.all(np.isnan(h.entropy[h.stage == "quasi-Newton"]))
    assert np.all(np.isfinite(h.entropy[h.stage == "sampling"]))
    assert h.note[0].startswith("local stage")
    assert all("because" in note for note in h.note if note.startswith("restart"))
    assert np.all(np.diff(h.nfev) >= 0)


def test_the_family_is_that_of_the_best_and_starts_again():
    first = optimize()
    assert isinstance(first.family, cem.Gaussian)
    np.testing.assert_allclose(first.family.mean, first.x, atol=0.5)
    again = optimize(start=first.family)
    assert again.fun <= first.fun + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    [
        FactoredGaussian(np.zeros(4), np.eye(4)),
        LowRankGaussian.of(cem.Gaussian(np.zeros(4), std=1.0)),
        cem.Gaussian(np.zeros(4), covariance=np.eye(4) + 0.3),
    ],
    ids=lambda start: type(start).__name__,
)
def test_every_gaussian_starts_it(start):
    r = optimize(start=start)
    assert r.fun == pytest.approx(optimize().fun, abs=1e-8)


# --- one by one -------------------------------------------------------------------------------------


def test_without_restarts_there_is_one_run():
    r = optimize(restarts=0)
    assert not any(note.startswith("restart") for note in r.history.note)
    pure = optimize(restarts=0, polish=False)
    assert "probe" in pure.message
    assert pure.success


def test_restarts_are_counted():
    r = optimize(
        lambda x: float(rastrigin(x @ np.diag([1, 0.9, 1.1, 1]))), polish=False, restarts=2, population=6
    )
    assert sum(note.startswith("restart") for note in r.history.note) <= 2
    assert r.status in (Status.CONVERGED, Status.COLLAPSED)


def test_an_update_of_ones_own_runs_alone_unless_asked():
    update = cem.updates.SmoothedFit(0.7)
    assert_same_run(optimize(update=update), optimize(method="textbook"))
    both = optimize(update=update, polish=True, restarts=1)
    assert "quasi-Newton" in both.history.stage
    assert both.fun == pytest.approx(optimize().fun, abs=1e-8)


def test_the_textbook_can_be_polished():
    r = optimize(rosenbrock, vectorized=True, method="textbook", polish=True)
    assert r.fun < 1e-8


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"polish": "yes"}, TypeError, "polish must be"),
        ({"restarts": -1}, ValueError, "restarts must be a positive whole number"),
        ({"restarts": "many"}, TypeError, "restarts must be a number"),
        ({"start": cem.Bernoulli([0.5] * 4), "bounds": None, "polish": True}, ValueError, "Gaussian start"),
        ({"start": cem.Bernoulli([0.5] * 4), "bounds": None, "restarts": 2}, ValueError, "Gaussian start"),
        ({"improve": lambda X, s, rng, e: (X, s, 0), "polish": True}, ValueError, "together with improve"),
        ({"noisy": True, "polish": True}, ValueError, "noisy"),
        ({"integrality": 1, "restarts": 2}, ValueError, "over integers"),
        ({"constraints": LinearConstraint(np.ones(4), -1, 1), "restarts": 2}, ValueError, "constraints"),
        ({"noisy": True, "improve": lambda X, s, rng, e: (X, s, 0)}, ValueError, "improve=False"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_evaluated(options, error, message):
    fun = Recorder(tilted)
    with pytest.raises(error, match=message):
        optimize(fun, **options)
    assert fun.calls == []


def test_the_regimes_share_the_evaluations():
    regimes = Regimes(25, 10, np.random.default_rng(1))
    spent = {True: 0, False: 0}
    sizes = []
    for _ in range(40):
        kind = regimes.next()
        regimes.note(kind, 100 * kind.n)
        spent[kind.large] += 100 * kind.n
        sizes.append(kind.n if kind.large else None)
        assert 0.01 <= kind.narrower <= 1
    large = [n for n in sizes if n]
    assert large == [25 * 2**i for i in range(len(large))]
    assert spent[False] > 0.4 * (spent[True] - 100 * large[-1])


@pytest.mark.slow
def test_the_sphere_with_many_variables():
    r = cem.optimize(sphere, bounds=[(-5, 3)] * 300, vectorized=True, rng=1)
    assert r.success
    assert r.fun < 1e-8
