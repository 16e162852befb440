"""Limits of time end what the package computes by itself, too: by a clock that moves when it is looked at."""

import time
from itertools import count

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import NonlinearConstraint

import cem
from cem import clock
from cem.core.sampling import draw
from tests.helpers import total


class TimeIsUpError(Exception):
    """Raised by a clock in place of a run's own end."""


def looks(work):
    """Return how often `work` looks at the clock."""
    seen = []
    with clock.clock(lambda: seen.append(1)):
        work()
    return len(seen)


def stopped_at(number):
    """Return a clock that ends what looks at it for so many times."""
    looked = count(1)

    def look():
        if next(looked) >= number:
            raise TimeIsUpError

    return look


ORDERS = cem.Permutation(30)
BITS = cem.BernoulliTree.independent([0.5] * 800)
CORRELATED = cem.Gaussian(np.zeros(400), covariance=np.eye(400))
WORK = {
    "drawing orders": lambda: ORDERS.sample(5, np.random.default_rng(1)),
    "fitting orders": lambda: ORDERS.fit(ORDERS.sample(9, np.random.default_rng(1))),
    "fitting a tree": lambda: BITS.fit(BITS.sample(9, np.random.default_rng(1))),
    "drawing by blocks": lambda: draw(CORRELATED, 500, np.random.default_rng),
    "fitting a mixture": lambda: cem.GaussianMixture([1, 1], [[0], [1]], [[1], [1]]).fit(
        np.random.default_rng(1).standard_normal((50, 1))
    ),
}


@pytest.mark.parametrize("work", WORK)
def test_long_computations_look_at_the_clock(work):
    often = looks(WORK[work])
    assert often >= 2
    with pytest.raises(TimeIsUpError), clock.clock(stopped_at(often)):
        WORK[work]()
    WORK[work]()  # outside, nobody does


@pytest.fixture
def ticking(monkeypatch):
    """A clock that goes on by a second whenever the time is asked for."""
    began, ticks = time.monotonic(), count()
    monkeypatch.setattr(time, "monotonic", lambda: began + next(ticks))


RUNS = {
    "orders": (lambda x: float(x[0]), cem.Permutation(12)),
    "a tree": (total, cem.BernoulliTree.independent([0.5] * 12)),
    "a mixture": (total, cem.GaussianMixture([1, 1], np.zeros((2, 2)), np.ones((2, 2)))),
    "a box": (total, cem.Gaussian(np.zeros(3), std=1.0)),
}


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("limit", [3, 10, 40, 150, 700])
@pytest.mark.parametrize("run", RUNS)
def test_a_search_that_runs_out_of_time_anywhere_says_so(run, limit):
    fun, start = RUNS[run]
    r = cem.optimize(fun, start, max_time=limit, rng=1)
    assert r.status in (cem.Status.TIME_LIMIT, cem.Status.CONVERGED)
    assert r.success or "max_time" in r.message
    assert r.x is None or fun(r.x) == r.fun


ESTIMATES = {
    "normals": (cem.Gaussian(np.zeros(60), std=1.0), 25.0, {}),
    "labels": (cem.Categorical(np.full((9, 3), 1 / 3)), 17, {}),
    "orders": (cem.Permutation(6), 1e9, {}),
    "marginals": ([stats.gamma(2)] * 3, 25, {}),
    "a surrogate": (cem.Gaussian(np.zeros(3), std=1.0), 7, {"method": "surrogate"}),
    "levels": (cem.Gaussian(np.zeros(3), std=1.0), 7, {"method": "multilevel"}),
}


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("limit", [3, 10, 40, 150, 700])
@pytest.mark.parametrize("run", ESTIMATES)
def test_an_estimate_that_runs_out_of_time_anywhere_says_so(run, limit):
    inputs, level, options = ESTIMATES[run]
    e = cem.estimate_probability(total, inputs, level, max_time=limit, rng=1, **options)
    assert e.status is not cem.Status.INTERRUPTED
    assert e.success or "max_time" in e.message or e.status is cem.Status.UNTRUSTED


def test_a_run_within_a_run_has_a_clock_of_its_own():
    def outer(x):
        assert looks(lambda: None) == 0
        return cem.optimize(total, cem.Bernoulli([0.5] * 3), rng=1).fun + float(x.sum())

    r = cem.optimize(outer, cem.Bernoulli([0.5] * 3), max_time=100, rng=1)
    assert r.success


@pytest.mark.usefixtures("ticking")
def test_constraints_that_take_long_are_asked_while_there_is_time():
    asked = []

    def limit(x):
        asked.append(x)
        return float(x[0])

    constraints = NonlinearConstraint(limit, -9, 9)
    options = {"bounds": [(-9, 9)] * 3, "integrality": 1, "population": 1000, "constraints": constraints}
    r = cem.optimize(lambda X: X.sum(axis=1), max_time=200, vectorized=True, rng=1, **options)
    assert r.status is cem.Status.TIME_LIMIT
    assert 1 < len(asked) < 300
    assert r.maxcv == 0


@pytest.mark.usefixtures("ticking")
def test_what_is_not_improved_in_time_stays_as_it_is():
    class Slow:
        start, maximize, pieces, calls = cem.Bernoulli([0.5] * 20), True, 8, 0

        def __call__(self, X):
            return X.sum(axis=1)

        def improve(self, X, scores, rng, effort):
            type(self).calls += 1
            for _ in range(100):
                time.monotonic()
            return X, scores, 0

    r = cem.optimize(Slow(), max_time=250, rng=1)
    assert r.status is cem.Status.TIME_LIMIT
    assert 1 <= Slow.calls <= 4
    assert r.fun == r.x.sum()
