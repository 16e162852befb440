"""What happened, iteration by iteration, as named arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import numpy as np

from cem.core.table import pandas_for
from cem.families.base import Array, Family, Floats

if TYPE_CHECKING:
    import pandas as pd


class Interim(NamedTuple):
    """What a measurement says so far: the probability, its cv, and the ends of its 95 % interval."""

    probability: float = np.nan
    cv: float = np.nan
    low: float = np.nan
    high: float = np.nan

    def towards(self, target_cv: float) -> str:
        """Return in a few words how far the coefficient of variation is from its target."""
        if np.isnan(self.cv):
            return "no hit yet"
        return (
            f"P {self.probability:.3g} in [{self.low:.3g}, {self.high:.3g}], cv {self.cv:.2g}, "
            f"target cv {target_cv:g}"
        )


UNKNOWN = Interim()


class Row(NamedTuple):
    """One iteration; NaN where its stage has no such thing.

    `level`, `best` (so far) and `mean` (of the finite scores) are in the user's sign; `entropy` is in
    nats, `nfev` counts evaluations from the start of the run, `nan_count` those of this iteration that
    gave NaN, `seconds` is the time since the run began, and `note` says why a stage or a restart began, at
    its first iteration. While a probability is measured, `probability`, its coefficient of variation `cv` and
    the ends `low` and `high` of its 95 % interval are what all draws of the measurement say so far.
    """

    stage: str
    level: float
    best: float
    mean: float
    elites: int
    entropy: float
    nfev: int
    nan_count: int
    seconds: float
    note: str = ""
    probability: float = np.nan
    cv: float = np.nan
    low: float = np.nan
    high: float = np.nan

    def said(self, number: int) -> str:
        """Return the iteration of this number in a line, for the log."""
        line = (
            f"{self.stage}, iteration {number}: level {self.level:.6g}, best {self.best:.6g}, "
            f"{self.nfev} evaluations"
        )
        if np.isnan(self.cv):
            return line
        return f"{line}, P {self.probability:.4g} in [{self.low:.4g}, {self.high:.4g}], cv {self.cv:.2g}"


def summary(scores: Floats) -> tuple[float, int]:
    """Return the mean of the finite scores of shape ``(n,)``, and how many are NaN.

    The mean is NaN where there are none, and infinite where their sum is.
    """
    usable, nans = np.isfinite(scores), 0
    if not usable.all():
        nans = int(np.isnan(scores).sum())
        scores = scores[usable]
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.add.reduce(scores)) / scores.size if scores.size else np.nan, nans


class History:
    """The iterations of a run: ``len()`` is their number, each column of `Row` a named array.

    Where variables have names, `best_candidates` are the best ones so far, a dict an iteration.
    """

    columns = Row._fields

    stage: Array
    level: Array
    best: Array
    mean: Array
    elites: Array
    entropy: Array
    nfev: Array
    nan_count: Array
    seconds: Array
    note: Array
    probability: Array
    cv: Array
    low: Array
    high: Array

    def __init__(self, rows: Iterable[Row] = (), candidates: Iterable[Mapping[str, Any]] = ()) -> None:
        self._rows = list(rows)
        self._fits: dict[int, Callable[[], Family]] = {}  # of rows whose entropy nobody has looked at yet
        self.best_candidates = list(candidates)

    def append(
        self,
        row: Row,
        candidate: Mapping[str, Any] | None = None,
        fitted: Callable[[], Family] | None = None,
    ) -> None:
        """Add an iteration, with the best candidate so far where variables have names.

        `fitted` makes the distribution whose entropy the row is to have when somebody looks at it.
        """
        if fitted is not None:
            self._fits[len(self._rows)] = fitted
        self._rows.append(row)
        if candidate is not None:
            self.best_candidates.append(candidate)

    def copy(self) -> History:
        """Return a history that later iterations do not change."""
        return History(self._whole(), self.best_candidates)

    def _whole(self) -> list[Row]:
        """Return the rows, with every entropy."""
        for i, fitted in self._fits.items():
            self._rows[i] = self._rows[i]._replace(entropy=float(fitted().entropy()))
        self._fits = {}
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        if isinstance(index, str):
            raise TypeError(f"a column is an attribute, history.{index}; an index is the number of a row.")
        return self._whole()[index]

    def __getstate__(self) -> dict[str, Any]:
        self._whole()
        return self.__dict__

    def __getattr__(self, name: str) -> Array:
        if name not in Row._fields:
            raise AttributeError(f"a history has the columns {', '.join(Row._fields)}, not {name!r}.")
        if not self._rows:
            return np.array([], dtype=get_type_hints(Row)[name])
        rows = self._whole() if name == "entropy" else self._rows
        return np.array([getattr(row, name) for row in rows])

    def to_arrays(self) -> dict[str, Array]:
        """Return the columns by name."""
        return {name: getattr(self, name) for name in Row._fields}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> History:
        """Rebuild a history from what `to_arrays` gave; columns that earlier versions lacked are NaN."""
        missing = np.full(len(arrays["nfev"]), np.nan)
        columns = [
            (arrays.get(name, missing) if name in Interim._fields else arrays[name]).tolist()
            for name in Row._fields
        ]
        return cls(Row(*values) for values in zip(*columns, strict=True))

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas DataFrame, one row an iteration, indexed from 1.

        Where variables have names, the columns ``x.<name>`` hold the best candidate so far.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = pandas_for("history.to_frame()")
        index = pandas.RangeIndex(1, len(self) + 1, name="iteration")
        frame: pd.DataFrame = pandas.DataFrame(self.to_arrays(), index=index)
        if not self.best_candidates:
            return frame
        candidates = pandas.DataFrame(self.best_candidates, index=index).add_prefix("x.")
        both: pd.DataFrame = pandas.concat([frame, candidates], axis=1)
        return both

    def __repr__(self) -> str:
        if not self._rows:
            return "History(no iterations)"
        last: Any = self._rows[-1]
        return f"History({len(self)} iterations, last: level={last.level:.6g}, best={last.best:.6g})"
