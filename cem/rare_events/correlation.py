"""The correlation of a Gaussian copula that gives two inputs the correlation they are to have.

With normals Z and W of correlation r, and X = x(Z), Y = y(W), Mehler's expansion in orthonormal Hermite
polynomials h_n is Cov(X, Y) = Σ a_n b_n rⁿ, a_n = E[x(Z) h_n(Z)]: one vector of coefficients an input,
and a polynomial a pair. What the series leaves out is at most |r|^N √(δ_x δ_y), δ the variance that the
coefficients leave out. It matters for steps with r near ±1 alone; there, cells of the bivariate normal are
added up (Plackett's identity).

References
----------
Mehler (1866), Journal für die reine und angewandte Mathematik 66; Plackett (1954), "A reduction formula for
normal multivariate integrals", Biometrika 41; Liu & Der Kiureghian (1986), "Multivariate distribution models
with prescribed marginals and covariances", Probabilistic Engineering Mechanics 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from cem.families.base import Floats

TERMS = 2000  # of the series: |r|^TERMS < 1e-8 up to |r| = .99
ENOUGH = 1e-8  # of a correlation: what may be left out
LEAST_ERROR = 1e-6  # of a correlation: what none may have
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
WIDTH = 0.25  # of a panel: 20 nodes integrate the last polynomial's waves, whose length is 2π/√TERMS = .14
CENTRE, FARTHEST = 8.0, 38.0  # half the width of what is always integrated over, and of what can be
MOST_CELLS = 2**21
NEGLIGIBLE = 1e-10  # share of the variance beyond the last cells on either side


@dataclass(frozen=True, eq=False)
class Expansion:
    """A function of a standard normal: its Hermite coefficients and its jumps, over its standard deviation.

    Attributes
    ----------
    coefficients : ndarray, shape (TERMS,)
        From the first on.
    rest : float
        Share of the variance that they leave out.
    at, jumps : ndarray, shape (m,)
        Where it jumps, and how far; empty where it is continuous.
    steps : bool
        Whether it is constant between the jumps.
    """

    coefficients: Floats
    rest: float
    at: Floats
    jumps: Floats
    steps: bool


Beyond = Callable[[Floats], Floats]


def expand_steps(at: Floats, values: Floats, beyond: Beyond | None = None) -> Expansion:
    """Expand a function of steps: `values` ``(m + 1,)`` between thresholds `at` ``(m,)`` of a normal.

    `beyond` gives the function's own values outside the thresholds, where steps are not listed.
    """
    seen = np.abs(at) < FARTHEST
    at, jumps = at[seen], np.diff(values)[seen]
    if at.size == 0:
        raise ValueError("it has one value alone, and no variance")
    p = np.diff(np.concatenate([[0.0], ndtr(at), [1.0]]))
    levels = np.concatenate([[0.0], np.cumsum(jumps)])
    levels -= levels[int(np.searchsorted(at, 0.0))]
    z, w, x, end = _outside(at, levels, values[int(np.argmax(seen))] - levels[0], beyond)
    mean = float(p @ levels + w @ x)
    squares = p * (levels - mean) ** 2
    variance = float(squares.sum() + w @ (x * (x + 2 * (end - mean))))
    scale = np.sqrt(variance)
    c = np.empty(TERMS)
    density = jumps * np.exp(-at * at / 2) / np.sqrt(2 * np.pi)
    for n, h in _hermite(at, TERMS):
        c[n] = density @ h / np.sqrt(n + 1)
    if z.size:
        c += np.array([(w * x) @ h for _, h in _hermite(z, TERMS + 1)])[1:]
    c /= scale
    told = np.minimum(np.cumsum(squares), np.cumsum(squares[::-1])[::-1]) > NEGLIGIBLE * variance
    kept = told[1:] & told[:-1]
    return Expansion(c, max(0.0, 1 - float(c @ c)), at[kept], jumps[kept] / scale, beyond is None)


def _outside(
    at: Floats, levels: Floats, shift: float, beyond: Beyond | None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return nodes, weights, what a function has there beside the level at that end, and that level."""
    if beyond is None:
        none = np.empty(0)
        return none, none, none, none
    below = np.append(np.arange(-FARTHEST, at[0], WIDTH / 4), at[0])
    above = np.append(np.arange(FARTHEST, at[-1], -WIDTH / 4), at[-1])[::-1]
    low, high = np.concatenate([below[:-1], above[:-1]]), np.concatenate([below[1:], above[1:]])
    z, w, values = (each.ravel() for each in _panels(beyond, low, high))
    end = np.where(z > at[-1], levels[-1], levels[0])
    return z, w, values - shift - end, end


def expand(function: Callable[[Floats], Floats], variance: float | None = None) -> Expansion:
    """Expand a continuous function of a standard normal, by Gauss and Legendre's rule on halved panels.

    `variance`: what it is known to be, where the integral finds less because it lies beyond doubles.
    """
    middle = float(function(np.zeros(1))[0])
    z, w, x = _integrated(lambda z: function(z) - middle)
    x = x - float(w @ x)
    found = float(w @ (x * x))
    known = found if variance is None or variance <= found * (1 + 1e-7) else variance
    wx = w * x / np.sqrt(known)
    c = np.array([wx @ h for _, h in _hermite(z, TERMS + 1)])[1:]
    return Expansion(c, max(0.0, 1 - float(c @ c)), np.empty(0), np.empty(0), False)


def _integrated(function: Callable[[Floats], Floats]) -> tuple[Floats, Floats, Floats]:
    """Return nodes, weights (the normal density's in them) and values, where the second moment settles."""
    edges = np.arange(-CENTRE, CENTRE + WIDTH / 2, WIDTH)
    z, w, x = _halved(function, edges[:-1], edges[1:])
    for sign in (-1.0, 1.0):
        edge = CENTRE
        while edge < FARTHEST:
            low, high = sorted((sign * edge, sign * (edge + WIDTH)))
            more = _halved(function, np.array([low]), np.array([high]))
            total = float(w @ (x - w @ x) ** 2)
            z, w, x = (np.concatenate(pair) for pair in zip((z, w, x), more, strict=True))
            edge += WIDTH
            if float(more[1] @ more[2] ** 2) < 1e-14 * total:
                break
    return z, w, x


def _halved(function: Callable[[Floats], Floats], low: Floats, high: Floats) -> tuple[Floats, Floats, Floats]:
    """Return nodes, weights and values on panels, which are halved where the integral is not settled."""
    parts = []
    for _ in range(40):
        _, w, x = _panels(function, low, high)
        middle = (low + high) / 2
        halves = [_panels(function, *ends) for ends in ((low, middle), (middle, high))]
        moments = [np.einsum("ij,kij->ki", w, np.array([x, x * x]))]
        moments += [sum(np.einsum("ij,kij->ki", h[1], np.array([h[2], h[2] ** 2])) for h in halves)]
        size = 1e-11 * np.abs(moments[1][1]).sum() + 1e-300
        rough = np.abs(moments[0] - moments[1])
        settled = (rough[1] <= size) & (rough[0] <= np.sqrt(size) * 1e-6 + 1e-12 * np.abs(moments[1][0]))
        settled |= high - low < 1e-11
        for each in halves:
            parts.append([part[settled].ravel() for part in each])
        if settled.all():
            break
        low, high = (
            np.concatenate([low[~settled], middle[~settled]]),
            np.concatenate([middle[~settled], high[~settled]]),
        )
    nodes, weights, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    return nodes, weights, values


def _panels(function: Callable[[Floats], Floats], low: Floats, high: Floats) -> tuple[Floats, Floats, Floats]:
    """Return nodes, weights and values on panels, each ``(panels, nodes)``."""
    half = (high - low)[:, None] / 2
    z = low[:, None] + half * (NODES + 1)
    return z, half * WEIGHTS * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), np.asarray(function(z))


def _hermite(z: Floats, terms: int) -> Iterator[tuple[int, Floats]]:
    """Yield the numbers and values ``(n,)`` of the orthonormal Hermite polynomials, by their recursion."""
    before, h = np.zeros_like(z), np.ones_like(z)
    for n in range(terms):
        yield n, h
        before, h = h, (z * h - np.sqrt(n) * before) / np.sqrt(n + 1)


def correlation_under(x: Expansion, y: Expansion, r: float) -> tuple[float, float]:
    """Return the correlation of functions of normals of correlation `r`, and a bound on its error."""
    series = float((x.coefficients * y.coefficients) @ r ** np.arange(1, TERMS + 1))
    bound = float(abs(r) ** (TERMS + 1) * np.sqrt(x.rest * y.rest))
    if bound > ENOUGH and x.steps and y.steps and x.at.size * y.at.size <= MOST_CELLS:
        return _correlation_of_steps(x, y, r), ENOUGH
    return series, bound


def _correlation_of_steps(x: Expansion, y: Expansion, r: float) -> float:
    """Return the correlation of two functions of steps: the cells of the bivariate normal, added up.

    Each cell's Φ₂(a, b; r) - Φ(a)Φ(b) is the integral over θ, from 0 to asin r, of
    exp(-(a² + b² - 2ab sin θ)/(2cos² θ))/(2π).
    """
    sign = 1.0 if r >= 0 else -1.0
    a, b = x.at[:, None], sign * y.at[None, :]
    cells = x.jumps[:, None] * y.jumps[None, :]
    if abs(r) >= 1:
        together = ndtr(np.minimum(-a, -b)) - ndtr(-a) * ndtr(-b)
        return sign * float((cells * together).sum())
    end = np.arccos(abs(r))
    edges = np.pi / 2 * 0.5 ** np.arange(60)
    edges = np.append(edges[edges > end], end)
    total = 0.0
    for high, low in pairwise(edges):
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            left = low + (high - low) / 2 * (node + 1)
            cosine, sine = np.sin(left), np.cos(left)
            exponent = (a - b) ** 2 / (2 * cosine**2) + a * b / (1 + sine)
            total += weight * (high - low) / 2 * float((cells * np.exp(-exponent)).sum())
    return sign * total / (2 * np.pi)


def solve_correlation(x: Expansion, y: Expansion, wanted: float) -> float:
    """Return the copula's correlation under which two inputs have the Pearson correlation `wanted`.

    Raises
    ------
    ValueError
        If none has; says what can be had.
    """
    from scipy.optimize import brentq

    if wanted == 0 or (wanted == 1 and x is y):
        return float(wanted)
    (least, above), (most, below) = (correlation_under(x, y, end) for end in (-1.0, 1.0))
    if not least - above - LEAST_ERROR <= wanted <= most + below + LEAST_ERROR:
        raise ValueError(f"a Gaussian copula gives {least:.4f} to {most:.4f} here, not {wanted:g}")
    if wanted <= least or wanted >= most:
        r = -1.0 if wanted <= least else 1.0
    else:
        r = float(brentq(lambda r: correlation_under(x, y, r)[0] - wanted, -1.0, 1.0, xtol=1e-13))
    if (error := correlation_under(x, y, r)[1]) > LEAST_ERROR:
        raise ValueError(
            f"{wanted:g} is so near the end of what can be had that it is known to {error:.0e} only"
        )
    return r
