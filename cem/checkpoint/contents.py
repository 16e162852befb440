"""Taking values apart: what a function, an object, an array or a distribution consists of."""

from __future__ import annotations

import functools
import hashlib
import inspect
import operator
import random
import sys
import types
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cem.checkpoint.code import OUTSIDE, code_text, leave_process, loaded_names
from cem.checkpoint.ownership import TRUSTED, is_library, is_library_module, stands_by_name, top_package

QUANTILES = (1e-9, 1e-4, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1 - 1e-4, 1 - 1e-9)
_OPEN = {"numba", "functools"}  # their wrappers do what the function inside says
_SCALARS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
_PLAIN_LEVELS = 8  # of lists in lists that are told by their text
_WRAPPERS = (staticmethod, classmethod, property, functools.cached_property, types.FunctionType)


@dataclass(frozen=True)
class Contents:
    """What a value consists of.

    Attributes
    ----------
    text : str
        What to call it.
    content : str
        What tells it apart besides its members.
    members : mapping of str to object
    shown : str
        The brackets within which a text shows the members; empty where it does not.
    unordered : bool
        Whether the members' names mean nothing.
    code : bool
        Whether `content` is code, which another interpreter writes otherwise.
    hidden : str
        What of it cannot be told by its content; empty where all can.
    """

    text: str
    content: str = ""
    members: Mapping[str, Any] = field(default_factory=dict)
    shown: str = ""
    unordered: bool = False
    code: bool = False
    hidden: str = ""


def _leaf(text: str, content: str | None = None, hidden: str = "") -> Contents:
    return Contents(text, text if content is None else content, hidden=hidden)


@functools.singledispatch
def take_apart(value: Any) -> Contents:
    """Return what a value consists of: by default its class and its attributes, however they are stored.

    They are those that a copy would get (``__reduce_ex__``, ``__getstate__``), less cached properties. Of
    a compiled function that knows the Python one that it was made from, that is looked at.
    """
    if type(value) in _SCALARS:
        return _leaf(repr(value))
    if callable(value) and top_package(value) in TRUSTED and stands_by_name(value):
        return _leaf(value.__qualname__, f"{value.__module__}.{value.__qualname__}")
    source = _held(value, "py_func") or _held(value, "__wrapped__")
    if isinstance(source, types.FunctionType) and is_library(type(value)):
        members = {"source": source, "options": _held(value, "targetoptions")}
        hidden = "" if type(value).__module__.partition(".")[0] in _OPEN else type(value).__qualname__
        return Contents(source.__name__, type(value).__qualname__, members, hidden=hidden)
    attributes = _attributes(value)
    name = getattr(value, "__name__", None)
    text = name if isinstance(name, str) else type(value).__name__
    if attributes is None:
        outside = callable(value) or type(value).__module__ in OUTSIDE or not is_library(type(value))
        return Contents(text, text, {"class": type(value), **_by_hand(value)}, hidden=text if outside else "")
    if _held(value, "ppf") and _held(value, "dist"):
        attributes["quantile function"] = _quantiles(value)
    return Contents(text, "", {"class": type(value), **attributes})


def _held(value: Any, name: str) -> Any:
    """Return an attribute that is there, and not made up as it is asked for."""
    return inspect.getattr_static(value, name, None)


def _attributes(value: Any) -> dict[str, Any] | None:
    """Return what a copy of `value` would get, by name; None if it cannot be copied."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reduced = value.__reduce_ex__(4)
    except Exception:  # an object that refuses to be copied may raise anything
        return None
    if not isinstance(reduced, tuple):
        return None
    if isinstance(value, set | frozenset):
        return {**_by_hand(value), "(items)": frozenset(value)}
    maker, arguments, state, *items = (*reduced, None, None, None)[:5]
    members: dict[str, Any] = {}
    if maker.__module__ != "copyreg":
        members["(made by)"] = maker
    rest = [each for each in arguments if each is not type(value)]
    if rest:
        members["(made from)"] = rest
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    if all(part is None or isinstance(part, dict) for part in parts):
        for part in parts:
            members |= {str(name): each for name, each in (part or {}).items() if not _untold(value, name)}
    else:
        members["(state)"] = state
    for name, iterator in zip(("(items)", "(entries)"), items, strict=True):
        if iterator is not None:
            members[name] = list(iterator)
    return members


def _by_hand(value: Any) -> dict[str, Any]:
    members = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and name not in ("__dict__", "__weakref__"):
                members[name] = getattr(value, name)
    return {str(name): each for name, each in members.items()}


def _untold(value: Any, name: Any) -> bool:
    """Whether an attribute is documentation, or kept for the next time."""
    return name == "__doc__" or isinstance(
        inspect.getattr_static(type(value), str(name), None), functools.cached_property
    )


def _quantiles(distribution: Any) -> Any:
    """Return what a distribution's quantile function says at fixed points, to nine digits."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [f"{float(distribution.ppf(p)):.8e}" for p in QUANTILES]
    except Exception as error:  # a user's own may raise anything; how is as good a mark as another
        return type(error).__name__


@take_apart.register(np.generic)
def _(value: np.generic) -> Contents:
    item = value.item()
    return take_apart(np.asarray(value)) if isinstance(item, np.generic | tuple) else take_apart(item)


@take_apart.register(np.ndarray)
def _(value: np.ndarray[Any, Any]) -> Contents:
    if isinstance(value, np.ma.MaskedArray):
        return Contents("masked array", "", {"data": value.data, "mask": np.ma.getmaskarray(value)})
    if value.dtype.hasobject:
        return Contents(
            f"array {value.shape}", str(value.dtype), {"items": value.ravel().tolist()}, shown="()"
        )
    if value.size <= 4 and value.dtype.kind in "fiubc":
        return _leaf(f"array {value.tolist()}")
    content: Any = np.ascontiguousarray(value).reshape(-1).view(np.uint8) if value.size else b""
    mark = hashlib.blake2b(content, digest_size=16).hexdigest()
    return Contents(f"array {value.shape} {mark[:8]}", f"array {value.shape} {value.dtype.str} {mark}")


@take_apart.register(list)
@take_apart.register(tuple)
def _(value: list[Any] | tuple[Any, ...]) -> Contents:
    if type(value) not in (list, tuple):
        return _as_object(value)
    if (plain := _plain(value, _PLAIN_LEVELS)) is not None:
        return _leaf(plain)
    return Contents("", "list", {str(i): each for i, each in enumerate(value)}, shown="[]")


def _plain(value: Any, levels: int) -> str | None:
    """Return the text of numbers and texts in lists, which tells them; None of anything else."""
    if type(value) in (list, tuple) and levels:
        parts = [_plain(each, levels - 1) for each in value]
        return None if None in parts else f"[{', '.join(parts)}]"  # type: ignore[arg-type]
    value = value.item() if isinstance(value, np.generic) else value
    return repr(value) if type(value) in _SCALARS else None


@take_apart.register(set)
@take_apart.register(frozenset)
def _(value: set[Any] | frozenset[Any]) -> Contents:
    if type(value) not in (set, frozenset):
        return _as_object(value)
    if all(type(each) in _SCALARS for each in value):
        return _leaf(f"{{{', '.join(sorted(map(repr, value)))}}}", f"set {sorted(map(repr, value))}")
    return Contents("", "set", {str(i): each for i, each in enumerate(value)}, shown="{}", unordered=True)


@take_apart.register(dict)
@take_apart.register(types.MappingProxyType)
def _(value: Mapping[Any, Any]) -> Contents:
    if type(value) not in (dict, types.MappingProxyType):
        return _as_object(value)
    if all(type(key) in _SCALARS for key in value):
        named = {
            key if isinstance(key, str) and key.isidentifier() else repr(key): each
            for key, each in value.items()
        }
        return Contents("", "dict", named, shown="{}")
    pairs = {str(i): [key, each] for i, (key, each) in enumerate(value.items())}
    return Contents("", "dict", pairs, shown="{}", unordered=True)


def _as_object(value: Any) -> Contents:
    return take_apart.dispatch(object)(value)


# --- functions, classes and modules ------------------------------------------------------------------------


@take_apart.register
def _(value: types.FunctionType) -> Contents:
    members: dict[str, Any]
    if is_library(value) and stands_by_name(value):
        members = {} if top_package(value) in TRUSTED else {"(code)": value.__code__}
        return Contents(value.__qualname__, f"{value.__module__}.{value.__qualname__}", members)
    members = {"(code)": value.__code__}
    if value.__defaults__ or value.__kwdefaults__:
        members["(defaults)"] = [value.__defaults__, value.__kwdefaults__]
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        members[name] = _inside(cell)
    members |= _globals(value)
    members |= {f"({name})": each for name, each in vars(value).items()}
    return Contents(value.__qualname__.rpartition(".<locals>.")[2], "function", members)


def _inside(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return "an empty cell"


def _globals(function: types.FunctionType) -> dict[str, Any]:
    """Return the values that a function's code takes from its module, by name.

    Of a module of the user's own these are the attributes that the code names.
    """
    loaded, attributes = loaded_names(function.__code__)
    found: dict[str, Any] = {}
    for name in sorted(loaded & function.__globals__.keys()):
        value = function.__globals__[name]
        found[name] = value
        if isinstance(value, types.ModuleType):
            found |= _named_in(name, value, attributes, set())
    return found


def _named_in(name: str, module: types.ModuleType, attributes: set[str], seen: set[str]) -> dict[str, Any]:
    """Return the attributes of a user's own module that code names, and those of its modules."""
    if module.__name__ in seen or is_library_module(module.__name__):
        return {}
    seen.add(module.__name__)
    found: dict[str, Any] = {}
    for each in sorted(attributes & vars(module).keys()):
        value = vars(module)[each]
        found[f"{name}.{each}"] = value
        if isinstance(value, types.ModuleType):
            found |= _named_in(f"{name}.{each}", value, attributes, seen)
    return found


@take_apart.register
def _(value: types.CodeType) -> Contents:
    outside = leave_process(value)
    hidden = f"a use of {outside}" if outside else ""
    return Contents("code", code_text(value), code=True, hidden=hidden)


@take_apart.register
def _(value: type) -> Contents:
    if is_library(value) and stands_by_name(value):
        return _leaf(value.__qualname__, f"{value.__module__}.{value.__qualname__}")
    members = {
        name: each
        for name, each in vars(value).items()
        if (isinstance(each, _WRAPPERS) if name.startswith("__") else name != "_abc_impl")
        and not isinstance(each, types.MemberDescriptorType | types.GetSetDescriptorType)
        and not name.startswith("__annotat")
    }
    for i, base in enumerate(value.__bases__):
        members[f"(base {i})"] = base
    return Contents(value.__qualname__.rpartition(".<locals>.")[2], "class", members)


@take_apart.register
def _(value: types.ModuleType) -> Contents:
    return _leaf(value.__name__)


@take_apart.register
def _(value: types.MethodType) -> Contents:
    name = getattr(value.__func__, "__qualname__", "method")
    return Contents(
        name.rpartition(".<locals>.")[2], "method", {"object": value.__self__, "function": value.__func__}
    )


@take_apart.register
def _(value: functools.partial) -> Contents:  # type: ignore[type-arg]
    members = {"function": value.func, "arguments": value.args, "keywords": value.keywords}
    return Contents("partial", "partial", {**members, **({"attributes": vars(value)} if vars(value) else {})})


@take_apart.register(staticmethod)
@take_apart.register(classmethod)
def _(value: Any) -> Contents:
    return Contents(type(value).__name__, type(value).__name__, {"function": value.__func__})


@take_apart.register
def _(value: property) -> Contents:
    return Contents("property", "property", {"get": value.fget, "set": value.fset})


@take_apart.register(functools.cached_property)
def _(value: functools.cached_property[Any]) -> Contents:
    return Contents("cached_property", "cached_property", {"get": value.func})


@take_apart.register(types.BuiltinFunctionType)
@take_apart.register(types.MethodWrapperType)
def _(value: Any) -> Contents:
    owner = value.__self__
    if owner is not None and not isinstance(owner, types.ModuleType):
        return Contents(value.__qualname__, f"method {value.__name__}", {"object": owner})
    name = f"{value.__module__}.{value.__qualname__}"
    return _leaf(value.__qualname__, name, hidden="" if top_package(value) in TRUSTED else name)


@take_apart.register(types.MethodDescriptorType)
@take_apart.register(types.WrapperDescriptorType)
@take_apart.register(types.ClassMethodDescriptorType)
@take_apart.register(types.GetSetDescriptorType)
@take_apart.register(types.MemberDescriptorType)
def _(value: Any) -> Contents:
    return _leaf(value.__qualname__, f"{value.__objclass__.__module__}.{value.__qualname__}")


@take_apart.register
def _(value: np.ufunc) -> Contents:
    homes = (sys.modules.get("numpy"), sys.modules.get("scipy.special"))
    known = any(getattr(home, value.__name__, None) is value for home in homes)
    return _leaf(value.__name__, f"ufunc {value.__name__}", hidden="" if known else value.__name__)


@take_apart.register(operator.itemgetter)
@take_apart.register(operator.attrgetter)
@take_apart.register(operator.methodcaller)
def _(value: Any) -> Contents:
    return Contents(type(value).__name__, type(value).__name__, {"arguments": value.__reduce__()[1]})


@take_apart.register(np.random.Generator)
@take_apart.register(np.random.RandomState)
@take_apart.register(np.random.BitGenerator)
@take_apart.register(random.Random)
def _(value: Any) -> Contents:
    """What draws is known by its kind: its state says how often it was asked."""
    return _leaf(type(value).__name__)
