"""Sparse matrices in MatrixMarket's format."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

BANNER = "%%MatrixMarket"


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
        If it is no such matrix; the message names the file.
    """
    from scipy.io import mmread
    from scipy.sparse import coo_array

    words = lines[0].lower().split() if lines else []
    if len(words) != 5 or words[1] != "matrix" or words[3] not in ("real", "integer", "pattern"):
        said = " ".join(lines[:1])[:80]
        raise ValueError(
            f"{source}, line 1: expected '{BANNER} matrix coordinate real symmetric' or its like (integer, "
            f"pattern, general, array), found {said!r}"
        )
    if words[4] not in ("general", "symmetric"):
        raise ValueError(f"{source}, line 1: a matrix must be general or symmetric, not {words[4]}")
    try:
        matrix: Any = coo_array(mmread(BytesIO("\n".join(lines).encode())))
    except (ValueError, OverflowError, IndexError, MemoryError) as fault:
        raise ValueError(f"{source}: {fault}") from None
    if matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"{source}: expected a square matrix, found {matrix.shape[0]} by {matrix.shape[1]}")
    return matrix, words[4]
