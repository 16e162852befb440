"""The maximum-cut problem: split a graph's vertices in two so that the edges between them weigh most."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem.families import Bernoulli, BernoulliTree
from cem.families.base import Array, Floats
from cem.updates import EliteArchive
from problems.binary import check_numbers, check_rows
from problems.maxcut.conversions import Matrix, qubo_from_edges
from problems.maxcut.cuts import Edges, cut_values
from problems.maxcut.edges import to_search
from problems.maxcut.search import improvement
from problems.maxcut.search.engine import Engine
from problems.maxcut.search.graph import CutGraph
from problems.maxcut.search.improvement import ROWS_PER_CHILD
from problems.maxcut.weighted_graph import WeightedGraph

PIECES = 8  # of a batch, for as many workers; on one four are as good, sixteen worse: docs/maxcut.md
FEW_PIECES = 4  # of large graphs, whose first batch would take too long
LARGE = 100_000  # edges: on more, eight anneals take about a second


@dataclass(frozen=True, eq=False, repr=False)
class MaxCut(WeightedGraph):
    """Find the 0/1 vector `x` that maximises ``sum(w[i, j] for edges (i, j) with x[i] != x[j])``.

    A candidate assigns each vertex to side 0 or side 1; `x` and ``1 - x`` are the same cut.
    Weights may be of any sign, the graph may have no edges at all, and vertices may be isolated.

    Parameters
    ----------
    n : int
        The number of vertices, ``0 … n-1``.
    edges : ndarray of int, shape (m, 2)
        The end points of each edge, in either order. Kept as int64 with ``i < j``, sorted; parallel edges
        are merged into one whose weight is their sum, and edges of weight 0 are dropped.
    weights : ndarray of float, shape (m,)
        The edges' weights, finite. Kept as float64, in the order of `edges`; whole numbers whose sums float64
        would round are refused.
    optimum : float, optional
        The largest cut value, where it is known.
    name : str, optional
        What to call the graph in reports.
    nodes : sequence of hashable, length n, optional
        The vertices' own names, as `partition` returns them; None for ``0 … n-1``.

    Raises
    ------
    TypeError
        If `n` or `edges` are not whole numbers, or `weights` are not real numbers.
    ValueError
        If a shape does not fit, a vertex is out of range, an edge is a self-loop, or a weight is not finite.

    Notes
    -----
    The search anneals what a batch of cuts leaves open, and deepens the outcome by reheats, as
    `problems.maxcut.search` says; it returns fewer and better cuts: as many as the engine anneals at once, or
    one for 24. Each further effort doubles the length of the anneals.

    Examples
    --------
    >>> square = MaxCut.from_edges(4, [(0, 1), (1, 2), (2, 3), (3, 0)])
    >>> square.cut_value([0, 1, 0, 1])
    4.0
    >>> square.partition([0, 1, 0, 1])
    ((0, 2), (1, 3))
    """

    maximize: ClassVar[bool] = True
    symmetric: ClassVar[bool] = True

    # --- the problem --------------------------------------------------------------------------------

    def __call__(self, X: ArrayLike) -> Floats:
        """Return the value of each row of `X`, shape (N, n), as an array of shape (N,); see `cut_value`."""
        return self._evaluate(check_numbers(X, self.n))

    def cut_value(self, X: ArrayLike) -> float | Floats:
        """Add up the weights of the edges whose ends lie on different sides.

        Whole-number weights are added in float32 where their magnitudes sum to at most 2**24, or counted in
        packed bits where there are few different ones and many candidates, which both is exact; all others
        in float64. A cut and its complement have the same value to the last bit.

        Parameters
        ----------
        X : array_like of 0 and 1, shape (n,) or (N, n)
            The vertices' sides, of any integer or boolean dtype (uint8 is fastest); one candidate, or one
            in each row.

        Returns
        -------
        float or ndarray of float64, shape (N,)
            The value of the cut, or of each row's.

        Raises
        ------
        TypeError
            If `X` is neither integer nor boolean.
        ValueError
            If its shape is another, or it holds anything but 0 and 1.
        """
        sides = check_numbers(X, self.n, (1, 2))
        values = cut_values(self._edges, np.atleast_2d(sides))
        return float(values[0]) if sides.ndim == 1 else values

    def partition(self, x: ArrayLike) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
        """Name the vertices on side 0 and those on side 1.

        Parameters
        ----------
        x : array_like of 0 and 1, shape (n,)
            The vertices' sides.

        Returns
        -------
        tuple of two tuples
            The vertices with ``x == 0`` and those with ``x == 1``, by their names in `nodes` where they have
            any, else by number.

        Raises
        ------
        TypeError, ValueError
            As for `cut_value`.
        """
        sides = check_rows(x, self.n, (1,))
        nodes = range(self.n) if self.nodes is None else self.nodes
        zero, one = (tuple(nodes[k] for k in np.flatnonzero(sides == side).tolist()) for side in (0, 1))
        return zero, one

    def plot(self, x: ArrayLike, *, points: Any = None, ax: Any = None) -> Any:
        """Draw a cut: the vertices by their sides, and the edges between the sides in colour.

        Parameters
        ----------
        x : array_like of 0 and 1, shape (n,)
        points : array_like, shape (n, 2), optional
            Where the vertices are. Default: placed by the structure of the graph.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        TypeError, ValueError
            As for `cut_value`, and for points of another shape.
        ImportError
            If matplotlib is not installed.
        """
        from problems.pictures import draw_cut

        sides = check_rows(x, self.n, (1,)) == 1
        names = range(self.n) if self.nodes is None else self.nodes
        title = f"{self.name}: a cut of {self.cut_value(x):,.10g}"
        return draw_cut(self.edges, sides, points, names, title, ax)

    def to_qubo(self) -> tuple[Matrix, Floats]:
        """Write the cuts as ``cut(x) = -(x'Qx + c'x)``: return `Q`, upper triangular and sparse, and `c`."""
        return qubo_from_edges(self.n, self.edges, self.weights)

    def bound(self) -> float:
        """Bound the maximum cut from above, safe against rounding: see `bound.upper_bound`."""
        from problems.maxcut.bound import upper_bound

        return upper_bound(self.n, self.edges, self.weights)

    def _counts(self) -> dict[str, int]:
        return {"edges": len(self.edges)}

    # --- the search ---------------------------------------------------------------------------------

    @property
    def update(self) -> EliteArchive:
        """How improved cuts are recombined: fits of a tree along the edges, or of single sides, to a few."""
        fair = np.full(self.n, 0.5)
        tree = BernoulliTree.independent(fair, edges=self.edges, symmetric=True)
        return EliteArchive(kinds=(tree, Bernoulli(fair)), symmetric=True)

    @property
    def population(self) -> int:
        """Candidates per iteration: enough in each piece to tell what their distribution is sure of."""
        return self.pieces * max(ROWS_PER_CHILD, self._engine.REPLICAS)

    @property
    def pieces(self) -> int:
        """Into how many parts a batch is cut to be improved, side by side: 8 where candidates are single.

        Above 100,000 edges, where anneals are long, they are 4.
        """
        if self._engine.REPLICAS > 1:
            return 1
        return PIECES if len(self.edges) <= LARGE else FEW_PIECES

    @property
    def stage(self) -> str:
        """What the search is called in histories, with the engine it uses."""
        return f"annealing ({self._engine.NAME})"

    def _evaluate(self, rows: Array) -> Floats:
        return cut_values(self._edges, rows)

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        if len(self.edges) == 0:
            return X[:1], 0
        spins = (2 * X.astype(np.int8) - 1).astype(np.int8)
        better, count = improvement.improve(self._engine, self._layout, spins, rng, effort)
        return (better > 0).astype(np.uint8), count

    def recombine(
        self, X: Array, scores: Floats, rng: np.random.Generator, effort: int
    ) -> tuple[NDArray[np.uint8], Floats, int]:
        """Make the best child of some cuts by dynamic programming: see `search.recombination`.

        Parameters
        ----------
        X : ndarray of 0 and 1, shape (k, n)
            The parents.
        scores : ndarray, shape (k,)
        rng : numpy.random.Generator
        effort : int
            As for `improve`.

        Returns
        -------
        X : ndarray of 0 and 1, shape (2, n)
            The child, no worse than the best parent, and a copy that was annealed further, no worse than it.
        scores : ndarray, shape (2,)
        extra_evaluations : int
        """
        if len(X) == 0 or len(self.edges) == 0:
            return X[:1].astype(np.uint8), scores[:1], 0
        from problems.maxcut.search.recombination import recombine

        order = np.argsort(-scores, kind="stable")
        spins = (2 * X[order].astype(np.int8) - 1).astype(np.int8)
        children, count = recombine(self._engine, self._layout, spins, rng, effort)
        better = (children > 0).astype(np.uint8)
        return better, self(better), count

    @cached_property
    def _engine(self) -> Engine:
        try:
            from problems.maxcut.search import numba_engine
        except ImportError:
            from problems.maxcut.search import numpy_engine

            return numpy_engine
        return numba_engine

    @cached_property
    def _layout(self) -> Any:
        first, second = self.edges.T
        return self._engine.prepare(CutGraph.from_edges(self.n, first, second, to_search(self.weights)))

    @cached_property
    def _edges(self) -> Edges:
        return Edges.of(self.n, self.edges, self.weights)
