"""The spaces of independent bits, and of independent labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from cem.core.loop import Batch, Request, Rows
from cem.families.base import Array, Family, Floats, Index, Mask
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.categorical_mixture import CategoricalMixture
from cem.families.mixture import maximize_likelihood
from cem.rare_events.settings import DEFAULT, Settings
from cem.rare_events.spaces.choice import Candidate, choose
from cem.rare_events.spaces.moves import Move, redraw, subsets

M = TypeVar("M", BernoulliMixture, CategoricalMixture)


@dataclass(frozen=True, eq=False)
class DiscreteSpace(ABC):
    """Independent entries with finitely many values, proposed by mixtures of such."""

    nominal: Any
    settings: Settings = DEFAULT

    @property
    def rates(self) -> tuple[float, ...]:
        """Shares of the fit, its inflated copy, the wide part and the nominal in a final proposal."""
        return self.settings.discrete_rates

    @property
    def dimension(self) -> int:
        """Number of entries in a row."""
        return int(self.nominal.dimension)

    @cached_property
    def wide(self) -> Any:
        """The nominal's mass to a power below one, normalised."""
        return self.nominal.heated(self.settings.coldness)

    @property
    @abstractmethod
    def likely(self) -> Array:
        """The likeliest value of each entry."""

    @property
    @abstractmethod
    def skewed(self) -> Mask:
        """Which entries have possible values of different probabilities."""

    def heated(self, heat: float, /) -> Any:
        """Return the mass to the power `heat`, normalised."""
        return self.nominal.heated(heat)

    def inflated(self, fitted: Any, /) -> Any:
        """Flatten the fitted probabilities."""
        return fitted.heated(self.settings.flatness)

    def slope(self, x: Array, y: Floats, /) -> Floats | None:
        """Return None: these need no direction."""
        return None

    @abstractmethod
    def about(self, points: Array, /) -> Any:
        """Return components that hold each point's unlikely values firmly and else follow the nominal."""

    def fit(self, x: Array, w: Floats, slope: Floats | None, rng: np.random.Generator, /) -> Family:
        """Fit the number of components that predicts held-out rows best."""
        candidate = Candidate("bits or labels", self._seeded, self.settings.discrete_components)
        return choose([candidate], self.settings, x, w, rng)

    @abstractmethod
    def outside(self, log_probability: float, below: Array, rng: np.random.Generator, /) -> list[Array]:
        """Return rows of which random subsets are tilted."""

    def moves(self, inwards: bool, /) -> tuple[Move, ...]:
        """Return the redraw of entries."""
        return (redraw(self.nominal, self.dimension),)

    def scouts(self) -> tuple[Family, ...]:
        """Return none: points outside are enough."""
        return ()

    @abstractmethod
    def _seeded(self, x: Array, w: Floats, k: int, rng: np.random.Generator) -> Any:
        """Fit `k` components by EM with a prior at the nominal."""


@dataclass(frozen=True, eq=False)
class BitSpace(DiscreteSpace):
    """Independent bits."""

    nominal: BernoulliMixture

    @cached_property
    def likely(self) -> Array:
        """The likelier value of each bit."""
        return (self.nominal.mean > 0.5).astype(np.uint8)

    @cached_property
    def skewed(self) -> Mask:
        """Which bits may be both, with different probabilities."""
        p = self.nominal.mean
        return np.asarray((p != 0.5) & (p > 0) & (p < 1))

    def about(self, points: Array, /) -> BernoulliMixture:
        """Return components that hold each point's unlikely bits firmly and else follow the nominal."""
        points, shares = leading(points, self.nominal.log_prob(points), self.settings.most_points)
        p = self.settings.held
        held = np.where(points > 0.5, p, 1 - p)
        return BernoulliMixture(shares, np.where(points != self.likely, held, self.nominal.mean))

    def outside(self, log_probability: float, below: Array, rng: np.random.Generator, /) -> list[Array]:
        """Return rows of which a subset of the bits, those that may be both, is drawn with another mean."""
        p, n, d = self.nominal.mean, self.settings.tilted_rows, self.dimension
        tilts = rng.choice(self.settings.bit_tilts, n)[:, None]
        free = subsets(n, d, rng) & (p > 0) & (p < 1)
        return [(rng.random((n, d)) < np.where(free, tilts, p)).astype(np.uint8)]

    def _seeded(self, x: Array, w: Floats, k: int, rng: np.random.Generator) -> BernoulliMixture:
        seeds, nominal, prior = _far_apart(x, w, k, rng), self.nominal.mean, self.settings.discrete_prior
        centres = np.clip(0.8 * x[seeds] + 0.2 * (w @ x / w.sum()), 0.02, 0.98)

        def refit(rows: Array, r: Floats, mass: Floats) -> BernoulliMixture:
            p = (r.T @ rows + prior * nominal) / (mass + prior)[:, None]
            return BernoulliMixture(mass, np.clip(p, 1e-12, 1 - 1e-12))

        first = BernoulliMixture(np.ones(len(seeds)), centres)
        return _maximise(first, self.settings, x, w, k, refit)


@dataclass(frozen=True, eq=False)
class LabelSpace(DiscreteSpace):
    """Independent labels."""

    nominal: CategoricalMixture

    @cached_property
    def likely(self) -> Index:
        """The likeliest label of each position."""
        return np.asarray(self.nominal.mean.argmax(axis=1))

    @cached_property
    def skewed(self) -> Mask:
        """Which positions have possible labels of different probabilities."""
        p = self.nominal.mean
        least = np.where(p > 0, p, np.inf).min(axis=1)
        return np.asarray(p.max(axis=1) > least * (1 + 1e-9))

    def about(self, points: Array, /) -> CategoricalMixture:
        """Return components that hold each point's unlikely labels firmly and else follow the nominal."""
        points, shares = leading(points, self.nominal.log_prob(points), self.settings.most_points)
        indicators = self.nominal.prepare(points).reshape(len(points), *self.nominal.mean.shape)
        p = self.settings.held
        held = p * indicators + (1 - p) * self.nominal.mean
        return CategoricalMixture(
            shares, np.where((points != self.likely)[..., None], held, self.nominal.mean)
        )

    def outside(self, log_probability: float, below: Array, rng: np.random.Generator, /) -> list[Array]:
        """Return rows of which a subset of the positions is mostly one label, or each any possible one."""
        p, n = self.nominal.mean, self.settings.tilted_rows
        d, m = p.shape
        x = np.asarray(self.nominal.sample(n, rng))
        tilts = rng.choice(self.settings.label_tilts, n)[:, None]
        tilted = subsets(n, d, rng) & (rng.random((n, d)) < tilts)
        labels = np.where(rng.random((n, 1)) < 0.25, rng.integers(0, m, (n, d)), rng.integers(0, m, (n, 1)))
        return [np.where(tilted & (p[np.arange(d), labels] > 0), labels, x).astype(x.dtype)]

    def _seeded(self, x: Array, w: Floats, k: int, rng: np.random.Generator) -> CategoricalMixture:
        indicators, nominal, prior = (
            self.nominal.prepare(x),
            self.nominal.mean,
            self.settings.discrete_prior,
        )
        everywhere = (w @ indicators / w.sum()).reshape(nominal.shape)
        seeds = indicators[_far_apart(x, w, k, rng)].reshape(-1, *nominal.shape)
        first = CategoricalMixture(np.ones(len(seeds)), 0.7 * seeds + 0.2 * everywhere + 0.1 * nominal)

        def refit(rows: Array, r: Floats, mass: Floats) -> CategoricalMixture:
            counts = (r.T @ rows).reshape(-1, *nominal.shape) + prior * nominal
            return CategoricalMixture(mass, counts / counts.sum(axis=2, keepdims=True))

        return _maximise(first, self.settings, x, w, k, refit)


def _maximise(
    mixture: M,
    settings: Settings,
    x: Array,
    w: Floats,
    k: int,
    refit: Callable[[Array, Floats, Floats], M],
) -> M:
    """Refit until the mean log-likelihood gains no more; components of less than half a row go."""

    def refit_kept(rows: Array, r: Floats, mass: Floats) -> M:
        kept = (mass > 0.5) | (mass == mass.max())
        return refit(rows, r[:, kept], mass[kept])

    rounds = settings.discrete_rounds if k > 1 else 1
    return maximize_likelihood(
        mixture, mixture.prepare(x), w, refit_kept, rounds, settings.gain * float(w.sum())
    )


def _far_apart(x: Array, w: Floats, k: int, rng: np.random.Generator) -> list[int]:
    """Draw row numbers to begin with, each likelier the further it is from those before."""
    seeds = [int(rng.choice(len(x), p=w / w.sum()))]
    gaps = (x != x[seeds[0]]).sum(axis=1)
    while len(seeds) < k and (p := gaps * w).sum() > 0:
        seeds.append(int(rng.choice(len(x), p=p / p.sum())))
        gaps = np.minimum(gaps, (x != x[seeds[-1]]).sum(axis=1))
    return seeds


_LEAST_SHARE = 1e-9  # of the likeliest point's: a mixture's shares are positive


def descend(
    x: Array, likely: Array, skewed: Array, level: float, rng: np.random.Generator
) -> Generator[Request, Batch, Array]:
    """Set unlikely labels of the `skewed` positions back one by one while rows still hit; return the ends."""
    x = np.array(x)
    todo = (x != likely) & skewed
    while (going := np.flatnonzero(todo.any(axis=1))).size:
        at = (rng.random((going.size, x.shape[1])) * todo[going]).argmax(axis=1)
        tried = x[going]
        tried[np.arange(going.size), at] = likely[at]
        todo[going, at] = False
        tried.flags.writeable = False
        batch = yield Rows(tried)
        still = batch.scores >= level
        x[going[still]] = tried[still]
    return np.unique(x, axis=0)


def leading(points: Array, log_mass: Floats, most: int) -> tuple[Array, Floats]:
    """Return the likeliest points, with shares by the root of their mass: none is forgotten."""
    order = np.argsort(log_mass, kind="stable")[::-1][:most]
    mass = log_mass[order]
    return points[order], np.maximum(np.exp(0.5 * (mass - mass.max())), _LEAST_SHARE)
