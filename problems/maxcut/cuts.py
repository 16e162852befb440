"""The values of many cuts at once: counted in packed bits, or by one sparse product for a few candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cem.families.base import Array, Floats, Index
from problems.binary import NOT_BINARY

WORD = 64
PACKED_ROWS = 8 * WORD  # candidates whose bits are counted together
PACKED_EDGES = 2**13  # at a time: 8 words each stay in the cache
LEAST_PACKED = 2**18  # entries of edges times candidates: below, the product is quicker
FEW_ROWS = 24  # of bits, no longer worth adding up
MOST_VALUES = 4  # different weights, each of which is counted by itself
BLOCK_ENTRIES = 2**19  # of candidates in one product: small enough to stay in the cache
BLOCK_ROWS = (16, 256)


@dataclass(frozen=True, eq=False)
class Edges:
    """A graph's edges, prepared for the evaluation of cuts.

    Attributes
    ----------
    upper : scipy.sparse.csr_array, shape (n, n)
        The weight matrix above its diagonal, in the narrowest dtype whose sums lose nothing.
    alike : list of (float, (ndarray, ndarray))
        Each weight with the two ends of the edges that have it; empty where there are too many weights, or
        some are not whole.
    """

    upper: Any
    alike: list[tuple[float, tuple[Index, Index]]]

    @classmethod
    def of(cls, n: int, edges: Index, weights: Floats) -> Edges:
        """Prepare the edges of a graph of `n` vertices."""
        most = float(np.abs(weights).sum()) if (weights == np.floor(weights)).all() else np.inf
        exact = most <= 2**24
        data: NDArray[np.floating[Any]] = weights.astype(np.float32 if exact else np.float64)
        upper = sparse.csr_array((data, (edges[:, 0], edges[:, 1])), shape=(n, n))
        values = np.unique(weights)
        alike = [(float(w), (*edges[weights == w].T,)) for w in values[: MOST_VALUES + 1]]
        return cls(upper, alike if len(alike) <= MOST_VALUES and most < 2**53 else [])


def cut_values(edges: Edges, X: Array) -> Floats:
    """Evaluate the rows of `X`, a block at a time.

    Raises
    ------
    ValueError
        If an entry lies outside [0, 1].
    """
    if X.size and (X.min() < 0 or X.max() > 1):
        raise ValueError(NOT_BINARY)
    packed = edges.alike and len(X) >= WORD // 2 and len(X) * edges.upper.nnz >= LEAST_PACKED
    rows = PACKED_ROWS if packed else int(np.clip(BLOCK_ENTRIES // edges.upper.shape[0], *BLOCK_ROWS))
    values = np.empty(len(X))
    for first in range(0, len(X), rows):
        block = slice(first, first + rows)
        values[block] = _count(edges.alike, X[block]) if packed else _product(edges.upper, X[block])
    return values


def _product(upper: Any, X: Array) -> Floats:
    """Evaluate rows by a sparse product.

    With ``z = x - 1/2`` an edge is cut where ``z[i] z[j] = -1/4`` and not where it is 1/4, so the cut is
    ``sum(w)/2 - 2 z'Uz`` with `U` the upper triangle of the weights.
    """
    z = X.T.astype(upper.dtype, order="C")
    z -= 0.5
    half = upper.data.sum(dtype=np.float64) / 2
    return np.asarray(half - 2.0 * np.einsum("ij,ij->j", z, upper @ z).astype(np.float64))


def _count(alike: list[tuple[float, tuple[Any, Any]]], X: Array) -> Floats:
    """Evaluate rows by counting, for each weight, the edges that they cut."""
    sides = _by_vertex(X.astype(np.uint8, copy=False))
    rows: list[NDArray[np.uint64]] = []
    worth: list[float] = []
    for weight, (first, second) in alike:
        for begin in range(0, len(first), PACKED_EDGES):
            chunk = slice(begin, begin + PACKED_EDGES)
            differing = sides[first[chunk]]
            differing ^= sides[second[chunk]]
            unit = weight
            while len(differing):
                left, differing = _add_up(differing)
                rows.append(left)
                worth += [unit] * len(left)
                unit *= 2
    bits = np.unpackbits(np.concatenate(rows).view(np.uint8), axis=1, bitorder="little")
    return np.asarray(np.array(worth) @ bits, dtype=np.float64)[: len(X)]


def _by_vertex(X: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Pack the side of each vertex in all candidates into bits: (N, n) to (n, ceil(N / 64))."""
    packed = np.zeros((-(-len(X) // WORD) * 8, X.shape[1]), np.uint8)
    for bit in reversed(range(8)):
        packed += packed
        part = X[bit::8]
        packed[: len(part)] |= part
    return np.ascontiguousarray(packed.T).view(np.uint64)


def _add_up(words: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Add rows of bits, three to two; return a few rows and carries, whose sums are ``rows + 2 carries``."""
    carried = [words[:0]]
    while len(words) > FEW_ROWS:
        third = len(words) // 3
        a, b, c = words[:third], words[third : 2 * third], words[2 * third : 3 * third]
        half = a ^ b
        carried.append((a & b) | (half & c))
        half ^= c
        words = np.concatenate((half, words[3 * third :]))
    return words, np.concatenate(carried)
