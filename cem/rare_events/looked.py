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
from cem.rare_events.outside import Coverage, Outlook, look
from cem.rare_events.spaces.space import Space

PART, NOMINAL = 0.35, 0.05  # shares of what was found, and of the nominal, in the mixture

Plan = Generator[Request, Batch, Finding]


def looked_at(plan: Plan, space: Space, level: float, target_cv: float, n: int) -> Plan:
    """Serve a plan, look for what its measurement lacks, and measure again, `n` rows at first.

    Parameters
    ----------
    plan : generator
    space : Space
        Over the rows that the plan draws.
    level, target_cv : float
    n : int
    """
    found, outlook, settings = (yield from plan), Outlook(), space.settings
    try:
        for turn in range(settings.looks + 1):
            if not found.status.success or found.plain:
                return found
            rng = yield from _generator(found)
            archive = Archive(space, level)
            coverage = Coverage.of(space, found.proposal, found.tally)
            sight = yield from look(archive, outlook, coverage, rng)
            if sight.part is None or sight.missed < settings.least_missed:
                return found
            if turn == settings.looks:
                text = f"a look from outside still finds {sight.missed:.2g} of the probability missed"
                return replace(found, status=Status.UNTRUSTED, message=text)
            proposal = _with_part(found.proposal, sight.part, space)
            again = yield from draw_to_target(proposal, space.nominal, level, target_cv, n)
            draws = found.nominal_draws + NOMINAL * again.tally.draws
            found = replace(again, nominal_draws=draws)
    except (Ended, KeyboardInterrupt) as end:
        ended = as_ended(end)
        return replace(found, status=ended.status, message=f"{ended} before the look from outside was done")
    return found


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
