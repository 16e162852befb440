"""Random graphs, as arrays of edges and weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cem.families.base import Floats, Index


def random_edges(n: int, probability: float, rng: np.random.Generator) -> Index:
    """Draw each of the n(n-1)/2 pairs with the given probability; return them, shape (m, 2).

    The gaps between taken pairs are geometric, so that work and memory go with `m` and not with n².

    Raises
    ------
    ValueError
        If `probability` is not one.

    References
    ----------
    V. Batagelj, U. Brandes: Efficient generation of large random networks. Physical Review E 71 (2005),
    036113.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"edge_probability must be from 0 to 1, got {probability}")
    pairs = n * (n - 1) // 2
    expected = pairs * probability
    if expected == 0:
        return np.empty((0, 2), dtype=np.int64)
    enough = int(expected + 6 * np.sqrt(expected)) + 8
    taken = np.empty(0, dtype=np.int64)
    last = -1
    while last < pairs:
        gaps = np.minimum(rng.geometric(probability, size=enough), pairs + 1)
        taken = np.append(taken, last + np.cumsum(gaps))
        last = int(taken[-1])
    taken = taken[taken < pairs]
    ends = np.arange(n, dtype=np.int64)
    before = ends * (ends - 1) // 2  # pair (i, j), i < j, has number before[j] + i
    j = np.searchsorted(before[1:], taken, side="right")
    return np.column_stack((taken - before[j], j))


def random_weights(m: int, choices: Sequence[float], rng: np.random.Generator) -> Floats:
    """Draw `m` weights from `choices`, all equally likely.

    Raises
    ------
    ValueError
        If there is nothing to choose from.
    """
    values = np.asarray(choices, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"weights must be a sequence of one or more numbers to draw from, got {choices!r}")
    return values[rng.integers(values.size, size=m)]


def torus_edges(rows: int, columns: int) -> Index:
    """Join each cell of a grid that wraps around to those below and to the right: shape (2·rows·columns, 2).

    Raises
    ------
    ValueError
        If a side is shorter than 3: an edge would meet itself around the torus.
    """
    if rows < 3 or columns < 3:
        raise ValueError(f"a torus needs 3 or more rows and columns, got {rows} by {columns}")
    cells = np.arange(rows * columns).reshape(rows, columns)
    below, right = np.roll(cells, -1, axis=0), np.roll(cells, -1, axis=1)
    return np.column_stack((np.tile(cells.ravel(), 2), np.concatenate((below.ravel(), right.ravel()))))


def planted(n: int, block: int, rng: np.random.Generator) -> tuple[Index, Floats, float]:
    """Draw a complete graph whose maximum cut is the one between its first `block` vertices and the rest.

    Returns
    -------
    edges : ndarray of int64, shape (n(n-1)/2, 2)
    weights : ndarray of float64, shape (n(n-1)/2,)
    optimum : float

    Raises
    ------
    ValueError
        If a block is empty.
    """
    if not 1 <= block < n:
        raise ValueError(f"both blocks need a vertex: block must be from 1 to n - 1 = {n - 1}, got {block}")
    unit = 2**20
    small, large = sorted((block, n - block))
    between = -(-large * unit // small) / unit  # large/small, rounded up to a multiple of 1/unit
    i, j = np.triu_indices(n, 1)
    within = rng.integers(1, unit, size=i.size) / unit
    weights = np.where((i < block) & (block <= j), between, within)
    return np.column_stack((i, j)), weights, small * large * between
