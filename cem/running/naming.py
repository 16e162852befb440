"""Candidates with names: between the rows of a run and the dicts that a user's functions see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cem.families.base import Array, Family
from cem.running.results import OptimizeResult


class Naming(Protocol):
    """What the columns of rows are called, and what a user sees in place of a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variables, in order."""

    def dicts(self, rows: Array, /) -> list[dict[str, Any]]:
        """Return rows, shape ``(n, d)``, as dicts."""

    def arrays(self, rows: Array, /) -> dict[str, Any]:
        """Return rows, shape ``(n, d)``, as a dict of arrays with `n` entries each."""

    def as_given(self, family: Family, /) -> Family:
        """Return a distribution over the rows in the form that a start has."""


@dataclass(frozen=True)
class NamedFunction:
    """A user's function of a dict (of arrays, if `vectorized`), as a function of a row (of rows).

    It takes further arguments after the row, as the function does.
    """

    fun: Callable[..., Any]
    naming: Naming
    vectorized: bool = False

    def __call__(self, x: Array, /, *rest: Any) -> Any:
        """Call the function."""
        if self.vectorized:
            return self.fun(self.naming.arrays(x), *rest)
        return self.fun(self.naming.dicts(x[None])[0], *rest)


def named_constraints(constraints: Any, naming: Naming) -> list[Any]:
    """Return constraints on dicts as constraints on rows.

    Raises
    ------
    TypeError
        For linear constraints, which have no names.
    """
    from scipy.optimize import LinearConstraint, NonlinearConstraint

    if constraints is None:
        return []
    if isinstance(constraints, dict) or not isinstance(constraints, Iterable):
        constraints = (constraints,)
    named = []
    for each in constraints:
        if isinstance(each, LinearConstraint):
            raise TypeError(
                "a LinearConstraint does not know the names of variables; write "
                "scipy.optimize.NonlinearConstraint(f, low, high) with f a function of the dict."
            )
        if isinstance(each, NonlinearConstraint):
            each = NonlinearConstraint(NamedFunction(each.fun, naming), each.lb, each.ub)
        named.append(each)
    return named


def named_result(result: Any, naming: Naming) -> OptimizeResult:
    """Return a result with dicts in the place of rows."""
    if result.x is not None:
        result.x = naming.dicts(np.asarray(result.x)[None])[0]
    result.family = naming.as_given(result.family)
    if "population" in result:
        result.population = naming.dicts(np.asarray(result.population))
    if "minima" in result:
        result.minima = [each._replace(x=naming.dicts(np.asarray(each.x)[None])[0]) for each in result.minima]
    named: OptimizeResult = result
    return named


def name_candidate(error: Any, naming: Naming) -> None:
    """Put a dict (of arrays, for several rows) in the place of an error's candidate."""
    candidate = error.candidate
    if isinstance(candidate, np.ndarray):
        several = candidate.ndim == 2
        error.candidate = naming.arrays(candidate) if several else naming.dicts(candidate[None])[0]
