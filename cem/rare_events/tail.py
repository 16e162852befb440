"""The plan for a quantile: the improved method towards a level that is not given but found.

After every batch the pool says where the tail probability lies, and that is the level the next tilt aims at.
Then one frozen proposal measures.

References
----------
Egloff & Leippold (2010), "Quantile estimation with adaptive importance sampling", Annals of Statistics 38;
Hong, Hu & Liu (2014), "Monte Carlo methods for value-at-risk and conditional value-at-risk: a review", ACM
Transactions on Modeling and Computer Simulation 24.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Request, as_ended
from cem.families.base import Family
from cem.rare_events.archive import Archive
from cem.rare_events.estimates import Tail
from cem.rare_events.improved import CHAINS, MOST_DIMENSIONS_FOR_CHAINS
from cem.rare_events.learning import LEVELS, next_proposal, opening, tilted
from cem.rare_events.measuring import MOST_BATCHES, MOST_ROUNDS, REFITS, final_proposal
from cem.rare_events.pool import Pool, Sample
from cem.rare_events.spaces.normal import Space

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TailMeasurement:
    """What the plan found out, where it was drawn from, and how it ended."""

    tail: Tail
    proposal: Family
    status: Status
    message: str


def tail_of(samples: list[Sample]) -> Tail:
    """Give the tail of samples that share a proposal."""
    scores = np.concatenate([s.scores for s in samples])
    ratios = np.exp(np.concatenate([s.log_nominal - s.log_density(s.proposal) for s in samples]))
    order = np.argsort(scores, kind="stable")[::-1]
    return Tail(scores[order], ratios[order])


def pooled_point(pool: Pool, probability: float) -> float:
    """Give the point that the pool says is reached with this probability, for fitting only."""
    scores = pool.scores
    order = np.argsort(scores, kind="stable")[::-1]
    point = Tail(scores[order], np.exp(pool.log_weights())[order]).point(probability)
    return point if np.isfinite(point) else float(scores.min())


def tail_plan(
    space: Space, probability: float, target_cv: float
) -> Generator[Request, Batch, TailMeasurement]:
    """Measure the tail of the score about the point that is reached with `probability`."""
    archive = Archive(space, np.inf)
    try:
        for _ in range(CHAINS if space.dimension <= MOST_DIMENSIONS_FOR_CHAINS else 1):
            yield from opening(archive)
            yield from _seek(archive, probability)
        return (yield from _measure(archive, probability, target_cv))
    except (Ended, KeyboardInterrupt) as end:
        return _cut_short(archive, as_ended(end))


def _seek(archive: Archive, probability: float) -> Generator[Request, Batch, None]:
    """Move the last chain towards a level that moves with what its pool knows."""
    chain, previous = archive.chains[-1], np.inf
    for _ in range(LEVELS):
        pool = Pool(archive.recent(chain))
        archive.level = pooled_point(pool, probability)
        tilt = tilted(archive, pool, chain[-1], previous)
        if tilt.arrived:
            return
        proposal = next_proposal(archive, pool, tilt, chain)
        yield from archive.draw(proposal, archive.batch, chain, "learn", tilt.level)
        previous = tilt.sharpness


def _measure(
    archive: Archive, probability: float, target_cv: float
) -> Generator[Request, Batch, TailMeasurement]:
    """Draw from a frozen proposal until the tail probability at its own quantile has the target's error."""
    most = MOST_BATCHES * archive.batch * max(1.0, (0.05 / target_cv) ** 2)
    for _ in range(REFITS + 1):
        pool = Pool([s for chain in archive.chains for s in archive.recent(chain)] + archive.measured)
        archive.level = pooled_point(pool, probability)
        proposal = final_proposal(archive, pool, [])
        samples: list[Sample] = []
        more = archive.batch
        for _ in range(MOST_ROUNDS):
            drawn = yield from archive.draw(proposal, more, archive.measured, "measure", archive.level)
            samples.append(drawn)
            tail = tail_of(samples)
            cv = tail.coefficient_of_variation(tail.point(probability))
            need = 1.1 * tail.draws * (cv / target_cv) ** 2 if np.isfinite(cv) else 20.0 * archive.batch
            goal = min(max(need, min(archive.spent, 9 * need)), most)
            if tail.draws >= goal:
                break
            more = int(np.ceil(goal)) - tail.draws
        if cv <= target_cv:
            message = "the target coefficient of variation is reached"
            return TailMeasurement(tail, proposal, Status.TARGET_REACHED, message)
    message = f"the target coefficient of variation was not reached ({cv:.3g} > {target_cv:g})"
    return TailMeasurement(tail, proposal, Status.UNTRUSTED, message)


def _cut_short(archive: Archive, ended: Ended) -> TailMeasurement:
    """Report the newest measurement, or else the first draws from the nominal."""
    message = f"{ended} before the measurement was done"
    if archive.measured:
        proposal = archive.measured[-1].proposal
        samples = [s for s in archive.measured if s.proposal is proposal]
    else:
        proposal, samples = archive.space.nominal, [chain[0] for chain in archive.chains if chain]
    tail = tail_of(samples) if samples else Tail(np.empty(0), np.empty(0))
    return TailMeasurement(tail, proposal, ended.status, message)
