"""The improved method's plan: open, learn in independent chains, measure, doubt."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Request, as_ended
from cem.rare_events.archive import Archive
from cem.rare_events.estimates import RESOLUTION
from cem.rare_events.importance import Tally
from cem.rare_events.learning import learn, opening
from cem.rare_events.measuring import measure
from cem.rare_events.multilevel import Measurement
from cem.rare_events.multilevel import measure as measure_plainly
from cem.rare_events.pool import Pool, Sample, effective
from cem.rare_events.spaces.normal import Space
from cem.rare_events.spaces.paths import PathSpace

CHAINS = 2
MOST_DIMENSIONS_FOR_CHAINS = 60
FREQUENT = 0.1


def improved(space: Space, level: float, target_cv: float) -> Generator[Request, Batch, Measurement]:
    """Estimate the probability that a score reaches `level` under the nominal distribution of `space`.

    An event that the first draws from the nominal hit often is measured by the nominal itself. A run that is
    cut short before it measures reports those first draws: little, but unbiased.

    References
    ----------
    Papaioannou, Geyer & Straub (2019), "Improved cross entropy-based importance sampling with a flexible
    mixture model", Reliability Engineering & System Safety 191; Hesterberg (1995), Technometrics 37.
    """
    archive = Archive(space, level)
    measured = yield from _improved(archive, target_cv)
    return _with_cut_paths(space, measured, archive) if isinstance(space, PathSpace) else measured


def _improved(archive: Archive, target_cv: float) -> Generator[Request, Batch, Measurement]:
    space, level, nominal = archive.space, archive.level, archive.space.nominal
    try:
        for _ in range(CHAINS if space.dimension <= MOST_DIMENSIONS_FOR_CHAINS else 1):
            yield from opening(archive)
            if _first(archive).log_probability > np.log(FREQUENT):
                frequent = yield from measure_plainly(nominal, nominal, level, target_cv, archive.batch)
                return (
                    frequent
                    if len(frequent.tally.hits)
                    else _plain(archive, frequent.status, frequent.message)
                )
            yield from learn(archive)
        if len(archive.hits(archive.learned)) == 0:
            message = f"no candidate reached the level in {archive.spent} evaluations"
            return _plain(archive, Status.LEVEL_UNREACHED, message)
        found = yield from measure(archive, target_cv)
    except (Ended, KeyboardInterrupt) as end:
        return _cut_short(archive, as_ended(end))
    doubt = found.doubt or contradiction(archive)
    if doubt:
        status, message = Status.UNTRUSTED, doubt
    else:
        status = Status.TARGET_REACHED
        message = "the target coefficient of variation is reached and nothing speaks against the estimate"
    return Measurement(found.tally, found.proposal, False, status, message)


def _with_cut_paths(space: PathSpace, measured: Measurement, archive: Archive) -> Measurement:
    """Say how many paths were cut, and object where their probability is more than the resolution."""
    same = [s for s in archive.learned + archive.measured if s.proposal is measured.proposal]
    draws = sum(len(s.scores) for s in same)
    ratios = [np.exp(s.log_nominal - s.log_density(s.proposal))[space.path.cut(s.x)] for s in same]
    number = sum(len(r) for r in ratios)
    if number == 0:
        return measured
    lost = float(sum(r.sum() for r in ratios)) / draws
    message = f"{number} of {draws} paths were cut at {space.path.longest} steps"
    if lost <= RESOLUTION * np.exp(measured.tally.log_probability):
        return replace(measured, message=f"{measured.message}; {message}")
    status = Status.UNTRUSTED if measured.status.success else measured.status
    return replace(measured, status=status, message=f"{message}, a share of {lost:.2g} of all")


def _first(archive: Archive) -> Tally:
    """Count the hits among the draws from the nominal distribution."""
    return archive.tally([chain[0] for chain in archive.chains if chain])


def _plain(archive: Archive, status: Status, message: str) -> Measurement:
    return Measurement(_first(archive), archive.space.nominal, True, status, message)


def _cut_short(archive: Archive, ended: Ended) -> Measurement:
    """Report the newest measurement where there is one worth the name, or else the first draws."""
    if archive.measured:
        newest = archive.measured[-1].proposal
        tally = archive.tally([s for s in archive.measured if s.proposal is newest])
        if len(tally.hits):
            message = f"{ended} before the measurement was done"
            return Measurement(tally, newest, False, ended.status, message)
    return _plain(archive, ended.status, f"{ended} before the level was reached")


MOST_ERRORS = 4.0
LEAST_FACTOR = 1.25


class Rough(NamedTuple):
    """What one chain makes of the probability: its logarithm, and the standard error of that."""

    log_probability: float
    error: float


def rough_estimate(archive: Archive, chain: list[Sample]) -> Rough:
    """Estimate from the pool of one chain: good to some percent, for comparison only."""
    pool = Pool(archive.recent(chain))
    log_v = pool.event_weights(archive.level)
    hits = effective(log_v)
    if hits == 0:
        return Rough(-np.inf, 0.0)
    variance = max(1 / hits - 1 / pool.size, 0.0)
    return Rough(float(logsumexp(log_v) - np.log(pool.size)), float(np.sqrt(variance)))


def contradiction(archive: Archive) -> str:
    """Say that two chains contradict one another, beyond a quarter and four of their errors, or nothing."""
    rough = [rough_estimate(archive, chain) for chain in archive.chains]
    for one, other in combinations(rough, 2):
        if one.log_probability == other.log_probability:
            continue
        gap = abs(one.log_probability - other.log_probability)
        if gap > max(np.log(LEAST_FACTOR), MOST_ERRORS * np.hypot(one.error, other.error)):
            low, high = sorted((np.exp(one.log_probability), np.exp(other.log_probability)))
            return f"two independent chains contradict one another ({low:.3g} and {high:.3g})"
    return ""
