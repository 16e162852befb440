"""Quadratic assignment: values by definition, QAPLIB's format, and assignments against brute force."""

import itertools
import pickle

import numpy as np
import pytest

import cem
from problems.qap import QAP, tabu

try:
    from problems.qap import compiled_tabu

    SEARCHES = [tabu.search, compiled_tabu.search]
except ImportError:
    SEARCHES = [tabu.search]


def by_definition(problem, x):
    n = problem.n
    return sum(problem.flows[i, j] * problem.distances[x[i], x[j]] for i in range(n) for j in range(n))


@pytest.mark.parametrize("n", [1, 2, 6, 15])
def test_values_agree_with_the_definition(n):
    rng = np.random.default_rng(n)
    problem = QAP(rng.integers(-9, 10, (n, n)), rng.integers(-9, 10, (n, n)))
    X = problem.start.sample(10, rng)
    assert problem(X).tolist() == [by_definition(problem, x) for x in X]


def test_random_instances_are_symmetric_with_empty_diagonals():
    problem = QAP.random(10, rng=1)
    for matrix in (problem.flows, problem.distances):
        assert np.array_equal(matrix, matrix.T)
        assert matrix.trace() == 0
        assert ((matrix >= 0) & (matrix <= 99)).all()


@pytest.mark.slow
def test_the_default_search_finds_the_best_assignment():
    problem = QAP.random(7, rng=3)
    best = problem(np.array(list(itertools.permutations(range(7))))).min()
    assert cem.optimize(problem, rng=1).fun == best


def test_a_planted_optimum_is_found():
    """Flows between neighbours of a ring, distances along a hidden one: no order costs less than n."""
    n, hidden = 12, np.random.default_rng(5).permutation(12)
    ring = np.zeros((n, n))
    ring[np.arange(n), (np.arange(n) + 1) % n] = 1
    along = abs(np.subtract.outer(np.arange(n), np.arange(n)))
    distances = np.empty((n, n))
    distances[np.ix_(hidden, hidden)] = np.minimum(along, n - along)
    problem = QAP(ring, distances, optimum=n)
    assert problem([hidden]) == n
    r = cem.optimize(problem, rng=1, max_evaluations=60_000)
    assert r.fun == n
    assert r.success


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 3)])
def test_the_planted_optimum_is_the_least(shape):
    problem = QAP.planted(*shape, rng=1)
    n = problem.n
    X = (
        np.array(list(itertools.permutations(range(n))))
        if n < 8
        else problem.start.sample(2000, np.random.default_rng(2))
    )
    assert problem(X).min() >= problem.optimum
    assert (problem.flows >= 0).all()
    assert cem.optimize(problem, rng=1, max_evaluations=20_000).fun == problem.optimum


# --- the search -----------------------------------------------------------------------------------------


def best_of_a_walk(problem, x, until):
    """Make the same steps with every exchange evaluated anew."""
    n = problem.n
    x, best = list(x), list(x)
    barred = {}

    def value(x):
        return problem([x])[0]

    def exchanged(i, j):
        y = list(x)
        y[i], y[j] = x[j], x[i]
        return y

    for step, (first, second) in enumerate(until.tolist()):
        found = []
        for i, j in itertools.combinations(range(n), 2):
            free = barred.get((i, x[j]), 0) <= step or barred.get((j, x[i]), 0) <= step
            if free or value(exchanged(i, j)) < value(best):
                found.append((value(exchanged(i, j)), i, j))
        if found:
            _, i, j = min(found)
            barred[i, x[i]], barred[j, x[j]] = first, second
            x = exchanged(i, j)
            best = min(best, x, key=value)
    return best


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_search_takes_the_steps_that_evaluations_tell(search, n):
    rng = np.random.default_rng(n)
    problem = QAP(rng.integers(-9, 10, (n, n)), rng.integers(-9, 10, (n, n)))
    X = problem.start.sample(3, rng)
    found = search(problem.flows, problem.distances, X, 25, np.random.default_rng(1))
    until = tabu.last_steps(3, n, 25, np.random.default_rng(1))
    assert found.tolist() == [best_of_a_walk(problem, x, until[:, :, k]) for k, x in enumerate(X.tolist())]


@pytest.mark.parametrize("search", SEARCHES)
def test_improved_assignments_are_orders_and_no_worse(search):
    rng = np.random.default_rng(1)
    problem = QAP(rng.normal(size=(30, 30)), rng.normal(size=(30, 30)))
    object.__setattr__(problem, "_search", search)
    X = problem.start.sample(4, rng)
    better, scores, steps = problem.improve(X.copy(), problem(X), np.random.default_rng(2), 1)
    assert np.sort(better, axis=1).tolist() == [list(range(30))] * 4
    assert (scores < problem(X)).all()
    assert steps == 4 * 10 * 30
    again, _, _ = problem.improve(X.copy(), problem(X), np.random.default_rng(2), 1)
    np.testing.assert_array_equal(again, better)


def test_files_in_qaplibs_format(tmp_path):
    (tmp_path / "small.dat").write_text(" 2\n\n0 3\n1 0\n 0 5 7\n0\n")
    problem = QAP.from_file(tmp_path / "small.dat", optimum=22)
    assert (problem.flows.tolist(), problem.distances.tolist()) == ([[0, 3], [1, 0]], [[0, 5], [7, 0]])
    assert repr(problem) == "QAP(name='small', n=2, optimum=22.0)"
    assert problem([[0, 1], [1, 0]]).tolist() == [22.0, 26.0]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "ends after 0 of 1 numbers; expected the size"),
        ("0\n", 1, "0 cannot be the size"),
        ("2.5\n", 1, "2.5 cannot be the size"),
        ("2147483647\n1 2\n", 2, "ends after 2 of"),
        ("2\n1 2 3 4\n1 2 3\n", 3, "ends after 3 of 4 numbers; expected the second matrix"),
        ("2\n1 2 3 4\n1 2 3 4\n5\n", 4, "expected the end of the file after two matrices, found '5'"),
        ("2\n1 2 3 4\n1 2 x 4\n", 3, "'x' is not a number; expected the second matrix"),
        ("1\nnan\n1\n", 2, "nan must be finite"),
        (f"1\n{2**53 + 1}\n1\n", 2, "would be rounded"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, line, message):
    (tmp_path / "bad.dat").write_text(text)
    with pytest.raises(ValueError, match=rf"bad\.dat, line {line}: .*{message}"):
        QAP.from_file(tmp_path / "bad.dat")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: QAP([[1, 2]], [[1]]), ValueError, "flows must be a square matrix"),
        (lambda: QAP([[1]], np.eye(2)), ValueError, "of one size, got 1 and 2"),
        (lambda: QAP([[np.inf]], [[1]]), ValueError, r"flows\[0, 0\] = inf is not finite"),
        (lambda: QAP([["a"]], [[1]]), TypeError, "real numbers"),
        (lambda: QAP([[2**27 + 1]], [[2**27 + 1]]), ValueError, "common factor"),
        (lambda: QAP([[1e200]], [[1e200]]), ValueError, r"1\.8e308"),
        (lambda: QAP.random(0), ValueError, "from 1 to 4096"),
        (lambda: QAP.planted(0, 3), ValueError, "must be 1 or more"),
        (lambda: QAP.random(3)([[0, 1, 1]]), ValueError, "no order"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_it_pickles():
    problem = QAP.random(5, rng=1)
    X = problem.start.sample(4, np.random.default_rng(1))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem))(X), problem(X))
