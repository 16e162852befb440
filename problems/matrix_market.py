"""Sparse matrices in MatrixMarket's format."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

from problems.reading import LARGEST, cut, parse_number, show

BANNER = "%%MatrixMarket"
_INDEX, _NUMBER = r"[0-9]{1,18}", r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


def read_matrix(source: Path, lines: list[str]) -> tuple[Any, str]:
    """Read a square real matrix from the lines of a file.

    Returns
    -------
    matrix : scipy sparse array, shape (n, n)
        With both halves, where it is symmetric.
    symmetry : {"general", "symmetric"}
        As the file says; a symmetric one gives one half.

    Raises
    ------
    ValueError
        If it is no such matrix; the message names the file and, where one is to blame, the line.
    """
    from scipy.io import mmread
    from scipy.sparse import coo_array

    words = lines[0].lower().split() if lines else []
    kinds = (("matrix",), ("coordinate", "array"), ("real", "integer", "pattern"))
    if len(words) != 5 or any(word not in kind for word, kind in zip(words[1:4], kinds, strict=True)):
        said = " ".join(lines[:1])[:80]
        raise ValueError(
            f"{source}, line 1: expected '{BANNER} matrix coordinate real symmetric' or its like (integer, "
            f"pattern, general, array), found {said!r}"
        )
    if words[4] not in ("general", "symmetric"):
        raise ValueError(f"{source}, line 1: a matrix must be general or symmetric, not {cut(words[4])}")
    _check_body(source, lines, words[2] == "array", words[3] == "pattern", words[4] == "symmetric")
    try:
        matrix: Any = coo_array(mmread(BytesIO("\n".join(lines).encode())))
    except (ValueError, OverflowError, IndexError, MemoryError) as fault:
        raise ValueError(f"{source}: {fault}") from None
    if matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"{source}: expected a square matrix, found {matrix.shape[0]} by {matrix.shape[1]}")
    return matrix, words[4]


def _check_body(source: Path, lines: list[str], array: bool, pattern: bool, symmetric: bool) -> None:
    """Refuse what does not keep to the banner: scipy's reader may crash on it."""
    body = [(k, line) for k, line in enumerate(lines, 1) if line.strip() and not line.startswith("%")]
    if not body:
        raise ValueError(f"{source}: the file ends before the size of the matrix")
    sizes = _numbers(source, *body[0], [_INDEX] * (2 if array else 3), "the size of the matrix")
    entry = [_NUMBER] if array else [_INDEX, _INDEX] if pattern else [_INDEX, _INDEX, _NUMBER]
    for k, line in body[1:]:
        value = _numbers(source, k, line, entry, "an entry of the matrix")[-1]
        try:
            finite = abs(parse_number(value)) <= LARGEST
        except ValueError as fault:
            raise ValueError(f"{source}, line {k}: {fault}") from None
        if not finite:
            raise ValueError(f"{source}, line {k}: {cut(value)} is not finite")
    n, m = (int(size) for size in sizes[:2])
    promised = int(sizes[-1]) if not array else n * (n + 1) // 2 if symmetric else n * m
    if promised != len(body) - 1:
        raise ValueError(f"{source}: expected {promised} entries, found {len(body) - 1}")


def _numbers(source: Path, k: int, line: str, kinds: list[str], what: str) -> list[str]:
    words = line.split()
    if len(words) != len(kinds) or not all(map(re.fullmatch, kinds, words)):
        raise ValueError(f"{source}, line {k}: expected {what}, {len(kinds)} numbers, found {show(line)}")
    return words
