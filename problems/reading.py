"""Instance files: their words with the lines they stand on, exact numbers, and faults that name the line."""

from __future__ import annotations

import csv
import gzip
import math
import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from problems.numbers import EXACT

_GZIP = b"\x1f\x8b"  # how a compressed file begins (RFC 1952)
_WHOLE = re.compile(r"[+-]?[0-9]{1,400}")
LARGEST = sys.float_info.max
_SHOWN = 40  # letters of a word or line, in messages
MOST_UNUSED = 2**24  # vertices or variables that a header may promise beyond what its file can speak of


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """Return the lines of a text file, which gzip may have compressed; what is no UTF-8 is replaced.

    Raises
    ------
    OSError
        If it cannot be read, or was compressed and is damaged.
    """
    content = Path(path).read_bytes()
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
            raise OSError(f"{path}: the file is damaged: {fault}") from None
    return content.decode("utf-8-sig", errors="replace").splitlines()


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put a file's name before what is wrong with its numbers."""
    try:
        yield
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from None


def stem(path: Path) -> str:
    """Return a file's name without its suffix, and without gzip's."""
    return Path(path.name.removesuffix(".gz")).stem


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


def cut(text: str) -> str:
    """Return a word or line for a message, not too long."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def show(text: str) -> str:
    """Return a word or line for a message, in quotes and not too long."""
    return repr(cut(text))


def parse_whole(word: str) -> int | None:
    """Return a whole number, None where the word is none."""
    return int(word) if _WHOLE.fullmatch(word) else None


def parse_number(word: str) -> int | float:
    """Return a number, whole ones as int; such as float64 would round are refused.

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    whole = parse_whole(word)
    if whole is not None:
        if abs(whole) > EXACT and (abs(whole) >= 2**1023 or int(float(whole)) != whole):
            raise ValueError(f"{show(word)} is beyond 2**53 and would be rounded; divide by a common factor")
        return whole
    if "_" not in word:  # Python's own grouping of digits
        with suppress(ValueError):
            return float(word)
    raise ValueError(f"{show(word)} is not a number")


class Words:
    """The words of a file, taken one after another.

    Parameters
    ----------
    source : path-like
        What messages name.
    lines : sequence of str
        The lines that words are taken from.
    first : int
        The number of the first of them.
    """

    def __init__(self, source: str | os.PathLike[str], lines: Sequence[str], first: int = 1) -> None:
        self.source = source
        self._words = [(word, k) for k, line in enumerate(lines, start=first) for word in line.split()]
        self._place = 0
        self._last = max(1, first + len(lines) - 1)

    def fault(self, message: str) -> ValueError:
        """Return the error that says what is wrong with the word taken last."""
        line = self._words[max(0, self._place - 1)][1] if self._words else self._last
        return ValueError(f"{self.source}, line {line}: {message}")

    def left(self) -> int:
        """Return how many words have not been taken."""
        return len(self._words) - self._place

    def numbers(
        self, count: int, what: str, least: float = -LARGEST, most: float = LARGEST
    ) -> list[int | float]:
        """Take `count` finite numbers from `least` to `most`.

        Raises
        ------
        ValueError
            If there are fewer, or one is no such number.
        """
        taken: list[int | float] = []
        for word, _ in self._words[self._place : self._place + count]:
            self._place += 1
            try:
                taken.append(parse_number(word))
            except ValueError as fault:
                raise self.fault(f"{fault}; expected {what}") from None
            if not least <= taken[-1] <= most:
                limit = "finite and not negative" if least == 0 else "finite"
                raise self.fault(f"{cut(word)} must be {limit}; it is {what}")
        if len(taken) < count:
            found = f"the file ends after {len(taken)} of {count} numbers"
            raise ValueError(f"{self.source}, line {self._last}: {found}; expected {what}")
        return taken

    def count(self, what: str, least: int = 1) -> int:
        """Take a whole number of `least` or more.

        Raises
        ------
        ValueError
            If there is none.
        """
        number = self.numbers(1, what)[0]
        if number != math.floor(number) or number < least:
            raise self.fault(f"{number} cannot be {what}")
        return int(number)

    def finish(self, what: str) -> None:
        """Check that all words have been taken.

        Raises
        ------
        ValueError
            If there are more.
        """
        if self.left():
            self._place += 1
            found = show(self._words[self._place - 1][0])
            raise self.fault(f"expected the end of the file after {what}, found {found}")
