"""What was scored, batch by batch, on disk as it comes: a run is resumed by replaying its plan over it."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cem.checkpoint import file as checkpoint
from cem.families.base import Array

VERSION = 1
SYNCED = 1.0  # seconds between two writes that also survive a loss of power
LOOKED_AT = 2**17  # numbers of a batch that go into its digest
ROUNDING = 1e-12  # relative difference of rows that other arithmetic explains

log = logging.getLogger("cem")


class Digest(NamedTuple):
    """What tells rows apart: a hash, and a weighted sum with its scale, which rounding hardly changes."""

    hash: bytes
    total: float
    scale: float

    @classmethod
    def of(cls, x: Array) -> Digest:
        """Look at rows; at an even selection of their numbers, where there are very many."""
        flat = np.ascontiguousarray(x.reshape(-1)[:: max(1, -(-x.size // LOOKED_AT))])
        digest = hashlib.blake2b(flat.tobytes(), digest_size=16, key=f"{x.shape} {x.dtype}".encode())
        numbers = flat.astype(np.float64)
        weights = np.linspace(0.5, 1.5, flat.size)
        total, scale = float(numbers @ weights), float(np.abs(numbers) @ weights)
        return cls(digest.digest(), total, scale)

    def resembles(self, other: Digest) -> bool:
        """Tell whether the rows are the same but for rounding."""
        return abs(self.total - other.total) <= ROUNDING * max(self.scale, other.scale)


NOTHING = Digest(b"", 0.0, 0.0)


@dataclass(eq=False)
class Entry:
    """What is known of one batch.

    Attributes
    ----------
    digest : Digest
        Of the rows.
    values : ndarray, shape (n,)
        Scores in the user's sign; only where `done`.
    done : ndarray of bool, shape (n,)
    elapsed : float
        Seconds since the run began, when it was last written to.
    residuals : ndarray, shape (k, m), or None
        What the constraints said of the rows done.
    improved : tuple of ndarray (k, d), ndarray (k,) and int, or None
        What an improvement made of the rows done, and its evaluations.
    """

    digest: Digest
    values: NDArray[np.float64]
    done: NDArray[np.bool_]
    elapsed: float = 0.0
    residuals: NDArray[np.float64] | None = None
    improved: tuple[Array, NDArray[np.float64], int] | None = None

    @classmethod
    def empty(cls, n: int, digest: Digest = NOTHING) -> Entry:
        """Give an entry for `n` rows of which nothing is known."""
        return cls(digest, np.full(n, np.nan), np.zeros(n, dtype=np.bool_))


@dataclass(eq=False)
class Journal:
    """The file of one run.

    What is lost when the process dies is the batch in flight, or, where a batch takes less time than
    writing its scores, as much work as one write takes.

    Attributes
    ----------
    path : path
    header : mapping
        What the run is: its kind, arguments and seed.
    entries : list of Entry
    finished : bool
        Whether the file says that the run had come to its end.
    inexact : bool
        Whether it was resumed where arithmetic differs: an uninterrupted run might have ended otherwise.
    other_budget : bool
        Whether it was resumed with another budget, which may lead a plan elsewhere.
    trouble : OSError or None
        Why the last write failed.
    """

    path: str | os.PathLike[str]
    header: Mapping[str, Any]
    entries: list[Entry] = field(default_factory=list)
    finished: bool = False
    inexact: bool = False
    other_budget: bool = False
    trouble: OSError | None = None
    _kept: int = field(init=False)
    _packed: int = 0  # entries that are in the columns: all but the last never change
    _columns: dict[str, list[Array]] = field(default_factory=dict)
    _written: float = -np.inf
    _cost: float = 0.0
    _synced: float = -np.inf

    def __post_init__(self) -> None:
        self._kept = len(self.entries)

    @classmethod
    def read(cls, path: str | os.PathLike[str], kind: str) -> Journal:
        """Read what `save` wrote.

        Raises
        ------
        OSError
            If it cannot be read; FileNotFoundError if nothing is there.
        ValueError
            If the file is damaged, foreign, or of another kind or version.
        """
        header, arrays = checkpoint.read(path, kind, VERSION)
        try:
            entries = _unpacked(arrays)
            return cls(path, header, entries, bool(header["finished"]), bool(header["inexact"]))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)} is damaged or incomplete ({error}).") from error

    @property
    def remark(self) -> str:
        """What there is to say about the file, to be added to a run's message."""
        said = "; resumed where arithmetic differs: not bit-identical to an uninterrupted run"
        full = f"; the checkpoint cannot be written ({self.trouble and self.trouble.strerror})"
        return (said if self.inexact else "") + (full if self.trouble else "")

    def replaying(self, number: int) -> bool:
        """Tell whether what follows batch `number` had been seen already when the file was read."""
        return number < self._kept or (number == self._kept and self.finished)

    def entry(self, number: int, x: Array) -> Entry:
        """Give the entry of batch `number`, whose rows are `x`: what was kept of them, or a new one."""
        digest = Digest.of(x)
        if number < len(self.entries):
            kept = self.entries[number]
            same = kept.digest.hash == digest.hash
            if same or (kept.digest.resembles(digest) and len(kept.values) == len(x)):
                self._tell_inexact(same)
                return kept
            self._forget(number)
        entry = Entry.empty(len(x), digest)
        self.entries.append(entry)
        return entry

    def close(self, finished: bool, elapsed: float) -> None:
        """Write for the last time."""
        self.finished = finished
        if self.entries:
            self.entries[-1].elapsed = max(self.entries[-1].elapsed, elapsed)
        self.save(force=True)

    def _tell_inexact(self, same: bool) -> None:
        if not same and not self.inexact:
            log.warning("%s: resumed where arithmetic differs; the run is no longer bit-identical", self.path)
            self.inexact = True

    def _forget(self, number: int) -> None:
        lost = sum(int(entry.done.sum()) for entry in self.entries[number:])
        log.warning("%s: the run goes another way from here; %d kept scores are of no use", self.path, lost)
        del self.entries[number:]
        self._kept, self.finished = number, False
        self.inexact = self.inexact or not self.other_budget
        self._packed, self._columns = 0, {}

    def save(self, force: bool = False) -> None:
        """Write, unless less time has passed since the last write than that took.

        A failure is said once, and tried again at the next occasion: a full disk is no reason to stop.
        """
        now = time.monotonic()
        if not force and now - self._written < self._cost:
            return
        header = {**self.header, "finished": self.finished, "inexact": self.inexact}
        sync = force or now - self._synced >= SYNCED
        try:
            checkpoint.write(self.path, header, self._arrays(), sync)
        except OSError as error:
            if self.trouble is None:
                log.warning("the checkpoint %s cannot be written (%s); the run goes on", self.path, error)
            self.trouble = error
        else:
            self.trouble = None
            self._synced = now if sync else self._synced
        self._written = time.monotonic()
        self._cost = self._cost if sync else self._written - now

    def _arrays(self) -> dict[str, Array]:
        """Pack the entries; those before the last are packed once, and keep nothing large besides."""
        settled = max(0, len(self.entries) - 1)
        for entry in self.entries[self._packed : settled]:
            for name, array in _pack(entry).items():
                self._columns.setdefault(name, []).append(array)
            entry.residuals = entry.improved = None
        self._packed = max(self._packed, settled)
        for name, parts in self._columns.items():
            self._columns[name] = [np.concatenate(parts)] if parts else []
        last = _pack(self.entries[-1]) if self.entries else {}
        names = self._columns.keys() | last.keys()
        return {
            name: np.concatenate([*self._columns.get(name, []), *([last[name]] if name in last else [])])
            for name in names
        }


def _pack(entry: Entry) -> dict[str, Array]:
    """Give one entry as arrays whose first axis may be joined with that of others'."""
    sizes = [len(entry.values), -1, -1, 0, 0]
    packed: dict[str, Array] = {
        "hashes": np.frombuffer(entry.digest.hash, dtype=np.uint8)[None],
        "marks": np.array([[entry.digest.total, entry.digest.scale, entry.elapsed]]),
        "values": entry.values,
        "done": entry.done,
    }
    if entry.residuals is not None:
        sizes[1], packed["residuals"] = len(entry.residuals), entry.residuals
    if entry.improved is not None:
        x, packed["improved_values"], extra = entry.improved
        sizes[2:4] = len(x), extra
        if x.dtype == np.uint8 and x.max(initial=0) <= 1:
            sizes[4], packed["improved_bits"] = x.shape[1], np.packbits(x, axis=1)
        else:
            packed["improved_x"] = x
    return packed | {"sizes": np.array([sizes])}


def _unpacked(arrays: Mapping[str, Array]) -> list[Entry]:
    """Take joined entries apart.

    Raises
    ------
    KeyError, IndexError, ValueError
        Where the arrays do not fit together.
    """
    if not arrays:
        return []
    entries = []
    at = dict.fromkeys(arrays, 0)

    def take(name: str, n: int) -> Array:
        first, at[name] = at[name], at[name] + n
        if n < 0 or at[name] > len(arrays[name]):
            raise ValueError(f"{name} is too short")
        return arrays[name][first : at[name]]

    for n, asked, better, extra, width in take("sizes", len(arrays["sizes"])).tolist():
        total, scale, elapsed = take("marks", 1)[0].tolist()
        entry = Entry(
            Digest(take("hashes", 1).tobytes(), total, scale),
            np.array(take("values", n), dtype=np.float64),
            np.array(take("done", n), dtype=np.bool_),
            elapsed,
        )
        if asked >= 0:
            entry.residuals = take("residuals", asked)
        if better >= 0 and width:
            x = np.unpackbits(take("improved_bits", better), axis=1, count=width)
            entry.improved = x, take("improved_values", better), extra
        elif better >= 0:
            entry.improved = take("improved_x", better), take("improved_values", better), extra
        entries.append(entry)
    for name, end in at.items():
        if end != len(arrays[name]):
            raise ValueError(f"{name} is too long")
    return entries


def check_writable(path: str | os.PathLike[str]) -> None:
    """Try whether a file can be written beside `path`.

    Raises
    ------
    OSError
        If not: the folder is missing, read-only, or `path` is a folder.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"checkpoint is the path of a file; {target} is a folder.")
    try:
        checkpoint.write(target.with_name(f".{target.name}.trial"), {}, {}, sync=False)
        target.with_name(f".{target.name}.trial").unlink()
    except OSError as error:
        raise type(error)(
            error.errno, f"the checkpoint cannot be written: {error.strerror}", os.fspath(path)
        ) from None
