"""Graph files: rudy's ``n m`` and lines ``i j weight`` (Gset, BiqMac), DIMACS's, and MatrixMarket's."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from scipy import sparse

from cem.families.base import Floats, Index
from problems.matrix_market import BANNER, read_matrix
from problems.numbers import EXACT, check_whole_sum, read_numbers
from problems.reading import MOST_UNUSED, cut, parse_number, parse_whole, read_lines, show


def read_graph(path: str | os.PathLike[str]) -> tuple[int, Index, Floats]:
    """Read a graph.

    A plain file is read in bulk. Only where that fails are its lines read one by one, to find the bad one or
    to cope with weights on some lines only and with ``c`` comments.

    Parameters
    ----------
    path : path-like
        The file; see `MaxCut.from_file` for what it may hold.

    Returns
    -------
    n : int
        The number of vertices.
    edges : ndarray of int64, shape (m, 2)
        The edges as the file has them, but counting vertices from 0.
    weights : ndarray of float64, shape (m,)
        Their weights.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no graph; the message names the file and the line.
    """
    source = Path(path)
    lines = read_lines(source)
    if lines and lines[0].startswith(BANNER):
        return _from_matrix(source, lines)
    if (first := next((words for line in lines if (words := _words(line))), [])) and first[0] == "p":
        return _from_dimacs(source, lines)
    header, n, m = _header(source, lines)
    body = lines[header:]
    table = _in_bulk(body, n, m)
    if table is not None:
        return n, table[:, :2].astype(np.int64) - 1, table[:, 2].copy()
    edges, weights = _line_by_line(source, body, header, n, m)
    return n, edges - 1, weights


def graph_name(path: Path) -> str:
    """Return what a graph is called by its file."""
    name = path.name.removesuffix(".gz")
    suffix = next((each for each in (".txt", ".mtx", ".col") if name.endswith(each)), "")
    return name.removesuffix(suffix)


def _from_matrix(source: Path, lines: list[str]) -> tuple[int, Index, Floats]:
    """Take the weights of a MatrixMarket file."""
    matrix, _ = read_matrix(source, lines)
    upper, lower = sparse.triu(matrix, k=1).tocsr(), sparse.tril(matrix, k=-1).T.tocsr()
    if matrix.diagonal().any():
        k = int(np.flatnonzero(matrix.diagonal())[0]) + 1
        raise ValueError(f"{source}: the entry {k} {k} is a self-loop; it can never be cut, remove it")
    if upper.nnz and lower.nnz and (upper != lower).nnz:
        raise ValueError(f"{source}: the matrix is neither symmetric nor one half of a symmetric one")
    half = (upper if upper.nnz else lower).tocoo()
    weights, _ = read_numbers("weights", half.data)
    return matrix.shape[0], np.column_stack((half.row, half.col)).astype(np.int64), weights


def _from_dimacs(source: Path, lines: list[str]) -> tuple[int, Index, Floats]:
    """Turn ``p edge n m`` and ``e i j`` into what rudy writes, and read that line by line."""
    n = m = 0
    plain: list[str] = []
    seen: set[tuple[str, ...]] = set()
    for number, line in enumerate(lines, start=1):
        words = _words(line)
        if words and words[0] == "p":
            sizes = [parse_whole(word) for word in words[2:]]
            if n or len(words) != 4 or words[1] not in ("edge", "col") or None in sizes:
                raise ValueError(f"{source}, line {number}: expected one 'p edge n m', found {show(line)}")
            n, m = (size for size in sizes if size is not None)
            if not 1 <= n <= MOST_UNUSED + 2 * len(lines) or m < 0:
                raise ValueError(f"{source}, line {number}: no file of this length is {show(line.strip())}")
            words = []
        elif words and words[0] != "e":
            raise ValueError(f"{source}, line {number}: expected 'e i j', found {show(line.strip())}")
        i_j, back = tuple(words[1:]), (*reversed(words[1:3]), *words[3:])
        plain.append("" if back in seen and i_j not in seen else " ".join(i_j))
        seen.add(i_j)
    edges, weights = _line_by_line(source, plain, 0, n, sum(map(bool, plain)))
    if m not in (len(edges), sum(line.lstrip().startswith("e") for line in lines)):
        raise ValueError(f"{source}: {len(edges)} edges, but the header promises {m}")
    return n, edges - 1, weights


def _words(line: str) -> list[str]:
    """Split a line, less its comment."""
    words = line.partition("#")[0].split()
    return [] if words and words[0].startswith("c") else words


def _header(source: Path, lines: list[str]) -> tuple[int, int, int]:
    """Find the header: how many lines there are up to it, and the numbers of vertices and edges it gives."""
    for count, line in enumerate(lines, start=1):
        if not (words := _words(line)):
            continue
        n, m = map(parse_whole, words) if len(words) == 2 else (None, None)
        if n is None or m is None or not 1 <= n < 2**31 or m < 0:
            raise ValueError(
                f"{source}, line {count}: expected the header 'n m', the numbers of vertices (1 to "
                f"2**31 - 1) and edges, found {show(line.strip())}"
            )
        if n > MOST_UNUSED + 2 * (len(lines) - count):
            raise ValueError(
                f"{source}, line {count}: the header promises {n} vertices, but the file has lines for at "
                f"most {len(lines) - count} edges; leave out vertices without edges"
            )
        return count, n, m
    raise ValueError(f"{source}, line {len(lines) + 1}: the file is empty, expected the header 'n m'")


def _in_bulk(body: list[str], n: int, m: int) -> Floats | None:
    """Read the rows (i, j, weight) of a file that is plain and without faults; None for any other."""
    if m == 0 or not body or not _words(body[0]):  # loadtxt warns where it finds nothing
        return None
    try:
        table = np.loadtxt(body, dtype=np.float64, comments="#", ndmin=2)
    except ValueError:
        return None
    if table.shape == (m, 2):
        table = np.column_stack((table, np.ones(m)))
    if table.shape != (m, 3) or not np.isfinite(table).all():
        return None
    if abs(table[:, 2]).sum() >= EXACT:
        return None  # whole numbers must not be rounded
    ends = table[:, :2]
    if (ends < 1).any() or (ends > n).any() or (ends != np.floor(ends)).any():
        return None
    low, high = ends.min(axis=1), ends.max(axis=1)
    pairs = np.sort(low.astype(np.int64) * (n + 1) + high.astype(np.int64))
    if (low == high).any() or (pairs[1:] == pairs[:-1]).any():
        return None
    return table


def _line_by_line(source: Path, body: list[str], header: int, n: int, m: int) -> tuple[Index, Floats]:
    """Read the edges and their weights, and name the line of the first fault.

    Raises
    ------
    ValueError
        At the first fault.
    """
    edges: list[tuple[int, int]] = []
    weights: list[int | float] = []
    seen: dict[tuple[int, int], int] = {}
    for number, line in enumerate(body, start=header + 1):
        if not (words := _words(line)):
            continue
        try:
            if len(edges) == m:
                raise ValueError(f"an edge more than the {m} which the header promises")
            i, j, weight = _edge(words, n)
            first = seen.setdefault((min(i, j), max(i, j)), number)
            if first != number:
                raise ValueError(
                    f"the edge {i} {j} was given on line {first} already; keep one line with the sum"
                )
        except ValueError as fault:
            raise ValueError(f"{source}, line {number}: {fault}") from None
        edges.append((i, j))
        weights.append(weight)
    if len(edges) < m:
        raise ValueError(
            f"{source}, line {header + len(body)}: the file ends after {len(edges)} of the {m} edges which "
            "the header promises"
        )
    numbers, whole = read_numbers("weights", weights)
    if whole:
        try:
            check_whole_sum("the edges' weights", numbers)
        except ValueError as fault:
            raise ValueError(f"{source}, line {header + len(body)}: {fault}") from None
    return np.array(edges, dtype=np.int64).reshape(m, 2), numbers


def _edge(words: list[str], n: int) -> tuple[int, int, int | float]:
    """Read one line.

    Raises
    ------
    ValueError
        If it is no edge.
    """
    if len(words) not in (2, 3):
        raise ValueError(f"expected 'i j weight' or 'i j', found {show(' '.join(words))}")
    i, j, weight = map(parse_number, [*words, "1"][:3])
    for vertex, word in zip((i, j), words, strict=False):
        if not (1 <= vertex <= n and vertex == int(vertex)):
            raise ValueError(f"{cut(word)} is not a vertex; they count from 1 to {n}")
    if i == j:
        raise ValueError(
            f"the edge {cut(words[0])} {cut(words[1])} is a self-loop; it can never be cut, remove the line"
        )
    if not math.isfinite(weight):
        raise ValueError(f"the weight {cut(words[2])} is not finite")
    return int(i), int(j), weight
