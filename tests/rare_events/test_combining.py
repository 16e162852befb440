"""One estimate from all measurements of a run."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.rare_events.archive import Archive
from cem.rare_events.combining import combine, log_density, measurements
from cem.rare_events.pool import Sample
from cem.rare_events.spaces.normal import NormalSpace

LEVEL = 3.0
EXACT = stats.norm.sf(LEVEL)


def normal(mean, std):
    return cem.GaussianMixture([1.0], np.array([[mean]]), np.array([[std]]))


GOOD, NARROW, ELSEWHERE = normal(3.3, 0.8), normal(3.2, 0.35), normal(-3.0, 1.0)


def draw(archive, proposal, n, rng):
    x = proposal.sample(n, rng)
    log_nominal = np.asarray(archive.space.nominal.log_prob(x))
    missing = np.zeros(n, dtype=bool)
    sample = Sample(x, x[:, 0].copy(), proposal, log_nominal, lambda: rng, missing)
    archive.measured.append(sample)
    return sample


def archive_of(*proposals, n=600, seed=1):
    archive, rng = Archive(NormalSpace(1), LEVEL), np.random.default_rng(seed)
    for proposal in proposals:
        draw(archive, proposal, n, rng)
    return archive


def test_one_measurement_is_itself():
    archive = archive_of(GOOD, GOOD)
    tally, alone = combine(archive), archive.tally(archive.measured)
    assert tally.draws == alone.draws == 1200
    assert tally.log_probability == pytest.approx(alone.log_probability, rel=1e-12)
    assert tally.coefficient_of_variation == pytest.approx(alone.coefficient_of_variation, rel=1e-12)


def test_a_measurement_that_looks_elsewhere_has_no_say():
    archive = archive_of(ELSEWHERE, GOOD)
    alone = archive.tally(archive.measured[1:])
    assert combine(archive).log_probability == pytest.approx(alone.log_probability, abs=0.01)


def test_measurements_without_a_hit_have_none_together():
    tally = combine(archive_of(ELSEWHERE, normal(-2.0, 0.5), n=20))
    assert tally.draws == 40
    assert len(tally.hits) == 0


def test_the_density_is_that_of_the_mixture_that_was_drawn_from():
    archive, rng = archive_of(NARROW), np.random.default_rng(2)
    draw(archive, GOOD, 1800, rng)
    x = np.linspace(2, 5, 7)[:, None]
    exact = 0.25 * stats.norm(3.2, 0.35).pdf(x[:, 0]) + 0.75 * stats.norm(3.3, 0.8).pdf(x[:, 0])
    np.testing.assert_allclose(np.exp(log_density(measurements(archive), x)), exact)


def test_the_newest_rows_are_taken():
    archive = archive_of(ELSEWHERE, NARROW, GOOD, n=60_000)
    assert [group.proposal for group in measurements(archive)] == [GOOD, NARROW]


def last_and_all(seed):
    """Measure narrowly until no weight is large: what the last measurement says, and what all say."""
    archive, rng = Archive(NormalSpace(1), LEVEL), np.random.default_rng(seed)
    for turn in range(6):
        sample = draw(archive, normal(3.1, 0.2 + 1e-6 * turn), 300, rng)
        tally = archive.tally([sample])
        if tally.largest_share < 0.05:
            break
    return np.exp(tally.log_probability) / EXACT, np.exp(combine(archive).log_probability) / EXACT


def test_all_lean_less_than_the_last_one_that_met_no_large_weight():
    last, whole = np.array([last_and_all(seed) for seed in range(120)]).T
    error = (whole - last).std() / np.sqrt(len(whole))
    assert last.mean() < 0.96
    assert whole.mean() - last.mean() > 4 * error
    assert whole.mean() < 1 + 4 * whole.std() / np.sqrt(len(whole))
