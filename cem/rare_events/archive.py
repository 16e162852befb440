"""Everything a run has drawn, and how it draws."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from cem.core.history import UNKNOWN, Interim
from cem.core.loop import Batch, Draw, Ended, Request, State, Step
from cem.families.base import Array, Family
from cem.families.blended import Blended
from cem.rare_events.importance import Tally
from cem.rare_events.pool import Pool, Sample
from cem.rare_events.settings import Settings
from cem.rare_events.spaces.space import Space
from cem.rare_events.tail import gaps_beyond, pooled_tail, tail_of

OPENING = 2  # the samples that every chain begins with: nominal and wide

Drawing = Generator[Request, Batch, Sample]


@dataclass(eq=False)
class Archive:
    """All samples of a run, chain by chain, then those of the measurements.

    Attributes
    ----------
    space : Space
    level : float
        Where the event begins.
    probability : float or None
        For a quantile: the tail probability whose level is sought; `level` moves with what is known of it.
    complement : bool
        Of a quantile: whether its mean is asked for below the level.
    chains : list of lists of Sample
        Each begins with an opening from the nominal and one from the wide distribution.
    measured : list of Sample
    pilots : list of Sample
        From parts that a look, a rescue or a scout tries: for fitting only.
    noisy : bool
        Whether the score of a row is itself drawn.
    modes : ndarray or None
        Likely hits of a discrete event.
    """

    space: Space
    level: float
    probability: float | None = None
    complement: bool = False
    chains: list[list[Sample]] = field(default_factory=list)
    measured: list[Sample] = field(default_factory=list)
    pilots: list[Sample] = field(default_factory=list)
    modes: Array | None = None
    noisy: bool = False

    @property
    def settings(self) -> Settings:
        """What the plan is set to."""
        return self.space.settings

    @property
    def batch(self) -> int:
        """Rows per batch."""
        d, s = self.space.dimension, self.settings
        low, high = s.batch_limits
        beyond = min(high, max(low, s.rows_per_dimension * d))
        return next((rows for most, rows in s.batches if d <= most), beyond)

    @property
    def delta(self) -> float:
        """Coefficient of variation of indicator over soft indicator at which learning may stop."""
        return self.settings.delta[self.space.dimension > self.settings.middle]

    @property
    def wanted(self) -> float:
        """Effective rows that a tilt of the pool must keep."""
        times = self.settings.wanted[self.space.dimension > self.settings.small]
        return times * self.batch / (1 + self.delta**2)

    @property
    def learned(self) -> list[Sample]:
        """The samples of all chains."""
        return [s for chain in self.chains for s in chain]

    @property
    def spent(self) -> int:
        """Rows that learning took."""
        return sum(len(s.scores) for s in self.learned)

    @property
    def nominal_draws(self) -> float:
        """Draws from the nominal distribution, also as the part of a proposal: in the mean, at the least."""
        every = self.learned + self.pilots + self.measured
        return float(sum(s.nominal_share * len(s.scores) for s in every))

    @property
    def patient(self) -> bool:
        """Whether doubt is worked on until the budget ends."""
        return self.probability is None and not self.noisy

    def recent(self, chain: list[Sample]) -> list[Sample]:
        """Return the opening of a chain and its last few samples."""
        return chain[:OPENING] + chain[OPENING:][-self.settings.window :]

    def aim(self, pool: Pool) -> None:
        """Move the level of a quantile to where a pool says that it lies: biased, for fitting only."""
        if self.probability is not None:
            point = pooled_tail(pool, self.complement).point(self.probability)
            self.level = point if np.isfinite(point) else float(pool.scores.min())

    def settle(self, samples: list[Sample]) -> None:
        """Move the level of a quantile to where samples that share a proposal say that it lies."""
        if self.probability is not None:
            self.level = tail_of(samples, self.complement).point(self.probability)

    def draw(
        self,
        proposal: Family,
        n: int,
        into: list[Sample],
        stage: str,
        level: float = np.nan,
        interim: Callable[[Sample], Interim] = lambda sample: UNKNOWN,
        target_cv: float | None = None,
        share: float = 0.0,
    ) -> Drawing:
        """Draw and score `n` rows and keep them, also what is scored of them when the run is cut short.

        `level` is the score that the proposal aims at, for the history; `interim` returns what a measurement
        with the sample says, and `target_cv` is what it waits for. `share` is that of the nominal in the
        proposal.
        """
        try:
            batch = yield Draw(proposal, n)
        except Ended as ended:
            if ended.batch is not None:
                self._keep(ended.batch, proposal, into, share)
            raise
        sample = self._keep(batch, proposal, into, share)
        state = State(proposal, level=level, elites=int((sample.scores >= self.level).sum()))
        said = interim(sample)
        awaiting = str if target_cv is None else partial(said.towards, target_cv)
        yield Step(state, stage, awaiting=awaiting, interim=said)
        return sample

    def _keep(self, batch: Batch, proposal: Family, into: list[Sample], share: float) -> Sample:
        missing = np.isnan(batch.scores)
        scores = np.where(missing, -np.inf, batch.scores)
        log_nominal = np.asarray(self.space.nominal.log_prob(batch.x))
        share = 1.0 if proposal is self.space.nominal else share
        sample = Sample(batch.x, scores, proposal, log_nominal, batch.stream, missing, share)
        into.append(sample)
        return sample

    def hits(self, samples: list[Sample]) -> Array:
        """Return the rows of the samples that are in the event."""
        return np.concatenate([s.x[s.scores >= self.level] for s in samples])

    def tally(self, samples: list[Sample]) -> Tally:
        """Count the hits of samples that share a proposal."""
        tally = Tally()
        for s in samples:
            inside = s.scores >= self.level
            weights = s.log_weights()
            tally = tally.count(len(s.scores), s.x[inside], weights[inside], weights[s.missing])
        return tally

    def excess(self, samples: list[Sample]) -> Tally | None:
        """Count what lies beyond the level of a quantile, each weight times how far; None where nothing does.

        Infinite scores are left out: their mean needs no error.
        """
        if self.probability is None:
            return None
        tally = Tally()
        for s in samples:
            far = gaps_beyond(s.scores, self.level, s.missing, self.complement)
            further = (far > 0) & np.isfinite(far)
            weights = s.log_weights()[further] + np.log(far[further])
            tally = tally.count(len(s.scores), s.x[further], weights, np.empty(0))
        return tally if len(tally.hits) else None


def mixture(parts: list[Family], rates: list[float]) -> Family:
    """Blend parts, of one kind or of several, at the given rates, which are scaled to sum to one."""
    alike = len({type(part) for part in parts}) == 1
    blended: Family = parts[0] if alike else Blended([1.0], parts[:1])
    mass = rates[0]
    for part, rate in zip(parts[1:], rates[1:], strict=True):
        mass += rate
        blended = blended.blend(part, rate / mass)
    return blended
