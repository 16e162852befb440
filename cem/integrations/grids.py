"""Variables of other libraries: what stands for them in a `cem.Space`, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cem.ask_tell import CrossEntropyMethod
from cem.core.loop import Update
from cem.core.streams import RngLike
from cem.core.variables import Choice, Integer, Real
from cem.families.product import Product
from cem.plans.integers import IntegerMargin
from cem.plans.mixed_space import MixedAdaptation
from cem.spaces import Space
from cem.updates.path_adaptation import PathAdaptation
from cem.updates.smoothed_fit import SmoothedFit

LEAST_POPULATION = 10  # of labels alone, whose update has a default for cheap evaluations only
ELITES = 0.3  # of so few


@dataclass(frozen=True, eq=False)
class Grid:
    """A variable of the space, and what its values stand for."""

    variable: Real | Integer | Choice
    value: Callable[[Any], Any] = lambda value: value


def choice(options: Sequence[Any]) -> Grid:
    """Return a choice among any objects, by their number."""
    kept = list(options)
    return Grid(Choice(list(range(len(kept)))), lambda k: kept[int(k)])


def steps(low: float, count: int, step: float) -> Grid:
    """Return the numbers ``low + k step`` for `k` from 0 to ``count - 1``."""
    return Grid(Integer(0, count - 1), lambda k: low + step * int(k))


@dataclass(frozen=True, eq=False)
class Loop:
    """The loop over such variables, by hand.

    Attributes
    ----------
    grids : mapping of str to Grid
    method : CrossEntropyMethod
    population : int
        Candidates an iteration.
    """

    grids: Mapping[str, Grid]
    space: Space
    method: CrossEntropyMethod
    population: int

    @classmethod
    def over(cls, grids: Mapping[str, Grid], population: int | None, maximize: bool, rng: RngLike) -> Loop:
        """Begin a loop; its update is the one that `cem.optimize` takes for such a space."""
        space = Space({name: grid.variable for name, grid in grids.items()})
        start = space.start()
        update: Update
        if isinstance(start, Product):
            update = MixedAdaptation(space.layout, PathAdaptation())
        elif not space.layout.numbers.size:
            update = SmoothedFit(elite_fraction=ELITES)
            population = max(LEAST_POPULATION, 2 * len(grids)) if population is None else population
        else:
            update = PathAdaptation()
            update = IntegerMargin(update, space.domain) if space.domain.integer.any() else update
        if population is None:
            own: Any = update if hasattr(update, "population") else PathAdaptation()
            population = int(own.population(start))
        method = CrossEntropyMethod(
            start, bounds=space, population=population, update=update, maximize=maximize, rng=rng
        )
        return cls(grids, space, method, population)

    def values(self, row: Any) -> dict[str, Any]:
        """Return what a row, shape ``(d,)``, stands for, by name."""
        (named,) = self.space.dicts(np.asarray(row)[None])
        return {name: self.grids[name].value(value) for name, value in named.items()}
