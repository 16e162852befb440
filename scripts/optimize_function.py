"""Minimise a test function: optimize_function.py rastrigin --dimension 10 --seed 1."""

from __future__ import annotations

import cem
from problems import continuous
from problems.command import INTERRUPTED, carry_out, interrupted, make_parser, positive, print_json


def main() -> int:
    parser = make_parser(None, __doc__, runs=1, seconds=None)
    names = sorted(function.name for function in continuous.ALL)
    parser.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--dimension", type=positive(int), default=10)
    parser.add_argument("--max-evaluations", type=positive(int))
    parser.add_argument("--method", choices=("auto", "textbook"), default="auto")
    parser.add_argument("--history", action="store_true", help="print every iteration")
    given = parser.parse_args()

    function = getattr(continuous, given.name)
    try:
        bounds, optimum = function.bounds(given.dimension), function.optimum(given.dimension)
    except ValueError as error:
        parser.error(str(error))
    runs: list[cem.OptimizeResult] = []
    for seed in range(given.seed, given.seed + given.runs):
        r = cem.optimize(
            function,
            bounds=bounds,
            vectorized=True,
            method=given.method,
            max_evaluations=given.max_evaluations,
            max_time=given.max_time,
            n_jobs=given.jobs,
            rng=seed,
        )
        runs.append(r)
        if not given.json:
            show(r, optimum, given.history)
        if interrupted(runs):
            break
    if given.json:
        print_json([record(r, optimum, given.history) for r in runs])
    return INTERRUPTED if interrupted(runs) else 0


def show(r: cem.OptimizeResult, optimum: float, history: bool) -> None:
    if history:
        print(f"{'iteration':>9}{'level':>14}{'best':>14}{'entropy':>12}{'evaluations':>13}")
        for i, row in enumerate(r.history, start=1):
            print(f"{i:>9}{row.level:>14.6g}{row.best:>14.6g}{row.entropy:>12.4g}{row.nfev:>13,}")
    print(r)
    print(f"optimum: {optimum:.12g}")


def record(r: cem.OptimizeResult, optimum: float, history: bool) -> dict[str, object]:
    names = ("x", "fun", "success", "message", "nit", "nfev", "elapsed", "seed")
    found = {name: r[name] for name in names} | {"status": r.status.name, "optimum": optimum}
    return found | ({"history": r.history.to_arrays()} if history else {})


if __name__ == "__main__":
    carry_out(main)
