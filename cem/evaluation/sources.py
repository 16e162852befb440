"""Where workers get the rows of a batch from: sent to them, or drawn again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from cem.families.base import Array
from cem.sampling import Recipe

REDRAW_BYTES = 2**21
REDRAW_DIMENSION = 2000


class Source(Protocol):
    """A batch as a worker sees it."""

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Give the rows from `start` to `stop`, one piece after another."""


@dataclass(frozen=True, eq=False)
class Shipped:
    """Rows that were sent."""

    x: Array

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Give the rows from `start` to `stop`."""
        yield self.x[start:stop]


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Rows that a worker draws for itself, a few at a time unless they are wanted `together`."""

    recipe: Recipe
    together: bool

    def pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Give the rows from `start` to `stop`."""
        if self.together:
            yield self.recipe.rows(start, stop)
        else:
            yield from self.recipe.blocks(start, stop)


def worth_redrawing(recipe: Recipe | None, x: Array) -> bool:
    """Tell whether drawing the rows again costs less than sending them."""
    return (
        recipe is not None
        and recipe.redrawable
        and x.nbytes >= REDRAW_BYTES
        and x.shape[1] >= REDRAW_DIMENSION
    )
