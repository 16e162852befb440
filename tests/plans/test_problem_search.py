"""Independent runs: each with more effort, until enough of them agree."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import cem
from cem import Status
from cem.core.loop import Batch, Draw, Ended, Rows, State, Step
from cem.core.stopping import ArchiveSettled, Stopping
from cem.plans.problem_search import MOST_RUNS, REFUSED, independent_runs
from cem.updates import EliteArchive
from cem.updates.elite_crossing import CAPACITY, ENOUGH, LEAST, EliteCrossing

START = cem.Bernoulli([0.5] * 4)


@dataclass(frozen=True)
class Remembering:
    """An update that knows the best scores so far, as an archive does."""

    def init(self, start):
        return State(start, memory={"scores": np.array([-np.inf])})

    def step(self, state, batch):
        best = max(float(state.memory["scores"][0]), batch.best)
        return replace(state, elites=1, memory={"scores": np.array([best])})


def served(bests, agreeing, end_at=None, status=Status.EVALUATION_LIMIT):
    """Serve runs of which number `i` finds ``bests[i]``; give the ending and the efforts asked for."""
    plan = independent_runs(Remembering(), START, 3, Stopping(), None, agreeing, "search")
    efforts, number, answer = [], -1, None
    try:
        request = plan.send(None)
        while True:
            if isinstance(request, Draw):
                if not efforts or request.effort != efforts[-1]:
                    efforts.append(request.effort)
                    number += 1
                if end_at is not None and number >= end_at:
                    request = plan.throw(Ended(status, "that was all"))
                    continue
                scores = np.full(3, float(bests[number]))
                answer = Batch(np.zeros((3, 4), dtype=np.int64), scores, lambda: np.random.default_rng(0))
            else:
                assert request.stage == "search"
                answer = None
            request = plan.send(answer)
    except StopIteration as finished:
        return finished.value, efforts


def test_it_ends_when_enough_runs_agree():
    ending, efforts = served([5, 7, 7, 6, 7, 9], agreeing=3)
    assert ending.status is Status.CONVERGED
    assert efforts == [1, 2, 3, 4, 5]
    assert "3 independent runs" in ending.message


def test_a_better_run_starts_the_count_anew():
    ending, efforts = served([5, 5, 8, 5, 8, 8], agreeing=3)
    assert ending.status is Status.CONVERGED
    assert len(efforts) == 6


def test_runs_that_never_agree_are_no_convergence():
    ending, efforts = served(list(range(MOST_RUNS)), agreeing=3)
    assert ending.status is Status.COLLAPSED
    assert f"only 1 of {MOST_RUNS}" in ending.message
    assert efforts == list(range(1, MOST_RUNS + 1))


def test_a_budget_that_ends_it_after_three_agree():
    ending, _ = served([7, 7, 7, 7], agreeing=6, end_at=3)
    assert ending.status is Status.CONVERGED
    assert "that was all" in ending.message


@pytest.mark.parametrize(
    ("end_at", "status"), [(2, Status.TIME_LIMIT), (4, Status.CALLBACK), (4, Status.INTERRUPTED)]
)
def test_another_end_is_an_end(end_at, status):
    with pytest.raises(Ended) as ended:
        served([7, 7, 7, 7, 7], agreeing=6, end_at=end_at, status=status)
    assert ended.value.status is status


def test_an_archive_has_settled_when_nothing_betters_it():
    rule = ArchiveSettled(patience=3)
    update, state = Remembering(), Remembering().init(START)
    quiet = []
    for score in (1.0, 2.0, 2.0, 1.0, 3.0, 3.0, 3.0, 3.0):
        batch = Batch(np.zeros((1, 4)), np.array([score]), lambda: np.random.default_rng(0))
        state = rule.note(state, update.step(state, batch))
        quiet.append(state.quiet)
    assert quiet == [0, 0, 1, 2, 0, 1, 2, 3]
    assert rule.reason(state) is not None
    assert rule.reason(replace(state, quiet=2)) is None


WIDE = cem.Bernoulli(np.full(24, 0.5))


def crossed(gains, end_after=60):
    """Serve runs in which child number `i` betters its parents by ``gains(i)``; give requests and ending."""
    plan = independent_runs(EliteArchive(), WIDE, 3, Stopping(), None, 3, "search", EliteCrossing())
    rng, requests, children = np.random.default_rng(0), [], 0
    request, answer = plan.send(None), None
    try:
        while len(requests) < end_after:
            answer = None
            if not isinstance(request, Step):
                requests.append(request)
                score = float(rng.integers(100))
                if isinstance(request, Rows):
                    score = 1000.0 + children if gains(children) else -1.0
                    children += 1
                x = rng.integers(2, size=(1, 24))
                answer = Batch(x, np.array([score]), lambda: np.random.default_rng(len(requests)))
            request = plan.send(answer)
    except StopIteration as finished:
        return requests, finished.value
    return requests, None


def test_an_archive_is_filled_and_its_elites_are_recombined():
    requests, _ = crossed(lambda i: True)
    assert all(isinstance(each, Draw) and each.family is WIDE for each in requests[:CAPACITY])
    assert all(isinstance(each, Rows) and each.parents for each in requests[CAPACITY:])
    assert {each.effort for each in requests} == {1}


def test_children_that_are_refused_end_a_run():
    requests, _ = crossed(lambda i: i < 2, end_after=120)
    efforts = [each.effort for each in requests]
    first = [each for each in requests if each.effort == 1]
    assert len(first) == CAPACITY + 2 + REFUSED
    assert max(efforts) > 1
    assert any(isinstance(each, Rows) for each in requests if each.effort == 2)  # 2 of 26 gained


def test_where_recombination_gains_nothing_the_elites_go_on_into_fits():
    requests, _ = crossed(lambda i: False, end_after=200)
    kinds = [type(each) for each in requests]
    assert kinds[: CAPACITY + ENOUGH] == [Draw] * CAPACITY + [Rows] * ENOUGH
    assert set(kinds[CAPACITY + ENOUGH :]) == {Draw}
    assert not np.allclose(requests[CAPACITY + ENOUGH].family.p, 0.5)


def test_where_few_children_gain_the_next_run_does_without():
    requests, _ = crossed(lambda i: i == 0, end_after=200)
    later = [each for each in requests if each.effort > 1]
    assert 1 / (1 + REFUSED) < LEAST
    assert {type(each) for each in later} == {Draw}
