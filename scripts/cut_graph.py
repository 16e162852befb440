"""Cut a graph given as a rudy (Gset) or BiqMac text file: cut_graph.py G1.txt --max-time 20."""

from __future__ import annotations

import argparse
from pathlib import Path

import cem
from problems.maxcut import MaxCut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path)
    source.add_argument("--planted", type=int, metavar="N", help="a planted graph of N vertices instead")
    parser.add_argument("--population", type=int, default=1000)
    parser.add_argument("--elite-fraction", type=float, default=0.1)
    parser.add_argument("--max-time", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1, help="with seeds that follow on")
    parser.add_argument("--partition", type=Path, help="write the side (0 or 1) of each vertex here")
    given = parser.parse_args()

    print(f"{'seed':>4}{'cut':>16}{'best possible':>16}{'evaluations':>13}{'seconds':>9}   ended")
    best = None
    for seed in range(given.seed, given.seed + given.runs):
        graph = MaxCut.planted(given.planted, rng=seed) if given.planted else MaxCut.from_file(given.file)
        r = cem.optimize(
            graph,
            population=given.population,
            elite_fraction=given.elite_fraction,
            max_time=given.max_time,
            rng=seed,
        )
        optimum = "unknown" if graph.optimum is None else f"{graph.optimum:,.6g}"
        print(f"{seed:>4}{r.fun:>16,.10g}{optimum:>16}{r.nfev:>13,}{r.elapsed:>9.2f}   {r.status.name}")
        best = r if best is None or r.fun > best.fun else best
    if given.partition and best is not None:
        given.partition.write_text("\n".join(map(str, best.x)) + "\n")
        print(f"partition written to {given.partition}")


if __name__ == "__main__":
    main()
