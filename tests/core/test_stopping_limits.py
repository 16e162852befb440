"""Where exactly a stopping rule begins to hold: one side of each limit and the other."""

import numpy as np
import pytest

import cem
from cem.core.loop import State
from cem.core.stopping import ROUNDING, ArchiveSettled, Exhausted, LevelReached, Stopping

RNG = np.random.default_rng(0)


def test_what_is_documented_is_the_default():
    assert Stopping() == Stopping(1e-12, 5, None)
    assert LevelReached(1.0) == LevelReached(1.0, 5, 60)
    assert ArchiveSettled() == ArchiveSettled(16)


# --- the margin of elites ---------------------------------------------------------------------------


def test_a_margin_is_a_share_of_the_climb_or_of_the_way_to_a_target():
    assert Stopping(0.5).margin(1.0) == ROUNDING
    assert Stopping(0.5).margin(np.inf, 3.0) == 0.0
    assert Stopping(0.5).margin(1.5, 10.0) == 5.0
    assert Stopping(0.5, target=2.0).margin(1.5, 10.0) == 0.25
    assert Stopping(0.5, target=2.0).margin(-1.5, 10.0) == 0.25
    assert Stopping(0.5, target=20.0).margin(1.5, 10.0) == 5.0


def test_a_single_elite_is_compared_with_the_level_before():
    before = State(cem.Gaussian([0.0], std=1.0), level=0.0)
    after = State(before.family, level=1.0, elite_best=1.0, elites=1)
    assert Stopping().note(before, after).quiet == 0
    assert Stopping().note(State(before.family, level=1.0), after).quiet == 1


def test_the_first_level_counts_as_a_rise():
    first = State(cem.Gaussian([0.0], std=1.0))
    assert LevelReached(9.0).note(first, State(first.family, iteration=1, level=3.0)).quiet == 0
    second = State(first.family, iteration=1, level=3.0)
    assert LevelReached(9.0).note(second, State(first.family, iteration=2, level=3.0)).quiet == 1


def test_an_archive_that_has_got_its_first_scores_is_not_quiet():
    family = cem.Bernoulli([0.5])
    after = State(family, elites=1, memory={"scores": np.array([1.0])})
    assert ArchiveSettled().note(State(family, elites=1), after).quiet == 0
    assert "bettered" in ArchiveSettled(0).reason(State(family, elites=1))


# --- an exhausted run -------------------------------------------------------------------------------


def told(bests, levels=None, *, ranked=1, barren=0, lowest=-1.0, axes=None, std=1.0, mean=0.0):
    """The state of a run with these best scores and levels, one an iteration."""
    bests = np.asarray(bests, dtype=float)
    levels = bests if levels is None else np.broadcast_to(np.asarray(levels, dtype=float), bests.shape)
    memory = {"recent_scores": np.column_stack([bests, levels]), "recent_counts": np.array((ranked, barren))}
    if axes is not None:
        memory["axes"] = np.asarray(axes, dtype=float)
    return State(
        cem.Gaussian([mean], std=std),
        level=levels[-1],
        elite_best=bests[-1],
        best=bests.max(),
        lowest=lowest,
        memory=memory,
    )


def apart(k):
    """Scores that no window takes for equal, about 0."""
    return 0.1 * RNG.standard_normal(k)


FLAT = "the best scores no longer differ"


@pytest.mark.parametrize(("n", "short"), [(30, 11), (60, 11), (10, 13), (29, 12)])
def test_so_many_best_scores_must_agree(n, short):
    rule = Exhausted(np.array([1.0]), n=n)
    assert rule.reason(told(np.zeros(short - 1))) is None
    assert rule.reason(told(np.zeros(short))) == FLAT
    assert rule.reason(told(np.r_[5.0, np.zeros(short - 1)])) is None


def test_equal_best_scores_end_a_run_however_its_levels_differ():
    rule = Exhausted(np.array([1.0]), n=30)
    assert rule.reason(told(np.zeros(11), np.linspace(-1, -0.5, 11))) == FLAT


@pytest.mark.parametrize(
    ("first", "lowest_between", "level", "flat"),
    [
        (-0.25, -0.25, -0.25, True),
        (-0.2501, 0.0, -0.1, False),
        (-0.25, -0.3, -0.1, False),
        (-0.25, -0.1, -0.3, False),
        (-0.1, -0.1, -1.0, False),
    ],
)
def test_scores_agree_within_a_share_of_the_climb(first, lowest_between, level, flat):
    """The climb is 1 and the tolerance a quarter, for the best scores and for the last level."""
    rule = Exhausted(np.array([1.0]), n=30, tol=0.25)
    bests = np.zeros(11)
    bests[0], bests[5] = first, lowest_between
    state = told(bests, np.where(np.arange(11) == 10, level, -0.5))
    assert state.climb == 1.0
    assert (rule.reason(state) == FLAT) is flat


def test_scores_agree_within_rounding():
    rule = Exhausted(np.array([1.0]), n=30)
    bests = np.full(11, 1e6)
    bests[0] = 1e6 - 2e-9
    assert rule.reason(told(bests, lowest=1e6 - 1e-6)) == FLAT
    bests[0] = 1e6 - 1e-8
    assert rule.reason(told(bests, lowest=1e6 - 1e-6)) is None


def test_by_default_scores_agree_within_a_millionth_of_a_billionth_of_the_climb():
    rule = Exhausted(np.array([1.0]), n=30)
    for gap, flat in ((5e-16, True), (5e-15, False)):
        bests = np.zeros(11)
        bests[0] = -gap
        assert (rule.reason(told(bests)) == FLAT) is flat


@pytest.mark.parametrize(
    ("axes", "ill"),
    [
        ([1.0, 1e7], False),
        ([1.0, 10_000_000.5], True),
        ([1.0, 5.0, 2e7], True),
        ([0.5, 1.0, 1e7], True),
        ([2.0, 3.0, 1.5e7], False),
    ],
)
def test_the_longest_axis_is_no_more_than_ten_million_times_the_shortest(axes, ill):
    reason = Exhausted(np.array([1.0]), n=30).reason(told(apart(3), axes=axes))
    assert (reason == "the covariance is ill-conditioned") is ill


@pytest.mark.parametrize(
    ("start", "mean", "std", "gone"),
    [
        (1.0, 0.0, 0.9e-12, True),
        (1.0, 0.0, 1e-12, False),
        (2.0, 0.0, 1.5e-12, True),
        (1.0, 1e6, 5e-10, True),
        (1.0, -1e6, 5e-10, True),
        (1.0, 1e6, 5e-7, False),
    ],
)
def test_the_spread_is_gone_below_what_the_start_and_the_place_resolve(start, mean, std, gone):
    rule = Exhausted(np.array([start]), n=30)
    assert (rule.reason(told(apart(3), ranked=10, mean=mean, std=std)) == "the spread is gone") is gone
    assert rule.reason(told(apart(3), ranked=9, mean=mean, std=std)) is None


STALE = "no better than a while ago"


@pytest.mark.parametrize(
    ("d", "n", "ranked", "stale"),
    [(1, 30, 150, False), (1, 30, 160, True), (7, 27, 160, True), (1, 4, 160, True), (2, 7, 160, False)],
)
def test_a_window_of_120_and_more_must_have_gone_by(d, n, ranked, stale):
    """Beyond 120 + 30 d / n + 0.2 t iterations, scores that fall all the time are no better."""
    rule = Exhausted(np.ones(d), n=n)
    assert (rule.reason(told(-np.arange(ranked, dtype=float), ranked=ranked, lowest=-1e9)) == STALE) is stale


@pytest.mark.parametrize(("better", "stale"), [(25, True), (28, False)])
def test_the_median_of_the_newest_third_counts(better, stale):
    """The window of 159 iterations has thirds of 53."""
    bests = apart(160)
    bests[:54] += 0.5
    bests[-better:] += 1.0
    assert (Exhausted(np.ones(1), n=4).reason(told(bests, ranked=160)) == STALE) is stale


@pytest.mark.parametrize(("early", "stale"), [(25, False), (28, True)])
def test_the_median_of_the_oldest_third_counts(early, stale):
    """Good ones among the first 53 of the window of 159; the middle third is better than both."""
    bests = apart(160)
    bests[1 : 1 + early] += 2.0
    bests[54:107] += 9.0
    bests[107:] += 1.0
    assert (Exhausted(np.ones(1), n=4).reason(told(bests, ranked=160)) == STALE) is stale


def test_what_is_remembered_is_counted_and_no_longer_than_a_window_can_be():
    rule = Exhausted(np.array([1.0]), n=30)
    start = State(cem.Gaussian([0.0], std=1.0))
    assert rule.reason(start) is None
    ranks = State(start.family, elites=2, elite_best=3.0, level=2.0)
    once = rule.note(start, ranks)
    np.testing.assert_array_equal(once.memory["recent_counts"], [1, 0])
    np.testing.assert_array_equal(once.memory["recent_scores"], [[3.0, 2.0]])
    barren = rule.note(rule.note(once, State(start.family)), State(start.family))
    np.testing.assert_array_equal(barren.memory["recent_counts"], [1, 2])
    np.testing.assert_array_equal(rule.note(barren, ranks).memory["recent_counts"], [2, 0])
    full = rule.note(told(np.zeros(20_000), ranked=20_000), ranks)
    assert len(full.memory["recent_scores"]) == 20_000
    np.testing.assert_array_equal(full.memory["recent_scores"][-1], [3.0, 2.0])


def test_nothing_ends_while_no_score_ranks_for_the_moment():
    rule = Exhausted(np.array([1.0]), n=30)
    assert rule.reason(told(np.zeros(11), ranked=11, barren=3)) is None
    assert rule.reason(told(np.zeros(11), ranked=11, barren=9)) is None
    assert rule.reason(told(np.zeros(11), ranked=11, barren=10)) == "no candidate has a score that ranks"
