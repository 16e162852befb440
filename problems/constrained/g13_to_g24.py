"""The problems g13 to g24 of CEC 2006; g20 and g22 are left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from cem.families.base import Floats
from problems.constrained.problem import ConstrainedProblem


def _g13_h(x: Floats) -> Any:
    a, b, c, d, e = x.T
    return (x**2).sum(1) - 10, b * c - 5 * d * e, a**3 + b**3 + 1


g13 = ConstrainedProblem(
    "g13",
    lambda x: np.exp(x.prod(1)),
    ((-2.3, 2.3),) * 2 + ((-3.2, 3.2),) * 3,
    0.05394984777,
    equalities=_g13_h,
)

_G14 = np.array([-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179])


def _g14_h(x: Floats) -> Any:
    a, b, c, d, e, f, g, h, i, j = x.T
    return a + 2 * b + 2 * c + f + j - 2, d + 2 * e + f + g - 1, c + g + h + 2 * i + j - 1


g14 = ConstrainedProblem(
    "g14",
    lambda x: (x * (_G14 + np.log(x / x.sum(1, keepdims=True)))).sum(1),
    ((1e-12, 10),) * 10,
    -47.761090860,
    equalities=_g14_h,
)

g15 = ConstrainedProblem(
    "g15",
    lambda x: 1000 - x[:, 0] ** 2 - 2 * x[:, 1] ** 2 - x[:, 2] ** 2 - x[:, 0] * x[:, 1] - x[:, 0] * x[:, 2],
    ((0, 10),) * 3,
    961.71517213,
    equalities=lambda x: ((x**2).sum(1) - 25, 8 * x[:, 0] + 14 * x[:, 1] + 7 * x[:, 2] - 56),
)


def _g16_parts(x: Floats) -> tuple[Any, ...]:
    a, b, c, d, e = x.T
    y1 = b + c + 41.6
    c1 = 0.024 * d - 4.62
    y2 = 12.5 / c1 + 12
    c2 = 0.0003535 * a**2 + 0.5311 * a + 0.08705 * y2 * a
    c3 = 0.052 * a + 78 + 0.002377 * y2 * a
    y3 = c2 / c3
    y4 = 19 * y3
    c4 = 0.04782 * (a - y3) + 0.1956 * (a - y3) ** 2 / b + 0.6376 * y4 + 1.594 * y3
    c5 = 100 * b
    c6 = a - y3 - y4
    c7 = 0.950 - c4 / c5
    y5 = c6 * c7
    y6 = a - y5 - y4 - y3
    c8 = (y5 + y4) * 0.995
    y7 = c8 / y1
    y8 = c8 / 3798
    c9 = y7 - 0.0663 * y7 / y8 - 0.3153
    y9 = 96.82 / c9 + 0.321 * y1
    y10 = 1.29 * y5 + 1.258 * y4 + 2.29 * y3 + 1.71 * y6
    y11 = 1.71 * a - 0.452 * y4 + 0.580 * y3
    c10 = 12.3 / 752.3
    c11 = 1.75 * y2 * 0.995 * a
    c12 = 0.995 * y10 + 1998
    y12 = c10 * a + c11 / c12
    y13 = c12 - 1.75 * y2
    y14 = 3623 + 64.4 * b + 58.4 * c + 146312 / (y9 + e)
    c13 = 0.995 * y10 + 60.8 * b + 48 * d - 0.1121 * y14 - 5095
    y15 = y13 / c13
    y16 = 148000 - 331000 * y15 + 40 * y13 - 61 * y15 * y13
    c14 = 2324 * y10 - 28740000 * y2
    y17 = 14130000 - 1328 * y10 - 531 * y11 + c14 / c12
    c15 = y13 / y15 - y13 / 0.52
    c16 = 1.104 - 0.72 * y15
    c17 = y9 + e
    return y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, c15, c16, c17


def _g16(x: Floats) -> Any:
    y = _g16_parts(x)
    y4, y5, y12, y13, y14, y15, y16, y17, c15, c16 = (
        y[3], y[4], y[11], y[12], y[13], y[14], y[15], y[16], y[17], y[18]
    )  # fmt: skip
    return (
        0.000117 * y14 + 0.1365 + 0.00002358 * y13 + 0.000001502 * y16 + 0.0321 * y12 + 0.004324 * y5
        + 0.0001 * c15 / c16 + 37.48 * y[1] / (0.995 * y[9] + 1998) - 0.0000005843 * y17 + 0 * (y4 + y15)
    )  # fmt: skip


_G16_LOW = (213.1, 17.505, 11.275, 214.228, 7.458, 0.961, 1.612, 0.146, 107.99, 922.693, 926.832, 18.766,
            1072.163, 8961.448, 0.063, 71084.33, 2802713.0)  # fmt: skip
_G16_HIGH = (405.23, 1053.6667, 35.03, 665.585, 584.463, 265.916, 7.046, 0.222, 273.366, 1286.105, 1444.046,
             537.141, 3247.039, 26844.086, 0.386, 140000.0, 12146108.0)  # fmt: skip


def _g16_g(x: Floats) -> Any:
    y = _g16_parts(x)
    c = x.T
    return (
        0.28 / 0.72 * y[4] - y[3],
        c[2] - 1.5 * c[1],
        3496 * y[1] / (0.995 * y[9] + 1998) - 21,
        110.6 + y[0] - 62212 / y[19],
        *(low - each for low, each in zip(_G16_LOW, y[:17], strict=True)),
        *(each - high for high, each in zip(_G16_HIGH, y[:17], strict=True)),
    )


g16 = ConstrainedProblem(
    "g16",
    _g16,
    (
        (704.4148, 906.3855),
        (68.6, 288.88),
        (0.0, 134.75),
        (193.0, 287.0966),
        (25.0, 84.1988),
    ),
    -1.90515525853479,
    _g16_g,
)


def _g17(x: Floats) -> Any:
    a, b = x[:, 0], x[:, 1]
    first = np.where(a < 300, 30 * a, 31 * a)
    second = np.where(b < 100, 28 * b, np.where(b < 200, 29 * b, 30 * b))
    return first + second


def _g17_h(x: Floats) -> Any:
    a, b, c, d, e, f = x.T
    return (
        -a + 300 - c * d / 131.078 * np.cos(1.48477 - f) + 0.90798 * c**2 / 131.078 * np.cos(1.47588),
        -b - c * d / 131.078 * np.cos(1.48477 + f) + 0.90798 * d**2 / 131.078 * np.cos(1.47588),
        -e - c * d / 131.078 * np.sin(1.48477 + f) + 0.90798 * d**2 / 131.078 * np.sin(1.47588),
        200 - c * d / 131.078 * np.sin(1.48477 - f) + 0.90798 * c**2 / 131.078 * np.sin(1.47588),
    )


g17 = ConstrainedProblem(
    "g17",
    _g17,
    ((0, 400), (0, 1000), (340, 420), (340, 420), (-1000, 1000), (0, 0.5236)),
    8853.5399003,
    equalities=_g17_h,
)


def _g18(x: Floats) -> Any:
    a, b, c, d, e, f, g, h, i = x.T
    return -0.5 * (a * d - b * c + c * i - e * i + e * h - f * g)


def _g18_g(x: Floats) -> Any:
    a, b, c, d, e, f, g, h, i = x.T
    return (
        c**2 + d**2 - 1,
        i**2 - 1,
        e**2 + f**2 - 1,
        a**2 + (b - i) ** 2 - 1,
        (a - e) ** 2 + (b - f) ** 2 - 1,
        (a - g) ** 2 + (b - h) ** 2 - 1,
        (c - e) ** 2 + (d - f) ** 2 - 1,
        (c - g) ** 2 + (d - h) ** 2 - 1,
        g**2 + (h - i) ** 2 - 1,
        b * c - a * d,
        -c * i,
        e * i,
        f * g - e * h,
    )


g18 = ConstrainedProblem("g18", _g18, ((-10, 10),) * 8 + ((0, 20),), -0.866025403784439, _g18_g)

_G19_A = np.array(
    [[-16, 2, 0, 1, 0], [0, -2, 0, 0.4, 2], [-3.5, 0, 2, 0, 0], [0, -2, 0, -4, -1], [0, -9, -2, 1, -2.8],
     [2, 0, -4, 0, 0], [-1, -1, -1, -1, -1], [-1, -2, -3, -2, -1], [1, 2, 3, 4, 5], [1, 1, 1, 1, 1]]
)  # fmt: skip
_G19_B = np.array([-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1])
_G19_C = np.array(
    [[30, -20, -10, 32, -10], [-20, 39, -6, -31, 32], [-10, -6, 10, -6, -10], [32, -31, -6, 39, -20],
     [-10, 32, -10, -20, 30]]
)  # fmt: skip
_G19_D = np.array([4, 8, 10, 6, 2])
_G19_E = np.array([-15, -27, -36, -18, -12])


def _g19(x: Floats) -> Any:
    y = x[:, 10:]
    quadratic = np.einsum("ni,ij,nj->n", y, _G19_C, y)
    return quadratic + 2 * (y**3) @ _G19_D - x[:, :10] @ _G19_B


def _g19_g(x: Floats) -> Any:
    y = x[:, 10:]
    return -2 * y @ _G19_C - 3 * _G19_D * y**2 - _G19_E + x[:, :10] @ _G19_A


g19 = ConstrainedProblem("g19", _g19, ((0, 10),) * 15, 32.6555929502463, _g19_g)


def _g21_h(x: Floats) -> Any:
    _, b, c, d, e, f, g = x.T
    return (
        -300 * c + 7500 * e - 7500 * f - 25 * d * e + 25 * d * f + c * d,
        100 * b + 155.365 * d + 2500 * g - b * d - 25 * d * g - 15536.5,
        -e + np.log(-d + 900),
        -f + np.log(d + 300),
        -g + np.log(-2 * d + 700),
    )


g21 = ConstrainedProblem(
    "g21",
    lambda x: x[:, 0],
    ((0, 1000), (0, 40), (0, 40), (100, 300), (6.3, 6.7), (5.9, 6.4), (4.5, 6.25)),
    193.78692526,
    lambda x: (-x[:, 0] + 35 * x[:, 1] ** 0.6 + 35 * x[:, 2] ** 0.6,),
    _g21_h,
)


def _g23_g(x: Floats) -> Any:
    _, _, c, d, e, f, g, h, i = x.T
    return i * c + 0.02 * f - 0.025 * e, i * d + 0.02 * g - 0.015 * h


def _g23_h(x: Floats) -> Any:
    a, b, c, d, e, f, g, h, i = x.T
    return a + b - c - d, 0.03 * a + 0.01 * b - i * (c + d), c + f - e, d + g - h


g23 = ConstrainedProblem(
    "g23",
    lambda x: -9 * x[:, 4] - 15 * x[:, 7] + 6 * x[:, 0] + 16 * x[:, 1] + 10 * (x[:, 5] + x[:, 6]),
    (
        (0, 300), (0, 300), (0, 100), (0, 200), (0, 100), (0, 300), (0, 100), (0, 200), (0.01, 0.03)
    ),
    -400.0,
    _g23_g,
    _g23_h,
)  # fmt: skip

g24 = ConstrainedProblem(
    "g24",
    lambda x: -x[:, 0] - x[:, 1],
    ((0, 3), (0, 4)),
    -5.50801327159536,
    lambda x: (
        -2 * x[:, 0] ** 4 + 8 * x[:, 0] ** 3 - 8 * x[:, 0] ** 2 + x[:, 1] - 2,
        -4 * x[:, 0] ** 4 + 32 * x[:, 0] ** 3 - 88 * x[:, 0] ** 2 + 96 * x[:, 0] + x[:, 1] - 36,
    ),
)
