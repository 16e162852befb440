"""QUBO and Ising: every value against its definition, and against the cuts of the equivalent graph."""

import itertools
import pickle

import numpy as np
import pytest
from scipy import sparse

import cem
from problems.maxcut import MaxCut
from problems.maxcut.conversions import (
    edges_from_ising,
    edges_from_qubo,
    qubo_from_edges,
    to_sides,
    to_variables,
)
from problems.qubo import QUBO


def every_row(n):
    return np.array(list(itertools.product((0, 1), repeat=n)), dtype=np.uint8)


def quadratic(Q, c, offset, z):
    """The definition, one row at a time, in the numbers' own arithmetic."""
    n = len(c)
    pairs = sum(Q[i][j] * int(z[i]) * int(z[j]) for i in range(n) for j in range(n))
    return pairs + sum(c[i] * int(z[i]) for i in range(n)) + offset


def drawn(n, seed, low=-9, high=9):
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, (n, n), endpoint=True), rng.integers(low, high, n, endpoint=True)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.coo_array, sparse.csc_matrix])
def test_values_are_those_of_the_definition(n, kind):
    Q, c = drawn(n, seed=n)
    X = every_row(n)
    expected = [quadratic(Q.tolist(), c.tolist(), 7, x) for x in X]
    problem = QUBO(kind(Q), c, 7)
    assert sparse.issparse(problem.Q) == sparse.issparse(kind(Q))
    for rows in (X, X.astype(bool), X.astype(np.int64), X.tolist()):
        np.testing.assert_array_equal(problem(rows), expected)


def test_fractions_agree_to_rounding_and_large_whole_numbers_exactly():
    Q, c = drawn(7, seed=1)
    X = every_row(7)
    np.testing.assert_allclose(
        QUBO(Q / 7, c / 3)(X), [quadratic(Q / 7, c / 3, 0, x) for x in X], rtol=1e-13, atol=1e-13
    )
    Q, c = drawn(7, seed=2, low=-(2**46), high=2**46)
    np.testing.assert_array_equal(QUBO(Q, c)(X), [quadratic(Q.tolist(), c.tolist(), 0, x) for x in X])


# --- conversions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 6])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_the_value_of_a_qubo_is_its_offset_less_the_cut(n, kind):
    Q, c = drawn(n, seed=10 + n)
    problem = QUBO(kind(Q), c, -5, optimum=-50, name="some")
    graph = problem.to_maxcut()
    assert (graph.n, graph.name, graph.optimum) == (n + 1, "some", 45.0)
    Y = every_row(n + 1)
    np.testing.assert_array_equal(problem(to_variables(Y)), -5 - graph(Y))
    X = every_row(n)
    np.testing.assert_array_equal(to_variables(to_sides(X)), X)
    np.testing.assert_array_equal(MaxCut(*edges_from_qubo(kind(Q), c))(Y), graph(Y))
    np.testing.assert_array_equal(MaxCut(*edges_from_qubo(Q))(Y), -QUBO(Q)(to_variables(Y)))


@pytest.mark.parametrize("n", [1, 2, 6])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_an_energy_keeps_its_value_as_a_qubo_and_as_a_cut(n, kind):
    J, h = drawn(n, seed=20 + n)
    X = every_row(n)
    spins = 2 * X.astype(int) - 1
    energies = np.array([quadratic(J.tolist(), h.tolist(), 3, s) for s in spins])
    problem = QUBO.from_ising(h, kind(J), 3, optimum=energies.min())
    assert sparse.issparse(problem.Q) == sparse.issparse(kind(J))
    assert problem.optimum == energies.min()
    np.testing.assert_array_equal(problem(X), energies)
    np.testing.assert_array_equal(energies[0] - MaxCut(*edges_from_ising(h, kind(J)))(to_sides(X)), energies)
    np.testing.assert_array_equal(
        energies[0] - problem.to_maxcut()(to_sides(X)) - energies[0], energies - energies[0]
    )


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_to_ising_and_back(kind):
    Q, c = drawn(6, seed=30)
    problem = QUBO(kind(Q), c, 2)
    X = every_row(6)
    h, J, offset = problem.to_ising()
    dense = J.toarray() if sparse.issparse(J) else J
    assert sparse.issparse(J) == sparse.issparse(problem.Q)
    np.testing.assert_array_equal(dense, np.triu(dense, 1))
    energies = [quadratic(dense, h, offset, s) for s in 2 * X.astype(int) - 1]
    np.testing.assert_array_equal(energies, problem(X))
    np.testing.assert_array_equal(QUBO.from_ising(h, J, offset)(X), problem(X))


def test_fields_may_be_left_out():
    J = [[0, 1], [0, 0]]
    np.testing.assert_array_equal(QUBO.from_ising(None, J)(every_row(2)), [1, -1, -1, 1])
    n, edges, weights = edges_from_ising(None, J)
    assert MaxCut(n, edges, weights).edges.tolist() == [[0, 1]]


@pytest.mark.parametrize("weights", [(1,), (-3, 1, 2.5)])
def test_cuts_as_a_qubo_and_back(weights):
    graph = MaxCut.random(7, weights=weights, rng=40)
    Q, c = qubo_from_edges(graph.n, graph.edges, graph.weights)
    X = every_row(7)
    np.testing.assert_array_equal(QUBO(Q, c)(X), -graph(X))
    again = MaxCut(*edges_from_qubo(Q, c))
    np.testing.assert_array_equal(again.edges, graph.edges)
    np.testing.assert_array_equal(again.weights, graph.weights)
    empty = MaxCut.from_edges(3, [])
    np.testing.assert_array_equal(
        QUBO(*qubo_from_edges(3, empty.edges, empty.weights))(every_row(3)), np.zeros(8)
    )


# --- the search -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "scale"), [(1, 1), (6, 1), (12, 1), (12, 0.3)])
def test_plain_optimize_finds_the_optimum_and_ends(n, scale):
    Q, c = drawn(n, seed=50 + n)
    problem = QUBO(scale * Q, scale * c, 1)
    best = problem(every_row(n)).min()
    result = cem.optimize(problem, rng=1)
    assert result.success
    assert result.fun == pytest.approx(best, abs=1e-12)
    np.testing.assert_allclose(problem(result.x[None]), result.fun, rtol=1e-14)
    assert problem.stage in result.history.stage[0]


def test_a_problem_without_any_terms():
    result = cem.optimize(QUBO(np.zeros((3, 3)), offset=2.5), rng=1)
    assert (result.fun, result.success) == (2.5, True)


@pytest.mark.parametrize("rows", [0, 1, 2, 30])
def test_improvement_repeats_and_never_lies_about_values(rows):
    Q, c = drawn(20, seed=60)
    problem = QUBO(Q, c, 4)
    X = np.random.default_rng(1).integers(0, 2, (rows, 20), dtype=np.uint8)
    first, again = (problem.improve(X.copy(), problem(X), np.random.default_rng(2), 1) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    assert first[2] == again[2]
    np.testing.assert_array_equal(first[1], problem(first[0]))
    assert rows == 0 or first[1].min() <= problem(X).min()


# --- the value object -----------------------------------------------------------------------------------


def test_it_is_frozen_and_pickles_and_shows_itself():
    Q, c = drawn(4, seed=70)
    problem = QUBO(Q, c, name="small", optimum=-3)
    assert repr(problem) == "QUBO(name='small', n=4, optimum=-3.0)"
    with pytest.raises(AttributeError):
        problem.offset = 1
    with pytest.raises(ValueError, match="read-only"):
        problem.Q[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        QUBO(sparse.csr_array(Q)).Q.data[0] = 1
    Q[0, 0] += 1  # the caller's own array stays the caller's
    X = every_row(4)
    for _ in range(2):  # before and after the first evaluation
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem))(X), problem(X))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: QUBO([[1, 2]]), ValueError, r"Q must be a square matrix, got shape \(1, 2\)"),
        (lambda: QUBO([]), ValueError, "square"),
        (lambda: QUBO(np.empty((0, 0))), ValueError, "square"),
        (lambda: QUBO([["a"]]), TypeError, "Q must be real numbers"),
        (lambda: QUBO([[1j]]), TypeError, "complex128"),
        (lambda: QUBO([[np.nan]]), ValueError, "Q has entries that are not finite"),
        (lambda: QUBO([[1]], [1, 2]), ValueError, r"c must have shape \(1,\), got \(2,\)"),
        (lambda: QUBO([[1]], ["a"]), TypeError, "c must be real numbers"),
        (lambda: QUBO(np.eye(2), [1, np.inf]), ValueError, r"c\[1\] = inf is not finite"),
        (lambda: QUBO([[1]], offset=np.nan), ValueError, "offset"),
        (lambda: QUBO.from_ising([1], np.eye(2)), ValueError, r"h must have shape \(2,\)"),
        (lambda: QUBO.from_ising(None, [1, 2]), ValueError, "J must be a square matrix"),
        (lambda: edges_from_ising([np.nan], [[0]]), ValueError, r"h\[0\] = nan"),
        (lambda: edges_from_qubo(sparse.csr_array([[np.inf]])), ValueError, "Q has entries"),
        (lambda: QUBO([[1]])([[2]]), ValueError, "only 0 and 1"),
        (lambda: QUBO([[1]])([[0.5]]), ValueError, "only 0 and 1"),
        (lambda: QUBO([[1]])([0]), ValueError, r"shape \(N, 1\)"),
        (lambda: QUBO([[1]])([["x"]]), TypeError, "0 and 1"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


# --- dictionaries and files -------------------------------------------------------------------------


def test_dictionaries():
    problem = QUBO.from_dict({("a", "b"): 1, ("b", "a"): 2, "a": -4, ("c", "c"): 0.5}, offset=1)
    assert problem.variables == ("a", "b", "c")
    every = np.array(list(itertools.product((0, 1), repeat=3)))
    a, b, c = every.T
    np.testing.assert_array_equal(problem(every), 3 * a * b - 4 * a + 0.5 * c + 1)
    r = cem.optimize(problem, rng=1)
    assert r.fun == -3
    assert problem.named(r.x) == {"a": 1, "b": 0, "c": 0}
    assert QUBO([[1]]).named([1]) == {0: 1}


@pytest.mark.parametrize(
    ("coefficients", "error", "message"),
    [
        ({}, ValueError, "at least one variable"),
        ({"a": "x"}, TypeError, "real numbers"),
        ({"a": np.inf}, ValueError, "not finite"),
    ],
)
def test_dictionaries_that_are_none(coefficients, error, message):
    with pytest.raises(error, match=message):
        QUBO.from_dict(coefficients)


def test_names_of_variables_are_checked():
    with pytest.raises(ValueError, match="variables must be 2 different names"):
        QUBO([[1, 0], [0, 1]], variables=("a", "a"))


def test_matrix_market_files(tmp_path):
    file = tmp_path / "pair.mtx"
    file.write_text("%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n1 1 -1\n2 1 1.5\n")
    problem = QUBO.from_file(file)
    assert problem.name == "pair"
    assert problem([[1, 0], [0, 1], [1, 1]]).tolist() == [-1, 0, 2]
    file.write_text("2 2\n1 1 -1\n")
    with pytest.raises(ValueError, match=r"pair\.mtx, line 1: expected '%%MatrixMarket"):
        QUBO.from_file(file)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (
            "coordinate real symmetric",
            "3 3 2\n2 1 1.5 2 -2\n",
            r"line 3: expected an entry .* '2 1 1\.5 2 -2'",
        ),
        ("coordinate real symmetric", "3 3 2\n2 1 1.5\n3 2 1 1\n", "line 4: expected an entry"),
        ("coordinate real symmetric", "3 3 2\n2 1 1.5\n3 2 1_000", "line 4: expected an entry"),
        ("coordinate real general", "3 3 1\n3 2 0.50.5\n", "line 3: expected an entry"),
        ("coordinate real general", "% sizes\n\n3 3 2\n3 2 0.5\n", "expected 2 entries, found 1"),
        ("coordinate real general", "3 3\n", "line 2: expected the size of the matrix, 3 numbers"),
        (
            "coordinate pattern general",
            "3 3 1\n3 2 1\n",
            "line 3: expected an entry of the matrix, 2 numbers",
        ),
        ("array real symmetric", "2 2\n1\n2\n3\n4\n", "expected 3 entries, found 4"),
        ("coordinate real general", "", "the file ends before the size"),
        ("coordinate real general", "3 3 1\n4 1 1\n", "pair.mtx: "),
        ("coordinate real general", f"3 {5000 * '9'} 1\n3 1 1\n", "line 2: expected the size of the matrix"),
        ("coordinate real general", "3 3 1\n3 1 1e309\n", r"line 3: 1e309 is not finite"),
        ("coordinate integer general", "3 3 1\n3 1 9007199254740993\n", "line 3: .* would be rounded"),
        ("coordinate real upper", "3 3 1\n3 1 1\n", "line 1: a matrix must be general or symmetric"),
        ("lines real general", "3 3 1\n3 1 1\n", "line 1: expected"),
    ],
)
def test_matrix_market_files_that_are_none(tmp_path, kind, body, said):
    file = tmp_path / "pair.mtx"
    file.write_text(f"%%MatrixMarket matrix {kind}\n{body}")
    with pytest.raises(ValueError, match=said):
        QUBO.from_file(file)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("array real symmetric", "2 2\n-1\n.75e0\n0.\n"),
        ("array integer general", "% a comment\n2 2\n-1\n1\n1\n0\n"),
    ],
)
def test_matrix_market_arrays(tmp_path, kind, body):
    file = tmp_path / "pair.mtx"
    file.write_text(f"%%MatrixMarket matrix {kind}\n{body}")
    assert QUBO.from_file(file)([[1, 0], [0, 1]]).tolist() == [-1, 0]
