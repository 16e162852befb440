"""Integer and fixed variables: what the objective sees, and that they do not freeze."""

import numpy as np
import pytest
from scipy.stats import norm

import cem
from cem.core.domain import Domain
from cem.core.loop import Batch, Rows
from cem.local_search.integer_steps import HeldSteps, Point
from cem.plans.integers import IntegerMargin
from cem.updates import SmoothedFit
from problems.continuous import rosenbrock

CENTRE = np.array([7.3] * 5 + [0.4] * 5)
SCALES = np.logspace(0, 4, 10)


def ellipsoid(X):
    return ((X - CENTRE) ** 2 * SCALES).sum(axis=1)


LEAST = float(ellipsoid(np.array([[7.0] * 5 + [0.4] * 5]))[0])

# --- the domain ---------------------------------------------------------------------------------------


def test_bounds_of_integers_move_in():
    domain = Domain([-1.5, 0.2, -np.inf], [2.7, 0.4, np.inf], [1, 0, 1])
    np.testing.assert_array_equal(domain.low, [-1, 0.2, -np.inf])
    np.testing.assert_array_equal(domain.high, [2, 0.4, np.inf])
    np.testing.assert_array_equal(domain.relaxed.low, [-1.5, 0.2, -np.inf])


def test_where_no_integer_lies_between():
    with pytest.raises(ValueError, match=r"variable 1 is an integer, but none lies in \[0.2, 0.8\]"):
        cem.optimize(lambda x: 0.0, bounds=[(0, 1), (0.2, 0.8)], integrality=[0, 1])


def test_presented_rows_are_whole_and_inside():
    domain = Domain([0, 0], [3, 3], [1, 0])
    shown = domain.present(np.array([[-0.5, 0.3], [3.5, 3.0], [1.49, 1.49]]))
    np.testing.assert_array_equal(shown, [[0, 0.3], [3, 3], [1, 1.49]])


@pytest.mark.parametrize(
    ("integrality", "error", "match"),
    [
        ([1, 0], ValueError, "2 entries"),
        ([2, 0, 0], ValueError, "0 or 1"),
        (["a", "b", "c"], ValueError, "0 or 1"),
    ],
)
def test_what_is_refused(integrality, error, match):
    with pytest.raises(error, match=match):
        cem.optimize(lambda x: 0.0, bounds=[(0, 1)] * 3, integrality=integrality)


def test_discrete_families_have_integers_of_their_own():
    with pytest.raises(TypeError, match="Gaussian"):
        cem.optimize(lambda x: 0.0, cem.Bernoulli([0.5, 0.5]), integrality=True)


# --- the margin ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 0.3, 2.0, 2.49, -5.2, 5.4, -4.9])
@pytest.mark.parametrize("std", [1e-8, 1e-2, 0.1, 3.0])
def test_each_neighbour_keeps_its_probability(mean, std):
    alpha = 1e-3
    update = IntegerMargin(SmoothedFit(), Domain([-5], [5], [1]))
    (m,), (s,) = update.with_margin(np.array([mean]), np.array([std]), alpha)
    value = np.clip(np.rint(np.clip(mean, -5.5, 5.5)), -5, 5)
    down, up = norm.cdf(value - 0.5, m, s), norm.sf(value + 0.5, m, s)
    if value == -5:
        assert up >= alpha * (1 - 1e-6)
    elif value == 5:
        assert down >= alpha * (1 - 1e-6)
    else:
        assert min(down, up) >= alpha / 2 * (1 - 1e-6)
        assert std < 3 or s == std


def test_the_wrapped_update_learns_as_if_nothing_were_corrected():
    domain = Domain([-5, -5], [5, 5], [1, 0])
    update, plain = IntegerMargin(SmoothedFit(), domain), SmoothedFit()
    start = cem.Gaussian([0.2, 0.0], std=[1e-3, 1.0])
    rng = np.random.default_rng(1)
    x = start.sample(100, rng)
    batch = Batch(x, -(x**2).sum(axis=1), np.random.default_rng)
    after, expected = update.step(update.init(start), batch), plain.step(plain.init(start), batch)
    assert after.family.std[0] > 0.1 > expected.family.std[0]
    assert after.family.std[1] == expected.family.std[1]
    assert after.family.mean[1] == expected.family.mean[1]
    np.testing.assert_allclose(
        after.family.stretched(after.memory["margin_mean"], 1 / after.memory["margin_factor"]).std,
        expected.family.std,
    )


@pytest.mark.parametrize(
    "family", [cem.Gaussian([0, 0], std=[1, 1]), cem.Gaussian([0, 0], covariance=np.eye(2))]
)
def test_a_corrected_covariance_keeps_its_correlations(family):
    stretched = family.stretched([1, 2], [2, 1])
    np.testing.assert_allclose(stretched.mean, [1, 2])
    np.testing.assert_allclose(stretched.std, [2, 1])


# --- runs ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_mixed_variables(seed):
    seen = []

    def fun(X):
        seen.append(X.copy())
        return ellipsoid(X)

    r = cem.optimize(
        fun,
        bounds=[(-20.4, 20.4)] * 10,
        integrality=[1] * 5 + [0] * 5,
        vectorized=True,
        rng=seed,
        max_evaluations=6000,
    )
    rows = np.concatenate(seen)
    np.testing.assert_array_equal(rows[:, :5], np.rint(rows[:, :5]))
    assert np.abs(rows[:, :5]).max() <= 20
    np.testing.assert_array_equal(r.x[:5], 7)
    assert r.fun == pytest.approx(LEAST, abs=1e-6)


def test_with_a_full_covariance():
    start = cem.Gaussian(np.zeros(4), covariance=9 * np.eye(4))
    r = cem.optimize(
        lambda X: ((X - 2.2) ** 2).sum(axis=1) + (X.sum(axis=1) - 8.8) ** 2,
        start,
        bounds=[(-10, 10)] * 4,
        integrality=[1, 1, 0, 0],
        vectorized=True,
        rng=1,
        max_evaluations=3000,
    )
    np.testing.assert_array_equal(r.x[:2], 2)


@pytest.mark.parametrize(
    "integrality", [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0] * 3, [1] * 6], ids=str
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_integers_that_have_to_move_together(integrality, seed):
    """From the best value with every integer at 0, about 5, each single step is worse by about 100."""
    r = cem.optimize(
        rosenbrock,
        bounds=[(-10, 10)] * 6,
        integrality=integrality,
        vectorized=True,
        rng=seed,
        max_evaluations=5000,
    )
    assert r.fun < 1e-8
    np.testing.assert_array_equal(r.x[np.array(integrality) == 1], 1)


@pytest.mark.slow
def test_the_pure_method_does_not_look_beyond_one_step():
    r = cem.optimize(
        rosenbrock, bounds=[(-10, 10)] * 6, integrality=[1, 0] * 3, polish=False, vectorized=True, rng=0
    )
    assert set(r.history.stage) == {"sampling"}


def held_steps(fun, x, integer, low=-5, high=5):
    """Serve `HeldSteps` from `x`; give what it found and how often it asked."""
    x = np.array(x, dtype=float)
    domain = Domain(np.full(x.size, low), np.full(x.size, high), integer)
    asked = []

    def score(rows):
        asked.append(np.array(rows))
        return Batch(rows, -fun(rows), np.random.default_rng)

    stage = HeldSteps(domain, domain.high - domain.low, 1e-9).run(Point(x, float(fun(x[None])[0])))
    answer = None
    while True:
        try:
            request = stage.send(answer)
        except StopIteration as finished:
            return finished.value, np.concatenate(asked)
        answer = score(request.x) if isinstance(request, Rows) else None


def chain(X):
    """Neighbours must be equal, at 100 a unit of difference; otherwise large is good."""
    return 100 * np.abs(np.diff(X, axis=1)).sum(axis=1) - X.sum(axis=1)


def test_a_held_step_pulls_the_others_after_it():
    found, asked = held_steps(chain, [0, 0, 0, 0], [1, 1, 1, 1])
    assert found.value < 0
    assert len(np.unique(found.x)) == 1
    assert np.abs(asked).max() <= 5


def test_held_steps_from_the_best_lead_nowhere():
    found, asked = held_steps(chain, [5, 5, 5, 5], [1, 1, 1, 1])
    assert found is None
    np.testing.assert_array_equal(asked, np.rint(asked))


def test_continuous_variables_follow_a_held_step():
    def joined(X):
        return 100 * (X[:, 0] - X[:, 1]) ** 2 + (X[:, 0] - 2) ** 2

    found, _ = held_steps(joined, [0, 0.0396], [1, 0])
    assert found.x[0] == 1
    assert found.x[1] == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_binary_variables():
    r = cem.optimize(
        lambda X: -np.cumprod(X, axis=1).sum(axis=1),
        bounds=[(0, 1)] * 15,
        integrality=True,
        vectorized=True,
        rng=1,
        max_evaluations=30_000,
    )
    assert r.fun == -15
    assert r.x.tolist() == [1] * 15


def test_without_bounds():
    r = cem.optimize(lambda x: ((x - 3.4) ** 2).sum(), [2.0, 3.0], integrality=[1, 0], rng=1)
    np.testing.assert_allclose(r.x, [3, 3.4], atol=1e-4)


def test_an_integer_between_which_there_is_one_value_is_fixed():
    r = cem.optimize(lambda x: (x**2).sum(), bounds=[(-5, 5), (1.8, 2.2)], integrality=[0, 1], rng=1)
    assert r.x[1] == 2
    assert r.success


def test_fixed_variables_stay():
    seen = []

    def fun(x):
        seen.append(x.copy())
        return float(((x - 1) ** 2).sum())

    r = cem.optimize(fun, bounds=[(-5, 5), (0.3, 0.3), (-5, 5)], rng=1)
    assert set(np.array(seen)[:, 1]) == {0.3}
    np.testing.assert_allclose(r.x, [1, 0.3, 1], atol=1e-4)


def test_the_same_for_every_number_of_workers():
    runs = [
        cem.optimize(
            lambda x: ((x - 1.3) ** 2).sum(),
            bounds=[(-5, 5)] * 2,
            integrality=[1, 0],
            rng=3,
            n_jobs=n,
            max_evaluations=400,
        )
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)


# --- wide ranges --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_diagonal_valley_over_millions(seed):
    """Rarely does a single step help here: both have to move together."""
    r = cem.optimize(
        lambda x: (x[0] - 123_456) ** 2 + 100 * (x[1] - 2 * x[0]) ** 2,
        bounds=[(0, 1e6), (0, 2e6)],
        integrality=1,
        rng=seed,
        max_evaluations=4000,
    )
    np.testing.assert_array_equal(r.x, [123_456, 246_912])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_billion_values(seed):
    r = cem.optimize(lambda x: abs(x[0] - (1e9 - 5)), bounds=[(0, 1e9)], integrality=1, rng=seed)
    assert r.success
    assert r.fun == 0


@pytest.mark.parametrize("seed", range(3))
def test_sixty_evaluations_of_eight_variables(seed):
    """The middle of the box, 0, is worth 63.4."""
    centre, weights = np.linspace(-2, 2, 8), np.arange(1, 9)
    r = cem.optimize(
        lambda x: float(((x - centre) ** 2 * weights).sum()),
        bounds=[(-5, 5)] * 8,
        integrality=[1] + [0] * 7,
        rng=seed,
        max_evaluations=60,
    )
    assert r.fun < 1
