"""Credit portfolios: losses under a one-factor normal or t copula.

Obligor i defaults where (a·Z + √(1-a²)·ε_i)·s exceeds its threshold; s is 1 for the normal copula and √(ν/W),
W ~ χ²(ν), for the t copula. Given Z (and W) defaults are independent: the loss has an exact recursion and the
factors a quadrature.

References
----------
Glasserman & Li (2005), "Importance sampling for portfolio credit risk", Management Science 51; Bassamboo,
Juneja & Zeevi (2008), "Portfolio credit risk with extremal dependence", Operations Research 56.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

import cem
from cem.families.base import Floats
from problems.rare_event.problem import RareEventProblem

REFERENCES = {
    "credit 20": 0.0007003784472443236,
    "credit 100": 3.240880314728676e-08,
    "credit 250": 7.480695148179787e-05,
    "t-credit 50": 1.8739427071359273e-05,
    "t-credit 250": 8.744281514570874e-10,
}

NORMAL = {
    "credit 20": (np.full(20, 0.02), np.ones(20), 0.5, 8),
    "credit 100": (
        0.01 * (1 + np.sin(16 * np.pi * np.arange(1, 101) / 100)),
        np.ceil(5 * np.arange(1, 101) / 100) ** 2,
        0.3,
        300,
    ),
    "credit 250": (np.full(250, 0.01), np.ones(250), 0.4, 50),
}
"""Default probabilities, exposures, loading and level."""
T = {"t-credit 50": (50, 12, 0.25, 13), "t-credit 250": (250, 12, 0.25, 63)}
"""Obligors, degrees of freedom, loading and level; unit exposures and thresholds of half a root of n."""


def tail_given(default: Floats, exposures: Floats, level: int) -> Floats:
    """P(loss >= level) for rows of independent default probabilities, (Q, n)."""
    alive = np.zeros((len(default), level))
    alive[:, 0] = 1.0
    tail = np.zeros(len(default))
    for i, c in enumerate(exposures.astype(int)):
        p = default[:, i : i + 1]
        tail += (p * alive[:, max(level - c, 0) :]).sum(1)
        shifted = np.zeros_like(alive)
        shifted[:, c:] = alive[:, : level - c]
        alive = (1 - p) * alive + p * shifted
    return tail


def normal_tail(loading: float, thresholds: Floats, exposures: Floats, level: int) -> float:
    """P(loss >= level), normal copula: trapezoid in the factor (spectrally accurate)."""
    z = np.linspace(-10, 12, 1201)
    default = ndtr((loading * z[:, None] - thresholds) / np.sqrt(1 - loading**2))
    weight = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    return float(weight @ tail_given(default, exposures, level))


def t_tail(loading: float, nu: float, thresholds: Floats, exposures: Floats, level: int) -> float:
    """P(loss >= level), t copula: trapezoid in the factor and in log W."""
    from scipy.stats import chi2

    v = np.linspace(-25, 8, 661)
    w = np.exp(v)
    density = chi2.pdf(w, nu) * w * (v[1] - v[0])
    z = np.linspace(-9, 12, 421)
    normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    total = 0.0
    for wi, di in zip(w, density, strict=True):
        if di < 1e-30:
            continue
        edge = thresholds * np.sqrt(wi / nu)
        default = ndtr((loading * z[:, None] - edge) / np.sqrt(1 - loading**2))
        total += di * float(normal @ tail_given(default, exposures, level))
    return total


def normal_loss(loading: float, thresholds: Floats, exposures: Floats) -> Callable[[Floats], Floats]:
    """Loss of rows (Z, ε_1 … ε_n)."""

    def performance(x: Floats) -> Floats:
        latent = loading * x[:, :1] + np.sqrt(1 - loading**2) * x[:, 1:]
        loss: Floats = (latent > thresholds) @ exposures
        return loss

    return performance


def t_loss(loading: float, nu: float, thresholds: Floats, exposures: Floats) -> Callable[[Floats], Floats]:
    """Loss of rows (W, Z, ε_1 … ε_n)."""

    def performance(x: Floats) -> Floats:
        latent = loading * x[:, 1:2] + np.sqrt(1 - loading**2) * x[:, 2:]
        loss: Floats = (latent * np.sqrt(nu / x[:, :1]) > thresholds) @ exposures
        return loss

    return performance


def _edges(p: Floats) -> Floats:
    """Thresholds that standard normals exceed with these probabilities."""
    return np.asarray(-ndtri(p))


def compute() -> dict[str, float]:
    """Compute the references by name."""
    found = {name: normal_tail(a, _edges(p), c, level) for name, (p, c, a, level) in NORMAL.items()}
    for name, (n, nu, a, level) in T.items():
        found[name] = t_tail(a, nu, np.full(n, 0.5 * np.sqrt(n)), np.ones(n), level)
    return found


def problems() -> list[RareEventProblem]:
    """Return the cases: rows (Z, ε) for the normal copula, (W, Z, ε) for the t copula."""
    from scipy.stats import chi2, norm

    cases = []
    for name, (p, c, a, level) in NORMAL.items():
        loss = normal_loss(a, _edges(p), c)
        inputs = cem.Gaussian(np.zeros(len(p) + 1), std=1)
        source = "Glasserman & Li (2005); quadrature of an exact recursion"
        reference = REFERENCES[name]
        cases.append(
            RareEventProblem(name, loss, inputs, level, "upper", reference, 1e-9 * reference, source)
        )
    for name, (n, nu, a, level) in T.items():
        loss = t_loss(a, nu, np.full(n, 0.5 * np.sqrt(n)), np.ones(n))
        marginals = [chi2(nu)] + [norm()] * (n + 1)
        source = "Bassamboo, Juneja & Zeevi (2008); quadrature of an exact recursion"
        reference = REFERENCES[name]
        cases.append(
            RareEventProblem(name, loss, marginals, level, "upper", reference, 1e-7 * reference, source)
        )
    return cases
