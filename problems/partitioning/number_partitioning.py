"""Number partitioning: split numbers in two so that the sums are as nearly equal as can be."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem.families.base import Array, Floats
from problems.binary import BinaryProblem, check_rows
from problems.numbers import refuse_masked

_EXACT = 24  # numbers that one search splits in the best way there is, with effort 1
_MOST_EXACT = 32


@dataclass(frozen=True, eq=False, repr=False)
class NumberPartitioning(BinaryProblem):
    """Split numbers in two so that the sums differ least: minimise ``|sum(a[x == 1]) - sum(a[x == 0])|``.

    `x` and ``1 - x`` are the same split.

    Parameters
    ----------
    numbers : sequence of int or float, length n
        Of any sign. Python integers may be of any size: differences of whole numbers are computed exactly.
        As soon as one number is a float, all are taken for float64, with its rounding errors.
    optimum : float, optional
        The least difference, where it is known.
    name : str, optional
        What to call the problem in reports.

    Raises
    ------
    TypeError
        If a number is not real.
    ValueError
        If there are none, one is not finite, or their sum is beyond the largest float.

    Notes
    -----
    Scores are float64: an exact difference beyond 2**53 is rounded to it. A score is 0 only where the
    difference is, and a smaller difference never has the larger score. `difference` does not round.

    The search merges up to n/8 pairs of numbers, drawn at random, as a candidate has them, each into one
    number. Then the two largest are put on different sides (merged into their difference) again and again,
    until so few are left that the best split of these can be found: 24, and two more for each further
    effort, up to 32. Where there are no more numbers than that, it is the optimum. A candidate that is better
    already is kept.

    References
    ----------
    Karmarkar & Karp (1982), "The differencing method of set partitioning", UC Berkeley CSD 82/113;
    Horowitz & Sahni (1974), "Computing partitions with applications to the knapsack problem", JACM 21(2).

    Examples
    --------
    >>> problem = NumberPartitioning([4, 5, 6, 7, 8])
    >>> problem([[0, 0, 0, 1, 1], [1, 1, 0, 0, 0]]).tolist()
    [0.0, 12.0]
    """

    numbers: Any
    optimum: float | None = None
    name: str = "number-partitioning"

    n: int = field(init=False)

    maximize: ClassVar[bool] = False
    symmetric: ClassVar[bool] = True
    population: ClassVar[int] = 8
    stage: ClassVar[str] = "differencing"

    def __post_init__(self) -> None:
        numbers = _exact_numbers(self.numbers)
        self._keep(numbers=numbers, n=len(numbers))

    def _evaluate(self, rows: NDArray[np.uint8]) -> Floats:
        return self._differences(rows).astype(np.float64)

    def difference(self, x: ArrayLike) -> int | float:
        """Return the difference of one candidate, shape (n,): an exact int where all numbers are whole.

        Raises
        ------
        TypeError, ValueError
            If it is no candidate of this problem.
        """
        exact: int | float = self._differences(check_rows(x, self.n, dimensions=(1,))[None]).tolist()[0]
        return exact

    # --- the search ---------------------------------------------------------------------------------

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        better = X.astype(np.uint8)
        exact = min(_EXACT + 2 * (effort - 1), _MOST_EXACT)
        before = self._differences(better)
        open_rows = np.flatnonzero(before > self._least)
        for row in open_rows.tolist():
            better[row] = self._split(better[row], rng, exact)
        worse = self._differences(better) > before
        better[worse] = X[worse]
        return better, len(open_rows)

    def _split(self, x: NDArray[np.uint8], rng: np.random.Generator, exact: int) -> NDArray[np.uint8]:
        """Merge pairs as `x` has them and then the largest, down to `exact`; split these, and unmerge."""
        n = self.n
        values = [abs(a) for a in self.numbers]
        own = [(1 if side else -1) * (1 if a >= 0 else -1) for side, a in zip(x, self.numbers, strict=True)]
        merges: list[tuple[int, int, int, int]] = []  # two numbers, and on which side of the new one each is
        gone: set[int] = set()
        pairs = min(int(rng.integers(1, max(1, n // 8) + 1)), n - exact) if n > exact else 0
        for i, j in rng.permutation(n)[: 2 * pairs].reshape(-1, 2).tolist():
            total = own[i] * values[i] + own[j] * values[j]
            turn = 1 if total >= 0 else -1
            merges.append((i, j, turn * own[i], turn * own[j]))
            values.append(abs(total))
            gone |= {i, j}
        heap = [(-value, i) for i, value in enumerate(values) if i not in gone]
        heapq.heapify(heap)
        while len(heap) > exact:
            (first, i), (second, j) = heapq.heappop(heap), heapq.heappop(heap)
            heapq.heappush(heap, (first - second, n + len(merges)))
            merges.append((i, j, 1, -1))
        signs = [0] * (n + len(merges))
        for sign, (_, i) in zip(_best_signs([-value for value, _ in heap]), heap, strict=True):
            signs[i] = sign
        for k in reversed(range(len(merges))):
            i, j, sign_i, sign_j = merges[k]
            signs[i], signs[j] = signs[n + k] * sign_i, signs[n + k] * sign_j
        negative = np.array([a < 0 for a in self.numbers])
        sides: NDArray[np.bool_] = (np.array(signs[:n]) > 0) != negative
        return sides.astype(np.uint8)

    def _differences(self, X: NDArray[np.uint8]) -> Array:
        """Return the absolute differences, exact where the numbers are whole."""
        signs = 2 * X.astype(np.int64) - 1
        return np.asarray(abs(signs.astype(self._array.dtype) @ self._array))

    @cached_property
    def _array(self) -> Array:
        """The numbers as int64 or, where sums would not fit, as Python integers; or as float64."""
        if isinstance(self.numbers[0], float):
            return np.array(self.numbers)
        fits = sum(map(abs, self.numbers)) < 2**63
        return np.array(self.numbers, dtype=np.int64 if fits else object)

    @cached_property
    def _least(self) -> int | float:
        """No split can differ by less: 0, or the greatest common divisor where the sum is an odd multiple."""
        if isinstance(self.numbers[0], float):
            return 0.0
        divisor = math.gcd(*self.numbers)
        return divisor if divisor and sum(self.numbers) // divisor % 2 else 0


def _exact_numbers(numbers: Iterable[Any]) -> tuple[Any, ...]:
    """Read numbers as Python integers, or all as floats.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong with them.
    """
    refuse_masked("numbers", numbers)
    values = numbers.tolist() if isinstance(numbers, np.ndarray) else list(numbers)
    if not values:
        raise ValueError("numbers must not be empty")
    for k, value in enumerate(values):
        if isinstance(value, bool | np.bool_) or not isinstance(
            value, int | float | np.integer | np.floating
        ):
            raise TypeError(
                f"numbers[{k}] = {value!r} is not a real number, int or float; multiply Fractions and "
                "Decimals all by one number that makes them whole"
            )
        if not isinstance(value, int | np.integer) and not math.isfinite(value):
            raise ValueError(f"numbers[{k}] = {value} is not finite")
    whole = all(isinstance(value, int | np.integer) for value in values)
    try:
        exact = tuple(int(value) if whole else float(value) for value in values)
        total = float(sum(map(abs, exact)))
    except OverflowError:
        total = math.inf
    if total == math.inf:
        raise ValueError("the numbers' sum is beyond the largest float (1.8e308); divide them all by a power")
    for k, (value, number) in enumerate(zip(values, exact, strict=True)):
        if number != value:
            raise ValueError(f"numbers[{k}] = {value} would be rounded among floats; make all of one kind")
    return exact


def _best_signs(values: list[Any]) -> list[int]:
    """Return signs of -1 and 1 that bring the sum of `values` nearest to 0: all sums of either half meet.

    Integers whose sums do not fit into 64 bits stay Python integers.
    """
    whole = isinstance(values[0], int)
    fits = whole and sum(values) < 2**62
    numbers = np.array(values, dtype=(np.int64 if fits else object) if whole else np.float64)
    half = len(numbers) // 2
    first, second = _sums(numbers[half:-1]) + numbers[-1], _sums(numbers[:half])  # the last sign is free: +
    order = np.argsort(second, kind="stable")
    ranked = second[order]
    above = np.searchsorted(ranked, -first)
    nearest = np.stack((np.maximum(above - 1, 0), np.minimum(above, len(ranked) - 1)))
    gaps = abs(first + ranked[nearest])
    side, i = divmod(int(gaps.argmin()), len(first))
    return [*_signs(int(order[nearest[side, i]]), half), *_signs(i, len(numbers) - half - 1), 1]


def _sums(numbers: Array) -> Array:
    """Return the sums of `numbers` with all signs: minus for number `j` where bit `j` of the index is 1."""
    sums = np.zeros(1, dtype=numbers.dtype)
    for number in numbers:
        sums = np.concatenate((sums + number, sums - number))
    return sums


def _signs(code: int, count: int) -> list[int]:
    return [-1 if code >> j & 1 else 1 for j in range(count)]
