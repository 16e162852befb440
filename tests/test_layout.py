"""The house: imports go down its picture only and in no cycle, and neither root nor files grow large."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The picture in CONTRIBUTING.md, read downwards: a room may import what comes after it.
ROOMS = (
    "__main__",
    "__init__",
    "integrations",
    "ask_tell",
    "quantile",
    "optimization",
    "probability",
    "spaces",
    "plans",
    "running",
    "rare_events",
    "evaluation",
    "updates",
    "checkpoint",
    "plotting",  # which results import when they are asked to plot themselves
    "local_search",
    "core",
    "information",
    "families",
    "clock",
)
MOST_IN_ROOT, MOST_LINES = 9, 400


def imports(folder):
    """Return for each module of the package `folder` those of its modules that it imports, for types too."""
    files = {}
    for file in folder.rglob("*.py"):
        parts = file.relative_to(folder.parent).with_suffix("").parts
        files[".".join(parts[:-1] if file.stem == "__init__" else parts)] = file
    found = {name: set() for name in files}
    for name, file in files.items():
        around = name.split(".") if file.stem == "__init__" else name.split(".")[:-1]
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found[name].update(each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = around[: len(around) + 1 - node.level] if node.level else []
                module = ".".join([*above, *filter(None, [node.module])])
                inner = (f"{module}.{each.name}" for each in node.names)
                found[name].update(each if each in files else module for each in inner)
        found[name] &= files.keys() - {name}
    return found


def cycle(found):
    """Return modules of which each imports the one before it, the last being the first, or none."""
    try:
        graphlib.TopologicalSorter(found).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def room(module):
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def upward(found):
    """Return the imports from one room into another that comes before it."""
    order = {name: number for number, name in enumerate(ROOMS)}
    return [
        f"{one} imports {other}"
        for one, others in found.items()
        for other in others
        if order[room(other)] < order[room(one)]
    ]


def test_no_two_modules_need_each_other():
    assert cycle(imports(ROOT / "cem")) == []


@pytest.mark.slow
def test_imports_go_down_the_picture():
    found = imports(ROOT / "cem")
    assert {room(module) for module in found} == set(ROOMS)
    assert upward(found) == []


def test_the_picture_shows_every_room():
    picture = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("```")[1]
    missing = [name for name in ROOMS if not name.startswith("__") and name not in picture]
    assert missing == []


def test_the_root_holds_front_doors_only():
    assert len([*(ROOT / "cem").glob("*.py")]) <= MOST_IN_ROOT


@pytest.mark.parametrize("folder", ["cem", "problems", "scripts", "tests"])
def test_no_file_is_long(folder):
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines())
        for file in (ROOT / folder).rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_what_would_break_the_house_is_seen(tmp_path):
    house = {
        "__init__.py": "",
        "core/__init__.py": "",
        "core/loop.py": "from typing import *\nif TYPE_CHECKING:\n    from ..plans.single import Plan",
        "plans/__init__.py": "",
        "plans/single.py": "def f():\n    from cem.core import loop",
    }
    for name, text in house.items():
        file = tmp_path / "cem" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = imports(tmp_path / "cem")
    assert set(cycle(found)) == {"cem.core.loop", "cem.plans.single"}
    assert upward(found) == ["cem.core.loop imports cem.plans.single"]
