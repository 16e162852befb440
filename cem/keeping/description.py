"""Describing arguments in short texts, so that two runs can be compared and told which of them differ."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import partial
from typing import Any

import numpy as np

from cem.families.base import Array

LONGEST = 60
DEEPEST = 8


def describe(value: Any, depth: int = 0) -> str:
    """Describe a value: equal values alike, in every process; what is long, by a digest.

    Functions are known by their names (so that a mended one may go on), other objects by their class and
    attributes.
    """
    if depth > DEEPEST:
        return type(value).__name__
    if isinstance(value, np.generic):
        return describe(value.item(), depth)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return _short(repr(value))
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, list | tuple):
        return _short(f"[{', '.join(describe(each, depth + 1) for each in value)}]")
    if isinstance(value, set | frozenset):
        return _short(f"{{{', '.join(sorted(describe(each, depth + 1) for each in value))}}}")
    if isinstance(value, Mapping):
        parts = [f"{key!s}: {describe(each, depth + 1)}" for key, each in value.items()]
        return _short(f"{{{', '.join(sorted(parts))}}}")
    if isinstance(value, partial):
        return describe([value.func, value.args, value.keywords], depth)
    if (owner := getattr(value, "__self__", None)) is not None and hasattr(value, "__func__"):
        return f"{describe(owner, depth + 1)}.{value.__name__}"
    if (name := getattr(value, "__qualname__", None) or getattr(value, "__name__", None)) is not None:
        return str(name)
    if hasattr(value, "dist") and hasattr(value, "kwds"):  # a frozen distribution of scipy
        return describe([value.dist.name, value.args, value.kwds], depth)
    return _object(value, depth)


def describe_objective(fun: Any) -> str:
    """Describe an objective or a problem: a function by its name, an object by its class and what it holds.

    Of any object these are its arrays, of a problem (which has a sense, or a performance, of its own) also
    its values; whole numbers and lists may be counters and logs, which change as it is called.
    """
    if hasattr(fun, "__qualname__") or isinstance(fun, partial | np.ufunc):
        return describe(fun)
    problem = hasattr(fun, "maximize") or hasattr(fun, "performance")
    held = {
        name: each
        for name, each in _attributes(fun).items()
        if isinstance(each, np.ndarray) or (problem and _is_value(each))
    }
    return _short(f"{type(fun).__qualname__}({describe(held)})" if held else type(fun).__qualname__)


def _is_value(each: Any) -> bool:
    sparse = hasattr(each, "nnz")
    return isinstance(each, str | float | tuple) or is_dataclass(each) or callable(each) or sparse


def _object(value: Any, depth: int) -> str:
    attributes = _attributes(value)
    parts = (f"{name}={describe(each, depth + 1)}" for name, each in sorted(attributes.items()))
    return _short(f"{type(value).__qualname__}({', '.join(parts)})")


def _attributes(value: Any) -> dict[str, Any]:
    try:
        state = value.__getstate__()
    except Exception:  # an object that refuses to be copied
        return {}
    return state if isinstance(state, dict) else {}


def _array(value: Array) -> str:
    if value.size <= 4:
        return _short(f"array {value.tolist()}")
    if value.dtype.hasobject:
        return f"array {value.shape} {describe(value.ravel().tolist())}"
    content = value.dtype.str.encode() + np.ascontiguousarray(value).tobytes()
    return f"array {value.shape} {_hashed(content)}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 20]}… {_hashed(text.encode())}"


def _hashed(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
