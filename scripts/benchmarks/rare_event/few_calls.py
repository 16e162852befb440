"""Few evaluations: the surrogate beside the improved method, AK-MCS and OpenTURNS's FORM with sampling.

    python scripts/benchmarks/rare_event/few_calls.py --runs 3
    python scripts/benchmarks/rare_event/few_calls.py --runs 5 --budgets 30 60 100 200
    python scripts/benchmarks/rare_event/few_calls.py --suite --only oscillator
    python scripts/benchmarks/rare_event/few_calls.py --runs 2 --budgets 30 60 100 200 --smooth --ak-mcs

All draw until they reach the target coefficient of variation, or the budget. Probabilities are closed forms
or quadratures; the suite's cases bring their own. When to give a surrogate up after a surprise was settled
after a look at this table's first form; nothing else was chosen on these cases.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from ak_mcs import Answer, ak_mcs
from compare import peer_trial
from scipy import integrate, stats

import cem
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.working_space import discrete, resolve_inputs
from problems.command import carry_out_benchmark, make_benchmark_parser, positive
from problems.rare_event import RareEventProblem, suite

GIVEN_UP = "a surrogate was given up"
WRONG = 0.15
SMOOTH = 18  # of our own cases are smooth


class Run(NamedTuple):
    """One estimate: evaluations, estimate over truth, whether the interval holds it, success, hand-over."""

    calls: int
    ratio: float
    covers: bool
    claimed: bool
    handed_over: bool
    seconds: float


def normal(d: int) -> cem.Gaussian:
    return cem.Gaussian(np.zeros(d), std=np.ones(d))


def plane(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.sum(axis=1) / np.sqrt(x.shape[1]))


def case(
    name: str, performance: Callable[..., np.ndarray], inputs: object, level: float, exact: float
) -> RareEventProblem:
    return RareEventProblem(
        name, performance, inputs, level, "upper", exact, 1e-6 * exact, "closed form or quadrature"
    )


def over_normal(tail: Callable[[float], float]) -> float:
    """Integrate a conditional tail probability over a standard normal."""
    return float(integrate.quad(lambda z: stats.norm.pdf(z) * tail(z), -9, 9, limit=500, epsabs=1e-14)[0])


def below(a: float, b: float, correlation: float) -> float:
    """Return the probability that two correlated standard normals lie below a and b."""
    return float(stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([a, b]))


def own_cases() -> list[RareEventProblem]:
    """Return smooth limit states first, then such as no surrogate likes."""
    sf = stats.norm.sf
    correlated = cem.JointInputs([stats.norm(), stats.norm()], correlation=[[1, 0.5], [0.5, 1]])
    curved = float(
        integrate.quad(lambda q: stats.chi2.pdf(q, 4) * sf(4.0 - 0.1 * q), 0, 200, epsabs=1e-14)[0]
    )
    return [
        *[case(f"plane {d}", plane, normal(d), 3.7, sf(3.7)) for d in (3, 8, 20)],
        case("two opposite planes", lambda x: np.abs(plane(x)), normal(4), 3.4, 2 * sf(3.4)),
        *[
            case(f"ball {d}", lambda x: (x**2).sum(axis=1), normal(d), r, stats.chi2.sf(r, d))
            for d, r in ((3, 20.0), (8, 32.0))
        ],
        case("lognormals 6", lambda x: np.exp(0.3 * x.sum(axis=1)), normal(6), np.exp(0.3 * 3.6 * 6**0.5),
             sf(3.6)),
        case("load over strength", lambda x: np.exp(0.4 * x[:, 0] - 0.2 * x[:, 1] - 0.1 * x[:, 2]), normal(3),
             np.exp(3.5 * np.sqrt(0.21)), sf(3.5)),
        case("paraboloid 5", lambda x: x[:, 0] + 0.1 * (x[:, 1:] ** 2).sum(axis=1), normal(5), 4.0, curved),
        case("wavy ridge", lambda x: x[:, 0] + 0.5 * np.sin(2 * x[:, 1]), normal(3), 3.8,
             over_normal(lambda z: sf(3.8 - 0.5 * np.sin(2 * z)))),
        case("saddle", lambda x: x[:, 0] * x[:, 1], normal(2), 8.0,
             over_normal(lambda z: sf(8.0 / abs(z)) if z else 0.0)),
        case("Erlang 3", lambda x: x.sum(axis=1), cem.Exponential([1.0] * 3), 15.0, stats.gamma.sf(15.0, 3)),
        case("gammas", lambda x: x.sum(axis=1), cem.Gamma([0.5, 2.0, 3.0], [1.0] * 3), 19.0,
             stats.gamma.sf(19.0, 5.5)),
        case("uniforms 4", lambda x: x.sum(axis=1), [stats.uniform()] * 4, 3.8, 0.2**4 / 24),
        case("product of uniforms", lambda x: -np.log(x).sum(axis=1), [stats.uniform()] * 3, 12.0,
             stats.gamma.sf(12.0, 3)),
        case("Gumbel load", lambda x: x[:, 0] - x[:, 1], [stats.gumbel_r(), stats.norm(6, 1)], 4.0,
             over_normal(lambda z: stats.gumbel_r.sf(10.0 + z))),
        case("correlated pair", lambda x: x.sum(axis=1), correlated, 3.6 * 3**0.5, sf(3.6)),
        case("t pair", lambda x: x.sum(axis=1), [stats.t(4), stats.norm()], 12.0,
             over_normal(lambda z: stats.t.sf(12.0 - z, 4))),
        case("two corners", lambda x: x.max(axis=1), normal(2), 3.5, 1 - (1 - sf(3.5)) ** 2),
        case("parallel 3", lambda x: x.min(axis=1), normal(3), 1.2, sf(1.2) ** 3),
        case("largest of 5", lambda x: x.max(axis=1), normal(5), 3.7, 1 - (1 - sf(3.7)) ** 5),
        case("yes or no", lambda x: (plane(x) > 3.3) + 0.0, normal(4), 0.5, sf(3.3)),
        case("jump", lambda x: plane(x) + 10.0 * (x[:, 2] > 3.8), normal(6), 3.6,
             sf(3.8) + below(-3.6, 3.8, -(6**-0.5))),
        case("infinite mode", lambda x: np.where(x[:, 1] < -3.4, np.inf, x[:, 0]), normal(4), 3.4,
             1 - (1 - sf(3.4)) ** 2),
        case("ripples", lambda x: x[:, 0] + np.sin(30 * x[:, 1]), normal(3), 4.2,
             float(integrate.quad(lambda t: sf(4.2 - np.sin(t)) / np.pi, -np.pi / 2, np.pi / 2)[0])),
        case("rounded", lambda x: np.floor(2 * plane(x)), normal(3), 7.0, sf(3.5)),
    ]  # fmt: skip


def suite_cases() -> Iterator[RareEventProblem]:
    """Return the suite's cases of continuous inputs, up to 40."""
    for problem in suite():
        space = resolve_inputs(problem.inputs).space
        if isinstance(space, NormalSpace) and space.dimension <= 40 and not discrete(problem.inputs):
            yield problem


def ours(method: str, budget: int | None = None) -> Callable[[RareEventProblem, int, float], Run]:
    def run(problem: RareEventProblem, seed: int, target_cv: float) -> Run:
        began = time.process_time()
        e = cem.estimate_probability(
            problem, method=method, target_cv=target_cv, max_evaluations=budget, rng=seed
        )
        low, high = e.confidence_interval()
        slack = 3 * problem.reference_error
        return Run(
            e.nfev,
            e.probability / problem.reference,
            low - slack <= problem.reference <= high + slack,
            e.success,
            GIVEN_UP in e.message,
            time.process_time() - began,
        )

    return run


def form(problem: RareEventProblem, seed: int, target_cv: float) -> Run:
    began = time.process_time()
    found = peer_trial("FORM + IS", problem, seed, target_cv)
    seconds = time.process_time() - began
    return Run(found.calls, found.ratio, found.covers, found.success, False, seconds)


def by_ak_mcs(budget: int, budgets: Sequence[int]) -> Callable[[RareEventProblem, int, float], Run]:
    def run(problem: RareEventProblem, seed: int, target_cv: float) -> Run:
        began, key = time.process_time(), (problem.name, seed)
        if key not in _paths:
            _paths[key] = ak_mcs(problem, seed, budgets)
        found = _paths[key][budget]
        low, high = found.probability - 1.96 * found.error, found.probability + 1.96 * found.error
        covers = low <= problem.reference <= high
        ratio = found.probability / problem.reference
        return Run(found.calls, ratio, covers, found.done, False, time.process_time() - began)

    return run


_paths: dict[tuple[str, int], dict[int, Answer]] = {}  # one run serves all budgets


def line(name: str, method: str, runs: Sequence[Run]) -> str:
    ratios = np.array([r.ratio for r in runs])
    return (
        f"{name:20s} {method:12s} {np.median([r.calls for r in runs]):7.0f} "
        f"{ratios.min():7.3f} {ratios.max():7.3f} {sum(r.covers for r in runs):4d}/{len(runs)} "
        f"{sum(r.claimed for r in runs):4d} {sum(r.handed_over for r in runs):4d} "
        f"{np.median([r.seconds for r in runs]):6.1f}"
    )


def total(method: str, runs: Sequence[Run]) -> str:
    kept = [r for r in runs if not r.handed_over]
    if not kept:
        return f"{method}: handed over everywhere"
    errors = np.array([r.ratio - 1 for r in kept])
    wrong = sum(r.claimed and abs(r.ratio - 1) > WRONG for r in runs)
    return (
        f"{method}: {len(runs)} runs, handed over {len(runs) - len(kept)}; of the others median calls "
        f"{np.median([r.calls for r in kept]):.0f}, rmse {np.sqrt(np.nanmean(errors**2)):.3f}; all: cover "
        f"{np.mean([r.covers for r in runs]):.3f}, claims off by more than {WRONG:.0%}: {wrong}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cases and print a line for each and method."""
    parser = make_benchmark_parser(__doc__, seed=0, runs=3)
    parser.add_argument("--target-cv", type=positive(float, below=1), default=0.05)
    parser.add_argument("--only", default="", help="part of a case's name")
    parser.add_argument("--suite", action="store_true", help="the suite's cases in place of our own")
    parser.add_argument(
        "--budgets", type=positive(int), nargs="*", default=[], help="budgets of the surrogate"
    )
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--smooth", action="store_true", help="of our own cases the first, smooth ones")
    parser.add_argument(
        "--ak-mcs", action="store_true", help="AK-MCS with the same budgets, and nothing else"
    )
    options = parser.parse_args(arguments)
    cases = list(suite_cases()) if options.suite else own_cases()[: SMOOTH if options.smooth else None]
    if not any(options.only in problem.name for problem in cases):
        parser.error(f"no case is named like {options.only!r}")
    methods = {f"{b} calls": ours("surrogate", b) for b in options.budgets} or {
        "surrogate": ours("surrogate")
    }
    if options.ak_mcs:
        methods |= {f"AK-MCS {b}": by_ak_mcs(b, options.budgets) for b in options.budgets}
    elif not options.without_peers:
        methods["improved"] = ours("improved")
        if importlib.util.find_spec("openturns"):
            methods["FORM + IS"] = form
        else:
            print("OpenTURNS is not installed: FORM + IS is missing, which is no win of ours.")
    print(f"{'case':20s} {'method':12s} {'calls':>7s} {'least':>7s} {'most':>7s} {'covers':>6s} claims over")
    every: dict[str, list[Run]] = {name: [] for name in methods}
    for problem in cases:
        if options.only not in problem.name:
            continue
        for name, run in methods.items():
            runs = [
                run(problem, seed, options.target_cv)
                for seed in range(options.seed, options.seed + options.runs)
            ]
            every[name] += runs
            print(line(problem.name, name, runs), flush=True)
    for name, runs in every.items():
        print(total(name, runs))


if __name__ == "__main__":
    carry_out_benchmark(main)
