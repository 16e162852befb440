"""Networks whose two terminals lose one another as edges fail; exact by a recursion over the frontier.

References
----------
Hardy, Lucet & Limnios (2007), "K-terminal network reliability measures with binary decision diagrams", IEEE
Transactions on Reliability 56.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

import cem
from cem.families.base import Floats
from problems.rare_event.problem import RareEventProblem

REFERENCES = {
    "network bridge": 2.001995002e-06,
    "dodecahedron 0.1": 0.0028796012533932836,
    "dodecahedron 0.01": 2.061891098334381e-06,
    "dodecahedron 0.001": 2.006018089215435e-09,
    "lattice 4 0.01": 0.00020409116252729874,
    "lattice 6 0.1": 0.024355004714836807,
    "lattice 6 0.001": 2.0040030040080643e-06,
}

Edges = Sequence[tuple[int, int]]


def lattice(rows: int, columns: int) -> list[tuple[int, int]]:
    """Edges of a rectangular lattice, nodes numbered row by row."""
    edges = []
    for r in range(rows):
        for c in range(columns):
            node = r * columns + c
            if c + 1 < columns:
                edges.append((node, node + 1))
            if r + 1 < rows:
                edges.append((node, node + columns))
    return edges


def dodecahedron() -> list[tuple[int, int]]:
    """The 30 edges: outer ring 0-4, spokes to 5-9, ring 5-14, spokes, inner ring 15-19."""
    edges = []
    for i in range(5):
        edges.append((i, (i + 1) % 5))
        edges.append((i, 5 + i))
        edges.append((5 + i, 10 + i))
        edges.append((5 + (i + 1) % 5, 10 + i))
        edges.append((10 + i, 15 + i))
        edges.append((15 + i, 15 + (i + 1) % 5))
    return edges


def antipode(edges: Edges, source: int) -> int:
    """A node farthest from `source`."""
    distance = {source: 0}
    queue = [source]
    for node in queue:
        for a, b in edges:
            for u, v in ((a, b), (b, a)):
                if u == node and v not in distance:
                    distance[v] = distance[node] + 1
                    queue.append(v)
    return max(distance, key=lambda node: distance[node])


def disconnected(edges: Edges, source: int, target: int) -> Callable[[Floats], Floats]:
    """Vectorised performance: 1 where failed edges (ones) part the terminals."""
    nodes = 1 + max(max(e) for e in edges)

    def performance(x: Floats) -> Floats:
        up = np.asarray(x) < 0.5
        reach = np.zeros((nodes, len(up)), dtype=bool)
        reach[source] = True
        before = -1
        while (now := int(reach.sum())) != before:
            before = now
            for j, (a, b) in enumerate(edges):
                either = (reach[a] | reach[b]) & up[:, j]
                reach[a] |= either
                reach[b] |= either
        return np.asarray(~reach[target], dtype=float)

    return performance


def unreliability(edges: Edges, source: int, target: int, q: float) -> float:
    """P(no working path), each edge failing with probability q, by frontier recursion."""
    ordered = sorted(edges, key=lambda e: (max(e), min(e)))
    last = {node: k for k, e in enumerate(ordered) for node in e}
    states: dict[tuple[tuple[int, int], ...], float] = {(): 1.0}
    for k, (a, b) in enumerate(ordered):
        after: dict[tuple[tuple[int, int], ...], float] = defaultdict(float)
        for state, mass in states.items():
            label = dict(state)
            for node in (a, b):
                label.setdefault(node, node)
            after[_forget(label, last, k, source, target)] += mass * q
            joined = _join(label, a, b)
            if joined.get(source, -1) != joined.get(target, -2):
                after[_forget(joined, last, k, source, target)] += mass * (1 - q)
        states = after
    return float(sum(sorted(states.values())))


def _join(label: dict[int, int], a: int, b: int) -> dict[int, int]:
    old, new = label[a], label[b]
    return {node: new if mark == old else mark for node, mark in label.items()}


def _forget(
    label: dict[int, int], last: dict[int, int], k: int, source: int, target: int
) -> tuple[tuple[int, int], ...]:
    kept = sorted(n for n in label if last[n] > k or n in (source, target))
    first: dict[int, int] = {}
    for node in kept:
        first.setdefault(label[node], node)
    return tuple((node, first[label[node]]) for node in kept)


def _networks() -> dict[str, tuple[Edges, int, int, float]]:
    """Return edges, terminals and the edges' failure probability by name."""
    solid = dodecahedron()
    far = antipode(solid, 0)
    bridge = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    return {
        "network bridge": (bridge, 0, 3, 1e-3),
        **{f"dodecahedron {q:g}": (solid, 0, far, q) for q in (1e-1, 1e-2, 1e-3)},
        **{
            f"lattice {n} {q:g}": (lattice(n, n), 0, n * n - 1, q)
            for n, q in ((4, 1e-2), (6, 1e-1), (6, 1e-3))
        },
    }


def compute() -> dict[str, float]:
    """Compute the references by name."""
    return {name: unreliability(*network) for name, network in _networks().items()}


def problems() -> list[RareEventProblem]:
    """Return the cases: a 1 is an edge that fails, and the performance is 1 where the terminals part."""
    return [
        RareEventProblem(
            name,
            disconnected(edges, source, target),
            cem.Bernoulli(np.full(len(edges), q)),
            1.0,
            "upper",
            REFERENCES[name],
            1e-12 * REFERENCES[name],
            "two-terminal network; recursion over the frontier",
        )
        for name, (edges, source, target, q) in _networks().items()
    ]
