"""Where the tail of a score with a given probability begins.

References
----------
Egloff & Leippold (2010), "Quantile estimation with adaptive importance sampling", Annals of Statistics 38;
Hong, Hu & Liu (2014), "Monte Carlo methods for value-at-risk and conditional value-at-risk: a review", ACM
Transactions on Modeling and Computer Simulation 24.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cem.families.base import Floats
from cem.rare_events.estimates import Tail
from cem.rare_events.pool import Pool, Sample


def tail_of(samples: Sequence[Sample]) -> Tail:
    """Return the tail of samples that share a proposal."""
    if not samples:
        return Tail(np.empty(0), np.empty(0))
    scores = np.concatenate([s.scores for s in samples])
    return _sorted(scores, np.concatenate([s.log_weights() for s in samples]))


def pooled_point(pool: Pool, probability: float) -> float:
    """Return the score that is reached with this probability by what a pool says, for fitting only."""
    point = _sorted(pool.scores, pool.log_weights()).point(probability)
    return point if np.isfinite(point) else float(pool.scores.min())


def _sorted(scores: Floats, log_weights: Floats) -> Tail:
    order = np.argsort(scores, kind="stable")[::-1]
    return Tail(scores[order], np.exp(log_weights)[order])
