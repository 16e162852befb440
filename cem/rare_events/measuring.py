"""The frozen final proposal, what it measures, and the doubts that send it back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cem.core.loop import Batch, Request, Rows
from cem.families.base import Family, Floats
from cem.rare_events.archive import Archive, mixture
from cem.rare_events.doubts import Measurement, objection, second_look, settled
from cem.rare_events.learning import ATOM, fit
from cem.rare_events.outside import NOTHING, Coverage, Looking, Outlook, Sight, look, rescue
from cem.rare_events.pool import Pool, Sample, effective, newest, scaled
from cem.rare_events.settings import Settings
from cem.rare_events.spaces.discrete import DiscreteSpace
from cem.rare_events.tail import gaps_beyond

Measuring = Generator[Request, Batch, Measurement]


def measure(archive: Archive, target_cv: float) -> Measuring:
    """Measure with a frozen proposal, again with a better one while in doubt, and look from outside.

    Doubt is worked on by `refits` proposals judged early, then by longer and longer measurements until the
    budget ends. Doubt that work need not settle is left as it is: a quantile's may be about a mean that is
    none, and a performance's own noise is not steered.
    """
    settings, outlook = archive.settings, Outlook()
    yield from _scout(archive)
    yield from _ask_again(archive)
    repairs, known = list[Family](), list[Family]()
    attempt, rescues, last, plain = 0, 0, settings.refits, 0.0
    checked = len(archive.space.moves(False)) > 0
    while True:
        found = yield from _attempt(archive, [*repairs, *known], target_cv, attempt - last, plain)
        if (more := nominal_wanted(archive, found)) > plain:
            plain = settings.cushion * more
            continue
        overlooked, repairs = second_look(archive, found)
        objections = found.doubt or _objections(archive, found, target_cv)
        early = bool(objections) and attempt == 0 and len(found.tally.hits) > 0
        if (objections or overlooked) and not early and rescues < settings.rescues:
            rescues += 1
            sight = yield from _rescue(archive, found, settings.poorly if objections else settings.far)
            known = _with(known, sight, settings)
            if sight.common and sight.missed < settings.most_far:
                overlooked = ""
        found = replace(found, doubt=objections or overlooked)
        if found.doubt and attempt >= last and archive.patient and settled(archive, target_cv):
            found = replace(found, doubt="")
        if found.doubt and attempt < last:
            attempt += 1
            continue
        if outlook.looks < settings.looks and len(found.tally.hits):
            coverage = Coverage.of(archive.space, found.proposal, found.tally)
            sight = yield from look(archive, outlook, coverage, _generator(found.samples[-1]))
            if sight.missed >= settings.least_missed:
                known, attempt, rescues = _with(known, sight, settings), attempt + 1, 0
                last = attempt + settings.refits
                continue
        if not (found.doubt or checked):
            checked = True
            yield from _check_plainly(archive, found)
            overlooked, repairs = second_look(archive, found)
            if overlooked:
                attempt += 1
                continue
        if not found.doubt or not archive.patient:
            return replace(found, doubt=found.doubt or _own_noise(archive, found))
        attempt += 1


def _attempt(
    archive: Archive, parts: list[Family], target_cv: float, overtime: int, plain: float
) -> Measuring:
    """Fit a proposal to all that is known, with further parts, freeze it, and measure.

    `overtime` is the number of attempts beyond those that are judged early; `plain`, the fewest draws from
    the nominal.
    """
    pool = fitting_pool(archive)
    archive.aim(pool)
    extra = _known_modes(archive) + parts + _missing_part(archive, pool)
    if archive.measured or archive.complement or _holds_atom(archive, pool):
        extra += _excess_part(archive, pool)
    frozen = with_nominal(archive, final_proposal(archive, pool, extra), plain)
    return (yield from _measure(archive, frozen, target_cv, overtime))


def nominal_wanted(archive: Archive, found: Measurement) -> float:
    """Return how many draws from the nominal a measurement lacks that sees what noise alone does.

    No proposal steers the noise: what it does by itself shows in nominal draws only, and is known where the
    event has some hits among them.
    """
    wanted = min(_noise_hits_after(archive, found), archive.settings.most_nominal)
    own = sum(s.nominal_share * len(s.scores) for s in found.samples)
    return wanted if archive.noisy and own < wanted else 0.0


def _noise_hits_after(archive: Archive, found: Measurement) -> float:
    return archive.settings.noise_hits * float(np.exp(min(-found.tally.log_probability, 300.0)))


def _own_noise(archive: Archive, found: Measurement) -> str:
    """Say what a noise of the performance's own may do unseen, or nothing."""
    own = sum(s.nominal_share * len(s.scores) for s in found.samples)
    if not archive.noisy or own >= _noise_hits_after(archive, found):
        return ""
    return about_noise(archive)


def about_noise(archive: Archive) -> str:
    """Say what is known of a noise of the performance's own."""
    return (
        "the performance has a noise of its own, which no proposal steers: what it does alone is known to "
        f"{3 / max(archive.nominal_draws, 1.0):.2g} only"
    )


def _with(known: list[Family], sight: Sight, settings: Settings) -> list[Family]:
    """Return the latest parts with one that was found, if it adds anything."""
    if sight.part is None or sight.missed < settings.least_missed:
        return known
    return [*known, sight.part][-settings.most_parts :]


def _rescue(archive: Archive, found: Measurement, bound: float) -> Looking:
    """Look about known hits that a measurement covers poorly, where rows can walk."""
    if not archive.space.moves(False):
        return NOTHING
    rng = _generator(found.samples[-1])
    return (yield from rescue(archive, found.proposal, found.tally.log_probability, bound, rng))


def _generator(sample: Sample) -> np.random.Generator:
    """Return a generator of its own, apart from the one that fits take."""
    return sample.stream().spawn(1)[0]


def _ask_again(archive: Archive) -> Generator[Request, Batch, None]:
    """Score two known rows once more: where one differs, the performance has a noise of its own."""
    newest = archive.learned[-1]
    at = [int(np.argmin(newest.scores)), int(np.argmax(newest.scores))]
    rows = newest.x[at]
    rows.flags.writeable = False
    batch = yield Rows(rows)
    before, after = newest.scores[at], np.where(np.isnan(batch.scores), -np.inf, batch.scores)
    archive.noisy = archive.noisy or not np.allclose(before, after, rtol=1e-9, atol=1e-12)


def _scout(archive: Archive) -> Generator[Request, Batch, None]:
    """Draw from the scouts of the space: what they see joins the fits."""
    for scout in archive.space.scouts():
        yield from archive.draw(scout, archive.settings.path_rows, archive.pilots, "outside", archive.level)


def _check_plainly(archive: Archive, found: Measurement) -> Generator[Request, Batch, None]:
    """Draw from the nominal where that is cheap, in place of a look from outside."""
    settings = archive.settings
    if found.tally.log_probability < np.log(settings.checked):
        return
    lacking = settings.plain_hits * np.exp(-found.tally.log_probability) - archive.nominal_draws
    if lacking > 0:
        n = int(np.ceil(lacking))
        yield from archive.draw(archive.space.nominal, n, archive.pilots, "outside", archive.level)


def measure_missing(archive: Archive) -> Generator[Request, Batch, tuple[Family, list[Sample]]]:
    """Draw where scores are NaN, as long as learning took: what is likely of them where nothing was hit."""
    space, pool = archive.space, Pool(archive.learned)
    part = _fit_part(archive, pool, np.where(pool.missing, pool.log_weights(), -np.inf))
    proposal = mixture([part, space.wide, space.nominal], [space.rates[0], *space.rates[2:]])
    drawn = yield from archive.draw(proposal, archive.spent, archive.measured, "measure", archive.level)
    return proposal, [drawn]


def fitting_pool(archive: Archive) -> Pool:
    """Return what the chains drew lately and all measurements; all there is where that holds no hit."""
    recent = [s for chain in archive.chains for s in archive.recent(chain)] + archive.pilots
    samples = recent + newest(archive.measured, archive.settings.most_measured)
    hit = any((s.scores >= archive.level).any() for s in samples)
    return Pool(samples if hit else archive.learned + archive.pilots + archive.measured)


class Frozen(NamedTuple):
    """A final proposal, the share of the nominal distribution in it, and the fewest rows to draw."""

    proposal: Family
    nominal_share: float
    least: float = 0.0


def final_proposal(archive: Archive, pool: Pool, extra: list[Family]) -> Frozen:
    """Fit to the hits; add an inflated copy, a wide part, the nominal, and `extra` parts."""
    space = archive.space
    fitted = fit(archive, pool, pool.event_weights(archive.level), pool.samples[-1].stream())
    parts = [fitted, space.inflated(fitted), space.wide, space.nominal, *extra]
    share = space.settings.extra_share / max(len(extra), 1)
    rates = [*space.rates, *(share for _ in extra)]
    return Frozen(mixture(parts, rates), rates[3] / sum(rates))


def with_nominal(archive: Archive, frozen: Frozen, draws: float) -> Frozen:
    """Return half a proposal and half the nominal, of which so many draws come."""
    if draws <= 0:
        return frozen
    mixed = mixture([frozen.proposal, archive.space.nominal], [0.5, 0.5])
    return Frozen(mixed, 0.5 + 0.5 * frozen.nominal_share, 2 * draws)


def _missing_part(archive: Archive, pool: Pool) -> list[Family]:
    """Return a part that draws where scores are NaN, if they matter beside the event."""
    log_v = np.where(pool.missing, pool.log_weights(), -np.inf)
    if effective(log_v) < archive.settings.few_effective:
        return []
    event = np.log(archive.settings.least_error) + pool.log_probability(archive.level)
    if float(logsumexp(log_v) - np.log(pool.size)) < event:
        return []
    return [_fit_part(archive, pool, log_v)]


def _holds_atom(archive: Archive, pool: Pool) -> bool:
    """Whether the level of a quantile holds much more than its probability."""
    if archive.probability is None:
        return False
    return bool(pool.log_probability(archive.level) > np.log(ATOM * archive.probability))


def _excess_part(archive: Archive, pool: Pool) -> list[Family]:
    """Return a part that draws where the mean beyond a quantile comes from."""
    if archive.probability is None:
        return []
    log_v = pool.log_weights()
    far = gaps_beyond(pool.scores, archive.level, pool.missing, archive.complement)
    with np.errstate(divide="ignore"):
        log_v = np.where(np.isfinite(far), log_v + np.log(far), -np.inf)
    return [_fit_part(archive, pool, log_v)] if effective(log_v) >= archive.settings.few_effective else []


def _fit_part(archive: Archive, pool: Pool, log_weights: Floats) -> Family:
    kept = np.isfinite(log_weights)
    rng = pool.samples[-1].stream()
    return archive.space.inflated(archive.space.fit(pool.x[kept], scaled(log_weights[kept]), None, rng))


def _known_modes(archive: Archive) -> list[Family]:
    space = archive.space
    if isinstance(space, DiscreteSpace) and archive.modes is not None:
        return [space.about(archive.modes)]
    return []


def _measure(archive: Archive, frozen: Frozen, target_cv: float, overtime: int) -> Measuring:
    """Draw a pilot, then as many rows as its variance asks for, and no fewer than learning took.

    While `overtime` is negative, a proposal that would need more than learning took, or whose pilot fails the
    second look, is given up. From then on every measurement of a probability goes on to the target, and takes
    twice the rows of the one before.
    """
    n, spent, settings, proposal = archive.batch, archive.spent, archive.settings, frozen.proposal
    usual = max(target_cv, settings.usual_cv)
    last = overtime >= 0 or frozen.least > 0
    patient = overtime >= 0 and archive.patient
    most = np.inf if patient else settings.most_batches * n * (usual / target_cv) ** 2
    least = spent * 2.0 ** max(overtime, 0)
    samples: list[Sample] = []
    more = n
    for round_ in count():
        drawing = archive.draw(
            proposal,
            more,
            archive.measured,
            "measure",
            archive.level,
            lambda new: archive.tally([*samples, new]).interim(least_error=settings.least_error),
            target_cv,
            frozen.nominal_share,
        )
        samples.append((yield from drawing))
        archive.settle(samples)
        tally = archive.tally(samples)
        found = Measurement(proposal, samples, tally, "", archive.excess(samples))
        cv = found.coefficient_of_variation
        if not last and tally.draws * (cv / usual) ** 2 > settings.too_poor * max(spent, 2 * n):
            return replace(found, doubt="the proposal is too poor to reach the target")
        if not last and round_ == 0 and second_look(archive, found)[0]:
            break
        need = settings.cushion * tally.draws * (cv / target_cv) ** 2
        goal = min(max(need, min(least, settings.most_times * need)), most)
        goal = max(goal, frozen.least, least if overtime > 0 else 0.0)
        steady = round_ > 0 and cv <= target_cv and overtime <= 0 and tally.draws >= frozen.least
        if tally.draws >= goal or steady:
            break
        if not patient and round_ + 1 >= settings.most_rounds and tally.draws >= frozen.least:
            break
        goal = min(goal, settings.most_growth * tally.draws)
        more = int(np.ceil(goal)) - tally.draws
    return found


def _objections(archive: Archive, found: Measurement, target_cv: float) -> str:
    """Say what the weights speak against the probability, or else against the mean beyond it, or nothing."""
    doubt = objection(found.tally, archive.settings, target_cv)
    if doubt or archive.probability is None:
        return doubt
    if found.excess is None:
        return _lost_excess(archive)
    doubt = objection(found.excess, archive.settings, target_cv)
    return f"the expected shortfall is in doubt: {doubt}" if doubt else ""


def _lost_excess(archive: Archive) -> str:
    """Say that scores beyond a quantile were seen, though not by the final proposal, or nothing."""
    pool = Pool(archive.learned)
    if not gaps_beyond(pool.scores, archive.level, pool.missing, archive.complement).any():
        return ""
    return "the final proposal saw no score beyond the quantile, but learning did: its mean is not known"
