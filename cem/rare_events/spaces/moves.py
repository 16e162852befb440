"""How walkers move inside an event, and where points far from the nominal's bulk are put."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cem.families.base import Array, Floats, Mask
from cem.rare_events.importance import Nominal

Propose = Callable[[Array, Floats, np.random.Generator], Array]


class Move(NamedTuple):
    """A proposal of new rows.

    Attributes
    ----------
    name : str
        Moves of one name share their walkers' rates.
    propose : callable
        From rows ``(n, d)``, a rate in (0, 1] of each ``(n,)`` and a generator to new rows ``(n, d)``.
    least : float
        Least rate.
    symmetric : bool
        Whether it leaves volumes, not the nominal, as they are: such a row is refused by density first.
    """

    name: str
    propose: Propose
    least: float
    symmetric: bool = False


def redraw(nominal: Nominal, dimension: int) -> Move:
    """Return the move that draws random entries anew: what the event does not need becomes nominal."""

    def propose(x: Array, rates: Floats, rng: np.random.Generator) -> Array:
        return np.where(some_entries(x.shape, rates, rng), np.asarray(nominal.sample(len(x), rng)), x)

    return Move("redraw", propose, 1 / dimension)


def some_entries(shape: tuple[int, ...], rates: Floats, rng: np.random.Generator) -> Mask:
    """Return random subsets of the entries, ``(n, d)``, at such rates, one of each row at the least.

    Half of them are stretches of neighbours: what belongs together often stands together.
    """
    n, d = shape
    chosen = rng.random(shape) < rates[:, None]
    runs = _stretches(np.maximum(1, np.rint(rates * d)), d, rng)
    chosen = np.where(rng.random((n, 1)) < 0.5, runs, chosen)
    empty = np.flatnonzero(~chosen.any(axis=1))
    chosen[empty, rng.integers(0, d, empty.size)] = True
    return np.asarray(chosen)


def subsets(n: int, d: int, rng: np.random.Generator) -> Mask:
    """Return `n` subsets of `d` positions, their sizes even in logarithm.

    Half of them are stretches of neighbours, and of all a quarter is everything.
    """
    rates = 2.0 ** -rng.uniform(0, max(np.log2(d / 2), 0.01), n)
    chosen = some_entries((n, d), rates, rng)
    chosen[rng.random(n) < 0.25] = True
    return chosen


def _stretches(lengths: Floats, d: int, rng: np.random.Generator) -> Mask:
    """Return a stretch of each length on a circle of `d` positions, ``(n, d)``."""
    begins = rng.integers(0, d, len(lengths))
    return np.asarray((np.arange(d) - begins[:, None]) % d < lengths[:, None])


def set_far(x: Floats, sizes: Callable[[tuple[int, ...]], Floats], rng: np.random.Generator) -> Floats:
    """Set one entry of each row, or several where there are more entries and signs than rows, to ± a size."""
    n, d = x.shape
    each = -(-2 * d // n)
    pairs = np.resize(rng.permutation(2 * d), n * each).reshape(n, each)
    far = sizes(pairs.shape)
    moved = np.array(x)
    moved[np.arange(n)[:, None], pairs % d] = np.where(pairs < d, far, -far)
    return moved
