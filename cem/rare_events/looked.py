"""The multilevel plan, looked at from outside: what its one proposal lacks joins a true mixture."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Request, Rows, as_ended
from cem.families.base import Family
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.blended import Blended
from cem.families.categorical import Categorical
from cem.families.categorical_mixture import CategoricalMixture
from cem.rare_events.archive import Archive
from cem.rare_events.importance import Finding
from cem.rare_events.multilevel import draw_to_target
from cem.rare_events.outside import NOTHING, Coverage, Looking, Outlook, fit_about, look
from cem.rare_events.settings import DEFAULT, Settings
from cem.rare_events.spaces.space import Space

PART, NOMINAL = 0.35, 0.05  # shares of what was found, and of the nominal, in the mixture
MOST_BATCHES = 20  # of a first measurement: thrice what a proposal takes whose cv is one

Plan = Generator[Request, Batch, Finding]


def longest_measurement(target_cv: float, n: int, settings: Settings = DEFAULT) -> float:
    """Return the draws from which a proposal is too poor: more parts are cheaper."""
    return MOST_BATCHES * n * max(1.0, settings.usual_cv / target_cv) ** 2


def looked_at(plan: Plan, space: Space, level: float, target_cv: float, n: int) -> Plan:
    """Serve a plan, look for what its measurement lacks, and measure again, `n` rows at first.

    A measurement that was left because its proposal is too poor is looked at all the same, and about the hits
    that the proposal covers poorly; where nothing helps it is drawn out.

    Parameters
    ----------
    plan : generator
    space : Space
        Over the rows that the plan draws.
    level, target_cv : float
    n : int
    """
    found, outlook, settings = (yield from plan), Outlook(), space.settings
    archive, longest, left = (
        Archive(space, level),
        longest_measurement(target_cv, n, settings),
        settings.looks,
    )
    tries = settings.looks + settings.rescues
    try:
        while True:
            poor = found.status is Status.UNTRUSTED and len(found.tally.hits) > 0
            if found.plain or not (found.status.success or poor):
                return found
            sight = yield from _look(archive, outlook, found, poor)
            new = sight.part is not None and sight.missed >= settings.least_missed
            if not poor and not new:
                return found
            if not poor and left == 0:
                text = f"a look from outside still finds {sight.missed:.2g} of the probability missed"
                return replace(found, status=Status.UNTRUSTED, message=text)
            tries, left = tries - poor, left - (not poor)
            proposal = _with_part(found.proposal, sight.part, space) if new and sight.part else found.proposal
            most = np.inf if poor and (tries == 0 or not new) else longest
            again = yield from draw_to_target(proposal, space.nominal, level, target_cv, n, most)
            draws = found.nominal_draws + NOMINAL * again.tally.draws * new
            found = replace(again, nominal_draws=draws)
    except (Ended, KeyboardInterrupt) as end:
        ended = as_ended(end)
        return replace(found, status=ended.status, message=f"{ended} before the look from outside was done")


def _look(archive: Archive, outlook: Outlook, found: Finding, poor: bool) -> Looking:
    """Look from outside, and about hits that a poor proposal covers poorly."""
    settings, rng = archive.settings, (yield from _generator(found))
    coverage = Coverage.of(archive.space, found.proposal, found.tally)
    if poor:
        coverage = replace(coverage, limit=float(np.log(settings.poorly)))
    sight = NOTHING
    if not poor or outlook.looks < settings.looks:
        sight = yield from look(archive, outlook, coverage, rng)
    missed = np.flatnonzero(coverage.misses(found.tally.hits))
    if not poor or sight.missed >= settings.least_missed or not missed.size:
        return sight
    weights = found.tally.weights[missed]
    starts = found.tally.hits[rng.choice(missed, size=settings.clones, p=weights / weights.sum())]
    return (yield from fit_about(archive, starts, coverage, rng))


def _generator(found: Finding) -> Generator[Request, Batch, np.random.Generator]:
    """Return the generator of a batch that asks for one hit again."""
    row = np.array(found.tally.hits[:1])
    row.flags.writeable = False
    batch = yield Rows(row)
    return batch.stream()


def _with_part(proposal: Family, part: Family, space: Space) -> Family:
    """Return the mixture of a proposal, a part and the nominal; a family's own `blend` may be none."""
    rest = 1 - PART - NOMINAL
    if isinstance(proposal, Bernoulli):
        proposal = BernoulliMixture([1.0], proposal.p[None, :])
    if isinstance(proposal, Categorical):
        proposal = CategoricalMixture([1.0], proposal.probabilities[None])
    discrete = isinstance(part, BernoulliMixture | CategoricalMixture)
    first = part if discrete else Blended([1.0], [part])
    mixed: Family = first.blend(proposal, rest / (rest + PART)).blend(space.nominal, NOMINAL)
    return mixed
