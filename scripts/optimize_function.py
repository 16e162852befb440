"""Minimise a test function: optimize_function.py rastrigin --dimension 10 --seed 1."""

from __future__ import annotations

import argparse

import cem
from problems import continuous


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = sorted(function.name for function in continuous.ALL)
    parser.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--dimension", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-evaluations", type=int)
    parser.add_argument("--method", choices=("auto", "textbook"), default="auto")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--history", action="store_true", help="print every iteration")
    given = parser.parse_args()

    function = getattr(continuous, given.name)
    r = cem.optimize(
        function,
        bounds=function.bounds(given.dimension),
        vectorized=True,
        method=given.method,
        max_evaluations=given.max_evaluations,
        n_jobs=given.jobs,
        rng=given.seed,
    )
    if given.history:
        print(f"{'iteration':>9}{'level':>14}{'best':>14}{'entropy':>12}{'evaluations':>13}")
        for i, row in enumerate(r.history, start=1):
            print(f"{i:>9}{row.level:>14.6g}{row.best:>14.6g}{row.entropy:>12.4g}{row.nfev:>13,}")
    print(r)
    print(f"optimum: {function.optimum(given.dimension):.12g}")


if __name__ == "__main__":
    main()
