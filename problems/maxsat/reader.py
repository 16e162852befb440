"""Reading formulas from DIMACS files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cem.families.base import Floats

HARD = "h"


class _Header(NamedTuple):
    n: int | None  # None: not told
    m: int | None
    weighted: bool


def read_formula(source: Path) -> tuple[int, list[list[int]], Floats]:
    """Read a formula; see `MaxSAT.from_file` for the formats.

    Returns
    -------
    n : int
        The number of variables.
    clauses : list of lists of int
    weights : ndarray, shape (m,)

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no formula; the message names the file and the line.
    """
    lines = source.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    words = _words(lines)
    header, rest = _header(source, words, len(lines))
    clauses: list[list[int]] = []
    weights: list[float] = []
    number = len(lines)
    clause: list[int] | None = None
    for number, word in rest:
        try:
            if clause is None:
                if header.m is not None and len(clauses) == header.m:
                    raise ValueError(f"a clause more than the {header.m} which the header promises")
                clause = []
                weights.append(_weight(word, header) if header.weighted else 1.0)
                if header.weighted:
                    continue
            literal = _literal(word, header.n)
        except ValueError as fault:
            raise ValueError(f"{source}, line {number}: {fault}") from None
        if literal:
            clause.append(literal)
        else:
            clauses.append(clause)
            clause = None
    if clause is not None:
        raise ValueError(f"{source}, line {number}: the file ends within a clause; each ends with 0")
    if header.m is not None and len(clauses) < header.m:
        promised = f"of the {header.m} clauses which the header promises"
        raise ValueError(f"{source}, line {len(lines)}: the file ends after {len(clauses)} {promised}")
    n = header.n or max((abs(literal) for clause in clauses for literal in clause), default=0)
    if n == 0:
        raise ValueError(f"{source}, line {len(lines)}: no clause has a variable")
    soft = math.fsum(weight for weight in weights if weight < math.inf)
    return n, clauses, np.array([weight if weight < math.inf else soft + 1 for weight in weights])


def _words(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Return the words of a file with their lines, less comments, up to the end or a line ``%``."""
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("c"):
            continue
        if line.strip() == "%":
            return
        for word in line.split():
            yield number, word


def _header(
    source: Path, words: Iterator[tuple[int, str]], last: int
) -> tuple[_Header, Iterator[tuple[int, str]]]:
    """Read the header, where there is one; return it and the words after it.

    Raises
    ------
    ValueError
        If there must be one and there is none.
    """
    number, word = next(words, (max(1, last), ""))
    follow = iter(words)
    if word == "p":
        found = [word]
        begun: list[tuple[int, str]] = []
        for line, each in follow:
            if line != number:
                begun = [(line, each)]
                break
            found.append(each)
        numbers = [int(each) for each in found[2:] if each.isdecimal()]
        kind = found[1] if len(found) > 1 else ""
        most = {"cnf": 2, "wcnf": 3}.get(kind, 0)
        if len(numbers) == len(found) - 2 and 2 <= len(numbers) <= most and numbers[0] >= 1:
            return _Header(numbers[0], numbers[1], kind == "wcnf"), _chain(begun, follow)
        word = " ".join(found)
    elif source.suffix == ".wcnf" and word:
        return _Header(None, None, True), _chain([(number, word)], follow)
    raise ValueError(
        f"{source}, line {number}: expected the header 'p cnf n m' or 'p wcnf n m top' with n of 1 or more, "
        f"found {word!r}"
    )


def _chain(first: list[tuple[int, str]], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield from first
    yield from rest


def _weight(word: str, header: _Header) -> float:
    """Read the weight of a clause; infinity for one that must hold and has no weight."""
    if word == HARD and header.n is None:
        return math.inf
    try:
        weight = float(word)
    except ValueError:
        raise ValueError(f"{word!r} is not a weight") from None
    if not 0 < weight < math.inf:
        raise ValueError(f"the weight {word} must be positive and finite")
    return weight


def _literal(word: str, n: int | None) -> int:
    try:
        literal = int(word)
    except ValueError:
        raise ValueError(f"{word!r} is not a literal") from None
    if n is not None and abs(literal) > n:
        raise ValueError(f"the literal {literal} is out of range; the header promises {n} variables")
    return literal
