"""Limit states of the structural-reliability literature: the event is g <= 0.

The RP numbers are those of the black-box reliability challenge (Rózsás & Slobbe, 2019). References were
computed afresh, by quadrature where there is no closed form: published catalogue values are partly wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import cem
from cem.families.base import Floats
from problems.rare_event.bridge import bridge
from problems.rare_event.problem import RareEventProblem

SQ2 = np.sqrt(2.0)
ROUNDED = 5e-6  # relative error of six printed digits


def rp8(x: Floats) -> Floats:
    """Plastic hinge."""
    return np.asarray(x[:, 0] + 2 * x[:, 1] + 2 * x[:, 2] + x[:, 3] - 5 * x[:, 4] - 5 * x[:, 5])


def rp14(x: Floats) -> Floats:
    """Stress in a shaft."""
    a, b, c, d, e = x.T
    return np.asarray(a - 32 / (np.pi * b**3) * np.sqrt(c**2 * d**2 / 16 + e**2))


def rp22(u: Floats) -> Floats:
    """Concave parabola."""
    return np.asarray(2.5 - (u[:, 0] + u[:, 1]) / SQ2 + 0.1 * (u[:, 0] - u[:, 1]) ** 2)


def rp24(x: Floats) -> Floats:
    """Quartic valley."""
    return np.asarray(2.5 - 0.2357 * (x[:, 0] - x[:, 1]) + 0.00463 * (x[:, 0] + x[:, 1] - 20) ** 4)


def rp25(u: Floats) -> Floats:
    """Intersection of two."""
    a, b = u.T
    return np.asarray(np.maximum(a**2 - 8 * b + 16, -16 * a + b + 32))


def rp28(u: Floats) -> Floats:
    """Product."""
    return np.asarray((78064 + 11710 * u[:, 0]) * (0.0104 + 0.00156 * u[:, 1]) - 146.14)


def rp31(u: Floats) -> Floats:
    """Narrow quartic."""
    return np.asarray(2 - u[:, 1] + 256 * u[:, 0] ** 4)


def rp33(u: Floats) -> Floats:
    """Two planes."""
    return np.asarray(np.minimum(3 * np.sqrt(3) - u.sum(1), 3 - u[:, 2]))


def rp35(u: Floats) -> Floats:
    """Two curved branches."""
    a, b = u.T
    return np.asarray(np.minimum(2 - b + np.exp(-0.1 * a**2) + (0.2 * a) ** 4, 4.5 - a * b))


def rp53(x: Floats) -> Floats:
    """Waves."""
    a, b = x.T
    return np.asarray(np.sin(2.5 * a) + 2 - (a**2 + 4) * (b - 1) / 20)


def rp57(u: Floats) -> Floats:
    """Union of a disc and a corner."""
    a, b = u.T
    corner = np.maximum(-(a**2) + b**3 + 3, 2 - a - 8 * b)
    return np.asarray(np.minimum(corner, (a + 3) ** 2 + (b + 3) ** 2 - 4))


def rp77(x: Floats) -> Floats:
    """Two disjoint regimes."""
    a, b, c = x.T
    return np.asarray(np.where(c <= 5, a - b - c, c - b))


def rp89(u: Floats) -> Floats:
    """Parabola and plane."""
    a, b = u.T
    return np.asarray(np.minimum(-(a**2) - b + 8, -a / 5 - b + 6))


def rp110(u: Floats) -> Floats:
    """Discontinuous slopes."""
    a, b = u.T
    left = np.where(a <= 3.5, 0.85 - 0.1 * a, 4 - a)
    right = np.where(b <= 2, 2.3 - b, 0.5 - 0.1 * b)
    return np.asarray(np.minimum(left, right))


def four_branch(u: Floats) -> Floats:
    """Series system of four."""
    a, b = u.T
    curve = 3 + 0.1 * (a - b) ** 2
    s = (a + b) / SQ2
    return np.asarray(np.minimum.reduce([curve + s, curve - s, a - b + 7 / SQ2, b - a + 7 / SQ2]))


def convex_modes(u: Floats) -> Floats:
    """One plane, one parabola opposite."""
    s = (u[:, 0] + u[:, 1]) / SQ2
    return np.asarray(np.minimum(3.2 + s, 0.1 * (u[:, 0] - u[:, 1]) ** 2 - s + 2.5))


def oscillator(x: Floats) -> Floats:
    """Non-linear undamped oscillator."""
    m, c1, c2, r, t, f = x.T
    w = np.sqrt((c1 + c2) / m)
    return np.asarray(3 * r - np.abs(2 * f / (m * w**2) * np.sin(w * t / 2)))


def sum_below(total: float) -> Callable[[Floats], Floats]:
    """Return the performance g = total - Σx."""
    return lambda x: np.asarray(total - x.sum(axis=1))


def sum_above(total: float) -> Callable[[Floats], Floats]:
    """Return the performance g = Σx - total."""
    return lambda x: np.asarray(x.sum(axis=1) - total)


def rp75(u: Floats) -> Floats:
    """Product of two."""
    return np.asarray(3 - u[:, 0] * u[:, 1])


def rp111(u: Floats) -> Floats:
    """Product of two, four modes."""
    return np.asarray(12.5 - np.abs(u[:, 0] * u[:, 1]))


def linear(u: Floats) -> Floats:
    """One plane at distance 3.5."""
    return np.asarray(3.5 - u.sum(axis=1) / np.sqrt(u.shape[1]))


def parabola(u: Floats) -> Floats:
    """Convex parabola with two design points."""
    return np.asarray(5 - u[:, 1] - 0.5 * (u[:, 0] - 0.1) ** 2)


def four_modes(u: Floats) -> Floats:
    """Outside a square."""
    return np.asarray(3.5 - np.abs(u).max(axis=1))


def unequal_modes(u: Floats) -> Floats:
    """Two opposite planes, one farther away."""
    return np.asarray(np.minimum(3.5 - u[:, 0], 3.7 + u[:, 0]))


def max_of_ten(u: Floats) -> Floats:
    """Outside a corner."""
    return np.asarray(4.5 - u.max(axis=1))


def min_of_five(u: Floats) -> Floats:
    """Inside a corner."""
    return np.asarray(1.5 - u.min(axis=1))


def chi_square(u: Floats) -> Floats:
    """Outside a ball."""
    return np.asarray(45 - (u**2).sum(axis=1))


def lognormal(mean: float, sd: float) -> Any:
    """Lognormal with this mean and standard deviation."""
    from scipy.stats import lognorm

    s = np.sqrt(np.log1p((sd / mean) ** 2))
    return lognorm(s, scale=mean * np.exp(-(s**2) / 2))


def problems() -> list[RareEventProblem]:
    """Return the cases of this file, the bridge's among them."""
    return [*(bridge(level) for level in (1.5, 2.0, 3.0)), *_catalogue(), *_textbook()]


def _case(name: str, g: Any, inputs: Any, p: float, source: str) -> RareEventProblem:
    """Return a case; a number of inputs means independent standard normals."""
    if isinstance(inputs, int):
        inputs = cem.Gaussian(np.zeros(inputs), std=1)
    return RareEventProblem(name, g, inputs, 0.0, "lower", p, ROUNDED * p, source)


def _catalogue() -> list[RareEventProblem]:
    """Return the cases of the black-box reliability challenge."""
    from scipy.stats import gumbel_r, norm, uniform

    strong, weak, side = lognormal(120, 12), lognormal(50, 10), lognormal(40, 8)
    scale = 350 * np.sqrt(6) / np.pi
    shaft = [uniform(70, 10), norm(39, 0.1), gumbel_r(1500 - np.euler_gamma * scale, scale)]
    shaft += [norm(400, 0.1), norm(250000, 35000)]
    valley = cem.Gaussian([10, 10], std=3)
    waves, regimes = cem.Gaussian([1.5, 2.5], std=1), cem.Gaussian([10, 0, 4], std=[0.5, 1, 1])
    by = "quadrature"
    return [
        _case("RP8", rp8, [strong] * 4 + [weak, side], 7.89796e-4, f"RP8; {by}"),
        _case("RP14", rp14, shaft, 7.72852e-4, f"RP14; {by}"),
        _case("RP22", rp22, 2, 4.20731e-3, f"RP22; {by}"),
        _case("RP24", rp24, valley, 2.85995e-3, f"RP24; {by}"),
        _case("RP25", rp25, 2, 4.14857e-5, f"RP25; {by}"),
        _case("RP28", rp28, 2, 1.45329e-7, f"RP28; {by}"),
        _case("RP31", rp31, 2, 3.22668e-3, f"RP31; {by}"),
        _case("RP33", rp33, 3, 2.57560e-3, f"RP33; {by}"),
        _case("RP35", rp35, 2, 3.47895e-3, f"RP35; {by}"),
        _case("RP53", rp53, waves, 3.13205e-2, f"RP53; {by}"),
        _case("RP54", sum_above(8.951), cem.Exponential(np.ones(20)), 9.90603e-4, "RP54; Erlang tail"),
        _case("RP57", rp57, 2, 2.8237e-2, f"RP57; {by}, to five digits"),
        _case("RP75", rp75, 2, 9.81930e-3, f"RP75; {by}"),
        _case("RP77", rp77, regimes, 2.69084e-7, f"RP77; {by}"),
        _case("RP89", rp89, 2, 5.47128e-3, f"RP89; {by}"),
        _case("RP107", sum_below(5 * np.sqrt(10)), 10, 2.86652e-7, "RP107; normal tail"),
        _case("RP110", rp110, 2, 3.19579e-5, f"RP110; {by}"),
        _case("RP111", rp111, 2, 8.03509e-7, f"RP111; {by}"),
    ]


def _textbook() -> list[RareEventProblem]:
    """Return the cases that papers on importance sampling share."""
    oscillation = cem.Gaussian([1, 1, 0.1, 0.5, 1, 0.6], std=[0.05, 0.1, 0.01, 0.05, 0.2, 0.1])
    return [
        _case("four-branch", four_branch, 2, 2.22280e-3, "Waarts (2000); quadrature"),
        *(_case(f"linear {d}", linear, d, 2.32629e-4, "normal tail") for d in (2, 100, 1000)),
        _case("two modes", convex_modes, 2, 4.89444e-3, "Papaioannou et al. (2019); quadrature"),
        _case("parabola", parabola, 2, 3.01631e-3, "Der Kiureghian & Dakessian (1998); quadrature"),
        _case("four modes", four_modes, 2, 9.30300e-4, "closed form"),
        _case(
            "oscillator", oscillator, oscillation, 9.13098e-6, "Bucher & Bourgund (1990), rarer; quadrature"
        ),
        _case("exponential sum", sum_below(10.0), cem.Exponential([1, 1]), 4.99399e-4, "Erlang tail"),
        _case("unequal modes", unequal_modes, 2, 3.40429e-4, "closed form"),
        _case("max of ten", max_of_ten, 10, 3.39762e-5, "closed form"),
        _case("min of five", min_of_five, 5, 1.33081e-6, "closed form"),
        _case("chi-square", chi_square, 10, 2.17473e-6, "chi-square tail"),
    ]
