"""Objects on their way to worker processes; large arrays go through memory that all of them map."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any, BinaryIO, Protocol

from joblib.externals.loky.cloudpickle_wrapper import dumps

from cem.core.sampling import Recipe
from cem.families.base import Array

MAPPED_BYTES = 2**16
MAPS = bool(getattr(reduction, "HAVE_SEND_HANDLE", False)) and os.name == "posix"


@dataclass(frozen=True)
class Parcel:
    """A pickled object.

    Attributes
    ----------
    data : bytes
        The object without its large arrays.
    sizes : tuple of int
        Bytes of each of these.
    arrays : list of memoryview
        These, where they go through the pipe.
    file : file, optional
        These, one after another, in a file without a name: it goes when nobody has it open or mapped.
    """

    data: bytes
    sizes: tuple[int, ...]
    arrays: list[memoryview]
    file: BinaryIO | None = None

    @classmethod
    def of(cls, value: Any) -> Parcel:
        """Pack an object."""
        buffers: list[pickle.PickleBuffer] = []
        data = dumps(value, protocol=5, buffer_callback=buffers.append)
        arrays = [buffer.raw() for buffer in buffers]
        sizes = tuple(array.nbytes for array in arrays)
        file = _written(arrays) if MAPS and sum(sizes) >= MAPPED_BYTES else None
        return cls(data, sizes, [] if file else arrays, file)

    @property
    def mapped(self) -> int:
        """Bytes in the file."""
        return sum(self.sizes) if self.file else 0

    def send(self, pipe: Connection, *label: Any) -> int:
        """Send it behind a label; give the bytes that went through the pipe."""
        head = pickle.dumps((*label, self.data, self.sizes, self.file is not None))
        pipe.send_bytes(head)
        for array in self.arrays:
            pipe.send_bytes(array)
        if self.file is not None:
            reduction.send_handle(pipe, self.file.fileno(), None)
        return len(head) + sum(array.nbytes for array in self.arrays)

    def close(self) -> None:
        """Let go of the file."""
        if self.file is not None:
            self.file.close()


def receive(pipe: Connection, data: bytes, sizes: tuple[int, ...], in_file: bool) -> tuple[bytes, list[Any]]:
    """Take what comes behind a parcel's head; give what `pickle.loads` makes the object of."""
    if not in_file:
        return data, [bytearray(pipe.recv_bytes()) for _ in sizes]
    handle = reduction.recv_handle(pipe)
    try:
        view = memoryview(mmap.mmap(handle, sum(sizes), access=mmap.ACCESS_COPY))
    finally:
        os.close(handle)
    arrays, at = [], 0
    for size in sizes:
        arrays.append(view[at : at + size])
        at += size
    return data, arrays


def _written(arrays: list[memoryview]) -> BinaryIO | None:
    """Write arrays into a nameless file, in memory if there is room; None where there is none."""
    for folder in ("/dev/shm", None):
        with contextlib.suppress(OSError):
            file: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
            try:
                for array in arrays:
                    file.write(array)
                file.flush()
            except OSError:
                file.close()
                raise
            return file  # type: ignore[no-any-return]
    return None


REDRAW_BYTES = 2**21
REDRAW_DIMENSION = 2000


class Source(Protocol):
    """A batch as a worker sees it."""

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Give the rows from `start` to `stop`, one piece after another."""


@dataclass(frozen=True, eq=False)
class Shipped:
    """Rows that were sent."""

    x: Array

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Give the rows from `start` to `stop`."""
        yield self.x[start:stop]


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Rows that a worker draws for itself, a few at a time unless they are wanted `together`."""

    recipe: Recipe
    together: bool

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Give the rows from `start` to `stop`."""
        if self.together:
            yield self.recipe.rows(start, stop)
        else:
            yield from self.recipe.blocks(start, stop)


def worth_redrawing(recipe: Recipe | None, x: Array) -> bool:
    """Tell whether drawing the rows again costs less than sending them."""
    return (
        recipe is not None
        and recipe.redrawable
        and x.nbytes >= REDRAW_BYTES
        and x.shape[1] >= REDRAW_DIMENSION
    )
