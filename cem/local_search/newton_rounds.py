"""Newton's method where many rows may be evaluated at once: gradient and Hessian at every trial of a step.

In few variables they take no more rows than may be evaluated together. Whichever trial is taken, the next
step is then known, and an iteration takes a single round.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from cem.core.loop import Batch, Request, Step
from cem.families.base import Floats
from cem.local_search.ahead import SHORTER, STEPS, search_shorter
from cem.local_search.curvature import DenseCurvature
from cem.local_search.differences import SecondDifferences, hessian, hessian_evaluations
from cem.local_search.quasi_newton import BoxQuasiNewton
from cem.local_search.requests import values_at


@dataclass(frozen=True, eq=False)
class Reached:
    """Where Newton's method came to, with what it knows there; the gradient is None where it is not known.

    `decrease` is what the last iteration gained.
    """

    x: Floats
    value: float
    gradient: Floats | None
    model: DenseCurvature
    decrease: float
    evaluations: int


def newton_rounds(
    method: BoxQuasiNewton, x: Floats, fx: float, g: Floats, model: DenseCurvature
) -> Generator[Request, Batch, Reached]:
    """Iterate until the promised decrease drowns in the noise, no trial is better, or the budget ends.

    Parameters
    ----------
    method : BoxQuasiNewton
        The box, the noise, the budget, and how many rows are best evaluated together.
    x, fx, g : ndarray of shape (d,), float, ndarray of shape (d,)
        Start, its value and the gradient there.
    model : DenseCurvature
        The Hessian there, eigenvalues by their absolute values.
    """
    domain, noise, at_once = method.domain, method.noise, method.at_once
    spent, decrease = 0, 0.0
    while spent < method.budget:
        free, level = method.free(x, g), noise.at(fx)
        step = model.newton_step(g, free)
        slope = float(g @ step)
        if not -slope >= x.size * level:
            break
        price = hessian_evaluations(int(free.sum()))
        whole = max(1, at_once // (1 + price))
        lengths = STEPS[: max(whole, at_once - whole * price)]
        trials = domain.project(x + np.multiply.outer(lengths, step))
        beside = [SecondDifferences.along(domain, trial, model, free, level) for trial in trials[:whole]]
        rows = [np.empty((0, x.size)) if each is None else each.rows() for each in beside]
        values = yield from values_at(np.concatenate([trials, *rows]))
        at_trials, *about = np.split(values, np.cumsum([len(trials), *map(len, rows)])[:-1])
        best, before, learned = int(np.argmin(at_trials)), fx, None
        spent += values.size
        if at_trials[best] < fx:
            x, fx = trials[best], float(at_trials[best])
            if best < whole and (there := beside[best]) is not None:
                learned = there.learned(about[best], fx)
        else:
            least = 0.3 * min(lengths)
            shorter = yield from search_shorter(domain, x, fx, least * step, least * slope, level, SHORTER)
            spent += shorter.evaluations
            if not shorter.value < fx:
                break
            x, fx = shorter.x, shorter.value
        decrease = before - fx
        yield Step(None, "quasi-Newton")
        if learned is None:
            learned = yield from hessian(domain, x, fx, model, free, noise.at(fx))
            spent += price
            if learned is None:
                return Reached(x, fx, None, model, decrease, spent)
        g, model = learned
    return Reached(x, fx, g, model, decrease, spent)
