"""The 0–1 knapsack problem with several capacities."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cem.families import Bernoulli
from cem.families.base import Array, Floats, Index, Mask
from problems.binary import BinaryProblem
from problems.knapsack.amounts import check_amounts, read_problem
from problems.reading import naming

_ROUNDS = 30  # of unpacking a few items and packing anew, with effort 1
_MOST_UNPACKED = 4
_SPREAD = 0.3  # of an item's worth by chance, in units of its natural logarithm
_FAR, _LAST = 50.0, 1e3  # beyond all chance, and behind everything else


@dataclass(frozen=True, eq=False, repr=False)
class MultiKnapsack(BinaryProblem):
    """Find the 0/1 vector `x` that maximises ``values @ x`` with ``weights @ x <= capacities``.

    What exceeds a capacity is no solution and scores minus infinity. `improve` unpacks what is too much, so
    that every candidate of a run of `cem.optimize` is a solution.

    Parameters
    ----------
    values : array_like, shape (n,)
        What each item is worth, 0 or more.
    weights : array_like, shape (m, n)
        What each item takes of each capacity, 0 or more.
    capacities : array_like, shape (m,)
        How much there is, 0 or more.
    optimum : float, optional
        The greatest value, where it is known.
    name : str, optional
        What to call the problem in reports.

    Raises
    ------
    TypeError
        If a number is not real.
    ValueError
        If a shape does not fit, or a number is negative or not finite.

    Notes
    -----
    Whole numbers are added and compared exactly, or refused where that cannot be. Where some are not whole, a
    load may exceed its capacity by the rounding error of its sum: 1 + 1e-16 n times.

    The search unpacks what is too much and packs what still fits. Items are ranked by their value per weight,
    the weights priced by the duals of the linear relaxation (and, when packing anew, by some chance). Each of
    30 rounds for each effort unpacks one to four items of every candidate and packs anew; the outcome is kept
    where it is no worse, and each round counts as an evaluation.

    References
    ----------
    Chu & Beasley (1998), "A genetic algorithm for the multidimensional knapsack problem", Journal of
    Heuristics 4 (repair by the duals of the linear relaxation).

    Examples
    --------
    >>> problem = MultiKnapsack([6, 5, 4], [[3, 2, 2], [1, 2, 1]], [5, 3])
    >>> problem([[1, 1, 0], [1, 0, 1], [1, 1, 1]]).tolist()
    [11.0, 10.0, -inf]
    """

    values: Any
    weights: Any
    capacities: Any
    optimum: float | None = None
    name: str = "multi-knapsack"

    n: int = field(init=False)

    maximize: ClassVar[bool] = True
    population: ClassVar[int] = 24
    pieces: ClassVar[int] = 4
    stage: ClassVar[str] = "packing"

    def __post_init__(self) -> None:
        values = check_amounts("values", self.values, 1)
        weights = check_amounts("weights", self.weights, 2)
        capacities = check_amounts("capacities", self.capacities, 1)
        if values.size == 0:
            raise ValueError("values must not be empty")
        if weights.shape != (len(capacities), len(values)):
            raise ValueError(
                f"weights must have one row per capacity and one column per item, shape ({len(capacities)}, "
                f"{len(values)}); got {weights.shape}"
            )
        self._keep(values=values, weights=weights, capacities=capacities, n=len(values))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], number: int = 1) -> MultiKnapsack:
        """Read a problem from a file of OR-Library's `mknap1` and `mknapcb` kind.

        The file holds numbers separated by blanks and line ends: how many problems there are; for each,
        the numbers `n` of items and `m` of capacities and the optimum (0 where it is unknown), `n` values,
        `m` rows of `n` weights, `m` capacities.

        Parameters
        ----------
        path : path-like
            The file.
        number : int
            Which of its problems, counting from 1.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no such problem; the message names the file and the line.

        References
        ----------
        Beasley (1990), "OR-Library: distributing test problems by electronic mail", JORS 41(11).
        """
        values, weights, capacities, optimum = read_problem(Path(path), number)
        name = f"{Path(path).name.removesuffix('.gz').removesuffix('.txt')}-{number}"
        with naming(path):
            return cls(values, weights, capacities, optimum or None, name)

    # --- the problem --------------------------------------------------------------------------------

    @property
    def start(self) -> Bernoulli:
        """Each item with the probability at which loads two standard deviations above the mean just fit.

        What does not fit by itself is never packed.
        """
        fits = self._fitting
        mean, variance = self.weights @ fits, self.weights**2 @ fits
        low, high = 0.0, 1.0
        for _ in range(50):
            p = (low + high) / 2
            feasible = np.all(p * mean + 2 * np.sqrt(p * (1 - p) * variance) <= self.capacities)
            low, high = (p, high) if feasible else (low, p)
        return Bernoulli(low * fits)

    def _evaluate(self, rows: NDArray[np.uint8]) -> Floats:
        packed = rows.astype(np.float64)
        fits = np.all(packed @ self.weights.T <= self._limits, axis=1)
        return np.where(fits, packed @ self.values, -np.inf)

    def _counts(self) -> dict[str, int]:
        return {"capacities": len(self.capacities)}

    # --- the search ---------------------------------------------------------------------------------

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        packed, rounds = X.astype(np.bool_), _ROUNDS * effort
        repack = self._repack if self._compiled is None else self._repack_compiled
        if self._compiled is None:
            self._unpack(packed)
            self._pack(packed, np.broadcast_to(self._worth, packed.shape))
        else:
            ascending, descending = (np.argsort(each, kind="stable") for each in (self._worth, -self._worth))
            self._compiled.fit(packed, self.weights, self._limits, self._rooms, ascending, descending)
        totals = packed @ self.values
        for _ in range(rounds):
            chance = _SPREAD * rng.standard_exponential((len(X), 1)) * rng.standard_normal((2, *X.shape))
            last = rng.integers(min(self.n, _MOST_UNPACKED), size=len(X))
            repack(packed, totals, chance, last)
        return packed.astype(np.uint8), len(X) * rounds

    def _repack(self, packed: Mask, totals: Floats, chance: Floats, last: Index) -> None:
        """Unpack the cheapest items of each row and pack anew; keep what is worth no less."""
        trial, rows = packed.copy(), np.arange(len(packed))
        cheap = np.where(trial, self._worth + chance[0], np.inf)
        cheapest = np.sort(cheap, axis=1)[rows, last]
        unpacked = trial & (cheap <= cheapest[:, None])
        trial &= ~unpacked
        self._pack(trial, self._worth + chance[1] - _LAST * unpacked)
        trial_totals = trial @ self.values
        kept = trial_totals >= totals
        packed[kept], totals[kept] = trial[kept], trial_totals[kept]

    def _repack_compiled(self, packed: Mask, totals: Floats, chance: Floats, last: Index) -> None:
        rooms, worth = self._rooms, self._worth
        self._compiled.repack(packed, totals, self.values, self.weights, rooms, worth, chance, last, _LAST)

    def _unpack(self, packed: Mask) -> None:
        """Take out of each row what is worth least, until it fits."""
        loads = packed @ self.weights.T
        while (rows := np.flatnonzero((loads > self._limits).any(axis=1))).size:
            items = np.where(packed[rows], self._worth, np.inf).argmin(axis=1)
            packed[rows, items] = False
            loads[rows] = packed[rows] @ self.weights.T

    def _pack(self, packed: Mask, order: Floats) -> None:
        """Put into each row what still fits, those of the highest `order`, shape (N, n), first."""
        room = self._rooms - packed @ self.weights.T
        items = np.arange(self.n)
        while True:
            fits = ~packed[:, items]
            for weights, left in zip(self.weights[:, items], room.T, strict=True):
                fits &= weights <= left[:, None]
            rows, still = np.flatnonzero(fits.any(axis=1)), fits.any(axis=0)
            if rows.size == 0:
                return
            best = items[np.where(fits[rows], order[np.ix_(rows, items)], -np.inf).argmax(axis=1)]
            packed[rows, best] = True
            room[rows] -= self.weights[:, best].T
            items = items[still]

    @cached_property
    def _worth(self) -> Floats:
        """The logarithm of each item's value per weight: near 0 for those about which there is a doubt.

        A twentieth of the price of weight is spread over all capacities, for those that a solution in
        fractions does not fill.
        """
        from scipy.optimize import linprog

        use = self.capacities > 0
        weights, capacities = self.weights[use], self.capacities[use]
        prices = np.zeros(len(capacities))
        if use.any():
            relaxed = linprog(-self.values * self._fitting, weights, capacities, bounds=(0, 1))
            if relaxed.success:
                prices = -relaxed.ineqlin.marginals
        total = float(prices @ capacities)
        spread = 1 / (capacities * len(capacities))
        prices = 0.95 * prices + 0.05 * total * spread if total > 0 else spread
        with np.errstate(divide="ignore", invalid="ignore"):
            worth: Floats = np.log(self.values) - np.log(prices @ weights)
        worth[np.isnan(worth)] = 0.0
        return worth.clip(-_FAR, _FAR)

    @cached_property
    def _fitting(self) -> Mask:
        """Which items fit by themselves."""
        return np.asarray((self.weights <= self.capacities[:, None]).all(axis=0))

    @cached_property
    def _slack(self) -> Floats:
        """By how much a load may exceed its capacity: the rounding error of a sum of fractions."""
        whole = np.array_equal(self.weights, np.floor(self.weights))
        return np.zeros_like(self.capacities) if whole else 4 * self.n * np.finfo(float).eps * self.capacities

    @cached_property
    def _rooms(self) -> Floats:
        return np.asarray(self.capacities + self._slack / 2)

    @cached_property
    def _compiled(self) -> Any:
        """The same by numba, where it is there."""
        try:
            from problems.knapsack import compiled_packing
        except ImportError:
            return None
        return compiled_packing

    @cached_property
    def _limits(self) -> Floats:
        return np.asarray(self.capacities + self._slack)
