"""The improved method's parts, each by itself."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import cem
from cem.core.loop import Batch
from cem.families import BernoulliMixture
from cem.rare_events.archive import Archive
from cem.rare_events.doubts import objection
from cem.rare_events.importance import Tally, pareto_shape
from cem.rare_events.improved import contradiction, rough_estimate
from cem.rare_events.intervals import unskewed
from cem.rare_events.learning import normal_distance, soft
from cem.rare_events.pool import Pool, Sample, effective, scaled, sharpest
from cem.rare_events.settings import DEFAULT
from cem.rare_events.spaces.choice import Candidate, choose
from cem.rare_events.spaces.discrete import BitSpace, descend
from cem.rare_events.spaces.factors import one_large, stands_out
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.spaces.structures import full, seeded, sparse

RNG = np.random.default_rng


def sample(family, nominal, n, seed):
    x = family.sample(n, RNG(seed))
    return Sample(x, x[:, 0], family, nominal.log_prob(x), lambda: RNG(seed), np.isnan(x[:, 0]))


def test_the_balance_heuristic_weighs_several_proposals_as_one():
    nominal, wide = cem.Gaussian([0.0], std=1), cem.Gaussian([2.0], std=2)
    pool = Pool([sample(nominal, nominal, 4000, 1), sample(wide, nominal, 4000, 2)])
    w = np.exp(pool.log_weights())
    assert w.max() <= 2
    assert w.mean() == pytest.approx(1, abs=0.05)
    assert (w * (pool.scores >= 3)).mean() == pytest.approx(stats.norm.sf(3), rel=0.1)


def test_distances_are_normal_whatever_the_scale():
    u = RNG(1).standard_normal(20_000)
    t = normal_distance(u, 1.0, np.zeros(u.size))
    np.testing.assert_array_equal(t, normal_distance(np.exp(5 * u), np.exp(5.0), np.zeros(u.size)))
    middle = np.abs(u) < 2
    np.testing.assert_allclose(t[middle], 1 - u[middle], atol=0.06)
    assert np.array_equal(t <= 0, u >= 1)


def test_distances_with_ties_and_infinities():
    t = normal_distance(np.array([-np.inf, 0.0, 0.0, 1.0, np.inf]), 1.0, np.zeros(5))
    assert np.all(np.isfinite(t))
    assert np.all(np.diff(t) <= 0)
    assert np.array_equal(t <= 0, [False, False, False, True, True])
    assert np.all(soft(t, 0.1) <= 0)


def test_the_sharpest_tilt_keeps_what_is_wanted():
    t = RNG(2).random(1000) * 5

    def tilt(sigma):
        return soft(t, sigma)

    assert effective(tilt(sharpest(tilt, 1e-4, 1e3, 100.0))) == pytest.approx(100, rel=0.01)


def test_effective_numbers():
    assert effective(np.log([1.0, 1, 1, 1])) == pytest.approx(4)
    assert effective(np.array([-np.inf, 0.0])) == 1
    assert effective(np.array([-np.inf])) == 0
    assert scaled(np.log([1.0, 3])).sum() == pytest.approx(1.6)


def test_held_out_rows_choose_the_components():
    rng = RNG(3)
    x = rng.normal(size=(600, 2))
    x[:300] += 8
    candidates = [Candidate("full", lambda *rows: seeded(full, DEFAULT, *rows), (1, 2, 3))]
    assert choose(candidates, DEFAULT, x, np.ones(600), rng).shares.size == 2
    assert choose(candidates, DEFAULT, rng.normal(size=(200, 2)), np.ones(200), rng).shares.size == 1


def test_sparse_moves_only_what_stands_out():
    x = RNG(4).normal(size=(500, 20))
    x[:, 0] += 3
    part = sparse(x, np.ones(500), DEFAULT)
    assert part.mean[0] == pytest.approx(3, abs=0.2)
    assert np.count_nonzero(part.mean) <= 2


def test_the_slope_of_a_linear_score():
    x = RNG(5).normal(size=(2000, 40))
    slope = NormalSpace(40).slope(x, x[:, 0] - x[:, 1])
    assert slope[:2] == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)], abs=0.05)


def test_descent_ends_at_minimal_hits():
    space = BitSpace(BernoulliMixture([1], [[0.1] * 6]))

    def hits(X):
        return ((X[:, 0] & X[:, 1]) | X[:, 5]).astype(float)

    x = RNG(6).integers(0, 2, (200, 6)).astype(np.uint8)
    walk = descend(x[hits(x) == 1], space.likely, space.skewed, 1.0, RNG(7))
    request, ends = next(walk), None
    while ends is None:
        try:
            request = walk.send(Batch(request.x, hits(request.x), lambda: RNG(0)))
        except StopIteration as ended:
            ends = ended.value
    assert sorted(map(tuple, ends)) == [(0, 0, 0, 0, 0, 1), (1, 1, 0, 0, 0, 0)]
    mixture = space.about(ends)
    np.testing.assert_allclose(np.sort(mixture.shares), np.sort([9**-0.5, 1]) / (1 + 9**-0.5))


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_pareto_shapes(shape):
    w = stats.genpareto(shape).rvs(20_000, random_state=8)
    assert pareto_shape(np.log(w)) == pytest.approx(shape, abs=0.2)


def test_pareto_shape_where_there_is_none():
    assert pareto_shape(np.zeros(100)) == -np.inf
    assert pareto_shape(np.zeros(3)) == np.inf
    assert pareto_shape(np.full(10, -np.inf)) == np.inf


def test_hall_undoes_skewness():
    assert unskewed(1.96, 0.0, 100) == 1.96
    assert unskewed(1.96, 3.0, 100) < 1.96 < -unskewed(-1.96, 3.0, 100)


def test_hall_covers_the_mean_of_exponentials_better_than_walds():
    n, z = 20, stats.norm.isf(0.025)
    x = RNG(9).exponential(size=(4000, n))
    t = (x.mean(axis=1) - 1) / (x.std(axis=1, ddof=1) / np.sqrt(n))
    skewness = stats.skew(x, axis=1)
    hall = np.mean([unskewed(-z, s, n) <= v <= unskewed(z, s, n) for v, s in zip(t, skewness, strict=True)])
    assert hall > np.mean(np.abs(t) <= z)


def test_any_coordinate_may_be_the_large_one():
    """Rows with one coordinate at 4 or at -4; the last was never seen large and yet is foreseen."""
    rng, d = RNG(10), 6
    x = rng.normal(size=(300, d))
    x[np.arange(300), rng.integers(0, d - 1, 300)] = rng.choice([-4, 4], 300) + 0.2 * rng.normal(size=300)
    mixture = one_large(DEFAULT, x, np.ones(300), 1, rng)
    assert mixture.shares.size == 2 * d
    for j in range(d):
        for sign in (4, -4):
            row = np.zeros((1, d))
            row[0, j] = sign
            assert mixture.log_prob(row)[0] > stats.norm.logpdf(row).sum() + 2
    assert one_large(DEFAULT, np.abs(x), np.ones(300), 1, rng).shares.size == d


def test_when_one_large_coordinate_stands_out():
    rng, d = RNG(11), 100
    x, ones = rng.normal(size=(300, d)), np.ones(300)
    assert not stands_out(DEFAULT, x, ones)
    assert stands_out(DEFAULT, x[:, :60], ones)
    x[:, 0] += 4  # always the same
    assert not stands_out(DEFAULT, x, ones)
    x[np.arange(300), rng.integers(1, d, 300)] += 6
    assert stands_out(DEFAULT, x, ones)


def chains(*levels):
    """An archive whose chains saw the event at level 2 under normals that were shifted to these levels."""
    space = NormalSpace(1)
    archive = Archive(space, 2.0)
    for k, level in enumerate(levels):
        wide = cem.Gaussian([level], std=1)
        archive.chains.append([sample(wide, space.nominal, 4000, k)])
    return archive


def test_chains_that_agree_and_that_contradict_one_another():
    agreeing = chains(1.5, 2.5)
    for chain in agreeing.chains:
        rough = rough_estimate(agreeing, chain)
        assert abs(rough.log_probability - stats.norm.logsf(2)) < 4 * rough.error
    assert contradiction(agreeing, -np.inf) == ""
    assert contradiction(chains(1.5, -8.0), -np.inf) != ""
    other = chains(1.5, 1.5)
    last = other.chains[1][0]
    other.chains[1][0] = replace(last, scores=last.scores - 0.5)
    assert "contradict" in contradiction(other, -np.inf)
    assert contradiction(chains(-9.0, -8.0), -np.inf) == ""


def test_chains_are_not_held_against_a_measurement_that_found_as_much():
    lopsided = chains(1.5, -8.0)
    larger = max(rough_estimate(lopsided, chain) for chain in lopsided.chains)
    assert contradiction(lopsided, larger.log_probability) == ""
    assert "contradict" in contradiction(lopsided, larger.log_probability - np.log(2))


@pytest.mark.slow
def test_what_one_chain_missed_is_measured_all_the_same():
    """The first chain is blind to one of two ways to fail; the second one and the look are not."""
    stages = []

    def performance(X):
        first = stages.count("open") < 3
        return np.where(first & (X[:, 0] < 0), -9.0, np.abs(X[:, 0]))

    e = cem.estimate_probability(
        performance,
        cem.Gaussian([0.0, 0.0], std=1),
        3.5,
        vectorized=True,
        callback=lambda r: stages.append(r.history.stage[-1]),
        rng=1,
    )
    low, high = e.confidence_interval(0.999)
    assert e.success
    assert low < 2 * stats.norm.sf(3.5) < high


def test_lopsided_weights_are_a_doubt():
    even = Tally(1000, np.zeros((500, 1)), RNG(11).normal(scale=0.1, size=500))
    odd = Tally(1000, np.zeros((500, 1)), np.append(RNG(11).normal(scale=0.1, size=499), 3.5))
    assert objection(even, DEFAULT, 0.1) == ""
    assert "variance" in objection(odd, DEFAULT, 0.1)
