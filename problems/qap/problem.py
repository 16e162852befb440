"""The quadratic assignment problem: facilities to places, so that what flows between them has short ways."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cem.families.base import Floats, Index
from problems.frozen import Seed
from problems.numbers import EXACT, check_finite_sum, check_whole_sum, read_numbers
from problems.orders import OrderProblem, check_square
from problems.reading import Words, read_lines, stem

MOST_FACILITIES = 4096  # of a random instance
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

    def __post_init__(self) -> None:
        n, m = check_square("flows", self.flows), check_square("distances", self.distances)
        if n != m:
            raise ValueError(f"flows and distances must be of one size, got {n} and {m}")
        flows, whole_flows = read_numbers("flows", self.flows)
        distances, whole_distances = read_numbers("distances", self.distances)
        for name, matrix in (("flows", flows), ("distances", distances)):
            if not (good := np.isfinite(matrix)).all():
                i, j = np.argwhere(~good)[0]
                raise ValueError(f"{name}[{i}, {j}] = {matrix[i, j]} is not finite")
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
        try:
            return cls(
                [first[k : k + n] for k in rows],
                [second[k : k + n] for k in rows],
                optimum,
                name or stem(Path(path)),
            )
        except ValueError as fault:
            raise ValueError(f"{path}: {fault}") from None

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
