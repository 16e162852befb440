"""Graph files: read back, written in other ways, and every fault named with its line."""

import gzip

import numpy as np
import pytest
from helpers import public_instances

from problems.maxcut import MaxCut


@pytest.mark.parametrize("weights", [(1,), (-1, 1), (-3, 5, 1e6), (0.1, -0.3, 2.5e-7)])
def test_what_is_written_is_read_back(tmp_path, weights):
    problem = MaxCut.random(40, edge_probability=0.3, weights=weights, rng=6)
    lines = [
        f"{j + 1} {i + 1} {w!r}" for (i, j), w in zip(problem.edges, problem.weights.tolist(), strict=True)
    ]
    file = tmp_path / "some.graph.txt"
    file.write_text("\n".join([f"40 {len(lines)}", *lines]) + "\n")
    read = MaxCut.from_file(file, optimum=7)
    assert (read.n, read.name, read.optimum) == (40, "some.graph", 7.0)
    np.testing.assert_array_equal(read.edges, problem.edges)
    np.testing.assert_array_equal(read.weights, problem.weights)


@pytest.mark.parametrize(
    "text",
    [
        "4 3\n1 2 1\n2 3 1\n3 4 1\n",
        "4 3\n1 2\n2 3\n3 4",
        "4 3 \r\n1 2 1.0\r\n2 3 1e0 \r\n\t3\t4\t1\r\n\r\n",
        "\ufeffc a path\n# of four\n\n4 3\n1 2 1 # the first\n\nc the others\n2 3 1\n3 4 1\n# end\n",
        "4 3\n2 1 1\n3 2\n4 3 1\n",
    ],
    ids=["plain", "unweighted", "windows", "comments", "some-weights"],
)
def test_ways_to_write_the_same_graph(tmp_path, text):
    file = tmp_path / "path4"
    file.write_text(text, encoding="utf-8", newline="")
    problem = MaxCut.from_file(str(file))
    assert problem.name == "path4"
    assert problem.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert problem.weights.tolist() == [1, 1, 1]


def test_a_file_without_edges(tmp_path):
    file = tmp_path / "none.txt"
    file.write_text("3 0\n\n")
    assert MaxCut.from_file(file).cut_value([0, 1, 0]) == 0.0


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "empty"),
        ("# nothing\n\n", 3, "empty"),
        ("1 2 1\n2 3 1\n", 1, "expected the header 'n m'.*'1 2 1'"),
        ("c note\nfour 3\n", 2, "header"),
        ("-4 3\n", 1, "header"),
        ("0 0\n", 1, "header"),
        ("4 3\n1 2 1\n2 3 1\n", 3, "ends after 2 of the 3 edges"),
        ("4 3\n", 1, "ends after 0 of the 3 edges"),
        ("4 3\n\n\n\n\n", 5, "ends after 0 of the 3 edges"),
        ("4 1\n1 2 1\n\n2 3 1\n", 4, "an edge more than the 1"),
        ("4 0\n1 2 1\n", 2, "an edge more than the 0"),
        ("4 2\n1 2 1\n2 5 1\n", 3, "5 is not a vertex; they count from 1 to 4"),
        ("4 2\n0 2 1\n2 3 1\n", 2, "0 is not a vertex"),
        ("4 2\n1 2 1\n1.5 2 1\n", 3, "1.5 is not a vertex"),
        ("4 2\n1 2 1\nnan 2 1\n", 3, "nan is not a vertex"),
        ("4 2\n1 2 1\n3 3 1\n", 3, "3 3 is a self-loop"),
        ("4 2\n1 2 1\n2 3 x\n", 3, "'x' is not a number"),
        ("4 2\n1 2 1\n2 3 1_0\n", 3, "'1_0' is not a number"),
        ("4 2\n1 2 nan\n2 3 1\n", 2, "nan is not finite"),
        ("4 2\n1 2 1\n2 3 -inf\n", 3, "-inf is not finite"),
        ("4 2\n1 2 1\n2 3 1 1\n", 3, "expected 'i j weight'"),
        ("4 2\n1\n2 3 1\n", 2, "expected 'i j weight'"),
        ("4 2\n1 2\n3 4\n1 3\n2 4\n", 4, "an edge more"),
        ("4 3\n1 2 1\n2 3 1\n2 1 1\n", 4, "edge 2 1 was given on line 2 already"),
        ("\x00\x01\xff binary", 1, "header"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, line, message):
    file = tmp_path / "bad.txt"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"bad\.txt, line {line}: .*{message}"):
        MaxCut.from_file(file)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        MaxCut.from_file(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(("file", "best"), public_instances("gset") + public_instances("biqmac"))
def test_files_of_public_collections(file, best):
    problem = MaxCut.from_file(file, optimum=best)
    table = np.loadtxt(file, skiprows=1)
    assert file.read_text().split()[:2] == [str(problem.n), str(len(table))]
    assert len(problem.edges) == np.count_nonzero(table[:, 2])
    X = np.random.default_rng(7).integers(0, 2, size=(20, problem.n), dtype=np.uint8)
    assert problem(X).max() < problem.optimum
    first, second = X[0][table[:, :2].astype(int).T - 1]
    assert problem.cut_value(X[0]) == table[first != second, 2].sum()


# --- other formats ----------------------------------------------------------------------------------

TRIANGLE = [[0, 1], [0, 2], [1, 2]]
MATRIX = "%%MatrixMarket matrix coordinate {} {}\n% a comment\n"


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("c three\np edge 3 3\ne 1 2\ne 3 1\ne 2 3\n", [1, 1, 1]),
        ("p col 3 6\ne 1 2\ne 2 1\ne 1 3\ne 3 1\ne 2 3\ne 3 2\n", [1, 1, 1]),
        ("p edge 3 3\ne 1 2 2.5\ne 2 1 2.5\ne 1 3 -1\ne 2 3 4\n", [2.5, -1, 4]),
        (MATRIX.format("real", "symmetric") + "3 3 3\n2 1 2.5\n3 1 -1\n3 2 4\n", [2.5, -1, 4]),
        (MATRIX.format("integer", "general") + "3 3 3\n1 2 2\n1 3 -1\n2 3 4\n", [2, -1, 4]),
        (
            MATRIX.format("integer", "general") + "3 3 6\n1 2 2\n1 3 -1\n2 3 4\n2 1 2\n3 1 -1\n3 2 4\n",
            [2, -1, 4],
        ),
        (MATRIX.format("pattern", "symmetric") + "3 3 3\n2 1\n3 1\n3 2\n", [1, 1, 1]),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_other_formats(text, weights, zipped, tmp_path):
    file = tmp_path / ("triangle.mtx.gz" if zipped else "triangle.col")
    file.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    graph = MaxCut.from_file(file)
    assert (graph.n, graph.name) == (3, "triangle")
    assert graph.edges.tolist() == TRIANGLE
    assert graph.weights.tolist() == weights


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p edge 3\ne 1 2\n", "line 1: expected one 'p edge n m'"),
        ("p edge 3 1\np edge 3 1\n", "line 2: expected one 'p edge n m'"),
        ("p edge 3 1\na 1 2\n", "line 2: expected 'e i j'"),
        ("p edge 3 1\ne 1 4\n", "line 2: 4 is not a vertex"),
        ("p edge 3 1\ne 2 2\n", "line 2: the edge 2 2 is a self-loop"),
        ("p edge 3 2\ne 1 2\ne 1 2\n", "line 3: the edge 1 2 was given on line 2"),
        ("p edge 3 2\ne 1 2 5\ne 2 1 6\n", "line 3: the edge 2 1 was given on line 2"),
        ("p edge 3 5\ne 1 2\n", "1 edges, but the header promises 5"),
        (f"p edge {2**40} 1\ne 1 2\n", "line 1: "),
        (MATRIX.format("complex", "general") + "1 1 0\n", "line 1: expected"),
        (MATRIX.format("real", "skew-symmetric") + "2 2 1\n2 1 1\n", "general or symmetric, not skew"),
        (MATRIX.format("real", "general") + "2 3 1\n2 1 1\n", "square matrix, found 2 by 3"),
        (MATRIX.format("real", "general") + "2 2 1\n2 2 1\n", "the entry 2 2 is a self-loop"),
        (MATRIX.format("real", "general") + "2 2 2\n2 1 1\n1 2 3\n", "neither symmetric nor one half"),
        (MATRIX.format("real", "general") + "2 2 2\n2 1 1\n", "."),
        (MATRIX.format("real", "general") + "2 2 1\n2 1 nought\n", "."),
    ],
)
def test_faults_of_other_formats(text, message, tmp_path):
    file = tmp_path / "bad"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        MaxCut.from_file(file)
    assert str(file) in str(caught.value)


def test_a_damaged_gzip_file(tmp_path):
    file = tmp_path / "bad.gz"
    for content in (gzip.compress(b"3 0\n")[:-6], gzip.compress(b"3 0\n")[:8] + b"xxxxxxxx"):
        file.write_bytes(content)
        with pytest.raises(OSError, match=r"bad\.gz: the file is damaged"):
            MaxCut.from_file(file)
