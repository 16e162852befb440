"""The one-change search of strings: every single change in random order, taken unless it is worse."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import cycle
from typing import Self

import numpy as np

from cem.families.base import Array, Index, Mask
from cem.local_search.side_by_side import Known, Merit

FLIPPED = -1


@dataclass(frozen=True, eq=False)
class Changes:
    """The single changes of a string.

    Attributes
    ----------
    sizes : list of int, length d
        The number of labels of each position.
    number : int
        How many single changes a string has.
    positions : ndarray of int, shape (m,)
        Which position each trial is of.
    trials : list of (int, int), length m
        The position again, and the label that it is to have: of more than two, each in turn, since what is
        relative to a label that may drift among equals would miss some. `FLIPPED` is the other one of two.
    """

    sizes: list[int]
    number: int
    positions: Index
    trials: list[tuple[int, int]]

    @classmethod
    def of(cls, categories: Index) -> Self:
        """Return the changes of strings with so many labels at each position, shape ``(d,)``."""
        sizes: list[int] = categories.tolist()
        trials = [(j, to) for j, k in enumerate(sizes) for to in (range(k) if k > 2 else [FLIPPED][: k - 1])]
        return cls(sizes, sum(sizes) - len(sizes), np.array([j for j, _ in trials], dtype=np.int64), trials)


def climb(
    x: Array,
    merit: Merit,
    changes: Changes,
    rng: np.random.Generator,
    known: Known,
    first: Mask | None = None,
) -> Generator[Array, Merit, Merit]:
    """Change one position at a time until no single change is better; return the merit reached.

    Changes that are equally good are taken too, so that the search drifts over plateaus; it ends after as
    many trials in a row without a gain as there are changes, or where another search has shown that each of
    them makes the string worse.

    Parameters
    ----------
    x : ndarray of int, shape (d,)
        The start, changed in place.
    merit : Merit
        Its merit.
    changes : Changes
    rng : numpy.random.Generator
        Draws the order, which then is cycled through.
    known : Known
        The candidates evaluated before, which are not asked for again, and the optima among them.
    first : ndarray of bool, shape (d,), optional
        Positions whose changes are tried before the others'.
    """
    order = rng.permutation(len(changes.trials))
    optima, most = known.optima, changes.number
    if not most or x.tobytes() in optima:
        known.repeated += most
        return merit
    if first is not None:
        order = order[(~first[changes.positions[order]]).argsort(kind="stable")]
    newer, older = known.newer.get, known.older.get
    cells = x.data  # whose items are Python's numbers: several times as fast as the array's
    tried, moved, end, repeated = 0, 0, most, 0  # moved: trials at the last change that stayed
    for position, label in cycle(map(changes.trials.__getitem__, order.tolist())):
        before = cells[position]
        if label == before:
            continue
        tried += 1
        cells[position] = 1 - before if label == FLIPPED else label
        key = x.tobytes()
        if (found := newer(key)) is None and (found := older(key)) is None:
            known.repeated += repeated
            found, repeated = (yield x), 0
            newer, older = known.newer.get, known.older.get
        else:
            repeated += 1
        if found < merit:  # type: ignore[operator] # merits of one run are of one type
            cells[position] = before
        else:
            moved = tried
            if found > merit:  # type: ignore[operator]
                merit, end = found, tried + most
            if key in optima:
                repeated += end - tried  # trials whose outcome is known
                break
        if tried == end:
            if tried - moved >= most:
                optima.add(x.tobytes())
            break
    known.repeated += repeated
    return merit
