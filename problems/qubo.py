"""Quadratic unconstrained binary optimisation, and the Ising model: max-cut in other words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from problems.binary import PreparedOnUse, binary_rows, fair_coins
from problems.maxcut import MaxCut
from problems.maxcut.conversions import (
    Matrix,
    checked_matrix,
    checked_vector,
    edges_from_qubo,
    folded,
    row_sums,
    to_sides,
    to_variables,
)

if TYPE_CHECKING:
    from cem.families import Bernoulli
    from cem.updates import EliteArchive

_BLOCK_ENTRIES = 2**20  # of candidates, evaluated at once


class Ising(NamedTuple):
    """The energy ``E(s) = s'Js + h's + offset`` of spins -1 and 1; `J` is strictly upper triangular."""

    h: NDArray[np.float64]
    J: Any
    offset: float


@dataclass(frozen=True, eq=False, repr=False)
class QUBO(PreparedOnUse):
    """Find the 0/1 vector `x` that minimises ``x'Qx + c'x + offset``.

    Parameters
    ----------
    Q : array_like or scipy sparse array, shape (n, n)
        Any finite numbers; not necessarily symmetric: a pair counts ``Q[i, j] + Q[j, i]``, and the diagonal
        counts as `c` does, for ``x[i]**2 == x[i]``. Kept as float64, dense or as a `csr_array`.
    c : array_like, shape (n,), optional
        Zeros by default.
    offset : float
        A constant.
    optimum : float, optional
        The least value (with the offset), where it is known.
    name : str, optional
        What to call the problem in reports.

    Raises
    ------
    TypeError
        If a number is not real.
    ValueError
        If a shape does not fit, or a number is not finite.

    Notes
    -----
    The search is that of the equivalent max-cut problem, see `to_maxcut`. Values of whole numbers are exact
    while they stay below 2**53.

    References
    ----------
    Hammer (1965), "Some network flow problems solved with pseudo-Boolean programming", Operations Research
    13(3) (the reduction); Barahona, Jünger & Reinelt (1989), "Experiments in quadratic 0-1 programming",
    Mathematical Programming 44.

    Examples
    --------
    >>> problem = QUBO([[-1, 2], [0, -1]])
    >>> problem([[0, 0], [0, 1], [1, 1]]).tolist()
    [0.0, -1.0, 0.0]
    """

    Q: Any
    c: Any = None
    offset: float = 0.0
    optimum: float | None = None
    name: str = "qubo"

    maximize: ClassVar[bool] = False
    compact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        matrix = checked_matrix("Q", self.Q)
        c = checked_vector("c", self.c, matrix.shape[0])
        c.flags.writeable = False
        matrix.data.flags.writeable = False
        Q: Any = matrix
        if not sparse.issparse(self.Q):
            Q = matrix.toarray()
            Q.flags.writeable = False
        object.__setattr__(self, "Q", Q)
        object.__setattr__(self, "c", c)
        object.__setattr__(self, "offset", float(checked_vector("offset", [self.offset], 1)[0]))
        object.__setattr__(self, "optimum", None if self.optimum is None else float(self.optimum))

    @classmethod
    def from_ising(
        cls,
        h: ArrayLike | None,
        J: Any,
        offset: float = 0.0,
        *,
        optimum: float | None = None,
        name: str = "ising",
    ) -> QUBO:
        """Take the energy ``E(s) = s'Js + h's + offset`` of spins ``s = 2x - 1``, with the same values.

        Parameters
        ----------
        h : array_like, shape (n,), or None
            The fields; None for none.
        J : array_like or scipy sparse array, shape (n, n)
            The couplings. A pair counts ``J[i, j] + J[j, i]``: for the usual sum over ``i < j``, leave the
            lower triangle empty. The diagonal adds its sum, for ``s[i]**2 == 1``.
        offset, optimum, name
            As for the class.

        Raises
        ------
        TypeError, ValueError
            As for the class.
        """
        matrix = checked_matrix("J", J)
        pairs, diagonal = folded(matrix)
        fields_ = checked_vector("h", h, len(diagonal))
        at_each = row_sums(pairs)
        constant = float(pairs.sum() + diagonal.sum() - fields_.sum())
        times = pairs * 4.0
        Q = times if sparse.issparse(J) else times.toarray()
        return cls(Q, 2 * fields_ - 2 * at_each, offset + constant, optimum, name)

    # --- as other problems --------------------------------------------------------------------------

    def to_ising(self) -> Ising:
        """Give the fields, couplings and constant of the same function of the spins ``s = 2x - 1``.

        Returns
        -------
        Ising
            ``(h, J, offset)`` with ``s'Js + h's + offset`` equal to this problem's value of
            ``x = (1 + s)/2``; `J` strictly upper triangular, and dense or sparse as `Q` is.
        """
        pairs, linear = self._parts
        at_each = row_sums(pairs)
        J = pairs / 4 if sparse.issparse(self.Q) else (pairs / 4).toarray()
        constant = self.offset + float(linear.sum()) / 2 + float(pairs.sum()) / 4
        return Ising(linear / 2 + at_each / 4, J, constant)

    def to_maxcut(self) -> MaxCut:
        """Give the equivalent max-cut problem, on one vertex more than there are variables.

        Variable `i` is vertex `i`, and is 1 where vertex `i` and the last are on different sides:
        ``x = y[:-1] ^ y[-1]``. The value of `x` is the offset less the cut: ``offset - cut_value(y)``.
        (`problems.maxcut.conversions` has the edges' weights, and maps candidates either way.)
        """
        n, edges, weights = edges_from_qubo(self.Q, self.c)
        optimum = None if self.optimum is None else self.offset - self.optimum
        return MaxCut(n, edges, weights, optimum, self.name)

    # --- the problem --------------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Number of variables."""
        return len(self.c)

    @property
    def start(self) -> Bernoulli:
        """Fair coins."""
        return fair_coins(self.n)

    def __call__(self, X: ArrayLike) -> NDArray[np.float64]:
        """Evaluate candidates.

        Parameters
        ----------
        X : array_like of 0 and 1, shape (N, n)

        Returns
        -------
        ndarray, shape (N,)

        Raises
        ------
        TypeError, ValueError
            If these are no candidates of this problem.
        """
        rows = binary_rows(X, self.n)
        pairs, linear = self._parts
        values = np.empty(len(rows))
        step = max(16, _BLOCK_ENTRIES // self.n)
        for first in range(0, len(rows), step):
            x = rows[first : first + step].T.astype(np.float64, order="C")
            values[first : first + step] = ((pairs @ x + linear[:, None]) * x).sum(axis=0) + self.offset
        return values

    def __repr__(self) -> str:
        return f"QUBO(name={self.name!r}, n={self.n}, optimum={self.optimum})"

    # --- the search ---------------------------------------------------------------------------------

    @property
    def update(self) -> EliteArchive:
        """How improved candidates are recombined: fits of a tree along the pairs, or of single variables."""
        from cem.families import Bernoulli, BernoulliTree
        from cem.updates import EliteArchive

        fair = np.full(self.n, 0.5)
        pairs = self._parts[0].tocoo()
        tree = BernoulliTree.independent(fair, edges=np.column_stack((pairs.row, pairs.col)))
        return EliteArchive(kinds=(tree, Bernoulli(fair)))

    @property
    def population(self) -> int:
        """Candidates an iteration: as many as for the equivalent max-cut problem."""
        return self._graph.population

    @property
    def stage(self) -> str:
        """What the search is called in histories."""
        return self._graph.stage

    def improve(
        self, X: NDArray[Any], scores: NDArray[np.float64], rng: np.random.Generator, effort: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], int]:
        """Anneal the cuts of the equivalent max-cut problem, see `MaxCut.improve`.

        Parameters
        ----------
        X : ndarray of 0 and 1, shape (N, n)
        scores : ndarray, shape (N,)
        rng : numpy.random.Generator
        effort : int

        Returns
        -------
        X : ndarray of 0 and 1, shape (k, n)
            Fewer and better candidates.
        scores : ndarray, shape (k,)
        extra_evaluations : int
        """
        if len(X) == 0:
            return X.astype(np.uint8), scores, 0
        better, _, extra = self._graph.improve(to_sides(X), self.offset - scores, rng, effort)
        better = to_variables(better)
        return better, self(better), extra

    @cached_property
    def _parts(self) -> tuple[Matrix, NDArray[np.float64]]:
        """What each pair of variables adds, strictly upper triangular, and what each variable adds."""
        pairs, diagonal = folded(sparse.csr_array(self.Q))
        return pairs, self.c + diagonal

    @cached_property
    def _graph(self) -> MaxCut:
        """The graph to search: its weights are halves where whole numbers are odd, and then doubled."""
        graph = self.to_maxcut()
        if np.array_equal(graph.weights, np.floor(graph.weights)):
            return graph
        return MaxCut(graph.n, graph.edges, 2 * graph.weights)
