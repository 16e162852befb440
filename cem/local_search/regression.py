"""Quadratic models of many scattered values, where noise hides what a few of them say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cem.core.constraints import Constraints
from cem.families.base import Floats

RIDGE = 1e-3  # of a point's weight, on each standardised coefficient
POINTS_PER_COEFFICIENT = 2  # below, only the diagonal is fitted; below that too, nothing
TRUST = 1.5  # median radii of the points: farther out the model is not asked
REPAIRS = 8  # corrections of a model of the constraints: Newton's method doubles the digits
ROOM = 1e-9  # of a constraint's range among the points: inequalities are met with so much to spare
_HALVINGS = 60  # of an interval of shifts: to the last bit


class Quadratic(NamedTuple):
    """``constant + slope · z + z · hessian · z / 2``."""

    constant: float
    slope: Floats
    hessian: Floats


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points in whitened coordinates ``z``, where ``x = centre + root z``.

    Attributes
    ----------
    centre : ndarray, shape (d,)
    root : ndarray, shape (d, d)
    z : ndarray, shape (n, d)
    radius : float
        How far the models may be trusted.
    """

    centre: Floats
    root: Floats
    z: Floats
    radius: float

    @classmethod
    def of(cls, x: Floats) -> Cloud | None:
        """Return the cloud of the rows of `x`, shape ``(n, d)``; None where they are too few."""
        n, d = x.shape
        if n < POINTS_PER_COEFFICIENT * (1 + 2 * d):
            return None
        centre = x.mean(axis=0)
        values, vectors = np.linalg.eigh((x - centre).T @ (x - centre) / n)
        axes = np.sqrt(np.maximum(values, 1e-14 * values[-1]))
        if not axes[0] > 0:
            return None
        z = (x - centre) @ (vectors / axes)
        return cls(centre, vectors * axes, z, TRUST * float(np.median(np.linalg.norm(z, axis=1))))

    def fit(self, values: Floats) -> Quadratic:
        """Fit a quadratic to `values`, shape ``(n,)``, by ridge regression."""
        n, d = self.z.shape
        first, second = np.triu_indices(d)
        full = n >= POINTS_PER_COEFFICIENT * (1 + d + first.size)
        squares = self.z[:, first] * self.z[:, second] if full else self.z**2
        columns = np.column_stack([self.z, squares])
        means, sizes = columns.mean(axis=0), columns.std(axis=0)
        sizes[sizes == 0] = 1.0
        scaled = (columns - means) / sizes
        gram = scaled.T @ scaled + RIDGE * np.eye(len(means))
        coefficients = np.linalg.solve(gram, scaled.T @ (values - values.mean())) / sizes
        constant = float(values.mean() - coefficients @ means)
        hessian = np.zeros((d, d))
        if full:
            hessian[first, second] = coefficients[d:]
            hessian += hessian.T
        else:
            hessian[np.diag_indices(d)] = 2 * coefficients[d:]
        return Quadratic(constant, coefficients[:d], hessian)

    def point(self, z: Floats) -> Floats:
        """Return where whitened coordinates are, shape ``(d,)``."""
        return np.asarray(self.centre + self.root @ z)


def minimise_in_ball(slope: Floats, hessian: Floats, radius: float) -> Floats:
    """Return the minimiser of ``slope · z + z · hessian · z / 2`` in ``|z| <= radius``, shape ``(d,)``.

    References
    ----------
    Nocedal & Wright (2006), "Numerical Optimization", Theorem 4.1.
    """
    values, vectors = np.linalg.eigh(hessian)
    along = vectors.T @ slope

    def step(shift: float) -> Floats:
        return np.asarray(-along / np.maximum(values + shift, 1e-300))

    if values[0] > 0 and np.linalg.norm(step(0.0)) <= radius:
        return np.asarray(vectors @ step(0.0))
    size = float(np.abs(values).max())
    low = max(0.0, -float(values[0])) + 1e-12 * size
    high = low + float(np.linalg.norm(along)) / max(radius, 1e-300) + 2 * size + 1e-300
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if np.linalg.norm(step(middle)) > radius else (low, middle)
    return np.asarray(vectors @ step(high))


def minimise_under_constraints(
    objective: Quadratic, sides: list[tuple[Quadratic, bool]], radius: float
) -> Floats | None:
    """Look for the minimiser in ``|z| <= radius`` under quadratic constraints, shape ``(d,)``.

    Parameters
    ----------
    objective : Quadratic
    sides : list of (Quadratic, bool)
        A side's model and whether it is to be 0 rather than at most 0.
    radius : float

    Returns
    -------
    ndarray or None
        None where the search broke down.
    """
    from scipy.optimize import minimize

    def value(model: Quadratic, z: Floats) -> float:
        return float(model.constant + model.slope @ z + z @ model.hessian @ z / 2)

    def slope(model: Quadratic, z: Floats) -> Floats:
        return np.asarray(model.slope + model.hessian @ z)

    size = max(float(np.abs(objective.slope).max()), float(np.abs(objective.hessian).max()), 1e-300)
    sizes = [max(float(np.abs(m.slope).max()), float(np.abs(m.hessian).max()), 1e-300) for m, _ in sides]
    ball = {"type": "ineq", "fun": lambda z: 1 - z @ z / radius**2, "jac": lambda z: -2 * z / radius**2}
    limits = [
        {
            "type": "eq" if equal else "ineq",
            "fun": lambda z, m=model, s=unit: -value(m, z) / s,
            "jac": lambda z, m=model, s=unit: -slope(m, z) / s,
        }
        for (model, equal), unit in zip(sides, sizes, strict=True)
    ]
    with np.errstate(all="ignore"):
        found = minimize(  # type: ignore[call-overload]
            lambda z: value(objective, z) / size,
            np.zeros(objective.slope.size),
            jac=lambda z: slope(objective, z) / size,
            method="SLSQP",
            constraints=[ball, *limits],
            options={"maxiter": 100, "ftol": 1e-10},
        )
    return np.asarray(found.x) if np.all(np.isfinite(found.x)) else None


def minimise_feasibly(
    cloud: Cloud,
    model: Quadratic | None,
    residuals: Floats,
    centre: Floats,
    constraints: Constraints,
    ask: Callable[[Floats], tuple[Floats, Floats]],
) -> Floats | None:
    """Minimise a model under models of the constraints, then meet these exactly; None if that fails.

    What a point's true residuals are short of is made good by moving the models.

    Parameters
    ----------
    cloud : Cloud
    model : Quadratic or None
        Of what is minimised; None: the distance to `centre`.
    residuals : ndarray, shape (n, m)
        Of the cloud's points.
    centre : ndarray, shape (d,)
    constraints : Constraints
    ask : callable
        From a point, shape ``(d,)``, to the nearest one in the domain and its residuals, shape ``(m,)``.
    """
    if model is None:
        target = np.linalg.solve(cloud.root, centre - cloud.centre)
        model = Quadratic(0.0, np.asarray(-target), np.eye(target.size))
    models = [cloud.fit(column) for column in residuals.T]
    room = np.where(constraints.equality, 0.0, ROOM * np.ptp(residuals, axis=0))
    shift = room
    for _ in range(REPAIRS):
        sides = [
            (each._replace(constant=each.constant + float(by)), bool(equal))
            for each, by, equal in zip(models, shift, constraints.equality, strict=True)
        ]
        z = minimise_under_constraints(model, sides, cloud.radius)
        if z is None:
            return None
        x, true = ask(cloud.point(z))
        if not np.all(np.isfinite(true)):
            return None
        if constraints.met(true):
            return x
        expected = np.array([each.constant + each.slope @ z + z @ each.hessian @ z / 2 for each in models])
        shift = true - expected + room
    return None
