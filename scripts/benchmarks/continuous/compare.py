"""Continuous optimisation on BBOB, ours and peers on the same problems, always inside the box.

    python scripts/benchmarks/continuous/compare.py ours control pycma --instances 54-55 --dims 2 5 10 20
    python scripts/benchmarks/continuous/compare.py ours core pycma --noisy      # f + N(0, 0.1²)
    python scripts/benchmarks/continuous/compare.py ours control --float32     # f rounded to single precision
    python scripts/benchmarks/continuous/compare.py --constrained ours de slsqp  # CEC 2006
    python scripts/benchmarks/continuous/compare.py --overhead                   # our own time an evaluation
    python scripts/benchmarks/continuous/compare.py --large                      # 100 to 10,000 variables

Needs ``pip install cemkit[bench]``. Cells are *area / fraction*: for 51 targets 10^2 … 10^-8 above the
optimum, the share of the log10(evaluations / D) axis from 1 to the budget that lies right of the first hit,
and the share of targets hit; averages over targets and problems. Standard errors are clustered by function.
A solver that ends before the budget does is started again with another seed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Collection, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import constrained
import numpy as np
from costs import LARGE, large, overhead
from measures import plot, report
from solvers import PACKAGES, SOLVERS, solve

from problems.command import carry_out_benchmark, keep_installed, make_benchmark_parser, positive

TUNED = range(11, 16)  # instances that settings were chosen on
LOOKED_AT = range(51, 54)  # instances that were looked at while they were
ALLOWED = range(1, 61)


def span(text: str) -> range:
    """Read a number, or a range such as 54-55, for a parser."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def numbers(spans: Iterable[Iterable[int]]) -> list[int]:
    """Return the numbers of all ranges."""
    return [number for each in spans for number in each]


def named(instances: list[int]) -> str:
    """Say what instances are good for."""
    kinds = {"tuned on": TUNED, "looked at": LOOKED_AT}
    found = [f"{name}: {[i for i in instances if i in kind]}" for name, kind in kinds.items()]
    free = [i for i in instances if i not in TUNED and i not in LOOKED_AT]
    return "; ".join([*found, f"never looked at: {free}"])


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=10, seconds=60)
    parser.add_argument("solvers", nargs="*", default=[], metavar="SOLVER", help=", ".join(SOLVERS))
    parser.add_argument("--instances", nargs="+", type=span, default=[[56, 57]])
    parser.add_argument("--dims", nargs="+", type=span, help="2 5 10 20; with --large 100 1000 10000")
    parser.add_argument("--functions", nargs="+", type=span, default=[range(1, 25)])
    parser.add_argument(
        "--multiple", type=positive(int), help="evaluations a variable: 1000; constrained 2000"
    )
    parser.add_argument("--noisy", action="store_true", help="add N(0, 0.1²) to what solvers see")
    parser.add_argument("--float32", action="store_true", help="round what solvers see")
    parser.add_argument("--constrained", action="store_true", help="CEC 2006; solvers: ours, de, slsqp")
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="of --constrained: all")
    parser.add_argument(
        "--within", type=positive(float), default=1e-6, help="of --constrained: error, relative"
    )
    parser.add_argument("--overhead", action="store_true", help="our own time an evaluation")
    parser.add_argument("--large", action="store_true", help=f"solvers: {', '.join(LARGE)}")
    parser.add_argument("--per-function", action="store_true")
    parser.add_argument("--plot", metavar="PATH", help="write the ECDFs (needs matplotlib)")
    parser.add_argument("--keep", metavar="PATH", help="keep the hits, or take those already there")
    options = parser.parse_args()
    if options.overhead:
        overhead()
    elif options.large:
        peers = {name: "cma" for name in LARGE if name.startswith("pycma")}
        known = keep_installed(checked(parser, options.solvers or LARGE, LARGE), peers)
        large(numbers(options.dims or [[100, 1000, 10000]]), known, options.max_time)
    elif options.constrained:
        methods = checked(parser, options.solvers or ["ours"], constrained.METHODS)
        names = checked(parser, options.problems or constrained.PROBLEMS, constrained.PROBLEMS)
        constrained.compare(
            methods,
            [constrained.PROBLEMS[name] for name in names],
            range(options.seed, options.seed + options.runs),
            options.multiple or 2000,
            options.within,
        )
    else:
        known = checked(parser, options.solvers or SOLVERS, SOLVERS)
        if find_spec("cocoex") is None:
            parser.error("the functions of BBOB need coco-experiment: pip install cemkit[bench]")
        options.solvers = keep_installed(known, PACKAGES)
        options.multiple = options.multiple or 1000
        bbob(parser, options)


def checked(parser: argparse.ArgumentParser, names: Iterable[str], known: Collection[str]) -> list[str]:
    """Refuse names that are not known."""
    if unknown := set(names) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: choose among {', '.join(known)}")
    return list(names)


def bbob(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Run the solvers on the same problems and print the tables."""
    instances, dims = numbers(options.instances), numbers(options.dims or [[2, 5, 10, 20]])
    if any(i not in ALLOWED for i in instances):
        parser.error("instances are 1 to 60")
    print(named(instances))
    problems = [(f, i, d) for d in dims for f in numbers(options.functions) for i in instances]
    kept = Path(options.keep) if options.keep else None
    known: dict[str, Any] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    results: dict[str, list[Any]] = {}
    for name in options.solvers:
        rows, clock, began = [], [], time.perf_counter()
        for f, i, d in problems:
            key = f"{name} f{f} i{i} d{d} {options.multiple} {options.noisy} {options.float32}"
            if key in known:
                rows.append(np.array([np.inf if hit is None else hit for hit in known[key]]))
                continue
            hits, microseconds = solve(name, f, i, d, options)
            rows.append(hits)
            clock.append(microseconds)
            known[key] = [None if np.isinf(hit) else int(hit) for hit in hits]
            if kept:
                kept.write_text(json.dumps(known))
        results[name] = rows
        mean = np.mean(clock) if clock else 0.0
        print(f"{name}: {time.perf_counter() - began:.0f} s, {mean:.1f} µs an evaluation", flush=True)
    if results:
        report(np.array(problems), results, options)
    if options.plot:
        plot(np.array(problems), results, options.multiple, options.plot)


if __name__ == "__main__":
    carry_out_benchmark(main)
