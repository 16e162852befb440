"""Quadratic models of noisy values, and where they are least; rows moved onto equalities."""

import numpy as np
import pytest

from cem.core.domain import Domain
from cem.local_search.equalities import meet
from cem.local_search.regression import Cloud, minimise_in_ball

MATRIX = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
LEAST = np.array([0.2, -0.1, 0.3])


def values(x):
    return np.einsum("ij,jk,ik->i", x - LEAST, MATRIX, x - LEAST) / 2 + 7


def test_a_quadratic_is_found_from_its_values():
    x = np.random.default_rng(1).standard_normal((400, 3)) * [1, 2, 0.5]
    cloud = Cloud.of(x)
    model = cloud.fit(values(x))
    z = minimise_in_ball(model.slope, model.hessian, cloud.radius)
    np.testing.assert_allclose(cloud.point(z), LEAST, atol=1e-4)
    assert model.constant + model.slope @ z + z @ model.hessian @ z / 2 == pytest.approx(7, abs=1e-4)


def test_noise_is_averaged():
    rng, ends = np.random.default_rng(2), []
    for _ in range(20):
        x = rng.standard_normal((400, 3))
        cloud = Cloud.of(x)
        model = cloud.fit(values(x) + rng.standard_normal(400))
        ends.append(cloud.point(minimise_in_ball(model.slope, model.hessian, cloud.radius)))
    spread = np.sqrt(np.diag(np.linalg.inv(MATRIX @ MATRIX)) / 400)  # of a minimiser by its slope's error
    assert np.all(np.abs(np.mean(ends, axis=0) - LEAST) < 5 * spread)


def test_too_few_points_make_no_cloud():
    assert Cloud.of(np.random.default_rng(1).standard_normal((13, 3))) is None
    assert Cloud.of(np.zeros((50, 3))) is None


@pytest.mark.parametrize("hessian", [np.diag([2.0, 1.0]), np.diag([1.0, -1.0]), np.zeros((2, 2))])
def test_the_least_in_a_ball(hessian):
    slope = np.array([-3.0, 1.0])
    z = minimise_in_ball(slope, hessian, 1.0)
    angle = np.linspace(0, 2 * np.pi, 10_001)
    others = np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def value(z):
        return z @ slope + np.einsum("...i,ij,...j->...", z, hessian, z) / 2

    assert np.linalg.norm(z) <= 1 + 1e-9
    assert value(z) <= value(others).min() + 1e-6


def test_rows_move_onto_equalities_and_stay_inside():
    box = Domain(np.full(3, -2.0), np.full(3, 2.0))
    x = np.random.default_rng(1).uniform(-2, 2, (200, 3))

    def residuals(x):
        return np.stack([(x**2).sum(axis=1) - 1, x[:, 0] - x[:, 1]], axis=1)

    moved = meet(residuals, box, x, np.ones(3))
    assert not box.outside(moved).any()
    assert np.mean(np.abs(residuals(moved)).max(axis=1) < 1e-8) > 0.95
    assert np.all(np.abs(residuals(moved)).max(axis=1) <= np.linalg.norm(residuals(x), axis=1) + 1e-9)


def test_fixed_and_integer_variables_do_not_move():
    box = Domain([-2.0, 1.0, -2.0], [2.0, 1.0, 2.0], [False, False, True])
    x = np.array([[0.3, 1.0, 2.0]])
    moved = meet(lambda x: x.sum(axis=1, keepdims=True) - 4, box, x, np.ones(3))
    np.testing.assert_allclose(moved, [[1.0, 1.0, 2.0]])
