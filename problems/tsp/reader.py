"""Reading TSPLIB's files: a head of ``KEYWORD: value`` lines, then sections of numbers."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from cem.families.base import Floats
from problems.reading import Words, cut, parse_whole, read_lines, show
from problems.tsp.distances import FUNCTIONS

MOST_CITIES = 20_000  # whose distances take 3.2 GB
_SECTIONS = ("NODE_COORD_SECTION", "EDGE_WEIGHT_SECTION", "DISPLAY_DATA_SECTION")
_KEYWORDS = (
    "NAME", "TYPE", "COMMENT", "DIMENSION", "EDGE_WEIGHT_TYPE", "EDGE_WEIGHT_FORMAT", "NODE_COORD_TYPE",
    "DISPLAY_DATA_TYPE", "EDGE_DATA_FORMAT", "CAPACITY",
)  # fmt: skip
# Where the numbers of a format stand, row by row: an upper triangle by columns is a lower one by rows.
_FORMATS = {
    "UPPER_ROW": (np.triu_indices, 1),
    "LOWER_ROW": (np.tril_indices, -1),
    "UPPER_DIAG_ROW": (np.triu_indices, 0),
    "LOWER_DIAG_ROW": (np.tril_indices, 0),
    "UPPER_COL": (np.tril_indices, -1),
    "LOWER_COL": (np.triu_indices, 1),
    "UPPER_DIAG_COL": (np.tril_indices, 0),
    "LOWER_DIAG_COL": (np.triu_indices, 0),
}


class Instance(NamedTuple):
    """What a file says: its name, the distances, shape (n, n), and the points, shape (n, 2), or None."""

    name: str
    distances: Floats
    points: Floats | None


class _Head(NamedTuple):
    source: str | os.PathLike[str]
    values: dict[str, tuple[str, int]]  # with the lines

    def fault(self, key: str, message: str) -> ValueError:
        line = self.values.get(key, ("", 1))[1]
        return ValueError(f"{self.source}, line {line}: {message}")

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        value = self.values.get(key, ("", 1))[0].upper()
        if value not in among:
            found = show(value) if value else "none"
            raise self.fault(key, f"expected the {key} to be one of {', '.join(among)}; found {found}")
        return value

    def dimension(self) -> int:
        n = parse_whole(self.values.get("DIMENSION", ("", 1))[0])
        if n is None or not 1 <= n <= MOST_CITIES:
            found = cut(self.values.get("DIMENSION", ("none", 1))[0])
            raise self.fault("DIMENSION", f"expected a DIMENSION from 1 to {MOST_CITIES}, found {found}")
        return n


def read_instance(path: str | os.PathLike[str]) -> Instance:
    """Read a symmetric or asymmetric instance.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds none; the message names the file and the line.
    """
    head, sections = _split(path, read_lines(path))
    symmetric = head.choice("TYPE", ("TSP", "ATSP")) == "TSP"
    n = head.dimension()
    weight_type = head.choice("EDGE_WEIGHT_TYPE", ("EXPLICIT", *FUNCTIONS))
    points = _points(sections["NODE_COORD_SECTION"], n) if "NODE_COORD_SECTION" in sections else None
    if weight_type == "EXPLICIT":
        if "EDGE_WEIGHT_SECTION" not in sections:
            raise head.fault("EDGE_WEIGHT_TYPE", "there is no EDGE_WEIGHT_SECTION")
        distances = _explicit(head, sections["EDGE_WEIGHT_SECTION"], n, symmetric)
    elif points is None:
        raise head.fault("EDGE_WEIGHT_TYPE", "there is no NODE_COORD_SECTION")
    else:
        distances = FUNCTIONS[weight_type](points)
    return Instance(head.values.get("NAME", ("", 1))[0], distances, points)


def _split(source: str | os.PathLike[str], lines: list[str]) -> tuple[_Head, dict[str, Words]]:
    """Part a file into its head and the words of its sections."""
    head = _Head(source, {})
    sections: dict[str, Words] = {}
    begin, current = 0, ""
    for number, line in enumerate([*lines, "EOF"], start=1):
        key, _, value = (part.strip() for part in line.partition(":"))
        known = key in _KEYWORDS or key in _SECTIONS or key == "EOF"
        if not known and current and not key[:1].isalpha():
            continue
        if current:
            if current in sections:
                raise ValueError(f"{source}, line {begin}: the {current} was given already")
            sections[current] = Words(source, lines[begin : number - 1], begin + 1)
            current = ""
        if key == "EOF":
            return head, sections
        if key in _SECTIONS:
            begin, current = number, key
        elif key in _KEYWORDS:
            head.values.setdefault(key, (value, number))
        elif key:
            raise ValueError(f"{source}, line {number}: {show(line.strip())} is no keyword of TSPLIB")
    return head, sections


def _points(words: Words, n: int) -> Floats:
    """Read numbered points, in any order."""
    points = np.zeros((n, 2))
    seen: set[int] = set()
    for _ in range(n):
        city = words.count("the number of a city")
        if city > n or city in seen:
            why = "was given already" if city in seen else f"is no city; they count from 1 to {n}"
            raise words.fault(f"{city} {why}")
        seen.add(city)
        points[city - 1] = words.numbers(2, f"the coordinates of city {city}", least=-1e150, most=1e150)
    words.finish(f"{n} cities")
    return points


def _explicit(head: _Head, words: Words, n: int, symmetric: bool) -> Floats:
    """Read a matrix of distances."""
    layout = head.choice("EDGE_WEIGHT_FORMAT", ("FULL_MATRIX", *_FORMATS))
    if layout == "FULL_MATRIX":
        distances = np.array(words.numbers(n * n, "a distance"), dtype=np.float64).reshape(n, n)
    elif not symmetric:
        raise head.fault("EDGE_WEIGHT_FORMAT", f"an ATSP needs a FULL_MATRIX, not {layout}")
    else:
        indices, offset = _FORMATS[layout]
        numbers = words.numbers(n * (n + 1) // 2 if offset == 0 else n * (n - 1) // 2, "a distance")
        distances = np.zeros((n, n))
        places = indices(n, offset)
        distances[places] = numbers
        distances.T[places] = numbers
    words.finish("the distances")
    np.fill_diagonal(distances, 0.0)
    if symmetric and not np.array_equal(distances, distances.T):
        i, j = np.argwhere(distances != distances.T)[0] + 1
        raise head.fault("TYPE", f"the distances from {i} to {j} and back differ: this is an ATSP, not a TSP")
    return distances
