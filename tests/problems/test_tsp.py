"""Travelling salesmen: TSPLIB's distances, every layout of a matrix, moves against brute force."""

import itertools
import math
import pickle

import numpy as np
import pytest
from helpers import public_instances

import cem
from problems.tsp import TSP, moves
from problems.tsp.reader import MOST_CITIES

HEAD = "NAME: small\nTYPE: {}\nCOMMENT: made by a test\nDIMENSION: {}\nEDGE_WEIGHT_TYPE: {}\n"


def every_tour(n):
    return np.array([(0, *rest) for rest in itertools.permutations(range(1, n))])


def written(tmp_path, kind, n, weights, body):
    file = tmp_path / "small.tsp"
    file.write_text(HEAD.format(kind, n, weights) + body)
    return file


# --- distances ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "points", "expected"),
    [
        ("EUC_2D", ["0 0", "1 1", "0.5 0", "3 4.5"], [1, 1, 5, 1, 4, 5]),  # √2, ½, 5.41, 1.12, 4.03, 5.15
        ("CEIL_2D", ["0 0", "1 1", "3 0", "0 4"], [2, 3, 4, 3, 4, 5]),
        ("ATT", ["0 0", "10 0", "0 20", "3 1"], [4, 7, 1, 8, 3, 7]),  # 3.16, 6.32, 1, 7.07, 2.24, 6.08
        ("GEO", ["38.24 20.42", "39.57 26.15", "40.56 25.32", "36.26 23.12"], [509, 501, 312, 126, 474, 541]),
    ],
)
def test_distances_are_rounded_as_tsplib_says(tmp_path, weights, points, expected):
    lines = "".join(f" {k} {point}\n" for k, point in enumerate(points, start=1))
    problem = TSP.from_file(written(tmp_path, "TSP", 4, weights, f"NODE_COORD_SECTION\n{lines}EOF\n"))
    assert problem.distances[np.triu_indices(4, 1)].tolist() == expected
    assert np.array_equal(problem.distances, problem.distances.T)
    assert problem.points.shape == (4, 2)


MATRIX = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0]])


@pytest.mark.parametrize(
    ("layout", "numbers"),
    [
        ("FULL_MATRIX", "0 1 2 3\n1 0 4 5\n2 4 0 6\n3 5 6 0"),
        ("UPPER_ROW", "1 2 3\n4 5\n6"),
        ("LOWER_ROW", "1\n2 4\n3 5 6"),
        ("UPPER_DIAG_ROW", "0 1 2 3 0 4 5\n0 6 0"),
        ("LOWER_DIAG_ROW", "0 1 0 2 4\n0 3 5 6 0"),
        ("UPPER_COL", "1 2 4 3 5 6"),
        ("LOWER_COL", "1 2 3 4 5 6"),
        ("UPPER_DIAG_COL", "0 1 0 2 4 0 3 5 6 0"),
        ("LOWER_DIAG_COL", "0 1 2 3 0 4 5 0 6 0"),
    ],
)
def test_every_layout_of_a_matrix(tmp_path, layout, numbers):
    body = f"EDGE_WEIGHT_FORMAT: {layout} \nEDGE_WEIGHT_SECTION\n {numbers}\nEOF\n"
    problem = TSP.from_file(written(tmp_path, "TSP", 4, "EXPLICIT", body), optimum=14)
    assert problem.distances.tolist() == MATRIX.tolist()
    assert repr(problem) == "TSP(name='small', n=4, optimum=14.0)"


def test_asymmetric_instances(tmp_path):
    body = "EDGE_WEIGHT_FORMAT: FULL_MATRIX\nEDGE_WEIGHT_SECTION\n9 1 5\n5 9 1\n1 5 9\nEOF\n"
    problem = TSP.from_file(written(tmp_path, "ATSP", 3, "EXPLICIT", body))
    assert not problem.symmetric
    assert problem([[0, 1, 2], [2, 1, 0]]).tolist() == [3.0, 15.0]


# --- files ----------------------------------------------------------------------------------------------

POINTS = "NODE_COORD_SECTION\n1 0 0\n2 1 1\n3 2 0\n"
FULL = "EDGE_WEIGHT_FORMAT: FULL_MATRIX\nEDGE_WEIGHT_SECTION\n"


@pytest.mark.parametrize(
    ("kind", "n", "weights", "body", "line", "message"),
    [
        ("SOP", 3, "EUC_2D", POINTS, 2, "expected the TYPE to be one of TSP, ATSP; found 'SOP'"),
        ("TSP", "three", "EUC_2D", POINTS, 4, "expected a DIMENSION from 1 to"),
        ("TSP", 0, "EUC_2D", POINTS, 4, "expected a DIMENSION"),
        ("TSP", 2**31 - 1, "EUC_2D", POINTS, 4, "expected a DIMENSION"),
        ("TSP", "9" * 5000, "EUC_2D", POINTS, 4, "expected a DIMENSION"),
        ("TSP", MOST_CITIES, "EUC_2D", POINTS, 9, "the file ends after 0 of 1 numbers; expected the number"),
        ("TSP", MOST_CITIES, "EXPLICIT", FULL + "0 1\n", 8, "the file ends after 2 of 400000000 numbers"),
        ("TSP", 3, "SPECIAL", POINTS, 5, "expected the EDGE_WEIGHT_TYPE to be one of"),
        ("TSP", 3, "EUC_2D", "EOF\n", 5, "there is no NODE_COORD_SECTION"),
        ("TSP", 3, "EXPLICIT", POINTS, 5, "there is no EDGE_WEIGHT_SECTION"),
        ("TSP", 3, "EUC_2D", "NODE_COORD_SECTION\n1 0 0\n4 1 1\n", 8, "4 is no city; they count from 1 to 3"),
        ("TSP", 3, "EUC_2D", "NODE_COORD_SECTION\n1 0 0\n1 1 1\n", 8, "1 was given already"),
        ("TSP", 3, "EUC_2D", "NODE_COORD_SECTION\n1 0 0\n-2 1 1\n", 8, "-2 cannot be the number of a city"),
        ("TSP", 3, "EUC_2D", "NODE_COORD_SECTION\n1 0 nan\n", 7, "nan must be finite"),
        ("TSP", 3, "EUC_2D", "NODE_COORD_SECTION\n1 0 1e200\n", 7, "1e200 must be"),
        ("TSP", 3, "EUC_2D", "NODE_COORD_SECTION\n1 0\n", 7, "ends after 1 of 2 numbers"),
        ("TSP", 3, "EUC_2D", POINTS + "4 1 1\n", 10, "expected the end of the file .*found '4'"),
        ("TSP", 3, "EUC_2D", "what is this\n", 6, "'what is this' is no keyword of TSPLIB"),
        ("TSP", 3, "EUC_2D", POINTS + POINTS, 10, "the NODE_COORD_SECTION was given already"),
        ("TSP", 2, "EXPLICIT", FULL + "0 1\n2 0\n", 2, "the distances from 1 to 2 and back differ"),
        ("TSP", 2, "EXPLICIT", FULL + "0 x\n2 0\n", 8, "'x' is not a number; expected a distance"),
        ("TSP", 2, "EXPLICIT", FULL + f"0 1\n{2**53 + 1} 0\n", 9, "would be rounded"),
        ("TSP", 2, "EXPLICIT", "EDGE_WEIGHT_SECTION\n0 1\n", 1, "the EDGE_WEIGHT_FORMAT .* found none"),
        ("ATSP", 3, "EXPLICIT", FULL.replace("FULL_MATRIX", "UPPER_ROW") + "1 2 3\n", 6, "FULL_MATRIX"),
    ],
)  # fmt: skip
def test_bad_files_are_named_with_their_line(tmp_path, kind, n, weights, body, line, message):
    file = written(tmp_path, kind, n, weights, body)
    with pytest.raises(ValueError, match=rf"small\.tsp, line {line}: .*{message}"):
        TSP.from_file(file)


def test_negative_distances_in_files_are_refused(tmp_path):
    file = written(tmp_path, "TSP", 2, "EXPLICIT", FULL + "0 -1\n-1 0\n")
    with pytest.raises(
        ValueError, match=r"small\.tsp: distances\[0, 1\] = -1\.0 must be finite and not negative"
    ):
        TSP.from_file(file)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        TSP.from_file(tmp_path / "nowhere.tsp")


# --- the search -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", sorted({False, moves.COMPILED}))
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("n", [8, 9])
def test_small_instances_are_solved(monkeypatch, compiled, symmetric, n):
    if not compiled and moves.COMPILED:
        for name in ("reverse", "shift", "try_two_opt", "try_or_opt", "descend", "improve_tour"):
            monkeypatch.setattr(moves, name, getattr(moves, name).py_func)
        monkeypatch.setattr(moves, "COMPILED", False)
    distances = np.random.default_rng(n).integers(1, 100, (n, n))
    problem = TSP(distances + distances.T if symmetric else distances)
    assert problem.symmetric is symmetric
    assert cem.optimize(problem, rng=1, max_evaluations=20_000).fun == problem(every_tour(n)).min()


@pytest.mark.slow
def test_few_cities_are_solved():
    for n in (1, 2, 3, 5, 7):
        problem = TSP.random(n, rng=n)
        assert cem.optimize(problem, rng=1).fun == problem(every_tour(n)).min()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
def test_improved_tours_are_tours_and_no_longer(whole, symmetric):
    d = np.random.default_rng(3).uniform(1, 100, (60, 60))
    d = np.round(d) if whole else d
    problem = TSP(d + d.T if symmetric else d)
    X = problem.start.sample(6, np.random.default_rng(4))
    better, scores, kicks = problem.improve(X.copy(), problem(X), np.random.default_rng(5), 1)
    assert np.sort(better, axis=1).tolist() == [list(range(60))] * 6
    np.testing.assert_array_equal(scores, problem(better))
    assert (scores < problem(X)).all()
    assert kicks > 0
    again, _, _ = problem.improve(X.copy(), problem(X), np.random.default_rng(5), 1)
    np.testing.assert_array_equal(again, better)
    _, shorter, _ = problem.improve(better.copy(), scores, np.random.default_rng(6), 1)
    assert (shorter <= scores + 1e-9).all()


def test_cities_on_a_circle_are_toured_around_it():
    angles = 2 * np.pi * np.random.default_rng(1).permutation(50) / 50
    points = np.column_stack((np.cos(angles), np.sin(angles)))
    problem = TSP(np.linalg.norm(points[:, None] - points, axis=2))
    assert cem.optimize(problem, rng=1, max_evaluations=20_000).fun == pytest.approx(
        100 * math.sin(np.pi / 50)
    )


@pytest.mark.parametrize(("file", "best"), public_instances("tsplib"))
def test_tsplib_optima(file, best):
    assert cem.optimize(TSP.from_file(file, optimum=best), max_time=30, rng=1).fun == best


# --- the value object -----------------------------------------------------------------------------------


def test_it_is_frozen_and_pickles():
    problem = TSP.random(12, rng=1)
    X = problem.start.sample(5, np.random.default_rng(2))
    with pytest.raises(AttributeError):
        problem.n = 3
    with pytest.raises(ValueError, match="read-only"):
        problem.distances[0, 1] = 2
    for _ in range(2):  # before and after the first use
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem))(X), problem(X))
        problem.improve(X.copy(), problem(X), np.random.default_rng(1), 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TSP([[0, 1]]), ValueError, "must be a square matrix"),
        (lambda: TSP([["a"]]), TypeError, "real numbers"),
        (lambda: TSP([[0, np.nan], [1, 0]]), ValueError, r"distances\[0, 1\] = nan"),
        (lambda: TSP([[0, 2**53 + 1], [1, 0]]), ValueError, "cannot be held exactly"),
        (lambda: TSP([[0, 2**53 - 2], [3, 0]]), ValueError, "common factor"),
        (lambda: TSP(np.ma.masked_array(np.eye(2), np.eye(2))), ValueError, "masked"),
        (lambda: TSP(np.eye(2), points=[[0, 0]]), ValueError, r"points must have shape \(2, 2\)"),
        (lambda: TSP.random(0), ValueError, "from 1 to"),
        (lambda: TSP.random(10**9), ValueError, "from 1 to"),
        (lambda: TSP(np.eye(3))([0, 1, 2]), ValueError, "shape"),
        (lambda: TSP(np.eye(3))([[0, 1, 1]]), ValueError, r"candidates\[0\] is no order"),
        (lambda: TSP(np.eye(3))([[0.5, 1, 2]]), TypeError, "whole numbers"),
    ],
)
def test_bad_input_is_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()
