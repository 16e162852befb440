"""The cases of claims.py: late modes, many modes, bits and labels.

Probabilities come from closed forms, by quadrature or from linear equations; none was used to choose a
setting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from outside import beside, either, normals, unit
from scipy import stats
from scipy.special import ndtr

import cem


@dataclass(frozen=True)
class Case:
    """A performance, its inputs, level and exact probability; `beyond` (of a score) makes it a quantile's."""

    kind: str
    performance: Callable[..., Any]
    inputs: Any
    level: float
    exact: float
    options: dict[str, Any] = field(default_factory=dict)
    beyond: Callable[[float], float] | None = None


CASES: dict[str, Case] = {}


def add(
    kind: str, name: str, performance: Any, inputs: Any, level: float, exact: float, **options: Any
) -> None:
    """Add a case."""
    CASES[name] = Case(kind, performance, inputs, level, float(exact), options)


def late() -> None:
    """Mechanisms that take over near the level."""
    for d, a, b in ((8, 2.5, 2.4), (44, 2.6, 2.3)):
        both = ndtr(-a) * ndtr(-b)
        add(
            "late",
            f"pair in {d}",
            lambda x, a=a, b=b: unit(x[:, 2:]) + 8 * ((x[:, 0] > a) & (x[:, 1] > b)),
            normals(d),
            5.0,
            (1 - both) * ndtr(-5) + both * ndtr(3),
        )
    shapes: dict[str, tuple[int, Callable[[Any], Any]]] = {
        "band": (10, lambda u: 8 * (np.abs(u - 4.1) < 0.2)),
        "both sides": (62, lambda u: 9 * (np.abs(u) > 4.3)),
        "kink": (28, lambda u: 7 * np.maximum(np.abs(u) - 3.4, 0)),
        "ramp": (120, lambda u: 6 * np.clip(u - 3.6, 0, 1)),
        "lognormal": (52, lambda u: 5e-4 * np.exp(2.4 * u)),
        "Weibull": (22, lambda u: 3e-3 * stats.weibull_min(0.3).isf(ndtr(-u))),
        "t": (34, lambda u: 0.02 * stats.t(3).isf(ndtr(-u))),
        "small step": (17, lambda u: 2.5 * (u > 2.9)),
        "late descent": (80, lambda u: 8 * (u < -3.9) - 1.0 * (u > 3)),
    }
    for name, (d, shape) in shapes.items():
        add(
            "late",
            f"{name} in {d}",
            lambda x, f=shape: unit(x[:, 1:]) + f(x[:, 0]),
            normals(d),
            5.0,
            beside(shape, 5.0),
        )
    add(
        "late",
        "two jumps in 55",
        lambda x: unit(x[:, 2:]) + 9 * (x[:, 0] > 4.25) + 9 * (x[:, 1] < -4.35),
        normals(55),
        5.0,
        (1 - ndtr(-4.25)) * (1 - ndtr(-4.35)) * ndtr(-5) + either(ndtr(-4.25), ndtr(-4.35)) * ndtr(4),
    )
    add(
        "late",
        "a dozen of 24",
        lambda x: unit(x[:, 12:]) + 7 * (unit(x[:, :12]) > 4.1),
        normals(24),
        5.0,
        beside(lambda u: 7 * (u > 4.1), 5.0),
    )
    add(
        "late",
        "rare Poisson in 14",
        lambda x: unit(x[:, :-1]) + 9 * (x[:, -1] >= 1),
        [*[stats.norm()] * 13, stats.poisson(3e-5)],
        5.0,
        np.exp(-3e-5) * ndtr(-5) - np.expm1(-3e-5) * ndtr(4),
    )
    sum_tail = stats.gamma(19).isf(2e-6)
    add(
        "late",
        "one exponential of 20",
        lambda x, s=sum_tail: np.maximum(x[:, 1:].sum(axis=1) / s, 2.0 * (x[:, 0] > 13.5)),
        cem.Exponential([1.0] * 20),
        1.0,
        either(2e-6, np.exp(-13.5)),
    )


def many() -> None:
    """Events with many modes, and such as many combinations of inputs bring about."""
    tail = lambda a: 2 * ndtr(-a)  # noqa: E731
    for d, a in ((5, 1.75), (6, 1.55), (7, 1.4), (10, 1.0)):
        add("many modes", f"orthants of {d}", lambda x: np.abs(x).min(axis=1), normals(d), a, tail(a) ** d)
    for k, n, a in ((4, 30, 2.35), (6, 40, 1.95), (5, 70, 2.5), (12, 30, 1.1)):
        add(
            "many modes",
            f"{k} of {n}",
            lambda x, k=k: np.partition(x, x.shape[1] - k, axis=1)[:, x.shape[1] - k],
            normals(n),
            a,
            stats.binom(n, ndtr(-a)).sf(k - 1),
        )
    add(
        "many modes",
        "4 of 35, yes or no",
        lambda x: ((x < 0.012).sum(axis=1) >= 4) * 1.0,
        [stats.uniform()] * 35,
        1.0,
        stats.binom(35, 0.012).sf(3),
    )
    for n, rate, level in ((20, 0.01, 5), (25, 0.02, 7)):
        add(
            "many modes",
            f"{n} Poissons",
            lambda x: x.sum(axis=1),
            [stats.poisson(rate)] * n,
            level,
            stats.poisson(n * rate).sf(level - 1),
        )
    for d in (2, 3, 9):
        law = stats.chi2(d)
        ends = law.isf(3e-5), law.isf(1.2e-5), law.isf(4e-6)
        add(
            "many modes",
            f"shell and outside {d}",
            lambda x, e=ends: (lambda r: np.where(r > e[1], (r - e[2]) / 9, r - e[0]))((x * x).sum(axis=1)),
            normals(d),
            0.0,
            1.8e-5 + 4e-6,
        )
    add(
        "many modes",
        "largest of 22",
        lambda x: np.abs(x).max(axis=1),
        normals(22),
        4.7,
        either(*[tail(4.7)] * 22),
    )
    add(
        "many modes",
        "any pair of 8",
        lambda x: np.minimum(x[:, ::2], x[:, 1::2]).max(axis=1),
        normals(16),
        2.9,
        either(*[ndtr(-2.9) ** 2] * 8),
    )
    add(
        "many modes",
        "even corners",
        lambda x: np.abs(x).min(axis=1) * np.sign(x.prod(axis=1)),
        normals(3),
        2.1,
        4 * ndtr(-2.1) ** 3,
    )
    add(
        "many modes",
        "two balls",
        lambda x: 1.0 - np.minimum(np.linalg.norm(x - 2.6, axis=1), np.linalg.norm(x + 2.6, axis=1)),
        normals(3),
        0.0,
        2 * stats.ncx2.cdf(1.0, 3, 3 * 2.6**2),
    )
    add(
        "many modes",
        "any of 6 blocks",
        lambda x: (x.reshape(len(x), 6, 4).sum(axis=2) / 2).max(axis=1),
        normals(24),
        4.8,
        either(*[ndtr(-4.8)] * 6),
    )


def discrete() -> None:
    """Groups of bits and labels beside sums."""
    for n, k in ((40, 13), (24, 15)):
        ones = n * 3 // 4 + 3
        add(
            "discrete",
            f"bits {n} and {k}",
            lambda x, n=n, m=ones: np.maximum(
                x[:, :n].sum(axis=1) - m, 9.0 * (x[:, n:] == 0).all(axis=1) - 5
            ),
            cem.Bernoulli([0.5] * (n + k)),
            0.0,
            either(stats.binom(n, 0.5).sf(ones - 1), 0.5**k),
        )
    add(
        "discrete",
        "three late bits",
        lambda x: np.maximum(x[:, 3:].sum(axis=1) - 14.0, 9.0 * x[:, :3].all(axis=1) - 6),
        cem.Bernoulli([0.015] * 3 + [0.1] * 36),
        0.0,
        either(stats.binom(36, 0.1).sf(13), 0.015**3),
    )
    add(
        "discrete",
        "bits of 2e-15",
        lambda x: x.max(axis=1),
        [stats.bernoulli(2e-15)] * 5,
        1.0,
        either(*[2e-15] * 5),
    )
    dice = np.array([1.0])
    for _ in range(9):
        dice = np.convolve(dice, np.ones(6) / 6)
    add(
        "discrete",
        "nine dice",
        lambda x: x.sum(axis=1),
        cem.Categorical(np.full((9, 6), 1 / 6)),
        40.0,
        dice[40:].sum(),
    )
    add(
        "discrete",
        "no label twice",
        lambda x: np.array([np.unique(row).size for row in x]),
        cem.Categorical(np.full((9, 9), 1 / 9)),
        9.0,
        np.prod(np.arange(1, 10) / 9),
    )
    add(
        "discrete",
        "9 of 60 bits",
        lambda x: x.sum(axis=1),
        cem.Bernoulli([0.02] * 60),
        9.0,
        stats.binom(60, 0.02).sf(8),
    )
