"""Derivatives of a probability, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cem.rare_events.tables import Table


class Sensitivity(NamedTuple):
    """The derivative of a probability by one parameter of an input's distribution.

    It is NaN where there is none by the score function: where the parameter moves an end of the support, and
    of correlated discrete inputs.
    """

    input: str
    parameter: str
    value: float
    derivative: float
    standard_error: float


@dataclass(frozen=True, repr=False)
class Sensitivities(Table[Sensitivity]):
    """A table of sensitivities; ``table["load", "mean"]`` is a row of it."""

    def key(self, row: Sensitivity) -> tuple[str, str]:
        """Return the names of its input and its parameter."""
        return row.input, row.parameter

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table as text, row by row, names first."""
        head = ("input", "parameter", "value", "dP/dparameter", "standard error")
        body = [
            (r.input, r.parameter, f"{r.value:.6g}", f"{r.derivative:.4g}", f"{r.standard_error:.2g}")
            for r in self.rows
        ]
        return [head, *body]
