"""When there is nothing left to learn, counted over iterations."""

from dataclasses import replace

import numpy as np
import pytest

import cem
from cem.core.loop import Batch, State, advance
from cem.core.stopping import ArchiveSettled, Exhausted, LevelReached, Stopping
from cem.updates import EliteArchive, SmoothedFit

START = cem.Gaussian([0.0], std=1.0)


def after(scores, state=None, rule=None, update=None):
    """The state after a batch of these scores."""
    update = SmoothedFit(elite_fraction=0.5) if update is None else update
    scores = np.asarray(scores, dtype=float)
    x = np.random.default_rng(0).random((scores.size, 1))
    batch = Batch(x, scores, lambda: np.random.default_rng(0))
    return advance(update, State(START) if state is None else state, batch, rule or Stopping())


# --- convergence of the elites ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("best", "worst", "tol", "agree"),
    [
        (0.0, -1e-9, 1e-9, True),
        (0.0, -1.1e-9, 1e-9, False),
        (0.0, 0.0, 0.0, True),
        (1.0, np.nextafter(1.0, 0), 0.0, True),  # rounding
        (1.0, 1.0 - 1e-14, 0.0, False),
        (1.0, 0.75, 0.25, True),
    ],
)
@pytest.mark.parametrize("unit", [1.0, 2.0**-40, 2.0**60])
def test_elites_agree_within_a_share_of_the_range_that_the_run_has_seen(best, worst, tol, agree, unit):
    """The first batch's worst elite is one below 0; unit and penalties make no difference."""
    state = after(unit * np.array([0.0, -1.0, -1e9, -1e12]), rule=Stopping(tol))
    assert state.climb == unit
    lower = unit * min(best, worst) - unit
    state = after([unit * best, unit * worst, lower, lower], replace(state, quiet=0), Stopping(tol))
    assert state.quiet == int(agree)


def test_only_the_elites_must_agree():
    assert after([1.0, 1.0, 0.0, np.nan]).quiet == 1
    assert after([1.0, 0.9, 0.9, 0.9]).quiet == 0


def test_they_must_agree_for_several_iterations_running():
    rule, state = Stopping(patience=3), None
    for scores, quiet in [([1, 1], 1), ([1, 1], 2), ([1, 0, 0, 0], 0), ([1, 1], 1), ([1, 1], 2)]:
        state = after(scores, state, rule, SmoothedFit(elite_fraction=0.5 if len(scores) > 2 else 0.9))
        assert state.quiet == quiet
        assert rule.reason(state) is None
    state = after([1, 1], state, rule)
    assert state.quiet == 3
    assert "agree" in rule.reason(state)


def test_a_batch_without_a_score_is_no_agreement():
    state = after([1.0, 1.0, 1.0])
    assert state.quiet == 1
    state = after([np.nan, -np.inf, np.nan], state)
    assert state.elites == 0
    assert state.quiet == 0


def test_iterations_and_the_best_score_are_counted():
    state = after([1.0, 5.0, 2.0])
    assert (state.iteration, state.best) == (1, 5.0)
    state = after([np.nan, 3.0, 2.0], state)
    assert (state.iteration, state.best) == (2, 5.0)
    state = after([np.nan] * 3, state)
    assert (state.iteration, state.best) == (3, 5.0)
    assert after([np.nan] * 3).best == -np.inf


@pytest.mark.parametrize("tol", [-1e-9, np.nan])
def test_a_tolerance_is_not_negative(tol):
    with pytest.raises(ValueError, match="tol must be a non-negative number"):
        Stopping(tol)


# --- levels of a rare event -------------------------------------------------------------------------


def climbing(levels, level=10.0, **options):
    """The state after iterations at these levels."""
    rule = LevelReached(level, **options)
    state = State(START)

    class Update:
        def step(self, state, batch):
            return replace(state, level=float(batch.scores.max()), elites=1)

    for each in levels:
        batch = Batch(np.zeros((1, 1)), np.array([float(each)]), lambda: np.random.default_rng(0))
        state = advance(Update(), state, batch, rule)
    return rule.reason(state)


def test_the_level_is_reached():
    assert climbing([3.0, 9.9]) is None
    assert climbing([3.0, 10.0]) == "the level is reached"


def test_a_level_that_rises_no_more_is_given_up():
    assert climbing([1, 2, 2, 2, 2], patience=4) is None
    assert "has not risen for 4 iterations" in climbing([1, 2, 2, 2, 2, 2], patience=4)
    assert climbing([1, 2, 2, 2, 3, 3], patience=4) is None


def test_a_level_that_rises_for_ever_is_given_up():
    assert climbing(np.arange(59) / 100, most=60) is None
    assert "after 60 iterations" in climbing(np.arange(60) / 100, most=60)


# --- statuses ---------------------------------------------------------------------------------------


def test_only_two_statuses_are_a_success():
    assert {status.name for status in cem.Status if status.success} == {"CONVERGED", "TARGET_REACHED"}


def test_the_statuses_of_the_design():
    assert [status.name for status in cem.Status] == [
        "CONVERGED",
        "TARGET_REACHED",
        "EVALUATION_LIMIT",
        "ITERATION_LIMIT",
        "TIME_LIMIT",
        "COLLAPSED",
        "CALLBACK",
        "INTERRUPTED",
        "INFEASIBLE",
        "LEVEL_UNREACHED",
        "UNTRUSTED",
    ]
    assert cem.Status.CONVERGED == 0


# --- an archive that is bettered no more ------------------------------------------------------------


def archived(state, rule, row, score):
    batch = Batch(np.array([row], dtype=np.uint8), np.array([float(score)]), lambda: np.random.default_rng(0))
    return advance(EliteArchive(capacity=2, most=2), state, batch, rule)


def test_an_archive_has_settled_after_so_many_batches_that_bettered_nothing():
    rule = ArchiveSettled(patience=2)
    state = EliteArchive(capacity=2, most=2).init(cem.Bernoulli([0.5, 0.5]))
    for row, score, quiet in [
        ((0, 0), 1, 0),  # it fills
        ((0, 1), 2, 0),
        ((1, 1), 0, 1),  # too bad
        ((1, 0), 3, 0),  # better than the worst
        ((0, 1), 2, 1),  # there already
    ]:
        state = archived(state, rule, row, score)
        assert state.quiet == quiet
        assert rule.reason(state) is None
    assert rule.reason(archived(state, rule, (0, 1), 2)) == "the archive has not been bettered for 2 batches"


def test_another_elite_of_the_same_score_betters_nothing():
    rule = ArchiveSettled(patience=1)
    state = EliteArchive(capacity=2, most=2).init(cem.Bernoulli([0.5, 0.5]))
    for row in [(0, 0), (0, 1)]:
        state = archived(state, rule, row, 1)
    assert state.quiet == 0
    assert rule.reason(archived(state, rule, (1, 1), 1)) is not None


def test_an_archive_of_one_has_settled_when_many_have_come_to_the_same():
    rule = ArchiveSettled(patience=3)
    update = EliteArchive(symmetric=True)
    start = update.init(cem.Bernoulli([0.5, 0.5]))

    def offered(rows, scores):
        x = np.array(rows, dtype=np.uint8)
        return advance(update, start, Batch(x, np.array(scores), lambda: np.random.default_rng(0)), rule)

    same = [(0, 1), (1, 0), (0, 1), (0, 1)]  # a candidate and its complement are one
    assert rule.reason(offered(same, [1.0] * 4)) == "all 4 candidates are the same"
    assert rule.reason(offered(same[:3], [1.0] * 3)) is None
    assert rule.reason(offered([*same, (0, 0)], [1.0] * 4 + [0.0])) is None
    assert rule.reason(offered(same, [1.0] * 3 + [-np.inf])) is None  # the last one counts for nothing


def test_an_empty_archive_is_quiet():
    rule = ArchiveSettled(patience=1)
    state = EliteArchive(capacity=2, most=2).init(cem.Bernoulli([0.5, 0.5]))
    for _ in range(2):
        state = archived(state, rule, (0, 0), -np.inf)
    assert rule.reason(state) is not None


# --- runs with memory -------------------------------------------------------------------------------


def remembered(bests, rule, state=None):
    """The state after iterations with these best scores (NaN: none that ranks)."""
    state = State(START) if state is None else state
    for best in bests:
        elites = 0 if np.isnan(best) else 2
        learnt = replace(state, elite_best=best, level=best, elites=elites)
        state = rule.note(state, replace(learnt, iteration=state.iteration + 1))
    return state


def test_a_run_is_exhausted_where_its_best_scores_no_longer_differ():
    """Appendix B.3: over 10 + 30 d / n iterations, here 13."""
    rule = Exhausted(np.array([1.0]), n=10)
    assert rule.reason(remembered([1.0] * 12, rule)) is None
    assert rule.reason(remembered([1.0] * 13, rule)) == "the best scores no longer differ"
    assert rule.reason(remembered([1.0] * 12 + [1.1], rule)) is None


def test_ten_batches_without_a_rank_exhaust_a_run():
    rule = Exhausted(np.array([1.0]), n=10)
    state = remembered([1.0, 2.0] + [np.nan] * 9, rule)
    assert rule.reason(state) is None
    assert rule.reason(remembered([np.nan], rule, state)) == "no candidate has a score that ranks"
    assert rule.reason(remembered([3.0], rule, state)) is None


def test_a_rule_is_a_predicate_of_the_state():
    """One rule serves two runs at once, and a state can be asked and continued twice."""
    rule = Exhausted(np.array([1.0]), n=10)
    fork = remembered([1.0] * 12, rule)
    flat, moving = remembered([1.0], rule, fork), remembered([2.0], rule, fork)
    assert rule.reason(fork) is None
    assert rule.reason(moving) is None
    assert rule.reason(flat) == "the best scores no longer differ"
    assert rule.reason(remembered([5.0], rule)) is None


def test_long_windows_end_a_run_that_is_no_better_than_a_while_ago():
    rule = Exhausted(np.array([1.0]), n=10)
    noise = np.arange(400.0) % 2
    assert rule.reason(remembered(noise, rule)) == "no better than a while ago"
    assert rule.reason(remembered(noise + 0.1 * np.arange(400), rule)) is None
