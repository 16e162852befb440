"""The one-change search of strings: every single change in random order, taken unless it is worse."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import cycle
from typing import Self

import numpy as np

from cem.families.base import Array, Index, Mask
from cem.local_search.side_by_side import Known, Merit


@dataclass(frozen=True, eq=False)
class Changes:
    """The single changes of a string.

    Attributes
    ----------
    sizes : list of int, length d
        The number of labels of each position.
    positions : ndarray of int, shape (m,)
        Which position each change is of.
    shifts : list of (int, int), length m
        The position again, and by how much it is shifted, modulo its number of labels.
    """

    sizes: list[int]
    positions: Index
    shifts: list[tuple[int, int]]

    @classmethod
    def of(cls, categories: Index) -> Self:
        """Return the changes of strings with so many labels at each position, shape ``(d,)``."""
        shifts = [(j, shift) for j, size in enumerate(categories.tolist()) for shift in range(1, size)]
        return cls(categories.tolist(), np.array([j for j, _ in shifts], dtype=np.int64), shifts)


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
    order = rng.permutation(len(changes.positions))
    sizes, optima, most = changes.sizes, known.optima, len(order)
    if not most or x.tobytes() in optima:
        known.repeated += most
        return merit
    if first is not None:
        order = order[(~first[changes.positions[order]]).argsort(kind="stable")]
    newer, older = known.newer.get, known.older.get
    cells = x.data  # whose items are Python's numbers: several times as fast as the array's
    moved, end, repeated = 0, most, 0  # moved: trials at the last change that stayed
    trials = cycle(map(changes.shifts.__getitem__, order.tolist()))
    for tried, (position, shift) in enumerate(trials, 1):
        before = cells[position]
        cells[position] = (before + shift) % sizes[position]
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
