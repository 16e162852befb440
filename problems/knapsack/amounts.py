"""The numbers of a knapsack problem: checked, and read from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from cem.families.base import Floats


def check_amounts(name: str, values: ArrayLike, dimensions: int) -> Floats:
    """Read an array of finite numbers, 0 or more; it is read-only.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong with them.
    """
    raw = np.asarray(values)
    if raw.ndim != dimensions:
        kinds = ("a number", "a vector", "a matrix")
        raise ValueError(f"{name} must be {kinds[dimensions]}, got shape {raw.shape}")
    if raw.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got {raw.dtype}")
    amounts = raw.astype(np.float64)
    if not np.all(np.isfinite(amounts) & (amounts >= 0)):
        place = np.unravel_index(int(np.argmin(np.isfinite(amounts) & (amounts >= 0))), amounts.shape)
        where = f"{name}[{', '.join(str(k) for k in place)}]" if place else name
        raise ValueError(f"{where} = {amounts[place]} must be finite and not negative")
    amounts.flags.writeable = False
    return amounts


def read_problem(source: Path, number: int) -> tuple[Floats, Floats, Floats, float]:
    """Read the values, weights, capacities and optimum of a problem in a file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no such problem; the message names the file and the line.
    """
    lines = source.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    tokens = [(word, k) for k, line in enumerate(lines, start=1) for word in line.split()]
    place = 0

    def take(count: int, what: str) -> Floats:
        nonlocal place
        words = tokens[place : place + count]
        numbers = np.empty(len(words))
        for k, (word, line) in enumerate(words):
            try:
                numbers[k] = float(word)
            except ValueError:
                raise ValueError(
                    f"{source}, line {line}: {word!r} is not a number; expected {what}"
                ) from None
            if not (np.isfinite(numbers[k]) and numbers[k] >= 0):
                raise ValueError(
                    f"{source}, line {line}: {word} must be finite and not negative; it is {what}"
                )
        if len(words) < count:
            found = f"the file ends after {len(words)} of {count} numbers"
            raise ValueError(f"{source}, line {max(1, len(lines))}: {found}; expected {what}")
        place += count
        return numbers

    def whole(what: str) -> int:
        value = float(take(1, what)[0])
        if value < 1 or not value.is_integer():
            raise ValueError(f"{source}, line {tokens[place - 1][1]}: {value:g} cannot be {what}")
        return int(value)

    count = whole("the number of problems")
    if not 1 <= number <= count:
        raise ValueError(f"{source}, line {tokens[0][1]}: the file has problems 1 to {count}, not {number}")
    for k in range(1, number + 1):
        n, m = whole(f"the number of items of problem {k}"), whole(f"the number of capacities of problem {k}")
        optimum = float(take(1, f"the optimum of problem {k}")[0])
        values = take(n, f"the values of problem {k}")
        weights = take(m * n, f"the weights of problem {k}").reshape(m, n)
        capacities = take(m, f"the capacities of problem {k}")
    return values, weights, capacities, optimum
