"""Noisy BBOB: how near the returned point comes, and whether intervals of its value hold what they promise.

    python scripts/benchmarks/continuous/noisy.py --instances 59
    python scripts/benchmarks/continuous/noisy.py ours pycma --dims 2 5 --sizes 0.1

f + N(0, sd²) in the box, sd .01, .1 and 1; 100, 300 and 1000 evaluations per variable. Cells are the mean of
log10(true gap at the returned point, at least 1e-8), ± the standard error of the paired difference to `ours`,
clustered by function; lower is better. `unsaid` is the library without ``noisy=True``. pycma is its noise
handling (`NoiseHandler`), whose favourite, the mean, is returned. Coverage counts how often the true value at
`r.x` lies within ``r.fun ± 1.96 r.fun_error``. Needs coco-experiment, and cma for pycma.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from compare import numbers, span

import cem
from problems.command import carry_out_benchmark, keep_installed, make_benchmark_parser, positive

BOX, LEAST, NORMAL = 5.0, 1e-8, 1.96


class Spent(BaseException):
    """The budget is used up."""


class Noisy:
    """A function of BBOB whose values are noisy, with a budget."""

    def __init__(self, function: int, instance: int, d: int, size: float, budget: int, seed: int) -> None:
        import cocoex

        self.problem = cocoex.BareProblem("bbob", function, d, instance)
        self.d, self.size, self.budget, self.count = d, size, budget, 0
        self.rng = np.random.default_rng([function, instance, d + 1000 * seed, int(1000 * size)])

    def true(self, x: Any) -> float:
        """Return the value without noise above the optimum."""
        return float(self.problem(np.asarray(x))) - float(self.problem.best_value())

    def __call__(self, x: Any) -> float:
        """Return a noisy value."""
        if self.count >= self.budget:
            raise Spent
        self.count += 1
        return self.true(x) + self.size * float(self.rng.standard_normal())


class Found(NamedTuple):
    """The point that was returned, and the value and the standard error that were claimed for it."""

    x: Any
    value: float = np.nan
    error: float = np.nan


def ours(f: Noisy, seed: int) -> Found:
    """Run the library with ``noisy=True``."""
    return _ours(f, seed, noisy=True)


def unsaid(f: Noisy, seed: int) -> Found:
    """Run the library without saying that there is noise."""
    return _ours(f, seed)


def _ours(f: Noisy, seed: int, **options: Any) -> Found:
    r = cem.optimize(f, bounds=[(-BOX, BOX)] * f.d, max_evaluations=f.budget, rng=seed, **options)
    return Found(r.x, r.fun, r.get("fun_error", np.nan))


def pycma(f: Noisy, seed: int) -> Found:
    """Run pycma with its noise handling, again with another seed where it ends early."""
    import cma

    at = np.zeros(f.d)
    while True:
        options = {"bounds": [-BOX, BOX], "seed": seed + 1, "verbose": -9, "verb_log": 0}
        es = cma.CMAEvolutionStrategy(at, 2.0, options | {"maxfevals": f.budget - f.count})
        handler = cma.NoiseHandler(f.d, maxevals=[1, 1, 30])
        try:
            while not es.stop():
                x, values = es.ask_and_eval(f, evaluations=handler.evaluations)
                es.tell(x, values)
                es.sigma *= handler(x, values, f, es.ask)
                es.countevals += handler.evaluations_just_done
        except Spent:
            return Found(es.result.xfavorite)
        at, seed = np.clip(es.result.xfavorite, -BOX, BOX), seed + 1000


SOLVERS: dict[str, Callable[[Noisy, int], Found]] = {"ours": ours, "unsaid": unsaid, "pycma": pycma}


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0)
    parser.add_argument("solvers", nargs="*", default=[], metavar="SOLVER", help=", ".join(SOLVERS))
    parser.add_argument("--functions", nargs="+", type=span, default=[range(1, 25)])
    parser.add_argument("--instances", nargs="+", type=span, default=[[59]])
    parser.add_argument("--dims", nargs="+", type=span, default=[[2, 5, 10]])
    parser.add_argument("--sizes", nargs="+", type=positive(float), default=[0.01, 0.1, 1.0])
    parser.add_argument("--budgets", nargs="+", type=span, default=[[100, 300, 1000]], help="per variable")
    given = parser.parse_args()
    if find_spec("cocoex") is None:
        parser.error("the functions of BBOB need coco-experiment: pip install cemkit[bench]")
    if unknown := set(given.solvers) - set(SOLVERS):
        parser.error(f"{', '.join(sorted(unknown))}: choose among {', '.join(SOLVERS)}")
    names = keep_installed(given.solvers or list(SOLVERS), {"pycma": "cma"})
    budgets, functions = numbers(given.budgets), numbers(given.functions)
    print(f"| sd | solver | {' | '.join(map(str, budgets))} | coverage |")
    print(f"|---|---|{'---|' * len(budgets)}---|")
    for size in given.sizes:
        reference: Any = None
        for name in names:
            gaps, inside = _measured(name, size, functions, budgets, given)
            reference = gaps if reference is None else reference
            cells = []
            for k in range(len(budgets)):
                by_function = (gaps - reference)[..., k].mean(axis=1)
                error = by_function.std(ddof=1) / np.sqrt(len(by_function)) if len(functions) > 1 else np.nan
                mean = gaps[..., k].mean()
                cells.append(f"{mean:.2f}" + ("" if gaps is reference else f" ± {error:.2f}"))
            share = f"{np.nanmean(inside):.3f}" if np.isfinite(inside).any() else "-"
            print(f"| {size:g} | {name} | {' | '.join(cells)} | {share} |", flush=True)


def _measured(name: str, size: float, functions: list[int], budgets: list[int], given: Any) -> Any:
    """Return the gaps, shape ``(functions, problems, budgets)``, and whether intervals held the values."""
    gaps, inside = [], []
    for function in functions:
        rows = []
        for d in numbers(given.dims):
            for instance in numbers(given.instances):
                row = []
                for budget in budgets:
                    f = Noisy(function, instance, d, size, budget * d, given.seed)
                    found = SOLVERS[name](f, instance + given.seed)
                    gap = f.true(found.x)
                    row.append(np.log10(max(gap, LEAST)))
                    reach = NORMAL * found.error
                    inside.append(abs(found.value - gap) <= reach if np.isfinite(reach) else np.nan)
                rows.append(row)
        gaps.append(rows)
    return np.array(gaps), np.array(inside, dtype=float)


if __name__ == "__main__":
    carry_out_benchmark(main)
