"""The 0–1 knapsack problem."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from problems.binary import PreparedOnUse
from problems.knapsack.amounts import Vector, checked_amounts
from problems.knapsack.multi_knapsack import MultiKnapsack

if TYPE_CHECKING:
    from cem.families import Bernoulli
    from cem.updates import EliteArchive

Seed = np.random.Generator | np.random.SeedSequence | int | None


@dataclass(frozen=True, eq=False, repr=False)
class Knapsack(PreparedOnUse):
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

    maximize: ClassVar[bool] = True
    compact: ClassVar[bool] = True
    population: ClassVar[int] = MultiKnapsack.population
    stage: ClassVar[str] = MultiKnapsack.stage

    def __post_init__(self) -> None:
        values, weights = (
            checked_amounts("values", self.values, 1),
            checked_amounts("weights", self.weights, 1),
        )
        capacity = checked_amounts("capacity", self.capacity, 0)
        if weights.shape != values.shape:
            raise ValueError(f"weights must have shape {values.shape}, one an item; got {weights.shape}")
        multi = MultiKnapsack(values, weights[None], capacity[None], self.optimum, self.name)
        for field, value in (("values", values), ("weights", weights), ("capacity", float(capacity))):
            object.__setattr__(self, field, value)
        object.__setattr__(self, "optimum", multi.optimum)

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
    def n(self) -> int:
        """Number of items."""
        return len(self.values)

    @property
    def start(self) -> Bernoulli:
        """As of `MultiKnapsack`."""
        return self._multi.start

    def __call__(self, X: ArrayLike) -> Vector:
        """Give the value of each row of `X`, shape (N, n), or minus infinity where it is too heavy.

        Raises
        ------
        TypeError, ValueError
            If these are no candidates of this problem.
        """
        return self._multi(X)

    @property
    def update(self) -> EliteArchive:
        """How improved candidates are recombined."""
        return self._multi.update

    def improve(
        self, X: NDArray[Any], scores: Vector, rng: np.random.Generator, effort: int
    ) -> tuple[NDArray[np.uint8], Vector, int]:
        """Make the rows of `X` fit, and pack them better: see `MultiKnapsack.improve`."""
        return self._multi.improve(X, scores, rng, effort)

    @cached_property
    def _multi(self) -> MultiKnapsack:
        weights, capacity = self.weights[None], np.array([self.capacity])
        return MultiKnapsack(self.values, weights, capacity, self.optimum, self.name)

    def __repr__(self) -> str:
        return f"Knapsack(name={self.name!r}, n={self.n}, optimum={self.optimum})"
