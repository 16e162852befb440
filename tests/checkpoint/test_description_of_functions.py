"""Functions and problems are described by their content."""

import functools
import sys
import textwrap
import threading
import types
from unittest import mock

import numpy as np
import pytest
from checkpoint_helpers import Both, Locked, Slotted, cube, described_alike, square, times
from scipy import stats

import cem
from cem.checkpoint.description import describe, describe_parts, differences
from problems import rare_event
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT


def defined(text, **names):
    """Return the function `f` (or the class `F`) that `text` defines, as if in a module of the user's."""
    scope = {"__name__": "users_own", **names}
    exec(textwrap.dedent(text), scope)
    return scope.get("f") or scope["F"]


def changes(before, now):
    """Return what differs between two values, by name."""
    one, other = (describe_parts({"it": each})[0] for each in (before, now))
    return differences(one, other, code=True)


def deep(value, levels):
    for _ in range(levels):
        value = [value]
    return value


LAYOUT = """
def f(x):
    y = [z + 1 for z in x]
    while True:
        try:
            return sum(y) / scale
        except ZeroDivisionError:
            return 0
"""


OTHERWISE_LAID_OUT = """
# Another comment


def f(
    x,
):
    \"\"\"Documented now.\"\"\"
    y = [
        z + 1  # of each
        for z in x
    ]

    while True:

        try:
            pass
            return sum(
                y
            ) / scale
        except ZeroDivisionError:
            return 0
"""


def test_a_function_that_is_laid_out_otherwise_is_the_same():
    assert described_alike(defined(LAYOUT, scale=2), defined(OTHERWISE_LAID_OUT, scale=2))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("z + 1", "z + 2"),
        ("z + 1", "z - 1"),
        ("sum(y)", "max(y)"),
        ("return 0", "return 1"),
        ("in x", "in x[1:]"),
    ],
)
def test_a_function_with_other_code_is_another(old, new):
    one, other = defined(LAYOUT, scale=2), defined(LAYOUT.replace(old, new), scale=2)
    assert changes(one, other) == {"it.(code)": "the code of it (f) has changed"}


def test_a_value_that_a_function_takes_from_its_module_is_a_part_of_it():
    one, other = defined(LAYOUT, scale=2), defined(LAYOUT, scale=3)
    assert changes(one, other) == {"it.scale": "it.scale was 2 and is now 3"}


def test_a_value_of_its_module_that_a_function_does_not_name_is_none():
    assert described_alike(defined(LAYOUT, scale=2, other=1), defined(LAYOUT, scale=2, other=2))


def test_a_function_of_its_module_that_a_function_calls_is_a_part_of_it():
    text = "def f(x): return g(x)\ndef g(x): return h(x) + f.k if x else f(x)\nf.k = 1"
    one, other = (defined(text, h=each) for each in (square, cube))
    assert changes(one, other) == {"it.g.h": "it.g.h was square and is now cube"}
    assert described_alike(one, defined(text, h=square))
    assert not described_alike(one, defined(text.replace("f.k = 1", "f.k = 2"), h=square))


def test_a_function_of_a_users_module_is_a_part_of_those_that_name_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    described = []
    for number in (1, 2, 1):
        (tmp_path / "users_helper.py").write_text(f"def g(x): return x + {number}\ndef h(x): return {number}")
        monkeypatch.delitem(sys.modules, "users_helper", raising=False)
        module = types.ModuleType("users_helper")
        module.__file__ = str(tmp_path / "users_helper.py")
        exec((tmp_path / "users_helper.py").read_text(), module.__dict__)
        described.append(describe(defined("def f(x): return helper.g(x)", helper=module)).content)
    assert described[0] == described[2] != described[1]


def test_a_method_of_a_users_class_is_a_part_of_its_objects():
    text = "class F:\n    def __call__(self, x): return self.g(x)\n    def g(self, x): return x + 1"
    one, other = defined(text)(), defined(text.replace("+ 1", "+ 2"))()
    assert changes(one, other) == {"it.class.g.(code)": "the code of it.class.g (F.g) has changed"}
    assert not described_alike(defined(text), defined(text.replace("def g", "@staticmethod\n    def g")))


def test_a_function_in_what_a_base_class_does_is_a_part():
    text = "class B:\n    k = 1\nclass F(B):\n    def __call__(self, x): return super().__call__(x)"
    assert not described_alike(defined(text)(), defined(text.replace("k = 1", "k = 2"))())


def test_attributes_are_named():
    assert changes(Both(1.0, [square]), Both(2.0, [cube])) == {
        "it.weight": "it.weight was 1.0 and is now 2.0",
        "it.other": "it.other was [square] and is now [cube]",
    }
    assert list(changes(functools.partial(times(1), 2), functools.partial(times(2), 2))) == [
        "it.function.factor"
    ]


class Endless:
    """Consists of another one whenever it is asked."""

    def __getstate__(self):
        return {"one": Endless(), "other": Endless()}


def test_what_has_no_end_is_looked_at_up_to_a_limit(monkeypatch):
    monkeypatch.setattr("cem.checkpoint.description.MOST", 1000)
    assert "very deep or large" in describe_parts({"it": Endless()})[1]
    assert "very deep or large" in describe_parts({"it": [[square, i] for i in range(1000)]})[1]


class Strange:
    """Breaks whatever is asked of it."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __reduce_ex__(self, protocol):
        return 5

    def __call__(self, x):
        return x


@pytest.mark.parametrize(
    "make", [Strange, mock.Mock, mock.MagicMock, threading.Lock, lambda: iter([1]), object]
)
def test_anything_can_be_described(make):
    assert describe(make()).text


def test_a_loop_of_references_ends():
    loop = []
    loop.append(loop)
    assert described_alike(loop, loop)
    fun = Both(1.0, 1.0)
    fun.itself = fun
    other = Both(2.0, 1.0)
    other.itself = other
    assert not described_alike(fun, other)


def test_a_very_deep_value_is_not_looked_at_to_its_end():
    assert (
        describe_parts({"it": deep(1, 5000)})[1]
        == "it holds very deep or large structures, which content cannot tell"
    )


def test_a_compiled_function_is_known_by_the_one_it_was_made_from():
    numba = pytest.importorskip("numba")
    text = "def f(x):\n    return x.sum() / scale"
    one, other, again = (numba.njit(defined(text, scale=each)) for each in (2, 3, 2))
    assert described_alike(one, again)
    assert list(changes(one, other)) == ["it.source.scale"]
    one(np.ones(2))
    assert described_alike(one, again)
    assert describe_parts({"it": one})[1] == ""


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\ndef f(x): return subprocess.run(x)",
        "def f(x):\n    with open('data') as file: return float(file.read())",
        "def f(x):\n    import users_module\n    return users_module.g(x)",
        "import numpy as np\ndef f(x): return np.loadtxt('data') @ x",
    ],
)
def test_what_leaves_the_process_cannot_be_told_by_content(text):
    assert "which content cannot tell" in describe_parts({"it": defined(text)})[1]
    assert "which content cannot tell" in describe_parts({"it": [functools.partial(defined(text), 1)]})[1]


@pytest.mark.parametrize(
    "value", [square, np.sin, np.dot, len, times(2), Slotted(1), Locked(1), stats.norm()]
)
def test_what_content_tells(value):
    assert describe_parts({"it": value})[1] == ""


def test_a_foreign_function_cannot_be_told_by_content():
    import ctypes
    import ctypes.util

    library = ctypes.CDLL(ctypes.util.find_library("m"))
    one, other = library.cos, library.sin
    assert not described_alike(one, other)
    assert describe_parts({"it": one})[1]
    assert describe_parts({"it": np.frompyfunc(square, 1, 1)})[1]


def test_a_generator_is_known_by_its_kind():
    """Its state says how often it was asked."""
    assert described_alike(np.random.default_rng(1), np.random.default_rng(2))


@pytest.mark.slow
def test_a_graph_is_known_by_its_edges():
    graph = MaxCut.random(30, rng=1)
    before = describe(graph)
    cem.optimize(graph, max_evaluations=200, rng=1)
    assert describe(graph) == before
    assert describe(MaxCut.random(30, rng=1)) == before
    assert describe(MaxCut.random(30, rng=2)) != before


def test_problems_that_differ_are_told_apart():
    formulas = [MaxSAT.random(30, 60, rng=seed) for seed in (1, 2, 1)]
    first, second, again = (describe(each).content for each in formulas)
    assert first == again != second
    cases = rare_event.suite()
    assert len({describe(case).content for case in cases}) == len(cases)
