"""Optimisation of every kind, by public names alone, to take digests of."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from digest_cases import CASES, case, stopped_and_resumed
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

import cem
from cem.updates import EliteArchive, PathAdaptation, SmoothedFit
from problems import constrained, continuous
from problems.knapsack import Knapsack, MultiKnapsack
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT
from problems.partitioning import GraphBipartition, NumberPartitioning
from problems.qubo import QUBO


def optimizing(name: str, fun: Any, start: Any = None, short: bool = False, **arguments: Any) -> None:
    """Add a run of `cem.optimize`."""
    given = {"rng": 1} | arguments
    case(name, short)(lambda **more: cem.optimize(fun, start, **(given | more)))


def solving(name: str, make: Callable[[], Any], numba: bool | None = None, short: bool = False) -> None:
    """Add a run of `cem.optimize` on a problem that is made when it is needed."""
    case(name, short, numba)(lambda **more: cem.optimize(make(), **({"rng": 1, "max_iterations": 8} | more)))


# --- continuous variables ----------------------------------------------------------------------------

BOX = [(-5.0, 5.0)]


def bowl(x: Any) -> float:
    return float(((x - 1) ** 2).sum())


def bowls(x: Any) -> Any:
    return ((x - 1) ** 2).sum(axis=1)


def ripples(x: Any, width: float = 1.0) -> Any:
    return (x**2 - 10 * np.cos(2 * np.pi * x / width) + 10).sum(axis=1)


def steps(x: Any) -> Any:
    return np.floor(np.abs(3 * x)).sum(axis=1)


def holes(x: Any) -> Any:
    return np.where(x[:, 0] > 2, np.inf, bowls(x))


def noisy_bowl(x: Any, rng: np.random.Generator) -> float:
    return bowl(x) + 0.1 * float(rng.standard_normal())


def curved(x: Any) -> Any:
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(axis=1)


ROWS: dict[str, Any] = {"vectorized": True, "max_evaluations": 12_000}

optimizing(
    "textbook/sphere 5", bowls, bounds=BOX * 5, method="textbook", max_iterations=20, short=True, **ROWS
)
optimizing("textbook/rastrigin 3", ripples, bounds=BOX * 3, method="textbook", population=200, **ROWS)
optimizing("textbook/elites", curved, bounds=BOX * 4, method="textbook", elite_fraction=0.25, **ROWS)
optimizing("textbook/one by one", bowl, bounds=BOX * 2, method="textbook", max_evaluations=2000)
optimizing("textbook/smoothing", curved, bounds=BOX * 3, update=SmoothedFit(0.8, 0.9, 5), **ROWS)
optimizing(
    "textbook/full covariance",
    curved,
    cem.Gaussian([0, 0, 0], covariance=np.eye(3)),
    method="textbook",
    **ROWS,
)
optimizing(
    "textbook/mixture",
    ripples,
    cem.GaussianMixture([0.5, 0.5], [[-2, -2], [2, 2]], np.ones((2, 2))),
    bounds=BOX * 2,
    population=300,
    max_iterations=5,
    **ROWS,
)

for _name, _d in (
    ("rosenbrock", 2),
    ("michalewicz", 5),
    ("schwefel", 3),
    ("styblinski_tang", 5),
    ("rastrigin", 5),
    ("levy", 8),
    ("ackley", 10),
    ("griewank", 10),
    ("dixon_price", 10),
    ("zakharov", 15),
    ("ellipsoid", 20),
    ("rosenbrock", 20),
    ("sphere", 40),
):
    _function = getattr(continuous, _name)
    optimizing(f"default/{_name} {_d}", _function, bounds=_function.bounds(_d), **ROWS)

optimizing("default/one by one", bowl, bounds=BOX * 3, short=True)
optimizing("default/maximize", lambda x: -curved(x), bounds=BOX * 3, maximize=True, **ROWS)
optimizing("default/target", ripples, bounds=BOX * 4, target=1e-3, **ROWS)
optimizing("default/args", ripples, bounds=BOX * 3, args=(2.0,), **ROWS)
optimizing("default/steps", steps, bounds=BOX * 3, **ROWS)
optimizing("default/holes", holes, bounds=BOX * 3, **ROWS)
optimizing("default/fixed variable", curved, bounds=[(-5, 5), (2, 2), (-5, 5)], **ROWS)
optimizing("default/start point", curved, [2.0, 2.0, 2.0], bounds=BOX * 3, **ROWS)
optimizing(
    "default/open box", curved, [2.0, 2.0, 2.0], bounds=[(-np.inf, np.inf), (0, np.inf), (-5, 5)], **ROWS
)
optimizing("default/no box", curved, [2.0, 2.0], **ROWS)
optimizing("default/generator", ripples, bounds=BOX * 2, rng=np.random.SeedSequence(7), **ROWS)
optimizing("options/no restarts", ripples, bounds=BOX * 5, restarts=0, **ROWS)
optimizing("options/two restarts", ripples, bounds=BOX * 5, restarts=2, population=20, **ROWS)
optimizing("options/no polish", curved, bounds=BOX * 5, polish=False, **ROWS)
optimizing("options/polish", curved, bounds=BOX * 5, update=SmoothedFit(0.7), polish=True, **ROWS)
optimizing("options/loose", curved, bounds=BOX * 3, tol=1e-3, max_iterations=40, **ROWS)
optimizing(
    "paths/full", curved, bounds=BOX * 8, update=PathAdaptation(), short=True, max_iterations=60, **ROWS
)
optimizing("paths/separable", curved, bounds=BOX * 30, update=PathAdaptation("separable"), **ROWS)
optimizing("paths/low rank", curved, bounds=BOX * 30, update=PathAdaptation("low-rank"), **ROWS)
optimizing(
    "paths/restarts", ripples, bounds=BOX * 3, update=PathAdaptation(), restarts=3, polish=True, **ROWS
)
optimizing("integers/all", ripples, bounds=BOX * 6, integrality=1, short=True, **ROWS)
optimizing("integers/some", lambda x: curved(x * 0.7), bounds=BOX * 6, integrality=[1, 0, 1, 0, 0, 1], **ROWS)
optimizing("integers/many", lambda x: bowls(x * 0.3), bounds=[(-50, 50)] * 20, integrality=1, **ROWS)
optimizing(
    "integers/constrained",
    bowl,
    bounds=[(-5, 5)] * 4,
    integrality=[1, 1, 0, 0],
    constraints=LinearConstraint(np.ones(4), -np.inf, 2.5),
    max_evaluations=5000,
)
optimizing(
    "constraints/ball",
    bowl,
    bounds=BOX * 3,
    constraints=NonlinearConstraint(lambda x: (x**2).sum(), 0.5, 1),
    short=True,
    max_evaluations=2000,
)
optimizing(
    "constraints/textbook",
    bowl,
    bounds=BOX * 3,
    constraints=LinearConstraint(np.ones(3), 0, 1),
    method="textbook",
    max_evaluations=5000,
)
for _problem in (
    constrained.g04,
    constrained.g05,
    constrained.g06,
    constrained.g07,
    constrained.g11,
    constrained.g24,
):
    optimizing(f"constraints/{_problem.name}", _problem, max_evaluations=8000)
optimizing(
    "noise/bowl", noisy_bowl, bounds=BOX * 2, noisy=True, pass_rng=True, max_evaluations=4000, short=True
)
optimizing(
    "noise/integers",
    noisy_bowl,
    bounds=BOX * 3,
    integrality=[1, 1, 0],
    noisy=True,
    pass_rng=True,
    max_evaluations=4000,
)
optimizing("noise/unannounced", noisy_bowl, bounds=BOX * 2, pass_rng=True, max_evaluations=4000)


@case("start/warm")
def warm_start() -> list[Any]:
    first = cem.optimize(curved, bounds=BOX * 4, update=PathAdaptation(), max_iterations=10, rng=1, **ROWS)
    return [cem.optimize(curved, first.family, bounds=BOX * 4, rng=2, **ROWS), first]


@case("calls/scipy")
def through_scipy() -> Any:
    options = {"rng": 1, "maxfev": 4000}
    return minimize(bowl, [0, 0, 2], method=cem.minimize_method, bounds=BOX * 3, options=options)


@case("calls/callback")
def watched() -> list[Any]:
    seen: list[Any] = []

    def watch(r: Any) -> bool:
        seen.extend((r.population, r.scores, r.nfev))
        return r.nit == 7

    return [cem.optimize(ripples, bounds=BOX * 3, callback=watch, rng=1, **ROWS), *seen]


@case("calls/two workers")
def two_workers() -> Any:
    return cem.optimize(bowl, bounds=BOX * 4, n_jobs=2, max_evaluations=3000, rng=1)


for _whole, _stop in (("default/ackley 10", 4), ("paths/full", 9), ("integers/all", 3), ("noise/bowl", 5)):
    case(f"resume/{_whole}")(lambda whole=_whole, stop=_stop: stopped_and_resumed(CASES[whole].run, stop))


@case("ask/gaussian")
def asked() -> Any:
    m = cem.CrossEntropyMethod(bounds=BOX * 3, rng=1)
    while not m.stop_reason() and len(m.history) < 60:
        x = m.ask()
        m.tell(x, bowls(x))
    return m


@case("ask/saved")
def saved() -> Any:
    m = cem.CrossEntropyMethod([2.0] * 4, bounds=BOX * 4, update=PathAdaptation(), maximize=True, rng=1)
    with tempfile.TemporaryDirectory() as folder:
        for k in range(40):
            x = m.ask()
            m.tell(x[::-1], -curved(x[::-1]))
            if k == 20:
                m.save(Path(folder, "run"))
                m = cem.CrossEntropyMethod.load(Path(folder, "run"))
    return m


# --- bits, labels and graphs -------------------------------------------------------------------------

HIDDEN = np.random.default_rng(5).integers(0, 2, 60)
LABELS = np.random.default_rng(6).integers(0, 4, 20)


def matches(x: Any) -> Any:
    return (x == (HIDDEN if x.shape[1] == 60 else LABELS)).sum(axis=1)


def agreement(x: Any) -> Any:
    return (x[:, 1:] != x[:, :-1]).sum(axis=1) + 2.0 * x[:, 0]


def flipped(x: Any, scores: Any, rng: np.random.Generator, effort: int) -> Any:
    other = x.copy()
    at = rng.integers(0, x.shape[1], len(x))
    other[np.arange(len(x)), at] ^= 1
    better = matches(other)
    return np.where((better > scores)[:, None], other, x), np.maximum(better, scores), len(x)


FAIR = cem.Bernoulli([0.5] * 60)
TABLES = cem.Categorical(np.full((20, 4), 0.25))
MAX: dict[str, Any] = {"maximize": True} | ROWS

optimizing("bits/matches", matches, FAIR, short=True, **MAX)
optimizing("bits/improved", matches, FAIR, improve=flipped, population=50, **MAX)
optimizing("bits/archive", matches, FAIR, update=EliteArchive(), population=100, **MAX)
optimizing("bits/tree", agreement, cem.BernoulliTree.independent(np.full(20, 0.5)), **MAX)
optimizing("labels/matches", matches, TABLES, short=True, **MAX)
optimizing(
    "labels/textbook", lambda x: np.diff(x, axis=1).clip(-1, 1).sum(axis=1), TABLES, method="textbook", **MAX
)
case("resume/bits/matches")(lambda: stopped_and_resumed(CASES["bits/matches"].run, 4))


def sparse_graph() -> MaxCut:
    return MaxCut.random(80, edge_probability=0.08, rng=3)


def real_graph() -> MaxCut:
    rng = np.random.default_rng(4)
    first, second = np.triu_indices(24, 1)
    return MaxCut(24, np.stack([first, second], axis=1), rng.standard_normal(len(first)))


for _numba, _engine in ((True, "numba"), (False, "numpy")):
    solving(f"max-cut/sparse, {_engine}", sparse_graph, _numba)
    solving(f"max-cut/dense, {_engine}", lambda: MaxCut.random(40, rng=3), _numba)
    solving(f"max-cut/real weights, {_engine}", real_graph, _numba)
    solving(f"max-cut/torus, {_engine}", lambda: MaxCut.torus(8, 8, rng=3), _numba)
    solving(f"max-cut/planted, {_engine}", lambda: MaxCut.planted(40, rng=2), _numba)
    solving(f"max-sat/random, {_engine}", lambda: MaxSAT.random(60, 240, rng=3), _numba)
    solving(
        f"qubo/dense, {_engine}", lambda: QUBO(np.random.default_rng(5).integers(-9, 10, (30, 30))), _numba
    )
optimizing("max-cut/not improved", sparse_graph(), improve=False, update=SmoothedFit(), max_evaluations=8000)
solving("knapsack/one", lambda: Knapsack.random(60, rng=3), short=True)
solving(
    "knapsack/several",
    lambda: MultiKnapsack(
        np.random.default_rng(1).integers(5, 50, 40),
        np.random.default_rng(2).integers(5, 50, (5, 40)),
        np.full(5, 500),
    ),
)
solving("partition/numbers", lambda: NumberPartitioning(np.random.default_rng(3).integers(1, 10**9, 40)))
solving("partition/graph", lambda: GraphBipartition(sparse_graph()))
