"""What speaks against a measurement, or against all of a run together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from cem.families.base import Array, Family, Floats
from cem.rare_events.archive import Archive
from cem.rare_events.combining import combine, log_density, measurements
from cem.rare_events.importance import Tally, pareto_shape
from cem.rare_events.pool import Pool, Sample, newest
from cem.rare_events.settings import Settings


@dataclass(frozen=True, eq=False)
class Measurement:
    """Draws from one frozen proposal, and what speaks against them (an empty text where nothing does)."""

    proposal: Family
    samples: list[Sample]
    tally: Tally
    doubt: str
    excess: Tally | None = None

    @property
    def coefficient_of_variation(self) -> float:
        """The larger one of the probability's and, where there is one, the mean excess's."""
        excess = -np.inf if self.excess is None else self.excess.coefficient_of_variation
        return max(self.tally.coefficient_of_variation, excess)


def objection(tally: Tally, settings: Settings, target_cv: float) -> str:
    """Say what the weights themselves speak against an estimate, or nothing."""
    if len(tally.hits) == 0:
        return "the final proposal saw no hit"
    if not tally.coefficient_of_variation <= target_cv:
        cv = tally.coefficient_of_variation
        return f"the target coefficient of variation was not reached ({cv:.3g} > {target_cv:g})"
    shape = pareto_shape(tally.log_weights)
    if shape > settings.most_shape and tally.largest_share > settings.least_share:
        return f"the largest weights are heavy-tailed (Pareto shape {shape:.2f})"
    lopsided = tally.skewness / np.sqrt(tally.draws)
    if lopsided > settings.most_lopsided:
        return f"few large weights make up the variance (skewness {lopsided:.2g} of the root of the draws)"
    return ""


def second_look(archive: Archive, found: Measurement) -> tuple[str, list[Family]]:
    """Say whether earlier hits lie where the final proposal hardly goes, and return a part there."""
    earlier = newest([s for s in archive.measured if s not in found.samples], archive.settings.most_measured)
    others = archive.learned + archive.pilots + earlier
    x, share = _hardly_reached(
        archive, others, found.tally, lambda rows: np.asarray(found.proposal.log_prob(rows))
    )
    if not len(x):
        return "", []
    weights = share * share.sum() / (share**2).sum()
    part = archive.space.fit(x, weights, None, found.samples[-1].stream())
    return "earlier hits lie where the final proposal hardly goes", [archive.space.inflated(part)]


def settled(archive: Archive, target_cv: float) -> bool:
    """Whether nothing speaks against all measurements together, whatever does against each."""
    groups, whole = measurements(archive), combine(archive)
    if len(groups) < 2 or objection(whole, archive.settings, target_cv):
        return False
    others = archive.learned + archive.pilots
    return not len(_hardly_reached(archive, others, whole, lambda rows: log_density(groups, rows))[0])


def _hardly_reached(
    archive: Archive, others: list[Sample], tally: Tally, density: Callable[[Array], Floats]
) -> tuple[Array, Floats]:
    """Return hits of `others` that a measurement hardly reaches, and their shares; none where few matter.

    For a hit, r is the density of the nominal given the event over that of the proposal; the mean of r over
    the event is the second moment that the estimate's variance shows. Where other hits with r > 10 carry
    over 2 % of the mass and their mean r is over 1.6 times the one seen, something was overlooked.
    """
    settings, pool = archive.settings, Pool(others)
    log_v = pool.event_weights(archive.level)
    kept = np.isfinite(log_v)
    if len(tally.hits) == 0 or not kept.any():
        return np.empty((0, archive.space.dimension)), np.empty(0)
    x, share = pool.x[kept], np.exp(log_v[kept] - logsumexp(log_v[kept]))
    ratio = np.exp(np.minimum(pool.log_nominal[kept] - density(x) - tally.log_probability, 300))
    seen = 1 + tally.draws * tally.coefficient_of_variation**2
    far = ratio > settings.far
    if share[far].sum() <= settings.most_far or float(share @ ratio) <= settings.most_ratio * seen:
        far = np.zeros(len(x), dtype=bool)
    return x[far], share[far]
