"""A weighted graph as both engines take it, and its contraction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csgraph

HOT = 0.4


@dataclass(frozen=True, eq=False)
class CutGraph:
    """Vertices 0 … n-1 and weighted edges, each listed at both of its ends (CSR).

    Attributes
    ----------
    indptr, indices, weights : ndarray
        Neighbours of v are ``indices[indptr[v]:indptr[v + 1]]``. Weights are int64 or float64.
    hot, cold : float
        First and last temperature of an anneal.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: NDArray[Any]
    hot: float
    cold: float

    @property
    def n(self) -> int:
        """Number of vertices."""
        return len(self.indptr) - 1

    @property
    def rms(self) -> float:
        """Root mean square over the vertices of their weight sqrt(Σw²), the unit of temperatures."""
        return self.hot / HOT

    @classmethod
    def from_edges(cls, n: int, heads: ArrayLike, tails: ArrayLike, weights: ArrayLike) -> CutGraph:
        """Build a graph; parallel edges add up, loops and edges of weight 0 go (they never count)."""
        u, v, w = np.asarray(heads, np.int64), np.asarray(tails, np.int64), np.asarray(weights)
        w = w.astype(np.float64 if w.dtype.kind == "f" else np.int64)
        keep = u != v
        u, v, w = u[keep], v[keep], w[keep]
        matrix = sparse.coo_array((np.r_[w, w], (np.r_[u, v], np.r_[v, u])), shape=(n, n)).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return cls.from_csr(matrix, None)

    @classmethod
    def from_csr(cls, matrix: Any, temperatures: tuple[float, float] | None) -> CutGraph:
        """Wrap a symmetric CSR matrix with an empty diagonal."""
        hot, cold = temperatures or annealing_range(matrix.data, matrix.indptr)
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data, hot, cold)

    def matrix(self) -> sparse.csr_array:
        """Return the symmetric weight matrix."""
        return sparse.csr_array((self.weights, self.indices, self.indptr), shape=(self.n, self.n))


def gain_step(weights: NDArray[Any], indptr: NDArray[Any]) -> float:
    """Return the smallest change a flip can make to an integer-weighted cut (0. for real weights).

    Every gain of v is congruent to v's weighted degree modulo 2·gcd, so it is 2·gcd where all degrees are
    even multiples of the gcd, else gcd.
    """
    if weights.dtype.kind == "f" or not len(weights):
        return 0.0
    divisor = int(np.gcd.reduce(np.abs(weights)))
    starts = indptr[:-1][np.diff(indptr) > 0]
    odd = (np.add.reduceat(weights // divisor, starts) % 2).any()
    return float(divisor if odd else 2 * divisor)


def annealing_range(weights: NDArray[Any], indptr: NDArray[Any]) -> tuple[float, float]:
    """Return the temperatures from which and to which an anneal cools.

    .4 of the rms vertex weight r = sqrt(Σw² over ends / n), where nearly all is still undecided, down to
    a seventh of the smallest gain step, where (exp(-7) = .001) uphill moves have all but ended. Weights
    with no useful step (real, or a wide spread of integers) end at .02 r.
    """
    if not len(weights):
        return 1.0, 1.0
    rms = math.sqrt(float(np.square(weights.astype(np.float64)).sum()) / (len(indptr) - 1))
    cold = max(gain_step(weights, indptr) / 7, 0.02 * rms)
    return max(HOT * rms, cold), cold


@dataclass(frozen=True, eq=False)
class Contraction:
    """A smaller graph whose vertices are groups of the original's.

    With s_v = sign_v · S_label(v), the cut of s in the original exceeds the cut of S here by a constant.
    """

    graph: CutGraph
    label: NDArray[np.int32]
    sign: NDArray[np.int8]

    def expand(self, spins: NDArray[np.int8]) -> NDArray[np.int8]:
        """Spins of the original's vertices (last axis)."""
        return np.asarray(spins[..., self.label] * self.sign, dtype=np.int8)

    def shrink(self, spins: NDArray[np.int8]) -> NDArray[np.int8]:
        """Spins of the groups (last axis), each by its first vertex."""
        first = np.unique(self.label, return_index=True)[1]
        return np.asarray(spins[..., first] * self.sign[first], dtype=np.int8)


def contract(graph: CutGraph, rows: NDArray[np.int8]) -> Contraction:
    """Merge the ends of each edge whose relative side s_u s_v is the same in all rows (of the first 64).

    Inside a group sides are those of the first row; an edge between two groups weighs Σ w sign_u sign_v.
    """
    sign = rows[0].astype(np.int8)
    code = _packed(rows[:64])
    all_ones = np.uint64(2 ** min(64, len(rows)) - 1)
    tails = np.repeat(np.arange(graph.n, dtype=np.int32), np.diff(graph.indptr))
    heads = graph.indices
    relation = code[tails] ^ code[heads]
    agreed = (relation == 0) | (relation == all_ones)
    indptr = np.r_[0, np.cumsum(agreed)][graph.indptr]
    links = sparse.csr_array((np.ones(indptr[-1], np.int8), heads[agreed], indptr), shape=(graph.n, graph.n))
    count, label = csgraph.connected_components(links, directed=False)
    between = label[tails] != label[heads]
    a, b = tails[between], heads[between]
    data = graph.weights[between] * (sign[a] * sign[b])
    merged = sparse.coo_array((data, (label[a], label[b])), shape=(count, count)).tocsr()
    merged.sum_duplicates()
    merged.eliminate_zeros()
    return Contraction(CutGraph.from_csr(merged, (graph.hot, graph.cold)), label, sign)


def _packed(rows: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Return one word for each vertex, with its side in row k as bit k."""
    words = np.zeros(rows.shape[1], np.uint64)
    for k, row in enumerate(rows):
        words |= (row > 0).astype(np.uint64) << np.uint64(k)
    return words
