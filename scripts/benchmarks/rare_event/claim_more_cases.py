"""More cases of claims.py: paths, users' own families and the multilevel method, noise, quantiles."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from claim_cases import CASES, Case, add, discrete, late, many
from outside import beside, either, normals, unit
from scipy import sparse, stats
from scipy.sparse.linalg import spsolve
from scipy.special import ndtr

import cem

MULTILEVEL = {"method": "multilevel"}


def walk_out(ends: tuple[int, ...], moves: dict[tuple[int, ...], float]) -> tuple[Any, Any, float]:
    """Return a walk that leaves a box from its middle or dies, how near it came, and its chance to leave.

    `ends` are the last places inside, below and above in each direction.
    """
    low, high = -np.array(ends[::2]), np.array(ends[1::2])
    steps = np.array([*moves, (0,) * len(low)])
    p = np.array([*moves.values(), 1 - sum(moves.values())])
    places = list(product(*(range(a, b + 1) for a, b in zip(low, high, strict=True))))
    number = {place: i for i, place in enumerate(places)}
    matrix, out = sparse.lil_matrix((len(places), len(places))), np.zeros(len(places))
    matrix.setdiag(1.0)
    for place, i in number.items():
        for step, chance in moves.items():
            there = tuple(np.add(place, step))
            if there in number:
                matrix[i, number[there]] -= chance
            else:
                out[i] += chance
    exact = spsolve(matrix.tocsc(), out)[number[(0,) * len(low)]]
    path = cem.MarkovPath(
        lambda s, m: np.column_stack([s[:, :-1] + steps[m], m == len(steps) - 1]),
        lambda s: (s[:, -1] == 1) | (s[:, :-1] < low).any(axis=1) | (s[:, :-1] > high).any(axis=1),
        [0] * (len(low) + 1),
        p,
    )
    score = lambda s: np.maximum(s[:, :-1] / (high + 1), s[:, :-1] / (low - 1)).max(axis=1)  # noqa: E731
    return path, score, float(exact)


def paths() -> None:
    """Walks with several exits."""
    line = lambda up, down: {(1,): up, (-1,): down}  # noqa: E731
    for ends, moves in (
        ((5, 20), line(0.6, 0.3)),
        ((10, 33), line(0.62, 0.3)),
        ((7, 9), line(0.42, 0.38)),
        ((14, 40), line(0.65, 0.31)),
        ((5, 24, 6, 6), {(1, 0): 0.5, (-1, 0): 0.24, (0, 1): 0.08, (0, -1): 0.08}),
        ((9, 9, 9, 9), {(1, 0): 0.22, (-1, 0): 0.22, (0, 1): 0.2, (0, -1): 0.2}),
        ((7, 20, 8, 3), {(1, 0): 0.44, (-1, 0): 0.24, (0, 1): 0.06, (0, -1): 0.14}),
        ((12, 12), line(0.3, 0.3)),
    ):
        path, score, exact = walk_out(ends, moves)
        add("paths", "exits " + " ".join(map(str, ends)), score, path, 1.0, exact)


class Laplace:
    """Independent Laplace variables as a user would write them; their `blend` is no mixture."""

    def __init__(self, centre: Any, scale: Any) -> None:
        self.centre, self.scale = np.asarray(centre, float), np.asarray(scale, float)
        self.dimension = self.centre.size

    def sample(self, n: int, rng: Any) -> Any:
        """Draw rows."""
        return rng.laplace(self.centre, self.scale, (n, self.dimension))

    def log_prob(self, x: Any) -> Any:
        """Log density of rows."""
        return (-np.abs(x - self.centre) / self.scale - np.log(2 * self.scale)).sum(axis=1)

    def fit(self, x: Any, weights: Any = None) -> Laplace:
        """Fit by moments."""
        centre = np.average(x, axis=0, weights=weights)
        scale = np.average(np.abs(x - centre), axis=0, weights=weights)
        return Laplace(centre, np.maximum(scale, 1e-6))

    def blend(self, other: Laplace, rate: float) -> Laplace:
        """Return something in between."""
        return Laplace(
            (1 - rate) * self.centre + rate * other.centre, (1 - rate) * self.scale + rate * other.scale
        )

    def entropy(self) -> float:
        """Return the entropy in nats."""
        return float((1 + np.log(2 * self.scale)).sum())


def own() -> None:
    """Users' own families, and the multilevel method."""
    q = lambda a: 0.5 * np.exp(-a)  # noqa: E731
    for options in ({}, MULTILEVEL):
        kind = "multilevel" if options else "own family"
        add(
            kind,
            f"largest of 4, {kind}",
            lambda x: x.max(axis=1),
            Laplace(np.zeros(4), np.ones(4)),
            12.0,
            either(*[q(12.0)] * 4),
            **options,
        )
        add(
            kind,
            f"two unlike ends, {kind}",
            lambda x: np.maximum(x[:, 0], -x[:, 1] - 0.7),
            Laplace(np.zeros(3), np.ones(3)),
            11.5,
            either(q(11.5), q(12.2)),
            **options,
        )
        add(
            kind,
            f"a late one, {kind}",
            lambda x: x[:, 1] + 20.0 * (x[:, 0] < -11),
            Laplace(np.zeros(2), np.ones(2)),
            12.0,
            (1 - q(11)) * q(12) + q(11) * (1 - q(8)),
            **options,
        )
    add(
        "multilevel",
        "two planes",
        lambda x: np.maximum(unit(x[:, :3]), unit(x[:, 3:])),
        normals(6),
        4.4,
        either(ndtr(-4.4), ndtr(-4.4)),
        **MULTILEVEL,
    )
    step = lambda u: 9 * (u > 4.1)  # noqa: E731
    for d in (4, 12):
        add(
            "multilevel",
            f"jump {d}, multilevel",
            lambda x: unit(x[:, 1:]) + step(x[:, 0]),
            normals(d),
            4.9,
            beside(step, 4.9),
            **MULTILEVEL,
        )
    group = CASES["bits 24 and 15"]
    add(
        "multilevel",
        "bits, multilevel",
        group.performance,
        group.inputs,
        group.level,
        group.exact,
        **MULTILEVEL,
    )


def noise() -> None:
    """Performances with a noise of their own."""
    add(
        "noise",
        "wide noise",
        lambda x, r: x[:, 0] + 0.3 * r.standard_normal(len(x)),
        normals(2),
        3.2,
        ndtr(-3.2 / np.sqrt(1.09)),
        pass_rng=True,
    )
    add(
        "noise",
        "rare noise",
        lambda x, r: np.where(r.random(len(x)) < 3e-4, 9, x[:, 0]),
        normals(3),
        4.4,
        either(3e-4, ndtr(-4.4)),
        pass_rng=True,
    )
    heavy = lambda u: 0.004 * stats.t(2).isf(ndtr(-u))  # noqa: E731
    add(
        "noise",
        "t noise",
        lambda x, r: unit(x) + 0.004 * r.standard_t(2, len(x)),
        normals(6),
        4.2,
        beside(heavy, 4.2),
        pass_rng=True,
    )


def quantiles() -> None:
    """Quantiles of late and heavy scores; `level` is the probability."""
    for d, p, shape in (
        (9, 1e-5, lambda u: 9 * (u > 4.0)),
        (30, 4e-6, lambda u: 9 * (u < -4.2)),
        (48, 1e-5, lambda u: np.exp(2.5 * (u - 3.6))),
        (70, 2e-5, lambda u: 7 * (u > 3.9)),
        (15, 1e-5, lambda u: 3e-3 * stats.t(1.5).isf(ndtr(-u))),
    ):
        beyond = lambda q, f=shape: beside(f, q)  # noqa: E731
        CASES[f"quantile in {d}"] = Case(
            "quantiles", lambda x, f=shape: unit(x[:, 1:]) + f(x[:, 0]), normals(d), p, p, {}, beyond
        )
    for shape in (1.1, 1.6):
        law = stats.pareto(shape)
        CASES[f"Pareto {shape}"] = Case("quantiles", lambda x: x[:, 0], [law], 1e-3, 1e-3, {}, law.sf)


def cases() -> dict[str, Case]:
    """Return all of them."""
    for fill in (late, many, discrete, paths, own, noise, quantiles):
        fill()
    return CASES
