"""The quadratic assignment problem: facilities to places, so that what flows between them has short ways."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cem.families.base import Array, Floats, Index
from problems.frozen import Seed
from problems.numbers import EXACT, check_finite, check_finite_sum, check_whole_sum, read_numbers
from problems.orders import OrderProblem, check_square
from problems.qap import tabu
from problems.reading import Words, naming, read_lines, stem

MOST_FACILITIES = 4096  # of a random instance
_PLANTED_FLOW = 10
_STEPS = 10  # per facility and effort
_BLOCK_ENTRIES = 2**20  # of permuted matrices, evaluated at once


@dataclass(frozen=True, eq=False, repr=False)
class QAP(OrderProblem):
    """Find the assignment `x` that minimises ``sum(flows[i, j] * distances[x[i], x[j]])`` over all i, j.

    A candidate gives each facility its place.

    Parameters
    ----------
    flows, distances : array_like, shape (n, n)
        Finite, of any sign, not necessarily symmetric; the diagonals count too. Kept as float64.
    optimum : float, optional
        The least value, where it is known.
    name : str, optional
        What to call the problem in reports.

    Raises
    ------
    TypeError
        If a number is not real.
    ValueError
        If a shape does not fit, or a number is not finite, or whole and too large for exact sums.

    Notes
    -----
    The search improves each candidate by tabu search, as `problems.qap.tabu` says: 10 steps per facility for
    each effort, compiled where numba is there. Each step counts as an evaluation.

    References
    ----------
    Koopmans & Beckmann (1957), "Assignment problems and the location of economic activities", Econometrica
    25(1).

    Examples
    --------
    >>> problem = QAP([[0, 3, 0], [0, 0, 1], [0, 0, 0]], [[0, 1, 2], [1, 0, 5], [2, 5, 0]])
    >>> problem([[0, 1, 2], [1, 0, 2]]).tolist()
    [8.0, 5.0]
    """

    flows: Any
    distances: Any
    optimum: float | None = None
    name: str = "qap"
    n: int = field(init=False)

    kind: ClassVar[str] = "position"
    fewest: ClassVar[int] = 2
    population: ClassVar[int] = 16
    pieces: ClassVar[int] = 2  # small ones take as long as one row

    def __post_init__(self) -> None:
        n, m = check_square("flows", self.flows), check_square("distances", self.distances)
        if n != m:
            raise ValueError(f"flows and distances must be of one size, got {n} and {m}")
        flows, whole_flows = read_numbers("flows", self.flows)
        distances, whole_distances = read_numbers("distances", self.distances)
        for name, matrix in (("flows", flows), ("distances", distances)):
            check_finite(name, matrix)
        ascending = [np.sort(abs(matrix), axis=None) for matrix in (flows, distances)]
        with np.errstate(over="ignore"):
            most = ascending[0] * ascending[1]  # no assignment has a larger sum
        check_finite_sum("flows times distances", most)
        if whole_flows and whole_distances:
            pairs = zip(*(each.tolist() for each in ascending), strict=True)
            if most.sum() >= EXACT:
                most = np.array([int(flow) * int(distance) for flow, distance in pairs], dtype=object)
            check_whole_sum("flows times distances", most)
        self._keep(flows=flows.copy(), distances=distances.copy(), n=n)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, optimum: float | None = None, name: str | None = None
    ) -> QAP:
        """Read an instance in QAPLIB's format: the size, the first matrix and the second, all on any lines.

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
            If it holds no such instance; the message names the file and the line.

        References
        ----------
        Burkard, Karisch & Rendl (1997), "QAPLIB: a quadratic assignment problem library", Journal of Global
        Optimization 10.
        """
        words = Words(path, read_lines(path))
        n = words.count("the size")
        first, second = (words.numbers(n * n, f"the {which} matrix") for which in ("first", "second"))
        words.finish("two matrices")
        rows = range(0, n * n, n)
        with naming(path):
            return cls(
                [first[k : k + n] for k in rows],
                [second[k : k + n] for k in rows],
                optimum,
                name or stem(Path(path)),
            )

    @classmethod
    def planted(cls, rows: int, columns: int, *, rng: Seed = None) -> QAP:
        """Draw an instance of known optimum: facilities to the places of a grid, under Manhattan distances.

        All pairs of facilities begin with one flow. Then some of the flow between two is led over a third
        that lies between them on the grid, again and again: that leaves the planted assignment what it costs
        and makes no other cheaper.

        Parameters
        ----------
        rows, columns : int
            Of the grid; 1 to 4096 places in all.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        ValueError
            If there are too few or too many.

        References
        ----------
        Palubeckis (1999), "Generating hard test instances with known optimal solution for the rectilinear
        quadratic assignment problem", Journal of Global Optimization 15.
        """
        n = rows * columns
        if rows < 1 or columns < 1 or n > MOST_FACILITIES:
            raise ValueError(
                f"rows and columns must be 1 or more, and rows * columns at most {MOST_FACILITIES}; "
                f"got {rows}, {columns}"
            )
        generator = np.random.default_rng(rng)
        row, column = np.divmod(np.arange(n), columns)
        distances = abs(np.subtract.outer(row, row)) + abs(np.subtract.outer(column, column))
        flows = np.where(np.eye(n, dtype=bool), 0, _PLANTED_FLOW)
        for i, j in generator.permutation(np.argwhere(np.triu(distances) > 1)):
            between = np.flatnonzero(distances[i] + distances[j] == distances[i, j])
            k = generator.choice(between[(between != i) & (between != j)])
            led = generator.integers(0, flows[i, j], endpoint=True)
            for a, b, more in ((i, j, -led), (i, k, led), (k, j, led)):
                flows[a, b] += more
                flows[b, a] += more
        order = generator.permutation(n)
        optimum = _PLANTED_FLOW * int(distances.sum())
        return cls(flows[np.ix_(order, order)], distances, optimum, name=f"planted-{rows}x{columns}")

    @classmethod
    def random(cls, n: int, *, rng: Seed = None) -> QAP:
        """Draw symmetric flows and distances of 0 … 99, as Taillard's uniform instances have them.

        Parameters
        ----------
        n : int
            The number of facilities, from 1 to 4096.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        ValueError
            If there are too few or too many.

        References
        ----------
        Taillard (1991), "Robust taboo search for the quadratic assignment problem", Parallel Computing 17.
        """
        if not 1 <= n <= MOST_FACILITIES:
            raise ValueError(f"n, the number of facilities, must be from 1 to {MOST_FACILITIES}, got {n}")
        drawn = np.triu(np.random.default_rng(rng).integers(0, 99, size=(2, n, n), endpoint=True), k=1)
        flows, distances = drawn + drawn.transpose(0, 2, 1)
        return cls(flows, distances, name=f"random-{n}")

    def _evaluate(self, rows: Index) -> Floats:
        values = np.empty(len(rows))
        step = max(1, _BLOCK_ENTRIES // self.n**2)
        for first in range(0, len(rows), step):
            x = rows[first : first + step]
            placed = self.distances[x[:, :, None], x[:, None, :]]
            values[first : first + step] = np.einsum("ij,kij->k", self.flows, placed)
        return values

    def _draw(self, order: Index, value: str, ax: Any) -> Any:
        """Draw facilities at their places, laid out by the distances, and what flows between them."""
        from problems.pictures import draw_assignment

        flows, distances = (matrix + matrix.T for matrix in (self.flows, self.distances))
        return draw_assignment(distances, flows, order, f"{self.name}: an assignment of {value}", ax)

    # --- the search ---------------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        """What the search is called in histories, with what runs it."""
        return "tabu search (numba)" if self._search is not tabu.search else "tabu search (numpy)"

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[Index, int]:
        steps = _STEPS * self.n * effort
        return self._search(self.flows, self.distances, X.astype(np.int64), steps, rng), len(X) * steps

    @cached_property
    def _search(self) -> Callable[..., Index]:
        try:
            from problems.qap import compiled_tabu
        except ImportError:
            return tabu.search
        return compiled_tabu.search
