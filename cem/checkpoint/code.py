"""What code does and names, told from its instructions."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from cem.checkpoint.ownership import TRUSTED

# What asks something outside the process: the same code may answer otherwise tomorrow.
OUTSIDE = {
    *("aiohttp", "boto3", "cffi", "ctypes", "ftplib", "grpc", "http", "httpx", "mmap", "multiprocessing"),
    *("paramiko", "pexpect", "popen", "ray", "requests", "rpyc", "shelve", "socket", "sqlite3", "subprocess"),
    *("system", "urllib", "urllib3", "websocket", "websockets", "xmlrpc", "zmq", "_ctypes", "_io", "_socket"),
    *("open", "fromfile", "genfromtxt", "loadtxt", "memmap", "read_bytes", "read_csv", "read_text"),
}
_KEPT_FLAGS = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def loaded_names(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Return the names that code takes from its module, and those of the attributes that it looks up."""
    loaded, attributes = set(), set()
    for each in _codes(code):
        for step in dis.get_instructions(each):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                loaded.add(step.argval)
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                attributes.add(step.argval)
    return loaded, attributes


def leave_process(code: types.CodeType) -> str:
    """Return a name by which code asks something outside it, or that it imports only when it is called."""
    names: set[str] = set()
    for each in _codes(code):
        names |= set(each.co_names) & OUTSIDE
        steps = dis.get_instructions(each)
        imported = {step.argval.partition(".")[0] for step in steps if step.opname == "IMPORT_NAME"}
        names |= imported - TRUSTED
    return min(names, default="")


def code_text(code: types.CodeType) -> str:
    """Return what code does, without its name, place, comments and documentation."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("NOP", "EXTENDED_ARG")]
    offsets = np.array([step.offset for step in steps])

    def place(offset: int) -> int:  # counted in steps, of which a line that does nothing is none
        return int(np.searchsorted(offsets, offset))

    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    lines = [f"{code.co_argcount} {code.co_posonlyargcount} {code.co_flags & _KEPT_FLAGS} {named}"]
    for entry in dis.Bytecode(code).exception_entries:  # type: ignore[attr-defined]
        lines.append(f"{[place(offset) for offset in entry[:3]]} {entry.depth} {entry.lasti}")
    for step in steps:
        if step.opcode in dis.hasconst:
            lines.append(f"{step.opname} {_constant(step.argval)}")
        elif step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:
            lines.append(f"{step.opname} {place(step.argval)}")
        else:
            lines.append(f"{step.opname} {step.argval!r} {'NULL' in step.argrepr}")
    return "\n".join(lines)


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        return f"({code_text(value)})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_constant, value)))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant, value))})"
    return repr(value)
