"""Knapsack counting: the share of subsets whose weight stays within capacity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import cem
from cem.families.base import Floats
from problems.rare_event.problem import RareEventProblem

REFERENCE = 0.0010241558775305748
ITEMS = 30
SEED = 7
FILLED = 0.2


def share_within(weights: Floats, capacity: int) -> float:
    """P(Σ a_i x_i <= capacity), x uniform on {0,1}^n, by dynamic programming."""
    mass = np.zeros(capacity + 1)
    mass[0] = 1.0
    for a in weights.astype(int):
        shifted = np.zeros_like(mass)
        shifted[a:] = mass[: max(capacity + 1 - a, 0)]
        mass = (mass + shifted) / 2
    return float(mass.sum())


def load(weights: Floats) -> Callable[[Floats], Floats]:
    """Performance: the total weight."""
    return lambda x: np.asarray(x @ weights)


def fits(weights: Floats, capacity: int) -> Callable[[Floats], Floats]:
    """Performance: 1 where the subset fits, else 0."""
    return lambda x: (x @ weights <= capacity).astype(float)


def _knapsack() -> tuple[Floats, int]:
    """Return weights and capacity."""
    weights = np.random.default_rng(SEED).integers(10, 100, ITEMS).astype(float)
    return weights, int(weights.sum() * FILLED)


def compute() -> dict[str, float]:
    """Compute the references by name."""
    share = share_within(*_knapsack())
    return {"knapsack": share, "knapsack 0/1": share}


def problems() -> list[RareEventProblem]:
    """Return the cases: with the weight as performance, and with whether it fits."""
    weights, capacity = _knapsack()
    coins = cem.Bernoulli(np.full(ITEMS, 0.5))
    error, source = 1e-12 * REFERENCE, "dynamic programming"
    one = RareEventProblem("knapsack", load(weights), coins, capacity, "lower", REFERENCE, error, source)
    inside = fits(weights, capacity)
    return [one, RareEventProblem("knapsack 0/1", inside, coins, 1.0, "upper", REFERENCE, error, source)]
