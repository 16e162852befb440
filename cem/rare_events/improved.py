"""The improved method's plan: open, learn in independent chains, measure, doubt.

For a quantile it is the same, but that the level is not given: after every batch the pool says where the tail
probability lies, and that is the level the next tilt aims at.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cem.core.ending import Status
from cem.core.loop import Batch, Ended, Request, as_ended
from cem.families.base import Family
from cem.rare_events.archive import Archive
from cem.rare_events.combining import combine, measurements
from cem.rare_events.importance import Finding, Tally
from cem.rare_events.learning import learn, opening
from cem.rare_events.measuring import about_noise, measure, measure_missing
from cem.rare_events.multilevel import MOST_NUMBERS, draw_to_target
from cem.rare_events.outside import enter
from cem.rare_events.pool import Pool, Sample, effective
from cem.rare_events.spaces.paths import PathSpace
from cem.rare_events.spaces.space import Space
from cem.rare_events.tail import tail_of

Plan = Generator[Request, Batch, Finding]


def probability_plan(
    space: Space,
    level: float,
    target_cv: float,
    *,
    resolution: float | None = None,
    noisy: bool = False,
    hint: Family | None = None,
) -> Plan:
    """Estimate the probability that a score reaches `level` under the nominal distribution of `space`.

    An event that the first draws from the nominal hit often is measured by the nominal itself. A run that is
    cut short before it measures reports those first draws: little, but unbiased.

    `resolution`: nominal draws are taken until a region of this probability would have been seen. `noisy`:
    the performance has a noise of its own. `hint`: where the event may lie, which the first chain draws from
    before it learns; the second one knows nothing of it.

    References
    ----------
    Papaioannou, Geyer & Straub (2019), "Improved cross entropy-based importance sampling with a flexible
    mixture model", Reliability Engineering & System Safety 191; Hesterberg (1995), Technometrics 37.
    """
    archive = Archive(space, level, noisy=noisy)
    found = yield from _plan(archive, target_cv, resolution, hint)
    return _with_cut_paths(space, found, archive) if isinstance(space, PathSpace) else found


def quantile_plan(
    space: Space,
    probability: float,
    target_cv: float,
    complement: bool = False,
    *,
    resolution: float | None = None,
    noisy: bool = False,
) -> Plan:
    """Measure the tail of the score about the point that is reached with `probability`.

    With `complement`, the mean below that point is measured beside it instead of the one above. `resolution`
    and `noisy` are those of `probability_plan`.
    """
    archive = Archive(space, np.inf, probability, complement, noisy=noisy)
    return (yield from _plan(archive, target_cv, resolution))


def _plan(
    archive: Archive, target_cv: float, resolution: float | None = None, hint: Family | None = None
) -> Plan:
    space, nominal, settings = archive.space, archive.space.nominal, archive.settings
    chains = settings.chains if space.dimension <= settings.most_dimensions_for_chains else 1
    try:
        for number in range(chains):
            yield from opening(archive)
            if archive.probability is None and _first(archive).log_probability > np.log(settings.frequent):
                rows = max(archive.batch, draws_to_see(resolution))
                frequent = yield from draw_to_target(nominal, nominal, archive.level, target_cv, rows)
                return (
                    frequent
                    if len(frequent.tally.hits)
                    else _plain(archive, frequent.status, frequent.message)
                )
            if hint is not None and number == 0:
                yield from archive.draw(hint, archive.batch, archive.chains[0], "learn", archive.level)
            yield from learn(archive)
        yield from _resolve(archive, draws_to_see(resolution))
        if len(archive.hits(archive.learned + archive.pilots)) == 0 and archive.probability is None:
            yield from enter(archive)
        if len(archive.hits(archive.learned + archive.pilots)) == 0:
            archive.aim(Pool(archive.learned + archive.pilots))
        if len(archive.hits(archive.learned + archive.pilots)) == 0:
            message = f"no candidate reached the level in {archive.spent} evaluations"
            if archive.probability is None and any(s.missing.any() for s in archive.learned):
                proposal, samples = yield from measure_missing(archive)
                return _finding(archive, proposal, samples, Status.LEVEL_UNREACHED, message)
            return _plain(archive, Status.LEVEL_UNREACHED, message)
        found = yield from measure(archive, target_cv)
    except (Ended, KeyboardInterrupt) as end:
        return _cut_short(archive, as_ended(end))
    tally = _of_all(archive, found.tally, target_cv)
    doubt = found.doubt or contradiction(archive, tally.log_probability) or _endless(archive, found.samples)
    if doubt:
        status, message = Status.UNTRUSTED, doubt
    else:
        status = Status.TARGET_REACHED
        message = "the target coefficient of variation is reached and nothing speaks against the estimate"
    return _finding(archive, found.proposal, found.samples, status, message, tally)


def _of_all(archive: Archive, last: Tally, target_cv: float) -> Tally:
    """Return the tally of all measurements, or of the last one where these miss the target."""
    if not archive.patient:
        return last
    whole = combine(archive)
    return whole if whole.coefficient_of_variation <= max(target_cv, last.coefficient_of_variation) else last


def _finding(
    archive: Archive,
    proposal: Family,
    samples: list[Sample],
    status: Status,
    message: str,
    tally: Tally | None = None,
) -> Finding:
    """Return what samples from one proposal say; those from the nominal have no weights to doubt."""
    plain = proposal is archive.space.nominal
    return Finding(
        archive.tally(samples) if tally is None else tally,
        proposal,
        plain,
        status,
        message,
        tuple(samples),
        archive.settings.least_error,
        nominal_draws=archive.nominal_draws,
    )


def draws_to_see(resolution: float | None) -> int:
    """Return how many nominal draws miss a region of this probability with 5 %."""
    return 0 if resolution is None else int(np.ceil(np.log(0.05) / np.log1p(-resolution)))


def _resolve(archive: Archive, draws: int) -> Generator[Request, Batch, None]:
    """Draw from the nominal until there are so many draws from it: what they hit joins the fits."""
    most = max(1, MOST_NUMBERS // archive.space.dimension)
    while (lacking := draws - archive.nominal_draws) > 0:
        n = min(int(np.ceil(lacking)), most)
        yield from archive.draw(archive.space.nominal, n, archive.pilots, "resolve", archive.level)


def _endless(archive: Archive, samples: list[Sample]) -> str:
    """Say that the mean beyond a quantile is none, or nothing."""
    if archive.probability is None or tail_of(samples, archive.complement).has_mean(archive.level):
        return ""
    return (
        "the tail beyond the quantile is so heavy that its mean, the expected shortfall, is infinite or not "
        "to be told from draws; the quantile itself is not concerned"
    )


def _with_cut_paths(space: PathSpace, found: Finding, archive: Archive) -> Finding:
    """Say how many paths were cut, and object where their probability is more than the resolution."""
    same = [s for s in archive.learned + archive.measured if s.proposal is found.proposal]
    draws = sum(len(s.scores) for s in same)
    ratios = [np.exp(s.log_nominal - s.log_density(s.proposal))[space.path.cut(s.x)] for s in same]
    number = sum(len(r) for r in ratios)
    if number == 0:
        return found
    lost = float(sum(r.sum() for r in ratios)) / draws
    message = f"{number} of {draws} paths were cut at {space.path.longest} steps"
    if lost <= found.least_error * np.exp(found.tally.log_probability):
        return replace(found, message=f"{found.message}; {message}")
    status = Status.UNTRUSTED if found.status.success else found.status
    return replace(found, status=status, message=f"{message}, a share of {lost:.2g} of all")


def _first(archive: Archive) -> Tally:
    """Count the hits among the draws from the nominal distribution."""
    return archive.tally(_first_samples(archive))


def _first_samples(archive: Archive) -> list[Sample]:
    return [chain[0] for chain in archive.chains if chain]


def _plain(archive: Archive, status: Status, message: str) -> Finding:
    return _finding(archive, archive.space.nominal, _first_samples(archive), status, message)


def _cut_short(archive: Archive, ended: Ended) -> Finding:
    """Report the newest measurement where there is one worth the name, or else the first draws."""
    if archive.measured:
        newest = archive.measured[-1].proposal
        samples = [s for s in archive.measured if s.proposal is newest]
        message = f"{ended} before the measurement was done{_tried(archive)}"
        tally = combine(archive) if archive.patient else archive.tally(samples)
        found = _finding(archive, newest, samples, ended.status, message, tally)
        if len(found.tally.hits):
            return found
    goal = "the level was reached" if archive.probability is None else "the measurement was done"
    return _plain(archive, ended.status, f"{ended} before {goal}")


def _tried(archive: Archive) -> str:
    """Say what else a run that was cut short has done, and why it might take long."""
    made = len(measurements(archive))
    tried = f"; {made} proposals were measured with" if made > 1 else ""
    return f"{tried}; {about_noise(archive)}" if archive.noisy else tried


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
        return Rough(-np.inf, 0.0)
    variance = max(1 / hits - 1 / pool.size, 0.0)
    return Rough(float(logsumexp(log_v) - np.log(pool.size)), float(np.sqrt(variance)))


def contradiction(archive: Archive, log_probability: float) -> str:
    """Say that two chains contradict one another, beyond a quarter and four of their errors, or nothing.

    Nor do they where the larger estimate is no larger than the final one, of `log_probability`: what a chain
    did not find, the measurement did.
    """
    settings, rough = archive.settings, [rough_estimate(archive, chain) for chain in archive.chains]
    for one, other in combinations(rough, 2):
        if one.log_probability == other.log_probability:
            continue
        larger = max(one, other)
        beyond = larger.log_probability - log_probability
        if beyond <= max(np.log(settings.least_factor), settings.most_errors * larger.error):
            continue
        gap = abs(one.log_probability - other.log_probability)
        if gap > max(np.log(settings.least_factor), settings.most_errors * np.hypot(one.error, other.error)):
            low, high = sorted((np.exp(one.log_probability), np.exp(other.log_probability)))
            return f"two independent chains contradict one another ({low:.3g} and {high:.3g})"
    return ""
