"""Opening the checkpoint of a run: anew, or to go on where it was left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from cem.checkpoint.journal import VERSION, Journal, check_writable
from cem.core.budget import Budget
from cem.core.streams import RngLike, Streams
from cem.families.base import Array
from cem.version import __version__


def opened(
    path: Any, resume: bool, kind: str, fun: Any, arguments: Mapping[str, Any], budget: Budget, rng: RngLike
) -> tuple[Streams, Journal | None]:
    """Give the streams of a run, and the journal that it keeps, if any.

    Parameters
    ----------
    path : path, None or False
    resume : bool
        Go on with what is at `path`, if anything is.
    kind : str
        What the run is; another kind of run is refused.
    fun : callable or problem
        What is evaluated.
    arguments : mapping
        What must not change besides.
    budget : Budget
        Which may.
    rng : None, int, Generator or SeedSequence
        None, where there is something to go on with, means its seed.

    Raises
    ------
    TypeError
        If `path` is no path, or `resume` no bool.
    ValueError
        If `resume` comes without a path; if what is there is damaged, of another kind or version, or has
        other arguments.
    OSError
        If nothing can be written at `path`.
    """
    if resume not in (True, False, None):
        raise TypeError(f"resume must be True or False, got {resume!r}.")
    if path is None or path is False:
        if resume:
            raise ValueError("resume=True needs the file to go on with: checkpoint=path.")
        return Streams.from_rng(rng), None
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"checkpoint must be the path of a file, got {path!r}.")
    check_writable(path)
    old = Journal.read(path, kind) if resume and os.path.exists(path) else None
    streams = Streams.from_rng(rng) if old is None or rng is not None else _seeded(old)
    header = {
        "kind": kind,
        "version": VERSION,
        "arguments": {
            "version of cem": __version__,
            "function": describe_objective(fun),
            **{name: describe(value) for name, value in arguments.items()},
        },
        "budget": {name: describe(value) for name, value in asdict(budget).items()},
        "entropy": streams.entropy,
        "prefix": streams.prefix,
    }
    if old is None:
        return streams, Journal(path, header)
    _check_same(path, old.header, header)
    old.other_budget = old.header["budget"] != header["budget"]
    old.header = header
    return streams, old


def _seeded(journal: Journal) -> Streams:
    entropy, prefix = journal.header["entropy"], journal.header["prefix"]
    return Streams(tuple(entropy) if isinstance(entropy, list) else entropy, tuple(prefix))


def _check_same(path: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to go on with other arguments.

    Raises
    ------
    ValueError
        Naming what differs.
    """
    before, now = ({**each["arguments"], "rng": _seed_text(each)} for each in (old, new))
    different = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    if different:
        changes = "; ".join(
            f"{name} was {before.get(name)} and is now {now.get(name)}" for name in sorted(different)
        )
        raise ValueError(
            f"{os.fspath(path)} holds a run with other arguments: {changes}. Give the same ones (budgets, "
            "n_jobs and callback may change), or another checkpoint."
        )


def _seed_text(header: Mapping[str, Any]) -> str:
    entropy = header["entropy"]
    return describe([list(entropy) if isinstance(entropy, tuple | list) else entropy, list(header["prefix"])])


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
