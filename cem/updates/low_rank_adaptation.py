"""Path adaptation with a few vectors in place of a matrix: O(d ln d) per candidate.

Line numbers are those of Algorithm 1 in Loshchilov, Glasmachers & Beyer (2019), "Large Scale Black-Box
Optimization by Limited-Memory Matrix Adaptation", IEEE TEVC 23 (arXiv:1705.06693). The vectors are paths on
time scales each four times as slow as the one before; the shape is the product of the rank-one stretches
``(1 - c_i) I + c_i m_i m_i'``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cem.core.loop import State
from cem.families.gaussian import GaussianLike
from cem.families.low_rank_gaussian import LowRankGaussian
from cem.updates.recombination import LEAST_SQUARE, Ranked, Rates, resize, smallest_population


def begin(start: GaussianLike) -> State:
    """Begin with the start's scales and, where it has them, its directions as paths."""
    d = start.dimension
    k = smallest_population(d)
    family = LowRankGaussian.of(start)
    c_d = _stretch_rates(k, d)
    paths = np.zeros((k, d))
    scales = family.std
    if len(family.stretches) == k:
        paths[:] = family.vectors * np.sqrt(np.maximum(family.stretches, 0) * (1 - c_d) / c_d)[:, None]
        scales = scales / float(np.prod(1 - c_d))
    sigma = float(np.exp(np.mean(np.log(scales))))
    memory = {
        "sigma": np.array(sigma),
        "scales": scales / sigma,
        "path_sigma": np.zeros(d),
        "paths": paths,
    }
    return State(family, memory=memory)


def move(state: State, ranked: Ranked, r: Rates) -> tuple[LowRankGaussian, dict[str, Any]]:
    """Refit mean, directions and size."""
    memory = state.memory
    family: Any = state.family
    n, d = ranked.x.shape
    w, elites = ranked.weights[: ranked.parents], ranked.x[: ranked.parents]
    paths = memory["paths"]
    k = len(paths)
    c_sigma = min(0.5, 2 * n / d)
    c_d = _stretch_rates(k, d)
    c_c = np.minimum(0.9, n / (4.0 ** np.arange(k) * d))

    mean = family.mean + w @ (elites - family.mean)  # line 13
    deviate = w @ family.whiten(elites)
    path_sigma = (1 - c_sigma) * memory["path_sigma"]
    path_sigma += np.sqrt(r.mass * c_sigma * (2 - c_sigma)) * deviate  # line 14
    gains = np.sqrt(r.mass * c_c * (2 - c_c))
    paths = (1 - c_c)[:, None] * paths + gains[:, None] * deviate  # line 16
    change = 0.5 * c_sigma * (float(path_sigma @ path_sigma) / d - 1)
    sigma = resize(float(memory["sigma"]), change)  # line 17

    squares = np.einsum("ij,ij->i", paths, paths)
    shrink = float(np.prod(1 - c_d))  # line 10: the part that all directions share
    moved = LowRankGaussian(
        mean,
        (sigma * shrink) * memory["scales"],
        paths / np.sqrt(np.maximum(squares, LEAST_SQUARE))[:, None],
        c_d / (1 - c_d) * squares,
    )
    return moved, {
        "sigma": np.array(sigma),
        "scales": memory["scales"],
        "path_sigma": path_sigma,
        "paths": paths,
    }


def _stretch_rates(k: int, d: int) -> Any:
    return np.minimum(0.5, 1 / (1.5 ** np.arange(k) * d))
