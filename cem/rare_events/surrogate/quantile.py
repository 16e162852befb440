"""A quantile in few evaluations: the surrogate says where it lies, and is corrected about there.

1. Start as for a probability, and aim where the surrogate expects the quantile; enrich about there, and aim
   again, until the level no longer moves.
2. Enrich and look around as for the event of that level.
3. Correct. The evaluations correct the surrogate at every level near, so that the corrected tail is solved
   for the quantile, and its interval is where the tail's probability with its error is the one asked for.

Where the surrogate is of no use, or a run failed, the improved method takes over.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Request, as_ended
from cem.rare_events.importance import Finding, Tally
from cem.rare_events.improved import quantile_plan
from cem.rare_events.settings import DEFAULT
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.corrected_tail import CorrectedTail, ScoredRound
from cem.rare_events.surrogate.design import starting_points, starting_size
from cem.rare_events.surrogate.model import Surrogate
from cem.rare_events.surrogate.plan import (
    FEWEST_KNOWN,
    IMPROVED_NEEDS,
    JUMP,
    LEAST_CORRECTION,
    MOST_NEEDED,
    MOST_ROUNDS,
    MOST_ROWS,
    OUTLIER,
    HandOver,
    Plan,
    add_border,
    enrich,
    surprises,
)
from cem.rare_events.surrogate.proposal import serve
from cem.rare_events.surrogate.study import Study
from cem.rare_events.tail import tail_of

AIMS = 12  # times that the level is sought anew while it moves
SETTLED = 0.1  # of the probability: a level that is off by less is within the reach of a correction
ROUGH_CV = 0.1  # of the surrogate's own quantile, which costs predictions only, and of these few:
ROUGH = replace(DEFAULT, chains=1, looks=0, refits=1, rescues=0, most_times=1.0)


def surrogate_quantile_plan(
    space: NormalSpace, probability: float, target_cv: float, limit: int | None
) -> Plan:
    """Measure the tail of the score about the point reached with `probability`, in at most `limit` rows."""
    study = Study(space, np.inf, target_cv, limit)
    rounds: list[ScoredRound] = []
    least = 3 * LEAST_CORRECTION + space.dimension
    outcome: Finding | HandOver = HandOver(f"{limit} evaluations are too few for one")
    if limit is None or limit >= least:
        try:
            outcome = yield from _run(study, probability, rounds)
        except (Ended, KeyboardInterrupt) as end:
            return _finding(study, rounds, as_ended(end).status, f"{as_ended(end)}")
    if isinstance(outcome, Finding):
        return outcome
    found = yield from quantile_plan(space, probability, target_cv)
    spent = f" after {study.calls} evaluations" if study.calls else ""
    return replace(
        found, surrogate=True, message=f"{found.message}; a surrogate was given up{spent}: {outcome.why}"
    )


def _run(
    study: Study, probability: float, rounds: list[ScoredRound]
) -> Generator[Request, Batch, Finding | HandOver]:
    d = study.space.dimension
    centre = yield from study.evaluate(np.zeros((1, d)), "start")
    design = starting_points(d, int(min(starting_size(d), study.left - LEAST_CORRECTION)), study.rng)
    scores = np.append(centre.scores, (yield from study.evaluate(design, "start")).scores)
    if len(np.unique(scores[np.isfinite(scores)])) <= max(FEWEST_KNOWN * len(scores), 3):
        return HandOver("too few of the first scores are different numbers")
    study.level = float(scores[np.isfinite(scores)].max())
    study.begin(np.vstack([np.zeros((1, d)), design]), scores, scores, design)
    settled, enriched = False, False
    for _ in range(AIMS):
        if not np.isfinite(study.single.scores).all():
            return HandOver("some scores are no finite numbers")
        _aim(study, probability)
        view = study.look()
        settled = abs(np.log(max(view.probability, 1e-300) / probability)) < SETTLED
        if settled and enriched:
            break
        if study.left < 3 * LEAST_CORRECTION:
            break
        if not settled or view.doubtful_share > SETTLED:
            yield from add_border(study, view, 4 if d <= 5 else 6, choose=False)
            continue
        doubt = yield from enrich(study, 0)
        if doubt is not None:
            return doubt
        enriched = True
    if not settled:
        return HandOver("it does not settle where the quantile lies")
    if study.single.worst_outlier > OUTLIER:
        return HandOver(JUMP)
    if study.plan().needed > MOST_NEEDED <= study.left - IMPROVED_NEEDS:
        return HandOver("its correction would take as long as doing without")
    return (yield from _correct(study, probability, rounds))


def _aim(study: Study, probability: float) -> None:
    """Move the level to where the surrogate expects the quantile, and have the surrogate know it."""
    surrogate, space = study.single, NormalSpace(study.space.dimension, ROUGH)
    rough = serve(quantile_plan(space, probability, ROUGH_CV), lambda u: surrogate.predict(u)[0], study.rng)
    point = tail_of(rough.samples).point(probability)
    if np.isfinite(point):
        study.level = float(surrogate.unscaled(np.array([point]))[0])
        surrogate.level = study.level
        surrogate.fit(choose=True)


def _correct(
    study: Study, probability: float, rounds: list[ScoredRound]
) -> Generator[Request, Batch, Finding | HandOver]:
    study.settle()
    surrogate: Surrogate = study.single
    for number in range(MOST_ROUNDS):
        inclusion = study.plan()
        further = inclusion.needed / 2 if number == 0 else study.correction.further(study.target_cv)
        n = int(min(max(np.ceil(further), LEAST_CORRECTION), 200, study.left))
        view = study.look_again()
        seen, predicted = surrogate.unscaled, surrogate.unscaled(view.mean)
        found = yield from study.correct(inclusion, n)
        if found.lost.any() or not np.isfinite(found.scores).all():
            return HandOver("some scores are no finite numbers")
        rounds.append(ScoredRound(found, predicted, view.pool.weights, found.scores, seen(found.predicted)))
        if surprises(study, found) and study.left >= IMPROVED_NEEDS:
            return HandOver("the correction disagreed with it where it was sure")
        tail = CorrectedTail.of_rounds(rounds)
        if tail.coefficient_of_variation(tail.point(probability)) <= study.target_cv:
            break
        if study.left < 1:
            return _finding(
                study, rounds, Status.EVALUATION_LIMIT, f"max_evaluations ({study.limit}) is spent"
            )
        if len(surrogate.x) <= MOST_ROWS:
            surrogate.fit()
        study.look_again()
    else:
        return _finding(study, rounds, Status.UNTRUSTED, "the correction does not settle")
    if len(surrogate.x) <= MOST_ROWS and surrogate.worst_outlier > OUTLIER:
        return HandOver(JUMP)
    if surprises(study, found):
        return _finding(study, rounds, Status.UNTRUSTED, "the surrogate was wrong where it was sure")
    message = "the target coefficient of variation is reached, and evaluations agree with the surrogate"
    return _finding(study, rounds, Status.TARGET_REACHED, message)


def _finding(study: Study, rounds: list[ScoredRound], status: Status, message: str) -> Finding:
    proposal = study.space.nominal if study.view is None else study.view.pool.proposal
    if not rounds:
        said = f"{message} before anything was measured: what a surrogate alone says is no estimate"
        return Finding(Tally(), proposal, False, status, said, surrogate=True)
    tail = CorrectedTail.of_rounds(rounds)
    drawn = sum(len(each.scores) for each in rounds)
    said = f"{message}; {drawn} rows corrected a surrogate of {len(study.single.x)}"
    return Finding(Tally(), proposal, False, status, said, surrogate=True, tail=tail)
