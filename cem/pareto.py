"""The shape of the tail of importance weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pareto_shape(log_weights: NDArray[np.float64]) -> float:
    """Fit a generalised Pareto distribution to the largest weights and give its shape k.

    The mean of weights with k above .7 is not to be trusted. Infinite with too few weights to tell, minus
    infinite where the largest are all the same.

    References
    ----------
    Zhang & Stephens (2009), "A new and efficient estimation method for the generalized Pareto distribution",
    Technometrics 51; Vehtari, Simpson, Gelman, Yao & Gabry (2024), "Pareto smoothed importance sampling",
    Journal of Machine Learning Research 25.
    """
    finite = np.sort(log_weights[np.isfinite(log_weights)])
    m = int(min(0.2 * finite.size, 3 * np.sqrt(finite.size)))
    if m < 5:
        return np.inf
    w = np.exp(finite - finite[-1])
    excess = w[-m:] - w[-m - 1]
    if excess[-1] <= 1e-9:
        return -np.inf
    excess = np.maximum(excess, 1e-12 * excess[-1])
    grid = np.arange(1, 31 + int(np.sqrt(m)))
    quarter = excess[int(m / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(len(grid) / (grid - 0.5))) / (3 * quarter)
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = m * (np.log(-theta / shape) - shape - 1)
    profile = np.where(np.isfinite(profile), profile, -np.inf)
    weight = np.exp(profile - profile.max())
    best = float((theta * weight).sum() / weight.sum())
    k = float(np.log1p(-best * excess).mean())
    return (m * k + 5) / (m + 10)
