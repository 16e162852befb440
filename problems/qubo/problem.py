"""Quadratic unconstrained binary optimisation, and the Ising model: max-cut in other words."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from cem.families import Bernoulli, BernoulliTree
from cem.families.base import Array, Floats
from cem.updates import EliteArchive
from problems.binary import BinaryProblem, check_rows
from problems.matrix_market import read_matrix
from problems.maxcut import MaxCut
from problems.maxcut.conversions import (
    Matrix,
    check_matrix,
    check_vector,
    edges_from_qubo,
    fold,
    sum_rows,
    to_sides,
    to_variables,
)
from problems.numbers import check_finite_sum, check_whole_sum, read_numbers
from problems.reading import read_lines, stem

_BLOCK_ENTRIES = 2**20  # of candidates, evaluated at once


class Ising(NamedTuple):
    """The energy ``E(s) = s'Js + h's + offset`` of spins -1 and 1; `J` is strictly upper triangular.

    Examples
    --------
    >>> QUBO([[-1.0, 2.0], [0.0, -1.0]]).to_ising().h.tolist()
    [0.0, 0.0]
    """

    h: Floats
    J: Any
    offset: float


@dataclass(frozen=True, eq=False, repr=False)
class QUBO(BinaryProblem):
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
    variables : tuple of hashable, length n, optional
        The variables' own names, as `named` returns them; None for ``0 … n-1``.

    Raises
    ------
    TypeError
        If a number is not real.
    ValueError
        If a shape does not fit, or a number is not finite.

    Notes
    -----
    The search anneals the cuts of the equivalent max-cut problem, see `to_maxcut` and `MaxCut`, with as many
    candidates per iteration; it returns fewer and better ones. Values of whole numbers are exact: such
    as could be rounded are refused.

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
    variables: tuple[Hashable, ...] | None = None
    n: int = field(init=False)

    maximize: ClassVar[bool] = False

    def __post_init__(self) -> None:
        matrix, whole = check_matrix("Q", self.Q)
        c, whole_c = check_vector("c", self.c, matrix.shape[0])
        offset, whole_offset = check_vector("offset", [self.offset], 1)
        if whole:
            numbers = (part for part, is_whole in ((c, whole_c), (offset, whole_offset)) if is_whole)
            check_whole_sum("the entries of Q, c and the offset", matrix.data, *numbers)
        check_finite_sum("the entries of Q, c and the offset", *[matrix.data, c] * 4, offset)
        if self.variables is not None and len(set(self.variables)) != len(c):
            raise ValueError(f"variables must be {len(c)} different names, got {self.variables!r}")
        matrix.data.flags.writeable = False
        Q = matrix if sparse.issparse(self.Q) else matrix.toarray()
        self._keep(Q=Q, c=c, offset=float(offset[0]), n=len(c))

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
        """Make the problem of the energy ``E(s) = s'Js + h's + offset`` of spins ``s = 2x - 1``.

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
        matrix, _ = check_matrix("J", J)
        pairs, diagonal = fold(matrix)
        fields_, _ = check_vector("h", h, len(diagonal))
        at_each = sum_rows(pairs)
        constant = float(pairs.sum() + diagonal.sum() - fields_.sum())
        times = pairs * 4.0
        Q = times if sparse.issparse(J) else times.toarray()
        return cls(Q, 2 * fields_ - 2 * at_each, offset + constant, optimum, name)

    @classmethod
    def from_dict(
        cls,
        coefficients: Mapping[Any, float],
        offset: float = 0.0,
        *,
        optimum: float | None = None,
        name: str = "qubo",
    ) -> QUBO:
        """Make the problem of a dictionary of coefficients, as dimod and its like write them.

        Parameters
        ----------
        coefficients : mapping
            From pairs of variables to numbers: ``{("a", "b"): 2.0, ("a", "a"): -1.0}``. A key that is no
            pair is a variable that counts by itself: ``{"a": -1.0}``. Pairs in either order add up.
        offset, optimum, name
            As for the class.

        Returns
        -------
        QUBO
            Its `variables` are the names in the order of their first appearance, and `named` maps a
            candidate to them.

        Raises
        ------
        TypeError, ValueError
            As for the class.

        Examples
        --------
        >>> problem = QUBO.from_dict({("a", "a"): -1, ("b", "b"): -1, ("a", "b"): 2})
        >>> problem.variables, problem([[1, 0], [1, 1]]).tolist()
        (('a', 'b'), [-1.0, 0.0])
        >>> problem.named([1, 0])
        {'a': 1, 'b': 0}
        """
        pairs = [key if isinstance(key, tuple) and len(key) == 2 else (key, key) for key in coefficients]
        number = {each: k for k, each in enumerate(dict.fromkeys(each for pair in pairs for each in pair))}
        if not number:
            raise ValueError("coefficients must name at least one variable, got none")
        values: Any = list(coefficients.values())
        at = ([number[first] for first, _ in pairs], [number[second] for _, second in pairs])
        Q = sparse.coo_array((read_numbers("coefficients", values)[0], at), shape=(len(number),) * 2)
        return cls(sparse.csr_array(Q), None, offset, optimum, name, tuple(number))

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, optimum: float | None = None, name: str | None = None
    ) -> QUBO:
        """Read `Q` from a MatrixMarket file, which may be compressed with gzip.

        A file that says ``symmetric`` gives one half of a matrix that has two: a pair in it counts twice.

        Parameters
        ----------
        path : path-like
        optimum : float, optional
            As for the class.
        name : str, optional
            As for the class; the file's name without its suffix by default.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no square real matrix; the message names the file.
        """
        source = Path(path)
        matrix, _ = read_matrix(source, read_lines(source))
        return cls(matrix, None, 0.0, optimum, name or stem(source))

    def named(self, x: ArrayLike) -> dict[Hashable, int]:
        """Return a candidate, shape ``(n,)``, by the names of its variables.

        Raises
        ------
        TypeError, ValueError
            If it is no row of `n` zeros and ones.
        """
        row = check_rows(x, self.n, (1,))
        return dict(zip(self.variables or range(self.n), row.tolist(), strict=True))

    # --- as other problems --------------------------------------------------------------------------

    def to_ising(self) -> Ising:
        """Return the fields, couplings and constant of the same function of the spins ``s = 2x - 1``.

        Returns
        -------
        Ising
            ``(h, J, offset)`` with ``s'Js + h's + offset`` equal to this problem's value of
            ``x = (1 + s)/2``; `J` strictly upper triangular, and dense or sparse as `Q` is.
        """
        pairs, linear = self._parts
        at_each = sum_rows(pairs)
        J = pairs / 4 if sparse.issparse(self.Q) else (pairs / 4).toarray()
        constant = self.offset + float(linear.sum()) / 2 + float(pairs.sum()) / 4
        return Ising(linear / 2 + at_each / 4, J, constant)

    def to_maxcut(self) -> MaxCut:
        """Return the equivalent max-cut problem, on one vertex more than there are variables.

        Variable `i` is vertex `i`, and is 1 where vertex `i` and the last are on different sides:
        ``x = y[:-1] ^ y[-1]``. The value of `x` is the offset less the cut: ``offset - cut_value(y)``.
        (`problems.maxcut.conversions` has the edges' weights, and maps candidates either way.)
        """
        n, edges, weights = edges_from_qubo(self.Q, self.c)
        optimum = None if self.optimum is None else self.offset - self.optimum
        return MaxCut(n, edges, weights, optimum, self.name)

    # --- the problem --------------------------------------------------------------------------------

    def _evaluate(self, rows: NDArray[np.uint8]) -> Floats:
        pairs, linear = self._parts
        values = np.empty(len(rows))
        step = max(16, _BLOCK_ENTRIES // self.n)
        for first in range(0, len(rows), step):
            x = rows[first : first + step].T.astype(np.float64, order="C")
            values[first : first + step] = ((pairs @ x + linear[:, None]) * x).sum(axis=0) + self.offset
        return values

    # --- the search ---------------------------------------------------------------------------------

    @property
    def update(self) -> EliteArchive:
        """How improved candidates are recombined: fits of a tree along the pairs, or of single variables."""
        fair = np.full(self.n, 0.5)
        pairs = self._parts[0].tocoo()
        tree = BernoulliTree.independent(fair, edges=np.column_stack((pairs.row, pairs.col)))
        return EliteArchive(kinds=(tree, Bernoulli(fair)))

    @property
    def population(self) -> int:
        """Candidates per iteration: as many as for the equivalent max-cut problem."""
        return self._graph.population

    @property
    def pieces(self) -> int:
        """Into how many parts a batch is cut to be improved, as for the equivalent max-cut problem."""
        return self._graph.pieces

    @property
    def stage(self) -> str:
        """What the search is called in histories."""
        return self._graph.stage

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        sides = to_sides(X)
        better, _, extra = self._graph.improve(sides, np.zeros(len(sides)), rng, effort)
        return to_variables(better), extra

    def recombine(
        self, X: Array, scores: Floats, rng: np.random.Generator, effort: int
    ) -> tuple[NDArray[np.uint8], Floats, int]:
        """Make the best child of some candidates, as `MaxCut.recombine` does of the equivalent cuts."""
        sides, _, extra = self._graph.recombine(to_sides(X), -scores, rng, effort)
        better = to_variables(sides)
        return better, self(better), extra

    @cached_property
    def _parts(self) -> tuple[Matrix, Floats]:
        """What each pair of variables adds, strictly upper triangular, and what each variable adds."""
        pairs, diagonal = fold(sparse.csr_array(self.Q))
        return pairs, self.c + diagonal

    @cached_property
    def _graph(self) -> MaxCut:
        """The graph to search: its weights are halves where whole numbers are odd, and then doubled."""
        graph = self.to_maxcut()
        if np.array_equal(graph.weights, np.floor(graph.weights)):
            return graph
        return MaxCut(graph.n, graph.edges, 2 * graph.weights)
