"""Flow shops: makespans by simulation, Taillard's format, and orders against brute force."""

import itertools
import pickle

import numpy as np
import pytest

import cem
from problems.flowshop import FlowShop, insertion

TWO = """number of jobs, number of machines, initial seed, upper bound and lower bound :
          3           2   873654221        12        10
processing times :
 5 1 3
 2 4 6
number of jobs, number of machines, initial seed, upper bound and lower bound :
          2           1   1        12        10
processing times :
 7 8
"""


def makespan(times, order):
    """Simulate: a job starts on a machine when both are free."""
    machine_free, last = [0] * len(times), 0
    for job in order:
        ready = 0
        for machine, row in enumerate(times):
            ready = max(ready, machine_free[machine]) + row[job]
            machine_free[machine] = ready
        last = ready
    return last


@pytest.mark.parametrize(("n", "machines"), [(1, 1), (1, 4), (5, 1), (7, 3), (12, 8)])
def test_makespans_are_those_of_a_simulation(n, machines):
    problem = FlowShop.random(n, machines, rng=1)
    X = problem.start.sample(20, np.random.default_rng(2))
    assert problem(X).tolist() == [makespan(problem.times.tolist(), x) for x in X.tolist()]
    assert ((problem.times >= 1) & (problem.times <= 99)).all()


def test_the_default_search_finds_the_best_order():
    problem = FlowShop.random(7, 4, rng=3)
    best = problem(np.array(list(itertools.permutations(range(7))))).min()
    assert cem.optimize(problem, rng=1).fun == best


def test_two_machines_are_solved_by_johnsons_rule():
    problem = FlowShop.random(20, 2, rng=4)
    first, second = problem.times
    early = sorted(np.flatnonzero(first <= second), key=lambda j: first[j])
    late = sorted(np.flatnonzero(first > second), key=lambda j: -second[j])
    best = problem([[*early, *late]])[0]
    assert cem.optimize(problem, rng=1, target=best, max_evaluations=20_000).fun == best


# --- the search -----------------------------------------------------------------------------------------


@pytest.fixture(params=sorted({False, insertion.COMPILED}))
def compiled(request, monkeypatch):
    if not request.param and insertion.COMPILED:
        for name in ("random_below", "best_place", "put_in", "take_out", "descend", "improve_order"):
            monkeypatch.setattr(insertion, name, getattr(insertion, name).py_func)
        monkeypatch.setattr(insertion, "COMPILED", False)
    return request.param


@pytest.mark.parametrize("first", [0, 2, 6])
def test_the_best_place_is_that_of_all_insertions(compiled, first):
    problem = FlowShop.random(7, 3, rng=first)
    order = np.random.default_rng(first).permutation(7)
    job, rest = order[-1], order[:-1]
    head, tail = np.zeros((8, 4)), np.zeros((8, 4))
    found = insertion.best_place(order, 6, job, problem.times.T.copy(), head, tail, first)
    values = problem(np.array([np.insert(rest, place, job) for place in range(7)])).tolist()
    places = [(first + k) % 7 for k in range(7)]
    assert found == (min(values), min(places, key=lambda place: values[place]))


@pytest.mark.parametrize("whole", [True, False])
def test_improved_orders_are_orders_that_no_insertion_betters(compiled, whole):
    times = np.random.default_rng(3).uniform(1, 100, (4, 12))
    problem = FlowShop(np.round(times) if whole else times)
    X = problem.start.sample(4, np.random.default_rng(4))
    better, scores, kicks = problem.improve(X.copy(), problem(X), np.random.default_rng(5), 1)
    assert kicks == 4 * (60 if compiled else 3)
    assert np.sort(better, axis=1).tolist() == [list(range(12))] * 4
    assert (scores < problem(X)).all()
    for row, score in zip(better, scores, strict=True):
        near = [np.insert(np.delete(row, i), j, row[i]) for i in range(12) for j in range(12)]
        assert problem(np.array(near)).min() >= score - 1e-9
    again, _, _ = problem.improve(X.copy(), problem(X), np.random.default_rng(5), 1)
    np.testing.assert_array_equal(again, better)


def test_one_of_taillards_instances_is_solved():
    """The first of 20 jobs and 5 machines, by his generator; its optimum is 1278."""
    seed, times = 873654221, np.empty((5, 20), np.int64)
    for place in np.ndindex(times.shape):
        seed = seed * 16807 % (2**31 - 1)
        times[place] = 1 + seed * 99 // (2**31 - 1)
    assert cem.optimize(FlowShop(times, optimum=1278), rng=1, max_evaluations=20_000).fun == 1278


def test_files_in_taillards_format(tmp_path):
    (tmp_path / "tai.txt").write_text(TWO)
    first, second = (FlowShop.from_file(tmp_path / "tai.txt", k, optimum=15) for k in (1, 2))
    assert first.times.tolist() == [[5, 1, 3], [2, 4, 6]]
    assert repr(first) == "FlowShop(name='tai-1', n=3, optimum=15.0)"
    assert second.times.tolist() == [[7, 8]]
    (tmp_path / "plain").write_text("3 2\n5 1 3\n2 4 6\n")
    assert FlowShop.from_file(tmp_path / "plain").times.tolist() == first.times.tolist()


@pytest.mark.parametrize(
    ("text", "number", "line", "message"),
    [
        ("", 1, 1, "the file has 0 instances; there is no 1"),
        (TWO, 3, 9, "the file has 2 instances; there is no 3"),
        (TWO, 0, 9, "there is no 0"),
        ("3\n1 2 3\n", 1, 1, "ends after 0 of 1 numbers; expected the number of machines"),
        ("0 2\n", 1, 1, "0 cannot be the number of jobs"),
        ("2147483647 2147483647\n1 2\n", 1, 2, "ends after 2 of"),
        ("3 2\n1 2 3\n1 2\n", 1, 3, "ends after 5 of 6 numbers"),
        ("3 2\n1 2 3\n1 2 3 4\n", 1, 3, "expected the end of the file after 2 rows of 3 times, found '4'"),
        ("3 1\n1 x 3\n", 1, 2, "'x' is not a number; expected a time"),
        ("3 1\n1 -2 3\n", 1, 2, "-2 must be finite and not negative"),
        (f"2 1\n1 {2**53 + 1}\n", 1, 2, "would be rounded"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, number, line, message):
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"bad\.txt, line {line}: .*{message}"):
        FlowShop.from_file(tmp_path / "bad.txt", number)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FlowShop([1, 2]), ValueError, "must be a matrix"),
        (lambda: FlowShop([[1, -2]]), ValueError, r"times\[0, 1\] = -2\.0 must be finite and not negative"),
        (lambda: FlowShop([["a"]]), TypeError, "real numbers"),
        (lambda: FlowShop([[2**53 - 2, 3]]), ValueError, "common factor"),
        (lambda: FlowShop.random(0, 1), ValueError, "1 or more"),
        (lambda: FlowShop([[1, 2]])([[0, 0]]), ValueError, "no order"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_it_pickles():
    problem = FlowShop.random(5, 3, rng=1)
    X = problem.start.sample(4, np.random.default_rng(1))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem))(X), problem(X))


def test_rows_of_several_lengths_are_refused():
    with pytest.raises(ValueError, match="times must be rows of one length"):
        FlowShop([[1, 2], [3]])
