"""The maximum satisfiability problem, weighted or not."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem.families.base import Array, Floats, Mask
from problems.binary import BinaryProblem, check_rows
from problems.frozen import Seed
from problems.maxsat.formula import Formula
from problems.maxsat.reader import read_formula
from problems.numbers import check_finite_sum, check_whole_sum, read_numbers
from problems.reading import naming, stem

_BLOCK_ENTRIES = 2**22  # of candidates times clauses, evaluated at once
_STEPS = 2  # a variable
_LEAST_STEPS, _MOST_STEPS = 20, 20_000
_GREED = (2.5, 10.0)  # of the first and the last candidate of a batch


@dataclass(frozen=True, eq=False, repr=False)
class MaxSAT(BinaryProblem):
    """Find the 0/1 vector `x` that maximises the weight of the clauses that hold.

    Where some clauses must hold, they count apart: the value of `x` is the weight of the others that hold,
    or, where not all hold that must, minus the number of those.

    Parameters
    ----------
    n : int
        The number of variables, 1 … n.
    clauses : sequence of sequences of int
        Each is the "or" of its literals, as in DIMACS files: ``k`` for variable `k` being 1, ``-k`` for its
        being 0, k from 1 to n. (Variable `k` is ``x[k - 1]``.) An empty clause never holds. Kept as tuples.
    weights : array_like, shape (m,), optional
        The clauses' weights, positive; 1 each by default. Kept as float64.
    optimum : float, optional
        The greatest weight of clauses that can hold, where it is known.
    name : str, optional
        What to call the problem in reports.
    hard : array_like of bool, shape (m,), optional
        The clauses that must hold; none by default. Whatever weights are given for them, they are kept with
        1 more than all others weigh together.

    Raises
    ------
    TypeError
        If `n` or a literal is not a whole number, or a weight is not real.
    ValueError
        If a literal is out of range, there is not one weight for each clause, or a weight is not positive
        and finite.

    Notes
    -----
    Whole weights are added exactly: where their sum could be rounded, they are refused.

    The search walks from every candidate, flipping variables of clauses that do not hold, see
    `problems.maxsat.walk`: 2 n steps for each effort (but 20 at least and 20,000 at most), the first most
    freely and the last most greedily. A walk stops where all clauses hold, and returns the best it has seen;
    n flips count as an evaluation.

    Examples
    --------
    >>> problem = MaxSAT(2, [(1, 2), (-1, 2), (-2,)])
    >>> problem([[0, 0], [0, 1], [1, 0], [1, 1]]).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    n: int
    clauses: Sequence[Sequence[int]]
    weights: Any = None
    optimum: float | None = None
    name: str = "maxsat"
    hard: Any = None

    maximize: ClassVar[bool] = True
    population: ClassVar[int] = 24
    pieces: ClassVar[int] = 4

    def __post_init__(self) -> None:
        n = _check_count("n, the number of variables,", self.n)
        clauses = tuple(_check_clause(n, k, clause) for k, clause in enumerate(self.clauses))
        hard = _check_hard(len(clauses), self.hard)
        weights = _check_weights(len(clauses), self.weights, hard)
        self._keep(n=n, clauses=clauses, weights=weights, hard=hard)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, optimum: float | None = None, name: str | None = None
    ) -> MaxSAT:
        """Read a formula in DIMACS format: ``cnf``, ``wcnf``, or the ``wcnf`` of 2022 without a header.

        Lines that start with ``c`` are comments. ``p cnf n m`` is followed by m clauses, each a list of
        literals that ends with 0; after ``p wcnf n m`` or ``p wcnf n m top``, each begins with its weight
        (`top` or more is a clause that must hold). Without a header, in files named ``.wcnf``, a clause that
        must hold begins with ``h``. A line ``%`` ends a file.

        Parameters
        ----------
        path : path-like
            The file.
        optimum : float, optional
            As for the class.
        name : str, optional
            As for the class; the file's name without its suffix by default.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no formula; the message names the file and the line.
        """
        n, clauses, weights, hard = read_formula(Path(path))
        with naming(path):
            return cls(n, clauses, weights, optimum, name or stem(Path(path)), hard)

    @classmethod
    def random(cls, n: int, m: int, k: int = 3, *, rng: Seed = None) -> MaxSAT:
        """Draw `m` clauses of `k` different variables each, negated or not with equal probability.

        Parameters
        ----------
        n, m, k : int
            Numbers of variables, of clauses, and of literals per clause. (For k = 3, nearly all formulas can
            be satisfied while m < 4.2 n, and hardly any where m > 4.3 n.)
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        TypeError, ValueError
            If these are no counts, or k > n.
        """
        n, k = _check_count("n, the number of variables,", n), _check_count("k", k)
        if k > n:
            raise ValueError(f"k = {k} different variables cannot be drawn from n = {n}")
        generator = np.random.default_rng(rng)
        clauses = [
            (1 + generator.choice(n, k, replace=False)) * generator.choice((-1, 1), k) for _ in range(m)
        ]
        return cls(n, [clause.tolist() for clause in clauses], name=f"random-{k}sat-{n}-{m}")

    # --- the problem --------------------------------------------------------------------------------

    def _evaluate(self, rows: NDArray[np.uint8]) -> Floats:
        values = np.empty(len(rows))
        step = max(1, _BLOCK_ENTRIES // max(1, len(self.clauses)))
        for first in range(0, len(rows), step):
            block = slice(first, first + step)
            holds = self._formula.true_literals(rows[block]) > 0
            values[block] = holds @ np.where(self.hard, 0.0, self.weights)
            broken = (~holds[:, self.hard]).sum(axis=1)
            values[block] = np.where(broken, -broken, values[block])
        return values

    def holds(self, x: ArrayLike) -> Mask:
        """Return which clauses hold for one candidate, shape (n,), as shape (m,).

        Raises
        ------
        TypeError, ValueError
            If it is no candidate of this problem.
        """
        row = check_rows(x, self.n, dimensions=(1,))
        true: Mask = self._formula.true_literals(row[None])[0] > 0
        return true

    def _counts(self) -> dict[str, int]:
        return {"clauses": len(self.clauses)}

    # --- the search ---------------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        """What the search is called in histories, with the engine it uses."""
        return "walking (numba)" if self._walk.__name__.endswith("compiled_walk") else "walking (numpy)"

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        steps = min(max(_LEAST_STEPS, _STEPS * self.n), _MOST_STEPS) * effort
        greed = np.geomspace(*_GREED, num=len(X))
        best, flips = self._walk.walk(self._formula, X.astype(np.uint8), greed, steps, rng)
        return best, -(-flips // self.n)

    @cached_property
    def _walk(self) -> ModuleType:
        try:
            from problems.maxsat import compiled_walk
        except ImportError:
            from problems.maxsat import walk

            return walk
        return compiled_walk

    @cached_property
    def _formula(self) -> Formula:
        return Formula.from_clauses(self.n, self.clauses, self.weights)


def _check_count(what: str, value: int) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{what} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{what} must be 1 or more, got {value}")
    return int(value)


def _check_clause(n: int, k: int, clause: Iterable[int]) -> tuple[int, ...]:
    try:
        literals = tuple(operator.index(literal) for literal in clause)
    except TypeError:
        raise TypeError(f"clauses[{k}] must be a sequence of whole numbers, got {clause!r}") from None
    for literal in literals:
        if not 1 <= abs(literal) <= n:
            raise ValueError(f"clauses[{k}] has the literal {literal}; they are ±1 to ±{n}")
    return literals


def _check_hard(m: int, hard: Any) -> Mask:
    mask = np.zeros(m, dtype=np.bool_) if hard is None else np.array(hard).reshape(-1)
    if mask.shape != (m,) or (m and mask.dtype != np.bool_):
        raise ValueError(f"hard must be booleans of shape ({m},), one per clause; got {hard!r}")
    return mask.astype(np.bool_)


def _check_weights(m: int, weights: Any, hard: Mask) -> Floats:
    given = np.ones(m) if weights is None else weights
    if np.shape(given) != (m,):
        raise ValueError(f"weights must have shape ({m},), one per clause; got {np.shape(given)}")
    numbers, whole = read_numbers("weights", given)
    if not (good := hard | (np.isfinite(numbers) & (numbers > 0))).all():
        k = int(good.argmin())
        raise ValueError(f"weights[{k}] = {numbers[k]} must be positive and finite")
    soft = numbers[~hard]
    if whole:
        check_whole_sum("the weights", soft)
    check_finite_sum("the weights", soft)
    numbers[hard] = soft.sum() + 1
    return numbers
