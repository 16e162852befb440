"""Reading formulas from DIMACS files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from problems.reading import MOST_UNUSED, cut, parse_number, parse_whole, read_lines, show

HARD = "h"


class _Header(NamedTuple):
    n: int | None  # None: not told
    m: int | None
    weighted: bool
    top: float = math.inf  # clauses of this weight or more must hold


def read_formula(source: Path) -> tuple[int, list[list[int]], list[int | float], list[bool]]:
    """Read a formula; see `MaxSAT.from_file` for the formats.

    Returns
    -------
    n : int
        The number of variables.
    clauses : list of lists of int
    weights : list of m numbers
        Whole ones as int; 1 for clauses that must hold.
    hard : list of m bools
        Which clauses must hold.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no formula; the message names the file and the line.
    """
    lines = read_lines(source)
    words = _words(lines)
    header, rest = _header(source, words, len(lines))
    clauses: list[list[int]] = []
    weights: list[int | float] = []
    number = len(lines)
    clause: list[int] | None = None
    for number, word in rest:
        try:
            if clause is None:
                if header.m is not None and len(clauses) == header.m:
                    raise ValueError(f"a clause more than the {header.m} which the header promises")
                clause = []
                weights.append(_weight(word, header) if header.weighted else 1)
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
    literals = sum(len(clause) for clause in clauses)
    n = header.n or max((abs(literal) for clause in clauses for literal in clause), default=0)
    if n == 0:
        raise ValueError(f"{source}, line {len(lines)}: no clause has a variable")
    if n > MOST_UNUSED + literals:
        raise ValueError(
            f"{source}, line 1: {n} variables are too many for a file of {literals} literals; number those "
            "that clauses have"
        )
    hard = [weight >= header.top for weight in weights]
    return n, clauses, [1 if must else weight for weight, must in zip(weights, hard, strict=True)], hard


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
        numbers = [whole for each in found[2:] if (whole := parse_whole(each)) is not None]
        kind = found[1] if len(found) > 1 else ""
        most = {"cnf": 2, "wcnf": 3}.get(kind, 0)
        if (
            len(numbers) == len(found) - 2
            and 2 <= len(numbers) <= most
            and numbers[0] >= 1
            and min(numbers) >= 0
        ):
            top = numbers[2] if len(numbers) == 3 else math.inf
            return _Header(numbers[0], numbers[1], kind == "wcnf", top), _chain(begun, follow)
        word = " ".join(found)
    elif source.name.removesuffix(".gz").endswith(".wcnf") and word:
        return _Header(None, None, True), _chain([(number, word)], follow)
    raise ValueError(
        f"{source}, line {number}: expected the header 'p cnf n m' or 'p wcnf n m top' with n of 1 or more, "
        f"found {show(word)}"
    )


def _chain(first: list[tuple[int, str]], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield from first
    yield from rest


def _weight(word: str, header: _Header) -> int | float:
    """Read the weight of a clause; infinity for one that must hold."""
    if word == HARD and header.n is None:
        return math.inf
    whole = parse_whole(word)
    if whole is not None and whole >= header.top:
        return math.inf
    try:
        weight = parse_number(word)
    except ValueError as fault:
        raise ValueError(str(fault).replace("a number", "a weight")) from None
    if not 0 < weight < math.inf:
        raise ValueError(f"the weight {cut(word)} must be positive and finite")
    return weight


def _literal(word: str, n: int | None) -> int:
    literal = parse_whole(word)
    if literal is None or abs(literal) >= 2**31:
        raise ValueError(f"{show(word)} is not a literal")
    if n is not None and abs(literal) > n:
        raise ValueError(f"the literal {literal} is out of range; the header promises {n} variables")
    return literal
