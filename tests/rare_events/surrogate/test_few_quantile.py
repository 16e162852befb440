"""Quantiles in few evaluations: closed forms, intervals, hand-overs, budgets, exact repetition."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.rare_events.surrogate.corrected_tail import CorrectedTail, ScoredRound
from cem.rare_events.surrogate.correction import Round
from cem.rare_events.surrogate.model import Surrogate
from cem.rare_events.tail import Tail


def normal(d):
    return cem.Gaussian(np.zeros(d), std=np.ones(d))


def plane(X):
    return X.sum(axis=1) / np.sqrt(X.shape[1])


def estimate(performance=plane, inputs=None, probability=1e-3, **kwargs):
    kwargs = {"method": "surrogate", "vectorized": True, "rng": 1, "target_cv": 0.1} | kwargs
    return cem.estimate_quantile(performance, normal(2) if inputs is None else inputs, probability, **kwargs)


def test_a_plane():
    q = estimate()
    exact = stats.norm.isf(1e-3)
    low, high = q.confidence_interval()
    least, most = q.shortfall_interval()
    assert q.success
    assert q.nfev < 100
    assert low <= exact <= high
    assert least <= stats.norm.pdf(exact) / 1e-3 <= most
    assert high - low < 0.2
    assert q.coefficient_of_variation <= 0.1
    assert "surrogate" in q.message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("performance", "inputs", "exact"),
    [
        (lambda X: (X**2).sum(axis=1), normal(3), stats.chi2.isf(1e-3, 3)),
        (lambda X: np.exp(0.4 * X.sum(axis=1)), normal(4), np.exp(0.8 * stats.norm.isf(1e-3))),
        (lambda X: X.sum(axis=1), cem.Exponential([1.0] * 3), stats.gamma.isf(1e-3, 3)),
        (lambda X: np.abs(plane(X)), normal(4), stats.norm.isf(5e-4)),
    ],
    ids=["ball", "lognormal", "Erlang", "two planes"],
)
def test_closed_forms(performance, inputs, exact):
    for seed in range(3):
        q = estimate(performance, inputs, rng=seed, target_cv=0.05)
        low, high = q.confidence_interval()
        assert low <= exact <= high
        assert q.nfev < 400


@pytest.mark.slow
def test_the_lower_tail_in_other_units():
    upper, lower = estimate(), estimate(lambda X: -1024.0 * plane(X), tail="lower")
    assert lower.quantile == -1024 * upper.quantile
    assert lower.nfev == upper.nfev


@pytest.mark.slow
def test_a_budget_that_ends_early_leaves_a_wide_interval():
    q = estimate(max_evaluations=45, target_cv=0.02)
    low, high = q.confidence_interval()
    assert q.nfev == 45
    assert q.status is cem.Status.EVALUATION_LIMIT
    assert low <= stats.norm.isf(1e-3) <= high


def test_what_a_surrogate_alone_says_is_no_estimate():
    q = estimate(max_evaluations=20)
    assert np.isnan(q.quantile) or q.confidence_interval() == (-np.inf, np.inf)
    assert not q.success


@pytest.mark.parametrize(
    ("performance", "why"),
    [
        (lambda X: (plane(X) > 3.0).astype(float), "different numbers"),
        (lambda X: np.where(X[:, 0] < 0, np.nan, plane(X)), "no finite numbers"),
    ],
    ids=["yes or no", "failed runs"],
)
def test_it_is_given_up(performance, why):
    q = estimate(performance, max_evaluations=1200)
    assert "a surrogate was given up" in q.message
    assert why in q.message


@pytest.mark.slow
def test_a_break_changes_nothing(tmp_path):
    options = {"max_evaluations": 40}
    whole = estimate(**options)
    broken = estimate(checkpoint=tmp_path / "run", callback=lambda seen: seen.nfev > 20, **options)
    resumed = estimate(checkpoint=tmp_path / "run", resume=True, **options)
    assert broken.nfev < whole.nfev
    assert resumed.quantile == whole.quantile
    assert resumed.confidence_interval() == whole.confidence_interval()


@pytest.mark.parametrize(
    "options",
    [
        {"probability": 0.7},
        {"pass_rng": True},
        {"inputs": cem.Bernoulli([0.5, 0.5])},
        {"method": "fast"},
    ],
)
def test_what_it_does_not_take(options):
    with pytest.raises(ValueError, match="surrogate"):
        estimate(**options)


def test_evaluating_every_row_gives_the_truth_whatever_was_predicted():
    rng = np.random.default_rng(3)
    n = 400
    truth, weights = rng.standard_normal(n), rng.exponential(size=n)
    predicted = truth + rng.normal(0, 0.5, n)
    none = np.zeros(n, dtype=bool)
    found = Round(0.0, 0.0, 0.0, np.zeros((n, 1)), weights, none, none, none, np.zeros(n))
    tail = CorrectedTail.of_rounds([ScoredRound(found, predicted, weights, truth, predicted)])
    exact = Tail.of(truth, np.log(weights), none)
    for level in (-1.0, 0.3, 1.7):
        expected = weights[truth >= level].sum() / n
        assert tail.ratios[tail.scores >= level].sum() / tail.draws == pytest.approx(expected)
        assert tail.shortfall(level, 0.1) == pytest.approx(exact.shortfall(level, 0.1))
    assert tail.coefficient_of_variation(np.nan) == np.inf


def test_scores_come_back_from_their_scale():
    x = np.random.default_rng(2).standard_normal((30, 1))
    for scores in (x[:, 0], np.sinh(4 * x[:, 0]), np.exp(5 * x[:, 0])):
        surrogate = Surrogate(2.0, x, scores)
        assert surrogate.unscaled(surrogate.scaled(scores)) == pytest.approx(scores, rel=1e-9, abs=1e-9)
