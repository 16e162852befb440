"""Which sampling run comes next: two regimes that share the evaluations (BIPOP).

Runs whose population doubles each time are for objectives with a global shape; small runs of random size,
width and place in between are for those without.

Hansen (2009), "Benchmarking a BI-Population CMA-ES on the BBOB-2009 Function Testbed", GECCO workshop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_MOST_DOUBLINGS = 10  # Hansen (2009): nine; one more for small first populations


class Kind(NamedTuple):
    """A run: its population, the factor on the start's spread, and which regime pays for it."""

    n: int
    narrower: float
    large: bool


@dataclass(eq=False)
class Regimes:
    """BIPOP's account of what each regime has spent.

    Parameters
    ----------
    base : int
        Population of the first run.
    least : int
        Least population of a small run.
    rng : numpy.random.Generator
    """

    base: int
    least: int
    rng: np.random.Generator
    doublings: int = -1
    spent_large: int = 0
    spent_small: int = 0

    def next(self) -> Kind:
        """Choose the regime that has spent less."""
        if self.doublings < 0 or self.spent_large <= self.spent_small:
            self.doublings = min(self.doublings + 1, _MOST_DOUBLINGS)
            return Kind(self.base * 2**self.doublings, 1.0, True)
        u, v = self.rng.random(2)
        ratio = max(1.0, 2.0**self.doublings / 4 * self.base / self.least)
        return Kind(max(2, int(self.least * ratio ** (u * u))), float(10 ** (-2 * v)), False)

    def note(self, kind: Kind, spent: int) -> None:
        """Charge a finished run to its regime."""
        if kind.large:
            self.spent_large += spent
        else:
            self.spent_small += spent
