"""Places all over a region, one after another: where searches begin that say what a claim excludes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cem.core.domain import Domain
from cem.families.base import Floats
from cem.families.gaussian import GaussianLike

REACH = 2.5  # standard deviations to either side of a start's mean: the region, where a side is open


@dataclass(frozen=True, eq=False)
class Places:
    """An additive recurrence, which spreads points evenly over a region.

    Attributes
    ----------
    low, span : ndarray, shape (d,)
        Where the region begins, and its size.
    shift : ndarray, shape (d,)
        Where the sequence begins, from 0 to 1.

    References
    ----------
    Roberts (2018), "The unreasonable effectiveness of quasirandom sequences".
    """

    low: Floats
    span: Floats
    shift: Floats

    @classmethod
    def about(cls, start: GaussianLike, domain: Domain, rng: np.random.Generator) -> Places:
        """Return places all over a box; where a side is open, as far as a start reaches."""
        mean, reach = np.asarray(start.mean), REACH * np.asarray(start.std)
        closed = np.isfinite(domain.low) & np.isfinite(domain.high)
        low = np.where(closed, domain.low, np.maximum(domain.low, mean - reach))
        high = np.where(closed, domain.high, np.minimum(domain.high, mean + reach))
        return cls(low, high - low, rng.random(mean.size))

    def __getitem__(self, number: int) -> Floats:
        return self.low + self.span * ((self.shift + number * self._stride) % 1.0)

    @cached_property
    def _stride(self) -> Floats:
        """Powers of ``1 / g``, where ``g ** (d + 1) = g + 1`` (the golden ratio in one dimension)."""
        d, g = self.span.size, 2.0
        for _ in range(64):
            g = (1 + g) ** (1 / (d + 1))
        return g ** -np.arange(1.0, d + 1)
