"""Units do not matter: an objective or variables in other units are searched and claimed alike."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem

BUDGET = 1500


def rosenbrock(x):
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def rastrigin(x):
    return float(10 * len(x) + (x * x - 10 * np.cos(2 * np.pi * x)).sum())


def box(d):
    return [(-5.0, 4.0)] * d


PROBLEMS = {
    "valley": (rosenbrock, {"bounds": box(3)}),
    "separable": (rastrigin, {"bounds": box(3)}),
    "sampling only": (rastrigin, {"bounds": box(2), "polish": False}),
    "textbook": (rosenbrock, {"bounds": box(2), "method": "textbook"}),
    "kink": (lambda x: float(np.abs(x - 0.3).sum()), {"bounds": box(2)}),
    "whole": (lambda x: rosenbrock(x) + rastrigin(x), {"bounds": box(3), "integrality": [1, 0, 1]}),
    "half-space": (rosenbrock, {"bounds": box(3), "constraints": LinearConstraint([[1, 1, 1]], -1, 1)}),
    "equality": (rosenbrock, {"bounds": box(3), "constraints": NonlinearConstraint(np.prod, 2, 2)}),
    "flat at first": (lambda x: max(0.0, float((x * x).sum()) - 30), {"bounds": box(3)}),
}


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**30])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_unit_of_the_scores_changes_no_bit(name, scale):
    fun, options = PROBLEMS[name]
    one = cem.optimize(fun, rng=1, max_evaluations=BUDGET, **options)
    other = cem.optimize(lambda x: scale * fun(x), rng=1, max_evaluations=BUDGET, **options)
    np.testing.assert_array_equal(one.x, other.x)
    assert (other.fun, other.nfev, other.nit) == (scale * one.fun, one.nfev, one.nit)
    assert (other.status, other.message) == (one.status, one.message)


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (1e-12, 0.0), (1e-4, 1e6), (1e9, -3e9)])
def test_no_unit_makes_wells_agree(factor, offset):
    """Rastrigin's function, turned: its lowest well is 0, its other ones .99 or more."""
    turned = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    r = cem.optimize(
        lambda x: factor * rastrigin(turned @ x) + offset, bounds=box(3), rng=1, max_evaluations=9000
    )
    assert not r.success or (r.fun - offset) / factor < 0.5


# --- units of variables -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"polish": False},
        {"method": "textbook"},
        {"update": cem.updates.PathAdaptation()},
        {"noisy": True},
        {"constraints": "half"},
    ],
)
def test_variables_in_units_of_powers_of_two_change_no_bit(options):
    unit, bounds = 2.0 ** np.array([0, 40, -30]), np.array([(-5.0, 4), (-3, 9), (-2, 2)])
    results = []
    for size in (np.ones(3), unit):
        used = dict(options)
        if "constraints" in used:
            used["constraints"] = LinearConstraint([1 / size], -1, 1)
        results.append(
            cem.optimize(
                lambda x, size=size: rosenbrock(x / size),
                bounds=bounds * size[:, None],
                rng=3,
                max_evaluations=BUDGET,
                **used,
            )
        )
    one, other = results
    np.testing.assert_array_equal(one.x * unit, other.x)
    assert (one.fun, one.nfev, one.message) == (other.fun, other.nfev, other.message)
    np.testing.assert_array_equal(one.family.mean * unit, other.family.mean)
    known = np.isfinite(one.history.entropy)
    gained = (other.history.entropy - one.history.entropy)[known]
    np.testing.assert_allclose(gained, np.log(unit).sum())


def test_unequal_spans_are_searched_as_equal_ones():
    r = cem.optimize(
        lambda x: (x[0] - 0.3) ** 2 + (x[1] / 1e8 - 0.3) ** 2, bounds=[(-1, 1), (-1e8, 1e8)], rng=1
    )
    assert r.success
    assert r.fun < 1e-25
    assert r.nfev < 2000


@pytest.mark.parametrize(
    ("low", "high", "why"),
    [
        (-1e154, 1e154, "too far apart"),
        (-1e308, 1e308, "too far apart"),
        (1e-160, 2e-160, "too close together"),
        (-1e-310, 1e-310, "too close together"),
    ],
)
@pytest.mark.parametrize("method", ["auto", "textbook"])
def test_spans_beyond_floats_are_refused_before_anything_is_evaluated(low, high, why, method):
    with pytest.raises(ValueError, match=f"bounds of variable 1.*{why}"):
        cem.optimize(lambda x: 1 / 0, bounds=[(0, 1), (low, high)], method=method)


@pytest.mark.parametrize("size", [1e-120, 1e-60, 1e60, 1e120])
def test_wide_and_narrow_boxes_are_searched_as_any(size):
    r = cem.optimize(
        lambda x: float(((x / size - 0.3) ** 2).sum()),
        bounds=[(-size, size)] * 2,
        rng=1,
        max_evaluations=3000,
    )
    assert r.success
    assert r.fun < 1e-25
