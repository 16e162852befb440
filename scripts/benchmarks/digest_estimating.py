"""Rare events, quantiles and measures of information, by public names alone, to take digests of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from digest_cases import CASES, case, stopped_and_resumed
from scipy import stats

import cem
from problems.rare_event import bridge, suite


def estimating(
    name: str, performance: Any, inputs: Any, level: float | None, short: bool = False, **more: Any
) -> None:
    """Add a run of `cem.estimate_probability`."""
    given = {"rng": 1, "vectorized": True, "max_evaluations": 60_000} | more
    case(name, short)(lambda **late: cem.estimate_probability(performance, inputs, level, **(given | late)))


def quantile(
    name: str, performance: Any, inputs: Any, share: float, short: bool = False, **more: Any
) -> None:
    """Add a run of `cem.estimate_quantile`."""
    given = {"rng": 1, "vectorized": True, "max_evaluations": 60_000} | more
    case(name, short)(lambda **late: cem.estimate_quantile(performance, inputs, share, **(given | late)))


def total(x: Any) -> Any:
    return x.sum(axis=1)


def named(names: Iterable[str]) -> Iterable[Any]:
    known = {each.name: each for each in suite()}
    return (known[name] for name in names)


def normal(d: int) -> cem.Gaussian:
    return cem.Gaussian(np.zeros(d), std=1)


WALK = cem.MarkovPath(
    step=lambda s, move: s + np.stack([2 * move - 1, np.ones_like(move)], axis=1),
    ended=lambda s: s[:, 1] == 30,
    start=[0, 0],
    probabilities=[0.7, 0.3],
)
SUITE = (
    *("bridge 2", "RP14", "RP25", "RP53", "four-branch", "linear 100", "two modes", "oscillator"),
    *("max of ten", "chi-square", "lognormal sum", "Pareto sum 5", "Weibull sum 4", "lognormal product"),
    *("network bridge", "dodecahedron 0.01", "lattice 4 0.01", "credit 20", "t-credit 50", "walk 20"),
    *("knapsack", "knapsack 0/1", "M/M/1 overflow", "ruin"),
)
LONG = ("credit 100", "tandem overflow")
SHORT = ("RP25", "network bridge")
for _each in named(SUITE):
    estimating(f"event/{_each.name}", _each, None, None, _each.name in SHORT)
for _each in named(LONG):
    estimating(f"event/{_each.name}", _each, None, None, target_cv=0.3)

DICE = cem.Categorical(np.full((12, 6), 1 / 6))
COPULA = cem.JointInputs([stats.expon(), stats.gumbel_r(), stats.binom(10, 0.3)], 0.6 * np.eye(3) + 0.4)
estimating("event/labels", total, DICE, 55)
estimating("event/gamma", total, cem.Gamma([0.5, 2.0, 3.0], [1.0, 0.5, 0.2]), 12.0)
estimating("event/copula", total, COPULA, 25.0)
estimating(
    "event/copula of ranks", total, cem.JointInputs([stats.lognorm(1)] * 2, np.eye(2) / 2 + 0.5, "rank"), 40
)
estimating("event/one large of 100", lambda x: x.max(axis=1), normal(100), 5.0)
estimating("event/correlated", total, cem.Gaussian([0, 0], covariance=[[1, 0.5], [0.5, 2]]), 7.0)
estimating("event/lower tail", lambda x: -total(x), normal(4), -8.0, tail="lower", short=True)
estimating("event/out of reach", lambda x: np.minimum(total(x), 5.0), normal(2), 6.0, max_evaluations=20_000)
estimating("event/short of calls", total, normal(10), 14.0, max_evaluations=3000)
estimating("multilevel/bridge", bridge(2.0), None, None, method="multilevel", short=True)
estimating("multilevel/normal", total, normal(5), 9.0, method="multilevel")
estimating("multilevel/bits", total, cem.Bernoulli(np.full(30, 0.1)), 14, method="multilevel")
estimating("multilevel/labels", total, DICE, 50, method="multilevel")
estimating("multilevel/marginals", total, [stats.expon()] * 3, 15.0, method="multilevel")
estimating(
    "multilevel/direction", total, normal(3), 7.0, family=cem.VonMisesFisherNakagami([1, 1, 1], 0.0, 1.5, 3.0)
)
quantile("quantile/normal", total, normal(4), 1e-4, short=True)
quantile("quantile/lower tail", total, cem.Exponential([1.0] * 5), 1e-3, tail="lower")
quantile("quantile/bits", total, cem.Bernoulli(np.full(40, 0.1)), 1e-4)
quantile("quantile/copula", total, COPULA, 1e-3)
quantile("quantile/path", lambda s: s[:, 0], WALK, 1e-4)


@case("event/two workers")
def event_of_two_workers() -> Any:
    return cem.estimate_probability(np.max, normal(4), 4.0, n_jobs=2, max_evaluations=8000, rng=1)


case("resume/event")(lambda: stopped_and_resumed(CASES["event/bridge 2"].run, 2))
case("resume/multilevel")(lambda: stopped_and_resumed(CASES["multilevel/bridge"].run, 2))
case("resume/quantile")(lambda: stopped_and_resumed(CASES["quantile/normal"].run, 2))


@case("information/families")
def measures() -> list[Any]:
    p, q = cem.Gaussian([0, 1], std=1), cem.Gaussian([1, 1], std=[2.0, 0.5])
    pair = [cem.information.cross_entropy(p, q), cem.information.kl_divergence(p, q)]
    return [np.array(pair), cem.information.entropy([0.2, 0.3, 0.5])]
