"""The cross-entropy method through scipy.optimize.minimize."""

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, minimize

import cem

BOX = [(-5, 5)] * 2


def shifted(x, by=1.0):
    return float(((x - by) ** 2).sum())


def through(fun=shifted, x0=(0.0, 0.0), **options):
    settings = {"bounds": BOX, "options": {"rng": 1}}
    return minimize(fun, x0, method=cem.minimize_method, **(settings | options))


def test_it_minimises():
    r = through()
    assert isinstance(r, cem.OptimizeResult)
    assert r.success
    np.testing.assert_allclose(r.x, 1, atol=1e-4)


def test_it_is_the_same_run():
    direct = cem.optimize(shifted, [0.0, 0.0], bounds=BOX, rng=1)
    r = through()
    np.testing.assert_array_equal(r.x, direct.x)
    assert r.nfev == direct.nfev


def test_bounds_of_scipy_and_none():
    np.testing.assert_allclose(through(bounds=Bounds(-5, [5, 5])).x, 1, atol=1e-4)
    np.testing.assert_allclose(through(x0=(0.8, 1.1), bounds=None).x, 1, atol=1e-4)


def test_args_pass():
    np.testing.assert_allclose(through(args=(2.0,)).x, 2, atol=1e-4)


@pytest.mark.slow
def test_constraints_pass():
    r = through(constraints=LinearConstraint([[1, 1]], 1, 1))
    np.testing.assert_allclose(r.x, 0.5, atol=1e-5)
    assert r.maxcv <= 1e-6


def test_options_tolerance_and_callback_pass():
    pure = {"rng": 1, "polish": False}
    assert through(tol=1e-2, options=pure).nfev < through(options=pure).nfev
    assert through(options={"rng": 1, "max_evaluations": 200}).nfev == 200
    assert through(options={"rng": 1, "maxfev": 200}).nfev == 200
    assert through(options={"rng": 1, "maxfun": 200}).nfev == 200
    assert through(options={"rng": 1, "maxiter": 3}).nit == 3
    seen = []
    through(callback=lambda intermediate_result: seen.append(intermediate_result.fun))
    assert len(seen) > 3


def test_disp_prints_how_it_ended(capsys):
    r = through(options={"rng": 1, "disp": True, "maxiter": 3})
    said = capsys.readouterr().out
    assert said.startswith(f"{r.message}\n")
    assert said.endswith(f"Iterations: 3\n         Function evaluations: {r.nfev}\n")
    through(options={"rng": 1, "disp": False, "maxiter": 3})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"options": {"popsize": 10}}, "unknown option 'popsize'"),
        ({"options": {"maximize": True}}, "unknown option 'maximize'"),
        ({"jac": lambda x: 2 * (x - 1)}, "leave jac out"),
        ({"hess": lambda x: np.eye(2)}, "leave hess out"),
        ({"options": {"maxiter": 3, "max_iterations": 4}}, "the same"),
        ({"options": {"disp": "yes"}}, "disp must be True or False"),
    ],
)
def test_what_is_refused_by_name(settings, match):
    with pytest.raises(TypeError, match=match):
        through(**settings)
