"""The one-change search of strings: every single change in random order, taken unless it is worse."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from cem.families.base import Array, Index, Mask
from cem.local_search.side_by_side import Merit


def climb(
    x: Array,
    merit: Merit,
    categories: Index,
    rng: np.random.Generator,
    first: Mask | None = None,
) -> Generator[Array, Merit, Merit]:
    """Change one position at a time until no single change is better; return the merit reached.

    Changes that are equally good are taken too, so that the search drifts over plateaus; it ends after as
    many trials in a row without a gain as there are changes.

    Parameters
    ----------
    x : ndarray of int, shape (d,)
        The start, changed in place.
    merit : Merit
        Its merit.
    categories : ndarray of int, shape (d,)
        The number of labels of each position.
    rng : numpy.random.Generator
        Draws the order, which then is cycled through.
    first : ndarray of bool, shape (d,), optional
        Positions whose changes are tried before the others'.
    """
    positions = np.repeat(np.arange(len(categories)), categories - 1)
    ends = np.cumsum(categories - 1)
    shifts = 1 + np.arange(len(positions)) - np.repeat(ends - categories + 1, categories - 1)
    order = rng.permutation(len(positions))
    if first is not None:
        order = order[np.argsort(~first[positions[order]], kind="stable")]
    changes = list(zip(positions[order].tolist(), shifts[order].tolist(), strict=True))
    sizes = categories.tolist()
    k, without_gain = 0, 0
    while without_gain < len(changes):
        position, shift = changes[k]
        before = int(x[position])
        x[position] = (before + shift) % sizes[position]
        found = yield x
        without_gain += 1
        if found > merit:  # type: ignore[operator] # merits of one run are of one type
            merit, without_gain = found, 0
        elif found != merit:
            x[position] = before
        k = k + 1 if k + 1 < len(changes) else 0
    return merit
