"""What several tests share: sameness to the bit, objectives, runs, a smallest driver, public instances."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

import cem
from cem.core.domain import Domain
from cem.core.loop import Batch, Step
from problems.reading import read_best_known

# --- the same, bit for bit ------------------------------------------------------------------------------


def assert_same_arrays(a, b):
    """The families, or whatever has `to_arrays`, are of one type and have the same arrays."""
    assert type(a) is type(b)
    arrays, others = a.to_arrays(), b.to_arrays()
    assert set(arrays) == set(others)
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, others[name], err_msg=name)


def assert_same_history(a, b):
    """The histories are the same but for their times."""
    assert len(a) == len(b)
    for column in set(a.columns) - {"seconds"}:
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column), err_msg=column)


def assert_same_run(a, b):
    """The results of two optimisations are the same but for their times."""
    np.testing.assert_array_equal(a.x, b.x)
    assert (a.fun, a.nit, a.nfev, a.status, a.message) == (b.fun, b.nit, b.nfev, b.status, b.message)
    if hasattr(a.family, "to_arrays"):
        assert_same_arrays(a.family, b.family)
    assert_same_history(a.history, b.history)


def assert_same_estimate(a, b):
    """The estimates are the same but for their times."""
    np.testing.assert_array_equal(
        [a.probability, a.standard_error, a.effective_sample_size],
        [b.probability, b.standard_error, b.effective_sample_size],
    )
    assert (a.nfev, a.nit, a.status, a.message) == (b.nfev, b.nit, b.status, b.message)
    np.testing.assert_array_equal(a.failure_samples().x, b.failure_samples().x)
    np.testing.assert_array_equal(a.failure_samples().weights, b.failure_samples().weights)
    assert_same_history(a.history, b.history)


# --- objectives -------------------------------------------------------------------------------------------


def sphere(x):
    return float(x @ x)


def sphere_rows(X):
    return np.sum(X**2, axis=1)


def rosenbrock(x):
    return float(rosenbrock_rows(x[None])[0])


def rosenbrock_rows(X):
    return np.sum(100 * (X[:, 1:] - X[:, :-1] ** 2) ** 2 + (1 - X[:, :-1]) ** 2, axis=1)


def bowl_rows(X):
    return np.sum((X - 0.5) ** 2, axis=1)


def scaled(x, factor, shift=0.0):
    return factor * float(x @ x) + shift


def total(x):
    return float(x.sum())


def totals(X):
    return X.sum(axis=1)


def negative_totals(X):
    return -X.sum(axis=1)


class Recorder:
    """Counts and keeps the calls of an objective."""

    def __init__(self, fun=sphere):
        self.fun = fun
        self.calls = []

    def __call__(self, x, *args):
        self.calls.append(np.array(x))
        return self.fun(x, *args)


class Counting:
    """A performance that counts its calls."""

    def __init__(self, performance=total):
        self.performance = performance
        self.calls = 0

    def __call__(self, x, *args):
        self.calls += 1
        return self.performance(x, *args)


# --- runs -------------------------------------------------------------------------------------------------

BOX = [(-5.0, 5.0)] * 5
PAIR = cem.Exponential([1.0, 1.0])
BEYOND_10 = 11 * math.exp(-10)  # P(x1 + x2 >= 10)
BACKENDS = ["loky", "threading"]


def textbook(fun=sphere, **options):
    """Run the textbook's method: what is tested with it is what surrounds any of them."""
    return cem.optimize(fun, **({"bounds": BOX, "rng": 1, "method": "textbook"} | options))


def few_iterations(fun, **options):
    """Run four iterations of the textbook's method."""
    defaults = {"bounds": [(-2.0, 3.0)] * 4, "max_iterations": 4, "rng": 3, "method": "textbook"}
    return cem.optimize(fun, **(defaults | options))


def estimate(*args, method="multilevel", **kwargs):
    return cem.estimate_probability(*args, method=method, **kwargs)


def estimates(runs, *args, first=0, **kwargs):
    return [estimate(*args, rng=first + seed, **kwargs) for seed in range(runs)]


def assert_right_on_average(runs, exact, lean=0.0):
    """The mean of the estimates lies within three of its standard errors of the exact value."""
    p = np.array([e.probability for e in runs])
    assert abs(p.mean() - exact) <= 3 * p.std(ddof=1) / np.sqrt(p.size) + lean * exact


def covered(runs, exact):
    """Return for each run whether its 95 % interval holds the exact value."""
    intervals = np.array([e.confidence_interval() for e in runs])
    return (intervals[:, 0] <= exact) & (exact <= intervals[:, 1])


def least_coverage(n):
    """Return the coverage that n honest 95 % intervals fall below once in a thousand times."""
    return stats.binom.ppf(0.001, n, 0.95) / n


def assert_trustworthy(runs, exact):
    """Whatever calls itself a success has an interval that means what it says."""
    trusted = np.array([e.success for e in runs])
    assert trusted.any()
    assert covered(runs, exact)[trusted].mean() >= least_coverage(trusted.sum())


def improved(*args, **kwargs):
    return cem.estimate_probability(*args, **({"vectorized": True, "rng": 1} | kwargs))


def improved_runs(runs, *args, **kwargs):
    return [improved(*args, **kwargs, rng=seed) for seed in range(runs)]


def assert_right(runs, exact, lean=0.0):
    """The mean lies within four of its standard errors, and intervals cover as often as they say."""
    p = np.array([e.probability for e in runs])
    error = np.sqrt(np.mean([e.standard_error**2 for e in runs]) / p.size)
    assert abs(p.mean() - exact) <= 4 * error + lean * exact
    assert covered(runs, exact).mean() >= least_coverage(len(runs))


CUBE = [(-2.0, 3.0)] * 3

ASK_TELL_RUNS = {
    "box": (bowl_rows, {"bounds": CUBE}),
    "point in a box": (bowl_rows, {"start": [1.0, 1.0, 1.0], "bounds": CUBE}),
    "free point": (bowl_rows, {"start": [1.0, 1.0, 1.0]}),
    "correlated": (bowl_rows, {"start": cem.Gaussian([1.0, 1.0], covariance=[[2.0, 1.0], [1.0, 2.0]])}),
    "population": (bowl_rows, {"bounds": CUBE, "population": 37, "elite_fraction": 0.3}),
    "update": (bowl_rows, {"bounds": CUBE, "update": cem.updates.SmoothedFit(0.8, decay=5.0)}),
    "binary": (negative_totals, {"start": cem.Bernoulli([0.5] * 20)}),
    "categories": (negative_totals, {"start": cem.Categorical([[0.2, 0.8], [0.3, 0.3, 0.4]] * 9)}),
    "positive": (bowl_rows, {"start": cem.Exponential([1.0, 2.0])}),
    "maximised": (lambda X: -bowl_rows(X), {"bounds": CUBE, "maximize": True}),
    "half NaN": (lambda X: np.where(X[:, 0] > 1, np.nan, bowl_rows(X)), {"bounds": CUBE}),
}


def steps(method, n, score=bowl_rows):
    for _ in range(n):
        X = method.ask()
        method.tell(X, score(X))
    return method


# --- a user's own -----------------------------------------------------------------------------------------


class Greedy:
    """A user's own update: half way to the best candidate, with half the spread."""

    def init(self, start):
        return cem.updates.SmoothedFit().init(start)

    def step(self, state, batch):
        best = batch.x[np.argmax(batch.scores)]
        level = float(batch.scores.max())
        family = cem.Gaussian(best, std=0.7 * state.family.std)
        return replace(state, family=family, level=level, elite_best=level, elites=1)


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


# --- the smallest driver ----------------------------------------------------------------------------------


def box(d, low=-5.0, high=5.0):
    return Domain(np.full(d, low), np.full(d, high))


def serve(f, stage, domain):
    """Serve a local stage on `f`; return its result and every row that was asked for."""
    rows, answer = [], None
    while True:
        try:
            request = stage.send(answer)
        except StopIteration as finished:
            return finished.value, np.array(rows)
        if isinstance(request, Step):
            answer = None
            continue
        if domain.outside(request.x).any():
            raise AssertionError(f"outside: {request.x[domain.outside(request.x)]}")
        rows.extend(request.x)
        answer = Batch(request.x, -np.array([f(x) for x in request.x]), lambda: None)


# --- public instances -------------------------------------------------------------------------------------


def public_instances(collection, *names):
    """Return (file, best known value) of the instances, all where no names are given, as parameters.

    `CEMKIT_DATA` names a folder with one folder per collection, each with its files and a table
    ``best_known.csv`` of the columns ``instance`` and ``best_known`` (or ``optimum``):

    gset/    G1.txt, …    https://web.stanford.edu/~yyye/yyye/Gset/
    biqmac/  g05_60.0, …  https://biqmac.aau.at/biqmaclib.html
    tsplib/  att48.tsp, … http://comopt.ifi.uni-heidelberg.de/software/TSPLIB95/
    """
    folder = Path(os.environ.get("CEMKIT_DATA", "no-such-folder")) / collection
    if not (folder / "best_known.csv").is_file():
        reason = f"needs CEMKIT_DATA/{collection}, see tests/helpers.py"
        return [pytest.param(None, None, marks=pytest.mark.skip(reason=reason), id=collection)]
    best = read_best_known(folder / "best_known.csv")
    files = {file.name.removesuffix(".txt").removesuffix(".tsp"): file for file in folder.iterdir()}
    return [pytest.param(files[name], best[name], id=name) for name in names or best]


class Laplace:
    """Independent Laplace variables as a user would write them."""

    def __init__(self, centre, scale):
        self.centre, self.scale = np.asarray(centre, float), np.asarray(scale, float)
        self.dimension = self.centre.size

    def sample(self, n, rng):
        return rng.laplace(self.centre, self.scale, (n, self.dimension))

    def log_prob(self, x):
        return (-abs(x - self.centre) / self.scale - np.log(2 * self.scale)).sum(axis=1)

    def fit(self, x, weights=None):
        centre = np.average(x, axis=0, weights=weights)
        return Laplace(centre, np.maximum(np.average(abs(x - centre), axis=0, weights=weights), 1e-6))

    def blend(self, other, rate):
        return Laplace(
            (1 - rate) * self.centre + rate * other.centre, (1 - rate) * self.scale + rate * other.scale
        )

    def entropy(self):
        return float((1 + np.log(2 * self.scale)).sum())
