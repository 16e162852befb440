"""The textbook's plan for a rare event: climb level by level, then measure with what was learned."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cem.core.ending import Status
from cem.core.loop import Batch, Draw, Ended, Request, State, Step, advance, as_ended, run
from cem.core.selection import elite_level
from cem.core.stopping import LevelReached
from cem.families.base import Array, Family, Floats, dimension
from cem.families.gaussian import GaussianLike
from cem.rare_events.importance import Finding, Nominal, Tally, log_ratio
from cem.rare_events.working_space import Inputs

LEAST_ELITES = 30
LEAST_HITS = 50
MOST_GROWTH = 9
CUSHION = 1.1
MOST_NUMBERS = 2**24  # of a batch, so that it fits into memory in any dimension


def multilevel(
    inputs: Inputs,
    level: float,
    target_cv: float,
    n: int,
    elite_fraction: float = 0.1,
    most: float = math.inf,
) -> Generator[Request, Batch, Finding]:
    """Climb from the first proposal to `level`, `n` candidates a time, then measure to `target_cv`.

    A measurement that would take over `most` draws is left as it is, `UNTRUSTED`.

    If the first batch comes from the nominal and its elites reach the level, the event is not rare and
    the nominal itself measures it best. If the climb does not get there, the estimate is that of the
    first batch: little, but unbiased.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method", Annals of
    Operations Research 134, Algorithm 2.1 and Equation (7).
    """
    nominal, start = inputs.nominal, inputs.proposal
    first = Finding(Tally(), start, nominal is start, Status.LEVEL_UNREACHED, "")
    update = LevelFit(nominal, level, elite_fraction, LEAST_ELITES, start)
    rule = LevelReached(level)
    lost = np.empty((0, 0))
    try:
        batch = yield Draw(start, n)
        lost = batch.x[np.isnan(batch.scores)]
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
    found = yield from draw_to_target(proposal, nominal, level, target_cv, n, most)
    if first.plain and not found.plain:
        found = replace(found, nominal_draws=first.tally.draws)
    if len(lost) and first.plain and proposal is not start:
        found = replace(found, tally=_with_first(found, nominal, lost, first.tally.draws))
    return found if len(found.tally.hits) else replace(first, status=found.status, message=found.message)


def _with_first(found: Finding, nominal: Nominal, lost: Array, n: int) -> Tally:
    """Let the first batch, `n` draws from the nominal, tell of NaN too, by the balance heuristic.

    The last proposal hardly goes where `lost`, those of its rows whose score was NaN, lie.
    """
    ratios = [log_ratio(nominal, found.proposal, lost), found.tally.missing_log_weights]
    weights = -np.logaddexp(np.log(n / found.tally.draws), -np.concatenate(ratios))
    return replace(found.tally, missing_log_weights=weights)


def draw_to_target(
    proposal: Family, nominal: Nominal, level: float, target_cv: float, n: int, longest: float = math.inf
) -> Generator[Request, Batch, Finding]:
    """Draw from a frozen proposal, first `n` and then as many as the target takes, and weigh the hits.

    How many it takes is planned ahead and then drawn in full: to stop where the coefficient of variation
    first happens to be small would favour runs that have yet to meet their largest weights. A plan of more
    than `longest` draws is not carried out.
    """
    tally = Tally()
    status, message = Status.TARGET_REACHED, "the target coefficient of variation is reached"
    state = State(proposal, level=level)
    planned, most = n, max(1, MOST_NUMBERS // dimension(proposal))
    try:
        while True:
            batch = yield Draw(proposal, min(planned - tally.draws, most))
            tally = tally.add(batch.x, batch.scores, level, nominal, proposal)
            interim = tally.interim(nominal is proposal)
            yield Step(
                replace(state, elites=len(tally.hits)),
                "measure",
                awaiting=partial(interim.towards, target_cv),
                interim=interim,
            )
            if tally.draws >= planned:
                if _enough(tally, target_cv):
                    break
                planned = _planned_draws(tally, target_cv, n)
                if planned > longest:
                    status, message = Status.UNTRUSTED, "the proposal is too poor to reach the target"
                    break
    except (Ended, KeyboardInterrupt) as end:
        ended = as_ended(end)
        if ended.batch is not None:
            tally = tally.add(ended.batch.x, ended.batch.scores, level, nominal, proposal)
        if ended.status is not Status.EVALUATION_LIMIT or not _enough(tally, target_cv):
            status, message = ended.status, f"{ended} before the target coefficient of variation was reached"
    plain = nominal is proposal
    return Finding(tally, proposal, plain, status, message, nominal_draws=tally.draws if plain else 0.0)


def _enough(tally: Tally, target_cv: float) -> bool:
    return tally.coefficient_of_variation <= target_cv and len(tally.hits) >= LEAST_HITS


def _planned_draws(tally: Tally, target_cv: float, least: int) -> int:
    """Return the draws in all that the target takes by the variance seen, growing by a limited factor."""
    cv = tally.coefficient_of_variation
    total = CUSHION * tally.draws * (cv / target_cv) ** 2 if math.isfinite(cv) else math.inf
    return int(min(max(tally.draws + least, total), (1 + MOST_GROWTH) * tally.draws))


DEFENCE = 0.01


@dataclass(frozen=True, eq=False)
class LevelFit:
    """Fit to the candidates at or above the elite quantile, weighted by the likelihood ratio.

    Where the quantile does not rise above the last level (few distinct scores), the next higher score is
    taken, once enough candidates have come to it. All candidates that tie at the level count. A discrete fit
    is blended with one per cent of the nominal (of `defence`, where the nominal is of another kind),
    so that no possible candidate gets probability 0; a Gaussian fit is widened to the nominal's spread, so
    that likelihood ratios have a variance.

    Parameters
    ----------
    nominal : object with `log_prob`
        The distribution under which the probability is asked.
    level : float
        Where the event begins (scores are maximised).
    elite_fraction : float
        Fraction ρ in (0, 1) that defines the quantile.
    least_elites : int
        Candidates without which the level is not raised; those that there are wait for more.
    defence : Family, optional
        Stands in for a nominal of another kind in the blend of a discrete fit. Default: the last proposal.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method", Annals of
    Operations Research 134, Algorithm 2.1.
    """

    nominal: Nominal
    level: float
    elite_fraction: float = 0.1
    least_elites: int = 1
    defence: Family | None = None

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch."""
        return State(start)

    def step(self, state: State, batch: Batch, /) -> State:
        """Raise the level and refit; too few candidates above the last level wait for the next batch."""
        x, scores = batch.x, batch.scores
        if "x" in state.memory:
            x = np.concatenate([state.memory["x"], x])
            scores = np.concatenate([state.memory["scores"], scores])
        level = self._next_level(state, batch.scores)
        chosen = scores >= level
        if level == -np.inf or chosen.sum() < self.least_elites:
            waiting = scores > np.fmax(state.level, -np.inf)
            return replace(state, elites=0, memory={"x": x[waiting], "scores": scores[waiting]})
        return replace(
            state,
            family=self._fit(state.family, x[chosen]),
            level=level,
            elite_best=float(scores[chosen].max()),
            elites=int(chosen.sum()),
            memory={},
        )

    def _next_level(self, state: State, scores: Floats) -> float:
        """Return the elite quantile, or where it does not rise, the least score above the last level."""
        level = elite_level(scores, self.elite_fraction)
        last = float(np.fmax(state.level, -np.inf))
        if not level > last:
            higher = scores[scores > last]
            waiting = state.memory.get("scores", higher)
            level = float(np.concatenate([higher, waiting]).min(initial=np.inf))
        return min(level, self.level)

    def _fit(self, family: Family, x: Floats) -> Family:
        log_weights = log_ratio(self.nominal, family, x)
        top = log_weights.max()
        if not np.isfinite(top):
            return family
        fitted = family.fit(x, np.exp(log_weights - top))
        if isinstance(fitted, GaussianLike) and isinstance(self.nominal, GaussianLike):
            return fitted.widened(self.nominal)
        if x.dtype.kind not in "iub":
            return fitted
        if isinstance(self.nominal, type(family)):
            return fitted.blend(self.nominal, DEFENCE)
        return fitted.blend(family if self.defence is None else self.defence, DEFENCE)
