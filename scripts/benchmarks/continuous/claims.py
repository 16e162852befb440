"""Claims of convergence, held against functions whose best basin is not about the middle.

    python scripts/benchmarks/continuous/claims.py ours agreement de --dims 2 5 --runs 5
    python scripts/benchmarks/continuous/claims.py constrained noisy unpolished unbounded

Every function has a known best value, and several basins of unequal size at random places. A claim is a run
that says it has converged; it is wrong where the value is worse than the best by more than 1e-6 of the
difference between the best two basins. Claims where the best basin holds 1 % of the box or more are counted
once more. Easy functions, with one basin, say what a claim costs.

`agreement` is the library with the rule that two runs which agree are enough, four where one ended
elsewhere, and a probe towards the start; `de` is scipy's differential evolution; `unpolished` is the library
without local methods, `unbounded` from a Gaussian start, not in a box. `constrained` has a plane through
the best point, so that half of its basin is out of reach, and a ball about the middle. `noisy` adds noise of
.01 of the difference between the best two basins and says so: a claim is wrong there where the true value is
worse than the best by half of that difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem
from cem.plans.continuous import ContinuousSearch
from problems.command import carry_out_benchmark, make_benchmark_parser, positive

Function = Callable[[np.ndarray], np.ndarray]
NOISE = 0.01  # of the difference between the best two basins
ROWS = 20_000  # that the best basin's share is counted among
WIDE = 0.01  # share of the box


class Case(NamedTuple):
    """A function with least value 0 at `best`, the rise to the next basin, and which rows are in the best."""

    fun: Function
    gap: float
    best: np.ndarray
    held: Callable[[np.ndarray], np.ndarray]

    @property
    def share(self) -> float:
        """The share of the box that the best basin holds."""
        x = np.random.default_rng(0).uniform(-5, 5, (ROWS, self.best.size))
        return float(self.held(x).mean())


def rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    """Draw an orthogonal matrix."""
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


def least_of(pieces: Function, best: np.ndarray) -> Case:
    """Return the least of several pieces, shape ``(n, k)``; the first of them is the best."""
    return Case(lambda x: pieces(x).min(axis=1), 1.0, best, lambda x: pieces(x).argmin(axis=1) == 0)


def valleys(rng: np.random.Generator, d: int) -> Case:
    """Two ellipsoidal valleys, the better one two to six times as steep."""
    centres, steep = rng.uniform(-4, 4, (2, d)), rng.uniform(2, 6)
    axes = 10 ** rng.uniform(-0.5, 0.5, (2, d))
    turns = [rotation(rng, d) for _ in range(2)]
    centres[1] *= 0.3

    def both(x: np.ndarray) -> np.ndarray:
        z = [(x - c) @ q * a for c, q, a in zip(centres, turns, axes, strict=True)]
        return np.stack([steep**2 * (z[0] ** 2).sum(axis=1), (z[1] ** 2).sum(axis=1) + 1], axis=1)

    return least_of(both, centres[0])


def peaks(rng: np.random.Generator, d: int) -> Case:
    """Eight hollows of random width and depth in a gently sloping plane."""
    centres = rng.uniform(-4, 4, (8, d))
    widths = rng.uniform(0.8, 2.5, 8) * np.sqrt(d)
    depths = np.concatenate([[10.0], rng.uniform(2, 9, 7)])

    def hollows(x: np.ndarray) -> np.ndarray:
        return 10 - depths * np.exp(-((x[:, None] - centres) ** 2).sum(axis=2) / widths**2 / 2)

    return least_of(hollows, centres[0])


def cones(rng: np.random.Generator, d: int) -> Case:
    """Three cones, kinked at their tips, the best of them the narrowest."""
    centres = rng.uniform(-4, 4, (3, d))
    slopes, floors = np.array([3.0, 1.5, 1.0]), np.array([0.0, 1.0, 2.0])

    def three(x: np.ndarray) -> np.ndarray:
        return slopes * np.sqrt(((x[:, None] - centres) ** 2).mean(axis=2)) + floors

    return least_of(three, centres[0])


def folded(rng: np.random.Generator, d: int) -> Case:
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
    best = z * signs * scale
    return Case(lambda x: well(x) - least, float(tilt.min()), best, lambda x: (x * best > 0).all(axis=1))


def everywhere(x: np.ndarray) -> np.ndarray:
    """One basin holds all rows."""
    return np.ones(len(x), dtype=np.bool_)


def ellipsoid(rng: np.random.Generator, d: int) -> Case:
    """One basin, axes of 1 to 1000, turned."""
    centre, turn = rng.uniform(-4, 4, d), rotation(rng, d)
    axes = 10 ** np.linspace(0, 3, d)
    return Case(lambda x: (((x - centre) @ turn * axes) ** 2).sum(axis=1), 1.0, centre, everywhere)


def banana(rng: np.random.Generator, d: int) -> Case:
    """Rosenbrock's valley, moved."""
    shift = rng.uniform(-2, 2, d)

    def fun(x: np.ndarray) -> np.ndarray:
        z = x - shift + 1
        return (100 * (z[:, 1:] - z[:, :-1] ** 2) ** 2 + (1 - z[:, :-1]) ** 2).sum(axis=1)

    return Case(fun, 1.0, shift, everywhere)


HARD = {"valleys": valleys, "peaks": peaks, "cones": cones, "folded": folded}
EASY = {"ellipsoid": ellipsoid, "banana": banana}


def searched(case: Case, d: int, seed: int, **options: Any) -> tuple[float, bool, int]:
    """Run the library; return the true value at the end, whether that is claimed, and the evaluations."""
    space = {} if "start" in options else {"bounds": [(-5, 5)] * d}
    given = (
        space | {"fun": case.fun, "vectorized": True, "max_evaluations": 10_000 * d, "rng": seed} | options
    )
    r = cem.optimize(**given)
    return float(case.fun(r.x[None])[0]), r.success, r.nfev


def agreement(case: Case, d: int, seed: int) -> tuple[float, bool, int]:
    """Run the library without looks."""
    with mock.patch.object(ContinuousSearch, "_looks", return_value=None):
        return searched(case, d, seed)


def de(case: Case, d: int, seed: int) -> tuple[float, bool, int]:
    """Run scipy's differential evolution."""
    from scipy.optimize import differential_evolution

    r = differential_evolution(
        lambda x: float(case.fun(x[None])[0]), [(-5, 5)] * d, rng=seed, maxiter=10_000 // 15 - 1
    )
    return float(r.fun), bool(r.success), r.nfev


def unpolished(case: Case, d: int, seed: int) -> tuple[float, bool, int]:
    """Run the library without local methods."""
    return searched(case, d, seed, polish=False)


def unbounded(case: Case, d: int, seed: int) -> tuple[float, bool, int]:
    """Run the library from a Gaussian start whose region is the box."""
    return searched(case, d, seed, start=cem.Gaussian(np.zeros(d), std=np.full(d, 2.0)))


def constrained(case: Case, d: int, seed: int) -> tuple[float, bool, int]:
    """Run the library where a plane goes through the best point, and in a ball."""
    slope = np.random.default_rng((seed, d)).standard_normal(d)
    slope *= -np.sign(slope @ case.best)  # more than half of the box stays in reach
    plane = LinearConstraint(slope[None], -np.inf, slope @ case.best)
    radius = max(5 * np.sqrt(d) * 2 / 3, 1.01 * np.linalg.norm(case.best))
    ball = NonlinearConstraint(lambda x: (x**2).sum(axis=-1), -np.inf, radius**2)
    return searched(case, d, seed, constraints=[plane, ball])


def noisy(case: Case, d: int, seed: int) -> tuple[float, bool, int]:
    """Run the library in noise; return 0 where the true value is within half of the gap."""
    draws = np.random.default_rng((seed, d, 1))

    def fun(x: np.ndarray) -> np.ndarray:
        return case.fun(x) + NOISE * case.gap * draws.standard_normal(len(x))

    value, claimed, spent = searched(case, d, seed, fun=fun, noisy=True)
    return (0.0 if value < 0.5 * case.gap else value), claimed, spent


SOLVERS = {
    "ours": searched,
    "agreement": agreement,
    "de": de,
    "unpolished": unpolished,
    "unbounded": unbounded,
    "constrained": constrained,
    "noisy": noisy,
}


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=10)
    parser.add_argument("solvers", nargs="*", default=[], metavar="SOLVER", help=", ".join(SOLVERS))
    parser.add_argument("--dims", nargs="+", type=positive(int), default=[2, 5])
    parser.add_argument("--kinds", nargs="+", default=[*HARD, *EASY], choices=[*HARD, *EASY])
    given = parser.parse_args()
    if unknown := set(given.solvers) - set(SOLVERS):
        parser.error(f"{', '.join(sorted(unknown))}: choose among {', '.join(SOLVERS)}")
    names, seeds = given.solvers or ["ours", "agreement", "de"], range(given.seed, given.seed + given.runs)
    costs: dict[str, list[float]] = {name: [] for name in names}
    sums = {name: np.zeros(6) for name in names}
    print("| kind | d | solver | claims | wrong | basin of 1 %: claims | wrong | solved | evaluations |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in given.kinds:
        for d in given.dims:
            for name in names:
                rows = []
                for seed in seeds:
                    rng = np.random.default_rng((seed, d, sorted({**HARD, **EASY}).index(kind)))
                    case = {**HARD, **EASY}[kind](rng, d)
                    value, claimed, spent = SOLVERS[name](case, d, seed)
                    rows.append((claimed, value < 1e-6 * case.gap, case.share >= WIDE, spent))
                claims, right, wide, spent = np.array(rows).T
                wrong = claims * (1 - right)
                counts = [claims.sum(), wrong.sum(), claims @ wide, wrong @ wide, right.sum(), len(rows)]
                if kind in EASY:
                    costs[name] += np.log(spent).tolist()
                else:
                    sums[name] += counts
                print(
                    f"| {kind} | {d} | {name} | {counts[0]:.0f} of {len(rows)} | {counts[1]:.0f} "
                    f"| {counts[2]:.0f} | {counts[3]:.0f} | {right.mean():.2f} | {np.median(spent):.0f} |",
                    flush=True,
                )
    for name, (claims, wrong, wide, wrong_wide, solved, runs) in sums.items():
        print(
            f"\n{name}, several basins: {wrong:.0f} of {claims:.0f} claims wrong, {wrong_wide:.0f} of "
            f"{wide:.0f} where the best one holds 1 % or more; solved {solved:.0f} of {runs:.0f}"
        )
    if "agreement" in names and costs["agreement"] and "ours" in names:
        price = np.exp(np.mean(costs["ours"]) - np.mean(costs["agreement"]))
        print(f"\nEvaluations on functions with one basin, ours over agreement (geometric mean): {price:.2f}")


if __name__ == "__main__":
    carry_out_benchmark(main)
