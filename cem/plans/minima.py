"""Where descents have ended, and what a claim that rests on them excludes.

What no descent has met can only be small: of `n` descents that lead independently anywhere, one finds a basin
that a share ``1 - 0.05 ** (1 / n)`` of them leads to with 95 %.

References
----------
Boender & Rinnooy Kan (1987), "Bayesian stopping rules for multistart global optimization methods",
Mathematical Programming 37.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cem.core.ending import Minimum
from cem.core.stopping import ROUNDING
from cem.families.base import Floats, Mask
from cem.plans.ledger import Ledger

ENOUGH = 100  # descents in a row that found nothing better: half as many leave twice the wrong claims
AGREEING = 4  # sampling runs that ended at the best, where many basins are left unseen
UNSEEN = 0.02  # expected share of basins not seen, by Boender & Rinnooy Kan's w (w + 1) / n (n - 1)
SAME_VALUE, SAME_PLACE, ONE_PLACE = (
    1e-6,
    0.02,
    1e-3,
)  # of the range of values; of the span, with or without it
FIRST_AUDITS, AUDITED = 3, 16  # descents that go to their end untested: the first, and each so-many-th
KEPT = 60  # points of a descent that later ones are tested against
CONFIDENCE = 0.95


@dataclass(eq=False)
class Minima:
    """The distinct minima that a search has come to.

    Parameters
    ----------
    span : ndarray, shape (d,)
        The size of the region.
    ledger : Ledger
        Of the whole search.

    Attributes
    ----------
    minima : list of Minimum
        Distinct ends of runs and descents, with their values (minimised).
    count, since : int
        Descents, and those since one or a run found something better.
    """

    span: Floats
    ledger: Ledger

    minima: list[Minimum] = field(init=False, default_factory=list)
    count: int = field(init=False, default=0)
    since: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.unit = np.where(self.span > 0, self.span, 1.0)

    @property
    def enough(self) -> bool:
        """Whether enough descents in a row have found nothing better."""
        return self.since >= ENOUGH

    @property
    def few(self) -> bool:
        """Whether few basins are left unseen, as far as descents can tell."""
        w, n = len(self.minima), self.count
        return w * (w + 1) <= UNSEEN * n * (n - 1)

    @property
    def ordered(self) -> tuple[Minimum, ...]:
        """The minima, best first; a single one where every score was the same."""
        found = sorted(self.minima, key=lambda each: each.value)
        return tuple(found if self.ledger.varied else found[:1])

    @property
    def said(self) -> str:
        """What the descents have shown, in words."""
        known = f"{len(self.minima)} {'minimum' if len(self.minima) == 1 else 'minima'} known"
        return f"{self.since} descents from all over the region found nothing better ({known})"

    @property
    def excluding(self) -> str:
        """What the descents have shown and exclude, in words."""
        return f"{self.said}; {excluded(self.since, 'such descents')}"

    def claim(self, agreed: int, runs: int, elsewhere: str | None = None) -> str:
        """Say what a claim rests on where so many sampling runs agree, and what `elsewhere` excludes."""
        return f"{agreed} of {runs} sampling runs ended at the best point, and {elsewhere or self.excluding}"

    def lacking(self, confirmed: bool, agreed: int) -> str:
        """Say what a claim lacks, after descents; empty where there were none, or nothing is lacking."""
        if not self.count:
            return ""
        lacks = []
        if not confirmed:
            lacks.append("a sampling run that ends at the best point")
        if not self.enough:
            lacks.append("a hundred of them in a row")
        if not (self.few or agreed >= AGREEING):
            lacks.append(f"{AGREEING} sampling runs at the best point, as there are many minima")
        return f"; {self.said}; a claim lacks {', and '.join(lacks)}" if lacks else ""

    def settle(self, x: Floats, value: float) -> bool:
        """Note where a run or descent has ended; return whether that is a new minimum."""
        same = max(SAME_VALUE * self.ledger.climb, ROUNDING * abs(value))
        for i, known in enumerate(self.minima):
            away = float(np.max(np.abs(x - known.x) / self.unit))
            if away < ONE_PLACE or (away < SAME_PLACE and abs(value - known.value) <= same):
                if value < known.value:
                    self.minima[i] = Minimum(np.array(x), value)
                return False
        self.minima.append(Minimum(np.array(x), value))
        return True

    def met(self, x: Floats, value: float) -> Minimum | None:
        """Return the known minimum that a descent has come to, so that it could not end at a new one."""
        for known in self.minima:
            if known.value <= value and np.max(np.abs(x - known.x) / self.unit) < ONE_PLACE:
                return known
        return None

    def at_known(self, x: Floats, value: float) -> bool:
        """Whether a descent has come to a known minimum."""
        return self.met(x, value) is not None

    def better_found(self) -> None:
        """Count anew, after something better was found."""
        self.since = 0


@dataclass(eq=False)
class Passed:
    """Points by which descents came to minima: who comes by one of them goes the same way.

    Parameters
    ----------
    whole : ndarray of bool, shape (d,)
        Entries that are whole numbers or labels; those of a point must be the same.
    unit : ndarray, shape (d,)
        By which the others are compared.
    """

    whole: Mask
    unit: Floats
    _points: dict[bytes, list[Minimum]] = field(init=False, default_factory=dict)

    def add(self, points: list[Minimum]) -> None:
        """Note the last points of a descent."""
        for point in points[-KEPT:]:
            self._points.setdefault(point.x[self.whole].tobytes(), []).append(point)

    def by(self, x: Floats, value: float) -> bool:
        """Whether a descent has come by such a point, and no lower."""
        return any(
            known.value <= value and np.max(np.abs(x - known.x) / self.unit) < ONE_PLACE
            for known in self._points.get(x[self.whole].tobytes(), ())
        )


def excluded(number: int, searches: str) -> str:
    """Say which basins so many searches in a row would have met."""
    share = 100 * (1 - (1 - CONFIDENCE) ** (1 / max(number, 1)))
    return f"a basin that more than {share:.1f} % of {searches} lead to would have been met with 95 %"
