"""Permutations: exact masses, sampling without repetition, and the maximum-likelihood fit."""

import itertools
import pickle

import numpy as np
import pytest

import cem

KINDS = ("transition", "position")


def all_orders(n):
    return np.array(list(itertools.permutations(range(n))))


def random_family(n, kind, seed):
    table = np.random.default_rng(seed).random((n + (kind == "transition"), n)) ** 2
    return cem.Permutation(n, kind, table)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_the_default_is_uniform(kind):
    np.testing.assert_allclose(cem.Permutation(5, kind).log_prob(all_orders(5)), -np.log(120))


def test_masses_sum_to_one(kind):
    p = np.exp(random_family(5, kind, 1).log_prob(all_orders(5)))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p.std() > 0.001


def test_samples_have_the_mass_that_log_prob_says(kind):
    family, n = random_family(4, kind, 2), 50_000
    orders = all_orders(4)
    x = family.sample(n, np.random.default_rng(3))
    number = {tuple(row): i for i, row in enumerate(orders.tolist())}
    seen = np.bincount([number[tuple(row)] for row in x.tolist()], minlength=24)
    expected = n * np.exp(family.log_prob(orders))
    chi_square = ((seen - expected) ** 2 / expected).sum()
    assert chi_square < 23 + 5 * np.sqrt(2 * 23)  # five standard deviations


def test_transitions_by_hand():
    table = [[0, 3, 1], [1, 0, 1], [1, 2, 0], [2, 1, 1]]
    family = cem.Permutation(3, "transition", table)
    assert np.exp(family.log_prob([[0, 1, 2]]))[0] == pytest.approx(2 / 4 * 3 / 4)
    assert np.exp(family.log_prob([[2, 1, 0]]))[0] == pytest.approx(1 / 4 * 2 / 3)


def test_positions_by_hand():
    family = cem.Permutation(3, "position", [[2, 1, 1], [1, 3, 1], [1, 1, 1]])
    assert np.exp(family.log_prob([[0, 1, 2]]))[0] == pytest.approx(2 / 4 * 3 / 4)


def test_items_without_a_chance_are_equally_likely_once_nothing_else_is_left(kind):
    table = np.zeros((3 + (kind == "transition"), 3))
    table[:, 0] = 1
    family = cem.Permutation(3, kind, table)
    np.testing.assert_allclose(np.exp(family.log_prob([[0, 1, 2], [0, 2, 1], [1, 0, 2]])), [0.5, 0.5, 0])
    assert {tuple(x) for x in family.sample(40, np.random.default_rng(0))} == {(0, 1, 2), (0, 2, 1)}


@pytest.mark.parametrize("seed", range(3))
def test_no_table_nearby_is_likelier_than_the_fit(kind, seed):
    rng = np.random.default_rng(seed)
    x, w = random_family(5, kind, seed).sample(60, rng), rng.random(60)
    fitted = cem.Permutation(5, kind).fit(x, w)
    best = w @ fitted.log_prob(x)
    for _ in range(30):
        table = fitted.probabilities * np.exp(0.05 * rng.standard_normal(fitted.probabilities.shape))
        assert w @ cem.Permutation(5, kind, table).log_prob(x) < best + 1e-6 * abs(best)


def test_the_fit_recovers_the_family(kind):
    family = random_family(4, kind, 7)
    orders = all_orders(4)
    p = np.exp(family.log_prob(orders))
    again = np.exp(cem.Permutation(4, kind).fit(orders, p).log_prob(orders))
    np.testing.assert_allclose(again, p, atol=1e-3)


def test_one_row_is_learned_by_heart(kind):
    family = cem.Permutation(6, kind).fit([[3, 1, 5, 0, 2, 4]])
    assert family.log_prob([[3, 1, 5, 0, 2, 4]])[0] == pytest.approx(0)
    assert (family.sample(5, np.random.default_rng(0)) == [3, 1, 5, 0, 2, 4]).all()


def test_weights_are_as_good_as_copies(kind):
    x = random_family(5, kind, 1).sample(8, np.random.default_rng(1))
    w = np.arange(1, 9)
    weighted, copied = (
        cem.Permutation(5, kind).fit(x, w),
        cem.Permutation(5, kind).fit(np.repeat(x, w, axis=0)),
    )
    np.testing.assert_allclose(weighted.probabilities, copied.probabilities, atol=1e-9)


def test_orders_without_weight_teach_nothing(kind):
    x = random_family(5, kind, 2).sample(8, np.random.default_rng(2))
    some, fewer = cem.Permutation(5, kind).fit(x, [1, 0, 2, 0, 1, 1, 0, 0]), x[[0, 2, 4, 5]]
    fitted = cem.Permutation(5, kind).fit(fewer, [1, 2, 1, 1])
    np.testing.assert_array_equal(some.probabilities, fitted.probabilities)


def test_a_fit_block_by_block_is_the_fit(kind, monkeypatch):
    x = random_family(6, kind, 3).sample(40, np.random.default_rng(3))
    whole = cem.Permutation(6, kind).fit(x).probabilities
    monkeypatch.setattr("cem.families.permutation.CELLS", 100)
    np.testing.assert_allclose(cem.Permutation(6, kind).fit(x).probabilities, whole, rtol=1e-12)


@pytest.mark.parametrize("n", [5, 30])
def test_the_entropy_is_the_mean_surprise(kind, n):
    family = random_family(n, kind, 5)
    surprise = -family.log_prob(family.sample(2000, np.random.default_rng(6)))
    draws = 256 if n == 5 else 2**12 // 30
    assert family.entropy() == pytest.approx(surprise.mean(), abs=5 * surprise.std() / np.sqrt(draws))


def test_what_is_no_permutation_has_no_mass_and_is_not_learned(kind):
    family = cem.Permutation(3, kind)
    assert np.isneginf(family.log_prob([[0, 0, 1], [0, 1, 3], [0, 1, 1.5]])).all()
    with pytest.raises(ValueError, match="permutation of 0 … 2"):
        family.fit([[0, 0, 1]])


def test_it_is_saved_and_pickled_exactly(kind):
    family = random_family(7, kind, 4).blend(cem.Permutation(7, kind), 0.3)
    for copy in (type(family).from_arrays(family.to_arrays()), pickle.loads(pickle.dumps(family))):
        np.testing.assert_array_equal(copy.probabilities, family.probabilities)
        assert (copy.kind, copy.n) == (kind, 7)


@pytest.mark.parametrize(
    ("arguments", "error", "what"),
    [
        ((0,), ValueError, "at least 1"),
        ((2.5,), TypeError, "whole number"),
        ((True,), TypeError, "whole number"),
        ((3, "places"), ValueError, '"transition" or "position"'),
        ((3, "position", np.ones((4, 3))), ValueError, "shape"),
        ((2, "position", [[1, -1], [1, 1]]), ValueError, "non-negative"),
        ((2, "position", [[0, 0], [1, 1]]), ValueError, "every row"),
    ],
)
def test_bad_parameters_are_refused(arguments, error, what):
    with pytest.raises(error, match=what):
        cem.Permutation(*arguments)


def test_ask_and_tell_sorts(tmp_path):
    m = cem.CrossEntropyMethod(cem.Permutation(6, "position"), population=200, rng=1)
    for _ in range(12):
        x = m.ask()
        m.tell(x, np.abs(x - np.arange(6)).sum(axis=1))
    m.save(tmp_path / "m")
    assert cem.CrossEntropyMethod.load(tmp_path / "m").best_x.tolist() == list(range(6))


def test_the_probability_of_an_order_is_estimated():
    e = cem.estimate_probability(
        lambda x: -np.abs(x - np.arange(7)).sum(axis=1) * 1.0,
        cem.Permutation(7, "position"),
        level=-2,
        vectorized=True,
        rng=1,
    )
    low, high = e.confidence_interval(0.999)
    assert low < 7 / 5040 < high  # the identity and its six exchanges of neighbours
