"""What the tests of `optimize` share: objectives, and the textbook's method by default."""

from dataclasses import replace

import numpy as np

import cem

BOX = [(-5.0, 5.0)] * 5


def sphere(x):
    return float(x @ x)


def sphere_rows(X):
    return np.sum(X**2, axis=1)


def rosenbrock_rows(X):
    return np.sum(100 * (X[:, 1:] - X[:, :-1] ** 2) ** 2 + (1 - X[:, :-1]) ** 2, axis=1)


def optimize(fun=sphere, **options):
    """The textbook's method: what is tested here is what surrounds any of them."""
    return cem.optimize(fun, **({"bounds": BOX, "rng": 1, "method": "textbook"} | options))


class Recorder:
    """Counts and keeps the calls of an objective."""

    def __init__(self, fun=sphere):
        self.fun = fun
        self.calls = []

    def __call__(self, x, *args):
        self.calls.append(np.array(x))
        return self.fun(x, *args)


def assert_same(a, b):
    """Bit for bit the same run; only the times may differ."""
    np.testing.assert_array_equal(a.x, b.x)
    assert (a.fun, a.nit, a.nfev, a.status, a.message) == (b.fun, b.nit, b.nfev, b.status, b.message)
    for key, value in a.family.to_arrays().items():
        np.testing.assert_array_equal(value, b.family.to_arrays()[key])
    for column in set(a.history.columns) - {"seconds"}:
        np.testing.assert_array_equal(getattr(a.history, column), getattr(b.history, column))


class Greedy:
    """A user's own update: half way to the best candidate, with half the spread."""

    def init(self, start):
        return cem.updates.SmoothedFit().init(start)

    def step(self, state, batch):
        best = batch.x[np.argmax(batch.scores)]
        level = float(batch.scores.max())
        family = cem.Gaussian(best, std=0.7 * state.family.std)
        return replace(state, family=family, level=level, elite_best=level, elites=1)
