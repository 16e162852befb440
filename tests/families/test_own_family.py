"""A user's own family, put to all three uses."""

import numpy as np
import pytest
from scipy import special, stats

import cem


class Poisson:
    """Independent Poisson counts, written as a user would: a plain class with the five methods."""

    def __init__(self, rates):
        self.rates = np.maximum(np.asarray(rates, dtype=float), 1e-9)

    def sample(self, size, generator):
        return generator.poisson(self.rates, size=(size, len(self.rates)))

    def log_prob(self, counts):
        terms = special.xlogy(counts, self.rates) - self.rates - special.gammaln(counts + 1.0)
        return terms.sum(axis=1)

    def fit(self, counts, w=None):
        return Poisson(np.average(counts, axis=0, weights=w))

    def blend(self, fitted, share):
        return Poisson((1 - share) * self.rates + share * fitted.rates)

    def entropy(self):
        return float(0.5 * np.log(2 * np.pi * np.e * (self.rates + 0.1)).sum())  # of normals as wide


def test_five_methods_make_a_family():
    assert isinstance(Poisson([1.0]), cem.Family)


def test_optimize_takes_a_users_own_family():
    wanted = np.array([3, 0, 12])
    seen = []

    def distance(x):
        seen.append(x)
        return np.abs(x - wanted).sum()

    r = cem.optimize(distance, Poisson([5.0, 5.0, 5.0]), rng=1)
    np.testing.assert_array_equal(r.x, wanted)
    assert r.fun == 0
    assert isinstance(r.family, Poisson)
    assert r.nit == len(r.history) > 1
    assert all(x.dtype == np.int64 and not x.flags.writeable for x in seen)


def test_optimize_takes_a_users_own_family_to_worker_processes():
    """Only the candidates travel; a family defined in a script or a notebook must do."""
    serial = cem.optimize(lambda x: (x - 7.0) @ (x - 7.0), Poisson([4.0, 4.0]), rng=2, max_iterations=5)
    shared = cem.optimize(
        lambda x: (x - 7.0) @ (x - 7.0), Poisson([4.0, 4.0]), rng=2, max_iterations=5, n_jobs=2
    )
    np.testing.assert_array_equal(serial.family.rates, shared.family.rates)


@pytest.mark.parametrize("seed", range(5))
def test_estimate_probability_takes_a_users_own_family(seed):
    """P(X1 + X2 + X3 >= 30) for a sum of rate 8: about 2e-9, exactly scipy's tail."""
    exact = stats.poisson(8.0).sf(29)
    assert 1e-9 < exact < 1e-8
    e = cem.estimate_probability(
        lambda X: X.sum(axis=1), Poisson([1.0, 2.0, 5.0]), level=30, vectorized=True, rng=seed
    )
    assert e.success, e.message
    low, high = e.confidence_interval(0.9999)
    assert low < exact < high
    assert e.coefficient_of_variation <= 0.05
    assert isinstance(e.family, Poisson)


def test_estimate_probability_of_a_lower_tail_by_a_users_own_family():
    exact = stats.poisson(40.0).cdf(12)
    e = cem.estimate_probability(
        lambda x: float(x.sum()), Poisson([20.0, 20.0]), level=12, tail="lower", rng=3
    )
    low, high = e.confidence_interval(0.9999)
    assert low < exact < high
    assert e.probability < 1e-5


def without(method):
    """A Poisson family that lacks one method."""
    namespace = {key: value for key, value in vars(Poisson).items() if key != method and key[0] != "_"}
    return type("Incomplete", (), namespace | {"__init__": Poisson.__init__})


@pytest.mark.parametrize("method", ["sample", "log_prob", "fit", "blend", "entropy"])
def test_a_missing_method_is_told(method):
    incomplete = without(method)([1.0])
    with pytest.raises(TypeError, match=r"sample, log_prob, fit, blend.*entropy"):
        cem.optimize(lambda x: 0.0, incomplete)
    with pytest.raises(TypeError, match=r"sample, log_prob, fit, blend.*entropy"):
        cem.estimate_probability(lambda x: 0.0, incomplete, level=1)


def test_a_class_instead_of_a_family_is_told():
    with pytest.raises(TypeError, match=r"not the class Poisson"):
        cem.optimize(lambda x: 0.0, Poisson)


class Transposed(Poisson):
    def sample(self, n, rng):
        return super().sample(n, rng).T


def test_a_sample_of_the_wrong_shape_is_told():
    with pytest.raises(ValueError, match=r"Transposed\.sample.*one candidate a row"):
        cem.optimize(lambda x: float(x.sum()), Transposed([1.0, 2.0]))
