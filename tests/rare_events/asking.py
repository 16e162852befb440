"""What the tests of the multilevel method share: estimates, and what they must satisfy."""

import math

import numpy as np
from scipy import special, stats

import cem

PAIR = cem.Exponential([1.0, 1.0])


BEYOND_10 = 11 * math.exp(-10)  # P(x1 + x2 >= 10)


def total(x):
    return float(x.sum())


def totals(X):
    return X.sum(axis=1)


def estimate(*args, method="multilevel", **kwargs):
    return cem.estimate_probability(*args, method=method, **kwargs)


def estimates(runs, *args, first=0, **kwargs):
    return [estimate(*args, rng=first + seed, **kwargs) for seed in range(runs)]


def assert_right_on_average(runs, exact, lean=0.0):
    p = np.array([e.probability for e in runs])
    assert abs(p.mean() - exact) <= 3 * p.std(ddof=1) / np.sqrt(p.size) + lean * exact


def covered(runs, exact):
    """Tell for each run whether its 95 % interval holds the exact value."""
    intervals = np.array([e.confidence_interval() for e in runs])
    return (intervals[:, 0] <= exact) & (exact <= intervals[:, 1])


def least_coverage(n):
    """The coverage that n honest 95 % intervals fall below once in a thousand times."""
    return stats.binom.ppf(0.001, n, 0.95) / n


def assert_trustworthy(runs, exact):
    """Whatever calls itself a success has an interval that means what it says."""
    trusted = np.array([e.success for e in runs])
    assert trusted.any()
    assert covered(runs, exact)[trusted].mean() >= least_coverage(trusted.sum())


def assert_same(a, b):
    """The two estimates are the same bit for bit, times exempt."""
    np.testing.assert_array_equal(
        [a.probability, a.standard_error, a.effective_sample_size],
        [b.probability, b.standard_error, b.effective_sample_size],
    )
    assert (a.nfev, a.nit, a.status, a.message) == (b.nfev, b.nit, b.status, b.message)
    np.testing.assert_array_equal(a.failure_samples().x, b.failure_samples().x)
    np.testing.assert_array_equal(a.failure_samples().weights, b.failure_samples().weights)
    one, two = a.history.to_arrays(), b.history.to_arrays()
    for name in set(one) - {"seconds"}:
        np.testing.assert_array_equal(one[name], two[name])


class Counting:
    """A performance that counts its calls."""

    def __init__(self, performance=total):
        self.performance = performance
        self.calls = 0

    def __call__(self, x, *args):
        self.calls += 1
        return self.performance(x, *args)


class Poisson:
    """A family as a user would write it: the five methods, nothing else."""

    def __init__(self, mean):
        self.mean = np.asarray(mean, dtype=float)

    def sample(self, n, rng):
        return rng.poisson(self.mean, size=(n, self.mean.size))

    def log_prob(self, x):
        return (special.xlogy(x, self.mean) - self.mean - special.gammaln(x + 1.0)).sum(axis=1)

    def fit(self, x, weights=None):
        return Poisson(np.average(x, axis=0, weights=weights))

    def blend(self, other, rate):
        return Poisson((1 - rate) * self.mean + rate * other.mean)

    def entropy(self):
        return float(0.5 * np.log(2 * np.pi * np.e * np.maximum(self.mean, 0.1)).sum())


def negative_totals(X):
    return -X.sum(axis=1)
