"""Tables that estimates give: rows of named values, found by name, shown in columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from cem.core.table import pandas_for

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R", bound=NamedTuple)


@dataclass(frozen=True, repr=False)
class Table(Generic[R]):
    """Rows of one kind; ``table[key]`` is the one with this key."""

    rows: tuple[R, ...]

    @abstractmethod
    def key(self, row: R) -> Hashable:
        """Return what a row is found by."""

    @abstractmethod
    def cells(self) -> list[tuple[str, ...]]:
        """Return the table as text, row by row, names first."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows)

    def __getitem__(self, key: Hashable) -> R:
        for row in self.rows:
            if self.key(row) == key:
                return row
        raise KeyError(key)

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas DataFrame, a row for each of the table's.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        frame: pd.DataFrame = pandas_for("to_frame()").DataFrame([row._asdict() for row in self.rows])
        return frame

    def __repr__(self) -> str:
        return aligned(self.cells())


def aligned(cells: list[tuple[str, ...]]) -> str:
    """Return rows of text in columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
