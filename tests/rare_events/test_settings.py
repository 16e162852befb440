"""The improved method with other settings."""

from dataclasses import replace

import numpy as np
import pytest

import cem
from cem.rare_events.settings import DEFAULT, STRUCTURES, Settings
from cem.rare_events.spaces.normal import NormalSpace

INPUTS = cem.Gaussian(np.zeros(3), std=1)


def estimate(settings, **kwargs):
    return cem.estimate_probability(np.sum, INPUTS, 6, method=settings, **({"rng": 1} | kwargs))


@pytest.mark.slow
def test_the_default_settings_are_the_default():
    one, two = estimate(DEFAULT), estimate("auto")
    assert (one.probability, one.nfev, one.message) == (two.probability, two.nfev, two.message)


@pytest.mark.slow
def test_settings_are_obeyed():
    assert np.sum(estimate(replace(DEFAULT, chains=1)).history.stage == "open") == 2
    assert np.sum(estimate(replace(DEFAULT, chains=3)).history.stage == "open") == 6
    ends = [
        estimate(replace(DEFAULT, least_error=error)).confidence_interval() for error in (0.0, 0.015, 0.2)
    ]
    widths = [high - low for low, high in ends]
    assert 0 < widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_by_themselves(name):
    """Where a structure does not apply, all are tried."""
    space = NormalSpace(20, Settings(structures=(name,)))
    x = np.random.default_rng(1).normal(size=(400, 20)) + 0.5
    fitted = space.fit(x, np.ones(400), None, np.random.default_rng(2))
    assert np.isfinite(fitted.log_prob(x)).all()
