"""The numbers of a knapsack problem: checked, and read from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cem.families.base import Floats
from problems.numbers import check_finite, check_finite_sum, check_whole_sum, read_numbers
from problems.reading import Words, read_lines


def check_amounts(name: str, values: Any, dimensions: int) -> Floats:
    """Read an array of finite numbers, 0 or more.

    Raises
    ------
    TypeError, ValueError
        Saying what is wrong with them.
    """
    if np.ndim(values) != dimensions:
        kinds = ("a number", "a vector", "a matrix")
        raise ValueError(f"{name} must be {kinds[dimensions]}, got shape {np.shape(values)}")
    amounts, whole = read_numbers(name, values)
    check_finite(name, amounts, least=0)
    check_finite_sum(name, amounts)
    if whole:
        for row in np.atleast_2d(amounts):  # each capacity is used up by itself
            check_whole_sum(name, row)
    return amounts


def read_problem(source: Path, number: int) -> tuple[list[Any], list[list[Any]], list[Any], float]:
    """Read the values, weights, capacities and optimum of a problem in a file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no such problem; the message names the file and the line.
    """
    words = Words(source, read_lines(source))

    def take(count: int, what: str) -> list[int | float]:
        return words.numbers(count, what, least=0)

    count = words.count("the number of problems")
    if not 1 <= number <= count:
        raise words.fault(f"the file has problems 1 to {count}, not {number}")
    for k in range(1, number + 1):
        n = words.count(f"the number of items of problem {k}")
        m = words.count(f"the number of capacities of problem {k}")
        optimum = float(take(1, f"the optimum of problem {k}")[0])
        values = take(n, f"the values of problem {k}")
        weights = take(m * n, f"the weights of problem {k}")
        capacities = take(m, f"the capacities of problem {k}")
    return values, [weights[k : k + n] for k in range(0, m * n, n)], capacities, optimum
