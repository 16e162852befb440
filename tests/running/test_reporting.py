"""What a run tells while it goes on: callbacks see everything, and the log is short."""

import logging

import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint

import cem
from cem import Status


def sphere(x):
    return float((x**2).sum())


def rosenbrock(x):
    return float(100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)


def noisy(x, rng):
    return float((x**2).sum() + 0.1 * rng.standard_normal())


BOX = {"bounds": [(-2, 3)] * 2}
RUNS = {
    "default": (rosenbrock, BOX),
    "textbook": (sphere, BOX | {"method": "textbook"}),
    "cut": (rosenbrock, BOX | {"max_evaluations": 137}),
    "noisy": (noisy, BOX | {"noisy": True, "pass_rng": True, "max_evaluations": 900}),
    "integers": (sphere, {"bounds": [(-50, 70)] * 3, "integrality": 1}),
    "bits": (lambda x: float(x @ np.arange(12) % 7), {"start": cem.Bernoulli([0.5] * 12)}),
    "constraints": (
        sphere,
        BOX | {"constraints": NonlinearConstraint(lambda x: x[0] + x[1], 1, 9), "max_evaluations": 500},
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_callback_sees_every_evaluated_row(name):
    fun, options = RUNS[name]
    called, rows, scores, iterations = [], [], [], []

    def counted(x, *rng):
        called.append(np.array(x))
        return fun(x, *rng)

    def callback(intermediate_result):
        rows.extend(intermediate_result.population)
        scores.extend(intermediate_result.scores)
        iterations.append(intermediate_result.nit)

    r = cem.optimize(counted, rng=1, callback=callback, **options)
    assert len(scores) == len(rows) == len(called) == r.nfev
    np.testing.assert_array_equal(np.array(rows), np.array(called))
    if name != "noisy":
        assert min(scores) <= r.fun
        np.testing.assert_array_equal(scores, [fun(x) for x in rows])
    assert set(iterations) == set(range(1, r.nit + 1))


def test_a_callback_of_an_estimate_sees_every_row():
    rows = []
    e = cem.estimate_probability(
        lambda x: x.sum(),
        cem.Gaussian([0.0, 0.0], std=1),
        4,
        rng=1,
        callback=lambda intermediate_result: rows.extend(intermediate_result.population),
    )
    assert len(rows) == e.nfev


def test_a_finished_run_shows_nothing_again(tmp_path):
    path, seen = tmp_path / "run", []
    options = BOX | {"rng": 1, "max_evaluations": 200, "checkpoint": path}
    cem.optimize(rosenbrock, callback=lambda r: seen.append(len(r.scores)), **options)
    assert sum(seen) == 200
    cem.optimize(rosenbrock, callback=lambda r: seen.append(len(r.scores)), resume=True, **options)
    assert sum(seen) == 200


# --- NaN --------------------------------------------------------------------------------------------


def test_nan_is_one_warning_a_run_and_counted_in_the_result(caplog):
    with caplog.at_level(logging.WARNING, logger="cem"):
        r = cem.optimize(
            lambda x: np.nan if x[0] > 1 else sphere(x), method="textbook", rng=1, max_iterations=8, **BOX
        )
    assert len(caplog.records) == 1
    first = int(r.history.nan_count[0])
    assert caplog.records[0].getMessage() == f"{first} of the first 100 scores are NaN; they rank last"
    assert r.nan_count == r.history.nan_count.sum() > first > 0


def test_nothing_is_said_where_there_is_none(caplog):
    with caplog.at_level(logging.WARNING, logger="cem"):
        assert cem.optimize(sphere, rng=1, **BOX).nan_count == 0
    assert not caplog.records


def test_the_logger_prints_nothing_by_itself(capfd):
    assert any(isinstance(each, logging.NullHandler) for each in logging.getLogger("cem").handlers)
    cem.optimize(lambda x: np.nan if x[0] > 1 else sphere(x), rng=1, max_evaluations=200, **BOX)
    assert capfd.readouterr() == ("", "")


# --- infeasible candidates --------------------------------------------------------------------------


def outside_fails(x, how):
    """A function that is defined on the feasible set only."""
    if x[0] + x[1] >= 1:
        return sphere(x)
    if how == "raises":
        raise ZeroDivisionError
    return np.nan


FEASIBLE = {"constraints": NonlinearConstraint(lambda x: x[0] + x[1], 1, np.inf), "max_evaluations": 2000}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["raises", "NaN"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_happens_at_an_infeasible_candidate_says_nothing(how, n_jobs):
    """The minimum of x² + y² on x + y ≥ 1 is 1/2 at (1/2, 1/2)."""
    r = cem.optimize(outside_fails, args=(how,), rng=1, n_jobs=n_jobs, **BOX, **FEASIBLE)
    assert r.fun == pytest.approx(0.5, abs=1e-6)
    np.testing.assert_allclose(r.x, 0.5, atol=1e-3)
    assert r.maxcv == 0
    assert r.nan_count == 0


def test_an_exception_at_a_feasible_candidate_comes_out():
    def fails(x):
        if x[0] + x[1] >= 1:
            raise ZeroDivisionError
        return 0.0

    with pytest.raises(cem.ObjectiveError, match="ZeroDivisionError") as caught:
        cem.optimize(fails, rng=1, **BOX, **FEASIBLE)
    assert caught.value.candidate.sum() >= 1


def test_an_interrupt_at_an_infeasible_candidate_is_one():
    def fails(x):
        if x[0] + x[1] < 1:
            raise KeyboardInterrupt
        return sphere(x)

    assert cem.optimize(fails, rng=1, **BOX, **FEASIBLE).status is Status.INTERRUPTED
