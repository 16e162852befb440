"""What the tests of evaluation share."""

import numpy as np

import cem

BOX = [(-2.0, 3.0)] * 4


BACKENDS = ["loky", "threading"]


def rosenbrock(x):
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def scaled(x, factor, shift=0.0):
    return factor * float(x @ x) + shift


def optimize(fun, **options):
    defaults = {"bounds": BOX, "max_iterations": 4, "rng": 3, "method": "textbook"}
    return cem.optimize(fun, **(defaults | options))


def assert_same(a, b):
    """Bit for bit the same run; only the times may differ."""
    np.testing.assert_array_equal(a.x, b.x)
    assert a.fun == b.fun
    assert (a.nit, a.nfev, a.status, a.message, a.seed) == (b.nit, b.nfev, b.status, b.message, b.seed)
    for key, value in a.family.to_arrays().items():
        np.testing.assert_array_equal(value, b.family.to_arrays()[key])
    for column in set(a.history.columns) - {"seconds"}:
        np.testing.assert_array_equal(getattr(a.history, column), getattr(b.history, column))
