"""What a system's modes do: each one's probability, and its share of the system's."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from cem.core.loop import Batch, Draw, Ended, Request, Rows, as_ended
from cem.families.base import Array, Family, Floats
from cem.rare_events.importance import Finding, Nominal, Tally, log_ratio
from cem.rare_events.systems import System
from cem.rare_events.tables import Table

Plan: TypeAlias = Generator[Request, Batch, Finding]
MOST_ASKED = 20  # draws that may fail before it is known how many modes there are


class Mode(NamedTuple):
    """One mode of a system.

    `probability` is that of the mode alone, whatever the others do, and NaN where nothing is known of it.
    `share` is that of the system's failures in which the mode has failed: of several modes that fail at once
    each has its share, so that shares may sum to more than one.
    """

    name: str
    probability: float
    standard_error: float
    share: float


@dataclass(frozen=True, repr=False)
class Modes(Table[Mode]):
    """A table of modes; ``table["buckling"]`` is a row of it."""

    def key(self, row: Mode) -> str:
        """Return its name."""
        return row.name

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table as text, row by row, names first."""
        head = ("mode", "probability", "standard error", "share of failures")
        body = [(r.name, f"{r.probability:.4g}", f"{r.standard_error:.2g}", f"{r.share:.1%}") for r in self]
        return [head, *body]


def table(names: tuple[str, ...], found: Floats, factor: float = 1.0) -> Modes:
    """Return the table of what was `found`, ``(k, 3)``: probability, standard error, share.

    Probabilities are multiplied by `factor`.
    """
    rows = (
        Mode(name, float(p) * factor, float(error) * factor, float(share))
        for name, (p, error, share) in zip(names, found, strict=True)
    )
    return Modes(tuple(rows))


@dataclass(eq=False)
class _Drawn:
    """What was drawn from each proposal: rows ``(n, d)`` with their margins ``(n, k)``."""

    every: list[tuple[Family, Array, Floats]] = field(default_factory=list)

    def note(self, request: Request, batch: Batch | None) -> None:
        if isinstance(request, Draw) and batch is not None and batch.margins is not None:
            self.every.append((request.family, batch.x, batch.margins))

    def modes(self, system: System, nominal: Nominal, proposal: Family) -> Floats:
        """Return probability, standard error and share of each mode, ``(k, 3)``, by importance weights."""
        mine = [(x, margins) for family, x, margins in self.every if family is proposal and len(x)]
        found = np.full((len(system.names), 3), np.nan)
        if not mine:
            return found
        x, margins = (np.concatenate(parts) for parts in zip(*mine, strict=True))
        w = np.exp(log_ratio(nominal, proposal, x))
        failed = margins >= 0
        down = w * (system.score(margins) >= 0)
        z = w[:, None] * failed
        found[:, 0] = z.mean(axis=0)
        found[:, 1] = np.where(failed.any(axis=0), z.std(axis=0) / np.sqrt(max(len(x) - 1, 1)), np.nan)
        if down.sum() > 0:
            found[:, 2] = down @ failed / down.sum()
        return found


def system_plan(plan: Plan, system: System, nominal: Nominal, start: Family) -> Plan:
    """Serve a plan with the scores of a system, and add to its finding what is known of each mode.

    Where nobody said how many modes there are, one draw from `start` is asked first.

    Raises
    ------
    ValueError
        If the performance returns one number.
    """
    try:
        for _ in range(MOST_ASKED):
            if system.names:
                break
            answer = yield Draw(start, 1, outputs=0)
            if np.isfinite(answer.scores[0]):
                system.count(int(answer.scores[0]))
    except (Ended, KeyboardInterrupt) as end:
        return Finding(Tally(), start, False, as_ended(end).status, f"{as_ended(end)}")
    k = len(system.names)
    if not k:
        raise ValueError(
            f"the first {MOST_ASKED} evaluations failed: give level= for each of the limit states, and their "
            "number is known."
        )
    drawn, batch = _Drawn(), None
    try:
        request = next(plan)
        while True:
            if isinstance(request, Draw | Rows):
                request = replace(request, outputs=k)
            try:
                batch = yield request
            except Ended as ended:
                drawn.note(request, ended.batch)
                request = plan.throw(ended)
                continue
            drawn.note(request, batch)
            request = plan.send(batch)
    except StopIteration as finished:
        found: Finding = finished.value
        if found.modes is None:
            found = replace(found, modes=drawn.modes(system, nominal, found.proposal))
        return found
