"""Local search for satisfiability: random walks through clauses that do not hold, many at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cem.families.base import Floats, Index
from problems.maxsat.formula import Formula

OFFSET = 0.9
CLAUSES_A_FLIP = 20


def walk(
    formula: Formula, x: NDArray[np.uint8], greed: Floats, steps: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], int]:
    """Walk from each row for a number of steps, or until all clauses hold; return the best seen.

    A step draws a clause that does not hold with probability proportional to its weight, and flips one of
    its variables. Variable `v` is drawn with probability proportional to ``(0.9 + b/w)**-greed``, where `b`
    is the weight of the clauses that hold by `v` alone and would break, and `w` the weight of the clause.
    Where many clauses do not hold, a step does so for one in twenty of them at the same time.

    Parameters
    ----------
    formula : Formula
    x : ndarray of 0 and 1, shape (N, n)
        Where to start; written to.
    greed : ndarray, shape (N,)
        The exponent for each row.
    steps : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of 0 and 1, shape (N, n)
    int
        The number of flips of all rows.

    References
    ----------
    Balint & Schöning (2012), "Choosing probability distributions for stochastic local search and the role
    of make versus break", SAT 2012, LNCS 7317 (the break-only polynomial rule).
    """
    (count, n), m = x.shape, len(formula.weights)
    true = formula.true_literals(x).reshape(-1)
    can_hold = np.tile(np.diff(formula.clauses[0]) > 0, count)
    false = np.flatnonzero((true == 0) & can_hold)  # row * m + clause, in order
    sides = x.reshape(-1)
    best, best_loss, flips = x.copy(), np.full(count, np.inf), 0
    for step in range(steps + 1):
        row, clause = np.divmod(false, m)
        loss = np.bincount(row, formula.weights[clause], minlength=count)
        better = loss < best_loss
        best[better], best_loss[better] = x[better], loss[better]
        if false.size == 0 or step == steps:
            break

        drawn = _draw(formula.weights[clause], row, -(-np.bincount(row) // CLAUSES_A_FLIP), rng)
        row, clause = row[drawn], clause[drawn]
        options, owner = _join(formula.clauses, clause)
        entries, option = _join(formula.variables, options, places=True)
        clauses, of = formula.variables[1][entries], row[owner][option]
        holds_alone = (true[of * m + clauses] == 1) & (
            (formula.signs[entries] > 0) == sides[of * n + options[option]]
        )
        broken = np.bincount(option, formula.weights[clauses] * holds_alone, minlength=len(options))
        chance = (OFFSET + broken / formula.weights[clause][owner]) ** -greed[row[owner]]
        chosen = _draw(chance, owner, np.ones(len(row), dtype=np.int64), rng)

        flipped = np.unique(row[owner[chosen]] * n + options[chosen])
        entries, owner = _join(formula.variables, flipped % n, places=True)
        was_true = (formula.signs[entries] > 0) == sides[flipped][owner]
        where = (flipped // n)[owner] * m + formula.variables[1][entries]
        np.add.at(true, where, np.where(was_true, -1, 1).astype(true.dtype))
        sides[flipped] ^= 1
        flips += len(flipped)
        broken_now = np.unique(where[was_true & (true[where] == 0)])
        false = np.sort(np.concatenate((false[true[false] == 0], broken_now)), kind="stable")
    return best, flips


def _join(lists: tuple[Index, Index], which: Index, places: bool = False) -> tuple[Index, Index]:
    """Join some of the lists; return their entries (or these entries' places), and whose each of them is."""
    first = lists[0][which]
    lengths = lists[0][which + 1] - first
    owner = np.repeat(np.arange(len(which)), lengths)
    before = np.cumsum(lengths) - lengths
    found = np.arange(len(owner)) + (first - before)[owner]
    return (found if places else lists[1][found]), owner


def _draw(weights: Floats, group: Index, counts: Index, rng: np.random.Generator) -> Index:
    """Draw ``counts[g]`` places of each group `g`, with probabilities proportional to their weights.

    Places of a group are next to each other, in order of the groups; a place may be drawn more than once.
    """
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    last = np.append(starts[1:], len(group)) - 1
    heaviest = np.maximum.reduceat(weights, starts)
    sums = np.cumsum(weights / np.repeat(heaviest, last + 1 - starts))
    begins = np.append(0.0, sums[last[:-1]])
    of = np.repeat(np.arange(len(starts)), counts[group[starts]])
    targets = begins[of] + rng.random(len(of)) * (sums[last] - begins)[of]
    places: Index = np.searchsorted(sums, targets, side="right")
    return places.clip(starts[of], last[of])
