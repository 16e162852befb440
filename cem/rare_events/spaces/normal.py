"""The space of independent standard normals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import ndtri_exp

from cem.clock import look_at_clock
from cem.families.base import Array, Family, Floats
from cem.families.gaussian_mixture import GaussianMixture
from cem.rare_events.settings import DEFAULT, Settings
from cem.rare_events.spaces.choice import Candidate, choose
from cem.rare_events.spaces.factors import factor_steps, one_large, stands_out
from cem.rare_events.spaces.moves import Move, redraw, set_far, some_entries
from cem.rare_events.spaces.structures import Along, LowRank, binned, full, isotropic, seeded, sparse


class Inflatable(Family, Protocol):
    """A family that can be widened."""

    def inflated(self, by: float, /) -> Family:
        """Multiply the k standard deviations that were fitted by 1 + by/√k."""


@dataclass(frozen=True, eq=False)
class NormalSpace:
    """Independent standard normals."""

    dimension: int
    settings: Settings = DEFAULT

    @property
    def rates(self) -> tuple[float, ...]:
        """Shares of the fit, its inflated copy, the wide part and the nominal in a final proposal."""
        return self.settings.normal_rates

    @cached_property
    def nominal(self) -> GaussianMixture:
        """N(0, I)."""
        return self._centred(1.0)

    @cached_property
    def wide(self) -> GaussianMixture:
        """Standard deviations of 1 + 2.5/√d."""
        return self._centred(1 + self.settings.wideness / np.sqrt(self.dimension))

    def _centred(self, std: float) -> GaussianMixture:
        d = self.dimension
        return GaussianMixture([1.0], np.zeros((1, d)), np.full((1, d), std))

    def heated(self, heat: float, /) -> GaussianMixture:
        """Return the density to the power `heat`, normalised."""
        return self._centred(max(heat, self.settings.least_heat) ** -0.5)

    def inflated(self, fitted: Inflatable, /) -> Family:
        """Return a wider copy of a fit."""
        return fitted.inflated(self.settings.inflation)

    def slope(self, x: Array, y: Floats, /) -> Floats | None:
        """Return the unit gradient of a ridge regression of `y`; few dimensions need none."""
        if self.dimension <= self.settings.small or not self.settings.directions:
            return None

        def normal_equations(v: Floats) -> Floats:
            look_at_clock()
            along = x @ v
            return np.asarray(x.T @ (along - along.mean()) + self.settings.ridge * len(x) * v)

        square = LinearOperator((self.dimension, self.dimension), matvec=normal_equations, dtype=np.float64)
        slope, _ = cg(square, x.T @ (y - y.mean()), rtol=1e-6, maxiter=self.dimension)
        size = float(np.linalg.norm(slope))
        return np.asarray(slope / size) if np.isfinite(size) and size > 0 else None

    def fit(self, x: Array, w: Floats, slope: Floats | None, rng: np.random.Generator, /) -> Family:
        """Fit the structure and number of components that predict held-out rows best."""
        if slope is None:
            mean = w @ x / w.sum()
            slope = np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))
        every = self._candidates(slope, x, w)
        some = [c for c in every if c.name in self.settings.structures]
        return choose(some or every, self.settings, x, w, rng)

    def outside(self, log_probability: float, below: Array, rng: np.random.Generator, /) -> list[Array]:
        """Return scaled normals, rows with one large coordinate, with a few, and spliced rows of `below`.

        A coordinate is as large as an event of a tenth of the probability makes it by itself.
        """
        d, s = self.dimension, self.settings
        rows = next(n for most, n in s.scaled_rows if d <= most)
        found = [scale * rng.standard_normal((rows, d)) for scale in s.scaled]
        far = -float(ndtri_exp(min(np.log(0.01), log_probability - np.log(10))))

        def farthest(shape: tuple[int, ...]) -> Floats:
            return np.full(shape, far)

        def any_size(shape: tuple[int, ...]) -> Floats:
            return rng.uniform(2.0, far, shape)

        n = min(max(2 * d, s.least_large), s.most_large)
        found += [set_far(rng.standard_normal((n, d)), size, rng) for size in (farthest, any_size)]
        if d > 3:
            rates = 2.0 ** -rng.uniform(1, max(1.01, np.log2(d / 1.5)), (s.sparse_rows, 1))
            stretch = np.where(rng.random((s.sparse_rows, d)) < rates, 3.0, 1.0)
            found.append(stretch * rng.standard_normal((s.sparse_rows, d)))
        if len(below):
            found.append(set_far(below[rng.integers(0, len(below), n)], any_size, rng))
        return found

    def moves(self, inwards: bool, /) -> tuple[Move, ...]:
        """Return a redraw of entries and an autoregressive step; inwards, entries shrink too."""
        fresh = redraw(self.nominal, self.dimension)
        step = Move("step", _autoregressive, 0.05)
        return (fresh, Move("shrink", _shrunk, 1 / self.dimension), step) if inwards else (fresh, step)

    def scouts(self) -> tuple[Family, ...]:
        """Return none: points outside are enough."""
        return ()

    def _candidates(self, slope: Floats, x: Array, w: Floats) -> Sequence[Candidate]:
        d, s = self.dimension, self.settings
        fit_full, fit_sparse = partial(seeded, full, s), partial(seeded, sparse, s)
        large = Candidate("one_large", partial(one_large, s), (1,))
        bins = [Candidate("bins", partial(binned, prior), (1,)) for prior in s.bin_priors]
        if d <= s.small:
            found = [
                Candidate("full", fit_full, s.full_components),
                Candidate("sparse", fit_sparse, s.sparse_components),
                *bins,
            ]
            return [*found, large] if d > 2 else found
        many = next((counts for most, counts in s.many_components if d <= most), (1,))
        low_rank = s.low_rank_components if d <= s.many_components[-1][0] else (1,)
        found = [
            Candidate("along", partial(seeded, Along(slope), s), (1,)),
            Candidate("sparse", fit_sparse, many),
            Candidate("low_rank", partial(seeded, LowRank(slope), s), low_rank),
            Candidate("isotropic", partial(seeded, isotropic, s), (1,)),
            *bins,
        ]
        steps = factor_steps(slope, s, x, w)
        if steps is not None:
            found.append(Candidate("factor_steps", steps, (1,)))
        if stands_out(s, x, w):
            found.append(large)
        most, counts = s.full_beyond
        return [*found, Candidate("full", fit_full, counts)] if d <= most else found


def _autoregressive(x: Array, rates: Floats, rng: np.random.Generator) -> Floats:
    """Return √(1 - b²) x + b ξ with ξ standard normal (the preconditioned Crank-Nicolson step).

    References
    ----------
    Cotter, Roberts, Stuart & White (2013), "MCMC methods for functions: modifying old algorithms to make them
    faster", Statistical Science 28.
    """
    b = rates[:, None]
    return np.asarray(np.sqrt(1 - b * b) * x + b * rng.standard_normal(x.shape))


def _shrunk(x: Array, rates: Floats, rng: np.random.Generator) -> Floats:
    """Multiply random entries by one factor in [.4, 1] a row."""
    return np.where(some_entries(x.shape, rates, rng), rng.uniform(0.4, 1, (len(x), 1)) * x, x)
