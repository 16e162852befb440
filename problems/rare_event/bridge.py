"""The shortest path through a bridge of five random edges: the tutorial's first example."""

from __future__ import annotations

import numpy as np

from cem.families import Exponential
from cem.families.base import Floats
from problems.rare_event.problem import RareEventProblem

MEANS = (0.25, 0.4, 0.1, 0.3, 0.2)


def shortest_path(x: Floats) -> Floats:
    """Return the length of the shortest path of each row of five edge lengths, shape ``(n,)``."""
    x1, x2, x3, x4, x5 = np.asarray(x).T
    return np.asarray(np.minimum.reduce([x1 + x4, x1 + x3 + x5, x2 + x5, x2 + x3 + x4]))


def bridge(level: float = 2.0) -> RareEventProblem:
    """Return the problem of the shortest path being at least `level` long.

    The reference is computed by quadrature, to a relative error below 1e-9.

    Raises
    ------
    ValueError
        If `level` is not positive and finite.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method", Annals of
    Operations Research 134, Section 2.2.1 and Table 1.

    Examples
    --------
    >>> round(bridge(2.0).reference, 10)
    1.34246e-05
    """
    if not (np.isfinite(level) and level > 0):
        raise ValueError(f"level must be a positive finite length, got {level!r}.")
    m1, m2, m3, m4, m5 = MEANS
    first, first_error = _with_first_shorter(level, m1, m2, m3, m4, m5)
    second, second_error = _with_first_shorter(level, m2, m1, m3, m5, m4)
    return RareEventProblem(
        name=f"bridge {level:g}",
        performance=shortest_path,
        inputs=Exponential(MEANS),
        level=float(level),
        tail="upper",
        reference=first + second,
        reference_error=first_error + second_error,
        source="De Boer et al. (2005), Section 2.2.1; reference by adaptive quadrature",
    )


def _with_first_shorter(
    level: float, m1: float, m2: float, m3: float, m4: float, m5: float
) -> tuple[float, float]:
    """Integrate P(shortest path >= level, x1 <= x2) over x1; return it with its error bound.

    Given x1 <= x2, all paths are long enough where x4 >= level - x1 and x5 >= level - x1 - y with
    y = min(x2 - x1, x3). Exponential times forget: x2 - x1 is again exponential with mean m2, so that
    y is exponential with rate 1/m2 + 1/m3, and the integrals over y, x4 and x5 have closed forms.
    """
    from scipy.integrate import quad

    rate_y, rate_both = 1 / m2 + 1 / m3, 1 / m1 + 1 / m2

    def second_is_long(s: float) -> float:
        """P(x5 >= s - y) for s >= 0."""
        difference = rate_y - 1 / m5
        return float(np.exp(-s * rate_y) - np.exp(-s / m5) * rate_y * np.expm1(-s * difference) / difference)

    def integrand(x1: float) -> float:
        s = level - x1
        return float(np.exp(-x1 * rate_both - s / m4)) / m1 * second_is_long(s)

    value, error = quad(integrand, 0, level, epsabs=0, epsrel=1e-12)
    beyond = float(np.exp(-level * rate_both)) / (m1 * rate_both)
    return value + beyond, error
