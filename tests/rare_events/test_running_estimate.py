"""What a history says of a probability while it is measured."""

import logging

import numpy as np
import pytest

import cem

PLANE = {
    "performance": lambda x: x.sum() / np.sqrt(2),
    "inputs": cem.Gaussian([0.0, 0.0], std=1.0),
    "level": 3.5,
}
METHODS = ("multilevel", "improved", "surrogate")


@pytest.mark.parametrize("method", METHODS)
def test_the_last_row_is_the_answer(method):
    e = cem.estimate_probability(**PLANE, method=method, rng=1)
    assert e.success
    history = e.history
    last = np.flatnonzero(np.isfinite(history.cv))[-1]
    assert history.probability[last] == pytest.approx(e.probability, rel=1e-12)
    assert history.cv[last] == pytest.approx(e.coefficient_of_variation, rel=1e-9)
    assert (history.low[last], history.high[last]) == pytest.approx(e.confidence_interval(), rel=1e-9)


def test_a_plain_measurement_has_clopper_and_pearsons_interval():
    e = cem.estimate_probability(**(PLANE | {"level": 0.5}), method="multilevel", rng=1)
    assert (e.history.low[-1], e.history.high[-1]) == pytest.approx(e.confidence_interval())


@pytest.mark.slow
def test_nothing_is_said_before_the_first_hit_or_while_learning():
    e = cem.estimate_probability(**PLANE, method="improved", rng=1)
    learning = ~np.isin(e.history.stage, ["measure"])
    assert learning.any()
    assert np.isnan(e.history.probability[learning]).all()


def test_the_log_says_it(caplog):
    with caplog.at_level(logging.INFO, logger="cem"):
        cem.estimate_probability(**PLANE, method="improved", rng=1)
    said = [record.getMessage() for record in caplog.records if " P 0.000" in record.getMessage()]
    assert said
    assert " in [" in said[-1]
    assert "cv 0.0" in said[-1]
