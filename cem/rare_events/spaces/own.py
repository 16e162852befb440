"""The space of a user's own family of real rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from cem.families.base import Array, Family, Floats, dimension
from cem.families.blended import Blended
from cem.rare_events.settings import DEFAULT, Settings
from cem.rare_events.spaces.moves import Move, set_far, some_entries
from cem.rare_events.spaces.normal import NormalSpace

PROBES = 2000  # rows by which a family shows what it is: its quartiles err by 3 % of its spread
BEYOND = 6.0  # times as far from the median as usual: where a density that has no bounds is still positive


@dataclass(frozen=True, eq=False)
class Stretched:
    """A family of rows z, seen as ``centre + scale * z``.

    Parameters
    ----------
    inner : Family
    centre, scale : ndarray, shape (d,)
    """

    inner: Any
    centre: Floats
    scale: Floats

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return int(self.centre.size)

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` rows, shape ``(n, d)``."""
        return np.asarray(self.centre + self.scale * np.asarray(self.inner.sample(n, rng)))

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``."""
        inner = np.asarray(self.inner.log_prob((x - self.centre) / self.scale))
        return np.asarray(inner - np.log(self.scale).sum())

    def fit(self, x: Array, weights: Array | None = None, /) -> Stretched:
        """Fit the inner family to the rows that it would see."""
        return Stretched(self.inner.fit((x - self.centre) / self.scale, weights), self.centre, self.scale)

    def blend(self, other: Any, rate: float, /) -> Any:
        """Return the mixture of the two, ``(1 - rate) * self + rate * other``."""
        return Blended([1.0], [self]).blend(other, rate)

    def inflated(self, by: float, /) -> Stretched:
        """Return it with the inner family inflated."""
        return Stretched(self.inner.inflated(by), self.centre, self.scale)

    def entropy(self) -> float:
        """Return the entropy in nats."""
        return float(self.inner.entropy() + np.log(self.scale).sum())


@dataclass(frozen=True, eq=False)
class OwnSpace:
    """A user's family; proposals are those of standard-normal space about its median, by its spread."""

    nominal: Any
    centre: Floats
    scale: Floats
    normal: NormalSpace = field(repr=False)

    @property
    def settings(self) -> Settings:
        """What fits and plan are set to."""
        return self.normal.settings

    @property
    def rates(self) -> tuple[float, ...]:
        """Shares of the fit, its inflated copy, the wide part and the nominal in a final proposal."""
        return self.settings.own_rates

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return self.normal.dimension

    @cached_property
    def wide(self) -> Stretched:
        """The nominal with its spread times 1 + 2.5/√d."""
        return self._wider(1 + self.settings.wideness / np.sqrt(self.dimension))

    def _wider(self, by: float) -> Stretched:
        return Stretched(self.nominal, self.centre * (1 - by), np.full(self.dimension, by))

    def heated(self, heat: float, /) -> Stretched:
        """Return the nominal, as much wider as a normal density to the power `heat` is."""
        return self._wider(max(heat, self.settings.least_heat) ** -0.5)

    def inflated(self, fitted: Any, /) -> Family:
        """Return a wider copy of a fit."""
        inflated: Family = fitted.inflated(self.settings.inflation)
        return inflated

    def slope(self, x: Array, y: Floats, /) -> Floats | None:
        """Return the direction in which `y` rises, by the standardised rows."""
        return self.normal.slope((x - self.centre) / self.scale, y)

    def fit(self, x: Array, w: Floats, slope: Floats | None, rng: np.random.Generator, /) -> Family:
        """Fit to the standardised rows as in normal space."""
        fitted = self.normal.fit((x - self.centre) / self.scale, w, slope, rng)
        return Stretched(fitted, self.centre, self.scale)

    def outside(self, log_probability: float, below: Array, rng: np.random.Generator, /) -> list[Array]:
        """Return rows of wider copies, and rows with one coordinate where its density has fallen far."""
        d, s = self.dimension, self.settings
        rows = next(n for most, n in s.scaled_rows if d <= most)
        found = [np.asarray(self._wider(by).sample(rows, rng)) for by in s.own_scaled]
        n = min(max(2 * d, s.least_large), s.most_large)
        far = self._far(log_probability - np.log(10))
        for least in (1.0, 0.0):
            z = (np.asarray(self.nominal.sample(n, rng)) - self.centre) / self.scale
            share = set_far(np.zeros((n, d)), _between(least, rng), rng)
            size = np.where(share > 0, far[0], far[1]) * np.abs(share)
            z = np.where(share != 0, np.sign(share) * size, z)
            found.append(self.centre + self.scale * z)
        return found

    def _far(self, log_fall: float) -> Floats:
        """Return how many scales above and below the median a coordinate's density falls so much, (2, d)."""
        sizes = np.geomspace(1, 1e4, 60)
        far = np.empty((2, self.dimension))
        top = float(self.nominal.log_prob(self.centre[None])[0])
        for side, sign in enumerate((1.0, -1.0)):
            for at in range(self.dimension):
                probe = np.tile(self.centre, (len(sizes), 1))
                probe[:, at] += sign * sizes * self.scale[at]
                fallen = top - np.asarray(self.nominal.log_prob(probe)) >= -log_fall
                far[side, at] = sizes[int(fallen.argmax())] if fallen.any() else sizes[-1]
        return far

    def moves(self, inwards: bool, /) -> tuple[Move, ...]:
        """Return a random walk of entries; inwards, entries shrink towards the median too."""

        def walk(x: Array, rates: Floats, rng: np.random.Generator) -> Array:
            step = 2 * rates[:, None] * self.scale * rng.standard_normal(x.shape)
            return np.where(some_entries(x.shape, rates, rng), x + step, x)

        def shrink(x: Array, rates: Floats, rng: np.random.Generator) -> Array:
            nearer = self.centre + rng.uniform(0.4, 1, (len(x), 1)) * (x - self.centre)
            return np.where(some_entries(x.shape, rates, rng), nearer, x)

        least = 1 / self.dimension
        steps = Move("walk", walk, least, symmetric=True)
        return (Move("shrink", shrink, least), steps) if inwards else (steps,)

    def scouts(self) -> tuple[Family, ...]:
        """Return none: points outside are enough."""
        return ()


def _between(least: float, rng: np.random.Generator) -> Callable[[tuple[int, ...]], Floats]:
    """Return the draw of an array of a shape, uniform from `least` to one."""
    return lambda shape: rng.uniform(least, 1.0, shape)


def own_space(family: Any, settings: Settings = DEFAULT) -> OwnSpace | None:
    """Return the space of a family, or None unless its rows are real ones with a density without bounds.

    It is asked by sample: rows that repeat have no density, and one that vanishes six times as far from the
    median as rows usually lie has bounds, which proposals would pass.
    """
    rng = np.random.default_rng(0)
    if np.asarray(family.sample(1, rng)).dtype.kind != "f":
        return None
    x = np.asarray(family.sample(PROBES, rng))
    if any(len(np.unique(column)) < PROBES / 2 for column in x.T):
        return None
    low, middle, high = np.quantile(x, [0.16, 0.5, 0.84], axis=0)
    with np.errstate(all="ignore"):
        if not np.isfinite(np.asarray(family.log_prob(middle + BEYOND * (x - middle)))).all():
            return None
    return OwnSpace(family, middle, (high - low) / 2, NormalSpace(dimension(family), settings))
