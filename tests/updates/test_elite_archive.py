"""The archive of distinct elites, and the fits to a few of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import cem
from cem.core.loop import Batch
from cem.updates import EliteArchive

FAIR = cem.Bernoulli(np.full(6, 0.5))


def batch(x, scores, seed=0):
    return Batch(
        np.asarray(x, dtype=np.uint8), np.asarray(scores, dtype=float), lambda: np.random.default_rng(seed)
    )


def rows(*texts):
    return [[int(c) for c in text] for text in texts]


def fed(update, *batches, start=FAIR):
    state = update.init(start)
    for number, (x, scores) in enumerate(batches):
        state = update.step(state, batch(x, scores, number))
    return state


def elites(state):
    return {"".join(map(str, x)): s for x, s in zip(state.memory["x"], state.memory["scores"], strict=True)}


@pytest.mark.parametrize("bounds", [(8, 1, 4), (8, 5, 4), (3, 2, 4)])
def test_bounds_must_be_in_order(bounds):
    capacity, fewest, most = bounds
    with pytest.raises(ValueError, match="2 <= fewest <= most <= capacity"):
        EliteArchive(capacity=capacity, fewest=fewest, most=most)


# --- who gets in ------------------------------------------------------------------------------------


def test_it_fills_with_whatever_comes():
    state = fed(EliteArchive(), (rows("000000", "000001"), [1, 5]), (rows("000011"), [-3]))
    assert elites(state) == {"000000": 1, "000001": 5, "000011": -3}
    assert (state.level, state.elite_best, state.elites) == (-3, 5, 3)


def test_a_candidate_counts_once():
    state = fed(EliteArchive(), (rows("000000", "000000"), [1, 1]), (rows("000000"), [1]))
    assert elites(state) == {"000000": 1}


def test_its_complement_counts_as_the_same_only_where_told():
    given = (rows("000011", "111100"), [1, 1])
    assert elites(fed(EliteArchive(symmetric=True), given)) == {"000011": 1}
    assert len(elites(fed(EliteArchive(), given))) == 2


def test_what_has_no_score_stays_out():
    state = fed(EliteArchive(), (rows("000000", "000001", "000010"), [-np.inf, np.nan, 2]))
    assert elites(state) == {"000010": 2}


def test_without_any_score_the_distribution_stays():
    state = fed(EliteArchive(), (rows("000000"), [-np.inf]))
    assert state.family is FAIR
    assert state.elites == 0


def test_a_full_archive_replaces_the_nearest_elite_that_is_no_better():
    update = EliteArchive(capacity=3, most=3)
    full = (rows("000000", "111110", "000111"), [1, 2, 9])
    assert elites(fed(update, full, (rows("111111"), [5]))) == {"000000": 1, "111111": 5, "000111": 9}
    assert elites(fed(update, full, (rows("000011"), [5]))) == {"000011": 5, "111110": 2, "000111": 9}
    assert elites(fed(update, full, (rows("100000"), [1]))) == {"100000": 1, "111110": 2, "000111": 9}
    assert elites(fed(update, full, (rows("100000"), [0]))) == elites(fed(update, full))


def test_nearness_is_up_to_complement_where_told():
    update = EliteArchive(capacity=3, most=3, symmetric=True)
    full = (rows("000000", "001101", "000111"), [1, 1, 9])
    assert elites(fed(update, full, (rows("111110"), [5]))) == {"111110": 5, "001101": 1, "000111": 9}


class Fitted(cem.Bernoulli):
    """Keeps the rows that it is fitted to."""

    def fit(self, x, weights=None, /):
        self.seen.append(x)
        return super().fit(x, weights)


def parents_of(update, x, fits):
    """Return the rows of every fit, as the same elites are offered again and again."""
    kind = Fitted(np.full(x.shape[1], 0.5))
    object.__setattr__(kind, "seen", [])
    fed(replace(update, kinds=(kind,)), *[(x, range(len(x)))] * fits)
    assert len(kind.seen) == fits
    return kind.seen


# --- what is fitted ---------------------------------------------------------------------------------


def test_the_start_is_sampled_until_as_many_have_come_as_the_archive_holds():
    update = EliteArchive(capacity=4)
    first = (rows("000000", "000001", "000010"), [1, 2, 3])
    assert fed(update, first).family is FAIR
    assert fed(update, first, (rows("000010"), [3])).family is not FAIR


def test_a_fit_is_sure_of_what_its_parents_agree_on():
    """All elites have 01 in front: every fit gives it, whichever are drawn."""
    x = rows("010000", "010001", "010110", "011100", "010101", "011011", "010011", "011111")
    state = fed(EliteArchive(), (x, range(8)))
    assert state.family.p[:2].tolist() == [0, 1]
    assert 0 < state.family.p[2:].max() < 1


def test_parents_are_turned_towards_each_other():
    """Half of them are given as their complements; what they agree on is the same."""
    x = np.array(rows("010000", "010001", "010010", "010100", "011000", "010101", "010011", "011001"))
    x[::2] = 1 - x[::2]
    state = fed(EliteArchive(symmetric=True), (x, range(8)))
    assert abs(state.family.p[0] - state.family.p[1]) == 1
    fits = [parents.mean(axis=0) for parents in parents_of(EliteArchive(), x, 20)]
    assert any(abs(a - b) < 1 for a, b, *_ in fits)


@pytest.mark.parametrize(("fewest", "most"), [(2, 4), (3, 3)])
def test_a_fit_sees_so_many_parents(fewest, most):
    """Each number from the fewest to the most: of three, one is missed in 60 fits with chance 3 (2/3)^60."""
    given = parents_of(EliteArchive(fewest=fewest, most=most), np.eye(8, dtype=np.uint8), 60)
    assert {len(parents) for parents in given} == set(range(fewest, most + 1))


def test_the_kind_that_betters_the_archive_is_chosen_more_often():
    """One kind's offspring better it always, the other's never; Thompson sampling finds out."""
    tree = cem.BernoulliTree.independent(np.full(12, 0.5))
    update = EliteArchive(kinds=(tree, cem.Bernoulli(np.full(12, 0.5))))
    state = fed(update, (np.eye(12, dtype=np.uint8)[:8], range(8)))
    score, chosen = 100.0, []
    for number in range(60):
        pays = isinstance(state.family, cem.BernoulliTree)
        chosen.append(pays)
        row = np.array(list(np.binary_repr(4095 - number, 12)), dtype=np.uint8)
        score += pays
        state = update.step(state, batch([row], [score if pays else -1.0], number + 10))
    assert sum(chosen[20:]) > stats.binom.ppf(0.999, 40, 0.5)  # if it did not matter which pays
    assert state.memory["wins"][0] + state.memory["losses"][1] == 60
    assert state.memory["wins"][1] + state.memory["losses"][0] == 0


def test_the_same_batches_give_the_same_state():
    given = [(np.eye(6, dtype=np.uint8), range(6)), (1 - np.eye(6, dtype=np.uint8), range(6))]
    first, second = fed(EliteArchive(), *given), fed(EliteArchive(), *given)
    np.testing.assert_array_equal(first.family.p, second.family.p)
    assert elites(first) == elites(second)
