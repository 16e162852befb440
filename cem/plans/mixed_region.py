"""Where numbers and labels are searched: the size of a region, points near its start and all over it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cem.families.base import Array, Floats
from cem.families.categorical import label_edges
from cem.plans.mixed_space import LABELS, MixedSpace, numbers_of

JITTER = 0.02  # of the span: how far from the start's mean the first descent begins


@dataclass(frozen=True, eq=False)
class Region:
    """The part of a space that a start speaks of.

    Parameters
    ----------
    space : MixedSpace
    start : Product or GaussianLike
        The numbers alone where there are no labels.
    """

    space: MixedSpace
    start: Any

    @cached_property
    def span(self) -> Floats:
        """The size of the region of each column, shape ``(d,)``; five spreads where a side is open."""
        domain = self.space.domain
        closed = np.isfinite(domain.low) & np.isfinite(domain.high)
        span = np.where(closed, domain.high, 0.0) - np.where(closed, domain.low, 0.0)
        spread = np.zeros(span.size)
        spread[self.space.numbers] = 5 * np.asarray(numbers_of(self.start).std)
        return np.where(closed, span, spread)

    @cached_property
    def low(self) -> Floats:
        """Where the region begins, shape ``(d,)``: whole numbers' first is as likely as others."""
        domain = self.space.domain
        middle = np.zeros(self.span.size)
        middle[self.space.numbers] = np.asarray(numbers_of(self.start).mean)
        open_ = ~np.isfinite(domain.high - domain.low)
        return np.where(open_, middle - self.span / 2, domain.low) - np.where(domain.integer, 0.5, 0.0)

    @cached_property
    def size(self) -> Floats:
        """The span, and room for the first and last of whole numbers."""
        return np.asarray(self.span + 2 * np.where(self.space.domain.integer, 0.5, 0.0))

    def near_start(self, rng: np.random.Generator) -> Floats:
        """Return a row near the start's mean, with labels that it draws."""
        x = np.asarray(self.start.sample(1, rng)[0], dtype=np.float64)
        j = self.space.numbers
        jitter = JITTER * self.span[j] * rng.uniform(-1, 1, j.size)
        x[j] = np.asarray(numbers_of(self.start).mean) + jitter
        return x

    def anywhere(self, rng: np.random.Generator) -> Floats:
        """Return a row from anywhere in the region, with labels that the start draws."""
        x = np.asarray(self.start.sample(1, rng)[0], dtype=np.float64)
        j = self.space.numbers
        x[j] = self.low[j] + self.size[j] * rng.random(j.size)
        return x

    def placed(self, u: Floats) -> Floats:
        """Return the rows of a space with labels that numbers from 0 to 1 stand for, shape ``(n, d)``."""
        x = self.low + self.size * u
        j = self.space.labels
        x[:, j] = (u[:, j, None] >= label_edges(np.asarray(self.start[LABELS].probabilities))).sum(axis=2)
        return self.whole(x)

    def whole(self, x: Array) -> Floats:
        """Return rows with whole numbers where they belong; entries without a say stay as they are."""
        domain, log = self.space.domain, self.space.logarithmic
        x = np.array(domain.present(x))
        value = np.rint(np.exp(np.where(log, x, 0.0)))
        low, high = (np.exp(np.where(log, side, 0.0)) for side in (domain.low, domain.high))
        value = np.clip(value, np.rint(low + 0.5), np.maximum(np.rint(high - 0.5), 1.0))
        return np.where(log & ~domain.fixed, np.log(value), x)
