"""The problems g01 to g12 of CEC 2006; g02 is left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from cem.families.base import Floats
from problems.constrained.problem import ConstrainedProblem


def _g01(x: Floats) -> Any:
    return 5 * x[:, :4].sum(1) - 5 * (x[:, :4] ** 2).sum(1) - x[:, 4:].sum(1)


def _g01_g(x: Floats) -> Any:
    a, b, c, d, e, f, g, h, i, j, k, l, _ = x.T  # noqa: E741
    return (
        2 * a + 2 * b + j + k - 10,
        2 * a + 2 * c + j + l - 10,
        2 * b + 2 * c + k + l - 10,
        -8 * a + j,
        -8 * b + k,
        -8 * c + l,
        -2 * d - e + j,
        -2 * f - g + k,
        -2 * h - i + l,
    )


g01 = ConstrainedProblem("g01", _g01, ((0, 1),) * 9 + ((0, 100),) * 3 + ((0, 1),), -15.0, _g01_g)

g03 = ConstrainedProblem(
    "g03",
    lambda x: -(np.sqrt(10.0) ** 10) * x.prod(1),
    ((0, 1),) * 10,
    -1.0,
    equalities=lambda x: ((x**2).sum(1) - 1,),
)


def _g04(x: Floats) -> Any:
    a, _, c, _, e = x.T
    return 5.3578547 * c**2 + 0.8356891 * a * e + 37.293239 * a - 40792.141


def _g04_g(x: Floats) -> Any:
    a, b, c, d, e = x.T
    u = 85.334407 + 0.0056858 * b * e + 0.0006262 * a * d - 0.0022053 * c * e
    v = 80.51249 + 0.0071317 * b * e + 0.0029955 * a * b + 0.0021813 * c**2
    w = 9.300961 + 0.0047026 * c * e + 0.0012547 * a * c + 0.0019085 * c * d
    return u - 92, -u, v - 110, 90 - v, w - 25, 20 - w


g04 = ConstrainedProblem(
    "g04", _g04, ((78, 102), (33, 45), (27, 45), (27, 45), (27, 45)), -30665.53867178333, _g04_g
)


def _g05_h(x: Floats) -> Any:
    a, b, c, d = x.T
    return (
        1000 * np.sin(-c - 0.25) + 1000 * np.sin(-d - 0.25) + 894.8 - a,
        1000 * np.sin(c - 0.25) + 1000 * np.sin(c - d - 0.25) + 894.8 - b,
        1000 * np.sin(d - 0.25) + 1000 * np.sin(d - c - 0.25) + 1294.8,
    )


g05 = ConstrainedProblem(
    "g05",
    lambda x: 3 * x[:, 0] + 1e-6 * x[:, 0] ** 3 + 2 * x[:, 1] + (2e-6 / 3) * x[:, 1] ** 3,
    ((0, 1200), (0, 1200), (-0.55, 0.55), (-0.55, 0.55)),
    5126.49810960,
    lambda x: (-x[:, 3] + x[:, 2] - 0.55, -x[:, 2] + x[:, 3] - 0.55),
    _g05_h,
)

g06 = ConstrainedProblem(
    "g06",
    lambda x: (x[:, 0] - 10) ** 3 + (x[:, 1] - 20) ** 3,
    ((13, 100), (0, 100)),
    -6961.8138755801664,
    lambda x: (
        -((x[:, 0] - 5) ** 2) - (x[:, 1] - 5) ** 2 + 100,
        (x[:, 0] - 6) ** 2 + (x[:, 1] - 5) ** 2 - 82.81,
    ),
)


def _g07(x: Floats) -> Any:
    a, b, c, d, e, f, g, h, i, j = x.T
    return (
        a**2 + b**2 + a * b - 14 * a - 16 * b + (c - 10) ** 2 + 4 * (d - 5) ** 2 + (e - 3) ** 2
        + 2 * (f - 1) ** 2 + 5 * g**2 + 7 * (h - 11) ** 2 + 2 * (i - 10) ** 2 + (j - 7) ** 2 + 45
    )  # fmt: skip


def _g07_g(x: Floats) -> Any:
    a, b, c, d, e, f, g, h, i, j = x.T
    return (
        -105 + 4 * a + 5 * b - 3 * g + 9 * h,
        10 * a - 8 * b - 17 * g + 2 * h,
        -8 * a + 2 * b + 5 * i - 2 * j - 12,
        3 * (a - 2) ** 2 + 4 * (b - 3) ** 2 + 2 * c**2 - 7 * d - 120,
        5 * a**2 + 8 * b + (c - 6) ** 2 - 2 * d - 40,
        a**2 + 2 * (b - 2) ** 2 - 2 * a * b + 14 * e - 6 * f,
        0.5 * (a - 8) ** 2 + 2 * (b - 4) ** 2 + 3 * e**2 - f - 30,
        -3 * a + 6 * b + 12 * (i - 8) ** 2 - 7 * j,
    )


g07 = ConstrainedProblem("g07", _g07, ((-10, 10),) * 10, 24.306209068179, _g07_g)

g08 = ConstrainedProblem(
    "g08",
    lambda x: -(np.sin(2 * np.pi * x[:, 0]) ** 3) * np.sin(2 * np.pi * x[:, 1])
    / (x[:, 0] ** 3 * (x[:, 0] + x[:, 1])),
    ((0, 10), (0, 10)),
    -0.0958250414180359,
    lambda x: (x[:, 0] ** 2 - x[:, 1] + 1, 1 - x[:, 0] + (x[:, 1] - 4) ** 2),
)  # fmt: skip


def _g09(x: Floats) -> Any:
    a, b, c, d, e, f, g = x.T
    return (
        (a - 10) ** 2 + 5 * (b - 12) ** 2 + c**4 + 3 * (d - 11) ** 2 + 10 * e**6 + 7 * f**2 + g**4
        - 4 * f * g - 10 * f - 8 * g
    )  # fmt: skip


def _g09_g(x: Floats) -> Any:
    a, b, c, d, e, f, g = x.T
    return (
        -127 + 2 * a**2 + 3 * b**4 + c + 4 * d**2 + 5 * e,
        -282 + 7 * a + 3 * b + 10 * c**2 + d - e,
        -196 + 23 * a + b**2 + 6 * f**2 - 8 * g,
        4 * a**2 + b**2 - 3 * a * b + 2 * c**2 + 5 * f - 11 * g,
    )


g09 = ConstrainedProblem("g09", _g09, ((-10, 10),) * 7, 680.630057374402, _g09_g)


def _g10_g(x: Floats) -> Any:
    a, b, c, d, e, f, g, h = x.T
    return (
        -1 + 0.0025 * (d + f),
        -1 + 0.0025 * (e + g - d),
        -1 + 0.01 * (h - e),
        -a * f + 833.33252 * d + 100 * a - 83333.333,
        -b * g + 1250 * e + b * d - 1250 * d,
        -c * h + 1250000 + c * e - 2500 * e,
    )


g10 = ConstrainedProblem(
    "g10",
    lambda x: x[:, :3].sum(1),
    ((100, 10000), (1000, 10000), (1000, 10000)) + ((10, 1000),) * 5,
    7049.24802052867,
    _g10_g,
)

g11 = ConstrainedProblem(
    "g11",
    lambda x: x[:, 0] ** 2 + (x[:, 1] - 1) ** 2,
    ((-1, 1), (-1, 1)),
    0.75,
    equalities=lambda x: (x[:, 1] - x[:, 0] ** 2,),
)


def _g12_g(x: Floats) -> Any:
    # the nearest of the 9^3 centres 1, ..., 9 is the nearest in each coordinate
    return (((x - np.clip(np.rint(x), 1, 9)) ** 2).sum(1) - 0.0625,)


g12 = ConstrainedProblem("g12", lambda x: ((x - 5) ** 2).sum(1) / 100 - 1, ((0, 10),) * 3, -1.0, _g12_g)
