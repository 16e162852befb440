"""Claims over whole numbers, labels and plateaus, where the best basin is not about the middle.

    python scripts/benchmarks/mixed/claims.py --dims 2 4 6 --runs 10
    python scripts/benchmarks/mixed/claims.py --kinds valleys labels --spaces whole half

Basins of unequal size at random places, the best value is 0. `whole`: whole numbers from -10 to 10; `half`:
every second variable is a real one. `labels`: two categories, each pair of labels has a bowl of its own,
the best of them the steepest. `steps`: values are rounded down to multiples of .25. A claim is a run that
says it has converged; it is wrong where the value is above 1e-6. Claims where the best basin holds 1 % of the
box or more are counted once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, positive

PER_VARIABLE = 3000  # evaluations
STEP = 0.25
WIDE = 0.01  # share of the box
Function = Callable[[Any], Any]


class Case(NamedTuple):
    """Several pieces, shape ``(n, k)``, of which a function is the least; the first of them is the best."""

    pieces: Function

    def fun(self, x: Any) -> Any:
        """Return the function, shape ``(n,)``."""
        return self.pieces(x).min(axis=1)

    def share(self, whole: Any) -> float:
        """Return the share of the box that the best basin holds."""
        x = np.random.default_rng(0).uniform(-10, 10, (20_000, whole.size))
        return float((self.pieces(np.where(whole, np.rint(x), x)).argmin(axis=1) == 0).mean())


def places(rng: np.random.Generator, k: int, whole: Any) -> Any:
    """Draw `k` places, with whole numbers where they belong."""
    x = rng.uniform(-8, 8, (k, whole.size))
    return np.where(whole, np.rint(x), x)


def valleys(rng: np.random.Generator, whole: Any) -> Case:
    """Two ellipsoidal valleys, the better one two to six times as steep."""
    d = whole.size
    centres, steep = places(rng, 2, whole), rng.uniform(2, 6)
    axes = 10 ** rng.uniform(-0.5, 0.5, (2, d)) / 2
    turns = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2)]
    centres[1] = np.where(whole, np.rint(0.3 * centres[1]), 0.3 * centres[1])

    def pieces(x: Any) -> Any:
        z = [(x - c) @ q * a for c, q, a in zip(centres, turns, axes, strict=True)]
        return np.stack([steep**2 * (z[0] ** 2).sum(axis=1), (z[1] ** 2).sum(axis=1) + 1], axis=1)

    return Case(pieces)


def peaks(rng: np.random.Generator, whole: Any) -> Case:
    """Eight hollows of random width and depth in a plane."""
    centres = places(rng, 8, whole)
    widths = rng.uniform(1.6, 5.0, 8) * np.sqrt(whole.size)
    depths = np.concatenate([[10.0], rng.uniform(2, 9, 7)])

    def pieces(x: Any) -> Any:
        return 10 - depths * np.exp(-((x[:, None] - centres) ** 2).sum(axis=2) / widths**2 / 2)

    return Case(pieces)


def cones(rng: np.random.Generator, whole: Any) -> Case:
    """Three cones, the best of them the narrowest."""
    centres = places(rng, 3, whole)
    slopes, floors = np.array([1.5, 0.75, 0.5]), np.array([0.0, 1.0, 2.0])

    return Case(lambda x: slopes * np.sqrt(((x[:, None] - centres) ** 2).mean(axis=2)) + floors)


KINDS = {"valleys": valleys, "peaks": peaks, "cones": cones}


def numbers(kind: str, space: str, d: int, seed: int, stepped: bool) -> tuple[Any, bool]:
    """Run on numbers: whole ones, or every second; return whether the best basin is a wide one too."""
    rng = np.random.default_rng((seed, d, list(KINDS).index(kind)))
    whole = np.arange(d) % 2 < {"whole": 2, "half": 1, "real": 0}[space]
    case = KINDS[kind](rng, whole)

    def fun(x: Any) -> Any:
        return np.floor(case.fun(x) / STEP) * STEP if stepped else case.fun(x)

    found = cem.optimize(
        fun,
        bounds=[(-10, 10)] * d,
        integrality=whole.astype(int),
        vectorized=True,
        max_evaluations=PER_VARIABLE * d,
        rng=seed,
    )
    return found, case.share(whole) >= WIDE


def labels(d: int, seed: int) -> tuple[Any, bool]:
    """Run on d - 2 reals, or one, and two categories of three labels; each pair has a bowl of its own."""
    rng = np.random.default_rng((seed, d, 77))
    n, k = max(d - 2, 1), 3
    places_, rises = rng.uniform(-4, 4, (k * k, n)), rng.uniform(0.5, 2, k * k)
    steep, best = np.ones(k * k), rng.integers(k * k)
    rises[best], steep[best] = 0, rng.uniform(4, 36)
    space = cem.Space(
        {f"x{i}": cem.Real(-5, 5) for i in range(n)} | {f"c{i}": cem.Choice(range(k)) for i in range(2)}
    )

    def fun(p: Any) -> Any:
        pair = k * np.asarray(p["c0"]) + np.asarray(p["c1"])
        x = np.stack([p[f"x{i}"] for i in range(n)], axis=1)
        return steep[pair] * ((x - places_[pair]) ** 2).sum(axis=1) / n + rises[pair]

    found = cem.optimize(fun, space, vectorized=True, max_evaluations=PER_VARIABLE * d, rng=seed)
    return found, k**-2 >= WIDE


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=10)
    parser.add_argument("--dims", nargs="+", type=positive(int), default=[2, 4, 6])
    parser.add_argument("--kinds", nargs="+", default=[*KINDS, "labels"], choices=[*KINDS, "labels"])
    parser.add_argument("--spaces", nargs="+", default=["whole", "half"], choices=["whole", "half", "real"])
    parser.add_argument("--steps", action="store_true", help="values in multiples of .25")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.runs)
    print("| kind | space | d | claims | wrong | basin of 1 %: claims | wrong | solved | evaluations |")
    print("|---|---|---|---|---|---|---|---|---|")
    sums = np.zeros(6)
    for kind in given.kinds:
        for space in given.spaces if kind != "labels" else ["labels"]:
            for d in given.dims:
                rows = []
                for seed in seeds:
                    found, wide = (
                        labels(d, seed) if kind == "labels" else numbers(kind, space, d, seed, given.steps)
                    )
                    rows.append((found.success, found.fun < 1e-6, wide, found.nfev))
                claims, right, wide, spent = np.array(rows).T
                wrong = claims * (1 - right)
                counts = [claims.sum(), wrong.sum(), claims @ wide, wrong @ wide, right.sum(), len(rows)]
                sums += counts
                print(
                    f"| {kind} | {space} | {d} | {counts[0]:.0f} of {len(rows)} | {counts[1]:.0f} "
                    f"| {counts[2]:.0f} | {counts[3]:.0f} | {right.mean():.2f} | {np.median(spent):.0f} |",
                    flush=True,
                )
    claims, wrong, wide, wrong_wide, solved, runs = sums
    print(
        f"\n{wrong:.0f} of {claims:.0f} claims are wrong, {wrong_wide:.0f} of {wide:.0f} where the best "
        f"basin holds 1 % or more; solved {solved:.0f} of {runs:.0f}"
    )


if __name__ == "__main__":
    carry_out_benchmark(main)
