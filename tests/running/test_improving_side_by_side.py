"""Improvement in pieces: the same answers for every number of workers and every backend."""

import threading

import joblib
import numpy as np
import pytest

import cem
from problems.knapsack import MultiKnapsack
from problems.maxcut import MaxCut
from problems.maxsat import MaxSAT
from problems.qubo import QUBO
from problems.tsp import TSP

PROBLEMS = {
    "maxcut": lambda: MaxCut.torus(9, 10, rng=1),
    "maxsat": lambda: MaxSAT.random(40, 160, rng=1),
    "qubo": lambda: QUBO(np.random.default_rng(1).integers(-9, 10, size=(30, 30))),
    "knapsack": lambda: MultiKnapsack(
        np.arange(1, 41), np.random.default_rng(1).integers(1, 99, size=(3, 40)), np.full(3, 700)
    ),
    "tsp": lambda: TSP.random(30, rng=1),
}


class Noted:
    """Bits, of which improving sets some at random; it notes what it was asked."""

    maximize, compact = True, True
    start = cem.Bernoulli(np.full(12, 0.5))
    population = 10

    def __init__(self, pieces=None, barrier=None):
        self.asked, self.barrier = [], barrier
        if pieces is not None:
            self.pieces = pieces

    @property
    def update(self):
        return cem.updates.EliteArchive()

    def __call__(self, X):
        return np.asarray(X, dtype=float) @ np.arange(1, 13)

    def improve(self, X, scores, rng, effort):
        if self.barrier is not None:
            self.barrier.wait()
        self.asked.append((len(X), float(rng.random()), threading.get_ident()))
        better = X | (rng.random(X.shape) < 0.2)
        return better, self(better), len(X)


@pytest.mark.parametrize("make", PROBLEMS.values(), ids=PROBLEMS)
def test_the_number_of_workers_changes_nothing(make):
    runs = []
    for jobs, backend in ((1, None), (2, None), (3, "threading"), (2, "threading")):
        if backend is None:
            runs.append(cem.optimize(make(), max_iterations=6, rng=2, n_jobs=jobs))
        else:
            with joblib.parallel_config(backend, n_jobs=jobs):
                runs.append(cem.optimize(make(), max_iterations=6, rng=2))
    for each in runs[1:]:
        np.testing.assert_array_equal(each.x, runs[0].x)
        np.testing.assert_array_equal(each.history.mean, runs[0].history.mean)
        np.testing.assert_array_equal(each.history.best, runs[0].history.best)
        assert each.nfev == runs[0].nfev


@pytest.mark.parametrize(("pieces", "sizes"), [(None, [10]), (1, [10]), (3, [3, 3, 4]), (40, [1] * 10)])
def test_a_batch_is_cut_as_the_problem_says(pieces, sizes):
    problem = Noted(pieces)
    cem.optimize(problem, max_iterations=1, rng=1)
    assert [size for size, _, _ in problem.asked] == sizes
    draws = [draw for _, draw, _ in problem.asked]
    assert len(set(draws)) == len(draws)


def test_an_improvement_given_by_the_user_gets_the_whole_batch():
    problem, other = Noted(5), Noted()
    cem.optimize(problem, max_iterations=1, rng=1, improve=other.improve)
    assert ([size for size, _, _ in other.asked], problem.asked) == ([10], [])


def test_pieces_run_at_the_same_time():
    """Each waits for the other."""
    problem = Noted(2, threading.Barrier(2, timeout=60))
    cem.optimize(problem, max_iterations=2, rng=1, n_jobs=2)
    assert len({thread for _, _, thread in problem.asked}) == 2


class Large(Noted):
    """Candidates so long that a batch is drawn in several blocks and scored in several parts."""

    start = cem.Bernoulli(np.full(60_000, 0.5))
    compact = True

    def __init__(self, barrier=None):
        super().__init__(2)
        self.threads, self.waiting = set(), barrier

    def __call__(self, X):
        if self.waiting is not None and len(X) < 10:
            self.waiting.wait()
        self.threads.add(threading.get_ident())
        return np.asarray(X, dtype=float).sum(axis=1)

    def improve(self, X, scores, rng, effort):
        return X, scores, 0


def test_parts_are_scored_at_the_same_time():
    """Ten rows of 60,000 are scored in three parts; each of the first two waits for the other."""
    problem = Large()
    problem.waiting = threading.Barrier(2, timeout=60)
    problem.population = 8  # two parts of four rows
    cem.optimize(problem, max_iterations=1, rng=1, n_jobs=2)
    assert len(problem.threads) == 2
    assert threading.get_ident() not in problem.threads


def test_draws_and_scores_of_threads_are_those_of_one_worker():
    runs = [cem.optimize(Large(), max_iterations=2, rng=1, n_jobs=jobs) for jobs in (1, 3)]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    np.testing.assert_array_equal(runs[0].history.mean, runs[1].history.mean)


def test_what_scoring_a_part_raises_comes_out():
    class Failing(Large):
        def __call__(self, X):
            raise ZeroDivisionError("in a part")

    for jobs in (1, 2):
        with pytest.raises(cem.ObjectiveError, match="in a part"):
            cem.optimize(Failing(), max_iterations=1, rng=1, n_jobs=jobs)


def test_what_a_piece_raises_comes_out():
    class Failing(Noted):
        def improve(self, X, scores, rng, effort):
            raise ZeroDivisionError("in a piece")

    for jobs in (1, 2):
        with pytest.raises(ZeroDivisionError, match="in a piece"):
            cem.optimize(Failing(3), max_iterations=1, rng=1, n_jobs=jobs)


def test_improved_rows_of_another_shape_are_refused():
    class Wrong(Noted):
        def improve(self, X, scores, rng, effort):
            return X[:, :3], scores, 0

    with pytest.raises(ValueError, match="improve must return"):
        cem.optimize(Wrong(2), max_iterations=1, rng=1)


def test_resuming_goes_through_pieces_too(tmp_path):
    path = tmp_path / "run"
    whole = cem.optimize(MaxCut.torus(9, 10, rng=1), max_iterations=8, rng=2)
    cem.optimize(MaxCut.torus(9, 10, rng=1), max_iterations=5, rng=2, checkpoint=path, n_jobs=2)
    rest = cem.optimize(MaxCut.torus(9, 10, rng=1), max_iterations=8, rng=2, checkpoint=path, resume=True)
    np.testing.assert_array_equal(rest.x, whole.x)
    np.testing.assert_array_equal(rest.history.mean, whole.history.mean)
