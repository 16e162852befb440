"""The travelling salesman problem: the shortest tour through all cities."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cem.families.base import Array, Floats, Index
from problems.frozen import Seed
from problems.numbers import check_finite, check_finite_sum, check_whole_sum, read_numbers
from problems.orders import OrderProblem, check_square
from problems.reading import naming, stem
from problems.tsp import moves
from problems.tsp.distances import euclidean
from problems.tsp.reader import MOST_CITIES, read_instance

_NEIGHBOURS = 10
_KICKS = {True: 20.0, False: 1.0}  # per city and effort; compiled, they take a fiftieth of the time


@dataclass(frozen=True, eq=False, repr=False)
class TSP(OrderProblem):
    """Find the order of cities whose closed tour is shortest.

    A candidate lists the cities in the order of the tour, which returns from the last to the first.

    Parameters
    ----------
    distances : array_like, shape (n, n)
        From the row's city to the column's, finite, 0 or more; the diagonal is not used. Where they differ
        from those back, the problem is asymmetric. Kept as float64.
    optimum : float, optional
        The length of the shortest tour, where it is known.
    name : str, optional
        What to call the problem in reports.
    points : array_like, shape (n, 2), optional
        Where the cities are, for pictures.

    Raises
    ------
    TypeError
        If a number is not real.
    ValueError
        If a shape does not fit, or a distance is negative, not finite, or whole and too large for exact sums.

    Notes
    -----
    The search improves each candidate by 2-opt (where the problem is symmetric) and Or-opt on lists of 10
    neighbours and by kicks, as `problems.tsp.moves` says: 20 per city for each effort where numba is there, 1
    where it is not. Each kick counts as an evaluation. Fewer than 8 cities are left to the plan for orders.

    Examples
    --------
    >>> square = TSP([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
    >>> square([[0, 1, 2, 3], [0, 2, 1, 3]]).tolist()
    [4.0, 6.0]
    """

    distances: Any
    optimum: float | None = None
    name: str = "tsp"
    points: Any = None
    n: int = field(init=False)

    fewest: ClassVar[int] = 8  # cities that moves need room for

    def __post_init__(self) -> None:
        n = check_square("distances", self.distances)
        given, whole = read_numbers("distances", self.distances)
        distances = given.copy()
        np.fill_diagonal(distances, 0.0)
        check_finite("distances", distances, least=0)
        longest = distances.max(axis=1)  # no tour is longer than their sum
        check_finite_sum("distances", longest)
        if whole:
            check_whole_sum("the distances from each city to the farthest", longest)
        points = None if self.points is None else np.array(self.points, dtype=np.float64)
        if points is not None and points.shape != (n, 2):
            raise ValueError(f"points must have shape ({n}, 2), got {points.shape}")
        self._keep(distances=distances, points=points, n=n)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, optimum: float | None = None, name: str | None = None
    ) -> TSP:
        """Read an instance in the format of TSPLIB.

        Symmetric ones (TSP) with the distances EUC_2D, CEIL_2D, ATT, GEO or EXPLICIT in any format of
        matrix, and asymmetric ones (ATSP) with a full matrix. The file counts cities from 1: its city `k` is
        ``k-1`` here.

        Parameters
        ----------
        path : path-like
            The file.
        optimum : float, optional
            As for the class.
        name : str, optional
            As for the class; the file's own by default.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no such instance; the message names the file and the line.

        References
        ----------
        Reinelt (1991), "TSPLIB: a traveling salesman problem library", ORSA Journal on Computing 3(4).
        """
        read = read_instance(path)
        own = read.name.removesuffix(".tsp") or stem(Path(path))
        with naming(path):
            return cls(read.distances, optimum, name or own, read.points)

    @classmethod
    def random(cls, n: int, *, rng: Seed = None) -> TSP:
        """Draw `n` cities in a square of side 1,000,000, with distances rounded as EUC_2D is.

        Parameters
        ----------
        n : int
            The number of cities, from 1 to 20,000.
        rng : None, int, SeedSequence or Generator
            The randomness.

        Raises
        ------
        ValueError
            If there are too few or too many.

        References
        ----------
        Johnson & McGeoch (2002), "Experimental analysis of heuristics for the STSP", in "The Traveling
        Salesman Problem and its Variations", Kluwer (instances of this kind).
        """
        if not 1 <= n <= MOST_CITIES:
            raise ValueError(f"n, the number of cities, must be from 1 to {MOST_CITIES}, got {n}")
        points = np.random.default_rng(rng).integers(0, 1_000_000, size=(n, 2)).astype(np.float64)
        return cls(euclidean(points), name=f"random-{n}", points=points)

    @property
    def symmetric(self) -> bool:
        """Whether all distances are the same in both directions."""
        return self._tables[3]

    def _draw(self, order: Index, value: str, ax: Any) -> Any:
        """Draw a tour through the cities' points."""
        if self.points is None:
            raise ValueError("a picture of a tour needs the cities' points, and this problem has none")
        from problems.pictures import draw_tour

        return draw_tour(self.points, order, f"{self.name}: a tour of {value}", ax)

    def _evaluate(self, rows: Index) -> Floats:
        return np.asarray(self.distances[rows, np.roll(rows, -1, axis=1)].sum(axis=1))

    # --- the search ---------------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        """What the search is called in histories, with what runs it."""
        return "2-opt (numba)" if moves.COMPILED else "2-opt (Python)"

    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[Index, int]:
        """Return tours that begin at city 0, and how many kicks they took."""
        n = self.n
        d, near_to, near_from, symmetric, eps = self._tables
        kicks = round(_KICKS[moves.COMPILED] * n * effort)
        better = X.astype(np.int64)
        for row in better:
            chances: Any = rng.random((kicks, 3))
            work: list[Any] = [np.zeros(n, np.int64) for _ in range(4)]
            work += [np.zeros(6, np.int64), np.zeros(moves.LONGEST_SWAPPED, np.int64)]
            tour: Any = row.copy()
            if not moves.COMPILED:
                tour, chances, work = tour.tolist(), chances.tolist(), [each.tolist() for each in work]
            best, place, queue, queued, touched, spare = work
            moves.improve_tour(
                tour, best, place, d, near_to, near_from, symmetric, eps,
                chances, queue, queued, touched, spare,
            )  # fmt: skip
            row[:] = np.roll(best, -int(np.argmin(best)))
        return better, len(X) * kicks

    @cached_property
    def _tables(self) -> tuple[Any, Any, Any, bool, float]:
        """Distances, nearest successors and predecessors of each city, symmetry, and the least gain."""
        d = self.distances
        away = d + np.diag(np.full(self.n, np.inf))
        count = min(_NEIGHBOURS, self.n - 1)
        near_to = np.argsort(away, axis=1, kind="stable")[:, :count]
        near_from = np.argsort(away, axis=0, kind="stable")[:count].T.copy()
        symmetric = bool(np.array_equal(d, d.T))
        eps = 0.0 if (d == np.floor(d)).all() else 1e-12 * float(d.max())
        if moves.COMPILED:
            return d, near_to.copy(), near_from, symmetric, eps
        return d.tolist(), near_to.tolist(), near_from.tolist(), symmetric, eps
