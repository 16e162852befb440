"""Drawing a population block by block, so that no row depends on who draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

import numpy as np

from cem.domain import Domain
from cem.families.base import Array, Family, dimension

BLOCK_NUMBERS = 2**16
REDRAWS = 3


class Filling(Protocol):
    """A family that can draw straight into given rows, which spares large populations a copy."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its candidates' entries."""

    def fill(self, out: Array, rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, the same that ``sample(len(out), rng)`` gives."""


def block_rows(d: int) -> int:
    """Give the rows of a draw block, the unit of randomness, for candidates of length `d`."""
    return max(1, BLOCK_NUMBERS // d)


def draw(
    family: Family, n: int, stream: Callable[[int], np.random.Generator], domain: Domain | None = None
) -> Array:
    """Draw `n` candidates; block `b` comes from the generator ``stream(b)``.

    Rows outside `domain` are redrawn up to three times and then projected onto it; integer variables are
    drawn as the real numbers that `Domain.present` rounds.

    Returns
    -------
    ndarray, shape (n, d)
        Read-only.
    """
    d = dimension(family)
    rows = block_rows(d)
    if domain is None and hasattr(family, "fill"):  # what `Filling` says, at a tenth of its price
        filling = cast(Filling, family)
        population = np.empty((n, d), dtype=filling.dtype)
        for b, first in enumerate(range(0, n, rows)):
            filling.fill(population[first : first + rows], stream(b))
    else:
        blocks = (
            _draw_block(family, min(rows, n - first), stream(b), domain)
            for b, first in enumerate(range(0, n, rows))
        )
        population = next(blocks) if n <= rows else _stack(blocks, n)
    population.flags.writeable = False
    return population


def _stack(blocks: Iterator[Array], n: int) -> Array:
    """Copy the blocks one after another into an array of `n` rows, holding one block at a time."""
    first = next(blocks)
    population = np.empty((n, first.shape[1]), dtype=first.dtype)
    population[: len(first)] = first
    filled = len(first)
    for block in blocks:
        population[filled : filled + len(block)] = block
        filled += len(block)
    return population


def _draw_block(family: Family, n: int, rng: np.random.Generator, domain: Domain | None) -> Array:
    x = np.asarray(family.sample(n, rng))
    if x.ndim != 2 or x.shape[0] != n:
        raise ValueError(
            f"{type(family).__name__}.sample({n}, rng) returned shape {x.shape}; "
            f"a family returns one candidate a row, shape ({n}, d)."
        )
    if domain is None:
        return x
    x = x if x.flags.writeable else x.copy()
    domain = domain.relaxed
    fixed = domain.fixed
    any_fixed = bool(fixed.any())
    if any_fixed:
        x[:, fixed] = domain.low[fixed]
    for _ in range(REDRAWS):
        inside = (x >= domain.low) & (x <= domain.high)
        if inside.all():
            return x
        outside = np.flatnonzero(~inside.all(axis=1))
        x[outside] = family.sample(outside.size, rng)
        if any_fixed:
            x[:, fixed] = domain.low[fixed]
    return domain.project(x)
