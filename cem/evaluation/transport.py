"""What travels to worker processes: the objective, and a batch as rows or as the recipe to draw them.

An object is pickled into a `Parcel`, whose large arrays lie in memory that all workers map. The rows of a
batch are a `Source`: they are `Shipped`, or, where that takes longer than drawing them, `Redrawn`.
"""

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

from cem.core.sampling import Recipe
from cem.evaluation.joblib_pool import pickle_by_value
from cem.families.base import Array

MAPPED_BYTES = 2**16  # of arrays, above which they are mapped: what a Linux pipe holds
MAPS = bool(getattr(reduction, "HAVE_SEND_HANDLE", False)) and os.name == "posix"
REDRAW_BYTES = 2**21  # of a batch, and its dimension, from which on drawing again is the faster way:
REDRAW_DIMENSION = 2000  # scripts/benchmarks/worker_schemes.py


class Source(Protocol):
    """The rows of a batch as a worker gets at them."""

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Yield the rows from `start` to `stop`, each piece of shape ``(k, d)``."""


@dataclass(frozen=True, eq=False)
class Shipped:
    """Rows that were sent, shape ``(n, d)``."""

    x: Array

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Yield the rows from `start` to `stop`."""
        yield self.x[start:stop]


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Rows that a worker draws for itself, a few at a time unless they are wanted `together`."""

    recipe: Recipe
    together: bool

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Yield the rows from `start` to `stop`."""
        if self.together:
            yield self.recipe.rows(start, stop)
        else:
            yield from self.recipe.blocks(start, stop)


def choose_source(x: Array, recipe: Recipe | None, together: bool) -> Source:
    """Return how the rows of `x`, shape ``(n, d)``, get to the workers soonest."""
    large = x.nbytes >= REDRAW_BYTES and x.shape[1] >= REDRAW_DIMENSION
    if recipe is not None and recipe.redrawable and large:
        return Redrawn(recipe, together)
    return Shipped(x)


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
    def of(cls, value: object) -> Parcel:
        """Pack an object."""
        buffers: list[pickle.PickleBuffer] = []
        data = pickle_by_value(value, buffers.append)
        arrays = [buffer.raw() for buffer in buffers]
        sizes = tuple(array.nbytes for array in arrays)
        file = _written(arrays) if MAPS and sum(sizes) >= MAPPED_BYTES else None
        return cls(data, sizes, [] if file else arrays, file)

    @property
    def mapped(self) -> int:
        """Bytes in the file."""
        return sum(self.sizes) if self.file else 0

    def send(self, pipe: Connection, *label: object) -> int:
        """Send it behind a label; return the bytes that went through the pipe."""
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


def receive(
    pipe: Connection, data: bytes, sizes: tuple[int, ...], in_file: bool
) -> tuple[bytes, list[bytearray] | list[memoryview]]:
    """Take what comes behind a parcel's head; return what `pickle.loads` makes the object of."""
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
