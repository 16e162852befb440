"""Mutation score: how many small faults, put into the code one at a time, the quick tests notice.

    python scripts/mutation.py                          # all of TARGETS
    python scripts/mutation.py selection --survivors    # one of them, and each fault that went unnoticed

A fault is a comparison, an operator or a number changed for its neighbour. With each, the tests of the module
run in a fork of a process that has imported the package; one that takes over a minute counts as noticed.
"""

from __future__ import annotations

import ast
import copy
import importlib
import os
import pkgutil
import signal
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser

ROOT = Path(__file__).parents[1]
LONGEST = 60  # seconds
FITS = ("fit", "refit", "fitted", "refitted", "_refit_kept", "fit_weights", "check_fit")


class Target(NamedTuple):
    """A module, the functions of it that count (all, where none is named), and its tests."""

    module: str
    tests: tuple[str, ...]
    functions: tuple[str, ...] = FITS


def _family(name: str, *tests: str) -> Target:
    own = tests or (f"test_{name}.py",)
    return Target(f"cem.families.{name}", tuple(f"tests/families/{each}" for each in own))


_STOPPING = ("tests/core/test_stopping_limits.py", "tests/core/test_stopping.py")

TARGETS = {
    "selection": Target("cem.core.selection", ("tests/core/test_selection.py",), ()),
    "stopping": Target("cem.core.stopping", _STOPPING, ()),
    "base": _family("base", "test_fit_limits.py", "test_family_protocol.py"),
    "bernoulli": _family("bernoulli", "test_bernoulli.py", "test_fit_limits.py"),
    "bernoulli_mixture": _family("bernoulli_mixture", "test_mixtures.py"),
    "bernoulli_tree": _family("bernoulli_tree"),
    "blended": _family("blended"),
    "categorical": _family("categorical"),
    "categorical_mixture": _family(
        "categorical_mixture", "test_fit_limits.py", "test_categorical_mixture.py"
    ),
    "exponential": _family("exponential"),
    "factor_steps": _family("factor_steps"),
    "factored_gaussian": _family("factored_gaussian", "test_gaussian_forms.py"),
    "gamma": _family("gamma"),
    "gaussian": _family("gaussian"),
    "gaussian_mixture": _family("gaussian_mixture", "test_fit_limits.py", "test_mixtures.py"),
    "linkage_tree": _family("linkage_tree", "test_fit_limits.py", "test_linkage_tree.py"),
    "low_rank_gaussian": _family("low_rank_gaussian", "test_gaussian_forms.py"),
    "markov_path": _family("markov_path"),
    "mixture": _family("mixture", "test_fit_limits.py", "test_mixtures.py"),
    "one_large": _family("one_large"),
    "permutation": _family("permutation"),
    "product": _family("product"),
    "von_mises_fisher_nakagami": _family("von_mises_fisher_nakagami"),
}

NEIGHBOURS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def faults(source: str, functions: tuple[str, ...]) -> Iterator[tuple[str, ast.Module]]:
    """Yield what is changed where, and the tree with the change."""
    tree = ast.parse(source)
    for place in range(len(list(_places(tree, functions)))):
        changed = copy.deepcopy(tree)
        node = list(_places(changed, functions))[place]
        before = ast.unparse(node)
        after = ast.unparse(_change(node))
        line = getattr(node, "lineno", 0)
        yield f"line {line}: {before}  ->  {after}", changed


def _places(tree: ast.AST, functions: tuple[str, ...], inside: bool = False) -> Iterator[ast.AST]:
    """Yield the nodes that have a neighbour, but for those of annotations, decorators, errors and texts."""
    inside = inside or not functions
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or isinstance(node, ast.Raise | ast.JoinedStr):
                continue
            within = inside or (isinstance(node, ast.FunctionDef) and node.name in functions)
            if within and _changeable(node):
                yield node
            yield from _places(node, functions, within)


def _changeable(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1 and type(node.ops[0]) in NEIGHBOURS
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
        return type(node.op) in NEIGHBOURS
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not | ast.USub)
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _change(node: ast.AST) -> ast.AST:
    """Change a node for its neighbour, in place."""
    if isinstance(node, ast.Compare):
        node.ops = [NEIGHBOURS[type(node.ops[0])]()]
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
        node.op = NEIGHBOURS[type(node.op)]()
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.USub):
            node.op = ast.UAdd()
        else:
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
    elif isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
    return node


def _put(name: str, tree: ast.Module) -> None:
    """Let the functions and the constants of a module that is in use be those of a changed tree."""
    module = sys.modules[name]
    changed = types.ModuleType(name)
    sys.modules[name] = changed  # dataclasses look their module up
    exec(compile(ast.fix_missing_locations(tree), str(_path(name)), "exec"), vars(changed))
    sys.modules[name] = module
    for key, new in vars(changed).items():
        old = vars(module).get(key)
        if isinstance(new, type) and new.__module__ == name:
            for member, value in vars(new).items():
                if not _put_function(vars(old).get(member), value) and isinstance(value, int | float):
                    setattr(old, member, value)
        elif not _put_function(old, new) and isinstance(new, int | float):
            setattr(module, key, new)


def _put_function(old: Any, new: Any) -> bool:
    """Give a function, or that of a property or method, the code of another; return whether it is one."""
    old, new = (getattr(each, "fget", None) or getattr(each, "__func__", each) for each in (old, new))
    if not isinstance(old, types.FunctionType):
        return False
    if len(old.__code__.co_freevars) == len(new.__code__.co_freevars):
        old.__code__, old.__defaults__ = new.__code__, new.__defaults__
    return True


def _path(module: str) -> Path:
    return ROOT / (module.replace(".", "/") + ".py")


def _start(target: Target, tree: ast.Module | None) -> int:
    """Fork a process that runs the tests of a module, whole or with a fault; return its id."""
    child = os.fork()
    if child:
        return child
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    signal.alarm(LONGEST)
    code = 3
    try:
        if tree is not None:
            _put(target.module, tree)
        options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header"]
        code = int(pytest.main([*options, *target.tests]))
    finally:
        os._exit(code)


def survivors(target: Target, jobs: int) -> tuple[int, list[str]]:
    """Return how many faults there are, and those that went unnoticed.

    Raises
    ------
    RuntimeError
        If the tests fail without a fault.
    """
    if os.waitstatus_to_exitcode(os.waitpid(_start(target, None), 0)[1]) != 0:
        raise RuntimeError(f"the tests of {target.module} fail, or take over {LONGEST} s, without a fault.")
    waiting = list(faults(_path(target.module).read_text(), target.functions))
    count, running, alive = len(waiting), dict[int, str](), list[str]()
    while waiting or running:
        while waiting and len(running) < jobs:
            what, tree = waiting.pop(0)
            running[_start(target, tree)] = what
        child, status = os.wait()
        what = running.pop(child)
        if status == 0:
            alive.append(what)
    return count, alive


def main() -> int:
    parser = make_benchmark_parser(__doc__, seed=None, jobs=2)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (all)")
    parser.add_argument("--survivors", action="store_true", help="name the faults that went unnoticed")
    given = parser.parse_args()
    if unknown := [name for name in given.targets if name not in TARGETS]:
        parser.error(f"there is no target {', '.join(unknown)}")
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for each in pkgutil.walk_packages(cem.__path__, "cem."):
        if not each.name.startswith(("cem.integrations", "cem.plotting", "cem.__main__")):
            importlib.import_module(each.name)
    print("| module | faults | noticed | % | seconds |\n|---|---:|---:|---:|---:|")
    everything, noticed = 0, 0
    for name in given.targets or TARGETS:
        began = time.perf_counter()
        count, alive = survivors(TARGETS[name], given.jobs)
        everything, noticed = everything + count, noticed + count - len(alive)
        share = 100 * (1 - len(alive) / max(count, 1))
        took = time.perf_counter() - began
        print(f"| {name} | {count} | {count - len(alive)} | {share:.0f} | {took:.0f} |", flush=True)
        for what in alive if given.survivors else ():
            print(f"    {what}", flush=True)
    print(f"\nMutation score: {100 * noticed / max(everything, 1):.1f} % of {everything} faults")
    return 0


if __name__ == "__main__":
    carry_out_benchmark(main)
