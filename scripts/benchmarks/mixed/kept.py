"""Rows of a long table, kept in a file: the same command, given again, goes on where it was ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """What each row of a table has come to, by a key that names it.

    Parameters
    ----------
    path : str, optional
        A file of which each line is a key and its values; it is made where there is none. Without one
        nothing is kept.
    """

    def __init__(self, path: str | None) -> None:
        self.path = Path(path).resolve() if path else None
        lines = self.path.read_text().splitlines() if self.path and self.path.exists() else []
        self.rows = {json.dumps(key): values for key, values in map(json.loads, lines)}

    def row(self, key: list[Any], make: Callable[[], list[float]]) -> list[float]:
        """Return the values of a row; what is not there yet is made, and added to the file."""
        name = json.dumps(key)
        if name not in self.rows:
            self.rows[name] = make()
            if self.path:
                with self.path.open("a") as file:
                    file.write(f"{json.dumps([key, self.rows[name]])}\n")
        return list(self.rows[name])
