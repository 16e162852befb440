"""Continuous optimisation on BBOB, ours and peers on the same problems, always inside the box.

    python scripts/benchmark_continuous.py ours control pycma --instances 54-55 --dims 2 5 10 20
    python scripts/benchmark_continuous.py core pycma --noisy        # f + N(0, 0.1²)
    python scripts/benchmark_continuous.py ours control --float32    # f rounded to single precision
    python scripts/benchmark_continuous.py --overhead                # our own time an evaluation
    python scripts/benchmark_continuous.py --large                   # 100 to 10,000 variables

Needs ``pip install cemkit[bench]``. Cells are *area / fraction*: for 51 targets 10^2 … 10^-8 above the
optimum, the share of the log10(evaluations / D) axis from 1 to the budget that lies right of the first hit,
and the share of targets hit; averages over targets and problems. Standard errors are clustered by function.
A solver that ends before the budget does is started again with another seed.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize as scipy_optimize

import cem

TUNED = range(11, 16)  # instances that settings were chosen on
LOOKED_AT = range(51, 54)  # instances that were looked at while they were
ALLOWED = range(1, 61)
TARGETS = 10.0 ** np.linspace(2, -8, 51)
GROUPS = {
    "separable": range(1, 6),
    "moderate": range(6, 10),
    "ill": range(10, 15),
    "multimodal": range(15, 20),
    "weak": range(20, 25),
}
BOX = 5.0


class Exhausted(BaseException):
    """The budget is spent: no solver is to catch it."""


class Recorder:
    """An objective that counts, notes when each new best came, and refuses at the budget."""

    def __init__(
        self, function: int, instance: int, d: int, budget: int, options: argparse.Namespace
    ) -> None:
        import cocoex

        self.problem = cocoex.BareProblem("bbob", function, d, instance)
        self.optimum = self.problem.best_value()
        self.d, self.budget, self.count, self.outside = d, budget, 0, 0
        self.noise = 0.1 if options.noisy else 0.0
        self.float32 = options.float32
        self.rng = np.random.default_rng([function, instance, d])
        self.best = np.inf
        self.improvements: list[tuple[int, float]] = []

    def __call__(self, x: Any) -> float:
        """Evaluate one point."""
        if self.count >= self.budget:
            raise Exhausted
        self.count += 1
        self.outside += bool(np.max(np.abs(x)) > BOX)
        value = float(self.problem(x))
        if value < self.best:
            self.best = value
            self.improvements.append((self.count, value - self.optimum))
        value += self.noise * self.rng.standard_normal() if self.noise else 0.0
        return float(np.float32(value)) if self.float32 else value

    @property
    def left(self) -> int:
        """Evaluations that may still be spent."""
        return self.budget - self.count

    def hits(self) -> Any:
        """Evaluations at which each target was first hit, infinite where it was not."""
        out = np.full(TARGETS.size, np.inf)
        k = 0
        for count, gap in self.improvements:
            while k < TARGETS.size and gap <= TARGETS[k]:
                out[k] = count
                k += 1
        return out


# --- solvers: each spends f.left evaluations ----------------------------------------------------------


def _again(f: Recorder, seed: int, **options: Any) -> None:
    while f.left > 0:
        cem.optimize(f, bounds=[(-BOX, BOX)] * f.d, max_evaluations=f.left, rng=seed, **options)
        seed += 1


def ours(f: Recorder, seed: int) -> None:
    _again(f, seed)


def core(f: Recorder, seed: int) -> None:
    _again(f, seed, polish=False)


def textbook(f: Recorder, seed: int) -> None:
    _again(f, seed, method="textbook")


def pycma(f: Recorder, seed: int) -> None:
    import cma

    rng = np.random.default_rng(seed)
    start: Any = np.zeros(f.d)
    while f.left > 0:
        options = {"bounds": [-BOX, BOX], "verbose": -9, "seed": seed + 1, "maxfevals": f.left}
        cma.fmin2(f, start, 2.0, options, restarts=9, bipop=True)
        start = lambda: rng.uniform(-4, 4, f.d)  # noqa: E731


def control(f: Recorder, seed: int) -> None:
    limit = 100 * f.d

    def capped(x: Any) -> float:
        if f.count >= limit:
            raise StopIteration
        return f(x)

    with suppress(StopIteration):
        _slsqp(capped, np.zeros(f.d))
    pycma(f, seed)


def _slsqp(fun: Callable[[Any], float], x: Any) -> None:
    d = len(x)
    scipy_optimize.minimize(
        lambda y: fun(np.clip(y, -BOX, BOX)),
        x,
        method="SLSQP",
        bounds=[(-BOX, BOX)] * d,
        options={"maxiter": 10**6, "ftol": 1e-14},
    )


def slsqp(f: Recorder, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.zeros(f.d)
    while f.left > 0:
        _slsqp(f, x)
        x = rng.uniform(-BOX, BOX, f.d)


def cmaes(f: Recorder, seed: int) -> None:
    from cmaes import CMA

    population = 4 + int(3 * np.log(f.d))
    rng = np.random.default_rng(seed)
    box = np.array([[-BOX, BOX]] * f.d)
    mean = np.zeros(f.d)
    while f.left > 0:
        method = CMA(mean, 2.0, bounds=box, seed=int(rng.integers(2**31)), population_size=population)
        while not method.should_stop():
            rows = [method.ask() for _ in range(method.population_size)]
            method.tell([(x, f(x)) for x in rows])
        mean, population = rng.uniform(-4, 4, f.d), 2 * population


def de(f: Recorder, seed: int) -> None:
    while f.left > 0:
        scipy_optimize.differential_evolution(f, [(-BOX, BOX)] * f.d, rng=seed, maxiter=10**6)
        seed += 1


def dual_annealing(f: Recorder, seed: int) -> None:
    while f.left > 0:
        scipy_optimize.dual_annealing(f, [(-BOX, BOX)] * f.d, rng=seed, maxiter=10**5)
        seed += 1


def random_search(f: Recorder, seed: int) -> None:
    rng = np.random.default_rng(seed)
    while f.left > 0:
        f(rng.uniform(-BOX, BOX, f.d))


SOLVERS: dict[str, Callable[[Recorder, int], None]] = {
    "ours": ours,
    "core": core,
    "control": control,
    "pycma": pycma,
    "cmaes": cmaes,
    "slsqp": slsqp,
    "de": de,
    "dual_annealing": dual_annealing,
    "textbook": textbook,
    "random": random_search,
}


def solve(name: str, function: int, instance: int, d: int, options: argparse.Namespace) -> tuple[Any, float]:
    """Give the hits of one run and its microseconds an evaluation."""
    f = Recorder(function, instance, d, options.multiple * d, options)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(Exhausted):
            SOLVERS[name](f, zlib.crc32(f"{function}-{instance}-{d}".encode()) % 10**6)
    if f.outside:
        print(f"  {name} left the box {f.outside} times on f{function}, instance {instance}, D = {d}")
    return f.hits(), (time.perf_counter() - start) / max(f.count, 1) * 1e6


# --- measures -----------------------------------------------------------------------------------------


def area(hits: Any, d: int, multiple: float) -> float:
    inside = np.where(hits <= multiple * d, hits / d, multiple)
    return float(np.mean(1 - np.log10(np.maximum(inside, 1)) / np.log10(multiple)))


def fraction(hits: Any, d: int, multiple: float) -> float:
    return float(np.mean(hits <= multiple * d))


def clustered_error(differences: Any, functions: Any) -> float:
    """Standard error of the mean where problems of one function go together."""
    totals = np.array(
        [(differences[functions == f] - differences.mean()).sum() for f in np.unique(functions)]
    )
    m = totals.size
    return float(np.sqrt(m / max(m - 1, 1) * (totals**2).sum()) / differences.size)


def cell(area_: float, fraction_: float) -> str:
    return f"{area_:.3f}/{fraction_:.3f}".replace("0.", ".")


def report(problems: Any, results: dict[str, list[Any]], options: argparse.Namespace) -> None:
    """Print a table, and the paired differences of the first solver from the others."""
    functions, dims = problems[:, 0], problems[:, 2]
    multiple = options.multiple
    tables = {
        name: np.array(
            [
                (area(h, d, multiple), fraction(h, d, multiple), area(h, d, 100), fraction(h, d, 100))
                for h, d in zip(rows, dims, strict=True)
            ]
        )
        for name, rows in results.items()
    }
    columns = {"all": functions > 0, "6–24": functions > 5}
    columns |= {f"D={d}": dims == d for d in np.unique(dims)}
    columns |= {group: np.isin(functions, list(members)) for group, members in GROUPS.items()}
    columns = {name: mask for name, mask in columns.items() if mask.any()}
    print(f"\n| {multiple}·D | 100·D | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 2) + "|")
    for name, t in tables.items():
        cells = [cell(t[:, 2].mean(), t[:, 3].mean())]
        cells += [cell(t[mask, 0].mean(), t[mask, 1].mean()) for mask in columns.values()]
        print(f"| {name} | " + " | ".join(cells) + " |")
    first, *others = tables
    for other in others:
        difference = tables[first] - tables[other]
        parts = []
        for name in ("all", "6–24"):
            if name in columns:
                mask = columns[name]
                for k, kind in ((0, "area"), (1, "fraction")):
                    error = clustered_error(difference[mask, k], functions[mask])
                    parts.append(f"{name} {kind} {difference[mask, k].mean():+.3f} ± {error:.3f}")
        error = clustered_error(difference[:, 2], functions)
        parts.append(f"100·D area {difference[:, 2].mean():+.3f} ± {error:.3f}")
        print(f"\n{first} − {other}: " + "; ".join(parts))
    if options.per_function:
        for f in np.unique(functions):
            mask = functions == f
            cells_ = "  ".join(f"{n} {cell(t[mask, 0].mean(), t[mask, 1].mean())}" for n, t in tables.items())
            print(f"f{f:<3} {cells_}")


def plot(problems: Any, results: dict[str, list[Any]], multiple: int, path: str) -> None:
    """Draw the share of targets hit against evaluations / D."""
    import matplotlib.pyplot as plt

    budgets = np.logspace(0, np.log10(multiple), 200)
    for name, rows in results.items():
        scaled = np.concatenate([hits / d for hits, d in zip(rows, problems[:, 2], strict=True)])
        plt.semilogx(budgets, [(scaled <= b).mean() for b in budgets], label=name)
    plt.xlabel("evaluations / D")
    plt.ylabel("share of targets hit")
    plt.legend()
    plt.savefig(path, dpi=150)


# --- other modes --------------------------------------------------------------------------------------


def overhead(d: int = 20) -> None:
    """Print our own time an evaluation on functions of known price."""
    matrix = np.random.default_rng(0).standard_normal((d, d))

    def rotated(x: Any) -> float:
        y = matrix @ x - 3
        return float(y @ y) + 20 * float(np.cos(5 * y).sum())

    x = np.zeros(d)
    start = time.process_time()
    for _ in range(20_000):
        rotated(x)
    price = (time.process_time() - start) / 20_000
    for name, options in (("whole", {}), ("core", {"polish": False})):
        start = time.process_time()
        r = cem.optimize(rotated, bounds=[(-BOX, BOX)] * d, max_evaluations=1000 * d, rng=1, **options)
        own = (time.process_time() - start) / r.nfev - price
        print(f"{name}: {own * 1e6:.1f} µs an evaluation at D = {d}, {r.nfev} evaluations")


def large() -> None:
    """Print evaluations and seconds to 1e-8 of each variant."""
    from problems import continuous

    for d in (100, 1000, 10_000):
        for function in (continuous.sphere, continuous.ellipsoid, continuous.rosenbrock):
            start = np.random.default_rng(0).uniform(-1, 3, d)
            for variant in ("separable", "low-rank"):
                r = cem.optimize(
                    function,
                    start=cem.Gaussian(start, std=2.0),
                    vectorized=True,
                    update=cem.updates.PathAdaptation(variant),
                    target=1e-8,
                    max_time=60,
                    rng=1,
                )
                print(
                    f"{function.name} D = {d} {variant}: {r.fun:.1e}, {r.nfev} evaluations, {r.elapsed:.1f} s"
                )


def numbers(parts: Iterable[str]) -> list[int]:
    """Read numbers and ranges such as 54-55."""
    out: list[int] = []
    for part in parts:
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def named(instances: list[int]) -> str:
    """Say what instances are good for."""
    kinds = {"tuned on": TUNED, "looked at": LOOKED_AT}
    found = [f"{name}: {[i for i in instances if i in kind]}" for name, kind in kinds.items()]
    free = [i for i in instances if i not in TUNED and i not in LOOKED_AT]
    return "; ".join([*found, f"never looked at: {free}"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("solvers", nargs="*", default=[], metavar="SOLVER", help=", ".join(SOLVERS))
    parser.add_argument("--instances", nargs="+", default=["56-57"])
    parser.add_argument("--dims", nargs="+", default=["2", "5", "10", "20"])
    parser.add_argument("--functions", nargs="+", default=["1-24"])
    parser.add_argument("--multiple", type=int, default=1000, help="budget in evaluations a variable")
    parser.add_argument("--noisy", action="store_true", help="add N(0, 0.1²) to what solvers see")
    parser.add_argument("--float32", action="store_true", help="round what solvers see")
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--per-function", action="store_true")
    parser.add_argument("--plot", metavar="PATH", help="write the ECDFs (needs matplotlib)")
    parser.add_argument("--save", metavar="PATH", help="keep the hits, or take those already there")
    options = parser.parse_args()
    if options.overhead:
        overhead()
    if options.large:
        large()
    if options.overhead or options.large:
        return
    unknown = set(options.solvers) - set(SOLVERS)
    instances = numbers(options.instances)
    if unknown or not options.solvers or any(i not in ALLOWED for i in instances):
        parser.error(f"name solvers out of {', '.join(SOLVERS)}, and instances within 1–60")
    print(named(instances))
    problems = [
        (f, i, d) for d in numbers(options.dims) for f in numbers(options.functions) for i in instances
    ]
    kept = Path(options.save) if options.save else None
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
    report(np.array(problems), results, options)
    if options.plot:
        plot(np.array(problems), results, options.multiple, options.plot)


if __name__ == "__main__":
    main()
