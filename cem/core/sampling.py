"""Drawing a population block by block, so that no row depends on who draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, TypeAlias, TypeGuard

import numpy as np

from cem.clock import look_at_clock
from cem.core.domain import Domain
from cem.core.streams import Purpose, Streams
from cem.families.base import Array, Family, dimension

BLOCK_NUMBERS = 2**16  # deviates per generator: making one costs as much as 2,000 deviates
Beside: TypeAlias = Callable[[Callable[[int], None], Iterable[int]], Iterable[None]]
REDRAWS = 3  # then projection: as good as any repair tried, at a bounded cost


class Filling(Protocol):
    """A family that can draw straight into given rows, which spares large populations a copy."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its candidates' entries."""

    def fill(self, out: Array, rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, the same that ``sample(len(out), rng)`` gives."""


def _fills(family: object) -> TypeGuard[Filling]:
    return hasattr(family, "fill")  # a tenth of the price of a runtime check of the protocol


def block_rows(d: int) -> int:
    """Return the rows of a draw block, the unit of randomness, for candidates of length `d`."""
    return max(1, BLOCK_NUMBERS // d)


def draw(
    family: Family,
    n: int,
    stream: Callable[[int], np.random.Generator],
    domain: Domain | None = None,
    beside: Beside = map,
) -> Array:
    """Draw `n` candidates; block `b` comes from the generator ``stream(b)``.

    Rows outside `domain` are redrawn up to three times and then projected onto it; integer variables are
    drawn as the real numbers that `Domain.present` rounds. Blocks are drawn by `beside`, which may do several
    at the same time.

    Returns
    -------
    ndarray, shape (n, d)
        Read-only.
    """
    d = dimension(family)
    rows = block_rows(d)
    if domain is None and _fills(family):
        population = np.empty((n, d), dtype=family.dtype)

        def fill(b: int) -> None:
            look_at_clock()
            family.fill(population[b * rows : (b + 1) * rows], stream(b))

        for _ in beside(fill, range(-(-n // rows))):
            pass
    else:
        blocks = (
            _draw_block(family, min(rows, n - first), stream(b), domain)
            for b, first in enumerate(range(0, n, rows))
        )
        population = next(blocks) if n <= rows else _stack(blocks, n)
    population.flags.writeable = False
    return population


@dataclass(frozen=True, eq=False)
class Recipe:
    """How the `n` candidates of a batch are drawn, so that any of them can be drawn again anywhere."""

    family: Family
    n: int
    domain: Domain | None
    streams: Streams
    batch: int

    @property
    def redrawable(self) -> bool:
        """Whether the family promises the same bits wherever, and however many at once, they are drawn."""
        return bool(getattr(self.family, "redrawable", False))

    def stream(self, block: int) -> np.random.Generator:
        """Make the generator of a draw block."""
        return self.streams.generator(Purpose.SAMPLE, self.batch, block)

    def population(self, beside: Beside = map) -> Array:
        """Draw all candidates, shape ``(n, d)``, read-only."""
        return draw(self.family, self.n, self.stream, self.domain, beside)

    def blocks(self, start: int, stop: int) -> Iterator[Array]:
        """Draw the rows from `start` to `stop`, a block at a time."""
        d = dimension(self.family)
        rows = block_rows(d)
        for b in range(start // rows, -(-stop // rows)):
            first = b * rows
            block = _one_block(self.family, min(rows, self.n - first), d, self.stream(b), self.domain)
            block.flags.writeable = False
            yield block[max(start - first, 0) : stop - first]

    def rows(self, start: int, stop: int) -> Array:
        """Draw the rows from `start` to `stop`, shape ``(stop - start, d)``, read-only."""
        x = _stack(self.blocks(start, stop), stop - start)
        x.flags.writeable = False
        return x


def every_row(support: Sequence[Array]) -> Array:
    """Return all candidates whose entries are among the values of each position, shape ``(n, d)``.

    The last position changes fastest, as in `itertools.product`.
    """
    n = prod(values.size for values in support)
    number, stride, columns = np.arange(n), n, []
    for values in support:
        stride //= values.size
        columns.append(values[number // stride % values.size])
    return np.stack(columns, axis=1)


def _one_block(family: Family, n: int, d: int, rng: np.random.Generator, domain: Domain | None) -> Array:
    if domain is None and _fills(family):
        block = np.empty((n, d), dtype=family.dtype)
        family.fill(block, rng)
        return block
    return _draw_block(family, n, rng, domain)


def _stack(blocks: Iterator[Array], n: int) -> Array:
    """Copy the blocks one after another into an array of `n` rows, holding one block at a time."""
    first = next(blocks)
    population = np.empty((n, first.shape[1]), dtype=first.dtype)
    population[: len(first)] = first
    filled = len(first)
    for block in blocks:
        look_at_clock()
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
