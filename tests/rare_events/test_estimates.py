"""What an estimation gives back: intervals, failure samples, and how it prints itself."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
from scipy import stats

import cem
from cem.core.history import History
from cem.rare_events.estimates import ProbabilityEstimate, samples


def estimate(probability=1e-5, cv=0.05, hits=100, draws=1000, plain=False, **fields):
    """Make an estimate with these numbers; the rest is of no account."""
    probability, cv = (probability, cv) if hits else (0.0, np.inf)
    given = {
        "probability": probability,
        "standard_error": cv * probability if np.isfinite(cv) else np.nan,
        "coefficient_of_variation": cv,
        "effective_sample_size": float(hits),
        "hits": hits,
        "draws": draws,
        "nfev": draws,
        "nit": 1,
        "success": True,
        "status": cem.Status.TARGET_REACHED,
        "message": "the target coefficient of variation is reached",
        "family": cem.Gaussian([0.0], std=1),
        "history": History(),
        "elapsed": 0.1,
        "seed": 7,
        "_samples": samples(np.zeros((hits, 1)), np.full(hits, 1 / max(hits, 1))),
        "_plain": plain,
    }
    return ProbabilityEstimate(**(given | fields))


def plain_estimate(hits, draws):
    p = hits / draws
    cv = np.sqrt((1 - p) / p / (draws - 1)) if hits and draws > 1 else np.inf
    return estimate(p, cv, hits, draws, plain=True)


# --- plain Monte Carlo: Clopper and Pearson -------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "draws"), [(0, 10), (1, 10), (10, 10), (0, 1), (1, 1), (37, 1000), (999, 1000)]
)
@pytest.mark.parametrize("confidence_level", [0.5, 0.95, 0.999])
def test_plain_interval_is_clopper_and_pearsons(hits, draws, confidence_level):
    interval = plain_estimate(hits, draws).confidence_interval(confidence_level)
    exact = stats.binomtest(hits, draws).proportion_ci(confidence_level, method="exact")
    np.testing.assert_allclose(interval, exact, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("draws", [1, 10, 1_000_000])
def test_neither_no_hit_nor_all_hits_are_certainty(draws):
    low, high = plain_estimate(0, draws).confidence_interval()
    assert low == 0
    assert high >= 2.9 / draws if draws > 10 else high > 0.2
    low, high = plain_estimate(draws, draws).confidence_interval()
    assert 0 < low < 1
    assert high == 1


# --- importance sampling: Hall ---------------------------------------------------------------------------


@pytest.mark.parametrize("confidence_level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("cv", [0.001, 0.01, 0.1])
def test_without_skewness_the_weighted_interval_is_walds_and_the_resolution(cv, confidence_level):
    low, high = estimate(1e-5, cv).confidence_interval(confidence_level)
    half = stats.norm.ppf(0.5 + confidence_level / 2) * math.hypot(cv, 0.015)
    assert low == pytest.approx(1e-5 * (1 - half), rel=1e-9)
    assert high == pytest.approx(1e-5 * (1 + half), rel=1e-9)


def test_skewness_lengthens_the_upper_side():
    low, high = estimate(1e-5, 0.05, _skewness=20.0).confidence_interval()
    plain = estimate(1e-5, 0.05).confidence_interval()
    assert low > plain.low
    assert high > plain.high


def test_weighted_interval_without_a_hit_is_everything():
    assert estimate(hits=0).confidence_interval() == (0.0, 1.0)


def test_interval_without_a_draw_is_everything():
    for plain in (False, True):
        assert estimate(hits=0, draws=0, plain=plain).confidence_interval() == (0.0, 1.0)


# --- both -----------------------------------------------------------------------------------------------

ALL = [
    plain_estimate(0, 50),
    plain_estimate(3, 50),
    plain_estimate(50, 50),
    estimate(1e-300, 0.5),
    estimate(0.9, 0.5),
    estimate(1.0, 0.2),
    estimate(0.999, 30.0),
    estimate(hits=0),
]


@pytest.mark.parametrize("e", ALL, ids=range(len(ALL)))
def test_interval_lies_in_the_unit_interval_about_the_estimate(e):
    for confidence_level in (0.01, 0.5, 0.95, 0.999999):
        low, high = e.confidence_interval(confidence_level)
        assert 0 <= low <= e.probability <= high <= 1
        assert low < high


@pytest.mark.parametrize("e", ALL, ids=range(len(ALL)))
def test_more_confidence_is_never_narrower(e):
    intervals = np.array([e.confidence_interval(level) for level in (0.1, 0.5, 0.9, 0.95, 0.99)])
    assert np.all(np.diff(intervals[:, 0]) <= 0)
    assert np.all(np.diff(intervals[:, 1]) >= 0)


def test_interval_is_a_named_pair_and_95_per_cent_by_default():
    e = estimate()
    interval = e.confidence_interval()
    assert (interval.low, interval.high) == tuple(interval)
    assert interval == e.confidence_interval(0.95) == e.confidence_interval(confidence_level=0.95)


@pytest.mark.parametrize("confidence_level", [0, 1, -0.1, 95, np.nan])
def test_bad_confidence_level(confidence_level):
    with pytest.raises(ValueError, match=r"confidence level lies in \(0, 1\)"):
        estimate().confidence_interval(confidence_level)


def test_estimates_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate().probability = 0.5


# --- how it prints --------------------------------------------------------------------------------------


def test_repr_says_what_matters():
    text = repr(estimate(1.25e-5, 0.05, seed=42))
    low, high = estimate(1.25e-5, 0.05).confidence_interval()
    for part in ("1.25e-05", f"{low:.6g}", f"{high:.6g}", "95 %", "TARGET_REACHED", "True", "42", "Gaussian"):
        assert part in text
    assert "the target coefficient of variation is reached" in text


def test_repr_of_a_failure_says_so():
    e = estimate(hits=0, success=False, status=cem.Status.LEVEL_UNREACHED, message="out of reach")
    assert "False" in repr(e)
    assert "LEVEL_UNREACHED" in repr(e)
    assert "out of reach" in repr(e)


# --- failure samples of real runs -----------------------------------------------------------------------


def total(x):
    return x.sum()


def totals(X):
    return X.sum(axis=1)


INPUTS = {
    "exponential": (cem.Exponential([1.0, 2.0]), 15.0),
    "gaussian": (cem.Gaussian([0.0, 0.0], std=[1.0, 2.0]), 6.0),
    "bernoulli": (cem.Bernoulli(np.full(8, 0.1)), 5),
    "categorical": (cem.Categorical([[0.7, 0.2, 0.1]] * 4), 7),
    "marginals": ([stats.gamma(2), stats.expon(10)], 21.0),
    "not rare": (cem.Exponential([1.0]), 0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize(("inputs", "level"), INPUTS.values(), ids=INPUTS)
def test_failure_samples_are_weighted_candidates_in_the_event(inputs, level):
    e = cem.estimate_probability(totals, inputs, level, vectorized=True, target_cv=0.1, rng=1)
    x, weights = e.failure_samples()
    assert e.success
    assert x.ndim == 2
    assert len(x) == len(weights) == e.hits > 0
    assert np.all(totals(x) >= level)
    assert np.all(weights >= 0)
    assert weights.sum() == pytest.approx(1, rel=1e-12)
    assert e.effective_sample_size == pytest.approx(1 / (weights**2).sum(), rel=1e-9)
    assert e.failure_samples().x is x
    assert e.failure_samples().weights is weights
    for array in (x, weights):
        assert not array.flags.writeable


def test_failure_samples_are_what_the_performance_saw():
    seen = []

    def performance(x):
        seen.append(x.tobytes())
        return total(x)

    e = cem.estimate_probability(performance, [stats.gamma(2), stats.expon(10)], 16.0, target_cv=0.2, rng=1)
    assert {row.tobytes() for row in e.failure_samples().x} <= set(seen)


@pytest.mark.parametrize("inputs", [cem.Bernoulli([0.2] * 4), cem.Categorical([[0.8, 0.2]] * 4)])
def test_discrete_failure_samples_do_not_wrap(inputs):
    e = cem.estimate_probability(totals, inputs, 3, vectorized=True, target_cv=0.2, rng=1)
    assert e.failure_samples().x.dtype == np.int64


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_weights_give_the_distribution_within_the_event(seed):
    """An exponential forgets: beyond the level lies another of the same mean."""
    e = cem.estimate_probability(total, cem.Exponential([2.0]), 20.0, target_cv=0.02, rng=seed)
    x, weights = e.failure_samples()
    beyond = x[:, 0] - 20
    mean = weights @ beyond
    standard_error = np.sqrt(np.sum((weights * (beyond - mean)) ** 2))
    assert standard_error < 0.2
    assert abs(mean - 2) <= 4 * standard_error


@pytest.mark.slow
def test_without_a_hit_there_are_no_failure_samples():
    e = cem.estimate_probability(np.sin, cem.Gaussian([0.0], std=1), 2, rng=1)
    x, weights = e.failure_samples()
    assert x.shape == (0, 1)
    assert weights.shape == (0,)


def test_a_real_estimate_has_numbers_that_agree():
    e = cem.estimate_probability(total, cem.Exponential([1.0, 1.0]), 10.0, rng=1)
    assert isinstance(e, cem.ProbabilityEstimate)
    assert e.standard_error == pytest.approx(e.coefficient_of_variation * e.probability, rel=1e-12)
    assert e.hits <= e.draws <= e.nfev
    assert e.nit == len(e.history)
    assert 1 <= e.effective_sample_size <= e.hits
    assert f"{e.probability:.6g}" in repr(e)


def test_a_real_estimate_pickles():
    e = cem.estimate_probability(total, cem.Exponential([1.0, 1.0]), 10.0, target_cv=0.2, rng=1)
    again = pickle.loads(pickle.dumps(e))
    assert again.probability == e.probability
    assert again.confidence_interval() == e.confidence_interval()
    np.testing.assert_array_equal(again.failure_samples().weights, e.failure_samples().weights)
    np.testing.assert_array_equal(again.history.level, e.history.level)


def test_a_forgotten_tail_is_pointed_out():
    """Answers above one half are seldom what was asked for."""
    inputs = cem.Gaussian([0.0], std=1)
    forgotten = cem.estimate_probability(np.sum, inputs, -2, rng=1)
    assert "performance(x) >= level" in forgotten.message
    assert 'tail="lower"' in forgotten.message
    meant = cem.estimate_probability(np.sum, inputs, -2, tail="upper", rng=1)
    assert meant.probability == forgotten.probability
    assert "tail" not in meant.message
