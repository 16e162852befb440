"""Binary candidates whose positions depend on each other along a tree (Chow & Liu)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.special import entr

from cem.clock import look_at_clock
from cem.families.base import (
    Array,
    Floats,
    Index,
    Mask,
    Stored,
    check_fit,
    check_rate,
    check_rows,
    frozen,
    parameter_numbers,
    parameter_vector,
)

PAIRS = 2**18  # of variables, whose information is computed at once


@dataclass(frozen=True, eq=False, repr=False)
class BernoulliTree(Stored):
    """Tree-structured distribution over rows of 0 and 1; immutable.

    The mass is ``Π_j P(x_j | x_parent(j))``.

    Every position depends on at most one other, its parent, which is drawn before it. `independent` makes
    the usual start; a fit then finds the tree by itself.

    Parameters
    ----------
    parents : array_like of int, shape (d,)
        The parent of each position, -1 for a root. There are no cycles.
    conditionals : array_like, shape (d, 2)
        Probability of a 1 given a parent of 0 and of 1, in [0, 1]; both the same for a root.
    edges : array_like of int, shape (m, 2), optional
        The only pairs that a fitted tree may join, of a graph for instance. Default: every pair.
    symmetric : bool
        Whether a row and its complement are equally probable, as they are for cuts of a graph: fits then
        count every row together with its complement.

    Raises
    ------
    ValueError
        If a probability lies outside [0, 1], a parent or an edge is out of range, or parents form a cycle.

    References
    ----------
    Chow & Liu (1968), "Approximating Discrete Probability Distributions with Dependence Trees", IEEE
    Transactions on Information Theory 14(3).

    Examples
    --------
    >>> import cem
    >>> start = cem.BernoulliTree.independent([0.5, 0.5, 0.5])
    >>> fitted = start.fit([[0, 0, 1], [0, 0, 0], [1, 1, 0], [1, 1, 1]])
    >>> fitted.conditionals[1]  # the second position does as the first
    array([0., 1.])
    """

    parents: Any
    conditionals: Any
    edges: Any = None
    symmetric: bool = False

    dtype: ClassVar = np.dtype(np.uint8)
    minimum_rows: ClassVar = 1

    def __post_init__(self) -> None:
        parents = np.asarray(self.parents)
        if parents.ndim != 1 or parents.size == 0 or parents.dtype.kind not in "iu":
            raise ValueError("parents must be a non-empty vector of whole numbers, -1 for a root.")
        d = parents.size
        if parents.min() < -1 or parents.max() >= d:
            raise ValueError(f"parents must lie in -1 … {d - 1}.")
        tables = parameter_numbers("conditionals", self.conditionals)
        if tables.shape != (d, 2) or not np.all((tables >= 0) & (tables <= 1)):
            raise ValueError(f"conditionals must be probabilities of shape ({d}, 2), got {tables.shape}.")
        object.__setattr__(self, "parents", frozen(parents, np.int64))
        object.__setattr__(self, "conditionals", frozen(tables))
        object.__setattr__(self, "symmetric", bool(self.symmetric))
        if self.edges is not None:
            object.__setattr__(self, "edges", frozen(_checked_edges(self.edges, d), np.int64))
        self._generations  # noqa: B018 - raises where the parents form a cycle

    @classmethod
    def independent(cls, p: ArrayLike, *, edges: ArrayLike | None = None, symmetric: bool = False) -> Self:
        """Return a tree without dependence: position j is 1 with probability ``p[j]``.

        Raises
        ------
        ValueError
            If a probability lies outside [0, 1], or `symmetric` and one is not 0.5.
        """
        ones = parameter_vector("p", p)
        if symmetric and np.any(ones != 0.5):
            raise ValueError("a symmetric distribution has probability 0.5 in every position.")
        return cls(np.full(ones.size, -1), np.repeat(ones[:, None], 2, axis=1), edges, symmetric)

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.parents.size)

    @property
    def p(self) -> Floats:
        """Probability of a 1 in each position, shape ``(d,)``."""
        return self._marginals

    def contains(self, x: Array, /) -> Mask:
        """Return which rows are zeros and ones, shape ``(n,)``."""
        x = check_rows(x, self.dimension)
        return np.asarray(np.all((x == 0) | (x == 1), axis=1))

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.uint8]:
        """Draw `n` candidates of 0 and 1, shape ``(n, d)``, one byte each."""
        out = np.empty((n, self.dimension), dtype=np.uint8)
        self.fill(out, rng)
        return out

    def fill(self, out: NDArray[np.uint8], rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, shape ``(n, d)``, generation by generation."""
        u = rng.random(out.shape)
        roots, *later = self._generations
        out[:, roots] = u[:, roots] < self.conditionals[roots, 0]
        for places in later:
            above = out[:, self.parents[places]]
            low, high = self.conditionals[places].T
            out[:, places] = u[:, places] < np.where(above, high, low)

    def log_prob(self, x: Array, /) -> Floats:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        x = check_rows(x, self.dimension)
        valid = np.all((x == 0) | (x == 1), axis=1)
        ones = np.where(valid[:, None], x, 0).astype(np.int64)
        given = np.where(self.parents >= 0, ones[:, self.parents], 0)
        p_one = self.conditionals[np.arange(self.dimension), given]
        with np.errstate(divide="ignore"):
            mass = np.log(np.where(ones == 1, p_one, 1 - p_one)).sum(axis=1)
        return np.where(valid, mass, -np.inf)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: the tree of largest mutual information, and its tables."""
        x, w = check_fit(x, weights, self.dimension)
        ones = np.asarray(x, dtype=np.float64)
        p = np.clip(w @ ones, 0.0, 1.0)
        if self.edges is None:
            a, b = np.triu_indices(self.dimension, 1)
            both = np.clip((w[:, None] * ones).T @ ones, 0.0, 1.0)[a, b]
        else:
            a, b = self.edges.T
            both = np.clip(np.einsum("i,ij,ij->j", w, ones[:, a], ones[:, b], optimize=True), 0.0, 1.0)
        if self.symmetric:
            both, p = (1 + 2 * both - p[a] - p[b]) / 2, np.full_like(p, 0.5)
        parents = _spanning_forest(a, b, _mutual_information(p[a], p[b], both), self.dimension)
        children = np.flatnonzero(parents >= 0)
        joined = np.zeros(self.dimension)
        joined[children] = both[_places(children, parents[children], a, b, self.dimension)]
        return self._along(parents, p, joined)

    def blend(self, other: Self, rate: float, /) -> Self:
        """Project the mixture of both onto the tree of the one with the larger share.

        Marginals, and the joint probabilities along that tree's edges, are those of the mixture.
        """
        r = check_rate(rate)
        keeper = other if r >= 0.5 else self
        p = (1 - r) * self._marginals + r * other._marginals
        children = np.flatnonzero(keeper.parents >= 0)
        above = keeper.parents[children]
        both = np.zeros(self.dimension)
        both[children] = (1 - r) * self._both_ones(children, above) + r * other._both_ones(children, above)
        return keeper._along(keeper.parents, p, both)

    def entropy(self) -> float:
        """Entropy in nats."""
        above = np.where(self.parents >= 0, self._marginals[self.parents], 0.0)
        of_tables = entr(self.conditionals) + entr(1 - self.conditionals)
        return float(np.sum((1 - above) * of_tables[:, 0] + above * of_tables[:, 1]))

    @cached_property
    def _generations(self) -> list[Index]:
        """Positions by their distance from a root: all parents of a generation are in the one before."""
        order = np.argsort(self._depth, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self._depth))[:-1])

    @cached_property
    def _depth(self) -> Index:
        """Number of ancestors of each position."""
        depth = np.zeros(self.dimension, dtype=np.int64)
        ancestor = self.parents
        while np.any(ancestor >= 0):
            depth += ancestor >= 0
            if depth.max() >= self.dimension:
                raise ValueError("the parents form a cycle; every position must lead up to a root.")
            ancestor = np.where(ancestor >= 0, self.parents[ancestor], -1)
        return depth

    @cached_property
    def _marginals(self) -> Floats:
        roots, *later = self._generations
        p = np.empty(self.dimension)
        p[roots] = self.conditionals[roots, 0]
        for places in later:
            above = p[self.parents[places]]
            low, high = self.conditionals[places].T
            p[places] = (1 - above) * low + above * high
        return p

    def _both_ones(self, i: Index, j: Index) -> Floats:
        """Return P(x_i = x_j = 1). Correlations of binary variables multiply along the path between them."""
        p, depth = self._marginals, self._depth
        variance = p * (1 - p)
        above = np.where(self.parents >= 0, self.parents, 0)
        scale = np.sqrt(variance[above] / np.where(variance > 0, variance, np.inf))
        to_parent = np.where(
            self.parents >= 0, (self.conditionals[:, 1] - self.conditionals[:, 0]) * scale, 0
        )
        correlation = np.ones(len(i))
        here, there = np.array(i), np.array(j)
        while np.any(apart := (here != there) & (correlation != 0)):
            first = apart & (depth[here] >= depth[there])
            second = apart & ~first
            correlation[first] *= to_parent[here[first]]
            correlation[second] *= to_parent[there[second]]
            here[first], there[second] = above[here[first]], above[there[second]]
        return p[i] * p[j] + correlation * np.sqrt(variance[i] * variance[j])

    def _along(self, parents: Array, p: Floats, both: Floats) -> Self:
        """Return the tree with these parents and marginals; `both` is P(a child and its parent are 1)."""
        tables = np.repeat(p[:, None], 2, axis=1)
        child = np.flatnonzero(parents >= 0)
        above = p[parents[child]]
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = (p[child] - both[child]) / (1 - above), both[child] / above
        tables[child, 0] = np.where(above < 1, low, p[child])
        tables[child, 1] = np.where(above > 0, high, p[child])
        return self.replaced(parents=parents, conditionals=np.clip(tables, 0.0, 1.0))

    def __repr__(self) -> str:
        joined = int(np.sum(self.parents >= 0))
        return f"BernoulliTree({self.dimension} positions, {joined} of them with a parent)"


def _checked_edges(edges: ArrayLike, d: int) -> Index:
    pairs = np.asarray(edges)
    if pairs.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(f"edges must be pairs of positions, shape (m, 2), got {pairs.shape}.")
    if pairs.min() < 0 or pairs.max() >= d or np.any(pairs[:, 0] == pairs[:, 1]):
        raise ValueError(f"edges must join two different positions of 0 … {d - 1}.")
    return pairs


def _mutual_information(p: Floats, q: Floats, both: Floats) -> Floats:
    """Return the mutual information in nats of two binary variables from P(1), P(1) and P(both 1)."""
    out = np.empty(len(both))
    for first in range(0, len(both), PAIRS):
        look_at_clock()
        part = slice(first, first + PAIRS)
        out[part] = _information(p[part], q[part], both[part])
    return out


def _information(p: Floats, q: Floats, both: Floats) -> Floats:
    cells = np.stack([both, p - both, q - both, 1 - p - q + both])
    own = entr(p) + entr(1 - p) + entr(q) + entr(1 - q)
    return np.asarray(own - entr(np.maximum(cells, 0)).sum(axis=0))


def _spanning_forest(a: Index, b: Index, gain: Floats, d: int) -> Index:
    """Return the parents of a maximum-gain spanning forest over the pairs (a, b)."""
    if len(a) == 0:
        return np.full(d, -1)
    cost = 1 + gain.max() - gain  # positive: the graph routines take 0 for no edge
    pairs = a.astype(np.int32), b.astype(np.int32)  # all that older versions of csgraph take
    forest = csgraph.minimum_spanning_tree(sparse.coo_array((cost, pairs), shape=(d, d)).tocsr()).tocoo()
    component = csgraph.connected_components(forest, directed=False)[1]
    roots = np.unique(component, return_index=True)[1]
    rows = np.concatenate([forest.row, np.full(len(roots), d)]).astype(np.int32)
    columns = np.concatenate([forest.col, roots]).astype(np.int32)
    rooted = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(d + 1, d + 1)).tocsr()
    above = csgraph.breadth_first_order(rooted, d, directed=False)[1][:d]
    return np.where(above == d, -1, above).astype(np.int64)


def _places(i: Index, j: Index, a: Index, b: Index, d: int) -> Index:
    """Find the unordered pairs (i, j) among the pairs (a, b)."""
    keys = np.minimum(a, b) * d + np.maximum(a, b)
    order = np.argsort(keys, kind="stable")
    wanted = np.minimum(i, j) * d + np.maximum(i, j)
    return np.asarray(order[np.searchsorted(keys, wanted, sorter=order)])
