"""Whether the chains tell the same story."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cem.improved.archive import Archive
from cem.improved.pool import Pool, Sample, effective


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
        return Rough(-np.inf, np.inf)
    variance = max(1 / hits - 1 / pool.size, 0.0)
    return Rough(float(logsumexp(log_v) - np.log(pool.size)), float(np.sqrt(variance)))
