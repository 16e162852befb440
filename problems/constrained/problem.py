"""What a constrained test problem is: a function over a box, its constraints and its optimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

import cem
from cem.families.base import Floats

Formula = Callable[[Floats], Any]


@dataclass(frozen=True, eq=False, repr=False)
class ConstrainedProblem:
    """A function to minimise over a box under constraints.

    Attributes
    ----------
    name : str
    formula : callable
        Maps rows (n, d) to values (n,).
    bounds : sequence of (low, high)
    optimum : float
        The least value where all equalities are exact.
    inequalities, equalities : callable or None
        Map rows (n, d) to the columns that are at most 0, or 0.
    """

    name: str
    formula: Formula
    bounds: tuple[tuple[float, float], ...]
    optimum: float
    inequalities: Formula | None = None
    equalities: Formula | None = None

    maximize: ClassVar[bool] = False

    @property
    def dimension(self) -> int:
        """Number of variables."""
        return len(self.bounds)

    @property
    def start(self) -> cem.Gaussian:
        """The box's Gaussian."""
        low, high = np.array(self.bounds).T
        return cem.Gaussian((low + high) / 2, std=0.3 * (high - low))

    @cached_property
    def constraints(self) -> list[Any]:
        """The constraints as `scipy.optimize.NonlinearConstraint` of one candidate (d,)."""
        from scipy.optimize import NonlinearConstraint

        parts = []
        if self.inequalities is not None:
            parts.append(NonlinearConstraint(_OfOne(self.inequalities), -np.inf, 0.0))
        if self.equalities is not None:
            parts.append(NonlinearConstraint(_OfOne(self.equalities), 0.0, 0.0))
        return parts

    def __call__(self, x: ArrayLike) -> Any:
        """Evaluate rows (n, d) to values (n,), or one point (d,) to a float."""
        rows = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            values = self.formula(np.atleast_2d(rows))
        return float(values[0]) if rows.ndim == 1 else np.asarray(values)

    def violation(self, x: ArrayLike) -> float:
        """Return the largest violation at one point."""
        row = np.atleast_2d(np.asarray(x, dtype=np.float64))
        worst = 0.0
        if self.inequalities is not None:
            worst = max(worst, float(np.max(columns(self.inequalities(row)))))
        if self.equalities is not None:
            worst = max(worst, float(np.max(np.abs(columns(self.equalities(row))))))
        return worst

    def __repr__(self) -> str:
        return f"ConstrainedProblem({self.name}, {self.dimension} variables)"


@dataclass(frozen=True, eq=False)
class _OfOne:
    formula: Formula

    def __call__(self, x: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return np.asarray(columns(self.formula(np.asarray(x, dtype=np.float64)[None]))[0])


def columns(values: Any) -> Floats:
    """Return a formula's tuple of columns as one array (n, m)."""
    return np.stack(np.broadcast_arrays(*values), axis=1) if isinstance(values, tuple) else np.asarray(values)
