"""Derivatives of a probability, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


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
class Sensitivities:
    """A table of sensitivities; ``table["load", "mean"]`` is a row of it."""

    rows: tuple[Sensitivity, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Sensitivity]:
        return iter(self.rows)

    def __getitem__(self, key: tuple[str, str]) -> Sensitivity:
        for row in self.rows:
            if (row.input, row.parameter) == key:
                return row
        raise KeyError(key)

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas DataFrame, one row a parameter.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "sensitivities().to_frame() needs pandas: pip install cemkit[frames]"
            ) from error
        return pd.DataFrame(list(self.rows), columns=list(Sensitivity._fields))

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table as text, row by row, names first."""
        head = ("input", "parameter", "value", "dP/dparameter", "standard error")
        body = [
            (r.input, r.parameter, f"{r.value:.6g}", f"{r.derivative:.4g}", f"{r.standard_error:.2g}")
            for r in self.rows
        ]
        return [head, *body]

    def __repr__(self) -> str:
        return aligned(self.cells())


def aligned(cells: list[tuple[str, ...]]) -> str:
    """Return rows of text in columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
