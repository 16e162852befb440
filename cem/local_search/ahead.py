"""Searching a path where many points may be evaluated at once: several steps, and the gradient at each.

What is evaluated about the points that are not taken is lost; an iteration takes a single round.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request
from cem.families.base import Floats, Mask
from cem.local_search.curvature import Curvature
from cem.local_search.differences import Differences
from cem.local_search.line_search import Found, search
from cem.local_search.requests import values_at

STEPS = (1.0, 0.3, 3.0, 0.1, 10.0, 0.03)  # of Newton's: in this order, as many as there is room for
_WITNESSES = 3  # shorter steps that lead down too: by noise alone once in eight times
SHORTER = 8  # lengths at least, each .3 of the one before: fewer are tried one by one


def search_ahead(
    domain: Domain,
    x: Floats,
    fx: float,
    step: Floats,
    slope: float,
    noise: float,
    model: Curvature,
    free: Mask,
    central: bool,
    at_once: int,
) -> Generator[Request, Batch, tuple[Found, Floats | None]]:
    """Evaluate steps of several lengths with their gradients, in one round if they fit into `at_once` rows.

    Parameters
    ----------
    domain : Domain
    x, fx : ndarray of shape (d,), float
        The point and its value.
    step : ndarray, shape (d,)
    slope : float
        Of the value along it, negative.
    noise : float
        Of the values.
    model : Curvature
    free : ndarray of bool, shape (d,)
        Coordinates that differences are taken along.
    central : bool
        Whether these are central.
    at_once : int

    Returns
    -------
    Found
        Where none of the steps leads down, what `search_shorter` finds, or `line_search.search` one by one.
    ndarray of shape (d,), or None
        The gradient at the point found, where it is known.
    """
    rows = (2 if central else 1) * int(free.sum()) + 1
    lengths = STEPS[: max(1, at_once // rows)]
    trials = domain.project(x + np.multiply.outer(lengths, step))
    beside = [Differences.along(domain, trial, model, free, noise, central) for trial in trials]
    values = yield from values_at(np.concatenate([trials, *(each.rows() for each in beside)]))
    at_trials, others = np.split(values, [len(trials)])
    best = int(np.argmin(at_trials))
    if not at_trials[best] < fx:
        shorter = 0.3 * min(lengths)
        if at_once < SHORTER:
            found = yield from search(domain, x, fx, shorter * step, shorter * slope, noise)
        else:
            found = yield from search_shorter(domain, x, fx, shorter * step, shorter * slope, noise, at_once)
        return found._replace(evaluations=found.evaluations + values.size), None
    value = float(at_trials[best])
    about = np.split(others, np.cumsum([each.axes.size for each in beside])[:-1])[best]
    return Found(trials[best], value, values.size, np.nan), beside[best].gradient(about, value)


def search_shorter(
    domain: Domain, x: Floats, fx: float, step: Floats, slope: float, noise: float, count: int
) -> Generator[Request, Batch, Found]:
    """Evaluate a step and ever shorter ones in one round; find the best, or `x` where none is better.

    A step counts where all shorter ones, three at least, lead down too: else it is noise that looks better.
    """
    lengths = 0.3 ** np.arange(count)
    trials = domain.project(x + np.multiply.outer(lengths, step))
    values = yield from values_at(trials)
    down = (values < fx) | (-slope * lengths < noise)
    down = np.logical_and.accumulate(down[::-1])[::-1]
    believed = np.where(down, values, np.inf)[:-_WITNESSES]
    best = int(np.argmin(believed))
    if not believed[best] < fx:
        return Found(x, fx, values.size, np.nan)
    return Found(trials[best], float(values[best]), values.size, np.nan)
