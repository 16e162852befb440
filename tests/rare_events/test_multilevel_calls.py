"""How the performance is called, and that every worker and seed gives the same result."""

import joblib
import numpy as np
import pytest
from helpers import (
    PAIR,
    Counting,
    assert_right_on_average,
    assert_same_estimate,
    estimate,
    estimates,
    total,
    totals,
)
from scipy import stats

import cem


def noisy_total(x, rng):
    return float(x.sum()) + 0.1 * rng.standard_normal()


# --- how the performance is called ----------------------------------------------------------------------


def test_candidates_are_read_only_rows():
    def performance(x):
        assert isinstance(x, np.ndarray)
        assert x.shape == (2,)
        assert not x.flags.writeable
        return total(x)

    estimate(performance, PAIR, 5.0, target_cv=0.3, rng=1)


def test_a_performance_that_writes_to_its_candidate():
    def performance(x):
        x[0] = 0
        return total(x)

    with pytest.raises(cem.ObjectiveError, match="read-only"):
        estimate(performance, PAIR, 5.0, rng=1)


@pytest.mark.parametrize("inputs", [cem.Bernoulli([0.3] * 3), cem.Categorical([[0.7, 0.3]] * 3)])
@pytest.mark.parametrize("vectorized", [False, True])
def test_discrete_candidates_are_wide_integers(inputs, vectorized):
    def performance(x):
        assert x.dtype == np.int64
        return (2 * x - 1).sum(axis=-1)

    e = estimate(performance, inputs, 3, vectorized=vectorized, target_cv=0.2, rng=1)
    assert e.probability == pytest.approx(0.027, rel=0.8)


def test_vectorised_and_one_by_one_are_the_same():
    assert_same_estimate(
        estimate(total, PAIR, 10.0, rng=1),
        estimate(totals, PAIR, 10.0, vectorized=True, rng=1),
    )


def test_args():
    e = estimate(lambda x, a, b: a * x.sum() + b, PAIR, 25.0, args=(2, 5), rng=1)
    assert e.probability == estimate(lambda x: 2 * x.sum() + 5, PAIR, 25.0, rng=1).probability


@pytest.mark.parametrize("vectorized", [False, True])
def test_args_come_after_the_generator(vectorized):
    def performance(x, rng, scale):
        assert isinstance(rng, np.random.Generator)
        assert scale == 2
        return scale * x.sum(axis=-1)

    estimate(performance, PAIR, 10.0, vectorized=vectorized, pass_rng=True, args=(2,), target_cv=0.2, rng=1)


def test_every_candidate_has_a_generator_of_its_own():
    noise = []

    def performance(x, rng):
        noise.append(rng.random())
        return total(x)

    e = estimate(performance, PAIR, 10.0, pass_rng=True, target_cv=0.2, rng=1)
    assert len(set(noise)) == len(noise) == e.nfev
    first = list(noise)
    noise.clear()
    assert_same_estimate(e, estimate(performance, PAIR, 10.0, pass_rng=True, target_cv=0.2, rng=1))
    assert noise == first


@pytest.mark.slow
def test_random_performance_is_part_of_the_probability():
    """P(x + noise >= 6), with x exponential and the noise normal: an exponentially modified Gaussian."""

    def performance(X, rng):
        return X[:, 0] + rng.standard_normal(len(X))

    runs = estimates(60, performance, cem.Exponential([1.0]), 6.0, vectorized=True, pass_rng=True)
    exact = stats.exponnorm.sf(6, 1)
    assert_right_on_average(runs, exact)


# --- the same result for every worker, and every kind of seed -------------------------------------------


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("problem", ["plain", "pass_rng", "vectorized"])
def test_results_do_not_depend_on_the_workers(backend, problem):
    performance, options = {
        "plain": (total, {}),
        "pass_rng": (noisy_total, {"pass_rng": True}),
        "vectorized": (totals, {"vectorized": True}),
    }[problem]
    options |= {"inputs": PAIR, "level": 10.0, "target_cv": 0.1, "rng": 5}
    serial = estimate(performance, n_jobs=1, **options)
    with joblib.parallel_config(backend):
        assert_same_estimate(serial, estimate(performance, n_jobs=2, **options))


def test_workers_are_inherited():
    with joblib.parallel_config("threading", n_jobs=2):
        inherited = estimate(total, PAIR, 10.0, rng=5)
    assert_same_estimate(inherited, estimate(total, PAIR, 10.0, rng=5))


@pytest.mark.parametrize("budget", [1, 999, 2345])
def test_max_evaluations_is_exact_with_workers(budget):
    performance = Counting()
    with joblib.parallel_config("threading"):
        e = estimate(performance, PAIR, 12.0, n_jobs=2, max_evaluations=budget, rng=1)
    assert e.nfev == budget
    assert_same_estimate(e, estimate(total, PAIR, 12.0, max_evaluations=budget, rng=1))


def run(rng):
    return estimate(totals, PAIR, 10.0, vectorized=True, target_cv=0.2, rng=rng)


def test_seeds_repeat_and_differ():
    assert_same_estimate(run(1), run(1))
    assert_same_estimate(run(1), run(np.int64(1)))
    assert run(1).probability != run(2).probability


def test_seed_sequences_repeat_and_are_not_used_up():
    sequence = np.random.SeedSequence(9)
    assert_same_estimate(run(sequence), run(sequence))
    assert_same_estimate(run(sequence), run(9))
    children = sequence.spawn(2)
    assert run(children[0]).probability != run(children[1]).probability
    assert_same_estimate(run(children[0]), run(np.random.SeedSequence(9, spawn_key=(0,))))


def test_generators_give_new_results_at_each_call():
    rng = np.random.default_rng(3)
    first, second = run(rng), run(rng)
    assert first.probability != second.probability
    assert_same_estimate(first, run(np.random.default_rng(3)))


@pytest.mark.parametrize(
    "rng",
    [None, 4, np.random.default_rng(3), np.random.SeedSequence(5, spawn_key=(1, 2))],
    ids=["none", "int", "generator", "sequence"],
)
def test_the_seed_repeats_the_run(rng):
    e = run(rng)
    assert_same_estimate(e, run(e.seed))


def test_no_seed_is_a_new_seed():
    assert run(None).probability != run(None).probability


def test_numpys_global_generator_is_left_alone():
    before = np.random.get_state()  # noqa: NPY002
    run(1)
    run(None)
    after = np.random.get_state()  # noqa: NPY002
    assert before[2] == after[2]
    np.testing.assert_array_equal(before[1], after[1])
