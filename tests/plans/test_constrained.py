"""Constraints: how they are read, how candidates are ranked, and what a run returns."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem
from cem.core.constraints import Constraints
from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Rows
from cem.local_search.sequential_quadratic import inverted
from cem.plans.constrained import FeasibilityFirst, deb_merit
from cem.updates import SmoothedFit
from problems import constrained

BOX = [(-5, 5)] * 3
ON_PLANE = LinearConstraint(np.ones((1, 3)), 1, 1)


def square(x):
    return float((x**2).sum())


# --- reading ------------------------------------------------------------------------------------------


def test_residuals_of_each_kind_of_side():
    checks = Constraints.from_scipy(
        [
            LinearConstraint([[1, 0], [0, 1]], [0, 2], [1, 2]),
            NonlinearConstraint(lambda x: x.sum(), 3, np.inf),
        ],
        2,
    )
    residuals = checks.residuals(np.array([[2.0, 2.0], [0.5, 2.5]]))
    np.testing.assert_array_equal(checks.equality, [True, False, False, False])
    np.testing.assert_allclose(residuals, [[0, -2, 1, -1], [0.5, -0.5, -0.5, 0]])
    np.testing.assert_allclose(checks.excess(residuals), [1, 0.5])
    np.testing.assert_allclose(checks.violations(residuals), [[0, 0, 1, 0], [0.5, 0, 0, 0]])


def test_nan_is_infinitely_infeasible():
    checks = Constraints.from_scipy(NonlinearConstraint(lambda x: np.nan, 0, 1), 2)
    residuals = checks.residuals(np.zeros((1, 2)))
    assert checks.excess(residuals)[0] == np.inf
    assert not checks.met(residuals[0])


def test_equalities_are_met_within_the_tolerance_and_inequalities_exactly():
    checks = Constraints.from_scipy(NonlinearConstraint(lambda x: x, [0, -np.inf], [0, 0]), 2)
    rows = checks.residuals(np.array([[9e-7, 0.0], [2e-6, 0.0], [0.0, 1e-12]]))
    assert [checks.met(row) for row in rows] == [True, False, False]


@pytest.mark.parametrize("none", [(), [], None])
def test_no_constraints_are_none(none):
    assert Constraints.from_scipy(none, 3) is None


@pytest.mark.parametrize(
    ("constraints", "error", "match"),
    [
        ({"type": "eq", "fun": square}, TypeError, "dictionaries"),
        ([{"type": "ineq", "fun": square}], TypeError, "NonlinearConstraint"),
        (square, TypeError, "LinearConstraint"),
        (LinearConstraint(np.ones((1, 2)), 0, 1), ValueError, "2 columns for 3"),
        (NonlinearConstraint(square, 1, 0), ValueError, "inverted"),
        (NonlinearConstraint(square, np.nan, 0), ValueError, "inverted or NaN"),
    ],
)
def test_what_is_refused_before_anything_is_evaluated(constraints, error, match):
    def never(x):
        raise RuntimeError("evaluated")

    with pytest.raises(error, match=match):
        cem.optimize(never, bounds=BOX, constraints=constraints)


# --- ranking ------------------------------------------------------------------------------------------


def test_a_feasible_candidate_beats_every_infeasible_one():
    merit = deb_merit(np.array([1.0, 100.0, 2.0, np.nan]), np.array([0.0, 0.1, 0.0, 5.0]))
    np.testing.assert_array_equal(np.argsort(-merit), [2, 0, 1, 3])


def test_the_tolerance_never_grows():
    checks = Constraints.from_scipy(NonlinearConstraint(lambda x: x.sum(), 0, 0), 2)
    update = FeasibilityFirst(SmoothedFit(), checks)
    state = update.init(cem.Gaussian(np.zeros(2), std=np.ones(2)))
    seen = []
    for seed in range(10):
        x = state.family.sample(100, np.random.default_rng(seed))
        residuals = checks.residuals(x)
        batch = Batch(x, -(x[:, 0] ** 2), np.random.default_rng, residuals, checks.excess(residuals))
        state = update.step(state, batch)
        seen.append(float(state.memory["epsilon"]))
    assert all(b <= a for a, b in pairwise(seen))
    assert seen[-1] < seen[0] / 10


# --- a routine as a stage -----------------------------------------------------------------------------


def scored(x):
    return Batch(x, x.sum(axis=1), np.random.default_rng)


def test_an_inverted_routine_asks_and_returns():
    stage = inverted(lambda ask: [float(ask(np.full((1, 2), v)).scores[0]) for v in (1.0, 2.0)])
    request = next(stage)
    assert isinstance(request, Rows)
    request = stage.send(scored(request.x))
    with pytest.raises(StopIteration) as finished:
        stage.send(scored(request.x))
    assert finished.value.value == [2.0, 4.0]


def test_an_inverted_routine_ends_with_its_stage_and_its_errors_come_out():
    stage = inverted(lambda ask: [ask(np.zeros((1, 1))) for _ in range(3)])
    next(stage)
    with pytest.raises(Ended):
        stage.throw(Ended(Status.TIME_LIMIT, "over"))
    with pytest.raises(ZeroDivisionError):
        next(inverted(lambda ask: 1 / 0))


# --- runs ---------------------------------------------------------------------------------------------


def test_linear_equality():
    r = cem.optimize(square, bounds=BOX, constraints=ON_PLANE, rng=1)
    assert r.success
    np.testing.assert_allclose(r.x, 1 / 3, atol=1e-5)
    assert r.maxcv <= 1e-6
    assert abs(r.x.sum() - 1) == pytest.approx(r.maxcv, abs=1e-15)
    assert r.fun == square(r.x)


def test_maximising_under_an_inequality():
    inside = NonlinearConstraint(square, -np.inf, 2)
    r = cem.optimize(lambda x: x.sum(), bounds=BOX, constraints=inside, maximize=True, rng=1)
    assert r.success
    assert square(r.x) <= 2
    assert r.fun == pytest.approx(np.sqrt(6), abs=1e-7)


def test_one_single_value_is_no_convergence():
    r = cem.optimize(
        lambda x: 1.0,
        bounds=BOX,
        constraints=LinearConstraint(np.ones((1, 3)), -np.inf, 1),
        max_evaluations=5000,
        rng=1,
    )
    assert r.status is cem.Status.COLLAPSED
    assert "every candidate had the same score" in r.message
    assert len(r.minima) == 1


@pytest.mark.parametrize("seed", range(2))
def test_a_narrower_basin_far_off_is_met(seed):
    """Searches from what the sampling draws all end in the wider one."""

    def fun(x):
        narrow = 4 * ((x - [4, -4, 4]) ** 2).sum(axis=1)
        return np.minimum(narrow, (x**2).sum(axis=1) + 1)

    below = LinearConstraint(np.ones((1, 3)), -np.inf, 5)
    r = cem.optimize(fun, bounds=[(-5, 5)] * 3, constraints=below, vectorized=True, rng=seed)
    assert r.success
    assert r.fun < 1e-9
    assert [round(each.value, 6) for each in r.minima] == [0, 1]
    assert r.looks >= 100
    assert "would have been met with 95 %" in r.message


def test_an_infeasible_problem_says_by_how_much():
    beyond = LinearConstraint(np.ones((1, 3)), 20, np.inf)
    r = cem.optimize(square, bounds=BOX, constraints=beyond, max_evaluations=1500, rng=1)
    assert not r.success
    assert r.status is cem.Status.INFEASIBLE
    assert r.maxcv == pytest.approx(5, abs=1e-6)
    assert "violates the constraints by 5" in r.message
    assert r.nfev == 1500


def test_nothing_is_called_outside_the_bounds_and_constraints_see_what_the_objective_sees():
    seen, checked = [], []

    def fun(x):
        seen.append(x.copy())
        return square(x - 4)

    def constraint(x):
        checked.append(x.copy())
        return x[0] - x[1]

    r = cem.optimize(
        fun,
        bounds=[(-1, 5), (0, 2), (3, 3)],
        constraints=NonlinearConstraint(constraint, 0, 0),
        max_evaluations=3000,
        rng=1,
    )
    np.testing.assert_array_equal(seen, checked)
    rows = np.array(seen)
    assert np.all(rows.min(axis=0) >= [-1, 0, 3])
    assert np.all(rows.max(axis=0) <= [5, 2, 3])
    assert r.nfev == len(seen)
    np.testing.assert_allclose(r.x, [2, 2, 3], atol=1e-5)


@pytest.mark.slow
def test_without_the_local_search_it_is_the_pure_method():
    inside = LinearConstraint(np.ones((1, 3)), 1, np.inf)
    r = cem.optimize(square, bounds=BOX, constraints=inside, polish=False, max_evaluations=20_000, rng=1)
    assert "polishing" not in set(r.history.stage)
    assert r.maxcv == 0
    assert r.fun == pytest.approx(1 / 3, abs=1e-3)


@pytest.mark.parametrize("more", [{}, {"integrality": 1}, {"method": "textbook"}, {"noisy": True}])
def test_a_constraint_without_bounds_leaves_all_as_it_is(more):
    nothing = LinearConstraint(np.ones((1, 3)), -np.inf, np.inf)
    r = cem.optimize(
        lambda x: float(x @ x), bounds=[(-5, 9)] * 3, constraints=nothing, max_evaluations=400, rng=1, **more
    )
    assert (r.maxcv, r.nfev <= 400) == (0, True)
    assert r.fun < 0.1


def test_integers_under_a_constraint():
    weights, values = np.array([12, 2, 1, 1, 4]), np.array([4, 2, 1, 2, 10])  # a knapsack for 15
    r = cem.optimize(
        lambda x: values @ x,
        bounds=[(0, 1)] * 5,
        integrality=True,
        constraints=LinearConstraint(weights[None], -np.inf, 15),
        maximize=True,
        max_evaluations=5000,
        rng=1,
    )
    assert r.x.tolist() == [0, 1, 1, 1, 1]
    assert r.fun == 15


def test_bits_under_a_constraint():
    weights, values = np.array([12, 2, 1, 1, 4]), np.array([4, 2, 1, 2, 10])
    r = cem.optimize(
        lambda X: X @ values,
        cem.Bernoulli(np.full(5, 0.5)),
        vectorized=True,
        constraints=LinearConstraint(weights[None], -np.inf, 15),
        maximize=True,
        rng=1,
    )
    assert r.x.tolist() == [0, 1, 1, 1, 1]
    assert "polishing" not in set(r.history.stage)


def test_the_same_for_every_number_of_workers():
    runs = [
        cem.optimize(square, bounds=BOX, constraints=ON_PLANE, max_evaluations=250, rng=3, n_jobs=n)
        for n in (1, 2)
    ]
    assert runs[0].fun == runs[1].fun
    np.testing.assert_array_equal(runs[0].x, runs[1].x)


def test_an_error_in_a_constraint_comes_out():
    def broken(x):
        raise KeyError("what")

    with pytest.raises(cem.ObjectiveError, match="what") as caught:
        cem.optimize(square, bounds=BOX, constraints=NonlinearConstraint(broken, 0, 1), rng=1)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_target_counts_only_where_it_is_feasible():
    r = cem.optimize(square, bounds=BOX, constraints=ON_PLANE, target=0.34, rng=1)
    assert r.status is cem.Status.TARGET_REACHED
    assert r.maxcv <= 1e-6


def test_an_objective_that_is_nan_where_it_is_infeasible():
    r = cem.optimize(
        lambda x: square(x) if x.sum() >= 1 else np.nan,
        bounds=BOX,
        constraints=LinearConstraint(np.ones((1, 3)), 1, np.inf),
        max_evaluations=5000,
        rng=1,
    )
    assert r.maxcv == 0
    assert r.fun == pytest.approx(1 / 3, abs=1e-2)


@pytest.mark.parametrize("name", ["g05", "g06", "g11", "g15", "g24"])
def test_cec_2006(name):
    problem = getattr(constrained, name)
    r = cem.optimize(problem, max_evaluations=500 * problem.dimension, rng=1)
    assert problem.violation(r.x) <= 1e-6
    assert abs(r.fun - problem.optimum) <= 1e-6 * max(1, abs(problem.optimum))


def test_a_family_start_without_bounds():
    start = cem.Gaussian(np.zeros(2), std=np.ones(2))
    r = cem.optimize(square, start, constraints=LinearConstraint([[1, 2]], 5, 5), max_evaluations=3000, rng=1)
    np.testing.assert_allclose(r.x, [1, 2], atol=1e-5)


# --- the same bits ------------------------------------------------------------------------------------

THREADED = """
import numpy as np
from scipy.optimize import LinearConstraint, NonlinearConstraint
import cem
d = 6
weights = np.linspace(1, 50, d)
rows = np.random.default_rng(1).standard_normal((2, d))
limits = [LinearConstraint(rows, 1, 1), NonlinearConstraint(lambda x: (x**2).sum(), -np.inf, d)]
r = cem.optimize(lambda x: (weights * (x - 1) ** 2).sum() + np.cos(3 * x).sum(), bounds=[(-5, 5)] * d,
                 constraints=limits, rng=1, max_evaluations=12_000)
print(float(r.fun).hex(), r.success, r.nfev, *(float(v).hex() for v in r.x))
"""


def with_threads(count):
    """Return what a run of its own gives with so many BLAS threads: value, success, evaluations, point."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(count))
    words = subprocess.run(
        [sys.executable, "-c", THREADED], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    return float.fromhex(words[0]), words[1], words[2], np.array([float.fromhex(each) for each in words[3:]])


@pytest.mark.slow
def test_the_number_of_threads_changes_the_last_digits_alone():
    one, again, two = with_threads(1), with_threads(1), with_threads(2)
    assert one[:3] == again[:3]
    np.testing.assert_array_equal(one[3], again[3])
    assert two[1] == one[1] == "True"
    assert two[0] == pytest.approx(one[0], rel=1e-9)  # `SAME` is 1e-6: what the searches agree within
    np.testing.assert_allclose(two[3], one[3], atol=1e-5)  # a flat minimum: the root of that


# --- no limit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("d", "expected"), [(3, 30_000), (600, 138_888)])
def test_a_run_that_nothing_limits_ends_within_minutes_and_says_so(d, expected, caplog):
    asked = []

    def stop(intermediate_result):
        asked.append(intermediate_result)
        return True

    equal = LinearConstraint(np.eye(max(1, d // 3), d), 0, 0)
    with caplog.at_level("WARNING", logger="cem"):
        cem.optimize(square, bounds=[(-1, 1)] * d, constraints=equal, callback=stop, rng=1)
    assert len(asked) == 1
    assert (f"ends after {expected} evaluations" in caplog.text) == (d == 600)
