"""Families: made of parameters of every kind, drawn from, fitted, blended, and written and read again."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from cem import families
from fuzzing.runner import demand

SIZES = (0.0, 5e-324, 1e-300, 1e-160, 1e-8, 1.0, 1e8, 1e154, 1e300, 1.7e308)
JUNK: list[Any] = [
    None, math.nan, math.inf, -math.inf, 0, -1, 1, 2, 0.5, 1e308, -1e308, 5e-324, 10**400, True, "1", "",
    b"1", [], [[]], {}, [0.5], [0.5, 0.5], [[0.5, 0.5]], [[1, 0], [0, 1]], [[1, 2], [3]], [None], ["a"],
    [math.nan, 1], [1, 2, 3], [-1.0, 1.0], [0, 0], 1j, [1j], np.ma.masked, np.zeros((2, 2, 2)),
    np.zeros((0, 3)), object(), 3, 3, 0.1, 0.9, [0.2, 0.8], [[0.1, 0.9], [0.9, 0.1]], [3.0, 4.0], [1e-300],
]  # fmt: skip


def _made(rng: np.random.Generator) -> Any:
    """Return a family with good parameters."""
    d, k = int(rng.integers(1, 6)), int(rng.integers(1, 4))

    def positive(*shape: int) -> Any:
        return 10.0 ** rng.uniform(-3, 3, shape)

    def spread() -> Any:
        a = rng.standard_normal((d, d + 1))
        return a @ a.T + 1e-6 * np.eye(d)

    f, normal = families, rng.standard_normal
    makers: list[Callable[[], Any]] = [
        lambda: f.Gaussian(normal(d), std=positive(d)),
        lambda: f.Gaussian(normal(d), covariance=spread()),
        lambda: f.FactoredGaussian(normal(d), normal((d, d))),
        lambda: f.GaussianMixture(positive(k), normal((k, d)), positive(k, d)),
        lambda: f.GaussianMixture.from_covariances(positive(k), normal((k, d)), [spread() for _ in range(k)]),
        lambda: f.Exponential(positive(d)),
        lambda: f.Gamma(positive(d), positive(d)),
        lambda: f.VonMisesFisherNakagami(normal(d + 1), *(float(v) for v in positive(3))),
        lambda: f.Bernoulli(rng.choice([0.0, 0.2, 0.7, 1.0], d)),
        lambda: f.BernoulliMixture(positive(k), rng.random((k, d))),
        lambda: f.BernoulliTree.independent(rng.random(d)).fit(rng.integers(0, 2, (9, d))),
        lambda: f.Categorical([rng.dirichlet(np.ones(rng.integers(1, 6))) for _ in range(d)]),
        lambda: f.CategoricalMixture(positive(k), rng.dirichlet(np.ones(3), (k, d))),
        lambda: f.Permutation(d, ("transition", "position")[rng.integers(2)]),
        lambda: f.Permutation(d).fit([rng.permutation(d) for _ in range(3)]),
        lambda: f.LinkageTree(rng.integers(0, 3, (6, d))),
        lambda: f.Product(a=f.Gaussian(normal(d), std=1.0), b=f.Bernoulli(rng.random(2))),
    ]
    return makers[rng.integers(len(makers))]()


def using(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Draw from a family, fit it to its own or to extreme rows and weights, and write and read it."""
    family = _made(rng)
    n, size = int(rng.integers(1, 30)), float(rng.choice(SIZES))
    x = np.asarray(family.sample(n, rng))
    real = x.dtype.kind == "f" and not isinstance(family, families.Product)
    kind = "its own draws"
    if real and rng.random() < 0.6:
        kind, top = f"rows of size {size:g}", np.abs(x).max()
        x = x / (top or 1.0) * size
    elif rng.random() < 0.3:
        kind, x = "copies of one row", np.repeat(x[:1], n, axis=0)
    weighing = rng.integers(5)
    weights = [
        None,
        rng.random(n) + 1e-9,
        np.full(n, 5e-324),
        np.full(n, 1.7e308),
        10.0 ** rng.uniform(-300, 300, n),
    ][weighing]

    def act() -> str:
        mine = np.random.default_rng(1)
        fitted = family.fit(x, weights)
        draws = np.asarray(fitted.sample(50, mine))
        demand(draws.shape == (50, x.shape[1]), f"draws of shape {draws.shape}")
        demand(np.isfinite(draws).all(), "draws that are not finite")
        for each in (family, fitted):
            density = each.log_prob(x)
            demand(density.shape == (n,) and not np.isnan(density).any(), f"log_prob of {density}")
            demand(not math.isnan(each.entropy()), "the entropy is NaN")
            if hasattr(each, "to_arrays"):
                _read_again(each)
        if np.abs(x).max() < 1e100:
            blended = family.blend(fitted, float(mine.random()))
            demand(
                np.isfinite(np.asarray(blended.sample(5, mine))).all(), "draws of a blend that are not finite"
            )
            _divergence(family, blended)
        if x.dtype.kind != "f":
            demand((family.log_prob(np.asarray(family.sample(50, mine))) > -np.inf).all(), "draws of mass 0")
            _entropy(family, mine)
        return "used"

    return f"{family!r}; {n} {kind}; weights {weighing}", act


def _read_again(family: Any) -> None:
    arrays = family.to_arrays()
    for name, values in arrays.items():
        demand(np.asarray(values).dtype.kind != "f" or np.isfinite(values).all(), f"{name} is not finite")
    for again in (type(family).from_arrays(arrays), pickle.loads(pickle.dumps(family))):
        for name, values in again.to_arrays().items():
            demand(np.array_equal(values, arrays[name]), f"{name} is another after a round trip")


def _divergence(family: Any, other: Any) -> None:
    if hasattr(family, "kl_divergence"):
        value = float(family.kl_divergence(other))
        demand(value >= -1e-6, f"a Kullback–Leibler divergence of {value}")
        demand(abs(float(family.kl_divergence(family))) < 1e-6, "a divergence from itself")


def _entropy(family: Any, rng: np.random.Generator) -> None:
    """Hold the entropy of a discrete family against draws, where it is exact."""
    if isinstance(family, families.Bernoulli | families.BernoulliTree | families.Categorical):
        values = -family.log_prob(family.sample(2000, rng))
        error = values.std() / math.sqrt(len(values)) + 1e-9
        demand(
            abs(values.mean() - family.entropy()) < 6 * error + 1e-3,
            f"entropy {family.entropy()}, of draws {values.mean()}",
        )


def making(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Make a family of junk: a clear refusal, or a family that can be used."""
    names = (
        "Gaussian",
        "Exponential",
        "Gamma",
        "Bernoulli",
        "BernoulliMixture",
        "Categorical",
        "CategoricalMixture",
    )
    names = (
        *names,
        "GaussianMixture",
        "Permutation",
        "LinkageTree",
        "VonMisesFisherNakagami",
        "FactoredGaussian",
    )
    name = names[rng.integers(len(names))]
    arguments = [JUNK[i] for i in rng.integers(0, len(JUNK), _arity(name))]
    options = {"covariance": arguments.pop()} if name == "Gaussian" and rng.random() < 0.5 else {}
    if options:
        arguments = arguments[:1]

    def act() -> str:
        family = getattr(families, name)(*arguments, **options)
        x = np.asarray(family.sample(4, np.random.default_rng(1)))
        demand(len(x) == 4, "it draws another number of rows")
        demand(not np.isnan(family.log_prob(x)).any(), "log_prob of its own draws is NaN")
        demand(not math.isnan(family.entropy()), "the entropy is NaN")
        repr(family)
        return "made"

    return f"{name}(*{arguments!r}, **{options!r})", act


def _arity(name: str) -> int:
    return {"Exponential": 1, "Bernoulli": 1, "Categorical": 1, "LinkageTree": 1, "GaussianMixture": 3}.get(
        name, 4 if name == "VonMisesFisherNakagami" else 2
    )
