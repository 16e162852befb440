"""The textbook's plan for a rare event: climb level by level, then measure with what was learned."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace

from cem.families.base import Family, dimension
from cem.importance import Nominal, Tally
from cem.inputs import Inputs
from cem.loop import Batch, Draw, Ended, Request, Step, advance, as_ended, run
from cem.state import State
from cem.status import Status
from cem.stopping import LevelReached
from cem.updates.level_fit import LevelFit

LEAST_ELITES = 30
LEAST_HITS = 50
MOST_GROWTH = 9
CUSHION = 1.1
MOST_NUMBERS = 2**24  # of a batch, so that it fits into memory in any dimension


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a plan found out: the draws behind the estimate, where they came from, and how it ended.

    `plain`: drawn from the nominal distribution.
    """

    tally: Tally
    proposal: Family
    plain: bool
    status: Status
    message: str


def multilevel(
    inputs: Inputs, level: float, target_cv: float, n: int, elite_fraction: float = 0.1
) -> Generator[Request, Batch, Measurement]:
    """Climb from the first proposal to `level`, `n` candidates a time, then measure to `target_cv`.

    If the first batch comes from the nominal and its elites reach the level, the event is not rare and
    the nominal itself measures it best. If the climb does not get there, the estimate is that of the
    first batch: little, but unbiased.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method", Annals of
    Operations Research 134, Algorithm 2.1 and Equation (7).
    """
    nominal, start = inputs.nominal, inputs.proposal
    first = Measurement(Tally(), start, nominal is start, Status.LEVEL_UNREACHED, "")
    update = LevelFit(nominal, level, elite_fraction, LEAST_ELITES, start)
    rule = LevelReached(level)
    try:
        batch = yield Draw(start, n)
        first = replace(first, tally=first.tally.add(batch.x, batch.scores, level, nominal, start))
        state = advance(update, update.init(start), batch, rule)
        yield Step(state, "climb")
        state = (yield from run(update, state, n, rule, stage="climb")).state
    except (Ended, KeyboardInterrupt) as end:
        ended = as_ended(end)
        if ended.batch is not None and first.tally.draws == 0:
            tally = first.tally.add(ended.batch.x, ended.batch.scores, level, nominal, start)
            first = replace(first, tally=tally)
        return replace(first, status=ended.status, message=f"{ended} before the level was reached")
    if not state.level >= level:
        return replace(first, message=f"{rule.reason(state)}")
    proposal = start if state.iteration == 1 and first.plain else state.family
    measured = yield from measure(proposal, nominal, level, target_cv, n)
    return (
        measured
        if len(measured.tally.hits)
        else replace(first, status=measured.status, message=measured.message)
    )


def measure(
    proposal: Family, nominal: Nominal, level: float, target_cv: float, n: int
) -> Generator[Request, Batch, Measurement]:
    """Draw from a frozen proposal, first `n` and then as many as the target takes, and weigh the hits.

    How many it takes is planned ahead and then drawn in full: to stop where the coefficient of variation
    first happens to be small would favour runs that have yet to meet their largest weights.
    """
    tally = Tally()
    status, message = Status.TARGET_REACHED, "the target coefficient of variation is reached"
    state = State(proposal, level=level)
    planned, most = n, max(1, MOST_NUMBERS // dimension(proposal))
    try:
        while True:
            batch = yield Draw(proposal, min(planned - tally.draws, most))
            tally = tally.add(batch.x, batch.scores, level, nominal, proposal)
            yield Step(replace(state, elites=len(tally.hits)), "measure")
            if tally.draws >= planned:
                if _enough(tally, target_cv):
                    break
                planned = _planned_draws(tally, target_cv, n)
    except (Ended, KeyboardInterrupt) as end:
        ended = as_ended(end)
        if ended.batch is not None:
            tally = tally.add(ended.batch.x, ended.batch.scores, level, nominal, proposal)
        if ended.status is not Status.EVALUATION_LIMIT or not _enough(tally, target_cv):
            status, message = ended.status, f"{ended} before the target coefficient of variation was reached"
    return Measurement(tally, proposal, nominal is proposal, status, message)


def _enough(tally: Tally, target_cv: float) -> bool:
    return tally.coefficient_of_variation <= target_cv and len(tally.hits) >= LEAST_HITS


def _planned_draws(tally: Tally, target_cv: float, least: int) -> int:
    """Give the draws in all that the target takes by the variance seen, growing by a limited factor."""
    cv = tally.coefficient_of_variation
    total = CUSHION * tally.draws * (cv / target_cv) ** 2 if math.isfinite(cv) else math.inf
    return int(min(max(tally.draws + least, total), (1 + MOST_GROWTH) * tally.draws))
