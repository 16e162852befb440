"""The archive whose elites are parents."""

import numpy as np
import pytest

import cem
from cem.core.loop import Batch
from cem.updates.elite_crossing import CAPACITY, ENOUGH, PARENTS, EliteCrossing

START = cem.Bernoulli(np.full(20, 0.5))


def batch(x, scores, seed=0):
    return Batch(np.array(x), np.array(scores, float), lambda: np.random.default_rng(seed))


def filled(update, count=CAPACITY, seed=0):
    """Return the state after `count` random candidates, number `i` of score `i`."""
    rng = np.random.default_rng(seed)
    state = update.init(START)
    for i in range(count):
        state = update.step(state, batch(rng.integers(2, size=(1, 20)), [i], seed + i))
    return state


def test_there_are_no_parents_while_the_archive_fills():
    update = EliteCrossing()
    for count in range(CAPACITY):
        assert update.parents(filled(update, count)) == []
    (parents,) = update.parents(filled(update))
    assert len(parents) in PARENTS


def test_parents_are_distinct_elites_of_every_number():
    update = EliteCrossing()
    counts = set()
    for seed in range(60):
        state = filled(update, seed=seed)
        (parents,) = update.parents(state)
        counts.add(len(parents))
        assert len(np.unique(parents, axis=0)) == len(parents)
        elites = {row.tobytes() for row in state.memory["x"]}
        assert all(row.tobytes() in elites for row in parents)
        scores = [state.memory["scores"][(state.memory["x"] == row).all(axis=1).argmax()] for row in parents]
        assert state.memory["bars"] == [max(scores)]
    assert counts == set(PARENTS)


def test_a_single_elite_has_no_partner():
    update, state = EliteCrossing(), EliteCrossing().init(START)
    for _ in range(2 * CAPACITY):
        state = update.step(state, batch(np.ones((1, 20), int), [1.0]))
    assert (state.elites, update.parents(state)) == (1, [])


def test_complements_count_once():
    rows = np.stack([np.arange(20) % 2, 1 - np.arange(20) % 2])
    for symmetric, elites in ((True, 1), (False, 2)):
        update = EliteCrossing(symmetric=symmetric)
        assert update.step(update.init(START), batch(rows, [1, 1])).elites == elites


def test_the_family_is_the_start_fitted_to_the_elites():
    update = EliteCrossing(symmetric=True)
    state = filled(update)
    x = state.memory["x"]
    towards = np.where(((x != x[0]).sum(axis=1) > 10)[:, None], 1 - x, x)
    np.testing.assert_allclose(state.family.p, START.fit(towards).p)


def gained(update, state, gain):
    child = batch(np.random.default_rng(state.iteration).integers(2, size=(1, 20)), [0.0])
    return update.step(state, Batch(child.x, state.memory["bars"] + np.array([gain]), child.stream))


def test_children_without_a_gain_tell_that_it_is_hopeless():
    update = EliteCrossing()
    state = filled(update)
    for number in range(ENOUGH):
        assert not update.hopeless(state)
        state = gained(update, state, 0.0)
        assert state.memory["children"] == number + 1
    assert update.hopeless(state)
    assert not update.paid(state)


@pytest.mark.parametrize(("children", "pays"), [(20, True), (21, False)])
def test_one_gain_in_twenty_pays(children, pays):
    update = EliteCrossing()
    state = gained(update, filled(update), 1.0)
    for _ in range(children - 1):
        state = gained(update, state, -1.0)
    assert not update.hopeless(state)
    assert update.paid(state) is pays


def test_candidates_without_a_score_are_left_out():
    update = EliteCrossing()
    state = update.step(update.init(START), batch(np.eye(3, 20, dtype=int), [-np.inf, np.nan, 2]))
    assert state.elites == 1
    assert update.step(update.init(START), batch(np.eye(1, 20, dtype=int), [-np.inf])).elites == 0


def test_several_children_at_a_time_have_parents_of_their_own():
    update = EliteCrossing(children=3)
    state = filled(update)
    families = update.parents(state)
    assert len(families) == 3
    np.testing.assert_array_equal(
        state.memory["bars"],
        [
            max(state.memory["scores"][(state.memory["x"] == row).all(axis=1).argmax()] for row in each)
            for each in families
        ],
    )
    x = np.random.default_rng(9).integers(2, size=(6, 20))
    scores = np.repeat(state.memory["bars"], 2) + np.array(
        [1, 1, 0, 5, 2, 2]
    )  # the second gains by its reheats alone
    after = update.step(state, batch(x, scores))
    assert (after.memory["children"], after.memory["gains"]) == (3, 2)
