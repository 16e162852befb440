"""The space of random-length paths: moves tilted class by class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from cem.families.base import Array, Family, Floats
from cem.families.categorical import heat_tables
from cem.families.markov_path import MarkovPath, MarkovPathMixture
from cem.families.mixture import maximize_likelihood
from cem.rare_events.settings import DEFAULT, Settings
from cem.rare_events.spaces.choice import Candidate, choose
from cem.rare_events.spaces.moves import Move
from cem.rare_events.spaces.structures import spread_out


@dataclass(frozen=True, eq=False)
class PathSpace:
    """Paths of a chain.

    A proposal's moves are those of the tilted paths, class by class, shrunk towards what all classes with the
    same nominal probabilities do.
    """

    path: MarkovPath
    settings: Settings = DEFAULT

    @property
    def rates(self) -> tuple[float, ...]:
        """Shares of the fit, its inflated copy, the wide part and the nominal in a final proposal."""
        return self.settings.path_rates

    @property
    def dimension(self) -> int:
        """Free probabilities, at most 30: many classes are visited little and shrink."""
        classes, moves = self.path.probabilities.shape
        return int(min(self.settings.most_path_dimensions, max(1, classes * (moves - 1))))

    @cached_property
    def nominal(self) -> MarkovPathMixture:
        """The chain itself."""
        return self._one(self.path.probabilities)

    @cached_property
    def wide(self) -> MarkovPathMixture:
        """The nominal with its moves' probabilities to a power below one."""
        return self.nominal.heated(self.settings.coldness)

    def _one(self, table: Floats) -> MarkovPathMixture:
        return MarkovPathMixture(self.path, [1.0], table[None])

    def heated(self, heat: float, /) -> MarkovPathMixture:
        """Return the nominal with its moves' probabilities to the power `heat`, normalised."""
        return self.nominal.heated(heat)

    def inflated(self, fitted: MarkovPathMixture, /) -> MarkovPathMixture:
        """Move the tilt part of the way back to the nominal, in logarithms."""
        back = self.settings.path_inflation
        with np.errstate(divide="ignore"):
            logs = (1 - back) * np.log(fitted.tables) + back * np.log(self.path.probabilities)
        return MarkovPathMixture(self.path, fitted.shares, heat_tables(np.exp(logs), 1.0))

    def slope(self, x: Array, y: Floats, /) -> Floats | None:
        """Return None: paths need no direction."""
        return None

    def outside(self, log_probability: float, below: Array, rng: np.random.Generator, /) -> list[Array]:
        """Return none: paths do not walk; the scouts look."""
        return []

    def moves(self, inwards: bool, /) -> tuple[Move, ...]:
        """Return none."""
        return ()

    def scouts(self) -> list[Family]:
        """Return chains of which one move is likelier, more and less: paths with other ends than usual."""
        table, found = self.path.probabilities, list[Family]()
        for move in range(table.shape[1]):
            for tilt in self.settings.path_tilts:
                tilted = np.array(table)
                tilted[:, move] *= np.exp(tilt)
                found.append(self._one(_frequencies(tilted)))
        return found

    def fit(self, x: Array, w: Floats, slope: Floats | None, rng: np.random.Generator, /) -> Family:
        """Fit the shrinkage, or the number of chains, that predicts held-out paths best."""
        priors = (np.inf, *self.settings.path_priors)
        fits = [Candidate("moves", partial(self._shrunk, prior), (1,)) for prior in priors]
        chains = Candidate("chains", self._seeded, self.settings.path_chains)
        return choose([*fits, chains], self.settings, x, w, rng)

    def _seeded(self, x: Array, w: Floats, k: int, rng: np.random.Generator) -> MarkovPathMixture:
        """Fit `k` chains by EM, seeded by the paths' shares of moves: a chain for each kind of end."""
        counts, nominal = self.path.counts(x), self.path.probabilities
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        seeds = spread_out(shares, w, k, rng, self.settings.seeding_trials)
        gaps = np.array([((shares - seed) ** 2).sum(axis=1) for seed in seeds]).T
        nearest = (gaps == gaps.min(axis=1, keepdims=True)) * 1.0

        def refit(rows: Array, r: Floats, mass: Floats) -> MarkovPathMixture:
            kept = (mass > 1) | (mass == mass.max())
            moves = (r[:, kept].T @ rows).reshape(-1, *nominal.shape) + self.settings.path_priors[0] * nominal
            return MarkovPathMixture(self.path, mass[kept], self._possible(_frequencies(moves)))

        r = nearest * (w / nearest.sum(axis=1))[:, None]
        first = refit(counts, r, r.sum(axis=0))
        rounds, gain = self.settings.discrete_rounds, self.settings.gain * float(w.sum())
        return maximize_likelihood(first, counts, w, refit, rounds, gain)

    def _shrunk(self, prior: float, x: Array, w: Floats, k: int, rng: np.random.Generator) -> Family:
        """Fit each class with `prior` pseudo-moves of all classes like it; infinitely many: only these."""
        nominal = self.path.probabilities
        counts = (w @ self.path.counts(x)).reshape(nominal.shape)
        sums = np.zeros((self._kinds.max() + 1, nominal.shape[1]))
        np.add.at(sums, self._kinds, counts)
        alike = _frequencies(sums[self._kinds] + 0.5 * nominal)
        table = alike if np.isinf(prior) else _frequencies(counts + prior * alike)
        return self._one(self._possible(table))

    def _possible(self, table: Floats) -> Floats:
        """Return a table whose possible moves all have a probability, and no other has."""
        least = np.maximum(table, self.settings.least_move)
        return _frequencies(np.where(self.path.probabilities > 0, least, 0.0))

    @cached_property
    def _kinds(self) -> NDArray[np.intp]:
        """Numbers the classes by their nominal probabilities."""
        return np.asarray(np.unique(self.path.probabilities, axis=0, return_inverse=True)[1]).ravel()


def _frequencies(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))
