"""What each ingredient of the max-cut search is worth, on fresh random graphs; a Markdown table.

Every variant cuts the same graphs in the same seconds: the union of two planar graphs with hubs, a sparse
random graph, a toroidal grid of weights -1 and 1, a random graph of degree 20. Shortfalls are counted from
the best cut that any of them has found. Compiling is not timed. All variants but the first do without exact
recombination: what they leave out or change is to be compared with the second.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

import cem
from cem.updates import EliteArchive
from problems.command import carry_out_benchmark, make_benchmark_parser, whole
from problems.maxcut import MaxCut, problem
from problems.maxcut.search import improvement

MAKERS: dict[str, Callable[[int], MaxCut]] = {
    "two planar": lambda seed: two_planar(2000, seed),
    "sparse": lambda seed: MaxCut.random(5000, edge_probability=5 / 4999, rng=seed),
    "torus": lambda seed: MaxCut.torus(60, 60, rng=seed),
    "random": lambda seed: MaxCut.random(2000, edge_probability=20 / 1999, rng=seed),
}


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1, runs=2, seconds=8)
    parser.add_argument("--graph-seed", type=whole(0), default=1, help="of the graphs (1)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.runs)
    graphs = {name: make(given.graph_seed) for name, make in MAKERS.items()}
    for graph in graphs.values():
        cem.optimize(graph, max_iterations=12, rng=1)
    values = {
        name: np.array([[cut(graph, name, given.max_time, s) for s in seeds] for graph in graphs.values()])
        for name in given.variants
    }
    best = np.max([each.max(axis=1) for each in values.values()], axis=0)
    print(f"Mean shortfall from the best of all, {given.max_time:g} s, seeds {list(seeds)}\n")
    print("| variant | " + " | ".join(graphs) + " | sum |\n|---|" + "---:|" * (len(graphs) + 1))
    for name, each in values.items():
        missing = (best[:, None] - each).mean(axis=1)
        print(f"| {name} | " + " | ".join(f"{m:.1f}" for m in missing) + f" | {missing.sum():.1f} |")


def cut(graph: MaxCut, variant: str, seconds: float, seed: int) -> float:
    context, changed = VARIANTS[variant]
    update = changed(graph.update)
    recombine = MaxCut.recombine if variant == WHOLE else None
    with context(), patch.object(MaxCut, "update", update), patch.object(MaxCut, "recombine", recombine):
        return float(cem.optimize(graph, max_time=seconds, rng=seed).fun)


def two_planar(n: int, seed: int) -> MaxCut:
    """Unite two planar graphs, each grown by putting every vertex into a triangle drawn at random."""
    rng = np.random.default_rng(seed)
    edges = np.unique(np.sort(np.concatenate([_grown(n, rng) for _ in range(2)]), axis=1), axis=0)
    return MaxCut.from_edges(n, edges, name=f"two-planar-{n}")


def _grown(n: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    triangles, edges = [(0, 1, 2)], [(0, 1), (1, 2), (0, 2)]
    for v in range(3, n):
        k = int(rng.integers(len(triangles)))
        a, b, c = triangles[k]
        triangles[k] = (a, b, v)
        triangles += [(a, c, v), (b, c, v)]
        edges += [(a, v), (b, v), (c, v)]
    kept = np.array(edges)[rng.random(len(edges)) < 0.99]
    return np.asarray(rng.permutation(n)[kept])


# --- the variants: what is patched meanwhile, and the update ------------------------------------------------


def _constant(name: str, value: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(improvement, name, value)


def _pieces(number: int) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(problem, "PIECES", number)


def _same(update: EliteArchive) -> EliteArchive:
    return update


def _reheated_samples(
    engine: ModuleType, layout: Any, starts: Any, small: Any, sweeps: int, rng: np.random.Generator
) -> tuple[Any, float]:
    """Cool candidates as they were drawn from a quarter of the rms vertex weight, instead of contracting."""
    if small is not None and small.graph.n < layout.graph.n:
        cooler = replace(
            layout, graph=replace(layout.graph, hot=max(0.25 * layout.graph.rms, layout.graph.cold))
        )
        state = engine.load(layout, starts)
        return state, engine.anneal(cooler, state, sweeps, improvement.seeds(rng, len(starts)))
    return _annealed(engine, layout, starts, small, sweeps, rng)


WHOLE = "as it is"
_annealed = improvement._annealed
Variant = tuple[Callable[[], AbstractContextManager[Any]], Callable[[EliteArchive], EliteArchive]]
VARIANTS: dict[str, Variant] = {
    WHOLE: (nullcontext, _same),
    "no exact recombination": (nullcontext, _same),
    "four pieces": (_pieces(4), _same),
    "sixteen pieces": (_pieces(16), _same),
    "no recombination": (nullcontext, lambda update: replace(update, capacity=10**9)),
    "no reheats": (_constant("DEEPENING", 0.0), _same),
    "four times the reheats": (_constant("DEEPENING", 4.0), _same),
    "fits of the tree alone": (nullcontext, lambda update: replace(update, kinds=update.kinds[:1])),
    "fits of single sides alone": (nullcontext, lambda update: replace(update, kinds=update.kinds[1:])),
    "samples cooled, not contracted": (_constant("_annealed", _reheated_samples), _same),
    "archive of 16": (nullcontext, lambda update: replace(update, capacity=16)),
    "anneals of 500 sweeps": (_constant("SWEEPS", 500), _same),
    "anneals of 8000 sweeps": (_constant("SWEEPS", 8000), _same),
}


if __name__ == "__main__":
    carry_out_benchmark(main)
