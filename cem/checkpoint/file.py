"""Named arrays and a JSON header in one file, written whole or not at all, never pickled."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cem.families.base import Array

_HEADER = "header"


def write(
    path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, Array], sync: bool = True
) -> None:
    """Write to `path` (used as given) by way of a temporary file beside it.

    Without `sync` it survives the death of the process, but perhaps not that of the machine.

    Raises
    ------
    ValueError
        If an array holds Python objects.
    OSError
        If it cannot be written; what was there before is left as it was.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, which are never saved; use an array of numbers.")
    target = Path(path)
    temporary = target.with_name(f".{target.name}.partial")
    try:
        with open(temporary, "wb") as file:
            text = json.dumps({**header, "arrays": sorted(arrays)})
            named: dict[str, Any] = {_HEADER: np.array(text), **arrays}
            np.savez(file, **named)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike[str], kind: str, version: int) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read what `write` wrote: the header and the arrays.

    Raises
    ------
    OSError
        If it cannot be read; FileNotFoundError if nothing is there.
    ValueError
        If the file is damaged, foreign, or of another kind or version.
    """
    if Path(path).is_dir():
        raise ValueError(f"{os.fspath(path)} is damaged or was not saved by cem (it is a folder).")
    content = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(str(arrays.pop(_HEADER)))
        found = header["kind"], header["version"]
        if set(header.pop("arrays")) != set(arrays):
            raise ValueError("arrays are missing")
    except Exception as error:  # what a damaged archive raises is anyone's guess
        raise ValueError(f"{os.fspath(path)} is damaged or was not saved by cem ({error}).") from error
    if found != (kind, version):
        raise ValueError(
            f"{os.fspath(path)} holds a {found[0]} of version {found[1]}; expected {kind}, version {version}."
        )
    return header, arrays


def group(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Put arrays under a common prefix."""
    return {f"{prefix}/{name}": np.asarray(array) for name, array in arrays.items()}


def ungroup(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Give the arrays under a prefix, without it."""
    start = f"{prefix}/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
