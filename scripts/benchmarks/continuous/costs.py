"""What the methods themselves cost: time an evaluation, and time to a target with many variables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from solvers import BOX

import cem
from problems.continuous import ellipsoid, rosenbrock, sphere

TARGET = 1e-8
SPREAD = 2.0


def overhead(d: int = 20, repeats: int = 5) -> None:
    """Print the own processor time an evaluation, the least of several measurements."""
    matrix = np.random.default_rng(0).standard_normal((d, d))

    def rotated(x: Any) -> float:
        y = matrix @ x - 3
        return float(y @ y) + 20 * float(np.cos(5 * y).sum())

    x = np.zeros(d)
    budget = 1000 * d
    price = min(_seconds(lambda: [rotated(x) for _ in range(budget)]) for _ in range(repeats)) / budget
    for name, options in (("whole", {}), ("core", {"polish": False})):
        seconds = min(
            _seconds(
                lambda options=options: cem.optimize(
                    rotated, bounds=[(-BOX, BOX)] * d, max_evaluations=budget, rng=1, **options
                )
            )
            for _ in range(repeats)
        )
        print(f"{name}: {(seconds / budget - price) * 1e6:.1f} µs an evaluation at D = {d}")
    vectorised(1000, repeats)


def vectorised(d: int, repeats: int) -> None:
    """Print the own time of a separable run beside that of its normal deviates alone."""
    update, budget = cem.updates.PathAdaptation("separable"), 20_000
    start = cem.Gaussian(np.random.default_rng(0).uniform(-1, 3, d), std=SPREAD)
    n = update.population(start)
    rows, rng = np.empty((n, d)), np.random.default_rng(0)
    batches = budget // n
    floor = min(_seconds(lambda: _fill(rows, rng, batches)) for _ in range(repeats))
    price = min(_seconds(lambda: _score(rows, batches)) for _ in range(repeats))
    whole = min(
        _seconds(
            lambda: cem.optimize(
                ellipsoid,
                start,
                vectorized=True,
                update=update,
                population=n,
                max_evaluations=batches * n,
                rng=1,
            )
        )
        for _ in range(repeats)
    )
    own, floor = ((seconds / batches / n * 1e6) for seconds in (whole - price, floor))
    print(
        f"separable, vectorised, D = {d}: {own:.1f} µs a candidate, {own / floor:.2f} × its normal deviates"
    )


def _fill(rows: Any, rng: np.random.Generator, times: int) -> None:
    for _ in range(times):
        rng.standard_normal(out=rows)


def _score(rows: Any, times: int) -> None:
    for _ in range(times):
        ellipsoid(rows)


def _seconds(job: Callable[[], Any]) -> float:
    began = time.process_time()
    job()
    return time.process_time() - began


def large(dims: Iterable[int], names: Iterable[str], limit: float) -> None:
    """Print value, evaluations and seconds to 1e-8, each method for at most `limit` seconds."""
    for d in dims:
        for function in (sphere, ellipsoid, rosenbrock):
            begin = np.random.default_rng(0).uniform(-1, 3, d)
            for name in names:
                began = time.perf_counter()
                best, evaluations = LARGE[name](function, begin, limit)
                seconds = time.perf_counter() - began
                print(
                    f"{function.name} D = {d} {name}: {best:.1e}, {evaluations:,} evaluations, "
                    f"{seconds:.1f} s",
                    flush=True,
                )


def _ours(function: Any, begin: Any, limit: float, **options: Any) -> tuple[float, int]:
    start = cem.Gaussian(begin, std=SPREAD)
    r = cem.optimize(function, start, vectorized=True, target=TARGET, max_time=limit, rng=1, **options)
    return r.fun, r.nfev


def _variant(name: str) -> Callable[[Any, Any, float], tuple[float, int]]:
    return lambda function, begin, limit: _ours(
        function, begin, limit, update=cem.updates.PathAdaptation(name)
    )


def _pycma(function: Any, begin: Any, limit: float, *, restricted: bool) -> tuple[float, int]:
    import cma
    from cma.restricted_gaussian_sampler import GaussVkDSampler

    options = {"verbose": -9, "seed": 1, "ftarget": TARGET, "timeout": limit}
    if restricted:
        options = GaussVkDSampler.extend_cma_options(options)
    else:
        options["CMA_diagonal"] = True
    method = cma.CMAEvolutionStrategy(begin, SPREAD, options)
    while not method.stop():  # rows together, as ours get them
        rows = method.ask()
        method.tell(rows, function(np.array(rows)).tolist())
    return float(method.result.fbest), int(method.result.evaluations)


LARGE: dict[str, Callable[[Any, Any, float], tuple[float, int]]] = {
    "ours": _ours,
    "separable": _variant("separable"),
    "low-rank": _variant("low-rank"),
    "pycma_vkd": lambda *given: _pycma(*given, restricted=True),
    "pycma_diagonal": lambda *given: _pycma(*given, restricted=False),
}
