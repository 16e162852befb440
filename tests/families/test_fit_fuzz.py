"""Fits to rows and weights of every bad kind: nothing is raised, and what comes out can be used."""

import tracemalloc

import numpy as np
import pytest

from cem import families
from cem.families import FactoredGaussian, LowRankGaussian
from cem.families.blended import Blended
from cem.families.factor_steps import FactorSteps
from cem.families.one_large import OneLarge

D = 3
AXES = np.linalg.qr(np.random.default_rng(0).standard_normal((D, D)))[0]
BROAD = families.GaussianMixture([1.0], np.zeros((1, D)), np.ones((1, D)))
LARGE = OneLarge(np.ones(6), [3, 3, 3, -3, -3, -3], np.ones(6), np.zeros(D), np.ones(D))
ONE = families.GaussianMixture([1.0], [[0.0]], [[1.0]])
REAL = {
    "independent": families.Gaussian(np.zeros(D), std=1.0),
    "correlated": families.Gaussian(np.zeros(D), covariance=np.eye(D) + 0.5),
    "factored": FactoredGaussian(np.zeros(D), np.eye(D) + 0.5),
    "low rank": LowRankGaussian(np.zeros(D), np.ones(D), AXES[:2], [1.0, -0.5]),
    "mixture": families.GaussianMixture([1.0, 2.0], [np.zeros(D), np.ones(D)], np.ones((2, D))),
    "full mixture": families.GaussianMixture.from_covariances([1, 2], [[0] * D, [1] * D], [np.eye(D)] * 2),
    "direction": families.VonMisesFisherNakagami(np.ones(D), 1.0, 2.0, 3.0),
    "one large": LARGE,
    "steps": FactorSteps(
        [0], families.GaussianMixture([1.0], [[0.0]], [[1.0]]), [0.5], [1, 1], [2, 2], [0.2] * 2
    ),
    "blended": Blended([1.0, 2.0], [BROAD, LARGE]),
}
POSITIVE = {
    "exponential": families.Exponential(np.ones(D)),
    "gamma": families.Gamma(np.full(D, 2.0), np.ones(D)),
}
BITS = {
    "Bernoulli": families.Bernoulli(np.full(D, 0.3)),
    "tree": families.BernoulliTree.independent(np.full(D, 0.3)),
    "symmetric tree": families.BernoulliTree.independent(np.full(D, 0.5), symmetric=True),
    "Bernoulli mixture": families.BernoulliMixture([1.0, 2.0], [[0.2] * D, [0.7] * D]),
    "Bernoulli mixture that holds bits for sure": families.BernoulliMixture([1, 2], [[0.0] * D, [1.0] * D]),
    "Categorical": families.Categorical([[0.3, 0.7]] * D),
    "Categorical mixture": families.CategoricalMixture([1.0, 2.0], np.full((2, D, 2), 0.5)),
    "Categorical mixture that is sure": families.CategoricalMixture([1.0], [[[1.0, 0.0]] * D]),
}
SCALES = (0.0, 5e-324, 1e-300, 1e-160, 1e-8, 1.0, 1e8, 1e100, 1e154, 1e300, 1.7e308)


def rows_of(rng, n):
    """Rows by kind, shape ``(n, D)``."""
    z = rng.standard_normal((n, D))
    z /= np.abs(z).max()
    for scale in SCALES:
        yield f"of size {scale:g}", z * scale
        yield f"all alike, of size {scale:g}", np.repeat(z[:1] * scale, n, axis=0)
        yield f"1 plus {scale:g}", np.minimum(1 + np.abs(z) * scale, 1.7e308)
    yield "with a constant column", np.column_stack([np.ones(n), z[:, 1:]])
    yield "in few copies", z[rng.integers(0, min(2, n), n)]
    yield "on a line", z[:, :1] * np.ones(D)
    yield "of all sizes", z * 10.0 ** rng.uniform(-300, 300, (n, 1))
    yield "with columns of all sizes", z * np.array([1e-300, 1.0, 1e300])
    yield "with a row far off", np.where(np.arange(n)[:, None] == 0, 1e200, z)


def weights_of(rng, n):
    """Weights by kind, shape ``(n,)``."""
    yield "equal", None
    yield "random", rng.random(n)
    yield "a single one", (np.arange(n) == n - 1).astype(float)
    yield "tiny", np.full(n, 1e-165)
    yield "denormal", np.full(n, 5e-324)
    yield "huge", np.full(n, 1.7e308)
    yield "of all sizes", 10.0 ** rng.uniform(-300, 300, n)
    yield "one that outweighs", np.where(np.arange(n) == 0, 1.0, 5e-324)


def check(family, x, weights, rng):
    """Whether a fit succeeds, in memory that grows with the rows only, and can be used."""
    tracemalloc.start()
    fitted = family.fit(x, weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6 + 2000 * x.size
    if isinstance(fitted, families.base.Storable):
        for name, values in fitted.to_arrays().items():
            assert np.all(np.isfinite(values)), name
    assert not np.isnan(fitted.entropy())
    assert np.all(np.isfinite(fitted.sample(5, rng)))
    density = fitted.log_prob(x)
    assert density.shape == (len(x),)
    assert not np.any(np.isnan(density))
    fitted.blend(fitted, 0.5).fit(x, weights)


def failures(family, kinds, seed, share):
    """What goes wrong in a random share of all kinds of rows with all kinds of weights."""
    rng, found = np.random.default_rng(seed), []
    for n in (1, 2, 12):
        for kind, x in kinds(rng, n):
            for weighing, weights in weights_of(rng, n):
                if rng.random() >= share:
                    continue
                try:
                    check(family, x, weights, rng)
                except Exception as error:
                    found.append(f"{n} rows {kind}, weights {weighing}: {error!r}")
                finally:
                    tracemalloc.stop()
    return found


def positive_rows(rng, n):
    return ((kind, np.abs(x)) for kind, x in rows_of(rng, n))


def bit_rows(rng, n):
    yield "all 0", np.zeros((n, D), dtype=np.uint8)
    yield "all 1", np.ones((n, D), dtype=np.uint8)
    yield "random", rng.integers(0, 2, (n, D))
    yield "alike", np.repeat(rng.integers(0, 2, (1, D)), n, axis=0)


FAMILIES = [(name, family, rows_of) for name, family in REAL.items()]
FAMILIES += [(name, family, positive_rows) for name, family in POSITIVE.items()]
FAMILIES += [(name, family, bit_rows) for name, family in BITS.items()]
each = pytest.mark.parametrize(("name", "family", "kinds"), FAMILIES, ids=[name for name, *_ in FAMILIES])


@each
def test_a_fit_takes_what_is_finite(name, family, kinds):
    assert failures(family, kinds, 1, 0.08 if kinds is not bit_rows else 1.0) == []


@pytest.mark.slow
@each
def test_a_fit_takes_all_that_is_finite(name, family, kinds):
    assert failures(family, kinds, 2, 1.0) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [*REAL, *POSITIVE])
def test_a_fit_refuses_what_is_not_finite(name, bad):
    with pytest.raises(ValueError, match="finite rows"):
        (REAL | POSITIVE)[name].fit(np.array([[1.0, 2.0, 3.0], [1.0, bad, 3.0]]))
