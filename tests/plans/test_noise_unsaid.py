"""Noise that nobody spoke of: no run claims a lucky value, whatever searches."""

import numpy as np
import pytest

import cem
from cem import Status

BOX = {"bounds": [(-5, 5)] * 3}
RUNS = {
    "the textbook's, to a target": BOX | {"method": "textbook", "target": -0.05},
    "the textbook's": BOX | {"method": "textbook", "max_evaluations": 2950},
    "paths": BOX | {"update": cem.updates.PathAdaptation()},
    "integers": {"bounds": [(-9, 9)] * 3, "integrality": 1},
    "integers by the textbook": {"bounds": [(-50, 50)] * 3, "integrality": 1, "method": "textbook"},
    "bits": {"start": cem.Bernoulli([0.5] * 30), "target": 3},
    "labels": {"start": cem.Categorical(np.full((10, 4), 0.25)), "max_evaluations": 6000},
    "orders by the textbook": {"start": cem.Permutation(12), "method": "textbook"},
    "positive numbers": {"start": cem.Exponential(np.ones(3)), "max_evaluations": 2950},
    "clusters": {"start": cem.LinkageTree(np.random.default_rng(0).integers(0, 2, (9, 12)))},
}


@pytest.mark.parametrize("run", RUNS)
def test_noise_that_nobody_spoke_of_is_said(run):
    rng = np.random.default_rng(5)

    def score(x):
        return float(((x - 1) ** 2).sum() + 0.3 * rng.standard_normal())

    given = {"max_evaluations": 3000, "rng": 1} | RUNS[run]
    r = cem.optimize(score, **given)
    assert not r.success
    assert r.message.startswith("the objective is noisy")
    assert r.nfev <= given["max_evaluations"]


def test_noise_in_rows_is_told_from_rounding():
    rng = np.random.default_rng(5)

    def rows(X, noise):
        return ((X - 1) ** 2).sum(axis=1) + 1e-15 * len(X) + noise * rng.standard_normal(len(X))

    options = BOX | {"vectorized": True, "method": "textbook", "rng": 1, "target": 0.01}
    assert cem.optimize(rows, args=(0.0,), **options).status is Status.TARGET_REACHED
    r = cem.optimize(rows, args=(0.3,), **options)
    assert (r.status, r.message[:22]) == (Status.COLLAPSED, "the objective is noisy")
