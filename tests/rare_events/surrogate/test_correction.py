"""The correction: without bias whatever the surrogate says, with an error that it knows."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import least_coverage
from scipy.special import ndtr
from scipy.stats import norm

from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.correction import Correction, Round, plan_inclusion
from cem.rare_events.surrogate.proposal import FreePool, View, serve, systematic, wide_normal

LEVEL = 2.5
EXACT = norm.sf(LEVEL)


def pool(n, seed=0, d=2):
    rng = np.random.default_rng(seed)
    space = NormalSpace(d)
    return FreePool.draw(space, wide_normal(d, EXACT), n, rng, EXACT)


def view_of(some_pool, mean, deviation=0.2):
    deviation = np.full(len(mean), deviation)
    return View(some_pool, mean, deviation, ndtr(mean / deviation), (mean, deviation))


SURROGATES = {
    "right": lambda u: u[:, 0] - LEVEL,
    "shifted in": lambda u: u[:, 0] - LEVEL + 0.4,
    "shifted out": lambda u: u[:, 0] - LEVEL - 0.4,
    "turned": lambda u: (u[:, 0] + u[:, 1]) / np.sqrt(2) - LEVEL,
    "opposite": lambda u: -u[:, 0] - LEVEL,
    "constant": lambda u: np.full(len(u), -1.0),
}


def corrected(view, inclusion, n, rng):
    at = systematic(inclusion.chances, n, np.argsort(view.mean), rng)
    weights = view.pool.weights[at] / (len(view.mean) * inclusion.chances[at])
    hit = view.pool.u[at, 0] >= LEVEL
    lost = np.zeros(n, dtype=bool)
    return Round(
        view.probability,
        0.0,
        inclusion.unseen,
        view.pool.u[at],
        weights,
        hit,
        lost,
        view.inside[at],
        view.miss[at],
    )


@pytest.mark.parametrize("name", SURROGATES)
def test_the_mean_over_samples_is_the_pools_truth(name):
    some = pool(4000)
    truth = float((some.weights * (some.u[:, 0] >= LEVEL)).mean())
    view = view_of(some, SURROGATES[name](some.u))
    inclusion = plan_inclusion(view, 0.05)
    assert inclusion.chances.sum() == pytest.approx(1)
    assert inclusion.chances.min() > 0
    rng = np.random.default_rng(3)
    found = np.array([Correction((corrected(view, inclusion, 60, rng),)).estimate()[0] for _ in range(700)])
    error = found.std(ddof=1) / np.sqrt(found.size)
    assert abs(found.mean() - truth) < 4 * error + 1e-12


@pytest.mark.parametrize("name", ["right", "shifted in", "shifted out", "turned"])
def test_intervals_cover_the_pools_truth(name):
    some = pool(4000)
    truth = float((some.weights * (some.u[:, 0] >= LEVEL)).mean())
    view = view_of(some, SURROGATES[name](some.u), 0.4)
    inclusion = plan_inclusion(view, 0.05)
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        p, error = Correction((corrected(view, inclusion, 80, rng),)).estimate()
        covered += abs(p - truth) <= 1.96 * error
    assert covered >= least_coverage(400) * 400


def test_a_surrogate_that_agrees_leaves_the_rule_of_three():
    some = pool(4000)
    view = view_of(some, SURROGATES["right"](some.u), 1e-3)
    inclusion = plan_inclusion(view, 0.05)
    p, error = Correction((corrected(view, inclusion, 60, np.random.default_rng(1)),)).estimate()
    assert p == pytest.approx(view.probability)
    assert 1.96 * error == pytest.approx(3 * inclusion.unseen / 60, rel=0.01)


def test_the_predicted_number_of_rows_reaches_the_target():
    some = pool(20_000)
    view = view_of(some, SURROGATES["right"](some.u), 0.15)
    inclusion = plan_inclusion(view, 0.1)
    rng = np.random.default_rng(2)
    n = int(np.ceil(inclusion.needed))
    cvs = []
    for _ in range(40):
        p, error = Correction((corrected(view, inclusion, n, rng),)).estimate()
        cvs.append(error / p)
    assert np.mean(cvs) <= 0.1 + 4 * np.std(cvs, ddof=1) / np.sqrt(40)


def test_systematic_samples_have_the_chances_they_are_asked_for():
    rng = np.random.default_rng(0)
    weights = rng.random(30)
    counts = np.zeros(30)
    for _ in range(4000):
        counts += np.bincount(systematic(weights, 5, np.arange(30), rng), minlength=30)
    expected = 4000 * 5 * weights / weights.sum()
    assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected + 1)).all()


def test_missing_scores_reach_from_no_event_to_every_event():
    u, ones = np.zeros((10, 2)), np.ones(10)
    lost = np.arange(10) < 2
    hit = np.arange(10) >= 5
    one = Round(0.5, 0.0, 0.1, u, 0.1 * ones, hit, lost, hit, 0.01 * ones)
    tally = Correction((one,)).tally()
    assert tally.estimate == pytest.approx(0.5)
    assert tally.highest == pytest.approx(0.5 + 0.02)
    assert tally.nan_probability == pytest.approx(0.02)
    assert tally.known(False).estimate == pytest.approx(0.5 / 0.98)
    assert np.exp(tally.with_missing().log_probability) == pytest.approx(0.52)
    start = Correction((one,), lost_at_start=0.1, lost_error=0.03).tally()
    assert start.nan_probability == pytest.approx(0.1)
    assert start.highest == pytest.approx(0.6)


def test_an_estimate_that_is_not_positive_has_a_bound():
    ones = np.ones(20)
    no = np.zeros(20, dtype=bool)
    tally = Correction((Round(0.01, 0.0, 0.01, np.zeros((20, 1)), 0.02 * ones, no, no, ~no, ones),)).tally()
    assert tally.estimate < 0
    assert tally.log_probability == -np.inf
    assert 0 < tally.standard_error < 0.01


def test_a_free_plan_is_served_without_evaluations():
    from cem.core.loop import Draw, Step

    asked = SimpleNamespace(n=0)

    def plan():
        batch = yield Draw(NormalSpace(2).nominal, 7)
        asked.n = len(batch.scores)
        yield Step(None)
        return float(batch.scores.sum()), batch.stream().random()

    results = [serve(plan(), lambda u: u[:, 0], np.random.default_rng(5)) for _ in range(2)]
    assert asked.n == 7
    assert results[0] == results[1]
