"""The plan for strings: finds what single changes cannot, claims only what runs agree on."""

import numpy as np
import pytest

import cem
from cem.plans.strings import AGAIN, EXCHANGED, FRESH, MANY, REFITTED, StringRun, StringSpace


def traps(n, k, seed):
    """Deceptive blocks of `k` shuffled bits; the best value is -n."""
    rng = np.random.default_rng(seed)
    order, best = rng.permutation(n), rng.integers(0, 2, n)

    def f(x):
        wrong = (x != best)[:, order].reshape(len(x), -1, k).sum(axis=2)
        return -np.where(wrong == 0, k, wrong - 1).sum(axis=1).astype(float)

    return f, best


def test_deceptive_blocks_are_found_and_claimed():
    f, best = traps(40, 5, seed=0)
    r = cem.optimize(f, cem.Bernoulli([0.5] * 40), vectorized=True, rng=1)
    assert (r.fun, r.status) == (-40, cem.Status.CONVERGED)
    np.testing.assert_array_equal(r.x, best)
    assert "3 of" in r.message
    assert "runs from scratch" in r.message
    assert r.x.dtype == np.int64


def test_labels_of_mixed_numbers():
    sizes = np.array([2, 3, 4, 5, 3, 2, 6, 3, 4, 2])
    best = np.random.default_rng(4).integers(0, sizes)
    start = cem.Categorical([np.full(k, 1 / k) for k in sizes])
    seen = []

    def f(x):
        seen.append(x)
        pairs = (x == best)[:, :-1] & (x == best)[:, 1:]
        return pairs.sum(axis=1)

    r = cem.optimize(f, start, maximize=True, vectorized=True, rng=2)
    assert r.success
    np.testing.assert_array_equal(r.x, best)
    rows = np.concatenate(seen)
    assert rows.dtype == np.int64
    assert (rows >= 0).all()
    assert (rows < sizes).all()


@pytest.mark.slow
def test_labels_without_a_chance_are_never_drawn():
    start = cem.Categorical([[0.5, 0.0, 0.5]] * 12)
    r = cem.optimize(
        lambda x: ((x - 1.2) ** 2).sum(axis=1), start, vectorized=True, rng=1, max_evaluations=3000
    )
    assert r.x.tolist() == [2] * 12
    assert set(np.unique(r.family.sample(500, np.random.default_rng(0)))) == {0, 2}
    fixed = cem.Bernoulli([0, 1, *[0.5] * 12])
    r = cem.optimize(lambda x: x.sum(axis=1), fixed, vectorized=True, rng=1, max_evaluations=3000)
    assert r.x.tolist() == [0, 1, *[0] * 12]


def test_a_small_space_is_seen_whole_and_no_candidate_twice():
    asked = []

    def f(x):
        asked.append(tuple(x))
        return float((x[0] - 2) ** 2 + x[1])

    r = cem.optimize(f, cem.Categorical([[1 / 3] * 3] * 2), rng=1)
    assert len(asked) == len(set(asked)) == r.nfev == 9
    assert (r.status, r.message) == (cem.Status.CONVERGED, "all 9 candidates were evaluated")
    assert r.x.tolist() == [2, 0]


def test_no_candidate_is_evaluated_twice_in_one_run():
    asked = []

    def f(x):
        asked.extend(map(bytes, x.astype(np.uint8)))
        return x @ np.arange(30)

    r = cem.optimize(f, cem.Bernoulli([0.5] * 30), vectorized=True, rng=0, max_evaluations=2000)
    assert r.fun == 0
    assert len(set(asked)) == len(asked) == 2000


@pytest.mark.slow
def test_a_target_that_is_missed_is_no_success():
    f, _ = traps(20, 5, seed=1)
    r = cem.optimize(f, cem.Bernoulli([0.5] * 20), vectorized=True, target=-21, max_evaluations=20_000, rng=1)
    assert (r.success, r.status, r.nfev) == (False, cem.Status.EVALUATION_LIMIT, 20_000)
    small = cem.optimize(lambda x: x.sum(), cem.Bernoulli([0.5] * 3), target=-1, rng=1)
    assert (small.success, small.nfev) == (False, 8)
    assert "none reaches the target" in small.message


def test_a_target_that_is_met_ends_it():
    r = cem.optimize(lambda x: x.sum(), cem.Bernoulli([0.5] * 40), target=3, rng=1)
    assert r.status is cem.Status.TARGET_REACHED
    assert r.fun <= 3


@pytest.mark.slow
def test_constraints_come_first():
    from scipy.optimize import LinearConstraint

    rng = np.random.default_rng(0)
    worth, size = rng.integers(10, 40, 18), rng.integers(5, 30, 18)
    rows = (np.arange(2**18)[:, None] >> np.arange(18)) & 1
    best = (rows @ worth)[rows @ size <= 100].max()
    r = cem.optimize(
        lambda x: x @ worth,
        cem.Bernoulli([0.5] * 18),
        constraints=LinearConstraint(size, ub=100),
        maximize=True,
        rng=1,
        max_evaluations=20_000,
    )
    assert r.maxcv == 0
    assert r.fun == best


@pytest.mark.parametrize("population", [1, 7])
def test_population_is_what_may_be_evaluated_at_once(population):
    sizes = []

    def f(x):
        sizes.append(len(x))
        return x.sum(axis=1)

    cem.optimize(
        f, cem.Bernoulli([0.5] * 20), population=population, vectorized=True, max_evaluations=700, rng=1
    )
    assert max(sizes) == population
    assert np.mean(sizes) > population - 0.5


def test_workers_change_nothing():
    f, _ = traps(20, 5, seed=2)

    def one(x):
        return float(f(x[None])[0])

    runs = [
        cem.optimize(one, cem.Bernoulli([0.5] * 20), max_evaluations=600, rng=3, n_jobs=n) for n in (None, 2)
    ]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    np.testing.assert_array_equal(runs[0].history.mean, runs[1].history.mean)


@pytest.mark.slow
def test_it_goes_on_where_it_was_left(tmp_path):
    f, _ = traps(30, 5, seed=5)
    ask = {"start": cem.Bernoulli([0.5] * 30), "vectorized": True, "rng": 4}
    whole = cem.optimize(f, **ask, max_evaluations=5000)
    cem.optimize(f, **ask, max_evaluations=1700, checkpoint=tmp_path / "run")
    resumed = cem.optimize(f, **ask, max_evaluations=5000, checkpoint=tmp_path / "run", resume=True)
    np.testing.assert_array_equal(whole.x, resumed.x)
    assert whole.nfev == resumed.nfev
    np.testing.assert_array_equal(whole.history.best, resumed.history.best)


def test_nan_scores_rank_last():
    def f(x):
        return np.where(x[:, 0] == 1, np.nan, x.sum(axis=1) * 1.0)

    r = cem.optimize(f, cem.Bernoulli([0.5] * 20), vectorized=True, max_evaluations=2000, rng=1)
    assert r.fun == 0
    assert r.x.tolist() == [0] * 20


@pytest.mark.slow
def test_scores_in_other_units_give_the_same_search():
    f, _ = traps(20, 5, seed=2)
    ask = {"start": cem.Bernoulli([0.5] * 20), "vectorized": True, "rng": 3}
    plain = cem.optimize(f, **ask)
    scaled = cem.optimize(lambda x: 2.0**-40 * f(x), **ask)
    assert (plain.nfev, plain.status) == (scaled.nfev, scaled.status)
    assert scaled.fun == 2.0**-40 * plain.fun


@pytest.mark.slow
def test_two_thousand_positions():
    n = 2000
    best = np.random.default_rng(0).integers(0, 2, n)
    start = cem.Bernoulli([0.5] * n)
    r = cem.optimize(lambda x: (x != best).sum(axis=1), start, vectorized=True, max_evaluations=10_000, rng=1)
    assert r.fun == 0


def test_the_textbook_stays_the_textbook():
    sizes = set()

    def f(x):
        sizes.add(len(x))
        return x.sum(axis=1)

    cem.optimize(f, cem.Bernoulli([0.5] * 20), vectorized=True, method="textbook", rng=1)
    assert 200 in sizes


def test_the_history_tells_what_each_step_knew():
    r = cem.optimize(lambda x: float(-x.sum()), cem.Bernoulli(np.full(12, 0.5)), max_evaluations=400, rng=3)
    told = []

    def note(intermediate_result):
        told.append(intermediate_result.family.entropy())

    start = cem.Bernoulli(np.full(12, 0.5))
    cem.optimize(lambda x: float(-x.sum()), start, max_evaluations=400, rng=3, callback=note)
    assert len(r.history) >= 3
    assert r.history.entropy.tolist() == told[: len(r.history)]
    assert r.family.entropy() == told[-1]


def test_exchanges_go_where_no_single_change_can():
    worth = np.random.default_rng(5).permutation(30)

    def f(x):
        return np.where(x.sum(axis=1) == 10, x @ worth, -100.0 * np.abs(x.sum(axis=1) - 10))

    r = cem.optimize(
        f, cem.Bernoulli([0.5] * 30), maximize=True, vectorized=True, rng=1, max_evaluations=3500, target=245
    )
    assert r.fun == np.sort(worth)[-10:].sum()


def test_a_kind_of_start_that_gains_nothing_has_a_tenth_of_its_share():
    start = cem.Bernoulli([0.5] * 10)
    run = StringRun(np.random.default_rng(0), None, 1, start=start, space=StringSpace.of(start))
    for i in range(MANY):
        run.note(np.full(10, i), float(i))
    run.searches.spent = {FRESH: 700, REFITTED: 100, AGAIN: 100, EXCHANGED: 100}
    run.searches.gains = {FRESH: 1, REFITTED: 10, AGAIN: 0, EXCHANGED: 0}
    assert run._kind() == REFITTED
    run.searches.gains = {FRESH: 10, REFITTED: 0, AGAIN: 0, EXCHANGED: 10}
    assert run._kind() == EXCHANGED
    run.searches.gains = {FRESH: 1000}
    assert run._kind() == FRESH
    run.searches.spent = {FRESH: 70_000, REFITTED: 3000, AGAIN: 1000, EXCHANGED: 2000}
    assert run._kind() == AGAIN
    run._begun[AGAIN] = 300
    assert run._kind() == FRESH


@pytest.mark.parametrize("n", [1, 3])
def test_a_space_without_a_score_is_no_success(n):
    p = np.where(np.arange(3) < n - 1, 0.5, 1.0)
    r = cem.optimize(lambda x: -np.inf, cem.Bernoulli(p), maximize=True, max_evaluations=20, rng=1)
    assert (r.success, r.x) == (False, None)
    assert "score" in r.message
