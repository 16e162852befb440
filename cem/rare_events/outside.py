"""A look from outside in: modes that wake only near the level, which no level on the way there sees.

Points are put far out; those in the event walk inwards by moves that keep the nominal given the event; where
a walker ends where the final proposal hardly goes, a part is fitted about such ends, and a pilot from it says
what share of the probability was missed.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cem.core.loop import Batch, Request, Rows, State, Step
from cem.families.base import Array, Family, Floats, Index, Mask
from cem.rare_events.archive import Archive, mixture
from cem.rare_events.importance import Tally
from cem.rare_events.pool import Pool
from cem.rare_events.spaces.space import Space
from cem.rare_events.walk import Walkers


@dataclass(frozen=True, eq=False)
class Coverage:
    """How well a proposal covers the event.

    The excess of a row is e = log p - log q - log P: the logarithm of the nominal given the event over the
    proposal. Without a `proposal` nothing is covered.

    Attributes
    ----------
    space : Space
    proposal : Family or None
    log_probability : float
        Of the event, as the proposal measured it.
    limit : float
        Excess from which a row is not covered.
    least, usual : float
        Excess and log density that hits of the proposal usually have.
    """

    space: Space
    proposal: Family | None = None
    log_probability: float = 0.0
    limit: float = -np.inf
    least: float = np.inf
    usual: float = np.inf

    @classmethod
    def of(cls, space: Space, proposal: Family, tally: Tally) -> Coverage:
        """Return that of a measurement: no less than its own hits show."""
        settings = space.settings
        log_p = np.asarray(space.nominal.log_prob(tally.hits))
        excess = tally.log_weights - tally.log_probability
        limit = max(float(np.log(settings.far)), float(excess.max()))
        least = weighted_quantile(excess, tally.weights, settings.least_excess_share)
        usual = weighted_quantile(log_p, tally.weights, settings.least_density_share)
        return cls(space, proposal, tally.log_probability, limit, least, usual)

    def excess(self, x: Array) -> Floats:
        """Return the excess of each row, ``(n,)``."""
        log_p = np.asarray(self.space.nominal.log_prob(x))
        if self.proposal is None:
            return log_p
        return np.asarray(log_p - self.proposal.log_prob(x) - self.log_probability)

    def misses(self, x: Array) -> Mask:
        """Return which rows are not covered, ``(n,)``."""
        return self.excess(x) > self.limit

    def settled(self, x: Array) -> Mask:
        """Return which rows are like the proposal's own hits, ``(n,)``."""
        e = self.excess(x)
        likely = np.asarray(self.space.nominal.log_prob(x)) >= self.usual
        return (e < self.limit) & (e >= self.least) & likely


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """Return the value below which lies `share` of the weight."""
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weights[order])
    return float(values[order[min(int(np.searchsorted(mass, share * mass[-1])), len(order) - 1)]])


@dataclass(eq=False)
class Outlook:
    """Rows of the event that were found outside, kept from look to look.

    Attributes
    ----------
    hits : ndarray, shape (n, d), or None
        None: not yet looked.
    kinds : ndarray of int, shape (n,)
        Kind of points that each came from.
    looks : int
        Number of looks so far.
    """

    hits: Array | None = None
    kinds: Index = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    looks: int = 0


class Sight(NamedTuple):
    """A part about rows that were not covered (None: too few), and the share of the probability it adds."""

    part: Family | None
    missed: float
    common: bool = False
    """Whether draws from the part often lie where the proposal hardly goes."""


NOTHING = Sight(None, 0.0)
Looking = Generator[Request, Batch, Sight]


def look(archive: Archive, outlook: Outlook, coverage: Coverage, rng: np.random.Generator) -> Looking:
    """Look for modes that a measurement lacks; the same points serve all looks of a run."""
    outlook.looks += 1
    if outlook.hits is None:
        yield from _points(archive, outlook, coverage.log_probability, rng)
    if outlook.hits is None:
        return NOTHING
    sight = yield from _walk_in(archive, outlook, coverage, rng)
    shown = archive.space.nominal if coverage.proposal is None else coverage.proposal
    yield Step(State(shown, level=archive.level, elites=len(outlook.hits)), "outside")
    return sight


def _walk_in(archive: Archive, outlook: Outlook, coverage: Coverage, rng: np.random.Generator) -> Looking:
    """Walk from the most striking hits, and fit a part about the ends that are not covered."""
    settings, hits, kinds = archive.settings, outlook.hits, outlook.kinds
    if hits is None or not len(hits):
        return NOTHING
    picked = _striking(hits, kinds, coverage, settings.walkers)
    if not picked.size:
        return NOTHING
    walkers = Walkers(archive.space, archive.level, np.array(hits[picked]), rng)
    yield from _inwards(walkers, coverage, settings.steps)
    outlook.hits = np.concatenate([walkers.x, hits])
    outlook.kinds = np.concatenate([kinds[picked], kinds])
    ends = walkers.x[coverage.misses(walkers.x)]
    if not len(ends):
        return NOTHING
    return (yield from fit_about(archive, ends, coverage, rng))


def enter(archive: Archive) -> Generator[Request, Batch, None]:
    """Look for an event that learning never reached: what is found is in the archive's pilots."""
    coverage = Coverage(archive.space, log_probability=-float(np.log(max(archive.spent, 2))))
    rng = archive.learned[-1].stream().spawn(1)[0]
    yield from look(archive, Outlook(), coverage, rng)


def _points(
    archive: Archive, outlook: Outlook, log_probability: float, rng: np.random.Generator
) -> Generator[Request, Batch, None]:
    """Score points from far outside and keep those in the event."""
    learned = [s for chain in archive.chains for s in chain[2:]] or archive.learned
    below = [s.x[s.scores < archive.level] for s in learned]
    rows = np.concatenate(below) if below else np.empty((0, archive.space.dimension))
    sets = archive.space.outside(log_probability, rows, rng)
    if not sets:
        return
    x = np.ascontiguousarray(np.concatenate(sets))
    x.flags.writeable = False
    batch = yield Rows(x)
    hit = batch.scores >= archive.level
    outlook.hits = x[hit]
    outlook.kinds = np.repeat(np.arange(len(sets)), [len(rows) for rows in sets])[hit]


def _striking(hits: Array, kinds: Index, coverage: Coverage, most: int) -> Index:
    """Return the numbers of the rows with the largest excess, in turn from each kind, unless settled."""
    excess = coverage.excess(hits)
    rank = np.empty(len(hits), dtype=np.int64)
    for kind in np.unique(kinds):
        at = np.flatnonzero(kinds == kind)
        rank[at[np.argsort(-excess[at], kind="stable")]] = np.arange(len(at))
    order = np.argsort(rank, kind="stable")
    return np.asarray(order[~coverage.settled(hits[order])][:most])


def _inwards(walkers: Walkers, coverage: Coverage, steps: int) -> Generator[Request, Batch, None]:
    """Walk until walkers are settled, or for so many steps."""
    going = np.arange(len(walkers.x))
    for step in range(steps):
        yield from walkers.step(going, inwards=step < steps // 2)
        if step >= 3:
            going = going[~coverage.settled(walkers.x[going])]
        if not going.size:
            return


def fit_about(archive: Archive, starts: Array, coverage: Coverage, rng: np.random.Generator) -> Looking:
    """Multiply rows, let them spread inside the event, fit a part to where they are missed, and pilot it."""
    space, settings = archive.space, archive.settings
    clones = np.resize(rng.permutation(len(starts)), settings.clones)
    walkers = Walkers(space, archive.level, np.array(starts[clones]), rng, settings.clone_rate)
    steps = next(n for most, n in settings.clone_steps if space.dimension <= most)
    sight = NOTHING
    for _ in range(settings.clone_turns):
        rows = yield from _spread(walkers, steps)
        rows = rows[coverage.misses(rows)]
        if len(rows) < settings.few_effective:
            break
        weights = np.full(len(rows), min(settings.clones, len(rows)) / len(rows))
        fitted = space.fit(rows, weights, None, rng)
        part = mixture([fitted, space.inflated(fitted)], list(settings.part_rates))
        sight = yield from _pilot(archive, part, coverage)
        if sight.missed >= settings.least_missed or sight.common:
            break
    return sight


def _spread(walkers: Walkers, steps: int) -> Generator[Request, Batch, Array]:
    """Walk, and return every second state of the second half."""
    everyone, states = np.arange(len(walkers.x)), []
    for step in range(steps):
        yield from walkers.step(everyone)
        if step >= steps // 2 and step % 2 == 0:
            states.append(walkers.x.copy())
    return np.concatenate(states)


def _pilot(archive: Archive, part: Family, coverage: Coverage) -> Looking:
    """Draw from a part: what it adds to the probability where the proposal hardly goes."""
    settings = archive.settings
    rows = settings.pilot[archive.space.dimension > settings.small]
    sample = yield from archive.draw(part, rows, archive.pilots, "outside", archive.level)
    missed = (sample.scores >= archive.level) & coverage.misses(sample.x)
    if not missed.any():
        return Sight(part, 0.0)
    log_share = logsumexp(sample.log_weights()[missed]) - np.log(rows) - coverage.log_probability
    return Sight(part, float(np.exp(min(log_share, 300.0))), bool(missed.mean() >= settings.common))


def rescue(
    archive: Archive, proposal: Family, log_probability: float, bound: float, rng: np.random.Generator
) -> Looking:
    """Walk from known hits that a proposal covers poorly, more than `bound` times too thinly."""
    pool = Pool(archive.learned + archive.pilots + archive.measured)
    log_v = pool.event_weights(archive.level)
    kept = np.isfinite(log_v)
    x, log_v = pool.x[kept], log_v[kept]
    coverage = Coverage(archive.space, proposal, log_probability, float(np.log(bound)))
    poor = np.flatnonzero(coverage.misses(x))
    if not poor.size:
        return NOTHING
    mass = np.exp(log_v[poor] - log_v[poor].max())
    starts = x[rng.choice(poor, size=archive.settings.clones, p=mass / mass.sum())]
    return (yield from fit_about(archive, starts, coverage, rng))
