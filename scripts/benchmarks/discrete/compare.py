"""Black boxes on strings and orders: the area under the runtime ECDF of each search, in one run.

    python scripts/benchmarks/discrete/compare.py --runs 2
    python scripts/benchmarks/discrete/compare.py --orders ours "iterated local search" pymoo
    python scripts/benchmarks/discrete/compare.py --max-evaluations 100 ours "hill climbing" nevergrad

With `--keep FILE` a table may be made in parts: runs that FILE has are not repeated, new ones are added.

A cell is: area / fraction of targets / best known hit. Targets are 31 relative gaps, 10^-0.1 … 10^-3 and the
best known value; a gap is relative to the mean of a thousand random candidates. The axis of the area is log10
of evaluations per position, from 0 to 3. The best known value is the optimum where that is known, otherwise
the best that any search of this run has found.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from order_problems import ORDERS, order_instances
from searches import SEARCHES, Counted, Moves, OrderMoves, Spent, StringMoves
from string_problems import CLASSES, Instance, instances

from problems.command import carry_out_benchmark, make_benchmark_parser, positive

Run = tuple[list[tuple[int, float]], float]
TARGETS = np.r_[10.0 ** -np.linspace(0.1, 3, 30), 0.0]


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=100, runs=1)
    parser.add_argument("searches", nargs="*", metavar="SEARCH", help=f"of {', '.join(SEARCHES)} (all)")
    parser.add_argument("--orders", action="store_true", help="orders instead of strings")
    parser.add_argument("--classes", nargs="+", metavar="CLASS", help="only these")
    parser.add_argument(
        "--multiple", type=positive(int), default=1000, help="evaluations per position (1000)"
    )
    parser.add_argument(
        "--max-evaluations", type=positive(int), help="in all, instead; cells are mean relative gaps"
    )
    parser.add_argument("--small", action="store_true", help="only the smallest size of each class")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="of runs, one a line")
    given = parser.parse_args()
    known = ORDERS if given.orders else CLASSES
    names = given.classes or list(known)
    for name in names:
        if name not in known:
            parser.error(f"no class {name!r}; there are {', '.join(known)}")
    for name in given.searches:
        if name not in SEARCHES:
            parser.error(f"no search {name!r}; there are {', '.join(SEARCHES)}")
    make = order_instances if given.orders else instances
    cells: dict[str, dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    missing: dict[str, str] = {}
    own: dict[str, list[float]] = defaultdict(list)
    kept = read_kept(given.keep)
    for seed in range(given.seed, given.seed + given.runs):
        for instance in make(names, [seed], given.small):
            budget = given.max_evaluations or given.multiple * instance.n
            moves: Moves = OrderMoves(instance.n) if given.orders else StringMoves(instance.categories)
            rng = np.random.default_rng(0)
            typical = float(np.mean(instance.fun(np.array([moves.draw(rng) for _ in range(1000)]))))
            runs: dict[str, Run] = {}
            for search in given.searches or SEARCHES:
                key = f"{instance.name} {instance.n} {seed} {budget} {search}"
                if key not in kept and search not in missing:
                    try:
                        kept[key] = run_of(search, instance, moves, budget)
                    except ImportError as error:
                        missing[search] = str(error)
                        continue
                    if given.keep:
                        with given.keep.open("a") as file:
                            file.write(json.dumps([key, *kept[key]]) + "\n")
                if key in kept:
                    runs[search] = kept[key]
            best = min(r[0][-1][1] for r in runs.values()) if instance.optimum is None else instance.optimum
            for search, (gains, each) in runs.items():
                found = scored(gains, best, typical, instance.n, budget)
                cells[instance.name][search].append(found)
                own[search].append(each)
                print(instance.name, instance.n, search, *(f"{v:.3f}" for v in found), file=sys.stderr)
    report(cells, own, gaps_only=given.max_evaluations is not None)
    for search, why in missing.items():
        print(f"{search}: not compared ({why})")


def read_kept(path: Path | None) -> dict[str, Run]:
    """Return the runs that a file has, by what was run."""
    if path is None or not path.exists():
        return {}
    return {key: (gains, each) for key, gains, each in map(json.loads, path.read_text().splitlines())}


def run_of(search: str, instance: Instance, moves: Moves, budget: int) -> Run:
    """Return when a search improved and to what, and its seconds per evaluation."""
    f = Counted(instance.fun, budget, -np.inf if instance.optimum is None else instance.optimum)
    began = time.process_time()
    try:
        SEARCHES[search](f, moves, np.random.default_rng(1))
    except Spent:
        pass
    except Exception as error:
        if isinstance(error, ImportError) or not isinstance(error.__cause__, Spent):
            raise
    return f.gains, (time.process_time() - began) / f.evaluations


def scored(
    gains: list[tuple[int, float]], best: float, typical: float, n: int, budget: int
) -> tuple[float, ...]:
    """Return area, fraction of targets, whether the best known was hit, and the relative gap at the end."""
    scale = max(typical - best, 1e-300)
    when = np.full(len(TARGETS), np.inf)
    for evaluations, value in gains:
        reached = (value - best) / scale <= TARGETS + 1e-12
        when = np.where(reached, np.minimum(when, evaluations), when)
    axis = np.log10(budget / n) or np.nan
    share = 1 - np.clip(np.log10(np.maximum(when, 1) / n) / axis, 0, 1)
    area = float(np.where(np.isfinite(when), share, 0).mean())
    hit = np.isfinite(when)
    return area, float(hit.mean()), float(hit[-1]), (gains[-1][1] - best) / scale


def report(
    cells: dict[str, dict[str, list[tuple[float, ...]]]], own: dict[str, list[float]], gaps_only: bool
) -> None:
    searches = list(dict.fromkeys(search for row in cells.values() for search in row))
    print("| class | " + " | ".join(searches) + " |\n|---|" + "---|" * len(searches))
    everything: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for name, row in cells.items():
        print(f"| {name} | " + " | ".join(cell(row[search], gaps_only) for search in searches) + " |")
        for search in searches:
            everything[search] += row[search]
    print("| **all** | " + " | ".join(cell(everything[search], gaps_only) for search in searches) + " |")
    times = (f"{1e6 * np.median(own[search]):.0f}" for search in searches)
    print("| µs per evaluation | " + " | ".join(times) + " |")
    first = np.array(everything[searches[0]])
    column = 3 if gaps_only else 0
    for search in searches[1:]:
        difference = first[:, column] - np.array(everything[search])[:, column]
        error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else np.nan
        print(f"{searches[0]} − {search}: {difference.mean():+.3f} ± {error:.3f}")


def cell(values: list[tuple[float, ...]], gaps_only: bool) -> str:
    if not values:
        return "–"
    mean = np.mean(values, axis=0)
    return f"{mean[3]:.3f}" if gaps_only else " / ".join(f"{v:.2f}".lstrip("0") for v in mean[:3])


if __name__ == "__main__":
    carry_out_benchmark(main)
