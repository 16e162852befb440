"""The look from outside in: modes that wake only near the level."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import Laplace
from scipy import stats
from scipy.special import ndtr

import cem
from cem.rare_events.archive import Archive
from cem.rare_events.importance import Tally
from cem.rare_events.outside import Coverage, weighted_quantile
from cem.rare_events.settings import DEFAULT
from cem.rare_events.spaces.moves import some_entries, subsets
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.spaces.own import Stretched, own_space
from cem.rare_events.walk import Walkers

RNG = np.random.default_rng
U = np.linspace(-9.5, 9.5, 400_001)
DU = U[1] - U[0]


def chance(other, level):
    """P(y + other(u) >= level) of standard normal y and u, by quadrature."""
    return float((stats.norm.pdf(U) * ndtr(other(U) - level)).sum() * DU)


def mean(X):
    return X.sum(axis=1) / np.sqrt(X.shape[1])


def gaussian(d):
    return cem.Gaussian(np.zeros(d), std=1)


def check(e, exact):
    low, high = e.confidence_interval(0.9999)
    assert e.success, e.message
    assert low < exact < high


def finish(steps):
    """Serve a stage that asks for scores of rows: their first entries."""

    class Scored:
        def __init__(self, x):
            self.scores = x[:, 0]

    try:
        request = next(steps)
        while True:
            request = steps.send(Scored(request.x))
    except StopIteration:
        return


JUMPS = {
    "a jump of one input": (lambda X: mean(X[:, 1:]) + 10 * (X[:, 0] > 4), 20, lambda u: 10 * (u > 4)),
    "an exponential": (
        lambda X: mean(X[:, 1:]) + np.exp(3 * X[:, 0] - 11),
        30,
        lambda u: np.exp(3 * u - 11),
    ),
    "a direction of many inputs": (
        lambda X: mean(X[:, :5]) + 8 * (mean(X[:, 5:]) > 4),
        10,
        lambda u: 8 * (u > 4),
    ),
}


@pytest.mark.parametrize("name", JUMPS)
def test_late_modes_are_found(name):
    performance, d, other = JUMPS[name]
    e = cem.estimate_probability(performance, gaussian(d), 5.0, vectorized=True, rng=1)
    check(e, chance(other, 5.0))


@pytest.mark.slow
def test_a_rare_switch_is_found():
    inputs = [stats.bernoulli(1e-4), *[stats.norm()] * 9]
    e = cem.estimate_probability(lambda X: mean(X[:, 1:]) + 6 * X[:, 0], inputs, 5.0, vectorized=True, rng=1)
    check(e, (1 - 1e-4) * ndtr(-5) + 1e-4 * ndtr(1))


@pytest.mark.slow
def test_a_small_cauchy_among_many_normals():
    inputs = [*[stats.norm()] * 99, stats.cauchy()]
    e = cem.estimate_probability(
        lambda X: X[:, :-1].sum(axis=1) / np.sqrt(99) + 1e-4 * X[:, -1],
        inputs,
        5.0,
        vectorized=True,
        rng=1,
    )
    check(e, chance(lambda u: 1e-4 * stats.cauchy.isf(ndtr(-u)), 5.0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_group_of_bits_beside_a_sum(seed):
    def performance(X):
        return np.maximum(X[:, :17].sum(axis=1) - 16.5, 9 * (X[:, 17:32].sum(axis=1) == 0) - 4.5)

    e = cem.estimate_probability(performance, cem.Bernoulli([0.5] * 36), 0, vectorized=True, rng=seed)
    check(e, 0.5**17 + 0.5**15 - 0.5**32)


@pytest.mark.slow
def test_an_event_that_learning_never_reached_is_entered_from_outside():
    def performance(X):
        return (X[:, :1] == X).all(axis=1) * 1.0

    e = cem.estimate_probability(
        performance, cem.Categorical(np.full((7, 6), 1 / 6)), 1, vectorized=True, rng=0
    )
    check(e, 6 * 6.0**-7)


@pytest.mark.parametrize("seed", [0, 1])
def test_both_exits_of_a_path_are_found(seed):
    moves = np.array([1, -1, 0])
    path = cem.MarkovPath(
        lambda s, m: np.column_stack([s[:, 0] + moves[m], m == 2]),
        lambda s: (s[:, 1] == 1) | (s[:, 0] >= 28) | (s[:, 0] <= -9),
        [0, 0],
        [0.6, 0.3, 0.1],
    )
    n = 28 + 9 + 1
    matrix, ends = np.eye(n), np.zeros(n)
    ends[[0, -1]] = 1
    for i in range(1, n - 1):
        matrix[i, i + 1] -= 0.6
        matrix[i, i - 1] -= 0.3
    exact = np.linalg.solve(matrix, ends)[9]
    e = cem.estimate_probability(
        lambda s: np.maximum(s[:, 0] / 28, s[:, 0] / -9), path, 1, vectorized=True, rng=seed
    )
    check(e, exact)


@pytest.mark.slow
def test_rare_noise_is_not_claimed_away():
    def performance(X, rng):
        return np.where(rng.random(len(X)) < 1e-4, 9.0, X[:, 0])

    e = cem.estimate_probability(
        performance, gaussian(3), 4.5, vectorized=True, pass_rng=True, max_evaluations=60_000, rng=1
    )
    assert not e.success
    assert "proposals were measured with; the performance has a noise of its own" in e.message


@pytest.mark.slow
def test_noise_that_no_draws_resolve_is_said_as_a_number():
    def performance(X, rng):
        return X[:, 0] + 0.01 * rng.standard_normal(len(X))

    rare = replace(DEFAULT, most_nominal=2000.0)
    e = cem.estimate_probability(
        performance, gaussian(2), 5.0, vectorized=True, pass_rng=True, method=rare, rng=1
    )
    assert e.status is cem.Status.UNTRUSTED
    assert "noise of its own" in e.message
    assert e.resolution < 3 / 2000


@pytest.mark.slow
def test_small_noise_of_a_common_event_is_claimed():
    def performance(X, rng):
        return X[:, 0] + 0.1 * rng.standard_normal(len(X))

    e = cem.estimate_probability(performance, gaussian(2), 3.0, vectorized=True, pass_rng=True, rng=1)
    check(e, stats.norm.sf(3 / np.sqrt(1.01)))


@pytest.mark.slow
def test_hidden_noise_is_found_by_asking_twice():
    hidden = RNG(5)

    def performance(X):
        return X[:, 0] + 0.1 * hidden.standard_normal(len(X))

    few = replace(DEFAULT, most_nominal=2000.0)
    e = cem.estimate_probability(performance, gaussian(2), 5.0, vectorized=True, method=few, rng=1)
    assert "noise of its own" in e.message


def test_the_resolution_is_three_over_the_nominal_draws():
    e = cem.estimate_probability(np.sum, gaussian(2), 5.0, rng=1)
    nominal = 150 * 2 + 0.04 * e.draws
    assert e.resolution == pytest.approx(1 - 0.05 ** (1 / nominal))
    assert f"{e.resolution:.2g} unseen" in e.message
    plain = cem.estimate_probability(np.sum, gaussian(2), 0.0, rng=1)
    assert plain.resolution == pytest.approx(3 / plain.draws, rel=0.01)
    assert "unseen" not in plain.message


def island(X):
    """An event at 4.5 in the first input, and a disc behind the other tail that no score leads to."""
    disc = np.hypot(X[:, 0] + 2.5, X[:, 1]) < 0.06
    return np.where(disc, 9.0, X[:, 0])


@pytest.mark.slow
def test_a_resolution_that_is_bought_finds_what_nothing_leads_to():
    exact = stats.norm.sf(4.5) + stats.ncx2.cdf(0.06**2, 2, 2.5**2)
    unseen = cem.estimate_probability(island, gaussian(2), 4.5, vectorized=True, rng=2)
    assert unseen.probability < 0.1 * exact
    assert unseen.resolution > exact
    e = cem.estimate_probability(island, gaussian(2), 4.5, vectorized=True, resolution=3e-5, rng=2)
    assert e.resolution <= 3e-5
    check(e, exact)


@pytest.mark.parametrize("resolution", [0, 1, -1e-3, np.nan])
def test_a_resolution_is_a_probability(resolution):
    with pytest.raises(ValueError, match="resolution"):
        cem.estimate_probability(np.sum, gaussian(2), 5.0, resolution=resolution)


def test_the_multilevel_method_has_no_resolution_to_sell():
    with pytest.raises(ValueError, match="improved"):
        cem.estimate_probability(np.sum, gaussian(2), 5.0, resolution=0.01, method="multilevel")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_own_families_of_real_rows(seed):
    q = 0.5 * np.exp(-13.0)
    e = cem.estimate_probability(
        lambda X: X.max(axis=1), Laplace(np.zeros(5), np.ones(5)), 13.0, vectorized=True, rng=seed
    )
    check(e, 1 - (1 - q) ** 5)


def test_proposals_of_own_families_are_normals_moved_and_scaled():
    family = Stretched(cem.Gaussian([0.0, 0.0], std=1), np.array([1.0, -2.0]), np.array([3.0, 0.5]))
    exact = stats.norm([1.0, -2.0], [3.0, 0.5])
    x = family.sample(500, RNG(1))
    np.testing.assert_allclose(family.log_prob(x), exact.logpdf(x).sum(axis=1))
    assert family.entropy() == pytest.approx(float(exact.entropy().sum()))
    assert family.dimension == 2
    fitted = family.fit(x)
    assert fitted.log_prob(x).sum() >= family.log_prob(x).sum()


def test_families_with_bounds_or_atoms_have_no_space_of_their_own():
    assert own_space(cem.Exponential([1.0])) is None
    assert own_space(cem.Bernoulli([0.5])) is None
    assert own_space(cem.Gaussian([5.0], std=2)) is not None


@pytest.mark.parametrize("seed", [0, 1])
def test_the_multilevel_method_looks_too(seed):
    e = cem.estimate_probability(
        lambda X: X[:, 1] + 10 * (X[:, 0] > 4),
        gaussian(2),
        5.0,
        vectorized=True,
        method="multilevel",
        rng=seed,
    )
    check(e, chance(lambda u: 10 * (u > 4), 5.0))


def test_the_multilevel_method_looks_at_own_families():
    e = cem.estimate_probability(
        lambda X: np.maximum(X[:, 0], -X[:, 1] - 0.5),
        Laplace(np.zeros(2), np.ones(2)),
        11.0,
        vectorized=True,
        method="multilevel",
        rng=0,
    )
    check(e, 1 - (1 - 0.5 * np.exp(-11.0)) * (1 - 0.5 * np.exp(-11.5)))


def test_walkers_keep_the_nominal_given_the_event():
    rng = RNG(1)
    space = NormalSpace(2)
    walkers = Walkers(space, 1.0, np.column_stack([np.full(2000, 3.0), np.zeros(2000)]), rng)
    for _ in range(60):
        finish(walkers.step(np.arange(2000)))
    first = stats.norm.pdf(1) / stats.norm.sf(1)
    assert walkers.x[:, 0].min() >= 1
    assert walkers.x[:, 0].mean() == pytest.approx(first, abs=4 * 0.45 / np.sqrt(2000))
    assert walkers.x[:, 1].mean() == pytest.approx(0, abs=4 / np.sqrt(2000))
    assert walkers.x[:, 1].std() == pytest.approx(1, abs=4 / np.sqrt(4000))


def test_what_a_proposal_covers():
    space = NormalSpace(1)
    proposal = cem.Gaussian([3.0], std=1)
    x = proposal.sample(4000, RNG(1))
    hits = x[x[:, 0] >= 3]
    tally = Tally().count(len(x), hits, space.nominal.log_prob(hits) - proposal.log_prob(hits), np.empty(0))
    coverage = Coverage.of(space, proposal, tally)
    assert list(coverage.misses(np.array([[3.1], [-4.0]]))) == [False, True]
    assert list(coverage.settled(np.array([[3.3], [-4.0]]))) == [True, False]
    exact = stats.norm.logsf(3)
    assert coverage.excess(np.array([[3.0]])) == pytest.approx(-4.5 - exact, abs=0.1)


def test_nothing_is_covered_without_a_proposal():
    coverage = Coverage(NormalSpace(1))
    x = np.array([[0.0], [9.0]])
    assert coverage.misses(x).all()
    assert not coverage.settled(x).any()


def test_weighted_quantiles():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3])
    assert [weighted_quantile(values, weights, q) for q in (0.1, 0.6, 0.9, 1.0)] == [1, 2, 3, 3]


def test_subsets_are_never_empty_and_some_are_stretches():
    chosen = subsets(400, 12, RNG(1))
    assert chosen.any(axis=1).all()
    assert 0.1 < chosen.all(axis=1).mean() < 0.45
    few = some_entries((400, 12), np.full(400, 0.01), RNG(2))
    assert few.sum(axis=1).min() == 1
    half = some_entries((400, 12), np.full(400, 0.5), RNG(3))
    borders = (half != np.roll(half, 1, axis=1)).sum(axis=1)
    assert 0.4 < (borders == 2).mean() < 0.7


def test_points_outside_reach_what_an_event_alone_would_need():
    space = NormalSpace(20)
    sets = space.outside(np.log(1e-6), np.zeros((5, 20)), RNG(1))
    far = -stats.norm.ppf(1e-7)
    assert all(x.shape[1] == 20 for x in sets)
    large = sets[len(space.settings.scaled)]
    assert set(np.abs(large).argmax(axis=1)) == set(range(20))
    assert np.abs(large).max(axis=1) == pytest.approx(far)
    assert np.abs(sets[-1]).max() <= far
    assert ((sets[-1] != 0).sum(axis=1) == 1).all()


def test_points_outside_leave_impossible_values_out():
    source = cem.rare_events.working_space.resolve_inputs(cem.Bernoulli([0.0, 1.0, 0.5]))
    (x,) = source.space.outside(np.log(1e-3), np.empty((0, 3)), RNG(1))
    assert np.all(x[:, 0] == 0)
    assert np.all(x[:, 1] == 1)
    labels = cem.rare_events.working_space.resolve_inputs(cem.Categorical([[0.5, 0.5, 0.0]] * 4))
    (x,) = labels.space.outside(np.log(1e-3), np.empty((0, 4)), RNG(1))
    assert x.max() == 1
    assert Archive(labels.space, 1.0).pilots == []
