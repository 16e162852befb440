"""Estimates of probabilities and quantiles, by every method, of performances of every kind."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

import cem
from fuzzing.runner import demand
from fuzzing.scores import Seen, make_score

MARGINALS = (
    lambda: stats.norm(0, 1),
    lambda: stats.gamma(2),
    lambda: stats.lognorm(1),
    lambda: stats.uniform(-1, 2),
    lambda: stats.t(3),
    lambda: stats.poisson(2),
    lambda: stats.binom(10, 0.1),
    lambda: stats.beta(0.5, 0.5),
    lambda: stats.weibull_min(0.7),
)
WORST = 8.0  # standard errors that an estimate which calls itself right may be off


def _inputs(rng: np.random.Generator) -> tuple[str, Any]:
    d = int(rng.integers(1, 6))
    ones = np.ones(d)
    marginals = [MARGINALS[i]() for i in rng.integers(0, len(MARGINALS), d)]
    table = [np.array(rng.dirichlet(np.ones(3))) for _ in range(d)]
    made: list[Any] = [
        cem.Gaussian(0 * ones, std=1.0),
        cem.Gaussian(0 * ones, covariance=np.eye(d) + 0.3),
        cem.Exponential(ones),
        cem.Gamma(2 * ones, ones),
        cem.Bernoulli(rng.choice([0.01, 0.3, 0.5], d)),
        cem.BernoulliTree.independent(0.3 * ones),
        cem.Categorical(table),
        cem.Permutation(d + 2),
        cem.GaussianMixture([1, 2], [0 * ones, ones], [ones, ones]),
        cem.VonMisesFisherNakagami(np.ones(d + 1), 1, 2, 3),
        marginals,
        cem.JointInputs([MARGINALS[i]() for i in (0, 1)], [[1, 0.3], [0.3, 1]]),
    ]
    chosen = made[rng.integers(len(made))]
    return f"{type(chosen).__name__} of {d}", chosen


def _options(rng: np.random.Generator) -> dict[str, Any]:
    made: dict[str, Any] = {"max_evaluations": int(rng.choice([1, 10, 100, 1000, 3000, 6000]))}
    choices: list[tuple[str, Callable[[], Any]]] = [
        ("tail", lambda: "lower"),
        ("target_cv", lambda: float(rng.choice([1e-9, 0.2, 0.9]))),
        ("nan_policy", lambda: str(rng.choice(["flag", "event", "omit", "raise"]))),
        ("pass_rng", lambda: True),
        ("vectorized", lambda: True),
    ]
    return made | {name: choose() for name, choose in choices if rng.random() < 0.2}


def _check(e: Any, seen: Seen, options: dict[str, Any]) -> None:
    demand(e.nfev <= options["max_evaluations"], f"{e.nfev} evaluations")
    demand(e.nfev == len(seen.x), f"nfev is {e.nfev}, after {len(seen.x)} calls")
    demand(e.message, "no message")
    demand(e.success == e.status.success, "success contradicts the status")
    low, high = e.confidence_interval()
    demand(not low > high, f"an interval of {low} to {high}")
    pickle.loads(pickle.dumps(e))
    json.dumps(e.to_dict())
    repr(e)


def estimating(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Estimate a probability; those of a sum of normals are known."""
    name, inputs = _inputs(rng)
    said, score = make_score(rng)
    options = _options(rng) | {
        "method": str(rng.choice(["auto", "auto", "improved", "multilevel", "surrogate"]))
    }
    level = float(rng.choice([-1e308, -1.0, 0.0, 3.0, 10.0, 1e200]))
    if rng.random() < 0.1:
        options["resolution"] = 0.01
    if options["method"] == "surrogate":  # whose own work grows with the third power
        options["max_evaluations"] = min(options["max_evaluations"], 200)
    exact: float | None = None
    if name.startswith("Gaussian of") and getattr(inputs, "diagonal", False) and rng.random() < 0.7:
        said, score, level = "sum", lambda x: float(np.sum(x)), float(rng.uniform(-1, 9))
        exact = float(stats.norm.sf(level, scale=math.sqrt(inputs.dimension)))
        exact = 1 - exact if options.get("tail") == "lower" else exact
    seed, again = int(rng.integers(2**31)), rng.random() < 0.2

    def act() -> str:
        seen = Seen(score, bool(options.get("vectorized")))
        e = cem.estimate_probability(seen, inputs, level, rng=seed, **options)
        _check(e, seen, options)
        demand(not (e.success and math.isnan(e.probability)), "a success without a probability")
        if not math.isnan(e.probability):
            low, high = e.confidence_interval()
            demand(0 <= e.probability <= 1, f"a probability of {e.probability}")
            demand(
                low <= e.probability * (1 + 1e-12) and e.probability <= high * (1 + 1e-12),
                f"{e.probability} outside {low}, {high}",
            )
        if e.success and exact is not None:
            off = abs(e.probability - exact) / max(e.standard_error, 1e-300)
            low, high = e.confidence_interval()
            demand(
                off < WORST or low <= exact <= high,
                f"trusted, but {e.probability} is {off:.1f} standard errors from {exact}",
            )
        if again:
            other = cem.estimate_probability(
                Seen(score, bool(options.get("vectorized"))), inputs, level, rng=seed, **options
            )
            demand(
                str(other.probability) == str(e.probability) and other.nfev == e.nfev,
                "the same seed gave another estimate",
            )
        e.failure_samples()
        return e.status.name.lower()

    return f"{name}; level {level:g}; scores: {said}; {options}; rng={seed}", act


def quantiles(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Estimate a quantile."""
    name, inputs = _inputs(rng)
    said, score = make_score(rng)
    options = _options(rng)
    q, seed = float(rng.choice([1e-9, 1e-3, 0.1, 0.5, 0.999])), int(rng.integers(2**31))

    def act() -> str:
        seen = Seen(score, bool(options.get("vectorized")))
        e = cem.estimate_quantile(seen, inputs, q, rng=seed, **options)
        _check(e, seen, options)
        demand(not (e.success and math.isnan(e.quantile)), "a success without a quantile")
        return e.status.name.lower()

    return f"{name}; probability {q:g}; scores: {said}; {options}; rng={seed}", act
