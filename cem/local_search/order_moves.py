"""Moves of an order: exchange two items, insert one elsewhere, reverse a stretch; and the search by them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.families.base import Array, Floats, Index
from cem.local_search.side_by_side import Merit

AT_ONCE = 8  # trials of one kind before the kinds are weighed again
FADING = 0.999  # per trial: gains of a few thousand trials ago no longer count
PRIOR = 0.02  # gains per trial that each kind is credited with


def exchange(x: Array, i: int, j: int) -> Array:
    """Return `x` with the items at places `i` and `j` exchanged."""
    y = x.copy()
    y[i], y[j] = x[j], x[i]
    return y


def insert(x: Array, i: int, j: int) -> Array:
    """Return `x` with the item at place `i` taken out and put in at place `j`."""
    y = x.copy()
    if i < j:
        y[i:j] = x[i + 1 : j + 1]
    else:
        y[j + 1 : i + 1] = x[j:i]
    y[j] = x[i]
    return y


def reverse(x: Array, i: int, j: int) -> Array:
    """Return `x` with the stretch from place `i` to place `j` reversed."""
    y = x.copy()
    y[i : j + 1] = x[i : j + 1][::-1]
    return y


MOVES = (exchange, insert, reverse)


@dataclass
class OrderMoves:
    """The moves of orders of `n` items, drawn by what they have gained lately.

    Attributes
    ----------
    n : int
    places : list of ndarray, each of shape (m, 2)
        The pairs of places of every exchange, insertion and reversal that no other move makes.
    gains, trials : ndarray, shape (3,)
        Fading counts of strict gains and of trials.
    """

    n: int
    rng: np.random.Generator
    places: list[Index] = field(init=False)
    gains: Floats = field(default_factory=lambda: np.full(3, 1.0))
    trials: Floats = field(default_factory=lambda: np.full(3, 1.0))

    def __post_init__(self) -> None:
        i, j = np.indices((self.n, self.n)).reshape(2, -1)
        own = (i < j, (i != j) & (i != j + 1), i + 2 <= j)
        self.places = [np.stack([i[chosen], j[chosen]], axis=1) for chosen in own]

    @property
    def rates(self) -> Floats:
        """Recent gains per trial of each kind of move."""
        return self.gains / self.trials

    def _kind(self, chances: Floats) -> int:
        """Draw a kind of move: what ``rng.choice(3, p=chances)`` draws, in a fifth of the time."""
        below = chances.cumsum()
        return int((below / below[-1]).searchsorted(self.rng.random(), "right"))

    def draw(self, x: Array) -> Array:
        """Return `x` after one random move, of the kinds that gain more often."""
        rates = self.rates
        kind = self._kind(0.8 * rates / rates.sum() + 0.2 / 3)
        if not len(self.places[kind]):
            kind = 0
        i, j = self.places[kind][int(self.rng.integers(len(self.places[kind])))].tolist()
        return MOVES[kind](x, i, j)

    def search(self, x: Array, merit: Merit) -> Generator[Array, Merit, tuple[Array, Merit]]:
        """Take any move that is not worse, until no move of the kind that gains most is better.

        Returns the order reached and its merit. Each kind's moves come in random order without repetition.
        """
        order: list[list[list[int]]] = [[], [], []]
        since = [0, 0, 0]  # trials of each kind since the last gain
        while True:
            rates = self.rates
            leading = int(rates.argmax())
            if since[leading] >= len(self.places[leading]):
                return x, merit
            squared = rates**2
            kind = self._kind(0.7 * squared / squared.sum() + 0.1)
            if since[kind] >= len(self.places[kind]):
                kind = leading
            for _ in range(AT_ONCE):
                if not order[kind]:
                    order[kind] = self.rng.permutation(self.places[kind]).tolist()
                    if not order[kind]:
                        break
                i, j = order[kind].pop()
                tried = MOVES[kind](x, i, j)
                found = yield tried
                since[kind] += 1
                self.trials[kind] += 1
                if found > merit:  # type: ignore[operator] # merits of one run are of one type
                    self.gains[kind] += 1
                    x, merit, since = tried, found, [0, 0, 0]
                elif found == merit:
                    x = tried
            fading = FADING**AT_ONCE
            self.trials = self.trials * fading + (1 - fading)
            self.gains = self.gains * fading + (1 - fading) * PRIOR
