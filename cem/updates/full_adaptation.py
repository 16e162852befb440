"""Path adaptation of a full covariance: O(d²) per candidate.

Equation numbers are those of Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv:1604.00772), Appendix A.
In cross-entropy terms: rank weights refit the Gaussian by weighted maximum likelihood about the *old* mean,
which raises the likelihood of the steps taken rather than of the points reached; a path adds the direction on
which successive refits agree, and another path's length sets the size.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np

from cem.core.loop import State
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gaussian import GaussianLike
from cem.updates.recombination import LEAST_SQUARE, Ranked, Rates, is_settled, resize


def begin(start: GaussianLike) -> State:
    """Split the covariance into the size σ, the geometric mean of its axes, and a shape of determinant 1."""
    family = FactoredGaussian.of(start)
    covariance = family.factor @ family.factor.T
    values, basis = np.linalg.eigh(covariance)
    axes = np.sqrt(np.maximum(values, 1e-14 * values[-1]))
    sigma = float(np.exp(np.mean(np.log(axes))))
    memory = {
        "sigma": np.array(sigma),
        "shape": covariance / sigma**2,
        "basis": basis,
        "axes": axes / sigma,
        "log_axes": np.array(np.log(axes / sigma).sum()),
        "path_sigma": np.zeros(axes.size),
        "path_c": np.zeros(axes.size),
        "stale": np.array(0),
    }
    return State(family, memory=memory)


def move(state: State, ranked: Ranked, r: Rates) -> tuple[FactoredGaussian, dict[str, Any]]:
    """Refit mean, covariance and size."""
    memory = state.memory
    mean = state.family.mean  # type: ignore[attr-defined]
    d, mu = mean.size, ranked.parents
    sigma, shape = float(memory["sigma"]), memory["shape"]
    basis, axes, log_axes = memory["basis"], memory["axes"], memory["log_axes"]

    y = ranked.x - mean
    y /= sigma  # (39)
    step = ranked.weights[:mu] @ y[:mu]  # (41)
    new_mean = mean + sigma * step  # (42), with c_m = 1

    path_sigma = (1 - r.c_sigma) * memory["path_sigma"]
    whitened_step = basis @ ((step @ basis) / axes)
    path_sigma += r.gain_sigma * whitened_step  # (43)
    length = sqrt(path_sigma @ path_sigma)
    h = is_settled(length, state.iteration + 1, d, r)
    path_c = (1 - r.c_c) * memory["path_c"]
    path_c += h * r.gain_c * step  # (45)

    w = ranked.weights.copy()
    whitened = y[mu:] @ basis
    whitened /= axes
    w[mu:] *= d / np.maximum(np.einsum("ij,ij->i", whitened, whitened), LEAST_SQUARE)  # (46)
    lost = (1 - h) * r.c_c * (2 - r.c_c)
    keep = 1 + r.c_1 * lost - r.c_1 - r.c_mu * ranked.total
    shape = keep * shape + np.multiply.outer(r.c_1 * path_c, path_c) + (y.T * (r.c_mu * w)) @ y  # (47)
    sigma = resize(sigma, (r.c_sigma / r.d_sigma) * (length / r.length - 1))  # (44)

    stale = int(memory["stale"]) + 1
    if stale >= 1 / (10 * d * (r.c_1 + r.c_mu)):  # Appendix B.2: factorise when it has changed enough
        stale = 0
        values, basis = np.linalg.eigh(shape)  # looks at one triangle
        axes = np.sqrt(np.maximum(values, 1e-14 * values[-1]))
        log_axes = np.array(np.log(axes).sum())
    volume = d * log(sigma) + float(log_axes)
    moved = FactoredGaussian.owning(mean=new_mean, factor=basis * (sigma * axes), log_volume=volume)
    return moved, {
        "sigma": np.array(sigma),
        "shape": shape,
        "basis": basis,
        "axes": axes,
        "log_axes": log_axes,
        "path_sigma": path_sigma,
        "path_c": path_c,
        "stale": np.array(stale),
    }
