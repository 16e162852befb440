"""What was scored, batch by batch, on disk as it comes: a run is resumed by replaying its plan over it."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cem.checkpoint import file as checkpoint
from cem.checkpoint.entries import Digest, Entry, pack, unpack
from cem.checkpoint.lock import Lock
from cem.families.base import Array, Floats, Index

VERSION = 2
SYNCED = 1.0  # seconds between two writes that also survive a loss of power
AGREEMENT = 1e-9  # relative difference of scores of one function: rounding, grown by a thousand steps
_ASKED = 5  # batches whose candidates all have one score that are asked before it is taken for the function's

log = logging.getLogger("cem")


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
    stamp : tuple of int or None
        That of the file when it was looked at; where another has written it since, it is refused.
    doubt : str
        Why the description of the run cannot tell whether its scores are those of the same function: then
        `verify` does before anything is written.
    moving : callable
        Returns the parts of the description that have changed since the run began.
    """

    path: str | os.PathLike[str]
    header: Mapping[str, Any]
    entries: list[Entry] = field(default_factory=list)
    finished: bool = False
    inexact: bool = False
    other_budget: bool = False
    trouble: OSError | None = None
    stamp: tuple[int, ...] | None = None
    doubt: str = ""
    moving: Callable[[], Iterable[str]] = list
    _abandoned: bool = False
    _lock: Lock = field(init=False)
    _kept: int = field(init=False)
    _packed: int = 0  # entries that are in the columns: all but the last never change
    _columns: dict[str, list[Array]] = field(default_factory=dict)
    _written: float = -np.inf
    _cost: float = 0.0
    _synced: float = -np.inf

    def __post_init__(self) -> None:
        self._kept = len(self.entries)
        self._lock = Lock(checkpoint.regular(self.path))

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
            check_header(header)
            return cls(path, header, unpack(arrays), header["finished"], header["inexact"])
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)} is damaged or incomplete ({error}).") from error

    @property
    def remark(self) -> str:
        """What there is to say about the file, to be added to a run's message."""
        said = "; resumed where arithmetic differs: not bit-identical to an uninterrupted run"
        full = f"; the checkpoint cannot be written ({self.trouble and self.trouble.strerror})"
        return (said if self.inexact else "") + (full if self.trouble else "")

    def replaying(self, number: int) -> bool:
        """Whether what follows batch `number` had been seen already when the file was read."""
        return number < self._kept or (number == self._kept and self.finished)

    def entry(self, number: int, x: Array, outputs: int | None = None) -> Entry:
        """Return the entry of batch `number`, whose rows are `x`: what was kept of them, or a new one.

        `outputs` is how many numbers the objective returns of a row, as in `cem.core.loop.Rows`.

        Raises
        ------
        BlockingIOError
            At the first batch, if another run has the file.
        """
        self._hold()
        digest = Digest.of(x)
        if number < len(self.entries):
            kept = self.entries[number]
            same = kept.digest.hash == digest.hash
            same = same and kept.outputs == outputs
            alike = kept.digest.resembles(digest) and len(kept.values) == len(x)
            if same or (alike and kept.outputs == outputs):
                self._note_inexact(same)
                return kept
            self._forget(number)
        entry = Entry.empty(len(x), digest, outputs)
        self.entries.append(entry)
        return entry

    def close(self, finished: bool, elapsed: float) -> None:
        """Write for the last time, and let others have the file."""
        try:
            self.finished = finished
            if self.entries:
                self.entries[-1].elapsed = max(self.entries[-1].elapsed, elapsed)
            self._note_moving()
            self.save(force=True)
        finally:
            self._lock.release()

    def verify(
        self, number: int, entry: Entry, again: Callable[[Index], tuple[Floats, Floats | None]]
    ) -> None:
        """Evaluate kept candidates again, if there is doubt: the best and the worst of a batch.

        Where a batch has one score only, the next is asked too; a function that answers differently twice is
        random, and told by nothing.

        Parameters
        ----------
        number : int
            That of the batch.
        entry : Entry
            What was kept of it.
        again : callable
            From indices of rows to their scores and, where there are constraints, residuals.

        Raises
        ------
        ValueError
            If they were scored by another function; the file stays as it was.
        """
        known = np.flatnonzero(entry.done)
        if not self.doubt or number >= self._kept or not known.size:
            return
        scores = np.nan_to_num(entry.values[known], nan=-np.inf).reshape(len(known), -1).max(axis=1)
        rows = np.unique(known[[scores.argmin(), scores.argmax()]])
        try:
            change = _difference(entry, rows, again)
            if change:
                raise ValueError(
                    f"{os.fspath(self.path)} holds a run of another function: {change} ({self.doubt}). "
                    "Nothing is lost: give the same function, or another checkpoint."
                )
        except BaseException:
            self._abandoned = True
            raise
        if len(rows) > 1 or number + 1 >= min(self._kept, _ASKED):
            self.doubt = ""

    def _hold(self) -> None:
        """Take the file.

        Raises
        ------
        BlockingIOError
            If another run has it, or has written it since it was read.
        """
        if self._lock.held:
            return
        try:
            self._lock.acquire()
            if self.stamp is not None and checkpoint.stamp(self.path) != self.stamp:
                raise BlockingIOError(
                    errno.EWOULDBLOCK,
                    "another run has written this checkpoint meanwhile",
                    os.fspath(self.path),
                )
        except BaseException:
            self._abandoned = True
            self._lock.release()
            raise

    def _note_moving(self) -> None:
        moving = {*self.header.get("moving", ()), *self.moving()}
        if moving:
            self.header = {**self.header, "moving": sorted(moving)}

    def _note_inexact(self, same: bool) -> None:
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
        if self._abandoned or (self.doubt and self._kept):
            return
        self._hold()
        if self._written == -np.inf:
            self._note_moving()
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
        """Return the packed entries; those before the last are packed once, and keep nothing large."""
        settled = max(0, len(self.entries) - 1)
        for entry in self.entries[self._packed : settled]:
            for name, array in pack(entry).items():
                self._columns.setdefault(name, []).append(array)
            entry.residuals = entry.improved = None
        self._packed = max(self._packed, settled)
        for name, parts in self._columns.items():
            self._columns[name] = [np.concatenate(parts)] if parts else []
        last = pack(self.entries[-1]) if self.entries else {}
        names = self._columns.keys() | last.keys()
        return {
            name: np.concatenate([*self._columns.get(name, []), *([last[name]] if name in last else [])])
            for name in names
        }


def check_header(header: Mapping[str, Any]) -> None:
    """Check what a file says of its run.

    Raises
    ------
    ValueError
        Naming what is missing or wrong.
    """
    for name, kind in {"arguments": dict, "budget": dict, "python": str, "prefix": list}.items():
        checkpoint.check_entry(header, name, kind)
    for name in ("finished", "inexact"):
        checkpoint.check_entry(header, name, bool)
    for text in header["budget"].values():
        if not isinstance(text, str):
            raise ValueError("budget of its header must hold texts")
    for name, parts in header["arguments"].items():
        if not (isinstance(parts, list) and len(parts) == 3 and all(isinstance(each, str) for each in parts)):
            raise ValueError(f"{name} of its header must be described by three texts")
    planned = header.get("planned")
    if planned is not None and (isinstance(planned, bool) or not isinstance(planned, int) or planned < 1):
        raise ValueError("planned of its header must be a positive whole number")
    moving = header.get("moving", [])
    if not (isinstance(moving, list) and all(isinstance(each, str) for each in moving)):
        raise ValueError("moving of its header must be a list of names")
    checkpoint.check_words(header)


def _difference(
    entry: Entry, rows: Index, again: Callable[[Index], tuple[Floats, Floats | None]]
) -> str | None:
    """Return in words how kept candidates are scored otherwise now; None if they are not, or at random."""
    values, residuals = again(rows)
    if not _alike(entry.values[rows], values):
        if not _alike(values, again(rows)[0]):
            return None
        return f"kept candidates were scored {_shown(entry.values[rows])} and are now {_shown(values)}"
    kept = entry.residuals
    if kept is None or residuals is None or len(kept) != len(entry.values) or _alike(kept[rows], residuals):
        return None
    return f"the constraints of kept candidates were {_shown(kept[rows])} and are now {_shown(residuals)}"


def _alike(before: Floats, after: Floats) -> bool:
    """Whether scores differ by no more than another machine's arithmetic explains."""
    return bool(np.allclose(before, after, rtol=AGREEMENT, atol=0.0, equal_nan=True))


def _shown(values: Floats) -> str:
    return ", ".join(f"{value:.12g}" for value in values.ravel())
