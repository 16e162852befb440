"""Searches side by side: each asks for one candidate at a time, and all that wait are evaluated together.

A *search* is a generator that yields a candidate and is sent its merit. It knows nothing of the others, so
that any number may run at once; what they share is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from cem.core.loop import Batch, Request, Rows
from cem.families.base import Array

Merit: TypeAlias = float | tuple[float, float]
Search: TypeAlias = Generator[Array, Merit, None]

KNOWN_BYTES = 2**27  # of candidates remembered, in each of two generations


def merits(batch: Batch) -> list[Merit]:
    """Return what ranks the rows of a batch: the score, under constraints the feasibility first.

    A score that is not a number is the worst there is.
    """
    scores: list[float] = [s if s == s else -np.inf for s in batch.scores.tolist()]
    if batch.excess is None:
        return list(scores)
    return list(zip((-batch.excess).tolist(), scores, strict=True))


@dataclass
class Known:
    """Merits of candidates evaluated before, the newest of them if there were very many.

    Attributes
    ----------
    distinct : int
        Number of different candidates evaluated, exact as long as none had to be forgotten.
    repeated : int
        How many candidates in a row had been evaluated before.
    optima : set of bytes
        Candidates all of whose neighbours are remembered, and worse.
    newer, older : dict
        The merits by the candidates' bytes.
    """

    limit: int = KNOWN_BYTES
    distinct: int = 0
    repeated: int = 0
    optima: set[bytes] = field(default_factory=set)
    newer: dict[bytes, Merit] = field(default_factory=dict)
    older: dict[bytes, Merit] = field(default_factory=dict)
    _bytes: int = 0

    def advance(self, search: Search, merit: Merit | None) -> tuple[Array, bytes]:
        """Let a search go on to its next candidate that is not known; return that and its bytes.

        Raises
        ------
        StopIteration
            If it ends before.
        """
        send, newer, older = search.send, self.newer.get, self.older.get
        while True:
            candidate = send(merit)  # type: ignore[arg-type] # None begins a generator
            key = candidate.tobytes()
            merit = newer(key)
            if merit is None and (merit := older(key)) is None:
                return candidate, key
            self.repeated += 1

    def add(self, key: bytes, merit: Merit) -> None:
        """Remember a merit."""
        if key in self.newer:
            return
        self.newer[key] = merit
        self.distinct += 1
        self._bytes += len(key)
        if self._bytes > self.limit:
            self.older, self.newer, self._bytes = self.newer, {}, 0
            self.optima.clear()


@dataclass
class Slot:
    """A search under way, and the candidate that it waits for."""

    search: Search
    kind: int
    candidate: Array = field(default_factory=lambda: np.empty(0))
    key: bytes = b""


@dataclass
class SideBySide:
    """Runs searches together.

    Attributes
    ----------
    begin : callable
        Makes the next search and says of which kind it is.
    width : callable
        Returns how many may run at once.
    present : callable
        From candidates as the searches see them, shape ``(k, d)``, to rows of the space.
    note : callable
        Told of every new candidate and its merit; returns whether it is the best so far.
    known : Known or None
        What has been evaluated before; None evaluates every candidate again.
    patience : int
        Candidates in a row that were known before, after which nothing new is to be expected.
    spent, gains : dict
        Evaluations of each kind of search, and how many of them were the best so far.
    """

    begin: Callable[[], tuple[Search, int]]
    width: Callable[[], int]
    present: Callable[[Array], Array]
    note: Callable[[Array, Merit], bool]
    known: Known | None
    patience: int
    spent: dict[int, int] = field(default_factory=dict)
    gains: dict[int, int] = field(default_factory=dict)
    _slots: list[Slot] = field(default_factory=list)

    def round(self) -> Generator[Request, Batch, int]:
        """Evaluate one candidate of every search; return how many, 0 where nothing new was found to ask."""
        known = self.known
        while len(self._slots) < self.width():
            search, kind = self.begin()
            slot = Slot(search, kind)
            if self._advance(slot, None):
                self._slots.append(slot)
            if known is not None and known.repeated > self.patience:
                return 0
        slots = self._slots
        single = len(slots) == 1
        asked = slots[0].candidate[None].copy() if single else np.array([slot.candidate for slot in slots])
        batch = yield Rows(self.present(asked))
        if known is not None:
            known.repeated = 0
        found, spent = merits(batch), self.spent
        for slot, merit in zip(slots, found, strict=True):
            spent[slot.kind] = spent.get(slot.kind, 0) + 1
            if known is not None:
                known.add(slot.key, merit)
            if self.note(slot.candidate, merit):
                self.gains[slot.kind] = self.gains.get(slot.kind, 0) + 1
        self._slots = [s for s, merit in zip(slots, found, strict=True) if self._advance(s, merit)]
        return len(slots)

    def _advance(self, slot: Slot, merit: Merit | None) -> bool:
        """Let a search go on to its next candidate that is not known; return whether there is one."""
        try:
            if self.known is None:
                slot.candidate = slot.search.send(merit)  # type: ignore[arg-type] # None begins a generator
            else:
                slot.candidate, slot.key = self.known.advance(slot.search, merit)
        except StopIteration:
            return False
        return True
