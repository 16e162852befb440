"""The 0–1 knapsack problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cem.families import Bernoulli
from cem.families.base import Array, Floats
from problems.binary import BinaryProblem
from problems.frozen import Seed
from problems.knapsack.amounts import check_amounts
from problems.knapsack.multi_knapsack import MultiKnapsack


@dataclass(frozen=True, eq=False, repr=False)
class Knapsack(BinaryProblem):
    """Find the 0/1 vector `x` that maximises ``values @ x`` with ``weights @ x <= capacity``.

    A `MultiKnapsack` of one capacity, in every respect.

    Parameters
    ----------
    values : array_like, shape (n,)
        What each item is worth, 0 or more.
    weights : array_like, shape (n,)
        What each item weighs, 0 or more.
    capacity : float
        How much they may weigh together, 0 or more.
    optimum : float, optional
        The greatest value, where it is known.
    name : str, optional
        What to call the problem in reports.

    Raises
    ------
    TypeError, ValueError
        As for `MultiKnapsack`.

    Examples
    --------
    >>> problem = Knapsack([6, 5, 4], [3, 2, 2], 4)
    >>> problem([[0, 1, 1], [1, 0, 0], [1, 1, 0]]).tolist()
    [9.0, 6.0, -inf]
    """

    values: Any
    weights: Any
    capacity: float
    optimum: float | None = None
    name: str = "knapsack"

    n: int = field(init=False)

    maximize: ClassVar[bool] = True
    population: ClassVar[int] = MultiKnapsack.population
    pieces: ClassVar[int] = MultiKnapsack.pieces
    stage: ClassVar[str] = MultiKnapsack.stage

    def __post_init__(self) -> None:
        values, weights = check_amounts("values", self.values, 1), check_amounts("weights", self.weights, 1)
        capacity = check_amounts("capacity", self.capacity, 0)
        if values.size == 0:
            raise ValueError("values must not be empty")
        if weights.shape != values.shape:
            raise ValueError(f"weights must have shape {values.shape}, one per item; got {weights.shape}")
        self._keep(values=values, weights=weights, capacity=float(capacity), n=len(values))

    @classmethod
    def random(cls, n: int, *, rng: Seed = None) -> Knapsack:
        """Draw `n` items with weights of 1 … 1000 and values that differ from them by 100 at most.

        All are whole numbers and at least 1. The capacity is half of what all items weigh together.

        Parameters
        ----------
        n : int
            The number of items, 1 or more.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        ValueError
            If there is no item.

        References
        ----------
        Martello & Toth (1990), "Knapsack Problems", Wiley, Section 2.10 (weakly correlated items).
        """
        if n < 1:
            raise ValueError(f"n, the number of items, must be 1 or more, got {n}")
        generator = np.random.default_rng(rng)
        weights = generator.integers(1, 1000, size=n, endpoint=True)
        values = np.maximum(1, weights + generator.integers(-100, 100, size=n, endpoint=True))
        return cls(values, weights, float(weights.sum() // 2), name=f"random-{n}")

    @property
    def start(self) -> Bernoulli:
        """As of `MultiKnapsack`."""
        return self._multi.start

    def _evaluate(self, rows: NDArray[np.uint8]) -> Floats:
        return self._multi._evaluate(rows)

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        return self._multi._improve(X, rng, effort)

    @cached_property
    def _multi(self) -> MultiKnapsack:
        weights, capacity = self.weights[None], np.array([self.capacity])
        return MultiKnapsack(self.values, weights, capacity, self.optimum, self.name)
