"""Paths of random length: queues that overflow before they are empty, and an insurer's ruin.

References are exact: gambler's ruin, and linear systems for the probability of the event from each state.

References
----------
Glasserman & Kou (1995), "Analysis of an importance sampling estimator for tandem queues", ACM Transactions on
Modeling and Computer Simulation 5; De Boer & Nicola (2002), "Adaptive state-dependent importance sampling
simulation of Markovian queueing networks", European Transactions on Telecommunications 13; Asmussen &
Albrecher (2010), "Ruin Probabilities", World Scientific.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import cem
from cem.families.base import Floats, Index, Mask
from problems.rare_event.problem import RareEventProblem

States = Index

REFERENCES = {
    "M/M/1 overflow": 5.826436930385099e-08,
    "tandem overflow": 5.946118581403451e-07,
    "ruin": 9.287174543815123e-05,
}

JOINS, ROOM = 0.3, 20
"""Probability that the next customer joins rather than leaves, and the level of the single queue."""
RATES, TOTAL = (0.1, 0.45, 0.45), 12
"""Rates of arrivals and of the two servers of the tandem, and its level."""
CLAIM, SIZE, CAPITAL, SAFE = 0.15, 3, 30, 150
"""Probability and size of a claim, first capital, and the capital at which the insurer is safe."""


def gamblers_ruin(up: float, start: int, top: int) -> float:
    """Return the probability that a walk of ±1 reaches `top` from `start` before 0."""
    odds = (1 - up) / up
    return float((odds**start - 1) / (odds**top - 1))


def single_queue() -> cem.MarkovPath:
    """A queue seen at its changes from its first customer; the state is its length and the longest so far."""

    def step(states: States, move: States) -> States:
        length = states[:, 0] + 2 * move - 1
        return np.column_stack([length, np.maximum(states[:, 1], length)])

    def ended(states: States) -> Mask:
        return np.asarray((states[:, 0] == 0) | (states[:, 0] == ROOM))

    return cem.MarkovPath(step, ended, [1, 1], [1 - JOINS, JOINS])


def _moves(a: int, b: int) -> Floats:
    """Probabilities of an arrival, and of service at either node, with these many customers there."""
    rates = np.array([RATES[0], RATES[1] * (a > 0), RATES[2] * (b > 0)])
    return np.asarray(rates / rates.sum())


def tandem_queue() -> cem.MarkovPath:
    """Two queues in a row; the state is their lengths and the largest total so far."""

    def step(states: States, move: States) -> States:
        a = states[:, 0] + (move == 0) - (move == 1)
        b = states[:, 1] + (move == 1) - (move == 2)
        return np.column_stack([a, b, np.maximum(states[:, 2], a + b)])

    def ended(states: States) -> Mask:
        total = states[:, 0] + states[:, 1]
        return np.asarray((total == 0) | (total == TOTAL))

    def node(states: States) -> States:
        total = states[:, 0] + states[:, 1]
        return np.asarray(total * (total + 1) // 2 + states[:, 1])

    table = [_moves(total - b, b) for total in range(TOTAL + 1) for b in range(total + 1)]
    return cem.MarkovPath(step, ended, [1, 0, 1], table, node)


def tandem_overflow() -> float:
    """Solve for the probability that the total reaches its level before 0, from one customer at node 1."""
    inside = [(a, b) for a in range(TOTAL) for b in range(TOTAL - a) if a + b > 0]
    at = {state: i for i, state in enumerate(inside)}
    matrix, right = np.eye(len(inside)), np.zeros(len(inside))
    for (a, b), i in at.items():
        for p, after in zip(_moves(a, b), ((a + 1, b), (a - 1, b + 1), (a, b - 1)), strict=True):
            if sum(after) == TOTAL:
                right[i] += p
            elif p > 0 and after in at:
                matrix[i, at[after]] -= p
    return float(np.linalg.solve(matrix, right)[at[1, 0]])


def insurer() -> cem.MarkovPath:
    """Premium 1 a period, now and then a claim; the state is the capital and the least so far."""

    def step(states: States, claim: States) -> States:
        capital = states[:, 0] + np.where(claim == 1, -SIZE, 1)
        return np.column_stack([capital, np.minimum(states[:, 1], capital)])

    def ended(states: States) -> Mask:
        return np.asarray((states[:, 0] <= 0) | (states[:, 0] >= SAFE))

    return cem.MarkovPath(step, ended, [CAPITAL, CAPITAL], [1 - CLAIM, CLAIM])


def ruin() -> float:
    """Solve for the probability that the capital falls to 0 before the insurer is safe."""
    n = SAFE - 1  # capital 1 … SAFE - 1
    matrix, right = np.eye(n), np.zeros(n)
    for i in range(n):
        if i + 1 < n:
            matrix[i, i + 1] -= 1 - CLAIM
        if i - SIZE >= 0:
            matrix[i, i - SIZE] -= CLAIM
        else:
            right[i] += CLAIM
    return float(np.linalg.solve(matrix, right)[CAPITAL - 1])


def compute() -> dict[str, float]:
    """Compute the references by name."""
    found = (gamblers_ruin(JOINS, 1, ROOM), tandem_overflow(), ruin())
    return dict(zip(REFERENCES, found, strict=True))


def extreme(states: States) -> States:
    """Performance: the largest, or least, that the path has seen: the last entry of its state."""
    return states[:, -1]


def problems() -> list[RareEventProblem]:
    """Return the cases."""
    chains: dict[str, tuple[Callable[[], cem.MarkovPath], float, str, str]] = {
        "M/M/1 overflow": (single_queue, ROOM, "upper", "gambler's ruin"),
        "tandem overflow": (tandem_queue, TOTAL, "upper", "Glasserman & Kou (1995); linear system"),
        "ruin": (insurer, 0, "lower", "skip-free walk; linear system"),
    }
    return [
        RareEventProblem(
            name, extreme, chain(), level, tail, REFERENCES[name], 1e-10 * REFERENCES[name], source
        )
        for name, (chain, level, tail, source) in chains.items()
    ]
