"""Whole numbers and reals on bbob-mixint: ours and peers on the same problems.

    python scripts/benchmarks/mixed/integers.py --instances 8 --keep /tmp/integers.txt
    python scripts/benchmarks/mixed/integers.py ours cmawm --dims 5 --budgets 10 100

Needs coco-experiment; peers: ``pip install cmaes cma nevergrad`` (scipy is there). A peer that is not
installed is named and counts for nothing. Four of five variables are whole numbers. Cells: mean log10(best
value seen above the optimum, at least 1e-8) over 24 functions, dimensions and instances, ± the standard error
of the paired difference to ours, clustered by function; then for f1–f14 and for f15–f24, the multimodal ones.
A solver that ends early is started again. Each budget is a run of its own for ours and ngopt; the others do
the same first evaluations whatever they may spend, so theirs are read off one run. Settings were chosen on
instances 1 to 4. With ``--keep``, what a file holds already is not run again.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from kept import Kept

import cem
from problems.command import carry_out_benchmark, keep_installed, make_benchmark_parser, positive

LEAST = 1e-8


class Spent(BaseException):
    """The budget is used up."""


class Counted:
    """A problem with a budget, and the best value after each evaluation."""

    def __init__(self, problem: Any, least: float, budget: int) -> None:
        self.problem, self.least, self.budget = problem, least, budget
        self.best: list[float] = []
        self.d, self.whole = problem.dimension, problem.number_of_integer_variables
        self.low, self.high = np.array(problem.lower_bounds), np.array(problem.upper_bounds)
        self.integer = np.arange(self.d) < self.whole

    def __call__(self, x: Any) -> float:
        """Return the value at `x`, whole numbers rounded and all within the bounds."""
        if not self.left:
            raise Spent
        inside = np.clip(x, self.low, self.high)
        value = float(self.problem(np.where(self.integer, np.rint(inside), inside)))
        self.best.append(min(value - self.least, self.best[-1] if self.best else np.inf))
        return value

    def at(self, n: int) -> float:
        """Return log10 of the best value after `n` evaluations."""
        return float(np.log10(max(self.best[n - 1], LEAST)))

    @property
    def left(self) -> int:
        """Evaluations that may still be spent."""
        return self.budget - len(self.best)


def ours(f: Counted, seed: int) -> None:
    bounds, whole = list(zip(f.low, f.high, strict=True)), f.integer.astype(int)
    while f.left:
        cem.optimize(f, bounds=bounds, integrality=whole, max_evaluations=f.left, rng=seed)
        seed += 1


def cmawm(f: Counted, seed: int) -> None:
    """CMA-ES with margin of the package cmaes, with twice the population at each restart."""
    from cmaes import CMAwM

    bounds, population = np.stack([f.low, f.high], axis=1), 4 + int(3 * np.log(f.d))
    unit = np.where(f.integer, 1.0, (f.high - f.low) / 5)
    rng = np.random.default_rng(seed)
    while True:
        seed += 1
        mean = bounds.mean(axis=1) if not f.best else rng.uniform(f.low, f.high)
        optimizer = CMAwM(
            mean=mean / unit,
            sigma=1.0,
            bounds=bounds / unit[:, None],
            steps=f.integer.astype(float),
            seed=seed,
            population_size=population,
        )
        while not optimizer.should_stop():
            told = []
            for _ in range(optimizer.population_size):
                evaluated, kept = optimizer.ask()
                told.append((kept, f(evaluated * unit)))
            optimizer.tell(told)
        population *= 2


def pycma(f: Counted, seed: int) -> None:
    """Run pycma with integer_variables, in units of the ranges, with twice the population at each restart."""
    import cma

    span, times = f.high - f.low, 1
    rng = np.random.default_rng(seed)
    while True:
        seed += 1
        options: dict[str, Any] = {"bounds": [f.low, f.high], "seed": seed, "verbose": -9, "verb_log": 0}
        options |= {"integer_variables": np.flatnonzero(f.integer).tolist(), "CMA_stds": span / 4}
        options |= {"popsize": times * (4 + int(3 * np.log(f.d)))}
        mean = (f.low + f.high) / 2 if not f.best else rng.uniform(f.low, f.high)
        es = cma.CMAEvolutionStrategy(mean, 1.0, options)
        while not es.stop():
            x = es.ask()
            es.tell(x, [f(row) for row in x])
        times *= 2


def de(f: Counted, seed: int) -> None:
    """Scipy's differential evolution."""
    from scipy.optimize import differential_evolution

    while True:
        seed += 1
        differential_evolution(
            f,
            list(zip(f.low, f.high, strict=True)),
            integrality=f.integer,
            rng=seed,
            polish=False,
            atol=1e-12,
        )


def ngopt(f: Counted, seed: int) -> None:
    """NGOpt of nevergrad."""
    import nevergrad as ng

    whole = ng.p.Array(init=np.floor((f.low + f.high)[f.integer] / 2))
    whole = whole.set_bounds(f.low[f.integer], f.high[f.integer]).set_integer_casting()
    reals = ng.p.Array(init=((f.low + f.high) / 2)[~f.integer])
    space = ng.p.Tuple(whole, reals.set_bounds(f.low[~f.integer], f.high[~f.integer]))
    space.random_state.seed(seed)
    optimizer = ng.optimizers.NGOpt(parametrization=space, budget=f.budget)
    while True:
        asked = optimizer.ask()
        optimizer.tell(asked, f(np.concatenate(asked.value)))


SOLVERS: dict[str, Callable[[Counted, int], None]] = {
    "ours": ours,
    "cmawm": cmawm,
    "pycma": pycma,
    "de": de,
    "ngopt": ngopt,
}
PACKAGES = {"cmawm": "cmaes", "pycma": "cma", "ngopt": "nevergrad"}
PLANNING = ("ours", "ngopt")  # what they do first depends on what they may spend


def problems(functions: str, dims: list[int], instances: str) -> Iterator[tuple[Any, float]]:
    """Yield problems and their least values; the suite writes where these lie into a file."""
    import cocoex

    chosen = f"dimensions: {','.join(map(str, dims))} function_indices: {functions}"
    for problem in cocoex.Suite("bbob-mixint", "", f"{chosen} instance_indices: {instances}"):
        problem._best_parameter("print")
        yield problem, float(problem(np.loadtxt("._bbob_problem_best_parameter.txt")))


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0)
    parser.add_argument("solvers", nargs="*", default=[], metavar="SOLVER", help=", ".join(SOLVERS))
    parser.add_argument("--functions", default="1-24")
    parser.add_argument("--instances", default="8")
    parser.add_argument("--dims", nargs="+", type=positive(int), default=[5, 10, 20])
    parser.add_argument(
        "--budgets", nargs="+", type=positive(int), default=[10, 30, 100, 300], help="per variable"
    )
    parser.add_argument("--keep", metavar="FILE", help="of rows that are not run again")
    given = parser.parse_args()
    kept = Kept(given.keep)
    if find_spec("cocoex") is None:
        parser.error("the functions need coco-experiment: pip install cemkit[bench]")
    if unknown := set(given.solvers) - set(SOLVERS):
        parser.error(f"{', '.join(sorted(unknown))}: choose among {', '.join(SOLVERS)}")
    warnings.simplefilter("ignore")
    budgets = " | ".join(map(str, given.budgets))
    reference: Any = None
    print(f"| solver | {budgets} | f1–f14: {budgets} | f15–f24: {budgets} |")
    print("|---|" + "---|" * 3 * len(given.budgets))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in keep_installed(given.solvers or list(SOLVERS), PACKAGES):
            began = time.process_time()
            gaps, functions = [], []
            for problem, least in problems(given.functions, given.dims, given.instances):
                what = [problem.id_function, problem.dimension, problem.id_instance]
                made = partial(_gaps, name, problem, least, given.budgets, given.seed)
                gaps.append(kept.row([name, *what, given.budgets, given.seed], made))
                functions.append(problem.id_function)
            reference = np.array(gaps) if reference is None else reference
            cells = _cells(np.array(gaps), reference, np.array(functions))
            print(f"| {name} | {' | '.join(cells)} |   ({time.process_time() - began:.0f} s)", flush=True)
        os.chdir(os.sep)


def _gaps(name: str, problem: Any, least: float, budgets: list[int], seed: int) -> list[float]:
    """Return log10 of the gap at each budget."""
    gaps = []
    f = Counted(problem, least, 0)
    for most in [b * problem.dimension for b in budgets]:
        if name in PLANNING or not f.best:
            f = Counted(problem, least, most if name in PLANNING else max(budgets) * problem.dimension)
            with suppress(Spent):
                SOLVERS[name](f, seed + 100 * problem.id_instance + problem.id_function)
        gaps.append(f.at(most))
    return gaps


def _cells(gaps: Any, reference: Any, functions: Any) -> list[str]:
    """Return means over all, the first fourteen and the other functions, at each budget."""
    cells = []
    for chosen in (functions > 0, functions < 15, functions >= 15):
        difference = (gaps - reference)[chosen]
        each = np.array(
            [difference[functions[chosen] == f].mean(axis=0) for f in np.unique(functions[chosen])]
        )
        for k in range(gaps.shape[1]):
            cell = f"{gaps[chosen, k].mean():.2f}" if chosen.any() else "-"
            if gaps is not reference and len(each) > 1 and each.any():
                cell += f" ± {each[:, k].std(ddof=1) / np.sqrt(len(each)):.2f}"
            cells.append(cell)
    return cells


if __name__ == "__main__":
    carry_out_benchmark(main)
