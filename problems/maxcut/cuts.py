"""The values of many cuts at once: one sparse product for each block of candidates."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Triangle: TypeAlias = "sparse.csr_array[np.floating[Any], tuple[int, int]]"

BLOCK_ENTRIES = 2**19  # of candidates, evaluated at once: small enough to stay in the cache
BLOCK_ROWS = (16, 256)
NOT_SIDES = "candidates must hold only 0 and 1; from -1/+1 spins, use spins > 0"


def triangle(n: int, edges: NDArray[np.int64], weights: NDArray[np.float64]) -> Triangle:
    """Give the weight matrix above its diagonal, in the narrowest dtype whose sums lose nothing."""
    whole = bool((weights == np.floor(weights)).all())
    exact = whole and float(np.abs(weights).sum()) <= 2**24
    data: NDArray[np.floating[Any]] = weights.astype(np.float32 if exact else np.float64)
    return sparse.csr_array((data, (edges[:, 0], edges[:, 1])), shape=(n, n))


def cut_values(upper: Triangle, X: NDArray[Any]) -> NDArray[np.float64]:
    """Evaluate the rows of `X`, a block at a time.

    With ``z = x - 1/2`` an edge is cut where ``z[i] z[j] = -1/4`` and not where it is 1/4, so the cut is
    ``sum(w)/2 - 2 z'Uz`` with `U` the upper triangle of the weights.

    Raises
    ------
    ValueError
        If an entry lies outside [0, 1].
    """
    values = np.empty(len(X))
    half = upper.data.sum(dtype=np.float64) / 2
    rows = int(np.clip(BLOCK_ENTRIES // upper.shape[0], *BLOCK_ROWS))
    for first in range(0, len(X), rows):
        block = slice(first, first + rows)
        z = X[block].T.astype(upper.dtype, order="C")
        if z.min() < 0 or z.max() > 1:
            raise ValueError(NOT_SIDES)
        z -= 0.5
        values[block] = half - 2.0 * np.einsum("ij,ij->j", z, upper @ z).astype(np.float64)
    return values


def checked_sides(X: ArrayLike, n: int, dimensions: tuple[int, ...]) -> NDArray[Any]:
    """Check the shape and dtype of candidates; floats are taken where they are exactly 0 and 1.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If the shape is another, or floats hold anything but 0 and 1.
    """
    sides = np.asarray(X)
    if sides.ndim not in dimensions or sides.shape[-1] != n:
        expected = " or ".join(f"({n},)" if d == 1 else f"(N, {n})" for d in dimensions)
        raise ValueError(f"expected candidates of shape {expected}, got {sides.shape}")
    if sides.dtype.kind not in "biuf":
        raise TypeError(f"candidates must be numbers, 0 and 1, got {sides.dtype}")
    if sides.dtype.kind == "f" and not np.isin(sides, (0, 1)).all():
        raise ValueError(NOT_SIDES)
    return sides.view(np.uint8) if sides.dtype == np.bool_ else sides
