"""Moving candidates to where equalities hold, by a quasi-Newton method for systems of equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cem.core.domain import Domain
from cem.families.base import Array, Floats

STEP = 1e-7  # of the spread, for differences: about the root of a rounding
MOST_STEPS = 15  # superlinear convergence takes half of them
RANK = 1e-8  # of the largest singular value: slopes below it are none
MET = 1e-9  # of a residual's first size; and so much of its unit, where it begins at less


def meet(residuals: Callable[[Array], Floats], domain: Domain, x: Array, spread: Floats) -> Floats:
    """Return rows moved to where all residuals are 0, as far as that goes.

    Parameters
    ----------
    residuals : callable
        From rows, shape ``(n, d)``, to ``(n, m)``. The objective is not asked.
    domain : Domain
        Rows stay inside; integer and fixed variables stay as they are.
    x : ndarray, shape (n, d)
    spread : ndarray, shape (d,)
        A typical step of each variable: moves are least in these units.

    References
    ----------
    Broyden (1965), "A class of methods for solving nonlinear simultaneous equations", Mathematics of
    Computation 19.
    """
    free = ~(domain.integer | domain.fixed)
    scale = np.where(free, spread, 0.0)
    return np.array([_met(residuals, domain, row, scale) for row in x])


def _met(residuals: Callable[[Array], Floats], domain: Domain, x: Floats, scale: Floats) -> Floats:
    """Move one row; it stays where it is if the residuals do not fall."""
    columns = np.flatnonzero(scale)
    steps = np.zeros((columns.size, x.size))
    signs = np.where(x[columns] + STEP * scale[columns] > domain.high[columns], -1.0, 1.0)
    steps[np.arange(columns.size), columns] = signs * STEP * scale[columns]
    beside = x + steps
    moved = (beside - x)[np.arange(columns.size), columns] / scale[columns]
    values = residuals(np.concatenate([x[None], beside]))
    if not columns.size or not np.all(np.isfinite(values)) or not np.all(moved):
        return x
    r, slopes = values[0], ((values[1:] - values[0]) / moved[:, None]).T
    best, least = x, float(np.linalg.norm(r))
    enough = MET * min(least, 1.0)
    for _ in range(MOST_STEPS):
        if least <= enough:
            break
        step = np.zeros(x.size)
        step[columns] = -np.linalg.lstsq(slopes, r, rcond=RANK)[0] * scale[columns]
        trial = domain.project(x + step)
        taken = (trial - x)[columns] / scale[columns]
        length = float(taken @ taken)
        after = residuals(trial[None])[0]
        if not length > 0 or not np.all(np.isfinite(after)):
            break
        slopes = slopes + np.outer(after - r - slopes @ taken, taken) / length
        x, r = trial, after
        if (size := float(np.linalg.norm(r))) < least:
            best, least = x, size
    return best
