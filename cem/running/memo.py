"""What a deterministic objective has said of the candidates of a discrete space."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cem.core.domain import Domain
from cem.core.sampling import every_row
from cem.families.base import Array, Family, Floats, Index, Mask

MOST = 2**18  # candidates that are remembered: about 50 MB
_REAL = np.dtype(np.float64)
LONGEST_KEY = 16  # bytes of a candidate; longer ones are known by a hash of that length


class Lookup(NamedTuple):
    """Which rows of a batch the objective has to be asked about.

    Attributes
    ----------
    keys : list of bytes, length n
    new : list of int, length k
        The first rows with candidates that nobody knows, in order.
    all_new : bool
        Whether nobody knows any of the candidates.
    """

    keys: list[bytes]
    new: list[int]
    all_new: bool

    def new_below(self, n: int) -> Index:
        """Return which of the first `n` rows are new, shape ``(k,)``."""
        return np.array([i for i in self.new if i < n], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Space:
    """The candidates that there are.

    Attributes
    ----------
    cardinality : float
        How many; infinite where nobody knows.
    support : callable
        Returns the values of each variable, a list of arrays, where the cardinality is finite.
    dtype : dtype
        Of a candidate.
    """

    cardinality: float
    support: Callable[[], list[Array]]
    dtype: np.dtype[Any]

    def rows(self) -> Array:
        """Return all candidates, shape ``(cardinality, d)``, read-only."""
        rows = every_row(self.support()).astype(self.dtype)
        rows.flags.writeable = False
        return rows


class Memo:
    """The scores of the candidates seen, in the user's sign.

    Parameters
    ----------
    space : Space
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._scores: dict[bytes, float] = {}

    @property
    def exhausted(self) -> bool:
        """Whether every candidate that there is has been scored."""
        return len(self._scores) >= self.space.cardinality

    def rest(self) -> Array | None:
        """Return the candidates that nobody has scored, shape ``(n, d)``, where they are the smaller part."""
        if not len(self._scores) < self.space.cardinality <= 2 * len(self._scores):
            return None
        rows = self.space.rows()
        rows = rows[self.look_up(rows).new]
        rows.flags.writeable = False
        return rows

    def look_up(self, shown: Array) -> Lookup:
        """Return which of the rows `shown`, shape ``(n, d)``, are new."""
        keys, new, met = _keys(shown), [], set()
        for i, key in enumerate(keys):
            if key not in self._scores and key not in met:
                met.add(key)
                new.append(i)
        return Lookup(keys, new, len(new) == len(keys))

    def fill(self, lookup: Lookup, values: Floats, done: Mask) -> None:
        """Remember the scores of the new rows that are done, and set those of all others.

        Parameters
        ----------
        lookup : Lookup
        values : ndarray, shape (n,)
        done : ndarray of bool, shape (n,)
        """
        n = len(values)
        if lookup.all_new and np.count_nonzero(done) == n:
            room = max(0, MOST - len(self._scores))
            self._scores.update(zip(lookup.keys[: min(n, room)], values.tolist(), strict=False))
            return
        batch = {lookup.keys[i]: float(values[i]) for i in lookup.new if i < n and done[i]}
        for i, key in enumerate(lookup.keys[:n]):
            score = batch[key] if key in batch else self._scores.get(key)
            if score is not None:
                values[i], done[i] = score, True
        for key, score in batch.items():
            if len(self._scores) < MOST:
                self._scores[key] = score


def discrete_space(family: Family, domain: Domain | None) -> Space | None:
    """Return the candidates that `family` draws inside `domain`; None where they are real numbers."""
    if domain is not None:
        countable = domain.integer | domain.fixed
        if not countable.all():
            return None
        with np.errstate(over="ignore"):
            count = float(np.prod(np.where(domain.fixed, 1.0, domain.high - domain.low + 1.0)))
        sides = domain.low, domain.high
        return Space(count, lambda: [np.arange(a, b + 1.0) for a, b in zip(*sides, strict=True)], _REAL)
    dtype = getattr(family, "dtype", None)
    if dtype is None:
        dtype = np.asarray(family.sample(1, np.random.default_rng(0))).dtype
    if dtype.kind not in "iub":
        return None
    support = getattr(family, "support", None)
    if support is None:
        return Space(np.inf, list, dtype)
    return Space(float(family.cardinality), support, dtype)  # type: ignore[attr-defined]


def _keys(shown: Array) -> list[bytes]:
    whole = (shown + 0.0 if shown.dtype.kind == "f" else shown).tobytes()  # -0.0 is 0.0
    width = shown.shape[1] * shown.itemsize
    rows = [whole] if len(shown) == 1 else [whole[i : i + width] for i in range(0, len(whole), width)]
    if width <= LONGEST_KEY:
        return rows
    return [hashlib.blake2b(row, digest_size=LONGEST_KEY).digest() for row in rows]
