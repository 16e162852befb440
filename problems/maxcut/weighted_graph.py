"""A weighted graph, and where it comes from: edges, files, other libraries, draws, quadratic functions."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import Floats, Index
from problems.binary import BinaryProblem
from problems.frozen import Seed
from problems.maxcut import generators
from problems.maxcut.conversions import edges_from_ising, edges_from_qubo
from problems.maxcut.edges import check_edges, check_size, check_weights, merge
from problems.maxcut.readers import graph_name, read_graph

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, eq=False, repr=False)
class WeightedGraph(BinaryProblem):
    """A graph with weighted edges, and the ways of making one; `MaxCut` says what the fields are."""

    n: int
    edges: Index
    weights: Floats
    optimum: float | None = None
    name: str = "maxcut"
    nodes: Sequence[Hashable] | None = None

    def __post_init__(self) -> None:
        n = check_size(self.n)
        edges = check_edges(n, self.edges)
        edges, weights = merge(n, edges, check_weights(len(edges), self.weights))
        nodes = None if self.nodes is None else tuple(self.nodes)
        if nodes is not None and len(nodes) != n:
            raise ValueError(f"nodes must name each of the {n} vertices, got {len(nodes)} names")
        self._keep(n=n, edges=edges, weights=weights, nodes=nodes)

    @classmethod
    def from_edges(
        cls,
        n: int,
        edges: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        optimum: float | None = None,
        name: str = "maxcut",
    ) -> Self:
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
            As for `MaxCut`.

        Raises
        ------
        TypeError, ValueError
            As for `MaxCut`.
        """
        ends: Any = edges if isinstance(edges, np.ndarray) else np.asarray(edges)
        numbers: Any = np.ones(ends.shape[:1]) if weights is None else weights
        return cls(n, ends, numbers, optimum, name)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, optimum: float | None = None, name: str | None = None
    ) -> Self:
        """Read a graph in the text format of rudy, Gset and BiqMac, in DIMACS's, or as a MatrixMarket file.

        In rudy's, the first line is ``n m``; each of the `m` lines after it is ``i j weight``, or ``i j`` for
        weight 1. Blank lines, lines starting with ``c`` and what follows a ``#`` are ignored. In DIMACS's,
        the first is ``p edge n m``, and the others begin with ``e``; an edge may be there in both directions.
        A MatrixMarket file holds a matrix of weights, symmetric or one half of it. All count vertices from 1:
        vertex `k` is ``k-1`` here. A file may be compressed with gzip.

        Parameters
        ----------
        path : path-like
            The file.
        optimum : float, optional
            As for `MaxCut`.
        name : str, optional
            As for `MaxCut`; by default the file's name without ``.gz`` and ``.txt``, ``.mtx`` or ``.col``.

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
        return cls(n, edges, weights, optimum, name or graph_name(Path(path)))

    @classmethod
    def from_networkx(
        cls, graph: nx.Graph[Any], *, optimum: float | None = None, name: str | None = None
    ) -> Self:
        """Take an undirected networkx graph (or multigraph, whose parallel edges add up).

        Parameters
        ----------
        graph : networkx.Graph or networkx.MultiGraph
            Edge weights are the attribute ``weight``, 1 where an edge has none. The graph's nodes become
            `nodes`, in the graph's order.
        optimum : float, optional
            As for `MaxCut`.
        name : str, optional
            As for `MaxCut`; the graph's own name by default.

        Raises
        ------
        TypeError
            If the graph is directed, or a weight is not a real number.
        ValueError
            As for `MaxCut`.
        """
        if not hasattr(graph, "is_directed"):
            raise TypeError(f"graph must be a graph of networkx, got a value of type {type(graph).__name__}")
        if graph.is_directed():
            raise TypeError("a cut needs an undirected graph; convert this one with graph.to_undirected()")
        nodes = tuple(graph.nodes)
        number = {node: k for k, node in enumerate(nodes)}
        triples = list(graph.edges(data="weight", default=1))
        edges = np.array([(number[u], number[v]) for u, v, _ in triples], dtype=np.int64)
        weights: Any = [w for _, _, w in triples]
        return cls(len(nodes), edges, weights, optimum, name or str(graph.name) or "networkx", nodes)

    @classmethod
    def random(
        cls,
        n: int,
        *,
        edge_probability: float = 0.5,
        weights: Sequence[float] = (1,),
        rng: Seed = None,
    ) -> Self:
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
        edges = generators.random_edges(check_size(n), edge_probability, generator)
        return cls(n, edges, generators.random_weights(len(edges), weights, generator), name=f"random-{n}")

    @classmethod
    def torus(cls, rows: int, columns: int, *, weights: Sequence[float] = (-1, 1), rng: Seed = None) -> Self:
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
    def planted(cls, n: int, *, block: int | None = None, rng: Seed = None) -> Self:
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
        first = check_size(n) // 2 if block is None else block
        edges, weights, optimum = generators.planted(n, first, np.random.default_rng(rng))
        return cls(n, edges, weights, optimum, f"planted-{first}+{n - first}")

    @classmethod
    def from_qubo(cls, Q: Any, c: ArrayLike | None = None) -> Self:
        """Make the graph whose cuts are ``-(x'Qx + c'x)`` for `x` of 0 and 1; see `problems.qubo.QUBO`.

        Variable `i` is 1 where vertex `i` and the last vertex, an additional one, are on different sides.

        Parameters
        ----------
        Q : array_like or scipy sparse array, shape (n, n)
            Not necessarily symmetric.
        c : array_like, shape (n,), optional
            Zeros by default.

        Raises
        ------
        TypeError, ValueError
            If they are not finite real numbers of these shapes.
        """
        n, edges, weights = edges_from_qubo(Q, c)
        return cls(n, edges, weights, name="qubo")

    @classmethod
    def from_ising(cls, h: ArrayLike | None, J: Any) -> Self:
        """Make the graph whose cuts are ``E(-1, …, -1) - E(s)`` with the energy ``E(s) = s'Js + h's``.

        Spin `i` is 1 where vertex `i` and the last vertex, an additional one, are on different sides.

        Parameters
        ----------
        h : array_like, shape (n,), or None
            The fields; None for none.
        J : array_like or scipy sparse array, shape (n, n)
            The couplings: a pair counts ``J[i, j] + J[j, i]``.

        Raises
        ------
        TypeError, ValueError
            If they are not finite real numbers of these shapes.
        """
        n, edges, weights = edges_from_ising(h, J)
        return cls(n, edges, weights, name="ising")
