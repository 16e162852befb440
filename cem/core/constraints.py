"""Constraints as users write them, and how far candidates are from meeting them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cem.families.base import Array, Floats, Mask, frozen, unmasked

EQUALITY_TOLERANCE = 1e-6  # what counts as met
TIGHT = 1e-9  # below this, the error of an equality does not rank candidates


@dataclass(frozen=True, eq=False)
class Constraint:
    """``low <= function(x) <= high`` for one candidate `x` of shape ``(d,)``; equal sides are an equality.

    Parameters
    ----------
    function : callable
        Returns a vector of shape ``(k,)``, or a number.
    low, high : array_like
        Numbers, or shape ``(k,)``.
    """

    function: Callable[[Array], Any]
    low: Any
    high: Any

    def residuals(self, x: Array) -> tuple[Floats, Mask]:
        """Return one number a side of a constraint, and whether it belongs to an equality.

        An equality's is its error, an inequality's is positive where it is violated.
        """
        value = np.atleast_1d(unmasked(self.function(x)).astype(np.float64)).ravel()
        try:
            low, high = (np.broadcast_to(side, value.shape) for side in (self.low, self.high))
        except ValueError:
            raise ValueError(
                f"a constraint returned {value.size} values for one candidate; its bounds have "
                f"{np.size(self.low)} and {np.size(self.high)}."
            ) from None
        equal = low == high
        below, above = ~equal & (low > -np.inf), ~equal & (high < np.inf)
        parts = value[equal] - low[equal], low[below] - value[below], value[above] - high[above]
        return np.concatenate(parts), np.arange(sum(map(len, parts))) < len(parts[0])


class Constraints:
    """All constraints of a problem.

    Parameters
    ----------
    parts : sequence of Constraint
        At least one.

    Attributes
    ----------
    equality : ndarray of bool, shape (m,)
        Which residuals are errors of equalities; known after the first candidate.
    """

    def __init__(self, parts: Iterable[Constraint]) -> None:
        self._parts = tuple(parts)
        self.equality: Mask = np.zeros(0, dtype=np.bool_)

    @classmethod
    def from_scipy(cls, constraints: Any, d: int) -> Constraints | None:
        """Read a `scipy.optimize.LinearConstraint`, a `NonlinearConstraint`, or a sequence of them.

        Returns
        -------
        Constraints or None
            None where there are none.

        Raises
        ------
        TypeError
            For anything else, scipy's older dictionaries among it.
        ValueError
            If bounds are inverted or NaN, or a matrix has not `d` columns.
        """
        if constraints is None:
            return None
        if isinstance(constraints, dict) or not isinstance(constraints, Iterable):
            constraints = (constraints,)
        parts = [_read(each, d) for each in constraints]
        return cls(parts) if parts else None

    @property
    def known(self) -> bool:
        """Whether a candidate has shown how many residuals there are."""
        return self.equality.size > 0

    def residuals(self, x: Array) -> Floats:
        """Return the residuals of each row of `x`, shape ``(n, m)``."""
        rows: list[Floats] = []
        for row in x:
            parts = [part.residuals(row) for part in self._parts]
            equality = np.concatenate([equal for _, equal in parts])
            if not rows and not self.known:
                self.equality = frozen(equality, np.bool_)
            rows.append(np.concatenate([values for values, _ in parts]))
            if rows[-1].shape != self.equality.shape:
                raise ValueError("the constraints returned another number of values than before.")
        return np.array(rows).reshape(len(x), -1)

    def violations(self, residuals: Floats) -> Floats:
        """Return by how much each side is violated, shape ``(n, m)``; NaN is infinitely much."""
        amounts = np.where(self.equality, np.abs(residuals), np.maximum(residuals, 0.0))
        return np.where(np.isnan(amounts), np.inf, amounts)

    def excess(self, residuals: Floats) -> Floats:
        """Return each row's worst violation, shape ``(n,)``; errors of equalities below 1e-9 are none."""
        amounts = self.violations(residuals)
        beyond = np.where(self.equality & (amounts <= TIGHT), 0.0, amounts)
        return np.asarray(beyond.max(axis=1, initial=0.0))

    def met(self, residuals: Floats) -> bool:
        """Whether one candidate is feasible: equalities within 1e-6, inequalities exactly."""
        amounts = self.violations(residuals)
        return bool(np.all(amounts <= np.where(self.equality, EQUALITY_TOLERANCE, 0.0)))


def _read(constraint: Any, d: int) -> Constraint:
    from scipy.optimize import LinearConstraint, NonlinearConstraint

    if isinstance(constraint, dict):
        raise TypeError(
            "constraints as dictionaries are not taken; write scipy.optimize.NonlinearConstraint(fun, 0, 0) "
            'for {"type": "eq"}, or NonlinearConstraint(fun, 0, numpy.inf) for {"type": "ineq"}.'
        )
    if isinstance(constraint, LinearConstraint):
        matrix = constraint.A.toarray() if hasattr(constraint.A, "toarray") else np.asarray(constraint.A)
        matrix = frozen(np.atleast_2d(matrix))
        if matrix.ndim != 2 or matrix.shape[1] != d:
            raise ValueError(f"a LinearConstraint's matrix has {matrix.shape[-1]} columns for {d} variables.")
        read = Constraint(_Linear(matrix), frozen(constraint.lb), frozen(constraint.ub))
    elif isinstance(constraint, NonlinearConstraint):
        read = Constraint(constraint.fun, frozen(constraint.lb), frozen(constraint.ub))
    else:
        raise TypeError(
            "constraints must be scipy.optimize.LinearConstraint or NonlinearConstraint, or a sequence of "
            f"them; got {constraint!r}."
        )
    if not np.all(read.low <= read.high):
        raise ValueError(f"a constraint's bounds are inverted or NaN: {read.low} > {read.high}.")
    return read


@dataclass(frozen=True, eq=False)
class _Linear:
    matrix: Floats

    def __call__(self, x: Array) -> Floats:
        return np.asarray(self.matrix @ x)
