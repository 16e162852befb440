"""The local stage from a start: a guard, a first descent, the separability test, then the fitting method."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request
from cem.families.base import Floats
from cem.local_search.coordinate_search import coordinate_search
from cem.local_search.noise_level import NoiseLevel, from_bits
from cem.local_search.quasi_newton import BoxQuasiNewton, LocalResult
from cem.local_search.requests import values_at
from cem.local_search.separability import is_separable

EVALUATIONS_PER_VARIABLE = 300  # more changes nothing on BBOB (scripts/benchmarks/continuous/compare.py)
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
    fx, again = (yield from values_at(np.stack([x, x]))).tolist()
    if fx != again or not np.isfinite(fx):
        return Polished(None, noisy=bool(np.isfinite(fx) and np.isfinite(again)))
    noise = from_bits(np.array([fx]))
    noise = replace(noise, absolute=max(noise.absolute, _NOTHING * abs(fx)))
    budget = EVALUATIONS_PER_VARIABLE * x.size
    method = BoxQuasiNewton(domain, span, budget, noise, at_once)
    first = yield from method.first_descent(x, fx)
    if not first.value < fx:
        return Polished(noise)
    if (yield from is_separable(x, fx, first.x, first.value, noise, rng)):
        found = yield from coordinate_search(domain, span, first.x, first.value, budget, noise)
        local = yield from method.run(found.x, found.value)
    else:
        local = yield from method.run(x, fx, first)
    return Polished(noise, local, fx - local.value)
