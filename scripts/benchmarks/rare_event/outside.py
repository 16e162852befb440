"""What the look from outside is worth: late modes, groups of bits and labels, exits of paths, and blind ones.

Each case has its probability from a closed form or by quadrature; none was used to choose a setting. A lie is
a claim (`success`) that is off by more than a quarter.

    python scripts/benchmarks/rare_event/outside.py --runs 5
    python scripts/benchmarks/rare_event/outside.py --only jump --without
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import ndtr

import cem
from cem.rare_events.settings import DEFAULT
from problems.command import carry_out_benchmark, make_benchmark_parser, pattern, positive

U = np.linspace(-9.5, 9.5, 1_000_001)
DENSITY = stats.norm.pdf(U) * (U[1] - U[0])
HUGE = 0.25


@dataclass(frozen=True)
class Case:
    """A performance, its inputs and level, and the exact probability."""

    kind: str
    performance: Callable[[Any], Any]
    inputs: Any
    level: float
    exact: float


CASES: dict[str, Case] = {}


def add(kind: str, name: str, performance: Any, inputs: Any, level: float, exact: float) -> None:
    """Add a case."""
    CASES[name] = Case(kind, performance, inputs, level, float(exact))


def normals(d: int) -> Any:
    """Return independent standard normals."""
    return cem.Gaussian(np.zeros(d), std=1)


def unit(x: Any) -> Any:
    """Return the sum of the rows' entries, scaled to variance one."""
    return x.sum(axis=1) / np.sqrt(x.shape[1])


def beside(other: Callable[[Any], Any], level: float) -> float:
    """P(y + other(u) >= level) for independent standard normal y and u."""
    return float(DENSITY @ ndtr(other(U) - level))


def either(*p: float) -> float:
    """The probability that one of several independent events happens."""
    return float(1 - np.prod(1 - np.array(p)))


def late() -> None:
    """Mechanisms of one input or one direction that take over near the level."""
    for d, at in ((7, 3.9), (25, 4.1), (70, 4.05), (180, 3.95)):
        step = lambda u, at=at: 9 * (u > at)  # noqa: E731
        add(
            "late",
            f"jump {d}",
            lambda x, f=step: unit(x[:, 1:]) + f(x[:, 0]),
            normals(d),
            4.9,
            beside(step, 4.9),
        )
    for d, slope in ((15, 2.5), (45, 3.5), (110, 2.8)):
        grow = lambda u, k=slope: np.exp(k * (u - 3.7))  # noqa: E731
        add(
            "late",
            f"growth {d}",
            lambda x, f=grow: unit(x[:, 1:]) + f(x[:, 0]),
            normals(d),
            5.1,
            beside(grow, 5.1),
        )
    for d, k in ((12, 3), (35, 8), (90, 4)):
        step = lambda u: 9 * (u < -4.15)  # noqa: E731
        add(
            "late",
            f"group of {k} in {d}",
            lambda x, k=k, f=step: unit(x[:, k:]) + f(unit(x[:, :k])),
            normals(d),
            5.0,
            beside(step, 5.0),
        )
    for d, law, weight in (
        (30, stats.t(1.5), 2e-3),
        (65, stats.cauchy(), 3e-4),
        (18, stats.pareto(1.1), 1e-4),
    ):
        heavy = lambda u, law=law, w=weight: w * law.isf(ndtr(-u))  # noqa: E731
        add(
            "late",
            f"{law.dist.name} in {d}",
            lambda x, w=weight: unit(x[:, 1:]) + w * x[:, 0],
            [law, *[stats.norm()] * (d - 1)],
            5.0,
            beside(heavy, 5.0),
        )
    for d, rate in ((6, 3e-5), (33, 2e-4), (75, 1e-5)):
        add(
            "late",
            f"switch in {d}",
            lambda x: unit(x[:, :-1]) + 7 * x[:, -1],
            [*[stats.norm()] * (d - 1), stats.bernoulli(rate)],
            5.0,
            (1 - rate) * ndtr(-5) + rate * ndtr(2),
        )


def discrete() -> None:
    """Groups of bits and labels beside a sum."""
    for n, k in ((30, 12), (50, 14)):
        ones = n * 3 // 4 + 4
        add(
            "discrete",
            f"bits {n} and {k}",
            lambda x, n=n, m=ones: np.maximum(
                x[:, :n].sum(axis=1) - m, 9.0 * (x[:, n:] == 1).all(axis=1) - 5
            ),
            cem.Bernoulli([0.5] * (n + k)),
            0.0,
            either(stats.binom(n, 0.5).sf(ones - 1), 0.5**k),
        )
    for d in (6, 8):
        add(
            "discrete",
            f"{d} dice equal",
            lambda x: (x == x[:, :1]).all(axis=1) * 1.0,
            cem.Categorical(np.full((d, 6), 1 / 6)),
            1.0,
            6.0 ** (1 - d),
        )


def paths() -> None:
    """Walks with two exits, of which the far one is as likely."""
    for high, low, up, down in ((25, -8, 0.6, 0.3), (31, -12, 0.6, 0.32)):
        matrix, ends = np.eye(high - low + 1), np.zeros(high - low + 1)
        ends[[0, -1]] = 1
        for i in range(1, len(ends) - 1):
            matrix[i, i + 1] -= up
            matrix[i, i - 1] -= down
        moves = np.array([1, -1, 0])
        walk = cem.MarkovPath(
            lambda s, m, moves=moves: np.column_stack([s[:, 0] + moves[m], m == 2]),
            lambda s, a=high, b=low: (s[:, 1] == 1) | (s[:, 0] >= a) | (s[:, 0] <= b),
            [0, 0],
            [up, down, 1 - up - down],
        )
        score = lambda s, a=high, b=low: np.maximum(s[:, 0] / a, s[:, 0] / b)  # noqa: E731
        add("paths", f"exits {high} and {low}", score, walk, 1.0, np.linalg.solve(matrix, ends)[-low])


def blind() -> None:
    """Regions that no score leads to."""
    for d in (3, 40):
        add(
            "blind",
            f"flat second way {d}",
            lambda x: np.where(x[:, 1] < -4.4, 1.0, np.minimum(x[:, 0] / 4.5, 1.0)),
            normals(d),
            1.0,
            either(ndtr(-4.5), ndtr(-4.4)),
        )
    add(
        "blind",
        "small island",
        lambda x: np.where(np.hypot(x[:, 0] + 3, x[:, 1]) < 0.1, 9.0, x[:, 0]),
        normals(2),
        4.5,
        ndtr(-4.5) + stats.ncx2.cdf(0.1**2, 2, 9.0),
    )


def ordinary() -> None:
    """What the estimator did well without a look."""
    for d in (3, 15, 60):
        add("ordinary", f"plane {d}", unit, normals(d), 4.3, ndtr(-4.3))
    add("ordinary", "largest of 12", lambda x: x.max(axis=1), normals(12), 4.6, either(*[ndtr(-4.6)] * 12))
    law = stats.gamma(6)
    add("ordinary", "exponentials", lambda x: x.sum(axis=1), cem.Exponential([1.0] * 6), law.isf(2e-6), 2e-6)
    tail = stats.binom(50, 0.1).sf(17)
    add("ordinary", "bits", lambda x: x.sum(axis=1), cem.Bernoulli([0.1] * 50), 18.0, tail)


def main() -> None:
    """Run the cases and print a line for each kind."""
    parser = make_benchmark_parser(__doc__, seed=0, runs=1)
    parser.add_argument("--only", type=pattern, default="", help="a regular expression of names")
    parser.add_argument("--without", action="store_true", help="take the look out")
    parser.add_argument("--max-evaluations", type=positive(int), default=300_000)
    given = parser.parse_args()
    for fill in (late, discrete, paths, blind, ordinary):
        fill()
    cases = {name: case for name, case in CASES.items() if given.only.search(name)}
    if not cases:
        parser.error(f"no case is named like {given.only.pattern!r}.")
    settings = replace(DEFAULT, looks=0) if given.without else DEFAULT
    rows: dict[str, list[tuple[bool, bool, bool, int]]] = {}
    for name, case in cases.items():
        for seed in range(given.seed, given.seed + given.runs):
            with np.errstate(over="ignore"):
                e = cem.estimate_probability(
                    case.performance,
                    case.inputs,
                    case.level,
                    vectorized=True,
                    method=settings,
                    max_evaluations=given.max_evaluations,
                    rng=seed,
                )
            ratio, (low, high) = e.probability / case.exact, e.confidence_interval()
            lie, covers = e.success and abs(ratio - 1) > HUGE, low <= case.exact <= high
            rows.setdefault(case.kind, []).append((e.success, lie, covers and e.success, e.nfev))
            mark = "LIE" if lie else "claimed" if e.success else "flagged"
            print(f"{name:<24}{seed:>3}{ratio:>9.3f}{e.nfev:>9}  {mark}", flush=True)
    print(f"\n{'kind':<12}{'runs':>6}{'claimed':>9}{'lies':>6}{'cover':>7}{'calls':>9}")
    for kind, runs in rows.items():
        claimed, lies, covers, calls = (np.array(column) for column in zip(*runs, strict=True))
        share = covers.sum() / max(claimed.sum(), 1)
        typical = np.exp(np.log(calls).mean())
        print(f"{kind:<12}{len(runs):>6}{claimed.sum():>9}{lies.sum():>6}{share:>7.2f}{typical:>9.0f}")


if __name__ == "__main__":
    carry_out_benchmark(main)
