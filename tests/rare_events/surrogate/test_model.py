"""The surrogate of a score: transforms, infinite and missing scores."""

import numpy as np
import pytest

from cem.rare_events.surrogate.model import Surrogate, transforms


def rows(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.parametrize("level", [3.0, -2.0])
def test_transforms_rise_take_the_level_to_zero_and_know_their_derivative(level):
    scores = np.abs(rows(50, 1)[:, 0]) + 0.05
    names = []
    for each in transforms(scores, level):
        names.append(each.name)
        assert each.apply(np.array([level]))[0] == pytest.approx(0, abs=1e-12)
        y = np.linspace(0.1, 4, 30)
        assert (np.diff(each.apply(y)) > 0).all()
        slope = np.log((each.apply(y + 1e-6) - each.apply(y - 1e-6)) / 2e-6)
        offsets = slope - each.log_derivative(y)  # the derivatives are per unit, which is one for all
        np.testing.assert_allclose(offsets, offsets[0], atol=1e-5)
    assert ("log" in names) == (level > 0)


def test_scores_over_many_powers_of_ten_are_seen_on_the_scale_of_logarithms():
    x = rows(30, 2)
    surrogate = Surrogate(float(np.exp(60.0)), x, np.exp(20 * x[:, 0]))
    assert surrogate.transform == "log"
    mean, _ = surrogate.predict(np.array([[2.9, 0.0], [3.1, 0.0]]))
    assert mean[0] < 0 < mean[1]


def test_a_straight_score_keeps_its_scale_and_its_unit_does_not_matter():
    x = rows(25, 3)
    one = Surrogate(3.0, x, x.sum(axis=1))
    other = Surrogate(3.0 * 2**40, x, 2**40 * x.sum(axis=1))
    assert one.transform == other.transform == "identity"
    u = rows(10, 3, 5)
    np.testing.assert_allclose(one.predict(u)[0], other.predict(u)[0], rtol=1e-6, atol=1e-9)


def test_infinite_scores_lie_beyond_all_others_on_their_side():
    x = rows(30, 2)
    scores = np.where(x[:, 0] > 0.8, np.inf, np.where(x[:, 0] < -0.8, -np.inf, x[:, 0]))
    surrogate = Surrogate(0.5, x, scores)
    scaled = surrogate.scaled(np.array([-np.inf, -0.79, 0.5, 0.79, np.inf]))
    assert (np.diff(scaled) > 0).all()
    assert scaled[2] == pytest.approx(0, abs=1e-12)


def test_a_missing_score_is_taken_for_what_the_others_predict():
    x = rows(30, 2)
    scores = x[:, 0] + 0.3 * x[:, 1]
    lost = scores.copy()
    lost[:5] = np.nan
    surrogate, without = Surrogate(2.0, x, lost), Surrogate(2.0, x[5:], scores[5:])
    u = rows(10, 2, 5)
    np.testing.assert_allclose(surrogate.predict(u)[0], without.predict(u)[0], atol=1e-6)
    assert (surrogate.surprise(np.zeros(1), np.ones(1), np.array([np.nan])) == 0).all()


def test_surprises_widen_predictions_and_none_narrow_them():
    x = rows(20, 2)
    surrogate = Surrogate(1.0, x, x[:, 0])
    assert surrogate.deviation_scale == 1
    zeros, ones = np.zeros(12), np.ones(12)
    far = float(surrogate.scaled(np.array([1.0]))[0])
    level_score = np.full(12, 1.0)
    assert far == pytest.approx(0)
    surrogate.remember(zeros, ones, level_score)
    assert 0.5 < surrogate.deviation_scale < 1
    surrogate.remember(zeros, 1e-3 * ones, np.full(12, 2.0))
    assert surrogate.deviation_scale == 3
