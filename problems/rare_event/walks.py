"""Random walks with normal steps that reach a level within so many steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

import cem
from cem.families.base import Floats
from problems.rare_event.problem import RareEventProblem

REFERENCES = {
    "walk 50": 1.9118603447974067e-05,
    "walk 20": 4.831472728469867e-06,
}
WALKS = {"walk 50": (50, -0.1, 25.0), "walk 20": (20, 0.0, 20.0)}
"""Steps, drift and level."""


def walk_maximum(n: int, drift: float, level: float, nodes: int = 400) -> float:
    """Return P(max S_k >= level) of a walk of `n` steps N(drift, 1), by a Gauss-Legendre recursion."""
    low = level - 12 - 8 * np.sqrt(n)
    t, w = np.polynomial.legendre.leggauss(nodes)
    y = low + (level - low) * (t + 1) / 2
    w = w * (level - low) / 2
    kernel = np.exp(-((y[:, None] - y[None, :] - drift) ** 2) / 2) / np.sqrt(2 * np.pi)
    leave = ndtr(-(level - y - drift))
    hit = float(ndtr(-(level - drift)))
    density = np.exp(-((y - drift) ** 2) / 2) / np.sqrt(2 * np.pi)
    for _ in range(n - 1):
        hit += float((w * density) @ leave)
        density = kernel @ (w * density)
    return hit


def highest(drift: float) -> Callable[[Floats], Floats]:
    """Performance: the largest partial sum of a row of standard normals plus drift."""
    return lambda u: np.asarray(np.cumsum(u + drift, axis=1).max(axis=1))


def compute() -> dict[str, float]:
    """Compute the references by name."""
    return {name: walk_maximum(*walk) for name, walk in WALKS.items()}


def problems() -> list[RareEventProblem]:
    """Return the cases."""
    return [
        RareEventProblem(
            name,
            highest(drift),
            cem.Gaussian(np.zeros(n), std=1),
            level,
            "upper",
            REFERENCES[name],
            1e-9 * REFERENCES[name],
            "Gauss-Legendre recursion",
        )
        for name, (n, drift, level) in WALKS.items()
    ]
