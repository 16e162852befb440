"""Discrete spaces: no candidate is asked about twice, and a space that was seen whole is done."""

import itertools

import numpy as np
import pytest

import cem
from cem import Status


class Counting:
    """Counts the calls for each candidate."""

    def __init__(self, fun):
        self.fun, self.calls = fun, {}

    def __call__(self, x):
        key = tuple(x.tolist())
        self.calls[key] = self.calls.get(key, 0) + 1
        return self.fun(x)


def bumpy(x):
    return float(((x - 1) ** 2 * np.arange(1, len(x) + 1)).sum() + np.sin(7 * x).sum())


CASES = {
    "integers": ({"bounds": [(-1, 1)] * 2, "integrality": 1}, list(itertools.product((-1, 0, 1), repeat=2))),
    "a fixed one": ({"bounds": [(0, 4), (2.5, 2.5)], "integrality": [1, 0]}, [(i, 2.5) for i in range(5)]),
    "bits": ({"start": cem.Bernoulli([0.5] * 4)}, list(itertools.product((0, 1), repeat=4))),
    "certain bits": ({"start": cem.Bernoulli([0.5, 1.0, 0.0])}, [(0, 1, 0), (1, 1, 0)]),
    "labels": (
        {"start": cem.Categorical([[1 / 3] * 3, [0.5, 0.5]])},
        list(itertools.product(range(3), range(2))),
    ),
}


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_a_space_that_is_seen_whole_ends_the_run(name, n_jobs):
    options, space = CASES[name]
    fun = Counting(bumpy)
    r = cem.optimize(fun, rng=1, n_jobs=n_jobs, **options)
    assert r.status is Status.CONVERGED
    assert r.message == f"all {len(space)} candidates were evaluated"
    assert r.nfev == len(space)
    best = min(space, key=lambda x: bumpy(np.array(x)))
    assert tuple(r.x.tolist()) == best
    assert r.fun == bumpy(np.array(best))
    if n_jobs == 1:
        assert fun.calls == dict.fromkeys(space, 1)


def test_where_every_variable_is_fixed_there_is_one_candidate():
    r = cem.optimize(bumpy, bounds=[(1, 1), (2.5, 2.5)], rng=1)
    assert (r.nfev, r.status, r.message) == (1, Status.CONVERGED, "the only candidate was evaluated")
    assert r.x.tolist() == [1, 2.5]


@pytest.mark.parametrize("vectorized", [False, True])
def test_a_larger_space_is_asked_about_each_candidate_once(vectorized):
    fun = Counting(lambda x: float(x.sum()))

    def rows(X):
        return np.array([fun(x) for x in X])

    r = cem.optimize(
        rows if vectorized else fun,
        cem.Bernoulli([0.5] * 15),
        maximize=True,
        vectorized=vectorized,
        rng=1,
    )
    twice = [x for x, calls in fun.calls.items() if calls > 1]
    assert twice == [(1,) * 15]  # the best one is asked about again, in case there is noise
    assert r.nfev == sum(fun.calls.values())
    assert r.fun == 15


def test_candidates_longer_than_a_key_are_told_apart():
    fun = Counting(lambda x: float(x[-1]))
    cem.optimize(fun, cem.Bernoulli([1.0] * 60 + [0.5, 0.5]), rng=1)
    assert len(fun.calls) == 4


def test_the_sign_of_zero_makes_no_other_candidate():
    fun = Counting(lambda x: float(np.abs(x).sum()))
    r = cem.optimize(fun, bounds=[(-1, 1)], integrality=1, rng=1)
    assert r.nfev == 3


def test_only_calls_are_counted_against_the_budget():
    fun = Counting(lambda x: float(x.sum()))
    r = cem.optimize(fun, cem.Bernoulli([0.5] * 15), maximize=True, max_evaluations=150, rng=1)
    assert len(fun.calls) == r.nfev == 150
    assert r.status is Status.EVALUATION_LIMIT


def test_a_distribution_that_has_nothing_new_to_offer_ends():
    """A budget that is never spent ends the run all the same."""
    r = cem.optimize(
        lambda x: float(x[0]),
        cem.Bernoulli([0.5] + [1e-12] * 40),
        update=cem.updates.SmoothedFit(rate=1e-6),
        max_evaluations=30,
        population=100,
        rng=1,
    )
    assert r.nfev == 2
    assert not r.success
    assert r.message == "400 candidates were drawn, but only 2 different ones"


@pytest.mark.parametrize("options", [{"noisy": True}, {"pass_rng": True}], ids=["noisy", "pass_rng"])
def test_a_random_objective_is_asked_again(options):
    fun = Counting(lambda x: float(x.sum()))
    called = (lambda x, rng: fun(x)) if "pass_rng" in options else fun
    cem.optimize(called, cem.Bernoulli([0.5] * 2), method="textbook", max_evaluations=300, rng=1, **options)
    assert len(fun.calls) <= 4
    assert sum(fun.calls.values()) > 50


def test_a_target_that_is_not_among_the_candidates_is_no_success():
    r = cem.optimize(bumpy, bounds=[(-1, 1)] * 2, integrality=1, target=-100, rng=1)
    assert not r.success
    assert r.message == "all 9 candidates were evaluated, and none reaches the target -100"


def test_an_infeasible_space_that_is_seen_whole_is_no_success():
    from scipy.optimize import LinearConstraint

    r = cem.optimize(
        bumpy, bounds=[(-1, 1)] * 2, integrality=1, constraints=LinearConstraint([1, 1], 5, 6), rng=1
    )
    assert r.status is Status.INFEASIBLE
    assert "all 9 candidates were evaluated" in r.message


class Stopping:
    """Counts the calls that come to an end, and is interrupted once."""

    def __init__(self, after):
        self.after, self.calls = after, []

    def __call__(self, x):
        if len(self.calls) == self.after:
            self.after = None
            raise KeyboardInterrupt
        self.calls.append(tuple(x.tolist()))
        return float(x @ np.arange(15))


def test_a_resumed_run_asks_nothing_twice(tmp_path):
    options = {"start": cem.Bernoulli([0.5] * 15), "maximize": True, "method": "textbook", "rng": 1}
    whole = Stopping(after=None)
    expected = cem.optimize(whole, **options)
    assert len(set(whole.calls)) + 1 == len(whole.calls) == expected.nfev  # the best is asked about again
    fun, path = Stopping(after=137), tmp_path / "run"
    r = cem.optimize(fun, checkpoint=path, **options)
    assert (r.status, r.nfev) == (Status.INTERRUPTED, 137)
    r = cem.optimize(fun, checkpoint=path, resume=True, **options)
    assert r.nfev == expected.nfev
    assert set(fun.calls) == set(whole.calls)
    assert len(fun.calls) <= len(whole.calls) + 3  # some kept candidates may be tried again
    np.testing.assert_array_equal(r.x, expected.x)
