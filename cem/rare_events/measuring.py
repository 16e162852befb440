"""The frozen final proposal, what it measures, and the doubts that send it back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cem.core.loop import Batch, Request, Rows
from cem.families.base import Array, Family, Floats
from cem.rare_events.archive import Archive, mixture
from cem.rare_events.combining import combine, log_density, measurements
from cem.rare_events.importance import Tally, pareto_shape
from cem.rare_events.learning import ATOM, fit
from cem.rare_events.outside import NOTHING, Coverage, Looking, Outlook, Sight, look, rescue
from cem.rare_events.pool import Pool, Sample, effective, scaled
from cem.rare_events.settings import Settings
from cem.rare_events.spaces.discrete import DiscreteSpace
from cem.rare_events.tail import gaps_beyond


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
    samples = recent + _newest(archive.measured, archive.settings.most_measured)
    hit = any((s.scores >= archive.level).any() for s in samples)
    return Pool(samples if hit else archive.learned + archive.pilots + archive.measured)


def _newest(samples: list[Sample], rows: int) -> list[Sample]:
    """Return the newest samples that hold so many rows: fits look at a few thousand only."""
    kept, held = list[Sample](), 0
    for sample in reversed(samples):
        if held >= rows:
            break
        kept.append(sample)
        held += len(sample.scores)
    return kept[::-1]


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
            lambda new: archive.tally([*samples, new]).progress(target_cv),
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
    earlier = _newest([s for s in archive.measured if s not in found.samples], archive.settings.most_measured)
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
