"""Where many rows may be evaluated at once: fewer rounds, and the same answers from any number of workers."""

import numpy as np
import pytest

import cem
from cem.core.domain import Domain
from cem.core.loop import Batch
from cem.local_search.ahead import STEPS, search_ahead
from cem.local_search.curvature import DenseCurvature
from cem.local_search.noise_level import NoiseLevel, from_bits

NOISE = NoiseLevel()


def served(stage, fun):
    sizes, batch = [], None
    try:
        while True:
            request = stage.send(batch)
            sizes.append(len(request.x))
            batch = Batch(request.x, -fun(request.x), np.random.default_rng)
    except StopIteration as finished:
        return sizes, finished.value


def searched(fun, x, step, at_once, central=False):
    x, step = np.asarray(x, dtype=float), np.asarray(step, dtype=float)
    d, fx = x.size, float(fun(x[None])[0])
    noise = from_bits(np.array([fx])).at(fx)
    model = DenseCurvature.isotropic(d, 2.0)
    free = np.ones(d, dtype=bool)
    slope = -float(step @ step)
    stage = search_ahead(Domain.open(d), x, fx, step, slope, noise, model, free, central, at_once)
    return served(stage, fun)


def bowl(X):
    return (X**2).sum(axis=1)


@pytest.mark.parametrize(("at_once", "lengths"), [(2, 1), (4, 1), (8, 2), (12, 3), (1000, len(STEPS))])
def test_as_many_steps_as_there_is_room_for(at_once, lengths):
    sizes, _ = searched(bowl, [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], at_once)
    assert sizes == [lengths * 4]


def test_central_differences_take_both_sides():
    sizes, (found, gradient) = searched(bowl, [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], 7, central=True)
    assert sizes == [7]
    np.testing.assert_allclose(gradient, 2 * found.x, atol=1e-9)


def test_the_best_step_and_its_gradient_come_together():
    _, (found, gradient) = searched(bowl, [1.0, 2.0, 3.0], [-0.2, -0.4, -0.6], 1000)
    assert found.evaluations == 4 * len(STEPS)
    np.testing.assert_allclose(found.x, [0.4, 0.8, 1.2])  # three times the step
    np.testing.assert_allclose(gradient, 2 * found.x, rtol=1e-5)


def test_where_no_step_leads_down_shorter_ones_are_tried():
    sizes, (found, gradient) = searched(bowl, [1.0], [-400.0], 2)
    assert sizes[0] == 2
    assert len(sizes) > 1
    assert found.value < 1
    assert found.evaluations == sum(sizes)
    assert gradient is None


def valley(X):
    return (100 * (X[:, 1:] - X[:, :-1] ** 2) ** 2 + (1 - X[:, :-1]) ** 2).sum(axis=1)


def asked(population):
    sizes = []

    def counting(X):
        sizes.append(len(X))
        return valley(X)

    r = cem.optimize(
        counting, bounds=[(-3, 3)] * 5, population=population, target=1e-8, vectorized=True, rng=2
    )
    assert r.fun <= 1e-8
    return sizes


def test_a_population_is_what_may_be_evaluated_at_once():
    one, many = asked(None), asked(24)
    assert sum(-(-size // 24) for size in many) < 0.75 * sum(-(-size // 24) for size in one)


def row_by_row(x):
    return float(valley(x[None])[0])


def test_workers_change_nothing():
    runs = [
        cem.optimize(row_by_row, bounds=[(-3, 3)] * 4, population=20, max_evaluations=600, rng=3, n_jobs=jobs)
        for jobs in (1, 2)
    ]
    assert runs[0].nfev == runs[1].nfev
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
