"""Few evaluations of numbers and labels together: candidates that a model of the ranks expects most of.

The distribution that is searched from is sampled evenly at first. Then a Gaussian process learns which rank
each candidate came to, and of many candidates, drawn anywhere and about the best ones, the one with the
largest expected improvement is evaluated. Ranks in place of values make losses of any scale and skewness,
and steps, alike. Of functions whose reals have a slope other methods know more: a few evaluations on a line
tell whether this is one.

References
----------
Jones, Schonlau & Welch (1998), "Efficient Global Optimization of Expensive Black-Box Functions", Journal of
Global Optimization 13.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from scipy.special import ndtr, ndtri

from cem.core.loop import Batch, Request, Step
from cem.families.base import Array, Floats, Mask
from cem.local_search.requests import values_at
from cem.plans.mixed_region import Region
from cem.rare_events.surrogate.gaussian_process import GaussianProcess, find_hyperparameters

MOST_ROWS = 150  # evaluations that are learned from: a fit's price grows with their cube
MOST_COLUMNS = 60  # numbers and labels of all variables: each has a length of its own to be learned
LEAST_FIRST = 6  # candidates drawn evenly before any is learned from, or as many as there are variables
DRAWN = 500  # candidates from anywhere, and as many about the best ones
BEST = 5  # candidates that others are drawn about
WIDEST, NARROWEST = 0.1, 0.003  # of the span: how far from them
CHANGED = 0.3  # probability that a column of theirs changes, at least two columns' on average
REFIT = 1.25  # times the candidates of the last fit, until lengths are learned anew
LEAST_STD = 1e-6
PROBED = 4  # candidates, before the best of them is moved
TINY = 2e-4  # of half the span: how far, to see a slope
ROUGH = 0.1  # of the spread of values: more than a slope changes on that way
UNLIKE = 0.01  # of the spread of values on a line: how far a parabola may be off
STAGE = "guided sampling"


class Surface(Enum):
    """What scores look like along the reals."""

    UNKNOWN = "no finite score, or no reals"
    STEPS = "plateaus, or jumps"
    SMOOTH = "a slope"
    BOWL = "a parabola through the region"


@dataclass(eq=False)
class GuidedSampling:
    """Sampling by expected improvement; each `run` goes on where the one before ended.

    Parameters
    ----------
    region : Region
        Of a space with labels.
    rng : numpy.random.Generator
    """

    region: Region
    rng: np.random.Generator
    rows: list[Floats] = field(init=False, default_factory=list)
    values: list[float] = field(init=False, default_factory=list)
    first: list[Floats] | None = field(init=False, default=None)  # to come before any is learned from

    @property
    def suits(self) -> bool:
        """Whether there are few enough columns to learn from."""
        return self.region.space.numbers.size + int(self.region.space.categories.sum()) <= MOST_COLUMNS

    @property
    def stepped(self) -> bool:
        """Whether different candidates of the better half share a score, as reals hardly let them."""
        best = np.sort(self.values)[: (len(self.values) + 1) // 2]
        return bool((np.diff(best) == 0).any())

    def run(self, more: Callable[[], bool]) -> Generator[Request, Batch, None]:
        """Evaluate one candidate after the other while there are `more` to come."""
        if self.first is None:
            self.first = list(self._evenly(max(LEAST_FIRST, self.region.span.size)))
        theta: Floats | None = None
        fitted = 0
        while len(self.values) < MOST_ROWS and more():
            if self.first:
                row = self.first.pop()
            else:
                x, z = self._coded(np.array(self.rows)), _scores(np.array(self.values))
                if theta is None or len(z) >= REFIT * fitted:
                    (theta, _), fitted = find_hyperparameters(x, z, theta), len(z)
                row = self._most_promising(GaussianProcess.condition(x, z, theta))
            value = float((yield from values_at(row[None]))[0])
            self.rows.append(row)
            self.values.append(value)
            yield Step(None, STAGE)

    def probe(self) -> Generator[Request, Batch, Surface]:
        """Evaluate the first candidates, then the best of them with all its reals moved inwards.

        A tiny step tells slopes from steps and noise. With half and all of half the span it tells whether the
        line is a parabola, which a quasi-Newton method goes to the bottom of at once.
        """
        yield from self.run(lambda: len(self.values) < PROBED)
        best = int(np.argmin(self.values))
        x, value = self.rows[best], self.values[best]
        space, low, size = self.region.space, self.region.low, self.region.size
        free = ~(space.domain.integer | space.logarithmic | space.domain.fixed)
        if space.active is not None:
            free = free & space.active(space.present(x[None]))[0]
        if not free.any() or not np.isfinite(value):
            return Surface.UNKNOWN
        way = np.where(free, np.where(x < low + size / 2, size, -size) / 2, 0.0)
        change = float((yield from values_at((x + TINY * way)[None]))[0]) - value
        yield Step(None, STAGE)
        finite = [each for each in self.values if np.isfinite(each)]
        if change == 0 or abs(change) > ROUGH * (max(finite) - min(finite)):
            return Surface.STEPS
        line = yield from values_at(x + np.array([[0.5], [1.0]]) * way)
        yield Step(None, STAGE)
        half, whole = (each - value for each in line.tolist())
        bend = (whole - change / TINY) / (1 - TINY)
        off = abs((whole - bend) / 2 + bend / 4 - half)
        spread = max(0.0, half, whole) - min(0.0, half, whole)
        return Surface.BOWL if off < UNLIKE * spread else Surface.SMOOTH

    def _evenly(self, n: int) -> Floats:
        """Return a Latin hypercube sample, shape ``(n, d)``."""
        d = self.region.space.domain.dimension
        cells = np.stack([self.rng.permutation(n) for _ in range(d)], axis=1)
        return self.region.placed((cells + self.rng.random((n, d))) / n)

    def _most_promising(self, model: GaussianProcess) -> Floats:
        """Return the candidate of the largest expected improvement on the best mean."""
        region, d = self.region, self.region.space.domain.dimension
        known = model.predict(model.x)[0]
        about = np.array(self.rows)[np.argsort(known, kind="stable")[:BEST]]
        near = about[self.rng.integers(len(about), size=DRAWN)]
        widths = WIDEST * (NARROWEST / WIDEST) ** self.rng.random((DRAWN, d))
        moved = near + widths * region.size * self.rng.standard_normal((DRAWN, d))
        drawn = region.placed(self.rng.random((DRAWN, d)))
        moved[:, region.space.labels] = drawn[:, region.space.labels]
        changed = self.rng.random((DRAWN, d)) < max(CHANGED, 2 / d)
        moved = np.clip(np.where(changed, moved, near), region.low, region.low + region.size)
        rows = np.concatenate([region.placed(self.rng.random((DRAWN, d))), region.whole(moved)])
        x = self._coded(rows)
        mean, std = model.predict(x)
        std = np.sqrt(np.maximum(std**2 - model.noise_variance, LEAST_STD**2))
        gain = float(known.min()) - mean
        z = gain / std
        expected = gain * ndtr(z) + std * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        expected[(np.abs(x[:, None] - model.x).max(axis=2) < LEAST_STD).any(axis=1)] = -np.inf
        return np.asarray(rows[int(np.argmax(expected))])

    def _coded(self, rows: Floats) -> Floats:
        """Return columns of about unit spread: numbers, and one for each label; 0 where they have no say."""
        space = self.region.space
        x = np.array(space.domain.present(rows), dtype=np.float64)
        say: Mask = np.ones(x.shape, dtype=np.bool_)
        if space.active is not None:
            say = space.active(space.present(rows))
        j = space.numbers
        low, size = self.region.low[j], self.region.size[j]
        u = (x[:, j] - low) / np.where(size > 0, size, 1.0)
        parts = [np.where(say[:, j], np.sqrt(12) * (u - 0.5), 0.0)]
        for c, k in zip(space.labels, space.categories, strict=True):
            one = np.eye(k)[x[:, c].astype(np.int64)] * np.sqrt(k)
            parts.append(np.where(say[:, [c]], one, 0.0)[:, : k if k > 2 else 1])
        return np.concatenate(parts, axis=1)


def _scores(values: Array) -> Floats:
    """Return normal scores of the values' ranks, of mean 0 and variance 1."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # those that share a value share the mean rank
    z = ndtri((ranks - 0.5) / values.size)
    return np.asarray((z - z.mean()) / max(float(z.std()), LEAST_STD))
