"""Cross-entropies as losses, and bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cem
from cem import information
from cem.information import (
    binary_cross_entropy,
    categorical_cross_entropy,
    cross_entropy,
    entropy,
    kl_divergence,
    log_loss,
    perplexity,
)

P = np.array([0.10, 0.40, 0.50])


Q = np.array([0.80, 0.15, 0.05])


Y = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])


Y_HAT = np.array([0.8, 0.9, 0.9, 0.6, 0.8, 0.1, 0.4, 0.2, 0.1, 0.3])


def test_known_binary_cross_entropy_is_log_loss_and_negative_log_likelihood():
    likelihood = np.where(Y == 1, Y_HAT, 1 - Y_HAT)
    expected = -np.log(likelihood).mean()
    assert expected == pytest.approx(0.247, abs=5e-4)
    assert binary_cross_entropy(Y, Y_HAT) == pytest.approx(expected, rel=1e-14)
    assert log_loss(Y, Y_HAT) == pytest.approx(expected, rel=1e-14)
    assert binary_cross_entropy(Y, Y_HAT, base=2) == pytest.approx(expected / math.log(2), rel=1e-14)


def test_two_columns_are_the_binary_case():
    columns = np.column_stack([1 - Y_HAT, Y_HAT])
    expected = pytest.approx(binary_cross_entropy(Y, Y_HAT), rel=1e-14)
    assert log_loss(Y, columns) == expected
    assert log_loss(np.eye(2)[Y], columns) == expected
    assert categorical_cross_entropy(Y, columns) == expected


def test_log_loss_of_the_scikit_learn_manual():
    rows = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.01, 0.99]]
    assert log_loss([0, 0, 1, 1], rows) == pytest.approx(0.1738073366910675, rel=1e-14)


def test_scalars():
    assert binary_cross_entropy(1, 0.8) == pytest.approx(-math.log(0.8))
    assert binary_cross_entropy(0.5, 0.5, base=2) == pytest.approx(1)
    assert log_loss(0, 0.8) == pytest.approx(-math.log(0.2))
    assert categorical_cross_entropy(2, Q) == pytest.approx(-math.log(0.05))


def test_labels_one_hot_rows_and_soft_rows_agree():
    labels, predictions = np.array([0, 2, 1]), np.stack([P, Q, P])
    expected = -np.log(predictions[np.arange(3), labels]).mean()
    assert categorical_cross_entropy(labels, predictions) == pytest.approx(expected)
    assert categorical_cross_entropy(labels.astype(float), predictions) == pytest.approx(expected)
    assert categorical_cross_entropy(np.eye(3)[labels], predictions) == pytest.approx(expected)
    assert categorical_cross_entropy([P], [Q]) == pytest.approx(cross_entropy(P, Q))


def test_sample_weights_count_as_repetitions():
    weights = [2, 1, 0, 3, 1, 1, 0, 0, 1, 1]
    expected = binary_cross_entropy(np.repeat(Y, weights), np.repeat(Y_HAT, weights))
    assert binary_cross_entropy(Y, Y_HAT, sample_weight=weights) == pytest.approx(expected, rel=1e-14)
    assert log_loss(Y, Y_HAT, sample_weight=np.multiply(weights, 1e300)) == pytest.approx(expected, rel=1e-14)
    assert categorical_cross_entropy([0, 1], [P, Q], sample_weight=[0, 5]) == pytest.approx(-math.log(0.15))


def test_a_weight_of_zero_silences_an_infinite_loss():
    assert binary_cross_entropy([1, 1], [0.5, 0.0], sample_weight=[1, 0]) == pytest.approx(math.log(2))


def test_the_impossible_happened():
    assert binary_cross_entropy([1, 0], [0.0, 0.0]) == math.inf
    assert log_loss([1], [[1.0, 0.0]]) == math.inf
    assert binary_cross_entropy(1, 0.0, clip=1e-15) == pytest.approx(15 * math.log(10))
    assert log_loss([1], [[1.0, 0.0]], clip=1e-15) == pytest.approx(15 * math.log(10))


def test_a_perfect_prediction_costs_positive_zero():
    for loss in (binary_cross_entropy([0, 1], [0.0, 1.0]), log_loss([0, 1], np.eye(2))):
        assert loss == 0
        assert math.copysign(1, loss) == 1


def test_losses_from_logits():
    z = np.log(Y_HAT) - np.log1p(-Y_HAT)
    assert binary_cross_entropy(Y, z, from_logits=True) == pytest.approx(binary_cross_entropy(Y, Y_HAT))
    assert binary_cross_entropy(1, -1e5, from_logits=True) == 1e5
    assert binary_cross_entropy(1, 40, from_logits=True) == pytest.approx(
        math.log1p(math.exp(-40)), rel=1e-12
    )
    rows = np.log(np.stack([P, Q])) - 700
    assert log_loss([0, 1], rows, from_logits=True) == pytest.approx(log_loss([0, 1], [P, Q]), rel=1e-12)


def test_label_smoothing_of_the_losses():
    smooth = 0.9 * Y + 0.05
    expected = pytest.approx(binary_cross_entropy(smooth, Y_HAT), rel=1e-14)
    assert binary_cross_entropy(Y, Y_HAT, label_smoothing=0.1) == expected
    assert log_loss(Y, np.column_stack([1 - Y_HAT, Y_HAT]), label_smoothing=0.1) == expected


@pytest.mark.parametrize(
    ("p", "error", "message"),
    [
        ([-0.1, 1.1], ValueError, "p holds a negative probability, -0.1"),
        ([0.5, 0.4], ValueError, "p must sum to 1 along its last axis, not 0.9"),
        ([[0.5, 0.5], [0.5, 0.6]], ValueError, "not 1.1"),
        ([0.5, math.nan], ValueError, "p holds NaN"),
        ([], ValueError, "p is empty"),
        (0.3, ValueError, "p must be a whole distribution"),
        (["a", "b"], TypeError, "p must hold real numbers"),
        ([0.5j, 1 - 0.5j], TypeError, "p must hold real numbers"),
        (None, TypeError, "p must hold real numbers"),
    ],
)
def test_what_is_no_distribution_is_refused(p, error, message):
    for value in (entropy, perplexity, lambda p: cross_entropy(p, [0.5, 0.5])):
        with pytest.raises(error, match=message):
            value(p)


@pytest.mark.parametrize("base", [0, 1, -2, 0.5, math.inf, math.nan])
def test_base_must_exceed_one(base):
    for value in (entropy, perplexity, lambda p, base: kl_divergence(p, p, base=base)):
        with pytest.raises(ValueError, match="base must be a finite number above 1"):
            value(P, base=base)
    for loss in (binary_cross_entropy, log_loss):
        with pytest.raises(ValueError, match="base must be"):
            loss(Y, Y_HAT, base=base)


def test_shapes_must_match():
    with pytest.raises(ValueError, match=r"same last axis, got shapes \(3,\) and \(2,\)"):
        cross_entropy(P, [0.5, 0.5])
    with pytest.raises(ValueError, match=r"same last axis"):
        kl_divergence([P], [[1.0]])
    with pytest.raises(ValueError, match="broadcast"):
        cross_entropy([P, P], [Q, Q, Q])
    with pytest.raises(ValueError, match=r"same shape, got \(10,\) and \(9,\)"):
        binary_cross_entropy(Y, Y_HAT[1:])
    with pytest.raises(ValueError, match="same shape"):
        binary_cross_entropy(Y, Y_HAT[:, None])
    with pytest.raises(ValueError, match=r"rows of shape \(2, 3\) or labels of shape \(2,\)"):
        categorical_cross_entropy([P], [P, Q])


def test_values_out_of_range():
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got values from -1 to 1"):
        binary_cross_entropy([-1, 1], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"y_pred must lie in \[0, 1\]"):
        binary_cross_entropy([0, 1], [0.5, 1.5])
    with pytest.raises(ValueError, match="integer labels from 0 to 2, got 3"):
        categorical_cross_entropy([0, 3], [P, Q])
    with pytest.raises(ValueError, match="integer labels from 0 to 2, got -1"):
        log_loss([0, -1], [P, Q])
    with pytest.raises(ValueError, match=r"integer labels from 0 to 1, got 0\.5"):
        log_loss([0, 0.5], [0.5, 0.5])


@pytest.mark.parametrize("logits", [0.0, [math.inf, 0], [-math.inf, -math.inf], [math.nan, 0]])
def test_bad_logits(logits):
    with pytest.raises(ValueError, match=r"finite maximum|NaN"):
        cross_entropy([0.5, 0.5], logits, from_logits=True)


@pytest.mark.parametrize("weights", [[1], [-1, 2], [0, 0], [math.inf, 1], [math.nan, 1], 1.0])
def test_bad_sample_weights(weights):
    with pytest.raises(ValueError, match="sample_weight"):
        binary_cross_entropy([0, 1], [0.5, 0.5], sample_weight=weights)
    with pytest.raises(ValueError, match="sample_weight"):
        categorical_cross_entropy([0, 1], [P, Q], sample_weight=weights)


@pytest.mark.parametrize(
    "option", [{"label_smoothing": -0.1}, {"label_smoothing": 1.1}, {"clip": 0.0}, {"clip": 1.0}]
)
def test_options_out_of_range(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        log_loss(Y, Y_HAT, **option)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (cem.Gaussian([0.0], std=1e150), cem.Gaussian([0.0], std=1e-150)),
        (cem.Gaussian([1e150], std=1.0), cem.Gaussian([-1e150], std=1e-150)),
        (
            cem.Gaussian([0.0] * 2, covariance=np.eye(2) * 1e300),
            cem.Gaussian([0.0] * 2, covariance=np.eye(2) * 1e-299),
        ),
        (cem.Exponential([1e300]), cem.Exponential([1e-300])),
        (cem.Gamma([1e10], [1e300]), cem.Gamma([1e-6], [1e-300])),
        (cem.Bernoulli([1.0]), cem.Bernoulli([0.0])),
    ],
)
def test_what_is_too_far_to_tell_is_infinitely_far(p, q):
    assert information.kl_divergence(p, q) == math.inf
    assert information.kl_divergence(p, p) == pytest.approx(0, abs=1e-12)


def test_logits_of_any_size():
    far = [1.7e308, -1.7e308]
    assert information.entropy(far, from_logits=True) == 0
    assert information.cross_entropy([1, 0], far, from_logits=True) == 0
    assert information.cross_entropy([0.5, 0.5], far, from_logits=True) == math.inf
    assert information.entropy([1.7e308] * 3, from_logits=True) == pytest.approx(math.log(3))


@pytest.mark.parametrize("size", [5e-324, 1e-165, 1e154, 1.7e308])
def test_sample_weights_of_any_size(size):
    loss = information.binary_cross_entropy([0, 1], [0.2, 0.3], sample_weight=[size, size])
    assert loss == pytest.approx(-(math.log(0.8) + math.log(0.3)) / 2)


def test_masked_entries_are_not_read_as_what_lies_under_them():
    with pytest.raises(ValueError, match="y_true holds NaN or masked"):
        information.log_loss(np.ma.array([0, 1], mask=[1, 0]), [0.3, 0.7])
