"""What problems over orders have in common: rows of 0 … n - 1, each number once."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cem.families import Permutation
from cem.families.base import Array, Floats, Index
from cem.updates import EliteArchive
from problems.frozen import FrozenProblem
from problems.numbers import refuse_masked, shape_of


class OrderProblem(FrozenProblem):
    """A problem object over permutations of ``0 … n-1``: the base of frozen dataclasses.

    A subclass has the fields `n`, `optimum` and `name`, says in `stage` what histories call its search,
    evaluates rows in `_evaluate`, improves them in `_improve` and draws one in `_draw`.
    """

    maximize: ClassVar[bool] = False
    row_type: ClassVar[type] = np.int64
    population: ClassVar[int] = 8
    pieces: ClassVar[int] = 8
    kind: ClassVar[str] = "transition"
    """Whether neighbours ("transition") or places ("position") matter, see `cem.Permutation`."""

    @property
    def start(self) -> Permutation:
        """All orders alike."""
        return Permutation(self.n, self.kind)

    @property
    def update(self) -> EliteArchive:
        """How improved orders are recombined: fits to a few elites, of neighbours or of places."""
        return EliteArchive(kinds=(self.start,))

    def __call__(self, X: ArrayLike) -> Floats:
        """Evaluate candidates.

        Parameters
        ----------
        X : array_like of int, shape (N, n)
            In each row the numbers ``0 … n-1``, each once.

        Returns
        -------
        ndarray of float64, shape (N,)

        Raises
        ------
        TypeError
            If they are not whole numbers.
        ValueError
            If the shape is another, or a row is no order.
        """
        return self._evaluate(check_orders(X, self.n))

    def plot(self, x: ArrayLike, *, ax: Any = None) -> Any:
        """Draw a candidate.

        Parameters
        ----------
        x : array_like of int, shape (n,)
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        TypeError, ValueError
            If `x` is no order, or the problem has nothing to draw it by.
        ImportError
            If matplotlib is not installed.
        """
        (order,) = check_orders(np.asarray(x)[None], self.n)
        return self._draw(order, f"{float(self(order[None])[0]):,.10g}", ax)

    @abstractmethod
    def _evaluate(self, rows: Index) -> Floats:
        """Return the scores of checked rows."""

    @abstractmethod
    def _draw(self, order: Index, value: str, ax: Any) -> Any:
        """Draw an order, whose value is given as text."""


def check_orders(X: ArrayLike, n: int) -> Index:
    """Check orders of `n` items and return them as int64, shape (N, n).

    Raises
    ------
    TypeError
        If they are not whole numbers.
    ValueError
        If the shape is another, or a row is no order.
    """
    refuse_masked("candidates", X)
    rows: Array = np.asarray(X)
    if rows.ndim != 2 or rows.shape[1] != n:
        raise ValueError(f"expected candidates of shape (N, {n}), got {rows.shape}")
    if rows.dtype.kind not in "iu" and not (rows.dtype.kind == "f" and (rows == np.floor(rows)).all()):
        raise TypeError(f"candidates must be whole numbers, 0 to {n - 1}, got {rows.dtype}")
    good = (np.sort(rows, axis=1) == np.arange(n)).all(axis=1)
    if not good.all():
        k = int(good.argmin())
        raise ValueError(f"candidates[{k}] is no order: each of 0 … {n - 1} must be in it once")
    return rows.astype(np.int64, copy=False)


def check_square(name: str, values: Any) -> Any:
    """Return the shape's side of a square matrix.

    Raises
    ------
    ValueError
        If it is none, or empty.
    """
    shape = shape_of(name, values)
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(f"{name} must be a square matrix, got shape {shape}")
    return shape[0]
