"""The maximum-cut problem: split a graph's vertices in two so that the edges between them weigh most."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.maxcut import generators
from problems.maxcut.cuts import NOT_SIDES, Triangle, checked_sides, cut_values, triangle
from problems.maxcut.edges import checked_edges, checked_size, checked_weights, merged
from problems.maxcut.readers import read_graph
from problems.maxcut.search import improvement
from problems.maxcut.search.graph import CutGraph
from problems.maxcut.search.improvement import ROWS_PER_CHILD

if TYPE_CHECKING:
    import networkx as nx

    from cem.families.bernoulli import Bernoulli
    from cem.updates import EliteArchive

Seed = np.random.Generator | np.random.SeedSequence | int | None


@dataclass(frozen=True, eq=False, repr=False)
class MaxCut:
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
        The edges' weights, finite. Kept as float64, in the order of `edges`.
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

    Examples
    --------
    >>> square = MaxCut.from_edges(4, [(0, 1), (1, 2), (2, 3), (3, 0)])
    >>> square.cut_value([0, 1, 0, 1])
    4.0
    >>> square.partition([0, 1, 0, 1])
    ((0, 2), (1, 3))
    """

    n: int
    edges: NDArray[np.int64]
    weights: NDArray[np.float64]
    optimum: float | None = None
    name: str = "maxcut"
    nodes: Sequence[Hashable] | None = None

    maximize: ClassVar[bool] = True

    def __post_init__(self) -> None:
        n = checked_size(self.n)
        edges = checked_edges(n, np.asarray(self.edges))
        edges, weights = merged(n, edges, checked_weights(len(edges), np.asarray(self.weights)))
        edges.setflags(write=False)
        weights.setflags(write=False)
        nodes = None if self.nodes is None else tuple(self.nodes)
        if nodes is not None and len(nodes) != n:
            raise ValueError(f"nodes must name each of the {n} vertices, got {len(nodes)} names")
        optimum = None if self.optimum is None else float(self.optimum)
        for field, value in (("n", n), ("edges", edges), ("weights", weights), ("nodes", nodes)):
            object.__setattr__(self, field, value)
        object.__setattr__(self, "optimum", optimum)

    # --- where graphs come from ---------------------------------------------------------------------

    @classmethod
    def from_edges(
        cls,
        n: int,
        edges: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        optimum: float | None = None,
        name: str = "maxcut",
    ) -> MaxCut:
        """Make the problem from a list of edges.

        Parameters
        ----------
        n : int
            The number of vertices, ``0 … n-1``.
        edges : array_like of int, shape (m, 2)
            The end points of each edge. Parallel edges add up.
        weights : array_like of float, shape (m,), optional
            The edges' weights; 1 each by default.
        optimum, name
            As for the class.

        Raises
        ------
        TypeError, ValueError
            As for the class.
        """
        ends = np.asarray(edges)
        numbers = np.ones(ends.shape[:1]) if weights is None else np.asarray(weights)
        return cls(n, ends, numbers, optimum, name)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, optimum: float | None = None, name: str | None = None
    ) -> MaxCut:
        """Read a graph in the text format of rudy, Gset and BiqMac.

        The first line is ``n m``; each of the `m` lines after it is ``i j weight``, or ``i j`` for weight 1.
        Blank lines, lines starting with ``c`` and what follows a ``#`` are ignored. The file counts vertices
        from 1: its vertex `k` is ``k-1`` here.

        Parameters
        ----------
        path : path-like
            The file.
        optimum : float, optional
            As for the class.
        name : str, optional
            As for the class; the file's name without ``.txt`` by default.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If what it says is not a graph: a bad header, fewer or more edges than the header promises, a
            vertex out of range, a self-loop, an edge given twice, a weight that is not a finite number.
            The message names the file and the line.
        """
        n, edges, weights = read_graph(path)
        return cls(n, edges, weights, optimum, name or Path(path).name.removesuffix(".txt"))

    @classmethod
    def from_networkx(
        cls, graph: nx.Graph[Any], *, optimum: float | None = None, name: str | None = None
    ) -> MaxCut:
        """Take an undirected networkx graph (or multigraph, whose parallel edges add up).

        Parameters
        ----------
        graph : networkx.Graph or networkx.MultiGraph
            Edge weights are the attribute ``weight``, 1 where an edge has none. The graph's nodes become
            `nodes`, in the graph's order.
        optimum : float, optional
            As for the class.
        name : str, optional
            As for the class; the graph's own name by default.

        Raises
        ------
        TypeError
            If the graph is directed, or a weight is not a real number.
        ValueError
            As for the class.
        """
        if graph.is_directed():
            raise TypeError("a cut needs an undirected graph; convert this one with graph.to_undirected()")
        nodes = tuple(graph.nodes)
        number = {node: k for k, node in enumerate(nodes)}
        triples = list(graph.edges(data="weight", default=1))
        edges = np.array([(number[u], number[v]) for u, v, _ in triples], dtype=np.int64)
        weights = np.array([w for _, _, w in triples])
        return cls(len(nodes), edges, weights, optimum, name or str(graph.name) or "networkx", nodes)

    @classmethod
    def random(
        cls,
        n: int,
        *,
        edge_probability: float = 0.5,
        weights: Sequence[float] = (1,),
        rng: Seed = None,
    ) -> MaxCut:
        """Draw a random graph: each pair of vertices is an edge independently of the others.

        Parameters
        ----------
        n : int
            The number of vertices.
        edge_probability : float
            The probability of each edge.
        weights : sequence of float
            Each edge takes one of these, all equally likely; ``(-1, 1)`` makes a spin glass.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        TypeError, ValueError
            If an argument makes no graph.
        """
        generator = np.random.default_rng(rng)
        edges = generators.random_edges(checked_size(n), edge_probability, generator)
        return cls(n, edges, generators.random_weights(len(edges), weights, generator), name=f"random-{n}")

    @classmethod
    def torus(
        cls, rows: int, columns: int, *, weights: Sequence[float] = (-1, 1), rng: Seed = None
    ) -> MaxCut:
        """Draw a two-dimensional toroidal grid with random weights, as G11–G13 and G32–G34 of Gset are.

        Vertex ``r * columns + c`` is joined to its four neighbours in the grid, which wraps around.

        Parameters
        ----------
        rows, columns : int
            The grid's sides, 3 or more.
        weights : sequence of float
            Each edge takes one of these, all equally likely.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        TypeError, ValueError
            If an argument makes no grid.
        """
        edges = generators.torus_edges(rows, columns)
        drawn = generators.random_weights(len(edges), weights, np.random.default_rng(rng))
        return cls(rows * columns, edges, drawn, name=f"torus-{rows}x{columns}")

    @classmethod
    def planted(cls, n: int, *, block: int | None = None, rng: Seed = None) -> MaxCut:
        """Draw a complete graph with a known maximum cut: the two-block graphs of the 2005 tutorial.

        The vertices form two blocks of sizes `a` = `block` and `b` = ``n - block``. Edges within a block have
        random weights from U(0, 1), edges between the blocks all have the weight ``c = max(a, b)/min(a, b)``,
        which is 1 for equal blocks. The maximum cut is the one between the blocks, and no other; its value
        is `optimum` = ``a*b*c``. (Weights are multiples of 2**-20, with `c` rounded up, so that cut values
        are computed without rounding errors and the planted cut attains `optimum` exactly.)

        Parameters
        ----------
        n : int
            The number of vertices, 2 or more.
        block : int, optional
            The size of the first block, vertices ``0 … block-1``; ``n // 2`` by default.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        TypeError, ValueError
            If there are fewer than two vertices or a block is empty.

        Notes
        -----
        *Why it is the maximum.* Move a fraction `u` of the first block and `v` of the second to the other
        side. Edges between the blocks lose ``c·ab·(u(1-v) + v(1-u))``; edges within them, of weights below 1,
        gain at most ``a²u(1-u) + b²v(1-v) <= M²(u + v - u² - v²) <= M²(u + v - 2uv)`` with ``M = max(a, b)``.
        The loss is ``c·ab·(u + v - 2uv)``, hence not smaller once ``c·ab >= M²``, that is
        ``c >= max(a, b)/min(a, b)``. Equality needs ``u = v = 0`` or 1, the planted cut itself.

        References
        ----------
        P.-T. de Boer, D. P. Kroese, S. Mannor, R. Y. Rubinstein: A tutorial on the cross-entropy method.
        Annals of Operations Research 134 (2005) 19–67, the synthetic max-cut problem.
        """
        first = checked_size(n) // 2 if block is None else block
        edges, weights, optimum = generators.planted(n, first, np.random.default_rng(rng))
        return cls(n, edges, weights, optimum, f"planted-{first}+{n - first}")

    # --- the problem --------------------------------------------------------------------------------

    @property
    def start(self) -> Bernoulli:
        """Fair coins, but vertex 0 is always on side 1: a cut and its complement are the same cut."""
        from cem.families.bernoulli import Bernoulli

        p = np.full(self.n, 0.5)
        p[0] = 1.0
        return Bernoulli(p)

    def __call__(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the value of each row of `X`, shape (N, n), as an array of shape (N,); see `cut_value`."""
        return cut_values(self._upper, checked_sides(X, self.n, dimensions=(2,)))

    def cut_value(self, X: ArrayLike) -> float | NDArray[np.float64]:
        """Add up the weights of the edges whose ends lie on different sides.

        Whole-number weights are added in float32 where their magnitudes sum to at most 2**24, which is exact,
        and all others in float64. A cut and its complement have the same value to the last bit.

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
        sides = checked_sides(X, self.n, dimensions=(1, 2))
        values = cut_values(self._upper, np.atleast_2d(sides))
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
        sides = checked_sides(x, self.n, dimensions=(1,))
        if not np.isin(sides, (0, 1)).all():
            raise ValueError(NOT_SIDES)
        nodes = range(self.n) if self.nodes is None else self.nodes
        zero, one = (tuple(nodes[k] for k in np.flatnonzero(sides == side).tolist()) for side in (0, 1))
        return zero, one

    def __repr__(self) -> str:
        return f"MaxCut(name={self.name!r}, n={self.n}, edges={len(self.edges)}, optimum={self.optimum})"

    # --- the search ---------------------------------------------------------------------------------

    compact: ClassVar[bool] = True

    @property
    def update(self) -> EliteArchive:
        """How improved cuts are recombined: fits of a tree along the edges, or of single sides, to a few."""
        from cem.families import Bernoulli, BernoulliTree
        from cem.updates import EliteArchive

        fair = np.full(self.n, 0.5)
        tree = BernoulliTree.independent(fair, edges=self.edges, symmetric=True)
        return EliteArchive(kinds=(tree, Bernoulli(fair)), symmetric=True)

    @property
    def population(self) -> int:
        """Candidates an iteration: enough to tell what their distribution is sure of."""
        return max(ROWS_PER_CHILD, int(self._engine.REPLICAS))

    @property
    def stage(self) -> str:
        """What the search is called in histories, with the engine it uses."""
        return "annealing (numba)" if self._engine.__name__.endswith("numba_engine") else "annealing (numpy)"

    def improve(
        self, X: NDArray[Any], scores: NDArray[np.float64], rng: np.random.Generator, effort: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], int]:
        """Anneal what a batch of cuts leaves open, and deepen the outcome; see `problems.maxcut.search`.

        Parameters
        ----------
        X : ndarray of 0 and 1, shape (N, n)
        scores : ndarray, shape (N,)
        rng : numpy.random.Generator
        effort : int
            Each one more doubles the length of the anneals.

        Returns
        -------
        X : ndarray of 0 and 1, shape (k, n)
            Fewer and better cuts: as many as the engine anneals at once, or ``N // 24``.
        scores : ndarray, shape (k,)
        extra_evaluations : int
            Anneals and reheats made.
        """
        if len(self.edges) == 0:
            return X[:1], scores[:1], 0
        spins = (2 * X.astype(np.int8) - 1).astype(np.int8)
        better, count = improvement.improve(self._engine, self._layout, spins, rng, effort)
        sides = (better > 0).astype(np.uint8)
        return sides, cut_values(self._upper, sides), count

    @cached_property
    def _engine(self) -> ModuleType:
        try:
            from problems.maxcut.search import numba_engine
        except ImportError:
            from problems.maxcut.search import numpy_engine

            return numpy_engine
        return numba_engine

    @cached_property
    def _layout(self) -> Any:
        whole = bool((self.weights == np.floor(self.weights)).all()) and np.abs(self.weights).sum() < 2**53
        weights = self.weights.astype(np.int64) if whole else self.weights
        first, second = self.edges.T
        return self._engine.prepare(CutGraph.from_edges(self.n, first, second, weights))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is prepared on first use."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def _upper(self) -> Triangle:
        return triangle(self.n, self.edges, self.weights)
