"""Maximum likelihood with a whole number among the parameters: long ridges, and impossible regions."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

import cem


def binomial(v, x):
    return -stats.binom.logpmf(x, v[0], v[1]).sum()


def negative_binomial(v, x):
    return -stats.nbinom.logpmf(x, v[0], v[1]).sum()


def erlang(v, x):
    return -stats.gamma.logpdf(x, v[0], scale=v[1]).sum()


CASES = {
    "binomial": (binomial, stats.binom(23, 0.4), [(1, 100), (0, 1)]),
    "negative binomial": (negative_binomial, stats.nbinom(7, 0.35), [(1, 50), (0.001, 0.999)]),
    "Erlang": (erlang, stats.gamma(4, scale=2.0), [(1, 40), (0.01, 50)]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_likelihood_is_at_its_maximum(case, seed):
    loss, law, bounds = CASES[case]
    x = law.rvs(150, random_state=seed)
    r = cem.optimize(loss, bounds=bounds, integrality=[1, 0], args=(x,), rng=seed)
    least = min(
        minimize_scalar(
            lambda p, k=k: loss((k, p), x), bounds=bounds[1], method="bounded", options={"xatol": 1e-10}
        ).fun
        for k in range(bounds[0][0], bounds[0][1] + 1)
        if np.isfinite(loss((k, np.mean(bounds[1])), x))
    )
    assert r.success, r.message
    assert r.fun <= least + 1e-8
