"""Whose a function, a class or a module is: an installed package's, or the user's own."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

TRUSTED = {"numpy", "scipy", "joblib", "cem", *sys.stdlib_module_names}


def is_library(value: Any) -> bool:
    """Whether a function or class belongs to an installed package, and is not the user's own."""
    return is_library_module(module_of(value))


def module_of(value: Any) -> str:
    """Return the name of a value's module; empty where it has none."""
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""


def top_package(value: Any) -> str:
    """Return the name of a value's package; that of the problems counts as this one."""
    name = module_of(value).partition(".")[0]
    return "cem" if name == "problems" and is_library_module(name) else name


@functools.cache
def is_library_module(name: str) -> bool:
    """Whether a module belongs to an installed package."""
    top = name.partition(".")[0]
    if top == "__main__" or not top:
        return False
    if top in TRUSTED:
        return True
    places = (getattr(sys.modules.get(each), "__file__", None) for each in (top, name))
    place = next(filter(None, places), None)
    if place is None:
        return False
    home = Path(place)
    if top == "problems" and home.parents[1] == Path(__file__).parents[2]:
        return True
    return not {"site-packages", "dist-packages"}.isdisjoint(home.parts)


def stands_by_name(value: Any) -> bool:
    """Whether a function or class is what its module has under its name."""
    module, names = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(names, str)):
        return False
    found: Any = sys.modules.get(module)
    for name in names.split("."):
        found = getattr(found, name, None)
    return found is value
