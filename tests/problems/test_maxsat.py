"""MaxSAT: values by definition, optima by brute force, DIMACS files with their faults."""

import itertools
import pickle
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import cem
from problems.maxsat import MaxSAT

COMPILED = "problems.maxsat.compiled_walk"
WALKS = ["walk", "compiled_walk"] if find_spec("numba") else ["walk"]


@pytest.fixture(params=WALKS)
def each_walk(request, monkeypatch):
    if request.param == "walk":
        monkeypatch.setitem(sys.modules, COMPILED, None)  # as where numba is not installed
        monkeypatch.delattr("problems.maxsat.compiled_walk", raising=False)


def every_row(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), dtype=np.uint8)


def holds(clause, x):
    return any((x[abs(literal) - 1] == 1) == (literal > 0) for literal in clause)


def by_definition(problem, x):
    return sum(w for c, w in zip(problem.clauses, problem.weights, strict=True) if holds(c, x))


# --- values ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "clauses", "weights"),
    [
        (1, [(1,), (-1,)], [2, 3]),
        (3, [], None),
        (3, [(), (1, 2), ()], None),
        (3, [(1, -1), (2, 2, 2), (1, -1, -2), (-3, -3)], [1, 2, 4, 8]),
        (5, [(1, -2, 3, -4, 5), (-1,), (5, -5, 5)], [0.5, 0.25, 1e6]),
    ],
    ids=["contradiction", "nothing", "empty", "repeated", "fractions"],
)
@pytest.mark.usefixtures("each_walk")
def test_values_are_those_of_the_definition(n, clauses, weights):
    problem = MaxSAT(n, clauses, weights)
    X = every_row(n)
    for rows in (X, X.astype(bool), X.astype(np.int64)):
        np.testing.assert_array_equal(problem(rows), [by_definition(problem, x) for x in X])
    for x in X:
        assert problem.holds(x).tolist() == [holds(clause, x) for clause in clauses]
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert result.fun == problem(X).max()


def test_random_formulas_have_the_clauses_asked_for():
    problem = MaxSAT.random(9, 300, 4, rng=1)
    assert len(problem.clauses) == 300
    assert all(len({abs(literal) for literal in clause}) == 4 for clause in problem.clauses)
    literals = np.array(problem.clauses)
    assert abs((literals > 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(literals.size)
    assert abs(np.bincount(abs(literals).ravel())[1:] - 400 / 3).max() < 5 * np.sqrt(300 * 4 / 9)
    assert MaxSAT.random(9, 300, 4, rng=np.random.default_rng(1)).clauses == problem.clauses
    X = np.random.default_rng(2).integers(0, 2, (30, 9))
    np.testing.assert_array_equal(problem(X), [by_definition(problem, x) for x in X])


# --- the search -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m", "k"), [(10, 70, 3), (12, 60, 2)])
@pytest.mark.usefixtures("each_walk")
def test_plain_optimize_finds_the_optimum_and_ends(n, m, k):
    problem = MaxSAT.random(n, m, k, rng=3)
    best = problem(every_row(n)).max()
    assert best < m
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert result.fun == best == by_definition(problem, result.x)


@pytest.mark.usefixtures("each_walk")
def test_weights_are_heeded():
    rng = np.random.default_rng(4)
    clauses = MaxSAT.random(11, 80, rng=rng).clauses
    problem = MaxSAT(11, clauses, rng.integers(1, 1000, 80))
    best = problem(every_row(11)).max()
    result = cem.optimize(problem, rng=1, target=best, max_evaluations=100_000)
    assert result.fun == best


@pytest.mark.usefixtures("each_walk")
def test_a_planted_assignment_is_found():
    rng = np.random.default_rng(5)
    planted = rng.integers(0, 2, 60)
    clauses = [c for c in MaxSAT.random(60, 270, rng=rng).clauses if holds(c, planted)]
    problem = MaxSAT(60, clauses, optimum=len(clauses))
    result = cem.optimize(problem, rng=1, target=problem.optimum, max_evaluations=100_000)
    assert result.fun == len(clauses)
    assert problem.holds(result.x).all()


@pytest.mark.parametrize("rows", [0, 1, 30])
@pytest.mark.usefixtures("each_walk")
def test_improving_repeats_and_never_makes_worse(rows):
    rng = np.random.default_rng(6)
    clauses = [*MaxSAT.random(25, 150, rng=rng).clauses, (), (1, -1), tuple(range(1, 26))]
    problem = MaxSAT(25, clauses, rng.random(153) + 0.1)
    X = rng.integers(0, 2, (rows, 25), dtype=np.uint8)
    once, again = (problem.improve(X.copy(), problem(X), np.random.default_rng(1), 1) for _ in range(2))
    np.testing.assert_array_equal(once[0], again[0])
    np.testing.assert_array_equal(once[1], problem(once[0]))
    assert (once[1] >= problem(X)).all()
    assert once[2] == again[2]
    assert (once[2] > 0) == (rows > 0)


# --- files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.cnf", "p cnf 3 2\n1 -2 0\n3 0\n"),
        ("a.cnf", "c first\n\np  cnf 3 2 \r\n1\n-2 0 3\nc between\n0\n"),
        ("a.cnf", "\ufeffp cnf 3 2\n1 -2 0 3 0\n%\n0\n\n"),
        ("a.wcnf", "p wcnf 3 2\n1 1 -2 0\n1 3 0\n"),
        ("a", "p wcnf 3 2 10\n1 1 -2 0 1 3 0\n"),
        ("a.wcnf", "c no header\n1 1 -2 0\n1 3 0\n"),
    ],
)
def test_ways_to_write_the_same_formula(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8", newline="")
    problem = MaxSAT.from_file(str(file), optimum=2)
    assert (problem.n, problem.name, problem.optimum) == (3, "a", 2.0)
    assert problem.clauses == ((1, -2), (3,))
    assert problem.weights.tolist() == [1, 1]


def test_clauses_that_must_hold_outweigh_the_others(tmp_path):
    old, new = tmp_path / "old.wcnf", tmp_path / "new.wcnf"
    old.write_text("p wcnf 2 3 6\n2 1 0\n3 2 0\n6 -1 -2 0\n")
    new.write_text("2 1 0\n3 2 0\nh -1 -2 0\n")
    for file in (old, new):
        problem = MaxSAT.from_file(file)
        assert problem.weights.tolist() == [2, 3, 6]
        result = cem.optimize(problem, rng=1)
        assert result.x.tolist() == [0, 1]
        assert problem.holds(result.x).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("bad.cnf", "", 1, "expected the header 'p cnf n m'"),
        ("bad.cnf", "c only\nc this\n", 2, "header"),
        ("bad.cnf", "1 -2 0\n", 1, "header.*found '1'"),
        ("bad.cnf", "c\np cnf three 2\n", 2, "header.*found 'p cnf three 2'"),
        ("bad.cnf", "p cnf 3 2 6\n", 1, "header"),
        ("bad.cnf", "p cnf 0 0\n", 1, "header"),
        ("bad.cnf", "p sat 3 2\n", 1, "header"),
        ("bad.cnf", "p\n", 1, "header"),
        ("bad.cnf", "p cnf 3 2\n1 0\n4 0\n", 3, "the literal 4 is out of range"),
        ("bad.cnf", "p cnf 3 2\n1 0\n\n-4 0\n", 4, "the literal -4 is out of range"),
        ("bad.cnf", "p cnf 3 2\n1 x 0\n", 2, "'x' is not a literal"),
        ("bad.cnf", "p cnf 3 2\n1 1.5 0\n", 2, "'1.5' is not a literal"),
        ("bad.cnf", "p cnf 3 2\n1 0\n", 2, "ends after 1 of the 2 clauses"),
        ("bad.cnf", "p cnf 3 2\n1 0\n2 3\n", 3, "ends within a clause"),
        ("bad.cnf", "p cnf 3 1\n1 0\n2 0\n", 3, "a clause more than the 1"),
        ("bad.wcnf", "p wcnf 3 1\nx 1 0\n", 2, "'x' is not a weight"),
        ("bad.wcnf", "p wcnf 3 1\nh 1 0\n", 2, "'h' is not a weight"),
        ("bad.wcnf", "p wcnf 3 1\n0 1 0\n", 2, "the weight 0 must be positive"),
        ("bad.wcnf", "p wcnf 3 1\ninf 1 0\n", 2, "the weight inf must be"),
        ("bad.wcnf", "c\n\n2 1 0\n-1 2 0\n", 4, "the weight -1 must be positive"),
        ("bad.wcnf", "h 0\n", 1, "no clause has a variable"),
        ("bad.wcnf", "", 1, "header"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, name, text, line, message):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"{name}, line {line}: .*{message}"):
        MaxSAT.from_file(file)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        MaxSAT.from_file(tmp_path / "nowhere.cnf")


# --- the value object -----------------------------------------------------------------------------------


def test_it_is_frozen_and_pickles_and_shows_itself():
    problem = MaxSAT(2, [[1, 2], np.array([-1])], optimum=2, name="two")
    assert repr(problem) == "MaxSAT(name='two', n=2, clauses=2, optimum=2.0)"
    assert problem.clauses == ((1, 2), (-1,))
    with pytest.raises(AttributeError):
        problem.n = 3
    with pytest.raises(ValueError, match="read-only"):
        problem.weights[0] = 2
    X = every_row(2)
    for _ in range(2):  # before and after the first use
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem))(X), problem(X))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MaxSAT(0, []), ValueError, "1 or more"),
        (lambda: MaxSAT(2.0, []), TypeError, "must be an integer, got 2.0"),
        (lambda: MaxSAT(2, [(1,), (0, 1)]), ValueError, r"clauses\[1\] has the literal 0; they are ±1 to ±2"),
        (lambda: MaxSAT(2, [(3,)]), ValueError, "literal 3"),
        (lambda: MaxSAT(2, [(1.0,)]), TypeError, r"clauses\[0\] must be a sequence of whole numbers"),
        (lambda: MaxSAT(2, [1]), TypeError, r"clauses\[0\]"),
        (lambda: MaxSAT(2, [(1,)], [1, 2]), ValueError, r"shape \(1,\), one per clause"),
        (lambda: MaxSAT(2, [(1,)], ["a"]), TypeError, "real numbers"),
        (lambda: MaxSAT(2, [(1,), (2,)], [1, 0]), ValueError, r"weights\[1\] = 0.0 must be positive"),
        (lambda: MaxSAT.random(2, 5), ValueError, "k = 3 different variables cannot be drawn from n = 2"),
        (lambda: MaxSAT.random(2, 5, 0), ValueError, "k must be 1 or more"),
        (lambda: MaxSAT(2, [(1,)])([[0, 2]]), ValueError, "only 0 and 1"),
        (lambda: MaxSAT(2, [(1,)])([0, 1]), ValueError, "shape"),
        (lambda: MaxSAT(2, [(1,)]).holds([[0, 1]]), ValueError, "shape"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()
