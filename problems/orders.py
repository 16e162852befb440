"""What problems over orders have in common: rows of 0 … n - 1, each number once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cem.families import Permutation
from cem.families.base import Array, Floats, Index
from problems.numbers import refuse_masked


class OrderProblem:
    """A problem object over permutations of ``0 … n-1``: the base of frozen dataclasses.

    A subclass has the fields `n`, `optimum` and `name`, and evaluates rows in `_evaluate`. Cached properties
    are left out of pickles and are prepared anew.
    """

    n: int
    optimum: float | None
    name: str

    maximize: ClassVar[bool] = False
    kind: ClassVar[str] = "transition"
    """Whether neighbours ("transition") or places ("position") matter, see `cem.Permutation`."""

    def _keep(self, **values: Any) -> None:
        """Set checked fields of the frozen instance: arrays become read-only, `optimum` a float."""
        optimum = None if self.optimum is None else float(self.optimum)
        for field, value in (values | {"optimum": optimum}).items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, field, value)

    def __getstate__(self) -> dict[str, Any]:
        of_fields: Any = self
        return {each.name: getattr(self, each.name) for each in fields(of_fields)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, n={self.n}, optimum={self.optimum})"

    @property
    def start(self) -> Permutation:
        """All orders alike."""
        return Permutation(self.n, self.kind)

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

    def _evaluate(self, rows: Index) -> Floats:
        raise NotImplementedError


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
    shape = np.shape(values)
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(f"{name} must be a square matrix, got shape {shape}")
    return shape[0]
