"""Named and mixed variables: ours and peers on the same functions, with the same number of evaluations.

    python scripts/benchmarks/mixed/compare.py                          # all groups, d = 6 and 12, 5 seeds
    python scripts/benchmarks/mixed/compare.py --solvers ours catcma --groups dependent --budgets 10 30 100

Peers: ``pip install cmaes optuna`` (scipy is there). A peer that is not installed, or that has no way into a
group, is named and counts for nothing. Cells are the mean of log10(best value seen, at least 1e-10) over
functions and seeds, ± the standard error of its paired difference to ours; the optimum is 0, lower is better.
Each budget is a run of its own for ours, since what it does first depends on what it may spend; the others'
are read off one run. With ``--keep``, what a file holds already is not run again.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from functions import GROUPS, Function
from kept import Kept

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, positive

LEAST = 1e-10
FIRST_SEED = 5000  # settings were chosen on seeds below 1,000


class Spent(Exception):  # noqa: N818 - an end, not an error
    """The budget is used up."""


class Counted:
    """A function with a budget, and the best value after each evaluation."""

    def __init__(self, function: Function, budget: int) -> None:
        self.function, self.budget = function, budget
        self.best: list[float] = []

    def __call__(self, z: Any, c: Any) -> float:
        """Return the value at numbers `z` and codes `c`."""
        if len(self.best) >= self.budget:
            raise Spent
        value = self.function.value(np.asarray(z, dtype=float), np.asarray(c, dtype=int))
        self.best.append(min(value, self.best[-1] if self.best else np.inf))
        return value

    def of_dict(self, p: dict[str, Any]) -> float:
        """Return the value of a dict of the space."""
        n = self.function.reals + self.function.integers
        return self(
            [p[f"z{i}"] for i in range(n)], [p[f"c{i}"] for i in range(len(self.function.categories))]
        )

    def at(self, n: int) -> float:
        """Return log10 of the best value after `n` evaluations, or where it ended before."""
        return float(np.log10(max(self.best[min(n, len(self.best)) - 1], LEAST)))


def ours(counted: Counted, seed: int) -> None:
    cem.optimize(
        counted.of_dict, counted.function.space, max_evaluations=counted.budget, rng=seed, target=LEAST
    )


def random(counted: Counted, seed: int) -> None:
    space, rng = counted.function.space, np.random.default_rng(seed)
    low, high = space.domain.low, space.domain.high
    while True:
        x = rng.uniform(low, high)
        counted.of_dict(
            space.dicts(
                np.where(space.domain.integer, np.floor(low + (high - low + 1) * rng.random(low.size)), x)[
                    None
                ]
            )[0]
        )


def catcma(counted: Counted, seed: int) -> None:
    """CatCMAwM of the package cmaes, started again with another seed where it ends."""
    from cmaes import CatCMAwM

    f, numbers = counted.function, counted.function.reals + counted.function.integers
    while True:
        seed += 1
        kinds: dict[str, Any] = {}
        if f.reals:
            kinds["x_space"] = np.array([[-f.half, f.half]] * f.reals)
        if f.integers:
            kinds["z_space"] = [np.arange(-10, 11)] * f.integers
        if f.categories:
            kinds["c_space"] = list(f.categories)
        optimizer = CatCMAwM(**kinds, seed=seed)
        while not optimizer.should_stop():
            told = []
            for _ in range(optimizer.population_size):
                s = optimizer.ask()
                z = np.concatenate([np.ravel(v) for v in (s.x, s.z) if v is not None]) if numbers else []
                c = np.argmax(s.c, axis=1) if f.categories else []
                told.append((s, counted(z, c)))
            optimizer.tell(told)


def cmawm(counted: Counted, seed: int) -> None:
    """CMAwM of the package cmaes, with twice the population at each restart; it has no categories."""
    from cmaes import CMAwM

    f = counted.function
    if f.categories:
        raise NotImplementedError
    bounds = np.array([[-f.half, f.half]] * f.reals + [[-10, 10]] * f.integers)
    steps = np.array([0.0] * f.reals + [1.0] * f.integers)
    population = 4 + int(3 * np.log(f.d))
    rng = np.random.default_rng(seed)
    while True:
        seed += 1
        mean = bounds.mean(axis=1) if not counted.best else rng.uniform(*bounds.T)
        optimizer = CMAwM(
            mean=mean,
            sigma=0.2 * 2 * f.half,
            bounds=bounds,
            steps=steps,
            seed=seed,
            population_size=population,
        )
        while not optimizer.should_stop():
            told = []
            for _ in range(optimizer.population_size):
                evaluated, kept = optimizer.ask()
                told.append((kept, counted(evaluated, [])))
            optimizer.tell(told)
        population *= 2


def tpe(counted: Counted, seed: int) -> None:
    """Optuna's TPE, multivariate."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    f = counted.function

    def objective(trial: Any) -> float:
        z = [trial.suggest_float(f"z{i}", -f.half, f.half) for i in range(f.reals)]
        z += [trial.suggest_int(f"z{i}", -10, 10) for i in range(f.reals, f.reals + f.integers)]
        c = [trial.suggest_categorical(f"c{i}", list(range(k))) for i, k in enumerate(f.categories)]
        return counted(z, c)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
    study.optimize(objective, n_trials=counted.budget)


def de(counted: Counted, seed: int) -> None:
    """Scipy's differential evolution, categories as whole numbers."""
    from scipy.optimize import differential_evolution

    f = counted.function
    numbers = f.reals + f.integers
    bounds = [(-f.half, f.half)] * f.reals + [(-10, 10)] * f.integers + [(0, k - 1) for k in f.categories]
    whole = [False] * f.reals + [True] * (f.d - f.reals)
    while True:
        seed += 1
        differential_evolution(
            lambda x: counted(x[:numbers], x[numbers:]),
            bounds,
            integrality=whole,
            rng=seed,
            polish=False,
            tol=0,
            atol=1e-12,
        )


SOLVERS: dict[str, Callable[[Counted, int], None]] = {
    "ours": ours,
    "catcma": catcma,
    "cmawm": cmawm,
    "de": de,
    "random": random,
    "tpe": tpe,
}
MOST = {"tpe": 30}  # evaluations per variable beyond which a solver takes minutes


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=FIRST_SEED, runs=5)
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS), choices=SOLVERS)
    parser.add_argument("--groups", nargs="+", default=list(GROUPS), choices=GROUPS)
    parser.add_argument("--dims", nargs="+", type=positive(int), default=[6, 12])
    parser.add_argument(
        "--budgets", nargs="+", type=positive(int), default=[10, 30, 100, 300], help="per variable"
    )
    parser.add_argument("--each", action="store_true", help="a line for each function too")
    parser.add_argument("--keep", metavar="FILE", help="of rows that are not run again")
    arguments = parser.parse_args()
    kept = Kept(arguments.keep)
    warnings.simplefilter("ignore")
    for group in arguments.groups:
        print(f"## {group}: log10 of the best value after {arguments.budgets} evaluations a variable")
        gaps: dict[str, Any] = {}
        for name in arguments.solvers:
            began = time.process_time()
            said = _gaps(name, group, arguments, kept)
            if isinstance(said, str):
                print(f"{name:8} {said}")
                continue
            gaps[name] = said
            cells = []
            for k in range(len(arguments.budgets)):
                mean = np.mean([each[k] for each in said.values()])
                cell = f"{mean:6.2f}"
                if name != "ours" and "ours" in gaps:
                    difference = [said[key][k] - gaps["ours"][key][k] for key in said]
                    cell += f" ± {np.std(difference, ddof=1) / np.sqrt(len(difference)):.2f}"
                cells.append(cell if np.isfinite(mean) else "-")
            print(f"{name:8} {' / '.join(cells)}   ({time.process_time() - began:.0f} s of CPU)", flush=True)
            if arguments.each:
                for function in dict.fromkeys(key[0] for key in said):
                    rows = np.mean([each for key, each in said.items() if key[0] == function], axis=0)
                    print(f"    {function:16} {' / '.join(f'{v:6.2f}' for v in rows)}", flush=True)


def _gaps(name: str, group: str, arguments: Any, kept: Kept) -> Any:
    """Return the gaps at the budgets by function and seed, or why there are none."""
    out = {}
    for make in GROUPS[group]:
        for d in arguments.dims:
            for seed in range(arguments.seed, arguments.seed + arguments.runs):
                function = make(d, np.random.default_rng([seed, d]))
                made = partial(_row, name, function, seed, arguments.budgets)
                try:
                    out[function.name, seed] = kept.row([name, function.name, seed, arguments.budgets], made)
                except ImportError as error:
                    return f"is missing ({error})"
                except NotImplementedError:
                    return "has no way in"
    return out


def _row(name: str, function: Function, seed: int, budgets: list[int]) -> list[float]:
    """Return the gap at each budget, NaN where the solver would take minutes."""
    most = max([b for b in budgets if b <= MOST.get(name, b)], default=0)
    cells = []
    counted = Counted(function, 0)
    for b in budgets:
        if b > most:
            cells.append(np.nan)
            continue
        if name == "ours" or not counted.best:
            counted = Counted(function, (b if name == "ours" else most) * function.d)
            with suppress(Spent):
                SOLVERS[name](counted, seed)
        cells.append(counted.at(b * function.d))
    return cells


if __name__ == "__main__":
    carry_out_benchmark(main)
