"""AK-MCS after its paper, on this package's Gaussian process: what the field would compare with.

A Monte Carlo population is classified by the sign of a surrogate's mean; where U = |mean|/deviation is least
the truth is asked next, until U is 2 everywhere: the surrogate's share of the population is then the answer,
and its binomial error the interval. What the surrogate is wrong by is no part of that.

References
----------
Echard, Gayton & Lemaire (2011), "AK-MCS: an active learning reliability method combining Kriging and Monte
Carlo simulation", Structural Safety 33.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from cem.rare_events.surrogate.model import Surrogate
from cem.rare_events.working_space import resolve_inputs
from problems.rare_event import RareEventProblem

POPULATION = 100_000  # at 1e-4 its own cv is 30 %, which is in its interval; the paper enlarges it to 5 %
START = 12  # of the population, at random (Section 3.1 of the paper)
ENOUGH = 2.0  # U from which a wrong sign has a chance of 2.3 %
SWEEP, NEAR = 10, 4.0  # the whole population is predicted anew after so many; between, where U was below


FEW = 60  # evaluations up to which hyperparameters are sought anew after each


class Answer(NamedTuple):
    """What a budget buys: evaluations, probability, its binomial error, whether U is 2 everywhere."""

    calls: int
    probability: float
    error: float
    done: bool


def ak_mcs(problem: RareEventProblem, seed: int, budgets: Sequence[int]) -> dict[int, Answer]:
    """Estimate once, and return what each budget had bought on the way."""
    answers: dict[int, Answer] = {}
    for answer in _path(problem, seed, max(budgets)):
        for budget in sorted(set(budgets) - set(answers)):
            if answer.done or answer.calls == budget:
                answers[budget] = answer
    return answers


def _path(problem: RareEventProblem, seed: int, most: int) -> Iterator[Answer]:
    source, rng = resolve_inputs(problem.inputs), np.random.default_rng(seed)
    sign = 1.0 if problem.tail == "upper" else -1.0

    def truth(rows: np.ndarray) -> np.ndarray:
        return sign * np.asarray(problem.performance(source.present(rows)), dtype=np.float64)

    u = rng.standard_normal((POPULATION, source.space.dimension))
    known = rng.choice(POPULATION, START, replace=False)
    surrogate = Surrogate(sign * problem.level, u[known], truth(u[known]))
    asked = np.zeros(POPULATION, dtype=bool)
    asked[known] = True
    inside, distance = np.empty(POPULATION, dtype=bool), np.empty(POPULATION)

    def look(at: np.ndarray) -> None:
        mean, deviation = surrogate.predict(u[at])
        inside[at], distance[at] = mean >= 0, np.where(asked[at], np.inf, np.abs(mean) / deviation)

    for calls in range(START, most + 1):
        whole = (calls - START) % SWEEP == 0
        look(np.arange(POPULATION) if whole else np.flatnonzero(distance < NEAR))
        if distance.min() >= ENOUGH and not whole:
            look(np.arange(POPULATION))
        p = float(inside.mean())
        done = bool(distance.min() >= ENOUGH)
        yield Answer(calls, p, float(np.sqrt(p * (1 - p) / POPULATION)), done)
        if done:
            return
        best = int(distance.argmin())
        asked[best] = True
        surrogate.add(u[best : best + 1], truth(u[best : best + 1]))
        if calls < FEW or calls % SWEEP == 0:
            surrogate.fit(choose=calls % SWEEP == 0)
