"""Connected components of the differences between candidates and what became of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph


def by_edges(
    different: NDArray[np.bool_], heads: NDArray[np.int64], tails: NDArray[np.int64]
) -> tuple[int, NDArray[np.int32]]:
    """Label the components of all candidates, given each edge once; work goes with edges × candidates.

    Parameters
    ----------
    different : ndarray of bool, shape (n, candidates)
        Which vertices' sides differ.
    heads, tails : ndarray, shape (m,)

    Returns
    -------
    int
        The number of components.
    ndarray, shape (different.sum(),)
        The component of each differing vertex, in the order of ``np.nonzero(different)``.
    """
    number = np.cumsum(different.ravel()).reshape(different.shape) - 1
    count = int(number[-1, -1]) + 1 if different.size else 0
    edge, candidate = np.nonzero(different[heads] & different[tails])
    a, b = number[heads[edge], candidate], number[tails[edge], candidate]
    links = sparse.coo_array((np.ones(len(a), np.int8), (a, b)), shape=(count, count))
    components, label = csgraph.connected_components(links, directed=False)
    return int(components), label


def by_rows(different: NDArray[np.bool_], weights: NDArray[Any]) -> tuple[int, NDArray[np.int32]]:
    """Label the components of all candidates, given dense weights; the same as `by_edges`, for dense graphs.

    Each pair of differing vertices is looked at once at most, and one in a component of a dense graph mostly
    tells of many others at the same time.
    """
    labels = np.full(different.shape, -1, np.int32)
    count = 0
    for column, chosen in zip(labels.T, different.T, strict=True):
        members = np.flatnonzero(chosen)
        while len(members):
            frontier, members = members[:1], members[1:]
            while len(frontier):
                column[frontier] = count
                reached = (weights[frontier[:, None], members] != 0).any(axis=0)
                frontier, members = members[reached], members[~reached]
            count += 1
    return count, labels[different]
