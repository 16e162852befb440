"""Claims of convergence, held against functions whose best basin is not about the middle.

    python scripts/benchmarks/continuous/claims.py --dims 2 5 --runs 5
    python scripts/benchmarks/continuous/claims.py ours agreement de --kinds valleys peaks

Every function has a known best value, and several basins of unequal size at random places. A claim is a run
that says it has converged; it is wrong where the value is worse than the best by more than 1e-6 of the
difference between the best two basins. `agreement` is the library with the rule that two runs which agree are
enough, four where one ended elsewhere, and a probe towards the start; `de` is scipy's differential
evolution. Easy functions, with one basin, say what a claim costs.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import numpy as np

import cem
from cem.plans.continuous import ContinuousSearch
from problems.command import carry_out_benchmark, make_benchmark_parser

Function = Callable[[np.ndarray], np.ndarray]


def rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    """Draw an orthogonal matrix."""
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def valleys(rng: np.random.Generator, d: int) -> tuple[Function, float]:
    """Two ellipsoidal valleys, the better one two to six times as steep."""
    centres, steep = rng.uniform(-4, 4, (2, d)), rng.uniform(2, 6)
    axes = 10 ** rng.uniform(-0.5, 0.5, (2, d))
    turns = [rotation(rng, d) for _ in range(2)]
    centres[1] *= 0.3

    def fun(x: np.ndarray) -> np.ndarray:
        z = [(x - c) @ q * a for c, q, a in zip(centres, turns, axes, strict=True)]
        return np.minimum(steep**2 * (z[0] ** 2).sum(axis=1), (z[1] ** 2).sum(axis=1) + 1)

    return fun, 1.0


def peaks(rng: np.random.Generator, d: int) -> tuple[Function, float]:
    """Eight hollows of random width and depth in a gently sloping plane."""
    centres = rng.uniform(-4, 4, (8, d))
    widths = rng.uniform(0.8, 2.5, 8) * np.sqrt(d)
    depths = np.concatenate([[10.0], rng.uniform(2, 9, 7)])

    def fun(x: np.ndarray) -> np.ndarray:
        away = ((x[:, None] - centres) ** 2).sum(axis=2) / widths**2
        return 10 - (depths * np.exp(-away / 2)).max(axis=1)

    return fun, 1.0


def cones(rng: np.random.Generator, d: int) -> tuple[Function, float]:
    """Three cones, kinked at their tips, the best of them the narrowest."""
    centres = rng.uniform(-4, 4, (3, d))
    slopes, floors = np.array([3.0, 1.5, 1.0]), np.array([0.0, 1.0, 2.0])

    def fun(x: np.ndarray) -> np.ndarray:
        away = np.sqrt(((x[:, None] - centres) ** 2).mean(axis=2))
        return (slopes * away + floors).min(axis=1)

    return fun, 1.0


def folded(rng: np.random.Generator, d: int) -> tuple[Function, float]:
    """A sum of double wells, tilted: one basin for each corner, the best one anywhere."""
    signs, tilt = rng.choice([-1.0, 1.0], d), rng.uniform(0.3, 0.8, d)
    scale = rng.uniform(1.5, 3.0, d)

    def well(x: np.ndarray) -> np.ndarray:
        z = x * signs / scale
        return ((z**2 - 1) ** 2 - tilt * z).sum(axis=1)

    z = np.ones(d)
    for _ in range(60):
        z = z - (4 * z * (z**2 - 1) - tilt) / (12 * z**2 - 4)
    least = ((z**2 - 1) ** 2 - tilt * z).sum()
    return (lambda x: well(x) - least), float(tilt.min())


def ellipsoid(rng: np.random.Generator, d: int) -> tuple[Function, float]:
    """One basin, axes of 1 to 1000, turned."""
    centre, turn = rng.uniform(-4, 4, d), rotation(rng, d)
    axes = 10 ** np.linspace(0, 3, d)
    return (lambda x: (((x - centre) @ turn * axes) ** 2).sum(axis=1)), 1.0


def banana(rng: np.random.Generator, d: int) -> tuple[Function, float]:
    """Rosenbrock's valley, moved."""
    shift = rng.uniform(-2, 2, d)

    def fun(x: np.ndarray) -> np.ndarray:
        z = x - shift + 1
        return (100 * (z[:, 1:] - z[:, :-1] ** 2) ** 2 + (1 - z[:, :-1]) ** 2).sum(axis=1)

    return fun, 1.0


HARD = {"valleys": valleys, "peaks": peaks, "cones": cones, "folded": folded}
EASY = {"ellipsoid": ellipsoid, "banana": banana}


def ours(fun: Function, d: int, seed: int) -> tuple[float, bool, int]:
    """Run the library's default."""
    r = cem.optimize(fun, bounds=[(-5, 5)] * d, vectorized=True, max_evaluations=10_000 * d, rng=seed)
    return r.fun, r.success, r.nfev


def agreement(fun: Function, d: int, seed: int) -> tuple[float, bool, int]:
    """Run the library without looks."""
    with mock.patch.object(ContinuousSearch, "_looks", return_value=None):
        return ours(fun, d, seed)


def de(fun: Function, d: int, seed: int) -> tuple[float, bool, int]:
    """Run scipy's differential evolution."""
    from scipy.optimize import differential_evolution

    r = differential_evolution(
        lambda x: float(fun(x[None])[0]), [(-5, 5)] * d, rng=seed, maxiter=10_000 // 15 - 1
    )
    return float(r.fun), bool(r.success), r.nfev


SOLVERS = {"ours": ours, "agreement": agreement, "de": de}


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=10)
    parser.add_argument("solvers", nargs="*", default=[], metavar="SOLVER", help=", ".join(SOLVERS))
    parser.add_argument("--dims", nargs="+", default=["2", "5"])
    parser.add_argument("--kinds", nargs="+", default=[*HARD, *EASY])
    given = parser.parse_args()
    names, seeds = given.solvers or list(SOLVERS), range(given.seed, given.seed + given.runs)
    costs: dict[str, list[float]] = {name: [] for name in names}
    print("| kind | d | solver | claims | wrong | solved | evaluations (median) |")
    print("|---|---|---|---|---|---|---|")
    for kind in given.kinds:
        for d in map(int, given.dims):
            for name in names:
                rows = []
                for seed in seeds:
                    rng = np.random.default_rng((seed, d, sorted({**HARD, **EASY}).index(kind)))
                    fun, gap = {**HARD, **EASY}[kind](rng, d)
                    value, claimed, spent = SOLVERS[name](fun, d, seed)
                    rows.append((claimed, value < 1e-6 * gap, spent))
                claims, right, spent = np.array(rows).T
                wrong = int((claims * (1 - right)).sum())
                if kind in EASY:
                    costs[name] += np.log(spent).tolist()
                print(
                    f"| {kind} | {d} | {name} | {int(claims.sum())} of {len(rows)} | {wrong} "
                    f"| {right.mean():.2f} | {np.median(spent):.0f} |",
                    flush=True,
                )
    if "agreement" in names and costs["agreement"] and "ours" in names:
        price = np.exp(np.mean(costs["ours"]) - np.mean(costs["agreement"]))
        print(f"\nEvaluations on functions with one basin, ours over agreement (geometric mean): {price:.2f}")


if __name__ == "__main__":
    carry_out_benchmark(main)
