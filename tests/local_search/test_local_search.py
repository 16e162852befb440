"""Local stages, each by itself."""

import zlib

import numpy as np
import pytest
from helpers import box, serve

from cem.core.domain import Domain
from cem.local_search.coordinate_search import coordinate_search
from cem.local_search.curvature import DenseCurvature, LimitedMemoryCurvature
from cem.local_search.differences import gradient, hessian, hessian_evaluations
from cem.local_search.line_search import search
from cem.local_search.local_stage import local_stage
from cem.local_search.noise_level import NoiseLevel, along_line, from_bits
from cem.local_search.quasi_newton import BoxQuasiNewton
from cem.local_search.separability import is_separable
from problems.continuous import ellipsoid, rastrigin, rosenbrock

MODELS = {"dense": DenseCurvature, "limited": LimitedMemoryCurvature}
both_models = pytest.mark.parametrize("kind", MODELS)


def rotation(d, seed=1):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def minimise(f, x, domain=None, budget=10_000, begin=None):
    domain = domain or box(len(x))
    span = np.where(np.isfinite(domain.high - domain.low), domain.high - domain.low, 10.0)
    method = BoxQuasiNewton(domain, span, budget, NoiseLevel())
    return serve(f, method.run(np.asarray(x, dtype=float), f(np.asarray(x)), begin), domain)


# --- quasi-Newton -----------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 5, 20])
def test_a_rotated_quadratic_of_condition_1e8(d):
    q, scales = rotation(d), 10.0 ** np.linspace(0, 8, d)
    r, rows = minimise(lambda x: float((scales * (q.T @ (x - 1.5)) ** 2).sum()), np.full(d, -2.0))
    assert r.value < 1e-12
    assert len(rows) <= 400 * d


@pytest.mark.parametrize("d", [2, 8])
def test_rosenbrocks_valley(d):
    r, _ = minimise(lambda x: float(rosenbrock(x)), np.full(d, -1.2))
    assert r.value < 1e-10 or abs(r.value - 3.98) < 0.1  # the second minimum there is from D = 4 on


def test_the_model_becomes_the_hessian():
    q, scales = rotation(4), np.array([1.0, 10.0, 100.0, 1000.0])
    truth = (q * scales) @ q.T
    r, _ = minimise(lambda x: 1 + 0.5 * float(x @ truth @ x), np.full(4, 2.0))
    ratios = np.linalg.eigvals(np.linalg.solve(truth, r.model.matrix)).real  # 1 where the model is right
    assert 0.7 < ratios.min() <= ratios.max() < 1.4


@both_models
def test_minima_at_bounds(kind):
    d = 6
    domain = Domain(np.full(d, -5.0), np.r_[5.0, 5.0, np.full(4, np.inf)])
    begin = MODELS[kind].isotropic(d, 1.0)
    r, _ = minimise(
        lambda x: float(((x - 7) ** 2 * np.arange(1, d + 1)).sum()), np.zeros(d), domain, begin=begin
    )
    assert r.converged
    np.testing.assert_allclose(r.x, [5, 5, 7, 7, 7, 7], atol=1e-6)


def test_a_start_on_a_corner_and_a_fixed_variable():
    domain = Domain(np.array([0.0, 2.0, 0.0]), np.array([1.0, 2.0, 1.0]))
    f = lambda x: float((x[0] - 0.3) ** 2 + (x[2] - 0.3 * x[0]) ** 2 + x[1])  # noqa: E731
    r, rows = minimise(f, np.array([0.0, 2.0, 1.0]), domain)
    np.testing.assert_allclose(r.x, [0.3, 2.0, 0.09], atol=1e-5)
    assert np.all(rows[:, 1] == 2.0)


def test_a_plateau_is_left_at_once():
    d = 5
    r, rows = minimise(lambda x: float(np.floor(x).sum()), np.full(d, 0.5))
    assert not r.converged
    assert len(rows) <= 2 * d + 2


def test_undefined_regions_do_not_stop_it():
    f = lambda x: np.nan if x[0] < 0 else float((x[0] - 0.5) ** 2 + (x[1] + x[0]) ** 2)  # noqa: E731
    r, _ = minimise(f, np.array([2.0, 2.0]))
    np.testing.assert_allclose(r.x, [0.5, -0.5], atol=1e-5)


@pytest.mark.slow
def test_many_variables_with_limited_memory():
    d = 300
    r, _ = minimise(lambda x: float(ellipsoid(x)), np.full(d, 1.0), budget=300 * d)
    assert isinstance(r.model, LimitedMemoryCurvature)
    assert r.value < 1e-3 * float(ellipsoid(np.ones(d)))


# --- its parts --------------------------------------------------------------------------------------


def test_a_gradient_is_accurate_however_conditioned():
    d, q = 8, rotation(8)
    h = (q * 10.0 ** np.arange(d)) @ q.T
    f = lambda x: 0.5 * float(x @ h @ x) + 1  # noqa: E731
    x = np.full(d, 0.1)
    noise = 4e-16 * f(x)
    g, _ = serve(f, gradient(box(d), x, f(x), DenseCurvature(h), np.ones(d, bool), noise), box(d))
    error = g - h @ x
    assert error @ np.linalg.solve(h, error) < 20 * d * noise


@pytest.mark.parametrize("central", [False, True])
def test_a_gradient_at_a_corner(central):
    d = 3
    f = lambda x: float((x * np.arange(1, 4)).sum() + (x**2).sum())  # noqa: E731
    x = np.array([5.0, -5.0, 0.0])
    stage = gradient(box(d), x, f(x), DenseCurvature(2 * np.eye(d)), np.ones(d, bool), 1e-14, central)
    g, _ = serve(f, stage, box(d))
    np.testing.assert_allclose(g, np.arange(1, 4) + 2 * x, atol=1e-5)


def test_a_hessian():
    d = 4
    a = np.random.default_rng(2).standard_normal((d, d))
    h = a @ a.T + np.eye(d)
    x = np.full(d, 0.3)
    f = lambda y: 0.5 * float(y @ h @ y)  # noqa: E731
    stage = hessian(box(d), x, f(x), DenseCurvature(np.eye(d)), np.ones(d, bool), 1e-15)
    (g, model), rows = serve(f, stage, box(d))
    np.testing.assert_allclose(model.matrix, h, rtol=1e-5)
    np.testing.assert_allclose(g, h @ x, rtol=1e-5)
    assert len(rows) == hessian_evaluations(d)


def test_a_line_search_goes_on_to_a_far_minimum():
    f = lambda x: float((x[0] - 3) ** 2)  # noqa: E731
    found, _ = serve(f, search(box(1), np.zeros(1), 9.0, np.array([0.1]), -0.6, 1e-15), box(1))
    assert found.value < 0.3
    assert found.curvature == pytest.approx(2)


@both_models
def test_a_model_learns_a_pair(kind):
    s, y = np.array([1.0, 0.0, 2.0]), np.array([2.0, 1.0, 6.0])
    model = MODELS[kind].isotropic(3, 1.0).updated(s, y)
    np.testing.assert_allclose(model.newton_step(-y, np.ones(3, bool)), s, atol=1e-12)


@both_models
def test_held_coordinates_stay(kind):
    free = np.array([True, False, True])
    model = MODELS[kind].isotropic(3, 2.0).updated(np.ones(3), np.array([1.0, 2.0, 3.0]))
    assert model.newton_step(np.array([1.0, 5.0, -1.0]), free)[1] == 0


# --- noise ------------------------------------------------------------------------------------------


def test_single_precision_shows_in_the_bits():
    assert from_bits(np.array([float(np.float32(0.1))])).relative > 1e-8
    assert from_bits(np.array([0.1, 3.0, 0.25])).relative < 1e-15
    assert from_bits(np.array([3.0, 0.25])).relative < 1e-15


@pytest.mark.parametrize("relative", [1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize("spacing", [1e-7, 1e-5, 1e-3])
def test_the_noise_is_found_within_a_factor_of_ten(relative, spacing):
    def f(x):
        wobble = zlib.crc32(np.ascontiguousarray(x).tobytes()) / 2**31 - 1  # uniform, std 3 ** -0.5
        return (float(x @ x) + 3) * (1 + relative * wobble)

    x = np.full(3, 0.3)
    level, _ = serve(f, along_line(box(3), x, f(x), np.eye(3)[0], spacing), box(3))
    assert level is not None
    assert 0.1 < level / (relative * 3.27 / 3**0.5) < 10


def test_a_smooth_function_has_no_more_than_rounding():
    f = lambda x: float(np.exp(x[0]))  # noqa: E731
    x = np.array([0.5])
    level, _ = serve(f, along_line(box(1), x, f(x), np.ones(1), 1e-6), box(1))
    assert level is None or level < 1e-14


# --- separability -----------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3, 9, 40])
def test_sums_are_told_from_what_interacts(d):
    rng = np.random.default_rng(0)
    x, b = rng.uniform(-1, 1, (2, d))
    q = rotation(d)
    sum_of_each = lambda y: float((np.cos(9 * y) + y**2).sum())  # noqa: E731
    slightly = lambda y: float((y**2).sum() + 1e-6 * y[0] * y[-1])  # noqa: E731
    turned = lambda y: sum_of_each(q @ y)  # noqa: E731
    for f, expected in ((sum_of_each, True), (slightly, d == 1), (turned, d == 1)):
        found, rows = serve(f, is_separable(x, f(x), b, f(b), NoiseLevel(), rng), box(d))
        assert found is expected
        assert len(rows) <= 2 * np.ceil(np.log2(max(d, 2)))


@pytest.mark.parametrize("d", [2, 7, 20])
def test_coordinate_search_solves_rastrigin(d):
    f = lambda x: float(rastrigin(x - 1.3))  # noqa: E731
    domain = box(d)
    stage = coordinate_search(domain, np.full(d, 10.0), np.zeros(d), f(np.zeros(d)), 300 * d, NoiseLevel())
    r, rows = serve(f, stage, domain)
    assert r.separable
    assert r.value < 1e-9
    assert len(rows) == r.evaluations <= 300 * d


def test_coordinate_search_ends_where_a_union_breaks_its_promise():
    f = lambda x: float((x[0] + x[1] - 1) ** 2 + (x[0] - x[1]) ** 2 / 100)  # noqa: E731
    stage = coordinate_search(
        box(2), np.full(2, 10.0), np.full(2, -3.0), f(np.full(2, -3.0)), 600, NoiseLevel()
    )
    r, rows = serve(f, stage, box(2))
    assert not r.separable
    assert len(rows) < 50


# --- the stage --------------------------------------------------------------------------------------


def whole(f, d):
    return serve(f, local_stage(box(d), np.full(d, 10.0), np.full(d, 0.7), np.random.default_rng(1)), box(d))


def test_the_guard_keeps_out_of_noise():
    rng = np.random.default_rng(1)
    r, rows = whole(lambda x: float(x @ x) + rng.standard_normal(), 5)
    assert r.noise is None
    assert len(rows) == 2


def test_the_stage_keeps_out_of_a_plateau():
    r, rows = whole(lambda x: float(np.floor(x).sum()), 5)
    assert r.local is None
    assert len(rows) <= 12


def test_the_stage_finds_the_best_of_many_wells_of_a_sum():
    r, _ = whole(lambda x: float(rastrigin(x - 1.3)), 6)
    assert r.local.value < 1e-9


@pytest.mark.parametrize("relative", [1e-9, 1e-6])
def test_simulator_grade_noise_costs_only_the_last_digits(relative):
    def f(x):
        wobble = zlib.crc32(np.ascontiguousarray(x).tobytes()) / 2**31 - 1
        value = float(ellipsoid(x - 1.3))
        return value * (1 + relative * wobble)

    r, _ = whole(f, 5)
    assert r.local.value < 1e-3
