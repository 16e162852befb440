"""The text format of rudy, Gset and BiqMac: a header ``n m``, then `m` lines ``i j weight``."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import numpy as np

from cem.families.base import Floats, Index
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
    header, n, m = _header(source, lines)
    body = lines[header:]
    table = _in_bulk(body, n, m)
    if table is not None:
        return n, table[:, :2].astype(np.int64) - 1, table[:, 2].copy()
    edges, weights = _line_by_line(source, body, header, n, m)
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


def read_best_known(table: Path) -> dict[str, float]:
    """Read a CSV file with a column ``instance`` and one ``best_known`` or ``optimum``.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or a column is missing or holds no numbers.
    """
    with table.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        columns = rows.fieldnames or []
        value = next((name for name in ("best_known", "optimum") if name in columns), None)
        if value is None or "instance" not in columns:
            raise ValueError(
                f"{table}: expected columns instance and best_known or optimum, found {', '.join(columns)}"
            )
        try:
            return {row["instance"]: float(row[value]) for row in rows}
        except (TypeError, ValueError):
            raise ValueError(f"{table}, line {rows.line_num}: the value is not a number") from None
