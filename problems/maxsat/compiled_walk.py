"""The walk of `problems.maxsat.walk`, one candidate after another, compiled by numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cem.families.base import Floats
from problems.maxsat.formula import Formula
from problems.maxsat.walk import CLAUSES_A_FLIP, OFFSET


def walk(
    formula: Formula, x: NDArray[np.uint8], greed: Floats, steps: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], int]:
    """Do what `problems.maxsat.walk.walk` does; of the flips of a step, each sees those before it."""
    best, flips = x.copy(), 0
    true = formula.true_literals(x)
    equal = bool(np.all(formula.weights == formula.weights[:1]))
    seeds = rng.integers(2**64, size=len(x), dtype=np.uint64)
    for i in range(len(x)):
        flips += _walk_row(
            *formula.clauses, *formula.variables, formula.signs, formula.weights, equal,
            true[i], x[i], best[i], greed[i], steps, seeds[i], OFFSET, CLAUSES_A_FLIP,
        )  # fmt: skip
    return best, flips


@njit(cache=True, nogil=True)
def _uniform(random):  # type: ignore[no-untyped-def]
    """Return the next state of an xorshift generator, and a number from [0, 1)."""
    random ^= random << np.uint64(13)
    random ^= random >> np.uint64(7)
    random ^= random << np.uint64(17)
    return random, float((random * np.uint64(2685821657736338717)) >> np.uint64(11)) / 2.0**53


@njit(cache=True, nogil=True)
def _walk_row(  # type: ignore[no-untyped-def]
    clause_ptr, clause_variables, variable_ptr, variable_clauses, signs, weights, equal,
    true, x, best, greed, steps, seed, offset, clauses_a_flip,
):  # fmt: skip
    """Walk with ``x`` and ``true``, the number of true literals of each clause; write to ``best``."""
    m = len(weights)
    false = np.empty(m, np.int64)  # the clauses that do not hold, in any order
    place = np.full(m, -1, np.int64)  # where each of them is
    count, longest, loss = 0, 1, 0.0
    for c in range(m):
        length = clause_ptr[c + 1] - clause_ptr[c]
        longest = max(longest, length)
        if true[c] == 0 and length > 0:
            false[count], place[c] = c, count
            count += 1
    chances = np.empty(longest)
    random = seed | np.uint64(1)
    least, flips = np.inf, 0
    for step in range(steps + 1):
        loss = 0.0
        for k in range(count):
            loss += weights[false[k]]
        if loss < least:
            least = loss
            best[:] = x
        if count == 0 or step == steps:
            break
        for _ in range((count + clauses_a_flip - 1) // clauses_a_flip):
            if count == 0:
                break
            random, u = _uniform(random)
            k = int(u * count)
            if not equal:
                loss = 0.0
                for i in range(count):
                    loss += weights[false[i]]
                left = u * loss
                k = 0
                while k < count - 1 and left >= weights[false[k]]:
                    left -= weights[false[k]]
                    k += 1
            c = false[k]
            first, last = clause_ptr[c], clause_ptr[c + 1]
            total = 0.0
            for i in range(first, last):
                v = clause_variables[i]
                broken = 0.0
                for e in range(variable_ptr[v], variable_ptr[v + 1]):
                    if true[variable_clauses[e]] == 1 and (signs[e] > 0) == (x[v] == 1):
                        broken += weights[variable_clauses[e]]
                total += (offset + broken / weights[c]) ** -greed
                chances[i - first] = total
            random, u = _uniform(random)
            i = 0
            while i < last - first - 1 and chances[i] <= u * total:
                i += 1
            v = clause_variables[first + i]
            flips += 1
            x[v] ^= 1
            for e in range(variable_ptr[v], variable_ptr[v + 1]):
                c = variable_clauses[e]
                if (signs[e] > 0) == (x[v] == 1):
                    true[c] += 1
                    if true[c] == 1:
                        count -= 1
                        moved = false[count]
                        false[place[c]], place[moved] = moved, place[c]
                        place[c] = -1
                else:
                    true[c] -= 1
                    if true[c] == 0:
                        false[count], place[c] = c, count
                        count += 1
    return flips
