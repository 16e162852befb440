"""Nested clusters of positions: strings whose positions belong together in groups of groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.special import entr

from cem.families.base import (
    Array,
    Floats,
    Index,
    Stored,
    check_rate,
    check_rows,
    fit_weights,
    parameter_numbers,
)

DESCENT = 0.5  # context-tree weighting's prior between a node and its children (Willems et al. 1995, eq. 10)
TOGETHER = 1e-5  # distance below which two clusters say the same: their union is enough
TIE = 1e-7  # random parts of a distance, far below what a member more or less changes
TABLE_NUMBERS = 2**22


@dataclass(frozen=True, eq=False, repr=False)
class LinkageTree(Stored):
    """Distribution over rows of labels that copies clusters of positions from a weighted set of members.

    The positions are merged pairwise, those that tell most about one another first, into a binary tree of
    clusters. A cluster's values are, with equal chances, those of one member, or those of its two children
    drawn independently; a single position has its weighted frequencies. The mass of a row is therefore

    ``P_C(x) = (1 - r) F_C(x) + r P_A(x) P_B(x)``

    with ``F_C`` the members' weighted frequency of the values that `x` has in cluster C, A and B the children
    and r = 1/2.

    Parameters
    ----------
    members : array_like of int, shape (m, d)
        Rows of labels.
    weights : array_like, shape (m,), optional
        Their weights; equal by default.
    categories : array_like of int, shape (d,), optional
        The number of labels of each position; by default, one more than the largest seen, and at least two.
    merges : array_like of int, shape (d - 1, 2), optional
        The tree: row `k` merges two of the clusters 0 … d + k - 1, of which the first d are the positions.
        By default it is fitted.
    distances : array_like, shape (d - 1,), optional
        The distance of each merge, in [0, 1]; fitted with the tree.

    Attributes
    ----------
    members, weights, categories, merges, distances : ndarray
        As above; the weights sum to one.

    Raises
    ------
    ValueError
        If labels are negative, not whole or beyond their categories, weights negative or all zero, or the
        merges no tree.

    Notes
    -----
    Clusters are merged by average linkage of the distance 1 - I(i; j)/H(i, j) (mutual information over joint
    entropy): the tree that loses least likelihood where positions are treated as independent across clusters.

    References
    ----------
    Thierens & Bosman (2011), "Optimal mixing evolutionary algorithms", GECCO '11, Section 4; Goldman & Punch
    (2014), "Parameter-less population pyramid", GECCO '14; Willems, Shtarkov & Tjalkens (1995), "The
    context-tree weighting method: basic properties", IEEE Transactions on Information Theory 41.

    Examples
    --------
    >>> import numpy as np
    >>> tree = LinkageTree([[0, 0, 1], [1, 1, 1], [1, 1, 0], [0, 0, 0]])
    >>> [cluster.tolist() for cluster in tree.clusters]
    [[2], [0, 1]]
    >>> np.exp(tree.log_prob([[0, 0, 0], [0, 1, 0]])).round(4).tolist()
    [0.2188, 0.0313]
    """

    members: Any
    weights: Any = None
    categories: Any = None
    merges: Any = None
    distances: Any = None

    def __post_init__(self) -> None:
        members, categories = _checked_labels(self.members, self.categories)
        weights = fit_weights(members, self.weights)
        if self.merges is None:
            merges, distances = merge_positions(members, weights, categories)
        else:
            merges = _checked_merges(self.merges, categories.size)
            distances = _checked_distances(self.distances, categories.size)
        self.__setstate__(
            {
                "members": members,
                "weights": weights,
                "categories": categories,
                "merges": merges,
                "distances": distances,
            }
        )

    @classmethod
    def fitted(
        cls, members: Index, weights: Floats, categories: Index, rng: np.random.Generator | None = None
    ) -> Self:
        """Return the tree fitted to `members`, which are not checked.

        Parameters
        ----------
        members : ndarray of int, shape (m, d)
        weights : ndarray, shape (m,)
            Sum to one.
        categories : ndarray of int, shape (d,)
        rng : numpy.random.Generator, optional
            Breaks ties between merges; without it they go to the first positions.
        """
        merges, distances = merge_positions(members, weights, categories, rng)
        return cls.owning(
            members=members, weights=weights, categories=categories, merges=merges, distances=distances
        )

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.categories.size)

    @cached_property
    def _nodes(self) -> list[Index]:
        """The positions of every cluster, children before parents."""
        nodes = [np.array([j]) for j in range(self.dimension)]
        for a, b in self.merges.tolist():
            nodes.append(np.concatenate([nodes[a], nodes[b]]))
        return nodes

    @cached_property
    def clusters(self) -> list[Index]:
        """Clusters worth resampling by themselves, small ones first: neither all positions, nor a part of
        a cluster whose parts always agree.
        """
        keep = np.ones(len(self._nodes), dtype=np.bool_)
        keep[self.merges[self.distances < TOGETHER].ravel()] = False
        if self.dimension > 1:
            keep[-1] = False
        return sorted((node for node, kept in zip(self._nodes, keep, strict=True) if kept), key=len)

    def sample(self, n: int, rng: np.random.Generator, /) -> Index:
        """Draw `n` candidates of labels, shape ``(n, d)``."""
        d = self.dimension
        out = np.empty((n, d), dtype=np.int64)
        active = {2 * d - 2: np.arange(n)}
        cumulative = np.cumsum(self.weights)
        for node in range(2 * d - 2, -1, -1):
            rows = active.pop(node, np.empty(0, np.intp))
            if not rows.size:
                continue
            if node >= d:
                descends = rng.random(rows.size) < DESCENT
                a, b = self.merges[node - d]
                active[int(a)] = active[int(b)] = rows[descends]
                rows = rows[~descends]
            u = rng.random(rows.size) * cumulative[-1]
            donors = np.minimum(np.searchsorted(cumulative, u, side="right"), len(cumulative) - 1)
            columns = self._nodes[node]
            out[rows[:, None], columns] = self.members[donors[:, None], columns]
        return out

    def log_prob(self, x: Array, /) -> Floats:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        x = check_rows(x, self.dimension)
        step = max(1, TABLE_NUMBERS // max(1, len(self.weights) * self.dimension))
        out = np.empty(len(x))
        for first in range(0, len(x), step):
            out[first : first + step] = self._log_prob(x[first : first + step])
        return out

    def _log_prob(self, x: Array) -> Floats:
        d = self.dimension
        agrees: list[Any] = [x[:, j, None] == self.members[:, j] for j in range(d)]
        with np.errstate(divide="ignore"):
            logs: list[Any] = [np.log(same @ self.weights) for same in agrees]
            for a, b in self.merges.tolist():
                same = agrees[a] & agrees[b]
                copied = np.log(same @ self.weights) + np.log1p(-DESCENT)
                logs.append(np.logaddexp(copied, np.log(DESCENT) + logs[a] + logs[b]))
                agrees.append(same)
                agrees[a] = agrees[b] = logs[a] = logs[b] = None
        return np.asarray(logs[-1])

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Return the fit to weighted rows: frequencies in every cluster, and the tree that loses least."""
        labels, _ = _checked_labels(check_rows(x, self.dimension), self.categories)
        w = fit_weights(labels, weights)
        return self.fitted(labels[w > 0], w[w > 0], self.categories)

    def blend(self, other: Self, rate: float, /) -> Self:
        """Return the tree of both sets of members, weighted ``1 - rate`` and `rate`."""
        a = check_rate(rate)
        if not np.array_equal(self.categories, other.categories):
            raise ValueError("blending needs the same number of categories in every position.")
        rows = np.concatenate([self.members, other.members])
        return self.fit(rows, np.concatenate([(1 - a) * self.weights, a * other.weights]))

    def entropy(self) -> float:
        """Return the mean surprise of the members in nats: their cross-entropy to this distribution."""
        return -float(self.weights @ self.log_prob(self.members))

    def __repr__(self) -> str:
        return f"LinkageTree({self.dimension} positions, {len(self.weights)} members)"


def merge_positions(
    members: Index, weights: Floats, categories: Index, rng: np.random.Generator | None = None
) -> tuple[Index, Floats]:
    """Merge the positions of weighted rows into a tree, by average linkage of 1 - I/H.

    Parameters
    ----------
    members : ndarray of int, shape (m, d)
    weights : ndarray, shape (m,)
        Sum to one.
    categories : ndarray of int, shape (d,)
    rng : numpy.random.Generator, optional
        Breaks ties.

    Returns
    -------
    merges : ndarray of int, shape (d - 1, 2)
    distances : ndarray, shape (d - 1,)
    """
    from scipy.cluster.hierarchy import linkage

    d = members.shape[1]
    if d == 1:
        return np.empty((0, 2), np.int64), np.empty(0)
    joint = joint_entropies(members, weights, categories)
    own = joint.diagonal()
    first, second = np.triu_indices(d, 1)
    both = joint[first, second]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(both > 1e-12, 1 - (own[first] + own[second] - both) / both, 1.0)
    distance = np.clip(distance, 0.0, None)
    if rng is not None:
        distance += TIE * rng.random(distance.size)
    tree = linkage(distance, "average")
    return tree[:, :2].astype(np.int64), tree[:, 2]


def joint_entropies(members: Index, weights: Floats, categories: Index) -> Floats:
    """Return the entropies in nats of all pairs of positions, shape ``(d, d)``; the diagonal has their own.

    Parameters
    ----------
    members : ndarray of int, shape (m, d)
    weights : ndarray, shape (m,)
    categories : ndarray of int, shape (d,)
    """
    if categories.max() <= 2:
        ones = members.astype(np.float64)
        both = (ones * weights[:, None]).T @ ones
        p = both.diagonal()
        left, right = p[:, None] - both, p[None, :] - both
        cells = (both, left, right, 1 - p[:, None] - p[None, :] + both)
        total = sum(entr(np.clip(cell, 0.0, 1.0)) for cell in cells)
        return np.asarray(total)
    starts = np.concatenate([[0], np.cumsum(categories)[:-1]])
    hot = np.zeros((len(members), int(categories.sum())))
    np.put_along_axis(hot, members + starts, 1.0, axis=1)
    surprise = entr(np.clip((hot * weights[:, None]).T @ hot, 0.0, 1.0))
    return np.asarray(np.add.reduceat(np.add.reduceat(surprise, starts, axis=0), starts, axis=1))


def _checked_distances(distances: Any, d: int) -> Floats:
    if distances is None:
        return np.ones(d - 1)
    found = parameter_numbers("distances", distances)
    if found.shape != (d - 1,) or not np.all(found >= 0):
        raise ValueError(f"distances must be {d - 1} non-negative numbers, one a merge.")
    return found


def _checked_labels(members: Any, categories: Any) -> tuple[Index, Index]:
    given = np.asarray(members)
    if given.ndim != 2 or 0 in given.shape or given.dtype.kind not in "biuf":
        raise ValueError(f"members must be rows of labels, shape (m, d); got shape {given.shape}.")
    if not np.all(np.isfinite(given)) or np.any(given != np.floor(given)) or given.min() < 0:
        raise ValueError("labels must be whole numbers from 0 on.")
    labels = given.astype(np.int64)
    most = labels.max(axis=0) + 1
    if categories is None:
        return labels, np.maximum(most, 2)
    sizes = np.asarray(categories, dtype=np.int64)
    if sizes.shape != most.shape or np.any(sizes < 1):
        raise ValueError(f"categories must be {most.size} positive numbers, one a position.")
    if np.any(most > sizes):
        j = int(np.argmax(most > sizes))
        raise ValueError(f"position {j} has {sizes[j]} categories; its labels reach {most[j] - 1}.")
    return labels, sizes


def _checked_merges(merges: Any, d: int) -> Index:
    pairs = np.asarray(merges, dtype=np.int64).reshape(-1, 2)
    proper = np.all(pairs < d + np.arange(len(pairs))[:, None]) if len(pairs) else True
    if len(pairs) != d - 1 or not proper or not np.array_equal(np.sort(pairs.ravel()), np.arange(2 * d - 2)):
        raise ValueError("merges must join every cluster but the last exactly once, each after its parts.")
    return pairs
