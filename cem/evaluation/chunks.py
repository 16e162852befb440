"""How the unknown rows of a batch are handed out: in pieces that shrink towards the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from cem.families.base import Mask

SLICE = 0.25  # seconds after which scores are shown at the latest
LEAST = 0.002  # seconds of work below which a piece is not worth its dispatch


def unknown_runs(done: Mask) -> list[slice]:
    """Return the runs of rows that are not done, in order."""
    if not np.count_nonzero(done):
        return [slice(0, len(done))]
    edges = np.flatnonzero(np.diff(done, prepend=True, append=True)).tolist()
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def fixed_parts(done: Mask, rows: int) -> list[slice]:
    """Return the calls of `rows` rows each that are not wholly done."""
    starts = range(0, len(done), rows)
    slices = (slice(i, min(i + rows, len(done))) for i in starts)
    return [each for each in slices if np.count_nonzero(done[each]) < each.stop - each.start]


class Pace:
    """How many seconds a row takes, as far as is known; NaN before the first."""

    def __init__(self) -> None:
        self.seconds = np.nan

    def note(self, rows: int, seconds: float) -> None:
        """Learn from `rows` rows that took `seconds` together."""
        if rows:
            latest = max(seconds, 1e-9) / rows
            self.seconds = latest if np.isnan(self.seconds) else (self.seconds + latest) / 2


class Chunks:
    """An iterator over pieces of runs of rows (guided self-scheduling; Polychronopoulos & Kuck, 1987).

    A piece is half a worker's share of what is left, no more than a quarter of a second of work and no less
    than `least` seconds of it; while nobody knows how long a row takes, it is one row.
    """

    def __init__(self, runs: list[slice], workers: int, pace: Pace, least: float = LEAST) -> None:
        self._runs = deque(runs)
        self._left = sum(run.stop - run.start for run in runs)
        self._workers, self._pace, self._least = workers, pace, least

    def __iter__(self) -> Iterator[slice]:
        return self

    def __next__(self) -> slice:
        if not self._runs:
            raise StopIteration
        run = self._runs.popleft()
        piece = slice(run.start, min(run.start + self._rows(), run.stop))
        if piece.stop < run.stop:
            self._runs.appendleft(slice(piece.stop, run.stop))
        self._left -= piece.stop - piece.start
        return piece

    def _rows(self) -> int:
        seconds = self._pace.seconds
        if np.isnan(seconds):
            return 1
        rows = max(self._left / (2 * self._workers), self._least / seconds)
        return max(1, int(min(rows, SLICE / seconds, -(-self._left // self._workers))))

    @property
    def left(self) -> bool:
        """Whether there is something to hand out."""
        return bool(self._runs)

    def stop(self) -> None:
        """Hand out nothing more."""
        self._runs.clear()


class Parts(Chunks):
    """An iterator over given pieces."""

    def __init__(self, parts: list[slice]) -> None:
        super().__init__(parts, 1, Pace())

    def __next__(self) -> slice:
        if not self._runs:
            raise StopIteration
        return self._runs.popleft()
