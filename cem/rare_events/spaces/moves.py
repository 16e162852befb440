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
    """Return random subsets of the entries, ``(n, d)``, one of each row at the least."""
    chosen = rng.random(shape) < rates[:, None]
    empty = np.flatnonzero(~chosen.any(axis=1))
    chosen[empty, rng.integers(0, shape[1], empty.size)] = True
    return np.asarray(chosen)


def subsets(n: int, d: int, rng: np.random.Generator) -> Mask:
    """Return `n` subsets of `d` positions, their sizes even in logarithm.

    Half of them are intervals, and of all a quarter is everything.
    """
    rates = 2.0 ** -rng.uniform(0, max(np.log2(d / 2), 0.01), n)
    chosen = rng.random((n, d)) < rates[:, None]
    sizes = np.maximum(1, (rates * d).astype(int))
    begins = (rng.random(n) * (d - sizes + 1)).astype(int)
    at = np.arange(d)
    runs = (at >= begins[:, None]) & (at < (begins + sizes)[:, None])
    chosen[::2] = runs[::2]
    chosen[rng.random(n) < 0.25] = True
    return np.asarray(chosen)


def set_far(x: Floats, sizes: Callable[[tuple[int, ...]], Floats], rng: np.random.Generator) -> Floats:
    """Set one entry of each row, or several where there are more entries and signs than rows, to ± a size."""
    n, d = x.shape
    each = -(-2 * d // n)
    pairs = np.resize(rng.permutation(2 * d), n * each).reshape(n, each)
    far = sizes(pairs.shape)
    moved = np.array(x)
    moved[np.arange(n)[:, None], pairs % d] = np.where(pairs < d, far, -far)
    return moved
