"""Path adaptation of independent coordinates: O(d) per candidate.

Ros & Hansen (2008), "A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity", PPSN X.
Equation numbers are those of Hansen's tutorial (arXiv:1604.00772), Appendix A, read coordinate by coordinate.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from cem.core.loop import State
from cem.families.gaussian import Gaussian, GaussianLike
from cem.updates.recombination import LEAST_SQUARE, Ranked, Rates, is_settled, resize


def begin(start: GaussianLike) -> State:
    """Split the standard deviations into the size σ, their geometric mean, and variances about it."""
    sigma = float(np.exp(np.mean(np.log(start.std))))
    memory = {
        "sigma": np.array(sigma),
        "variances": (start.std / sigma) ** 2,
        "path_sigma": np.zeros(start.mean.size),
        "path_c": np.zeros(start.mean.size),
    }
    return State(Gaussian(start.mean, std=start.std), memory=memory)


def move(state: State, ranked: Ranked, r: Rates) -> tuple[Gaussian, dict[str, Any]]:
    """Refit mean, variances and size."""
    memory = state.memory
    mean = state.family.mean  # type: ignore[attr-defined]
    d, mu = mean.size, ranked.parents
    sigma, variances = float(memory["sigma"]), memory["variances"]

    y = ranked.x - mean  # (39), times sigma
    step = (ranked.weights[:mu] @ y[:mu]) / sigma  # (41)
    new_mean = mean + sigma * step  # (42), with c_m = 1

    path_sigma = (1 - r.c_sigma) * memory["path_sigma"]
    path_sigma += r.gain_sigma * step / np.sqrt(variances)  # (43)
    length = sqrt(path_sigma @ path_sigma)
    h = is_settled(length, state.iteration + 1, d, r)
    path_c = (1 - r.c_c) * memory["path_c"]
    path_c += h * r.gain_c * step  # (45)

    np.square(y, out=y)
    w = np.array(ranked.weights)
    w[mu:] *= d / np.maximum((y[mu:] @ (1 / variances)) / sigma**2, LEAST_SQUARE)  # (46)
    lost = (1 - h) * r.c_c * (2 - r.c_c)
    keep = 1 + r.c_1 * lost - r.c_1 - r.c_mu * ranked.total
    variances = np.maximum(
        keep * variances + r.c_1 * path_c**2 + r.c_mu / sigma**2 * (w @ y), LEAST_SQUARE
    )  # (47)
    sigma = resize(sigma, (r.c_sigma / r.d_sigma) * (length / r.length - 1))  # (44)
    return Gaussian.owning(mean=new_mean, std=sigma * np.sqrt(variances)), {
        "sigma": np.array(sigma),
        "variances": variances,
        "path_sigma": path_sigma,
        "path_c": path_c,
    }
