"""Describing arguments: equal ones alike, different ones not, by their content and in every process."""

import collections
import decimal
import functools
import operator
import subprocess
import sys
import types

import numpy as np
import pytest
from checkpoint_helpers import Both, Locked, Slotted, cube, described_alike, square, times
from scipy import sparse, stats
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem
from cem.checkpoint.description import describe


class Table(dict):
    pass


class Point(collections.namedtuple("Point", "x y")):
    pass


class Triangular(stats.rv_continuous):
    def _cdf(self, x):
        return x**2


class Steeper(stats.rv_continuous):
    def _cdf(self, x):
        return x**3


def deep(value, levels):
    for _ in range(levels):
        value = [value]
    return value


DIFFERENT = [
    lambda: None,
    lambda: True,
    lambda: 1,
    lambda: 1.5,
    lambda: "1",
    lambda: [1, 2],
    lambda: [[1], 2],
    lambda: "x" * 100,
    lambda: "x" * 101,
    lambda: np.arange(3),
    lambda: np.arange(3.0),
    lambda: np.arange(300),
    lambda: np.arange(300)[::-1],
    lambda: np.ma.masked_array([1.0, 2.0], [0, 1]),
    lambda: np.ma.masked_array([1.0, 2.0], [1, 0]),
    lambda: np.array([1, "a", None], dtype=object),
    lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    lambda: {"a": 1},
    lambda: {"a": 2},
    lambda: {1: "a"},
    lambda: {"1": "a"},
    lambda: {(1, 2): "a"},
    lambda: {1, 2},
    lambda: {(1, 2), "b"},
    lambda: deep(1, 60),
    lambda: deep(2, 60),
    lambda: Table(a=1),
    lambda: Table(a=2),
    lambda: Point(1, 2),
    lambda: Point(1, 3),
    lambda: collections.deque([1, 2]),
    lambda: collections.Counter("aab"),
    lambda: collections.OrderedDict(a=1, b=2),
    lambda: types.SimpleNamespace(a=1),
    lambda: decimal.Decimal("1.10"),
    lambda: decimal.Decimal("1.1"),
    lambda: square,
    lambda: np.sin,
    lambda: np.dot,
    lambda: functools.partial(square, 2),
    lambda: functools.partial(square, 3),
    lambda: functools.partial(cube, 3),
    lambda: times(2.0),
    lambda: times(3.0),
    lambda: times([1, 2]),
    lambda: lambda x: x + 1,
    lambda: lambda x: x + 2,
    lambda: lambda x, k=1: x + k,
    lambda: lambda x, k=2: x + k,
    lambda: lambda x, *, k=2: x + k,
    lambda: Slotted(1.0),
    lambda: Slotted(2.0),
    lambda: Both(1.0, 1.0),
    lambda: Both(1.0, 2.0),
    lambda: Both(2.0, 1.0),
    lambda: Slotted(1.0).__call__,
    lambda: Slotted(2.0).__call__,
    lambda: Locked(1.0),
    lambda: Locked(2.0),
    lambda: operator.itemgetter(1),
    lambda: operator.itemgetter(2),
    lambda: np.arange(5.0).dot,
    lambda: np.arange(6.0).dot,
    lambda: np.vectorize(square),
    lambda: np.vectorize(cube),
    lambda: np.poly1d([1, 2]),
    lambda: functools.lru_cache(square),
    lambda: functools.lru_cache(cube),
    lambda: sparse.csr_array(np.eye(3)),
    lambda: sparse.csr_array(np.eye(3) * 2),
    lambda: cem.Gaussian([0.0, 1.0], std=1),
    lambda: cem.Gaussian([0.0, 1.0], std=2),
    lambda: cem.Bernoulli([0.5, 0.5]),
    lambda: cem.updates.SmoothedFit(0.7),
    lambda: cem.updates.SmoothedFit(0.8),
    lambda: stats.norm(0, 1),
    lambda: stats.norm(0, 2),
    lambda: stats.expon(0, 2),
    lambda: stats.rv_discrete(values=([0, 1], [0.5, 0.5])),
    lambda: stats.rv_discrete(values=([0, 1], [0.4, 0.6])),
    lambda: stats.rv_discrete(values=([0, 2], [0.4, 0.6])),
    lambda: stats.rv_histogram((np.array([1, 2, 3]), np.arange(4.0))),
    lambda: stats.rv_histogram((np.array([1, 2, 4]), np.arange(4.0))),
    lambda: Triangular(a=0, b=1, name="own")(),
    lambda: Steeper(a=0, b=1, name="own")(),
    lambda: Triangular(a=0, b=1, name="own")(scale=2),
    lambda: LinearConstraint(np.eye(2), 0, 1),
    lambda: LinearConstraint(np.eye(2), 0, 2),
    lambda: NonlinearConstraint(square, 0, 1),
    lambda: NonlinearConstraint(cube, 0, 1),
]


def test_different_values_are_described_differently():
    seen = {}
    for number, make in enumerate(DIFFERENT):
        described = describe(make())
        assert described.content not in seen, (number, seen.get(described.content))
        seen[described.content] = number
        assert len(described.text) <= 80


@pytest.mark.parametrize("number", range(len(DIFFERENT)))
def test_equal_values_are_described_alike(number):
    assert describe(DIFFERENT[number]()) == describe(DIFFERENT[number]())


def test_numbers_of_numpy_are_numbers():
    assert describe(np.float64(2.5)) == describe(2.5)
    assert describe((1, 2)) == describe([1, 2])
    assert describe([(np.float64(1.5), np.int8(2))]) == describe([(1.5, 2)])
    assert describe(np.array([1.0, 2.0])) == describe(np.array([1.0, 2.0])[::1])
    assert describe(np.asfortranarray(np.eye(5))) == describe(np.eye(5))


def test_whether_two_parts_are_one_object_does_not_matter():
    part = [1.0, square]
    assert described_alike([part, part], [part, [1.0, square]])


SCRIPT = """
import functools, sys
import numpy as np
from scipy import stats
import cem
from cem.checkpoint.description import describe_parts

class Own(stats.rv_continuous):
    def _cdf(self, x):
        return x**2

class Model:
    __slots__ = ("a", "__dict__")
    names = frozenset(["p", "q", "r", "s"])
    def __init__(self):
        self.a, self.b = 1.5, {"x", "y", "z"}
    def __call__(self, x):
        return self.a if x in {"one", "two", "three"} else helper(x)

def helper(x):
    return {frozenset(["a", "b", "c"]): 1, "k": functools.partial(max, x)}

parts = describe_parts({"it": [
    cem.Gaussian(np.arange(9.0), std=1), {"b": 1, "a": {3, 1, 2}}, ["x" * 100], Model(), helper,
    Own(a=0, b=1)(),
    {("a", 1), ("b", 2), ("c", 3)}, stats.rv_discrete(values=([0, 1], [0.5, 0.5])),
    stats.norm(), Model().__call__,
]})
print(parts)
"""


@pytest.mark.slow
def test_another_process_describes_alike():
    seen = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
