"""The copula's correlation that gives two inputs theirs, by cells, closed forms and quadrature."""

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import zeta

import cem


def solved(first, second, wanted, kind="pearson"):
    """Return the copula's correlation."""
    correlation = [[1, wanted], [wanted, 1]]
    return float(cem.JointInputs([first, second], correlation, kind).normal_correlation[0, 1])


def cell(h, k, r):
    """P(Z > h, W > k) - P(Z > h) P(W > k), by Plackett's integral over the correlation."""

    def density(t):
        return np.exp(-(h * h + k * k - 2 * h * k * t) / (2 * (1 - t * t))) / (2 * np.pi * np.sqrt(1 - t * t))

    return integrate.quad(density, 0, r, epsabs=1e-13, epsrel=1e-11)[0]


def by_cells(first, second, r, values=(lambda k: k, lambda k: k)):
    """Return the Pearson correlation of functions of two discrete inputs with finitely many values."""
    sides = []
    for marginal, value in zip((first, second), values, strict=True):
        k = np.arange(marginal.support()[0], min(marginal.support()[1], 40) + 1)
        mass, level = marginal.pmf(k), np.array([value(each) for each in k], dtype=float)
        variance = mass @ (level - mass @ level) ** 2
        sides.append((stats.norm.isf(marginal.sf(k[:-1])), np.diff(level) / np.sqrt(variance)))
    (h, dx), (k, dy) = sides
    kept = (
        [(a, x) for a, x in zip(h, dx, strict=True) if abs(a) < 8],
        [(b, y) for b, y in zip(k, dy, strict=True) if abs(b) < 8],
    )
    return sum(x * y * cell(a, b, r) for a, x in kept[0] for b, y in kept[1])


@pytest.mark.parametrize("wanted", [-1.0, -0.99, -0.3, 0.01, 0.3, 0.9, 0.9999, 1.0])
def test_fair_bits_have_a_closed_form(wanted):
    """Of two fair bits, the correlation is 2 asin(r)/pi (Sheppard)."""
    bit = stats.bernoulli(0.5)
    assert solved(bit, bit, wanted) == pytest.approx(np.sin(np.pi * wanted / 2), abs=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (stats.binom(10, 0.1), stats.binom(10, 0.1), 0.5),
        (stats.binom(10, 0.1), stats.binom(10, 0.1), -0.4),
        (stats.binom(4, 0.5), stats.binom(3, 0.02), 0.3),
        (stats.poisson(0.7), stats.randint(-2, 3), 0.8),
        (stats.geom(0.6), stats.bernoulli(0.01), -0.05),
    ],
)
def test_discrete_pairs(first, second, wanted):
    r = solved(first, second, wanted)
    assert by_cells(first, second, r) == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize(("sd", "wanted"), [(0.5, 0.4), (1.0, -0.3), (2.0, 0.9), (3.0, 0.4)])
def test_lognormals_have_a_closed_form(sd, wanted):
    """For lognormals the copula's correlation is log(1 + w(e^(s^2) - 1))/s^2."""
    marginal = stats.lognorm(sd)
    assert solved(marginal, marginal, wanted) == pytest.approx(
        np.log1p(wanted * np.expm1(sd**2)) / sd**2, rel=1e-8
    )


MIXED = {
    "poisson": stats.poisson(3),
    "geometric": stats.geom(0.2),
    "f": stats.f(3, 6),
    "pearson3": stats.pearson3(2.0),
    "negative pearson3": stats.pearson3(-1.5),
    "pareto": stats.pareto(2.5),
    "student": stats.t(3),
    "two ends": stats.beta(0.1, 0.1),
    "triangular": stats.triang(0.3),
    "histogram with a gap": stats.rv_histogram((np.array([4, 0, 0, 3, 1]), np.arange(6.0)))(),
    "listed": stats.rv_discrete(values=([1, 2, 50], [0.6, 0.3, 0.1]))(),
    "far from 0": stats.expon(1e7),
}


@pytest.mark.parametrize("marginal", MIXED.values(), ids=MIXED)
def test_with_a_normal(marginal):
    """The correlation with a normal is r E[x(Z) Z]/sd."""
    if hasattr(marginal.dist, "pmf"):
        share = stats.norm.pdf(stats.norm.isf(marginal.sf(np.arange(0, 2000)))).sum() / marginal.std()
    else:
        share, _ = integrate.quad(
            lambda u: stats.norm.isf(u) * (marginal.isf(u) - marginal.ppf(u)), 0, 0.5, **CLOSE
        )
        share /= marginal.std()
    assert solved(marginal, stats.norm(3, 2), 0.5) == pytest.approx(0.5 / share, rel=2e-6)


@pytest.mark.slow
def test_wide_discrete_inputs_with_a_normal():
    """A geometric of long mean is an exponential; a Zipf's tails are zeta functions."""
    wide, limit = (solved(m, stats.norm(), 0.5) for m in (stats.geom(1e-6), stats.expon()))
    assert wide == pytest.approx(limit, rel=1e-5)
    tails = zeta(4.5, np.arange(2.0, 1e5)) / zeta(4.5)
    share = stats.norm.pdf(stats.norm.isf(tails)).sum() / stats.zipf(4.5).std()
    assert solved(stats.zipf(4.5), stats.norm(), 0.3) == pytest.approx(0.3 / share, rel=2e-6)


CLOSE = {"epsabs": 0, "epsrel": 1e-9, "limit": 2000}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (stats.expon(), stats.gumbel_r(), 0.5),
        (stats.gamma(2), stats.uniform(), -0.7),
        (stats.f(3, 8), stats.expon(), 0.6),
    ],
)
def test_continuous_pairs(first, second, wanted):
    """By the trapezoidal rule in two independent normals."""
    r = solved(first, second, wanted)
    s = np.sqrt(1 - r * r)
    e = np.linspace(-7.9, 7.9, 801)
    weight = stats.norm.pdf(e) * (e[1] - e[0])
    a, b = quantile(first, e), quantile(second, r * e[:, None] + s * e[None, :])
    joint = weight @ (a[:, None] * b) @ weight
    assert (joint - first.mean() * second.mean()) / (first.std() * second.std()) == pytest.approx(
        wanted, abs=1e-6
    )


def quantile(marginal, z):
    return np.where(z > 0, marginal.isf(stats.norm.sf(z)), marginal.ppf(stats.norm.cdf(z)))


def test_ranks_with_ties_are_mid_ranks():
    first, second = stats.binom(10, 0.1), stats.bernoulli(0.3)
    r = solved(first, second, 0.4, "rank")
    mid = [lambda k, m=m: (m.cdf(k) + m.cdf(k - 1)) / 2 for m in (first, second)]
    assert by_cells(first, second, r, mid) == pytest.approx(0.4, abs=1e-7)


def test_ranks_without_ties_have_a_closed_form():
    assert solved(stats.expon(), stats.cauchy(), 0.5, "rank") == pytest.approx(
        2 * np.sin(np.pi / 12), abs=1e-14
    )


@pytest.mark.slow
@pytest.mark.parametrize("pair", [(stats.binom(3, 0.4), stats.expon()), (stats.zipf(1.5), stats.zipf(1.5))])
def test_ranks_with_ties_are_what_scipy_estimates(pair):
    x = cem.JointInputs(pair, [[1, 0.5], [0.5, 1]], "rank").sample(100_000, np.random.default_rng(1))
    assert stats.spearmanr(x).statistic == pytest.approx(0.5, abs=4 / np.sqrt(100_000))


@pytest.mark.parametrize("marginal", [stats.cauchy(), stats.pareto(1.5), stats.t(2), stats.zipf(1.5)])
def test_without_a_variance(marginal):
    with pytest.raises(ValueError, match=rf"x1 \({marginal.dist.name}\) has variance .*rank"):
        cem.JointInputs([stats.norm(), marginal], [[1, 0.5], [0.5, 1]])
    assert cem.JointInputs([stats.norm(), marginal], np.eye(2)).dimension == 2


def test_the_range_that_can_be_had_is_said():
    """Of exponentials, from 1 - pi^2/6 on."""
    with pytest.raises(ValueError, match=r"x0 and x1 .* -0\.6449 to 1\.0000"):
        solved(stats.expon(), stats.expon(), -0.7)
    assert solved(stats.expon(), stats.expon(), 1 - np.pi**2 / 6) == pytest.approx(-1, abs=1e-3)


def test_normals_keep_their_correlation():
    assert solved(stats.norm(3, 2), stats.norm(), -0.7) == -0.7
