"""The search of a string by single changes."""

import numpy as np
import pytest

from cem.local_search.one_change import FLIPPED, Changes, climb
from cem.local_search.side_by_side import Known


def climbed(score, x, known, categories, seed=0):
    """Return the merit reached and how many candidates were asked for."""
    search = climb(x, score(x), Changes.of(np.array(categories)), np.random.default_rng(seed), known)
    known.add(x.tobytes(), score(x))
    asked, merit = 0, None
    while True:
        try:
            candidate, key = known.advance(search, merit)
        except StopIteration as finished:
            return finished.value, asked
        asked, merit = asked + 1, score(candidate)
        known.repeated = 0
        known.add(key, merit)


def total(x):
    return float(x.sum())


def test_every_change_of_a_string_is_there_once():
    changes = Changes.of(np.array([2, 3, 1]))
    assert changes.trials == [(0, FLIPPED), (1, 0), (1, 1), (1, 2)]
    assert changes.positions.tolist() == [0, 1, 1, 1]
    assert changes.number == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_it_ends_where_no_change_is_better(dtype):
    x, known = np.zeros(5, dtype), Known()
    merit, asked = climbed(total, x, known, [2, 3, 4, 2, 1])
    assert (merit, x.tolist()) == (7.0, [1, 2, 3, 1, 0])
    assert asked == known.distinct - 1  # no candidate twice


def test_an_optimum_that_another_search_has_shown_is_not_shown_again():
    known = Known()
    climbed(total, np.zeros(6, np.uint8), known, [2] * 6)
    best = np.ones(6, np.uint8)
    assert known.optima == {best.tobytes()}
    known.repeated = 0
    assert climbed(total, best, known, [2] * 6, seed=1) == (6.0, 0)
    assert known.repeated == 6  # the trials that it would have made


@pytest.mark.parametrize("seed", range(4))
def test_a_label_between_two_equal_ones_is_tried(seed):
    best = np.array([1, 1, 1, 1, 1])
    x = np.array([0, 2, 0, 2, 0], np.uint8)
    merit, _ = climbed(lambda x: -float(((x - best) ** 2).sum()), x, Known(), [3] * 5, seed)
    assert merit == 0.0


def test_a_plateau_is_no_optimum():
    known = Known()
    climbed(lambda x: float(x[0]), np.zeros(3, np.uint8), known, [2] * 3)
    assert not known.optima


def test_what_is_forgotten_is_no_optimum_any_more():
    known = Known(limit=40)
    climbed(total, np.zeros(6, np.uint8), known, [2] * 6)
    for i in range(14):
        known.add(bytes([i, 9, 9, 9, 9, 9]), 0.0)
    assert not known.optima
