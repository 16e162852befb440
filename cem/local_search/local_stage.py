"""The local stage from a start: a guard, a first descent, the separability test, then the fitting method."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request
from cem.families.base import Floats
from cem.local_search.coordinate_search import coordinate_search
from cem.local_search.curvature import DenseCurvature
from cem.local_search.differences import hessian_evaluations
from cem.local_search.first_round import FirstRound
from cem.local_search.interval_search import interval_search
from cem.local_search.newton_rounds import newton_rounds
from cem.local_search.noise_level import NoiseLevel, from_bits
from cem.local_search.quasi_newton import BoxQuasiNewton, LocalResult
from cem.local_search.requests import values_at
from cem.local_search.separability import is_separable

EVALUATIONS_PER_VARIABLE = 300  # more changes nothing on BBOB (scripts/benchmarks/continuous/compare.py)
_FIRST_ROUNDS = 2  # that the start's Hessian may take, where many rows are evaluated at once
_NOTHING = 1e-22  # of the first value: what is not worth a further step where the least value is 0


@dataclass(frozen=True, eq=False)
class Polished:
    """What the local stage leaves to the sampling runs.

    Attributes
    ----------
    noise : NoiseLevel or None
        None where two values of one point differ (or are not finite): local methods should keep out.
    noisy : bool
        Whether two finite values of one point differ.
    local : LocalResult or None
        None where there was nothing to descend.
    gain : float
        From the start's value to that of `local`.
    """

    noise: NoiseLevel | None
    local: LocalResult | None = None
    gain: float = 0.0
    noisy: bool = False


def local_stage(
    domain: Domain, span: Floats, x: Floats, rng: np.random.Generator, at_once: int = 1
) -> Generator[Request, Batch, Polished]:
    """Minimise from `x`, or find out within a few evaluations that this is not the way.

    Parameters
    ----------
    domain : Domain
    span : ndarray, shape (d,)
        The size of the region to search.
    x : ndarray, shape (d,)
        The start; evaluated twice, which shows a noisy objective.
    rng : numpy.random.Generator
    at_once : int
        Rows that are best evaluated together.
    """
    begun = FirstRound.about(domain, span, x, rng) if at_once > 1 else None
    if begun is not None and len(begun.rows) > _FIRST_ROUNDS * at_once:
        begun = None
    values = yield from values_at(np.stack([x, x]) if begun is None else begun.rows)
    fx, again = values[:2].tolist()
    if fx != again or not np.isfinite(fx):
        return Polished(None, noisy=bool(np.isfinite(fx) and np.isfinite(again)))
    noise = from_bits(np.array([fx]))
    noise = replace(noise, absolute=max(noise.absolute, _NOTHING * abs(fx)))
    budget = EVALUATIONS_PER_VARIABLE * x.size
    method = BoxQuasiNewton(domain, span, budget, noise, at_once)
    known = None if begun is None or noise.relative > NoiseLevel().relative else begun.derivatives(values)
    if begun is not None and known is not None:
        separable, start, value = begun.separable(values, noise), x, fx
    else:
        first = yield from method.first_descent(x, fx)
        if not first.value < fx:
            return Polished(noise)
        separable = yield from is_separable(x, fx, first.x, first.value, noise, rng)
        start, value = first.x, first.value
    if separable:
        if 2 * at_once >= x.size and at_once > 1:
            found = yield from interval_search(domain, span, start, value, budget, noise, at_once)
        else:
            found = yield from coordinate_search(domain, span, start, value, budget, noise)
        local = yield from method.run(found.x, found.value)
    elif known is not None:
        local = yield from _newton(method, x, fx, *known)
    else:
        local = yield from method.run(x, fx, first)
    return Polished(noise, local, fx - local.value)


def _newton(
    method: BoxQuasiNewton, x: Floats, fx: float, g: Floats, model: DenseCurvature
) -> Generator[Request, Batch, LocalResult]:
    """Go on from a gradient and a Hessian: by fresh ones in every round where they fit, then as usual."""
    if 1 + hessian_evaluations(int(np.count_nonzero(~method.domain.fixed))) > method.at_once:
        return (yield from method.run(x, fx, model, g))
    reached = yield from newton_rounds(method, x, fx, g, model)
    local = yield from method.run(reached.x, reached.value, reached.model, reached.gradient)
    spent = local.evaluations + reached.evaluations
    return replace(local, decrease=local.decrease or reached.decrease, evaluations=spent)
