"""Named arrays and a JSON header in one file, written whole or not at all, never pickled."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import secrets
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cem.families.base import Array

_HEADER = "header"
_SUFFIX = ".npy"
_NAME = 200  # bytes of a file's name that its companions repeat: names end at 255 on most disks
_BITS = 2**13  # of a number that seeds a run: its length costs time at every stream
_LONGEST_AXIS = 2**31  # of an array without content, whose shape no file's size limits


def write(
    path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, Array], sync: bool = True
) -> None:
    """Write to `path` (used as given) by way of a temporary file beside it.

    A symbolic link is followed, and an existing file keeps its mode. Without `sync` it survives the death of
    the process, but perhaps not that of the machine.

    Raises
    ------
    ValueError
        If an array holds Python objects.
    OSError
        If it cannot be written, or something else than a regular file is there; what was there before is left
        as it was.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, which are never saved; use an array of numbers.")
    target = regular(path)
    temporary = companion(target, f"{secrets.token_hex(8)}.partial")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:
            text = json.dumps({**header, "arrays": sorted(arrays)})
            named: dict[str, Any] = {_HEADER: np.array(text), **arrays}
            np.savez(file, **named)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def regular(path: str | os.PathLike[str]) -> Path:
    """Return where `path` leads once symbolic links are followed: to a regular file, or to nothing yet.

    Raises
    ------
    OSError
        If something else is there: a folder, a device, a FIFO, a socket.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"checkpoint is the path of a file; {os.fspath(path)} is a folder.")
    if not stat.S_ISREG(mode):
        raise OSError(f"{os.fspath(path)} is {_sort(mode)}, not a regular file; it is left as it is.")
    return target


def companion(target: Path, ending: str) -> Path:
    """Return the path of a hidden file beside `target`."""
    name = target.name
    if len(content := os.fsencode(name)) > _NAME:
        name = hashlib.blake2b(content, digest_size=16).hexdigest()
    return target.with_name(f".{name}.{ending}")


def stamp(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return what changes whenever the file at `path` is written; nothing where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _sort(mode: int) -> str:
    for applies, name in (
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if applies(mode):
            return name
    return "no file"


def read(path: str | os.PathLike[str], kind: str, version: int) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read what `write` wrote: the header and the arrays.

    Sizes are checked before anything is read into memory, which takes no more than the file is large.

    Raises
    ------
    OSError
        If it cannot be read; FileNotFoundError if nothing is there.
    ValueError
        If the file is damaged, foreign, or of another kind or version.
    """
    with _opened(path) as archive:
        header = _header(archive)
        found = header["kind"], header["version"]
        if found != (kind, version):
            raise _OtherKindError(
                f"{os.fspath(path)} holds a {found[0]} of version {found[1]}; "
                f"expected {kind}, version {version}."
            )
        names = {name.removesuffix(_SUFFIX) for name in archive.namelist()} - {_HEADER}
        if set(header.pop("arrays")) != names:
            raise ValueError("arrays are missing")
        return header, {name: _array(name, archive.read(name + _SUFFIX)) for name in sorted(names)}


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the header of what `write` wrote, of any kind.

    Raises
    ------
    OSError
        If it cannot be read; FileNotFoundError if nothing is there.
    ValueError
        If the file is damaged or foreign.
    """
    with _opened(path) as archive:
        return _header(archive)


class _OtherKindError(ValueError):
    """A sound file of another kind."""


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """Open the archive at `path`; whatever goes wrong inside is told as a damaged file."""
    try:
        target = regular(path)
    except OSError as error:
        raise ValueError(f"{os.fspath(path)} is damaged or was not saved by cem ({error})") from None
    with open(target, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                _check_sizes(archive, file)
                yield archive
        except _OtherKindError:
            raise
        except Exception as error:  # what a damaged archive raises is anyone's guess
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"{os.fspath(path)} is damaged or was not saved by cem ({reason.rstrip('.')})."
            ) from error


def _check_sizes(archive: zipfile.ZipFile, file: BinaryIO) -> None:
    """Refuse an archive that holds more than its file does.

    Raises
    ------
    ValueError
        If a member is compressed, which `write` never does, is named twice, or they overlap.
    """
    size = os.fstat(file.fileno()).st_size
    members = archive.infolist()
    packed = next((each.filename for each in members if each.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise ValueError(f"{packed} is compressed, which no saved array is")
    if len({each.filename for each in members}) != len(members):
        raise ValueError("an array is there twice")
    if any(not each.filename.endswith(_SUFFIX) for each in members):
        raise ValueError("it holds something else than arrays")
    total = sum(each.file_size for each in members)
    if total > size or any(each.file_size != each.compress_size for each in members):
        raise ValueError(f"its arrays claim {total} bytes, the file has {size}")


def _header(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Read the header.

    Raises
    ------
    ValueError
        If it is none.
    """
    if _HEADER + _SUFFIX not in archive.namelist():
        raise ValueError("it has no header")
    text = _array(_HEADER, archive.read(_HEADER + _SUFFIX))
    if text.dtype.kind != "U" or text.shape != ():
        raise ValueError("its header is no text")
    try:
        header = json.loads(str(text))
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("its header names nothing")
    for name, kind in (("kind", str), ("version", int), ("arrays", list)):
        check_entry(header, name, kind)
    if not all(isinstance(name, str) for name in header["arrays"]):
        raise ValueError("arrays of its header must be names")
    return header


def check_entry(header: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """Return the entry `name` of a header.

    Raises
    ------
    ValueError
        If it is missing or not of this kind; a bool is no number.
    """
    if name not in header:
        raise ValueError(f"its header lacks {name}")
    value = header[name]
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        shown = repr(value)
        raise ValueError(
            f"{name} of its header must be {' or '.join(each.__name__ for each in kinds)}, "
            f"got {shown if len(shown) <= 40 else shown[:40] + '…'}"
        )
    return value


def check_words(header: Mapping[str, Any]) -> tuple[int | tuple[int, ...], tuple[int, ...]]:
    """Return the entropy and the prefix that name the streams of a run.

    Raises
    ------
    ValueError
        If they are not what a `SeedSequence` takes.
    """
    entropy = check_entry(header, "entropy", (int, list))
    prefix = check_entry(header, "prefix", list)
    for name, words in (("entropy", entropy if isinstance(entropy, list) else [entropy]), ("prefix", prefix)):
        if not all(type(word) is int and 0 <= word < 2**_BITS for word in words):
            raise ValueError(f"{name} of its header must be whole numbers that are not negative")
    return tuple(entropy) if isinstance(entropy, list) else entropy, tuple(prefix)


def _array(name: str, content: bytes) -> Array:
    """Read an array in numpy's format.

    Raises
    ------
    ValueError
        If it holds Python objects, or not as many bytes as its shape says.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, by_column, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"{name} is in version {version} of numpy's format, which no saved array is")
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never loaded")
    if dtype.itemsize == 0 or any(not 0 <= n <= max(_LONGEST_AXIS, len(content)) for n in shape):
        raise ValueError(f"{name} has the impossible shape {shape} of {dtype}")
    there = len(content) - stream.tell()
    if math.prod(shape) * dtype.itemsize != there:
        raise ValueError(f"{name} has the shape {shape} of {dtype}, but {there} bytes")
    flat = np.frombuffer(content, dtype=dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if by_column else "C").copy()


def group(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return arrays under a common prefix."""
    return {f"{prefix}/{name}": np.asarray(array) for name, array in arrays.items()}


def ungroup(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays under a prefix, without it."""
    start = f"{prefix}/"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
