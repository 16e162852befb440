"""Gradients and Hessians from finite differences along given directions, inside the box.

A difference over the step h along a direction of curvature c errs by about eps / h (noise) and h c / 2
(curvature); h = 2 sqrt(eps / c) balances them (Gill, Murray, Saunders & Wright 1983). Taken along the
eigenvectors of a Hessian model, the error of a gradient then costs a Newton step about d * eps,
however ill-conditioned the objective.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cem.core.domain import Domain
from cem.core.loop import Batch, Request
from cem.families.base import Floats, Mask
from cem.local_search.curvature import Curvature, DenseCurvature
from cem.local_search.requests import values_at, values_by_blocks

_ENTRY_NOISE = 1e-7  # noise of an entry, relative to the curvature: what the steps below are sized for


def steps_inside(domain: Domain, x: Floats, basis: Floats | None, lengths: Floats) -> Floats:
    """Sign, and shorten where there is no other way, steps along the columns of `basis` (None: the axes)."""
    if basis is None:
        up, down = domain.high - x, x - domain.low
    else:
        with np.errstate(all="ignore"):
            towards_high = (domain.high - x)[:, None] / basis
            towards_low = (domain.low - x)[:, None] / basis
        flat = basis == 0
        up = np.where(flat, np.inf, np.maximum(towards_high, towards_low)).min(axis=0)
        down = np.where(flat, np.inf, np.maximum(-towards_high, -towards_low)).min(axis=0)
    forward = np.minimum(lengths, up)
    backward = np.minimum(lengths, down)
    return np.where(forward >= backward, forward, -backward)


def displaced(
    domain: Domain, x: Floats, basis: Floats | None, steps: Floats, which: NDArray[np.intp]
) -> Floats:
    """Return the rows ``x + steps[k] * basis[:, which[k]]``, inside the box."""
    if basis is None:
        rows = np.repeat(x[None], which.size, axis=0)
        rows[np.arange(which.size), which] += steps
    else:
        rows = x + steps[:, None] * basis.T[which]
    return domain.project(rows)


@dataclass(frozen=True, eq=False)
class Differences:
    """Differences at `x` along the axes of a Hessian model: ``steps[k]`` along the axis ``axes[k]``.

    Central ones have the steps to the other side after them, where there is room.
    """

    domain: Domain
    x: Floats
    basis: Floats | None
    steps: Floats
    axes: NDArray[np.intp]
    one_sided: int  # how many of the steps come first

    @classmethod
    def along(
        cls, domain: Domain, x: Floats, model: Curvature, free: Mask, noise: float, central: bool
    ) -> Differences:
        """Choose the steps that balance noise and curvature."""
        basis, curvature = model.directions(free)
        length = 2 * np.sqrt(noise / curvature)
        length = np.maximum(length, 1e-14 * float(np.max(np.abs(x))))  # what x itself resolves
        if central:
            length = 3 * length  # third derivatives, not curvature, now set the error
        steps = steps_inside(domain, x, basis, length)
        axes = np.flatnonzero(steps)
        back = np.flatnonzero(_fits(domain, x, basis, -steps)) if central else axes[:0]
        both = np.concatenate([steps[axes], -steps[back]])
        return cls(domain, x, basis, both, np.concatenate([axes, back]), axes.size)

    def rows(self, part: slice = slice(None)) -> Floats:
        """Return where to evaluate, a row for each step."""
        return displaced(self.domain, self.x, self.basis, self.steps[part], self.axes[part])

    def gradient(self, values: Floats, fx: float) -> Floats:
        """Return the gradient from the values there; 0 along axes without a finite one."""
        slopes = np.zeros(self.x.size if self.basis is None else self.basis.shape[1])
        first, k = self.axes[: self.one_sided], self.one_sided
        with np.errstate(all="ignore"):
            slopes[first] = (values[:k] - fx) / self.steps[:k]
            ahead = np.full(slopes.size, np.nan)
            ahead[first] = values[:k]
            back = self.axes[k:]
            slopes[back] = (ahead[back] - values[k:]) / (-2 * self.steps[k:])
        slopes = np.where(np.isfinite(slopes), slopes, 0.0)
        return slopes if self.basis is None else np.asarray(self.basis @ slopes)


def gradient(
    domain: Domain,
    x: Floats,
    fx: float,
    model: Curvature,
    free: Mask,
    noise: float,
    central: bool = False,
) -> Generator[Request, Batch, Floats]:
    """Estimate the gradient from one-sided or central differences along the axes of a Hessian model.

    Parameters
    ----------
    domain : Domain
    x, fx : ndarray of shape (d,), float
        The point and its value.
    model : Curvature
    free : ndarray of bool, shape (d,)
        Coordinates not held at a bound: the model's axes are taken within these.
    noise : float
        Of the values.
    central : bool
        Twice the evaluations for an error of higher order.

    Returns
    -------
    ndarray, shape (d,)
        0 along axes on which no finite value or no room was found.
    """
    there = Differences.along(domain, x, model, free, noise, central)
    if there.axes.size == 0:
        return np.zeros(x.size)
    values = yield from values_by_blocks(there.rows, there.axes.size, x.size)
    return there.gradient(values, fx)


def _fits(domain: Domain, x: Floats, basis: Floats | None, steps: Floats) -> Mask:
    """Return along which axes a step stays inside the box."""
    if basis is None:
        moved = x + steps
        return np.asarray((moved >= domain.low) & (moved <= domain.high) & (steps != 0))
    return np.asarray(~domain.outside(x + steps[:, None] * basis.T) & (steps != 0))


def hessian_evaluations(n: int) -> int:
    """Return the evaluations that `hessian` takes over `n` free coordinates."""
    return (n * n + 3 * n) // 2


@dataclass(frozen=True, eq=False)
class SecondDifferences:
    """Differences of second order at `x`, over the free coordinates, in the basis in which `model` is I."""

    domain: Domain
    x: Floats
    model: DenseCurvature
    free: Mask
    basis: Floats
    curvature: Floats
    steps: Floats

    @classmethod
    def along(
        cls, domain: Domain, x: Floats, model: DenseCurvature, free: Mask, noise: float
    ) -> SecondDifferences | None:
        """Choose the steps, which leave the entries a noise of about 1e-7; None where the box has no room."""
        basis, curvature = model.eigenvectors(free)
        wanted = np.sqrt(4 * noise / _ENTRY_NOISE) / np.sqrt(curvature)
        steps = steps_inside(domain, x, basis, 2 * wanted) / 2  # pairs are midpoints of doubled steps: inside
        if np.any(np.abs(steps) < 0.05 * wanted):
            return None
        return cls(domain, x, model, free, basis, curvature, steps)

    def rows(self) -> Floats:
        """Return where to evaluate: `hessian_evaluations` rows."""
        moves = self.steps[:, None] * self.basis.T
        first, second = np.triu_indices(self.steps.size, 1)
        rows = [self.x + moves, self.x + 2 * moves, self.x + moves[first] + moves[second]]
        return self.domain.project(np.concatenate(rows))

    def learned(self, values: Floats, fx: float) -> tuple[Floats, DenseCurvature] | None:
        """Return gradient and model from the values there; None where one is not finite."""
        if not np.all(np.isfinite(values)):
            return None
        steps, basis, curvature = self.steps, self.basis, self.curvature
        one, two, pair = np.split(values, [steps.size, 2 * steps.size])
        with np.errstate(all="ignore"):
            scaled = _second_differences(fx, one, two, pair)
            scaled /= np.outer(steps * np.sqrt(curvature), steps * np.sqrt(curvature))
            slopes = (4 * one - two - 3 * fx) / 2 / steps  # exact for quadratics
        if not (np.all(np.isfinite(scaled)) and np.all(np.isfinite(slopes))):
            return None
        eigenvalues, vectors = np.linalg.eigh(scaled)
        sizes = np.abs(eigenvalues)
        sizes = np.maximum(sizes, 1e-6 * max(float(sizes.max()), 1e-12))
        root = (basis * np.sqrt(curvature)) @ vectors
        part = ((root * sizes) @ root.T)[np.ix_(self.free, self.free)]
        return basis @ slopes, self.model.with_block(self.free, (part + part.T) / 2)


def hessian(
    domain: Domain, x: Floats, fx: float, model: DenseCurvature, free: Mask, noise: float
) -> Generator[Request, Batch, tuple[Floats, DenseCurvature] | None]:
    """Estimate gradient and Hessian over the free coordinates, by `SecondDifferences`.

    Returns
    -------
    tuple of ndarray and DenseCurvature, or None
        None where the box leaves no room or a value is not finite.
    """
    there = SecondDifferences.along(domain, x, model, free, noise)
    if there is None:
        return None
    return there.learned((yield from values_at(there.rows())), fx)


def _second_differences(fx: float, one: Floats, two: Floats, pair: Floats) -> Floats:
    """Arrange values one and two steps along each axis and one along each pair as second differences."""
    n = one.size
    first, second = np.triu_indices(n, 1)
    out = np.zeros((n, n))
    out[first, second] = pair - one[first] - one[second] + fx
    out += out.T
    out[np.diag_indices(n)] = two - 2 * one + fx
    return out
