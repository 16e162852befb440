"""Random-length paths: the family by itself, and what an estimate makes of it."""

import pickle

import numpy as np
import pytest

import cem
from cem.families.markov_path import MarkovPathMixture
from problems.rare_event import queues
from problems.rare_event.suite import suite

RNG = np.random.default_rng
CASES = {case.name: case for case in suite() if isinstance(case.inputs, cem.MarkovPath)}


def up_or_down(s, move):
    return s + np.array([-1, 1])[move][:, None]


def between(s):
    return (s[:, 0] <= 0) | (s[:, 0] >= 4)


def walk(up=0.4, **changes):
    return cem.MarkovPath(
        **(
            {"step": up_or_down, "ended": between, "start": [1]}
            | changes
            | {"probabilities": changes.get("probabilities", [1 - up, up])}
        )
    )


# --- the family ---------------------------------------------------------------------------------------------


def test_it_is_a_family_and_pickles():
    assert isinstance(walk(), cem.Family)
    x = walk().sample(5, RNG(0))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(walk())).sample(5, RNG(0)), x)
    assert x.dtype == np.int64
    assert x.shape == (5, walk().dimension) == (5, 4)


def test_paths_end_where_gamblers_do():
    n = 40_000
    x = walk().sample(n, RNG(1))
    last = walk().last_states(x)[:, 0]
    assert set(last) == {0, 4}
    exact = queues.gamblers_ruin(0.4, 1, 4)
    assert abs((last == 4).mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / n)
    downs, ups = walk().counts(x).T
    np.testing.assert_array_equal(1 + ups - downs, last)


def test_log_probabilities_are_those_of_the_moves():
    path = walk()
    x = path.sample(50, RNG(2))
    downs, ups = path.counts(x).T
    np.testing.assert_allclose(path.log_prob(x), downs * np.log(0.6) + ups * np.log(0.4))
    sure = walk(up=1.0)
    assert np.isneginf(sure.log_prob(x[downs > 0])).all()
    assert sure.log_prob(sure.sample(3, RNG(0))) == pytest.approx(0)


def test_likelihood_ratios_have_mean_one_even_of_a_mixture():
    path = walk()
    mixture = MarkovPathMixture(path, [1, 3], [[[0.5, 0.5]], [[0.2, 0.8]]])
    x = mixture.sample(40_000, RNG(3))
    ratio = np.exp(path.log_prob(x) - mixture.log_prob(x))
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / 200


def test_the_fit_is_the_weighted_maximum_of_likelihood():
    path = walk(probabilities=[[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]], classes=lambda s: s[:, 0] % 2)
    x, w = path.sample(200, RNG(4)), RNG(5).random(200)
    fitted = path.fit(x, w)
    np.testing.assert_array_equal(fitted.probabilities[2], [0.5, 0.5])  # never met
    best = w @ fitted.log_prob(x)
    for change in (0.01, -0.01):
        for row in (0, 1):
            table = np.array(fitted.probabilities)
            table[row] += [change, -change]
            assert w @ path.with_table(table).log_prob(x) < best


def test_blending_and_heating():
    one, other = walk(0.4), walk(0.8)
    np.testing.assert_allclose(one.blend(other, 0.25).probabilities, [[0.5, 0.5]])
    np.testing.assert_allclose(one.heated(0).probabilities, [[0.5, 0.5]])
    np.testing.assert_allclose(one.heated(-1).probabilities, [[0.4, 0.6]])
    np.testing.assert_allclose(walk(probabilities=[0.0, 1.0]).heated(-1).probabilities, [[0, 1]])


def test_entropy_of_a_coin():
    once = walk(0.3, ended=lambda s: s[:, 0] != 1)
    exact = -0.3 * np.log(0.3) - 0.7 * np.log(0.7)
    assert once.entropy() == pytest.approx(exact, abs=4 * 0.39 / 8)  # a surprise has deviation .39


def test_paths_are_cut_and_told():
    path = walk(longest=3)
    x = path.sample(1000, RNG(6))
    assert path.counts(x).sum(axis=1).max() == 3
    cut = path.cut(x)
    assert 0 < cut.sum() < 1000
    np.testing.assert_array_equal(cut, ~between(path.last_states(x)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": [0.5, 0.6]}, "sum to 1"),
        ({"probabilities": [-0.5, 1.5]}, "non-negative"),
        ({"probabilities": [[0.5, 0.5]] * 2}, "classes="),
        ({"start": [0.5]}, "integers"),
        ({"longest": 0}, "longest"),
        ({"step": lambda s, move: s[:, 0]}, "step"),
        ({"ended": lambda s: s > 3}, "ended"),
    ],
)
def test_what_is_no_chain_is_told(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        walk(**change)


def test_classes_out_of_range_are_told():
    path = walk(probabilities=[[0.5, 0.5]] * 2, classes=lambda s: s[:, 0])
    with pytest.raises(ValueError, match="classes must be in 0 … 1"):
        path.sample(100, RNG(7))


# --- estimates ----------------------------------------------------------------------------------------------


def assert_right(runs, exact):
    """The mean of n runs lies within 3 of its standard errors, which no bias of 3 errors / √n survives."""
    p = np.array([e.probability for e in runs])
    error = np.sqrt(np.mean([e.standard_error**2 for e in runs]) / p.size)
    assert abs(p.mean() - exact) <= 3 * error
    intervals = np.array([e.confidence_interval() for e in runs])
    covered = ((intervals[:, 0] <= exact) & (exact <= intervals[:, 1])).mean()
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / p.size)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.slow
def test_an_estimate_is_right(name):
    runs = [cem.estimate_probability(CASES[name], target_cv=0.1, rng=seed) for seed in range(2)]
    assert all(e.success for e in runs)
    assert_right(runs, CASES[name].reference)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_estimates_are_right_in_40_repetitions(name):
    runs = [cem.estimate_probability(CASES[name], rng=seed) for seed in range(40)]
    assert_right(runs, CASES[name].reference)


@pytest.mark.slow
def test_a_path_is_its_last_state_to_the_performance():
    seen = []

    def performance(s):
        seen.append(s)
        return s[:, 1]

    case = CASES["M/M/1 overflow"]
    e = cem.estimate_probability(performance, case.inputs, 8, vectorized=True, target_cv=0.2, rng=1)
    assert all(s.shape[1] == 2 and s.dtype == np.int64 and not s.flags.writeable for s in seen)
    x, weights = e.failure_samples()
    assert np.all(x[:, 1] >= 8)
    assert weights.sum() == pytest.approx(1)
    assert e.family.path is case.inputs


def test_the_textbook_method_takes_paths_too():
    case = CASES["M/M/1 overflow"]
    e = cem.estimate_probability(case, method="multilevel", rng=1)
    assert e.success
    assert abs(e.probability / case.reference - 1) < 4 * e.coefficient_of_variation
    assert e.family.probabilities[0, 1] > 0.5


def test_a_walk_that_never_ends_is_no_success():
    endless = cem.MarkovPath(up_or_down, lambda s: s[:, 0] >= 12, [0], [0.6, 0.4], longest=200)
    e = cem.estimate_probability(lambda s: s[:, 0], endless, 12, vectorized=True, rng=1)
    assert not e.success
    assert "paths were cut at 200 steps" in e.message


@pytest.mark.slow
def test_few_cut_paths_are_told_and_do_no_harm():
    case = CASES["M/M/1 overflow"]
    path = cem.MarkovPath(case.inputs.step, case.inputs.ended, [1, 1], [0.7, 0.3], longest=250)
    e = cem.estimate_probability(case.performance, path, case.level, vectorized=True, rng=2)
    assert e.success
    assert abs(e.probability / case.reference - 1) < 4 * e.coefficient_of_variation + 0.015


def test_frequent_certain_and_impossible():
    def estimate(level):
        return cem.estimate_probability(lambda s: s[:, 0], walk(), level, vectorized=True, rng=3)

    assert estimate(4).confidence_interval().low < queues.gamblers_ruin(0.4, 1, 4)
    assert estimate(0).probability == 1
    assert estimate(0).success
    assert estimate(5).status is cem.Status.LEVEL_UNREACHED


@pytest.mark.slow
def test_the_same_seed_repeats_with_workers():
    case = CASES["M/M/1 overflow"]
    one = cem.estimate_probability(lambda s: float(s[1]), case.inputs, 20, target_cv=0.2, rng=4)
    two = cem.estimate_probability(lambda s: float(s[1]), case.inputs, 20, target_cv=0.2, rng=4, n_jobs=2)
    assert (one.probability, one.nfev) == (two.probability, two.nfev)
