"""The local stage where many rows may be evaluated at once: first round, Newton's rounds, intervals."""

import zlib

import numpy as np
import pytest
from helpers import box, serve

from cem.core.domain import Domain
from cem.core.loop import Batch, Step
from cem.local_search.curvature import DenseCurvature
from cem.local_search.first_round import FirstRound
from cem.local_search.interval_search import interval_search
from cem.local_search.local_stage import local_stage
from cem.local_search.newton_rounds import newton_rounds
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.quasi_newton import BoxQuasiNewton
from cem.local_search.separability import Exchanges
from cem.local_search.univariate import Track
from cem.local_search.univariate_rounds import closer, search_rounds
from problems.continuous import ellipsoid, rastrigin, rosenbrock


def sizes_of(stage, f):
    """Serve a stage; return its result and the size of every batch."""
    sizes, answer = [], None
    while True:
        try:
            request = stage.send(answer)
        except StopIteration as finished:
            return finished.value, sizes
        if isinstance(request, Step):
            answer = None
            continue
        sizes.append(len(request.x))
        answer = Batch(request.x, -np.array([f(x) for x in request.x]), lambda: None)


def whole(f, d, at_once=16):
    return sizes_of(
        local_stage(box(d), np.full(d, 10.0), np.full(d, 0.7), np.random.default_rng(1), at_once), f
    )


def turned(d, condition):
    q = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))[0]
    scales = condition ** np.linspace(0, 1, d)
    return lambda x: float((scales * (q.T @ (x - 1.5)) ** 2).sum())


# --- the first round --------------------------------------------------------------------------------


def first_round(f, d):
    begun = FirstRound.about(box(d), np.full(d, 10.0), np.full(d, 0.7), np.random.default_rng(1))
    return begun, np.array([f(x) for x in begun.rows])


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_first_round_tells_gradient_and_hessian(d):
    begun, values = first_round(turned(d, 10.0), d)
    g, model = begun.derivatives(values)
    np.testing.assert_allclose(model.newton_step(g, np.ones(d, dtype=bool)), 0.8, rtol=1e-3)
    assert len(values) == 5 + (d * d + 3 * d) // 2 + len(begun.exchanges.rows)


@pytest.mark.parametrize("d", [2, 5, 8])
def test_the_first_round_tells_sums_of_functions_of_one_variable(d):
    for f, expected in ((lambda x: float(rastrigin(x)), True), (turned(d, 100.0), False)):
        begun, values = first_round(f, d)
        assert begun.separable(values, NoiseLevel()) is expected


def test_a_plateau_has_no_derivatives():
    begun, values = first_round(lambda x: 3.0, 2)
    assert begun.derivatives(values) is None


def test_exchanges_part_every_pair():
    x, b = np.zeros(11), np.ones(11)
    b[3] = 0.0
    rows = Exchanges.between(x, b, np.random.default_rng(1)).rows
    assert len(rows) == 2 * 4
    moving = np.delete(np.arange(11), 3)
    assert (rows[:, 3] == 0).all()
    assert all((rows[:, i] != rows[:, j]).any() for i in moving for j in moving if i != j)


# --- Newton's rounds --------------------------------------------------------------------------------


def newton(f, x, at_once, domain=None):
    x = np.asarray(x, dtype=float)
    method = BoxQuasiNewton(domain or box(x.size), np.full(x.size, 10.0), 10_000, NoiseLevel(), at_once)
    begun = FirstRound.about(method.domain, method.span, x, np.random.default_rng(1))
    g, model = begun.derivatives(np.array([f(row) for row in begun.rows]))
    return sizes_of(newton_rounds(method, x, f(x), g, model), f)


@pytest.mark.parametrize(("d", "at_once"), [(2, 16), (3, 16), (4, 16), (2, 6), (2, 100)])
def test_a_quadratic_takes_two_rounds(d, at_once):
    reached, sizes = newton(turned(d, 1e4), np.full(d, -2.0), at_once)
    assert reached.value < 1e-9
    assert max(sizes) <= max(8, at_once)  # eight shorter steps come together
    assert len(sizes) <= 5
    assert reached.evaluations == sum(sizes)


def test_a_valley_takes_a_round_for_each_step():
    reached, sizes = newton(lambda x: float(rosenbrock(x)), [-1.2, 1.0], 16)
    assert reached.value < 1e-12
    assert len(sizes) <= 25


def test_a_coordinate_is_held_at_its_bound():
    domain = Domain(np.array([-5.0, 1.0]), np.array([5.0, 5.0]))
    reached, _ = newton(
        lambda x: float((x[0] - 0.3) ** 2 + x[1] ** 2 + x[0] * x[1] / 2), [2.0, 3.0], 16, domain
    )
    np.testing.assert_allclose(reached.x, [0.05, 1.0], atol=1e-6)


def test_where_newtons_step_is_too_long_shorter_ones_are_tried():
    f = lambda x: float(np.log(1 + 1e6 * x @ x))  # noqa: E731 - concave but for the middle
    method = BoxQuasiNewton(box(2), np.full(2, 10.0), 10_000, NoiseLevel(), 6)
    x = np.array([1.0, 1.0])
    stage = newton_rounds(method, x, f(x), np.array([1.0, 1.0]), DenseCurvature.isotropic(2, 1e-2))
    reached, _ = sizes_of(stage, f)
    assert reached.value < f(x)
    assert reached.decrease > 0


# --- one variable, several points at a time ---------------------------------------------------------


def minimised(f, low, high, width, start=0.1):
    track = Track.at(start, f(start))
    searching = search_rounds(track, low, high, 1e-16, width)
    rounds, wanted = 1, next(searching)
    try:
        while True:
            assert len(wanted.points) <= max(5, width)
            assert all(low <= t <= high for t in wanted.points)
            wanted = searching.send([f(t) for t in wanted.points])
            rounds += 1
    except StopIteration:
        return track, rounds


@pytest.mark.parametrize("width", [2, 3, 7])
def test_a_parabola_is_settled_in_a_few_rounds(width):
    track, rounds = minimised(lambda t: (t - 0.7) ** 2, -5, 5, width)
    assert track.best == pytest.approx(0.7, abs=1e-6)
    assert rounds <= 4


@pytest.mark.parametrize("width", [2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_many_wells_is_found(width, seed):
    optimum = np.random.default_rng(seed).uniform(-3, 3)
    f = lambda t: 10 + (t - optimum) ** 2 - 10 * float(np.cos(2 * np.pi * (t - optimum)))  # noqa: E731
    track, rounds = minimised(f, -5, 5, width)
    assert track.best == pytest.approx(optimum, abs=1e-5)
    assert rounds <= 10 + 120 / width


def test_a_minimum_at_an_end_is_kept():
    track, _ = minimised(lambda t: t**3 + 2 * t, 0, 2, 4, start=1.0)
    assert track.best == 0


def test_values_that_are_not_finite_are_worked_around():
    f = lambda t: np.inf if t > 1 else (t - 0.7) ** 2  # noqa: E731
    track, _ = minimised(f, -5, 5, 3)
    assert track.best == pytest.approx(0.7, abs=1e-4)


def test_a_settled_point_asks_for_nothing():
    track = Track.at(0.0, 1.0)
    for t in (-1.0, 1.0):
        track.add(t, 1.0)
    assert closer(track, 1e-16) == []


# --- all coordinates --------------------------------------------------------------------------------


@pytest.mark.parametrize(("d", "at_once"), [(1, 8), (2, 16), (5, 16), (20, 16)])
def test_intervals_are_searched_together(d, at_once):
    f = lambda x: float(rastrigin(x - 1.3))  # noqa: E731
    x = np.zeros(d)
    stage = interval_search(box(d), np.full(d, 10.0), x, f(x), 300 * d, NoiseLevel(), at_once)
    r, sizes = sizes_of(stage, f)
    assert r.separable
    assert r.value < 1e-9
    assert sum(sizes) == r.evaluations <= 300 * d
    assert max(sizes[1:]) <= max(at_once, 2 * d + 1)


def test_it_ends_where_a_union_breaks_its_promise():
    f = lambda x: float((x[0] + x[1] - 1) ** 2 + (x[0] - x[1]) ** 2 / 100)  # noqa: E731
    x = np.full(2, -3.0)
    r, sizes = sizes_of(interval_search(box(2), np.full(2, 10.0), x, f(x), 600, NoiseLevel(), 16), f)
    assert not r.separable
    assert sum(sizes) < 100


def test_fixed_coordinates_stay():
    domain = Domain(np.array([-5.0, 2.0]), np.array([5.0, 2.0]))
    f = lambda x: float(((x - 1) ** 2).sum())  # noqa: E731
    x = np.array([0.0, 2.0])
    r, _ = serve(f, interval_search(domain, np.array([10.0, 0.0]), x, f(x), 600, NoiseLevel(), 16), domain)
    np.testing.assert_allclose(r.x, [1.0, 2.0], atol=1e-7)


# --- the stage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 3, 5])
def test_an_ill_conditioned_quadratic_takes_a_handful_of_rounds(d):
    best = []

    def noted(x):
        best.append(turned(d, 1e6)(x))
        return best[-1]

    r, sizes = whole(noted, d)
    assert r.local.value < 1e-6
    first = int(np.argmax(np.array(best) <= 1e-6))  # the row that is good enough
    batch = int(np.searchsorted(np.cumsum(sizes), first + 1))
    assert sum(-(-size // 16) for size in sizes[: batch + 1]) <= 6


@pytest.mark.parametrize("d", [2, 5, 9])
def test_the_stage_finds_the_best_of_many_wells_of_a_sum(d):
    r, _ = whole(lambda x: float(rastrigin(x - 1.3)), d)
    assert r.local.value < 1e-9


def test_it_keeps_out_of_noise_and_of_plateaus():
    rng = np.random.default_rng(1)
    noisy, sizes = whole(lambda x: float(x @ x) + rng.standard_normal(), 2)
    assert noisy.noisy
    assert len(sizes) == 1
    plateau, _ = whole(lambda x: float(np.floor(x).sum()), 2)
    assert plateau.local is None


def test_values_of_single_precision_are_told_by_their_bits():
    r, _ = whole(lambda x: float(np.float32(((x - 1.3) ** 2).sum() + 0.1)), 2)
    assert r.noise.relative == 1e-7
    assert r.local.value < 0.1001


def test_a_start_beside_what_cannot_be_evaluated():
    r, _ = whole(lambda x: np.nan if x[0] > 0.7 else float(((x - 0.2) ** 2).sum()), 2)
    assert r.local.value < 1e-6


@pytest.mark.parametrize("relative", [1e-10, 1e-8])
@pytest.mark.parametrize("d", [2, 5])
def test_simulator_grade_noise_costs_only_the_last_digits(relative, d):
    def f(x):
        wobble = zlib.crc32(np.ascontiguousarray(x).tobytes()) / 2**31 - 1
        return float(ellipsoid(x - 1.3)) * (1 + relative * wobble)

    r, _ = whole(f, d)
    assert r.local.value < 1e-3
