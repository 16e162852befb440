"""Whether the chains tell the same story."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cem.improved.archive import Archive
from cem.improved.pool import Pool, Sample, effective

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
