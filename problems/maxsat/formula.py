"""A formula as arrays: which literals are where, by clause and by variable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cem.families.base import Floats, Index


@dataclass(frozen=True, eq=False)
class Formula:
    """Clauses over `n` variables, each literal once; what is in a clause both ways is in neither list.

    Attributes
    ----------
    matrix : sparse array of int32, shape (m, n)
        1 where a variable is in a clause, -1 where its negation is.
    base : ndarray, shape (m,)
        The number of literals that are true where every variable is 0. (A clause with a variable both
        ways has one true literal for it in any case.)
    weights : ndarray, shape (m,)
    clauses, variables : (indptr, indices)
        The variables of each clause, and the clauses of each variable.
    signs : ndarray
        1 or -1 for each entry of `variables`.
    """

    matrix: Any
    base: Index
    weights: Floats
    clauses: tuple[Index, Index]
    variables: tuple[Index, Index]
    signs: Index

    @classmethod
    def from_clauses(cls, n: int, clauses: Sequence[Sequence[int]], weights: Floats) -> Formula:
        """Arrange clauses of literals ±1 … ±n."""
        m = len(clauses)
        lengths = np.array([len(clause) for clause in clauses], dtype=np.int64)
        literals = np.array([literal for clause in clauses for literal in clause], dtype=np.int64)
        owner, literals = np.unique(np.stack((np.repeat(np.arange(m), lengths), literals)), axis=1)
        signs = np.sign(literals).astype(np.int32)
        matrix = sparse.coo_array((signs, (owner, abs(literals) - 1)), shape=(m, n)).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        by_variable = matrix.tocsc()
        by_variable.sort_indices()
        return cls(
            matrix,
            np.bincount(owner[signs < 0], minlength=m).astype(np.int64),
            weights,
            (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)),
            (by_variable.indptr.astype(np.int64), by_variable.indices.astype(np.int64)),
            by_variable.data.astype(np.int64),
        )

    def true_literals(self, X: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Count the true literals of each clause, shape (N, m), for rows of `X`, shape (N, n)."""
        counts = self.matrix @ X.T.astype(np.int32) + self.base[:, None]
        return np.ascontiguousarray(counts.T, dtype=np.int32)
