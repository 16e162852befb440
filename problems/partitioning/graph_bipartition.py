"""Graph bipartition: split a graph's vertices into equal halves with as little as can be between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from cem.families.base import Array, Floats
from problems.binary import BinaryProblem
from problems.maxcut import MaxCut
from problems.maxcut.edges import to_search
from problems.maxcut.search import sparse_sweeps
from problems.maxcut.search.colouring import greedy_colouring
from problems.maxcut.search.graph import CutGraph

_SWEEPS = 200
_TELLING_ROWS = 12  # a side that is open agrees in all of these once in 2**11


@dataclass(frozen=True, eq=False, repr=False)
class GraphBipartition(BinaryProblem):
    """Split a graph's vertices into equal halves so that the edges between them weigh least.

    A candidate assigns each vertex to side 0 or side 1; of an odd number of vertices, one side has one more.
    What is not balanced so is no solution and scores infinity. `improve` balances whatever it is given, so
    that every candidate of a run of `cem.optimize` is a solution.

    Parameters
    ----------
    graph : MaxCut
        The graph, made by any of `MaxCut`'s constructors. Weights may be of any sign.
    optimum : float, optional
        The least weight, where it is known.
    name : str, optional
        What to call the problem in reports.

    Raises
    ------
    TypeError
        If `graph` is not a `MaxCut`.

    Notes
    -----
    The search balances the candidates, anneals the vertices on whose sides they do not agree, and swaps. The
    anneal takes 200 sweeps for each effort, fewer below 90 vertices. Meanwhile the sides may differ by a few
    vertices, in the end by one at most; then vertices change places two by two while that pays.

    References
    ----------
    Johnson, Aragon, McGeoch & Schevon (1989), "Optimization by simulated annealing: an experimental
    evaluation; part I, graph partitioning", Operations Research 37(6).

    Examples
    --------
    >>> path = GraphBipartition(MaxCut.from_edges(4, [(0, 1), (1, 2), (2, 3)]))
    >>> path([[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1]]).tolist()
    [1.0, 3.0, inf]
    """

    graph: MaxCut
    optimum: float | None = None
    name: str = "bipartition"

    n: int = field(init=False)

    maximize: ClassVar[bool] = False
    symmetric: ClassVar[bool] = True
    population: ClassVar[int] = 24
    stage: ClassVar[str] = "annealing"

    def __post_init__(self) -> None:
        if not isinstance(self.graph, MaxCut):
            raise TypeError(
                "graph must be a MaxCut, as MaxCut.from_edges, from_file or from_networkx make one; "
                f"got {type(self.graph).__name__}"
            )
        self._keep(n=self.graph.n)

    def _evaluate(self, rows: NDArray[np.uint8]) -> Floats:
        ones = rows.sum(axis=1, dtype=np.int64)
        return np.where(abs(2 * ones - self.n) <= 1, self.graph(rows), np.inf)

    def _counts(self) -> dict[str, int]:
        return {"edges": len(self.graph.edges)}

    # --- the search ---------------------------------------------------------------------------------

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        layout = self._layout
        spins = sparse_sweeps.load(layout, (2 * X.astype(np.int8) - 1).astype(np.int8)).spins
        agreed = (spins == spins[:, :1]).all(axis=1)
        free = ~agreed if len(X) >= _TELLING_ROWS and not agreed.all() else np.ones(self.n, dtype=np.bool_)
        _balance(spins, self._matrix)
        _anneal(layout, spins, free, min(_SWEEPS, 20 + 2 * self.n) * effort, rng)
        _balance(spins, self._matrix)
        _swap(spins, self._matrix, layout.eps)
        better = (sparse_sweeps.unload(layout, sparse_sweeps.State(spins)) > 0).astype(np.uint8)
        return better, len(X)

    @cached_property
    def _layout(self) -> sparse_sweeps.Layout:
        """The graph of negated weights, whose cuts are to be large, sorted by colour."""
        first, second = self.graph.edges.T
        graph = CutGraph.from_edges(self.n, first, second, -to_search(self.graph.weights))
        return sparse_sweeps.prepare(graph, greedy_colouring(graph.indptr, graph.indices))

    @cached_property
    def _matrix(self) -> Any:
        return sparse.vstack([rows for _, rows in self._layout.classes], format="csr")


def _balance(spins: Array, matrix: Any) -> None:
    """Move vertices off the larger side of each column, those that cost least, until the sides are equal."""
    excess = spins.sum(axis=0, dtype=np.float64)
    columns = np.flatnonzero(abs(excess) > 1)
    if columns.size == 0:
        return
    turned = spins[:, columns] * np.sign(excess[columns])
    gains = np.where(turned > 0, turned * (matrix @ turned), -np.inf)
    rank = np.argsort(np.argsort(-gains, axis=0, kind="stable"), axis=0, kind="stable")
    turned[rank < abs(excess[columns]) // 2] = -1
    spins[:, columns] = turned * np.sign(excess[columns])


def _anneal(
    layout: sparse_sweeps.Layout,
    spins: Array,
    free: NDArray[np.bool_],
    sweeps: int,
    rng: np.random.Generator,
) -> None:
    """Cool the free vertices of all columns in place, colour by colour, with sides that stay nearly equal.

    The vertices of a colour don't touch, so that their gains add up; of the moves to one side that would
    outnumber those to the other by too many, the first or the last are left out.
    """
    n = len(spins)
    classes = [
        (places.start + np.flatnonzero(free[places]), rows[np.flatnonzero(free[places])])
        for places, rows in layout.classes
        if free[places].any()
    ]
    excess = spins.sum(axis=0, dtype=np.int64)
    temperatures = np.geomspace(layout.graph.hot, layout.graph.cold, sweeps)
    widths = np.linspace(max(2, n // 25), 2, sweeps)
    for temperature, width in zip(temperatures.tolist(), widths.tolist(), strict=True):
        for places, rows in classes:
            side = spins[places]
            gains = rows @ spins * side
            moved = gains >= -temperature * rng.standard_exponential(side.shape, dtype=layout.dtype)
            change = -2 * np.einsum("ij,ij->j", moved, side).astype(np.int64)
            over = np.ceil((abs(excess + change) - width) / 2).astype(np.int64)
            if (columns := np.flatnonzero(over > 0)).size:
                to = np.sign(excess[columns] + change[columns])
                towards = moved[:, columns] & (side[:, columns] * to < 0)
                rank = np.cumsum(towards, axis=0)
                if rng.random() < 0.5:
                    rank = rank[-1] + 1 - rank
                left_out = towards & (rank <= over[columns])
                moved[:, columns] &= ~left_out
                change[columns] -= 2 * to * left_out.sum(axis=0)
            excess += change
            spins[places] = np.where(moved, -side, side)


def _swap(spins: Array, matrix: Any, eps: float) -> None:
    """Let the best vertex of either side change places, in each column, while that gains."""
    columns = np.arange(spins.shape[1])
    while columns.size:
        part = spins[:, columns]
        gains = part * (matrix @ part)
        one = np.where(part > 0, gains, -np.inf).argmax(axis=0)
        zero = np.where(part < 0, gains, -np.inf).argmax(axis=0)
        own = np.arange(columns.size)
        joined = np.asarray(matrix[one, zero]).ravel()
        total = gains[one, own] + gains[zero, own] + 2 * joined
        paying = (total > eps) & (part[one, own] > 0) & (part[zero, own] < 0)
        columns, one, zero = columns[paying], one[paying], zero[paying]
        spins[one, columns], spins[zero, columns] = -1, 1
