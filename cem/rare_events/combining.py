"""One estimate from all measurements of a run.

A measurement that meets a large weight is doubted, and followed by another one; so the last one is one that
met none, and leans low. All together lean far less: each has a frozen proposal, and is right in the mean
whatever followed it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from cem.families.base import Array, Family, Floats
from cem.rare_events.archive import Archive
from cem.rare_events.importance import Tally
from cem.rare_events.pool import Pool, Sample

LEAST_VARIANCE = 1e-3  # relative, per draw: no measurement outweighs the others by what it did not see


@dataclass(frozen=True, eq=False)
class Group:
    """The samples of one proposal."""

    proposal: Family
    samples: list[Sample]

    @property
    def draws(self) -> int:
        """Number of rows."""
        return sum(len(s.scores) for s in self.samples)


def combine(archive: Archive) -> Tally:
    """Return the tally of the newest measurements of a run, each weighted by its precision.

    The variances are those that the hits of all measurements show, by the balance heuristic: a measurement
    that happens to have met no large weight gets no more weight for that.

    References
    ----------
    Owen & Zhou (2019), "The square root rule for adaptive importance sampling", ACM Transactions on Modeling
    and Computer Simulation 29; Veach & Guibas (1995), "Optimally combining sampling techniques", SIGGRAPH.
    """
    groups = measurements(archive)
    draws = np.array([group.draws for group in groups], dtype=float)
    shares = _precision(archive, groups, draws)
    tally = Tally()
    for group, share in zip(groups, shares * draws.sum() / draws, strict=True):
        for s in group.samples:
            inside = s.scores >= archive.level
            weights = s.log_weights() + np.log(share)
            tally = tally.count(len(s.scores), s.x[inside], weights[inside], weights[s.missing])
    return tally


def log_density(groups: list[Group], x: Array) -> Floats:
    """Return the log density of rows under the mixture that the measurements were drawn from, ``(n,)``."""
    draws = np.array([group.draws for group in groups], dtype=float)
    joint = np.column_stack([np.asarray(group.proposal.log_prob(x)) for group in groups])
    return np.asarray(logsumexp(joint + np.log(draws / draws.sum()), axis=1))


def measurements(archive: Archive) -> list[Group]:
    """Return the newest measurements, as many rows as fits look at, proposal by proposal."""
    groups, rows = list[Group](), 0
    for sample in reversed(archive.measured):
        if groups and groups[-1].proposal is sample.proposal:
            groups[-1].samples.append(sample)
        elif rows < archive.settings.most_measured:
            groups.append(Group(sample.proposal, [sample]))
        else:
            break
        rows += len(sample.scores)
    return groups


def _precision(archive: Archive, groups: list[Group], draws: Floats) -> Floats:
    """Return the share of each measurement in their mean, ``(k,)``: draws over relative variance."""
    pool = Pool([s for group in groups for s in group.samples])
    log_v = pool.event_weights(archive.level)
    log_p = float(logsumexp(log_v) - np.log(pool.size))
    hit = np.isfinite(log_v)
    if len(groups) == 1 or not hit.any():
        return np.asarray(draws / draws.sum())
    log_v, log_nominal = log_v[hit], pool.log_nominal[hit]
    variances = np.empty(len(groups))
    for k, group in enumerate(groups):
        log_q = np.concatenate([s.log_density(group.proposal) for s in pool.samples])[hit]
        second = logsumexp(log_v + log_nominal - log_q) - np.log(pool.size) - 2 * log_p
        variances[k] = max(np.expm1(min(second, 300.0)), LEAST_VARIANCE)
    precision = draws / variances
    return np.asarray(precision / precision.sum())
