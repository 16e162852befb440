"""The plan of a few evaluations: start, enrich, look around, correct; or hand over.

1. Start with a Latin hypercube, half of it far out.
2. Enrich where the surrogate may misjudge most of the event, a few rows at a time, until the number of
   evaluations that the correction is predicted to need no longer falls.
3. Look from outside: each input alone far out, then points of a ball about the event far from all that is
   known. A surprise goes back to 2.
4. Correct, in samples, until the interval is as narrow as asked for. A surprise goes back to 2 once.

Where the surrogate is of no use, the improved method takes over, and its first chain begins where the
surrogate expects the event. A budget too small for that is spent on the
correction, whose interval is honest however wide.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Request, as_ended
from cem.families.base import Floats
from cem.rare_events.importance import Finding
from cem.rare_events.improved import probability_plan
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.correction import RULE_OF_THREE, Round
from cem.rare_events.surrogate.design import (
    axis_points,
    ball_points,
    border_points,
    starting_points,
    starting_size,
)
from cem.rare_events.surrogate.proposal import View
from cem.rare_events.surrogate.study import Study, told
from cem.rare_events.systems import System

MOST_DIMENSIONS = 20
"""Inputs up to which "auto" chooses a surrogate."""
FEW_EVALUATIONS = 3000
"""Budgets below which it does: the improved method takes 3,000 to 11,000 (docs/rare_events.md)."""
LEAST_CORRECTION = 12
"""Rows that a correction has at least: the rule of three makes a quarter of a row's weight of them."""
CORRECTION_SHARE = 0.45
"""Of a budget that is too small, what the correction gets."""
MOST_NEEDED = 1200.0
"""Predicted evaluations of a correction above which a surrogate is of no use."""
IMPROVED_NEEDS = 3000
"""Evaluations that must be left for the improved method to take over: it takes no fewer."""
HOPELESS_SHARE, HOPELESS_LOOKS = 0.6, 7
"""Share of the event in doubt, at so many enrichings in a row over half the most, that ends it."""
FINE_SHARE = 0.3
"""Share of the event in doubt above which the number predicted means nothing yet."""
STALE = 2
"""Enrichings in a row that did not lower the total predicted."""
WRONG_BY = 2.5
"""Standard deviations off, on the wrong side: a surprise of a look around."""
LOOKS = 3
SURE, HEAVY = 0.02, 3.0
"""A disagreement whose chance was below, and whose weight is more than so many probabilities: a surprise."""
HALF = 0.5
"""Share of the probability that one disagreement adds or takes: a surprise."""
MOST_LOST = 200
"""Evaluations after which a surprise is no longer worth a second start: the improved method loses no more."""
MOST_ROUNDS = 40
MOST_NOWHERE = 2
"""Pools in a row without an event to speak of."""
CLIFF = "some scores are infinite, and a smooth surrogate sees no cliffs"
NOWHERE = "nowhere does it expect the event"
JUMP = "scores jump: some lie far off what all the others say of them"
OUTLIER = 5.0
"""Standard deviations that a score may be off what the others say: a normal is once in 1.7 million."""
MOST_ROWS = 350
"""Rows beyond which hyperparameters are not sought anew: it takes n³."""
FEWEST_KNOWN = 0.5
"""Share of the first scores that must differ, and that must be numbers."""

Plan: TypeAlias = Generator[Request, Batch, Finding]


@dataclass(frozen=True)
class HandOver:
    """Why a surrogate is of no use."""

    why: str


def surrogate_plan(
    space: NormalSpace, level: float, target_cv: float, limit: int | None, system: System | None = None
) -> Plan:
    """Estimate the probability that a score reaches `level` in few evaluations, at most `limit`.

    The scores may be those of a `system`, whose level is 0.

    References
    ----------
    Dubourg, Sudret & Deheeger (2013), "Metamodel-based importance sampling for structural reliability
    analysis", Probabilistic Engineering Mechanics 33.
    """
    study = Study(space, level, target_cv, limit, system)
    if limit is not None and limit < space.dimension + 3 + LEAST_CORRECTION:
        outcome: Finding | HandOver = HandOver(f"{limit} evaluations are too few for one")
    else:
        try:
            outcome = yield from _run(study)
        except (Ended, KeyboardInterrupt) as end:
            return _finding(study, as_ended(end).status, f"{as_ended(end)}")
    if isinstance(outcome, Finding):
        return outcome
    hint = None if study.view is None else study.view.pool.proposal
    found = yield from probability_plan(space, level, target_cv, hint=hint)
    spent = f" after {study.calls} evaluations" if study.calls else ""
    return replace(
        found, surrogate=True, message=f"{found.message}; a surrogate was given up{spent}: {outcome.why}"
    )


def _run(study: Study) -> Generator[Request, Batch, Finding | HandOver]:
    d = study.space.dimension
    centre = yield from study.evaluate(np.zeros((1, d)), "start")
    size = int(min(starting_size(d), study.left - LEAST_CORRECTION))
    design = starting_points(d, size, study.rng)
    first = [centre, (yield from study.evaluate(design, "start"))]
    scores, numbers = (np.concatenate([f(batch) for batch in first]) for f in (lambda b: b.scores, told))
    for column in numbers.reshape(len(scores), -1).T:
        finite = column[np.isfinite(column)]
        if len(np.unique(finite)) <= max(FEWEST_KNOWN * len(scores), 3):
            return HandOver("too few of the first scores are different numbers")
    study.begin(np.vstack([np.zeros((1, d)), design]), scores, numbers, design)
    for attempt in range(2):
        last = attempt == 1
        doubt = yield from enrich(study, attempt)
        view = study.look_again()
        if doubt is None and not view.probability > 0:
            doubt = HandOver(NOWHERE)
        if doubt is None and study.surrogate.worst_outlier > OUTLIER:
            doubt = HandOver(JUMP)
        if doubt is None and study.plan().needed > MOST_NEEDED:
            doubt = HandOver("its correction would take as long as doing without")
        if doubt is not None and (study.left >= IMPROVED_NEEDS or doubt.why == NOWHERE):
            return doubt
        found = yield from _correct(study, last)
        if found is not None:
            return found
        if last:
            break
        if study.calls > MOST_LOST and study.left >= IMPROVED_NEEDS:
            break
        study.forget_corrections()
        study.surrogate.fit(choose=True)
    return HandOver("the correction disagreed with it where it was sure")


@dataclass(eq=False)
class _Progress:
    """How enriching comes along."""

    best: float = np.inf
    stale: int = 0
    looks: int = 0
    extra: int = 0
    rounds: int = 0
    clean: bool = True
    shares: tuple[float, ...] = ()

    def note(self, total: float, step: int, share: float) -> None:
        """Note the evaluations predicted in all, and the share of the event in doubt."""
        improves = total < self.best - 0.5 * step
        self.best, self.stale = min(total, self.best), 0 if improves else self.stale + 1
        self.shares = (*self.shares[1 - HOPELESS_LOOKS :], share)

    @property
    def hopeless(self) -> bool:
        """Whether most of the event has been in doubt for long."""
        return len(self.shares) == HOPELESS_LOOKS and min(self.shares) > HOPELESS_SHARE


def enrich(study: Study, attempt: int) -> Generator[Request, Batch, HandOver | None]:
    """Learn the event's border; return why it is no use, or None."""
    d = study.space.dimension
    step = 4 if d <= 5 else 6 if d <= 12 else 10
    most = min(min(300, 80 + 14 * d) * (1 + 0.5 * attempt), 400)
    enough = 1.15 * np.sqrt(RULE_OF_THREE) * 1.63 / (0.95 * study.target_cv)
    progress = _Progress()
    while True:
        view = study.look()
        if study.nowhere >= MOST_NOWHERE:
            return HandOver(NOWHERE)
        needed = study.plan().needed
        progress.note(study.calls + needed, step, view.doubtful_share)
        n = len(study.surrogate.x)
        if n >= most / 2 and progress.hopeless:
            return HandOver("most of the event stays in doubt")
        if np.isinf(study.surrogate.scores).any() and study.left >= IMPROVED_NEEDS:
            return HandOver(CLIFF)
        reserve = LEAST_CORRECTION
        if study.limit is not None:
            reserve = max(LEAST_CORRECTION, int(min(needed, CORRECTION_SHARE * study.limit)))
        if study.left < step + reserve:
            return None
        full = n >= most + progress.extra
        good = view.doubtful_share < FINE_SHARE and view.probability > 0
        stale = progress.stale >= STALE and needed < 0.4 * MOST_NEEDED
        if not (full or (good and (needed <= enough or stale))):
            progress.rounds += 1
            every = 4 if len(study.surrogate.x) + step < 120 else 12
            yield from add_border(study, view, step, progress.rounds % every == 0)
            continue
        if progress.looks >= LOOKS or (full and progress.looks > 0 and progress.clean):
            break
        points = _outside(study, progress.looks, view.scale)
        if study.left < len(points) + reserve:
            break
        if (yield from _look_outside(study, points, progress, step)):
            break
        progress.extra += len(points) if full and progress.clean else 0
    return None if progress.clean else HandOver("hits keep turning up where none was expected")


def add_border(study: Study, view: View, step: int, choose: bool) -> Generator[Request, Batch, None]:
    """Evaluate a few rows of the event's border and learn from them; `choose`: also a transform."""
    rows = border_points(view, study.surrogate.process, step, study.rng)
    mean, deviation = study.surrogate.predict(rows)
    numbers = told((yield from study.evaluate(rows, "enrich")))
    study.surrogate.remember(mean, deviation, numbers)
    study.surrogate.add(rows, numbers)
    study.surrogate.fit(choose=choose)


def _outside(study: Study, looks: int, probability: float) -> Floats:
    """Return rows that nothing calls for: first one input alone far out, then a ball about the event."""
    d = study.space.dimension
    if looks == 0:
        return axis_points(d, probability)
    return ball_points(study.surrogate.x, probability, max(8, min(2 * d, 20)), study.rng)


def _look_outside(
    study: Study, points: Floats, progress: _Progress, step: int
) -> Generator[Request, Batch, bool]:
    """Look where nothing calls for it; return whether that was the last look needed."""
    surrogate, before = study.surrogate, study.look_again().augmented
    mean, deviation = surrogate.predict(points)
    batch = yield from study.evaluate(points, "look")
    scores, expected = batch.scores, surrogate.judge(mean, deviation)[0] >= 0
    off = np.abs(surrogate.surprise(mean, deviation, told(batch))) > WRONG_BY
    wrong = bool((((scores >= study.level) != expected) & off & ~np.isnan(scores)).any())
    progress.looks += 1
    progress.clean = not wrong
    surrogate.add(points, told(batch))
    surrogate.fit(choose=True)
    after = study.look_again()
    moved = abs(np.log(max(after.augmented, 1e-300) / max(before, 1e-300))) >= 0.1
    progress.best, progress.stale = np.inf, 0
    if wrong:
        progress.extra += len(points) + 5 * step
        progress.shares = ()
    return progress.looks >= 2 and not wrong and not moved


def _correct(study: Study, last: bool) -> Generator[Request, Batch, Finding | HandOver | None]:
    """Correct until the target is reached; return None after a surprise that is worth beginning anew for.

    A jump that only its rows have shown is no such surprise: it would be there again.
    """
    study.settle()
    surprised = False
    for number in range(MOST_ROUNDS):
        inclusion = study.plan()
        if number == 0:
            wanted = min(max(np.ceil(inclusion.needed / 2), LEAST_CORRECTION), 200)
        else:
            wanted = min(max(np.ceil(study.correction.further(study.target_cv)), 8), 200)
        n = int(min(wanted, study.left))
        found = yield from study.correct(inclusion, n)
        if surprises(study, found):
            surprised = True
            roomy = study.left >= 2 * LEAST_CORRECTION + starting_size(study.space.dimension)
            if roomy and (not last or study.left >= IMPROVED_NEEDS):
                return None
        cv = study.correction.tally().coefficient_of_variation
        if cv <= study.target_cv:
            break
        if study.left < 1:
            return _finding(study, Status.EVALUATION_LIMIT, f"max_evaluations ({study.limit}) is spent")
        if (
            number
            and study.correction.further(study.target_cv) > 2 * MOST_NEEDED <= study.left - IMPROVED_NEEDS
        ):
            return None
        doubtful = found.differences().any() or study.surrogate.deviation_scale > 1.5
        if doubtful and len(study.surrogate.x) <= MOST_ROWS:
            study.surrogate.fit()
        study.look_again()
    else:
        return _finding(study, Status.UNTRUSTED, "the correction does not settle")
    doubt = CLIFF if np.isinf(study.surrogate.scores).any() else ""
    if len(study.surrogate.x) <= MOST_ROWS and study.surrogate.worst_outlier > OUTLIER:
        if study.left >= IMPROVED_NEEDS:
            return HandOver(JUMP)
        doubt = JUMP
    if surprised:
        doubt = "the surrogate was wrong where it was sure"
    if doubt:
        return _finding(study, Status.UNTRUSTED, doubt)
    message = "the target coefficient of variation is reached, and evaluations agree with the surrogate"
    return _finding(study, Status.TARGET_REACHED, message)


def surprises(study: Study, found: Round) -> bool:
    """Whether a sample disagrees heavily, or where the surrogate was sure."""
    z = found.differences()
    p = max(study.correction.estimate()[0], 1e-300)
    odd = (z != 0) & (found.miss < SURE) & (np.abs(z) > HEAVY * p)
    return bool(odd.any()) or study.correction.heaviest_share > HALF


def _finding(study: Study, status: Status, message: str) -> Finding:
    tally = study.correction.tally()
    proposal = study.space.nominal if study.view is None else study.view.pool.proposal
    if not tally.draws:
        message = f"{message} before anything was measured: what a surrogate alone says is no estimate"
    else:
        tried = f"{tally.draws} rows corrected a surrogate of {len(study.surrogate.x)}"
        message = f"{message}; {tried}"
        if not status.success:
            high = min(
                max(tally.highest, tally.estimate, 0.0) + 1.96 * max(tally.highest_error, tally.error), 1.0
            )
            message = f"{message}; below {high:.2g} with 95 %"
    modes = study.by_mode.found(tally.estimate)
    return Finding(tally, proposal, False, status, message, surrogate=True, modes=modes)
