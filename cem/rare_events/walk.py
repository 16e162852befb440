"""Walkers inside an event."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.core.loop import Batch, Request, Rows
from cem.families.base import Array, Floats, Index
from cem.rare_events.spaces.moves import Move
from cem.rare_events.spaces.space import Space

FASTER, SLOWER = 1.4, 0.6  # a walker's rate after a move is accepted and refused: steady at 3 in 5

Walking = Generator[Request, Batch, None]


@dataclass(eq=False)
class Walkers:
    """Rows in the event, and moves that keep the nominal distribution given the event.

    Attributes
    ----------
    space : Space
    level : float
        Where the event begins.
    x : ndarray, shape (n, d)
        Where the walkers stand.
    rng : numpy.random.Generator
    first_rate : float
        With which every move begins.
    """

    space: Space
    level: float
    x: Array
    rng: np.random.Generator
    first_rate: float = 0.5
    _steps: int = 0
    _rates: dict[str, Floats] = field(default_factory=dict)

    def step(self, going: Index, *, inwards: bool = False) -> Walking:
        """Try the next kind of move with the walkers `going`; they stay where it leaves the event.

        `inwards`: among the moves are such as do not keep the nominal, but lead back to its middle.
        """
        moves = self.space.moves(inwards)
        move = moves[self._steps % len(moves)]
        self._steps += 1
        rates = self._rates.setdefault(move.name, np.full(len(self.x), self.first_rate))
        here = self.x[going]
        there = np.ascontiguousarray(move.propose(here, rates[going], self.rng), dtype=self.x.dtype)
        likely = self._likely(move, here, there)
        accepted = likely & ~(there != here).any(axis=1)
        tried = np.flatnonzero(likely & ~accepted)
        if tried.size:
            rows = there[tried]
            rows.flags.writeable = False
            batch = yield Rows(rows)
            accepted[tried] = batch.scores >= self.level
        self.x[going[accepted]] = there[accepted]
        rates[going] = np.clip(rates[going] * np.where(accepted, FASTER, SLOWER), move.least, 1.0)

    def _likely(self, move: Move, here: Array, there: Array) -> Array:
        """Return which moves the density allows, ``(n,)``."""
        if not move.symmetric:
            return np.ones(len(here), dtype=bool)
        log_p = self.space.nominal.log_prob
        return np.asarray(np.log(self.rng.random(len(here))) < log_p(there) - log_p(here))
