"""Cut graphs given as rudy (Gset) or BiqMac text files: maxcut.py G1.txt G22.txt --max-time 20 --bound."""

from __future__ import annotations

import argparse
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import cem
from problems.maxcut import MaxCut
from problems.maxcut.bound import upper_bound
from problems.maxcut.readers import read_best_known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--max-time", type=float, default=20, help="seconds a run (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run (1)")
    parser.add_argument("--runs", type=int, default=1, help="a file, with seeds that follow on (1)")
    parser.add_argument("--bound", action="store_true", help="compute an upper bound, and the gap to it")
    parser.add_argument(
        "--best-known", type=Path, metavar="CSV", help="with columns instance and best_known or optimum"
    )
    parser.add_argument(
        "--partition-dir",
        type=Path,
        metavar="DIR",
        help="write NAME.partition: each vertex's side, a line each",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="plot each run's best cut over time")
    given = parser.parse_args()
    try:
        graphs = [MaxCut.from_file(file) for file in given.files]
        best_known = read_best_known(given.best_known) if given.best_known else {}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if given.runs < 1:
        parser.error(f"--runs must be at least 1, got {given.runs}")
    if given.plot and find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install 'cemkit[plots]'")
    twice = [name for name, count in Counter(graph.name for graph in graphs).items() if count > 1]
    if given.partition_dir and twice:
        parser.error(f"--partition-dir takes files of different names, got {twice[0]} twice")

    print(
        f"{'graph':<16}{'n':>8}{'edges':>10}{'seed':>6}{'cut':>16}{'seconds':>9}{'evaluations':>13}"
        f"{'best known':>16}{'gap %':>9}{'bound':>16}{'gap %':>9}   engine, ended"
    )
    seeds = range(given.seed, given.seed + given.runs)
    curves: dict[str, list[cem.OptimizeResult]] = {}
    for graph in graphs:
        bound = upper_bound(graph.n, graph.edges, graph.weights) if given.bound else None
        known = best_known.get(graph.name)
        curves[graph.name] = [cem.optimize(graph, max_time=given.max_time, rng=seed) for seed in seeds]
        for seed, r in zip(seeds, curves[graph.name], strict=True):
            print(
                f"{graph.name:<16}{graph.n:>8,}{len(graph.edges):>10,}{seed:>6}{r.fun:>16,.10g}{r.elapsed:>9.2f}"
                f"{r.nfev:>13,}{number(known)}{gap(r.fun, known)}{number(bound)}{gap(r.fun, bound)}"
                f"   {engine(r)}, {r.status.name}",
                flush=True,
            )
        if given.partition_dir:
            write_partition(given.partition_dir / f"{graph.name}.partition", curves[graph.name])
    if given.plot:
        plot(given.plot, curves, best_known)
        print(f"plot written to {given.plot}")


def number(value: float | None) -> str:
    return f"{'–':>16}" if value is None else f"{value:>16,.10g}"


def gap(cut: float, reference: float | None) -> str:
    """How far a cut is below a reference, in per cent of it."""
    if reference is None:
        return f"{'–':>9}"
    return f"{100 * (reference - cut) / (abs(reference) or 1):>9.3f}"


def engine(r: cem.OptimizeResult) -> str:
    return str(r.history.stage[-1]) if len(r.history) else "no iteration"


def write_partition(path: Path, runs: list[cem.OptimizeResult]) -> None:
    best = max(runs, key=lambda r: r.fun)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{side}\n" for side in best.x))
    print(f"partition of value {best.fun:,.10g} written to {path}")


def plot(path: Path, curves: dict[str, list[cem.OptimizeResult]], best_known: dict[str, float]) -> None:
    """Draw the best cut of each run over time, one panel a graph."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.8 * len(curves)), layout="constrained")
    panels = figure.subplots(len(curves), squeeze=False)[:, 0]
    for axes, (name, runs) in zip(panels, curves.items(), strict=True):
        for r in runs:
            axes.step(
                r.history.seconds, r.history.best, ".-", where="post", markersize=3, label=f"seed {r.seed}"
            )
        if name in best_known:
            axes.axhline(best_known[name], color="black", linestyle="--", linewidth=1, label="best known")
        axes.set(title=name, xlabel="seconds", ylabel="best cut")
        axes.legend(loc="lower right", fontsize="small")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
