"""BBOB problems as solvers see them, and the solvers: each spends the evaluations that are left."""

from __future__ import annotations

import argparse
import time
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from scipy import optimize as scipy_optimize

import cem

TARGETS = 10.0 ** np.linspace(2, -8, 51)
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


PACKAGES = {"pycma": "cma", "control": "cma", "cmaes": "cmaes"}  # that solvers need


def solve(name: str, function: int, instance: int, d: int, options: argparse.Namespace) -> tuple[Any, float]:
    """Return the hits of one run and its microseconds an evaluation."""
    f = Recorder(function, instance, d, options.multiple * d, options)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(Exhausted):
            SOLVERS[name](f, zlib.crc32(f"{function}-{instance}-{d}".encode()) % 10**6)
    if f.outside:
        print(f"  {name} left the box {f.outside} times on f{function}, instance {instance}, D = {d}")
    return f.hits(), (time.perf_counter() - start) / max(f.count, 1) * 1e6
