"""What the header of a saved `CrossEntropyMethod` says, and whether it can be."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cem.checkpoint.file import check_entry
from cem.families.base import Array


class Kept(NamedTuple):
    """What the header of a saved file says."""

    family: str
    update: str
    parameters: dict[str, Any]
    state: dict[str, Any]
    population: int
    maximize: bool
    asked: int
    nfev: int
    seconds: float

    @classmethod
    def checked(cls, header: dict[str, Any], arrays: dict[str, Array]) -> Kept:
        """Read a header and look at the arrays' dtypes.

        Raises
        ------
        ValueError
            Naming what is missing or wrong.
        """
        entry = check_entry
        update, state = entry(header, "update", dict), entry(header, "state", dict)
        numbers: dict[str, Any] = {name: _count(state, name) for name in ("iteration", "elites", "quiet")}
        numbers |= {name: float(entry(state, name, (int, float))) for name in ("level", "elite_best", "best")}
        seconds = float(entry(header, "seconds", (int, float)))
        if not 0 <= seconds < np.inf:
            raise ValueError(f"seconds of its header must be a duration, got {seconds}")
        for name, array in arrays.items():
            texts = name in ("history/stage", "history/note")
            if array.dtype.kind not in ("U" if texts else "fiub"):
                raise ValueError(f"{name} holds {array.dtype}, not {'texts' if texts else 'real numbers'}")
            if name.startswith("history/") and array.ndim != 1:
                raise ValueError(f"{name} has the shape {array.shape}, not a number an iteration")
        return cls(
            entry(header, "family", str),
            entry(update, "name", str),
            entry(update, "parameters", dict),
            numbers,
            _count(header, "population", 1),
            entry(header, "maximize", bool),
            _count(header, "asked"),
            _count(header, "nfev"),
            seconds,
        )


def _count(header: dict[str, Any], name: str, least: int = 0) -> int:
    value: int = check_entry(header, name, int)
    if not least <= value < 2**63:
        raise ValueError(f"{name} of its header must be a count from {least}, got {value}")
    return value
