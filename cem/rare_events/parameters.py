"""The parameters of an input's distribution, and the score function by each: d log f(x)/dθ.

Derivatives are central differences of the log density, of the normal that a value stands for, and of mean and
standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from cem.families.base import Floats
from cem.rare_events.distributions import read_distribution
from cem.rare_events.marginals import Quantiles, quantiles_of

STEP = 1e-4  # relative to the parameter: the error of a central difference is its square


class Parameter(NamedTuple):
    """A parameter, its value and the score function of rows by it, shape ``(n,)``."""

    name: str
    value: float
    score: Floats


def parameters_of(quantiles: Quantiles, x: Floats, pull: Floats | None) -> list[Parameter]:
    """Return an input's parameters: mean and standard deviation first, then its own.

    Mean and standard deviation are moved each with the other kept, by the two parameters that leave the
    support where it is; where there is one alone, the mean by it. `pull`, shape ``(n,)``, is the derivative
    of the copula's log density by the input's normal; None for independent inputs.
    """
    f = quantiles.distribution
    if f.discrete and pull is not None:
        return [Parameter("mean", _moments(f.given)[0], np.full(x.size, np.nan))]
    own = list(_free(f.given, f.support))
    steps = [(name, value, _differences(change, value, x, pull, f.discrete)) for name, value, change in own]
    found = [Parameter(name, value, parts[0]) for name, value, parts in steps]
    mean, std = _moments(f.given)
    pair = _pair([name for name, _, _ in own])
    jacobian = np.array([[steps[k][2][1], steps[k][2][2]] for k in pair]).T
    both: list[Parameter] = []
    if len(pair) == 2 and np.isfinite(jacobian).all() and np.linalg.cond(jacobian) < 1e8:
        scores = np.array([steps[k][2][0] for k in pair]).T @ np.linalg.inv(jacobian)
        both = [Parameter("mean", mean, scores[:, 0]), Parameter("standard deviation", std, scores[:, 1])]
    elif len(pair) == 1 and np.isfinite(jacobian[0, 0]) and jacobian[0, 0] != 0:
        both = [Parameter("mean", mean, steps[pair[0]][2][0] / jacobian[0, 0])]
    if f.location_and_scale is not None:
        return both
    if not both and not found:
        return [Parameter("mean", mean, np.full(x.size, np.nan))]
    return [*both, *found]


def _pair(names: list[str]) -> list[int]:
    """Return which parameters move mean and standard deviation: location or a shape, and the scale."""
    if "loc" in names and "scale" in names:
        return [names.index("loc"), names.index("scale")]
    if "scale" in names and len(names) > 1:
        return [len(names) - 2, names.index("scale")]
    return list(range(min(2, len(names))))


def _moments(given: Any) -> tuple[float, float]:
    if hasattr(given, "std"):
        return float(given.mean()), float(given.std())
    return float(given.mean()), float(given.standard_deviation())


def _free(given: Any, support: tuple[float, float]) -> Iterator[tuple[str, float, Callable[[float], Any]]]:
    """Yield name, value and change of each parameter that leaves the support where it is."""
    if not hasattr(given, "dist"):
        normal = read_distribution(given).location_and_scale
        if normal is None:
            return
        from scipy.stats import norm

        given = norm(*normal)
    dist, discrete = given.dist, hasattr(given.dist, "pmf")
    shapes, location, scale = dist._parse_args(*given.args, **given.kwds)
    names = [each.strip() for each in (dist.shapes or "").split(",") if each.strip()]
    where = {"loc": location} if discrete else {"loc": location, "scale": scale}

    def changed(name: str) -> Callable[[float], Any]:
        def change(value: float) -> Any:
            values = {**dict(zip(names, shapes, strict=True)), **where, name: value}
            return dist(**values)

        return change

    if len(names) != len(shapes):
        return
    values = [*zip(names, shapes, strict=True), *where.items()]
    for name, value in values:
        if np.ndim(value) or (name == "loc" and discrete):
            continue
        h = step_of(float(value), float(scale))
        moved = [changed(name)(float(value) + s * h) for s in (-1, 1)]
        if all(tuple(map(float, each.support())) == support for each in moved):
            yield name, float(value), changed(name)


def step_of(value: float, scale: float) -> float:
    """Return the step of a difference."""
    return STEP * (abs(value) if value else scale)


def _differences(
    change: Callable[[float], Any], value: float, x: Floats, pull: Floats | None, discrete: bool
) -> tuple[Floats, float, float]:
    """Return the derivatives of the log density ``(n,)``, of the mean and of the standard deviation."""
    middle = read_distribution(change(value))
    h = step_of(value, float(middle.isf(0.2) - middle.ppf(0.2)) or 1.0)
    moved = [change(value + s * h) for s in (-1, 1)]
    functions = [read_distribution(each) for each in moved]
    with np.errstate(invalid="ignore"):
        score = (functions[1].log_density(x) - functions[0].log_density(x)) / (2 * h)
        if pull is not None and not discrete:
            normals = [quantiles_of(each).to_normal(x) for each in functions]
            score = score + pull * (normals[1] - normals[0]) / (2 * h)
    moments = np.array([_moments(each) for each in moved])
    with np.errstate(invalid="ignore"):
        slopes = (moments[1] - moments[0]) / (2 * h)
    return score, float(slopes[0]), float(slopes[1])
