"""What tests of kept runs share: objectives that fail or are known by what they hold, runs, files."""

import threading

import numpy as np
import pytest
from helpers import rosenbrock, sphere_rows, total
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem
from cem.checkpoint.description import describe
from cem.checkpoint.journal import Journal

# --- objectives -------------------------------------------------------------------------------------------


def bumps(x):
    return float((x**2 + 3 * (1 - np.cos(5 * x))).sum())


def noisy(x, rng):
    return float((x**2).sum() + 0.1 * rng.normal())


class Failing:
    """An objective that counts its calls, and fails at one of them."""

    def __init__(self, fun, at=None, what=ZeroDivisionError):
        self.fun, self.at, self.what, self.count = fun, at, what, 0

    def __getstate__(self):
        return {"fun": self.fun}  # what it is, whatever befalls it

    def __setstate__(self, state):
        self.__init__(**state)

    def __call__(self, x, *args):
        self.count += 1
        if self.count == self.at:
            raise self.what
        return self.fun(x, *args)


class Weighted:
    """An objective that counts and logs its calls."""

    def __init__(self, weight):
        self.weight, self.calls, self.seen = weight, 0, []

    def __call__(self, x):
        self.calls += 1
        self.seen.append(x.copy())
        return float(self.weight * (x**2).sum())


def at_least(limit):
    """Return the constraint that the first variable is."""
    return NonlinearConstraint(lambda x: x[0] - limit, 0, np.inf)


def square(x):
    return x**2


def cube(x):
    return x**3


def times(factor):
    return lambda x: factor * x


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, x):
        return self.weight * x


class Both(Slotted):
    """Has slots and a dictionary."""

    def __init__(self, weight, other):
        super().__init__(weight)
        self.other = other


class Locked:
    """Cannot be copied for its lock."""

    def __init__(self, weight):
        self.weight, self.lock = weight, threading.Lock()

    def __call__(self, x):
        return self.weight * x


def described_alike(one, other):
    return describe(one).content == describe(other).content


# --- runs and files ---------------------------------------------------------------------------------------

KEPT_USES = {
    "default": (rosenbrock, {}),
    "restarts": (bumps, {"polish": False}),
    "textbook": (rosenbrock, {"method": "textbook"}),
    "binary": (total, {"bounds": None, "start": cem.Bernoulli([0.5] * 30), "maximize": True}),
    "integers": (bumps, {"integrality": [1, 0, 1]}),
    "noisy": (noisy, {"noisy": True, "pass_rng": True}),
    "constraints": (rosenbrock, {"constraints": LinearConstraint(np.ones((1, 3)), -1, 1)}),
    "vectorized": (sphere_rows, {"vectorized": True}),
}
SQUARE = [(-2.0, 3.0)] * 2
OPTIMIZATION = "optimization"  # the kind of a run's file


def optimize_kept(fun, **options):
    return cem.optimize(fun, **{"bounds": [(-3.0, 4.0)] * 3, "max_evaluations": 600, "rng": 5} | options)


def optimize_square(fun, path, **options):
    return cem.optimize(
        fun, **{"bounds": SQUARE, "max_evaluations": 300, "rng": 3, "checkpoint": path} | options
    )


def read_run(path):
    return Journal.read(path, OPTIMIZATION)


READERS = {"run": read_run, "state": cem.CrossEntropyMethod.load}


def assert_refused(path, read, *words):
    """The file is refused in a message with these words, and is left as it is."""
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"damaged|was not saved by cem") as caught:
        read(path)
    said = str(caught.value)
    assert str(path) in said
    assert "pickle" not in said
    for word in words:
        assert word in said
    assert path.read_bytes() == before
