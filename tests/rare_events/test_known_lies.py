"""Limit states that fool estimators which are led by scores, and their exact probabilities."""

import numpy as np
import pytest
from helpers import Laplace
from scipy import stats
from scipy.special import ndtr

import cem

U = np.linspace(-9.5, 9.5, 400_001)
DENSITY = stats.norm.pdf(U) * (U[1] - U[0])


def chance(other, level):
    """P(y + other(u) >= level) of standard normal y and u, by quadrature."""
    return float(DENSITY @ ndtr(other(U) - level))


def mean(X):
    return X.sum(axis=1) / np.sqrt(X.shape[1])


def gaussian(d):
    return cem.Gaussian(np.zeros(d), std=1)


def either(*p):
    return float(-np.expm1(np.log1p(-np.array(p)).sum()))


def jump(u):
    return 10 * (u > 4)


def growth(u):
    return np.exp(2 * u - 8)


def heavy(u):
    return 1e-4 * stats.cauchy.isf(ndtr(-u))


def late_bits(X):
    return np.maximum(X[:, 16:].sum(axis=1) - 46.0, 9.0 * (X[:, :16].sum(axis=1) == 16) - 6)


def two_blocks(X):
    return np.maximum(X[:, :17].sum(axis=1) - 16.5, 9 * (X[:, 17:32].sum(axis=1) == 0) - 4.5)


RARE = [stats.bernoulli(1e-4), *[stats.norm()] * 99]
CASES = {
    "a small Cauchy": (
        lambda X: mean(X[:, :-1]) + 1e-4 * X[:, -1],
        [*[stats.norm()] * 99, stats.cauchy()],
        5.0,
        chance(heavy, 5.0),
    ),
    "a jump": (lambda X: mean(X[:, 1:]) + jump(X[:, 0]), gaussian(100), 5.0, chance(jump, 5.0)),
    "growth": (lambda X: mean(X[:, 1:]) + growth(X[:, 0]), gaussian(100), 5.0, chance(growth, 5.0)),
    "a rare switch": (
        lambda X: mean(X[:, 1:]) + 6 * X[:, 0],
        RARE,
        5.0,
        (1 - 1e-4) * ndtr(-5) + 1e-4 * ndtr(1),
    ),
    "a diagonal": (
        lambda X: mean(X[:, :20]) + 8 * (mean(X[:, 20:]) > 4),
        gaussian(40),
        5.0,
        chance(lambda u: 8 * (u > 4), 5.0),
    ),
    "a late group of bits": (
        late_bits,
        cem.Bernoulli([0.5] * 76),
        0.0,
        either(stats.binom(60, 0.5).sf(45), 0.5**16),
    ),
    "two blocks of bits": (two_blocks, cem.Bernoulli([0.5] * 36), 0.0, 0.5**17 + 0.5**15 - 0.5**32),
    "largest of five": (
        lambda X: X.max(axis=1),
        Laplace(np.zeros(5), np.ones(5)),
        13.0,
        either(*[0.5 * np.exp(-13.0)] * 5),
    ),
    "either of two planes": (
        lambda X: np.maximum(mean(X[:, :5]), mean(X[:, 5:])),
        gaussian(10),
        4.5,
        either(ndtr(-4.5), ndtr(-4.5)),
    ),
}
IMPROVED = ("two blocks of bits", "either of two planes")
SLOW = ("a small Cauchy", "a jump", "growth", "a rare switch", "a diagonal", "a late group of bits")
MULTILEVEL = ("a late group of bits", "two blocks of bits", "largest of five", "either of two planes")


def check(e, exact):
    low, high = e.confidence_interval(0.9999)
    assert e.success, e.message
    assert low < exact < high


@pytest.mark.parametrize("name", [*IMPROVED, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_the_improved_method(name):
    performance, inputs, level, exact = CASES[name]
    check(cem.estimate_probability(performance, inputs, level, vectorized=True, rng=1), exact)


@pytest.mark.parametrize("name", MULTILEVEL)
def test_the_multilevel_method(name):
    performance, inputs, level, exact = CASES[name]
    arguments = {"vectorized": True, "method": "multilevel", "max_evaluations": 300_000}
    check(cem.estimate_probability(performance, inputs, level, rng=1, **arguments), exact)


@pytest.mark.parametrize(
    ("performance", "inputs", "level"),
    [
        (lambda x: x[0], [stats.bernoulli(0)], 1),
        (lambda x: x[0], [stats.uniform()], 1),
        (lambda x: x.max(), [stats.bernoulli(0)] * 3, 1),
    ],
)
def test_what_cannot_happen_is_not_claimed_to(performance, inputs, level):
    e = cem.estimate_probability(performance, inputs, level, rng=1)
    assert e.probability == 0
    assert not e.success


@pytest.mark.slow
@pytest.mark.parametrize("std", [1e160, 1e-200])
def test_spreads_whose_squares_are_no_doubles(std):
    e = cem.estimate_probability(lambda X: X[:, 0], [stats.norm(0, std)], 4 * std, vectorized=True, rng=1)
    check(e, stats.norm.sf(4))


def exits(high, low, up, down):
    """A walk that dies at each step with the probability that is left, and its chance to leave first."""
    moves, n = np.array([1, -1, 0]), high - low + 1
    matrix, ends = np.eye(n), np.zeros(n)
    ends[[0, -1]] = 1
    for i in range(1, n - 1):
        matrix[i, i + 1] -= up
        matrix[i, i - 1] -= down
    path = cem.MarkovPath(
        lambda s, m: np.column_stack([s[:, 0] + moves[m], m == 2]),
        lambda s: (s[:, 1] == 1) | (s[:, 0] >= high) | (s[:, 0] <= low),
        [0, 0],
        [up, down, 1 - up - down],
    )
    return path, float(np.linalg.solve(matrix, ends)[-low])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_path_with_two_exits_is_checked_by_plain_ones(seed):
    path, exact = exits(28, -9, 0.6, 0.3)
    e = cem.estimate_probability(
        lambda s: np.maximum(s[:, 0] / 28, s[:, 0] / -9), path, 1, vectorized=True, rng=seed
    )
    assert 1e-3 < exact < 2e-3
    check(e, exact)
    assert e.resolution < 0.4 * exact  # about three over the plain paths that twelve hits took


@pytest.mark.slow
@pytest.mark.parametrize("d", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_a_quantile_with_a_late_jump(d):
    e = cem.estimate_quantile(
        lambda X: mean(X[:, 1:]) + jump(X[:, 0]), gaussian(d), 1e-5, vectorized=True, rng=0
    )
    above, below = (chance(jump, q) / 1e-5 for q in e.confidence_interval(0.9999))
    assert e.success, e.message
    assert below < 1 < above


@pytest.mark.slow
@pytest.mark.parametrize("shape", [1.2, 1.5])
def test_shortfalls_of_tails_with_a_mean_but_no_variance(shape):
    e = cem.estimate_quantile(lambda X: X[:, 0], [stats.pareto(shape)], 1e-3, vectorized=True, rng=0)
    quantile = 1e-3 ** (-1 / shape)
    low, high = e.shortfall_interval(0.9999)
    assert e.success, e.message
    assert low < quantile * shape / (shape - 1) < high


@pytest.mark.slow
def test_the_quantile_of_a_bounded_score_is_its_bound():
    e = cem.estimate_quantile(lambda X: np.minimum(X[:, 0], 3), gaussian(2), 1e-5, vectorized=True, rng=1)
    assert e.success, e.message
    assert e.quantile == e.expected_shortfall == 3


def island(X):
    """Beyond 9 in a disc behind the other tail that no score leads to."""
    return np.where(np.hypot(X[:, 0] + 2.5, X[:, 1]) < 0.1, 9.0, X[:, 0])


@pytest.mark.slow
def test_a_quantile_can_have_a_resolution():
    disc, p = stats.ncx2.cdf(0.1**2, 2, 2.5**2), 4e-4
    unseen = cem.estimate_quantile(island, gaussian(2), p, vectorized=True, rng=0)
    assert unseen.quantile == pytest.approx(stats.norm.isf(p), abs=0.05)
    assert f"{unseen.resolution:.2g} unseen" in unseen.message
    e = cem.estimate_quantile(island, gaussian(2), p, vectorized=True, resolution=1e-4, rng=0)
    low, high = e.confidence_interval(0.9999)
    assert e.success, e.message
    assert e.resolution <= 1e-4
    assert low < stats.norm.isf(p - disc) < high
    with pytest.raises(ValueError, match="resolution"):
        cem.estimate_quantile(island, gaussian(2), p, resolution=2)
