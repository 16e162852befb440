"""The space of independent categories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cem.families.base import Array, Family
from cem.families.categorical_mixture import CategoricalMixture
from cem.families.shares import log_total
from cem.improved.choice import Candidate, choose
from cem.improved.modes import HELD, leading

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelSpace:
    """Independent labels."""

    nominal: CategoricalMixture

    rates = (0.50, 0.30, 0.12, 0.08)

    @property
    def dimension(self) -> int:
        """Number of labels in a row."""
        return self.nominal.dimension

    @cached_property
    def wide(self) -> CategoricalMixture:
        """Half as cold as the nominal."""
        return self.nominal.heated(0.5)

    @cached_property
    def likely(self) -> NDArray[np.int64]:
        """The likeliest label of each position."""
        return np.asarray(self.nominal.mean.argmax(axis=1))

    @cached_property
    def skewed(self) -> NDArray[np.bool_]:
        """Which positions have possible labels of different probabilities."""
        p = self.nominal.mean
        least = np.where(p > 0, p, np.inf).min(axis=1)
        return np.asarray(p.max(axis=1) > least * (1 + 1e-9))

    def heated(self, heat: float, /) -> CategoricalMixture:
        """Give the mass to the power `heat`, normalised."""
        return self.nominal.heated(heat)

    def inflated(self, fitted: CategoricalMixture, /) -> CategoricalMixture:
        """Flatten the tables."""
        return fitted.heated(0.7)

    def slope(self, x: Array, y: Vector, /) -> Vector | None:
        """Give None: labels need no direction."""
        return None

    def about(self, points: Array, /) -> CategoricalMixture:
        """Give components that hold each point's unlikely labels with .9 and else follow the nominal."""
        points, shares = leading(points, self.nominal.log_prob(points))
        indicators = self.nominal.indicators(points).reshape(len(points), *self.nominal.mean.shape)
        held = HELD * indicators + (1 - HELD) * self.nominal.mean
        return CategoricalMixture(
            shares, np.where((points != self.likely)[..., None], held, self.nominal.mean)
        )

    def fit(self, x: Array, w: Vector, slope: Vector | None, rng: np.random.Generator, /) -> Family:
        """Fit the number of components that predicts held-out rows best."""
        return choose([Candidate(self._seeded, (1, 2, 3, 4, 6, 8, 12, 16, 24))], x, w, rng)

    def _seeded(self, x: Array, w: Vector, k: int, rng: np.random.Generator) -> CategoricalMixture:
        """Fit `k` components by EM with a prior of half a row at the nominal."""
        indicators, nominal = self.nominal.indicators(x), self.nominal.mean
        everywhere = (w @ indicators / w.sum()).reshape(nominal.shape)
        seeds = indicators[self._far_apart(x, w, k, rng)].reshape(-1, *nominal.shape)
        mixture = CategoricalMixture(np.ones(len(seeds)), 0.7 * seeds + 0.2 * everywhere + 0.1 * nominal)
        before = -np.inf
        for _ in range(30 if k > 1 else 1):
            joint = mixture.joint(x)
            total = log_total(joint)
            r = np.exp(joint - total[:, None]) * w[:, None]
            mass = r.sum(axis=0)
            kept = (mass > 0.5) | (mass == mass.max())
            counts = (r[:, kept].T @ indicators).reshape(-1, *nominal.shape) + 0.5 * nominal
            mixture = CategoricalMixture(mass[kept], counts / counts.sum(axis=2, keepdims=True))
            now = float(w @ total / w.sum())
            if now - before < 1e-3:
                break
            before = now
        return mixture

    def _far_apart(self, x: Array, w: Vector, k: int, rng: np.random.Generator) -> list[int]:
        seeds = [int(rng.choice(len(x), p=w / w.sum()))]
        gaps = (x != x[seeds[0]]).sum(axis=1)
        while len(seeds) < k and (p := gaps * w).sum() > 0:
            seeds.append(int(rng.choice(len(x), p=p / p.sum())))
            gaps = np.minimum(gaps, (x != x[seeds[-1]]).sum(axis=1))
        return seeds
