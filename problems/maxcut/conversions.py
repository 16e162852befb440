"""Max-cut and functions of binary variables that are at most quadratic: the one as the other, and back.

Variable `i` becomes vertex `i`; one more vertex, the last, is what 0 looks like. Variable `i` is 1 where
vertex `i` and the last are on different sides. With ``d[u, v] = 1`` for an edge that is cut and 0 for one
that is not, ``x[i] = d[i, n]`` and ``x[i] x[j] = (d[i, n] + d[j, n] - d[i, j]) / 2``, so that every such
function is a sum over cut edges: ``f(x) = f(0) - cut``. The least value is the largest cut.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from cem.families.base import Array, Floats, Index, Mask
from problems.numbers import read_numbers

Matrix: TypeAlias = "sparse.csr_array[np.float64, tuple[int, int]]"
Graph: TypeAlias = tuple[int, Index, Floats]


def edges_from_qubo(Q: Any, c: ArrayLike | None = None) -> Graph:
    """Return the graph of ``f(x) = x'Qx + c'x`` with `x` in {0, 1}^n: its cuts are ``-f``.

    Parameters
    ----------
    Q : array_like or scipy sparse array, shape (n, n)
        Not necessarily symmetric: a pair counts ``Q[i, j] + Q[j, i]``.
    c : array_like, shape (n,), optional
        Zeros by default.

    Returns
    -------
    n : int
        The number of vertices: one more than there are variables.
    edges : ndarray of int64, shape (m, 2)
    weights : ndarray of float64, shape (m,)
        ``(Q[i, j] + Q[j, i])/2`` between variables; from variable `i` to the last vertex, minus the sum of
        these and of ``Q[i, i] + c[i]``.

    Raises
    ------
    TypeError, ValueError
        As for `check_matrix` and `check_vector`.
    """
    matrix, _ = check_matrix("Q", Q)
    pairs, diagonal = fold(matrix)
    linear = check_vector("c", c, len(diagonal))[0] + diagonal
    return _join(pairs, 0.5, -(linear + sum_rows(pairs) / 2))


def edges_from_ising(h: ArrayLike | None, J: Any) -> Graph:
    """Return the graph of ``E(s) = s'Js + h's`` with `s` in {-1, 1}^n: its cuts are ``E(-1, …, -1) - E(s)``.

    Parameters
    ----------
    h : array_like, shape (n,), or None
        The fields; None for none.
    J : array_like or scipy sparse array, shape (n, n)
        The couplings. A pair counts ``J[i, j] + J[j, i]``: for the usual sum over ``i < j``, leave the
        lower triangle empty. The diagonal is a constant and plays no part.

    Returns
    -------
    n, edges, weights
        As of `edges_from_qubo`: weights ``2(J[i, j] + J[j, i])`` between spins, ``-2 h[i]`` to the last
        vertex. A spin is +1 where its vertex and the last are on different sides.

    Raises
    ------
    TypeError, ValueError
        As for `check_matrix` and `check_vector`.
    """
    pairs, diagonal = fold(check_matrix("J", J)[0])
    return _join(pairs, 2.0, -2 * check_vector("h", h, len(diagonal))[0])


def qubo_from_edges(n: int, edges: Index, weights: Floats) -> tuple[Matrix, Floats]:
    """Write the cuts of a graph as ``cut(x) = -(x'Qx + c'x)``, with a variable for every vertex.

    Returns
    -------
    Q : scipy.sparse.csr_array, shape (n, n)
        Upper triangular: ``Q[i, j] = 2 w[i, j]``.
    c : ndarray, shape (n,)
        ``c[i]`` is minus the sum of the weights at vertex `i`.
    """
    first, second = edges.T
    pairs = sparse.csr_array((2 * weights, (first, second)), shape=(n, n))
    return pairs, -sum_rows(pairs) / 2


def to_sides(X: Array) -> NDArray[np.uint8]:
    """Return the cuts that stand for rows of variables, the last vertex on side 0: (N, n) to (N, n + 1)."""
    Y = np.zeros((len(X), X.shape[1] + 1), np.uint8)
    Y[:, :-1] = X
    return Y


def to_variables(Y: Array) -> NDArray[np.uint8]:
    """Return the variables that cuts stand for, shape (N, n + 1) to (N, n)."""
    differing: Mask = Y[:, :-1] != Y[:, -1:]
    return differing.astype(np.uint8)


def check_matrix(name: str, values: Any) -> tuple[Matrix, bool]:
    """Read a square matrix of finite numbers, dense or sparse; return too whether they were given as whole.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If it is not square, is empty, or an entry is masked, not finite, or whole and too large for float64.
    """
    given: Any = values
    shape = given.shape if sparse.issparse(values) else np.shape(given)
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(f"{name} must be a square matrix, got shape {shape}")
    numbers: Any
    entries: Any
    if sparse.issparse(values):
        entries = sparse.coo_array(given)
        data, whole = read_numbers(name, entries.data)
        numbers = (data, (entries.row, entries.col))
    else:
        numbers, whole = read_numbers(name, values)
    matrix: Matrix = sparse.csr_array(numbers, shape=shape)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{name} has entries that are not finite")
    return matrix, whole


def check_vector(name: str, values: Any, n: int) -> tuple[Floats, bool]:
    """Read a vector of `n` finite numbers, None for zeros; return too whether they were given as whole.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If the length is another, or an entry is masked, not finite, or whole and too large for float64.
    """
    if values is None:
        return np.zeros(n), True
    if np.shape(values) != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {np.shape(values)}")
    vector, whole = read_numbers(name, values)
    if not (finite := np.isfinite(vector)).all():
        k = int(finite.argmin())
        raise ValueError(f"{name}[{k}] = {vector[k]} is not finite")
    return vector, whole


def fold(matrix: Matrix) -> tuple[Matrix, Floats]:
    """Return ``M[i, j] + M[j, i]`` for ``i < j`` as a strictly upper triangular matrix, and the diagonal."""
    upper = sparse.triu(matrix, k=1) + sparse.tril(matrix, k=-1).T
    pairs = sparse.csr_array(upper)
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs, np.asarray(matrix.diagonal(), dtype=np.float64)


def sum_rows(pairs: Matrix) -> Floats:
    """Add up the entries of the pairs that each variable is in."""
    return np.asarray(pairs.sum(axis=0) + pairs.sum(axis=1), dtype=np.float64)


def _join(pairs: Matrix, scale: float, to_last: Floats) -> Graph:
    """Return the graph of weights ``scale * pairs`` between variables and `to_last` from each to the last."""
    n = len(to_last)
    between = pairs.tocoo()
    first, second = np.r_[between.row, np.arange(n)], np.r_[between.col, np.full(n, n)]
    edges = np.column_stack((first, second))
    return n + 1, edges.astype(np.int64), np.r_[scale * between.data, to_last]
