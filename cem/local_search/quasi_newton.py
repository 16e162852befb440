"""A quasi-Newton method for boxes that needs values only.

Finite differences along the eigenvectors of the Hessian model (`cem.local_search.differences`), damped BFGS,
a projected search path and, early, one finite-difference Hessian: the ingredient worth most here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request, Step
from cem.families.base import Floats, Mask
from cem.local_search.ahead import search_ahead
from cem.local_search.curvature import Curvature, DenseCurvature, LimitedMemoryCurvature
from cem.local_search.differences import gradient, hessian, hessian_evaluations
from cem.local_search.line_search import Found, search
from cem.local_search.noise_level import NoiseLevel, along_line

DENSE_UP_TO = 200  # variables
_LEAST_STEP = 1e-7  # of the span: half of how far a difference goes where the value is 0
_FIRST_STEP = 0.1  # of the span, in each variable
_STEEPEST = 1e300  # curvature of a guess: values near the largest float are no reason for an infinite one
_LINE_POINTS = 7  # six differences, as Moré & Wild (2011) advise


@dataclass(frozen=True, eq=False)
class LocalResult:
    """Where a local stage ended.

    Attributes
    ----------
    x, value : ndarray of shape (d,), float
    model : Curvature or None
        The Hessian at `x`, as far as it was learnt.
    decrease : float
        What the last successful iteration gained.
    converged : bool
    evaluations : int
    """

    x: Floats
    value: float
    model: Curvature | None
    decrease: float
    converged: bool
    evaluations: int


@dataclass(frozen=True, eq=False)
class FirstDescent:
    """From where a first gradient led where, and the curvature seen on the way."""

    start: Floats
    start_value: float
    gradient: Floats
    x: Floats
    value: float
    curvature: float
    evaluations: int


@dataclass(frozen=True, eq=False)
class BoxQuasiNewton:
    """Minimise inside a box from one point.

    Parameters
    ----------
    domain : Domain
    span : ndarray, shape (d,)
        The size of the region, for first guesses; 0 for fixed variables.
    budget : int
        Evaluations after which no new iteration begins.
    noise : NoiseLevel
        Of the objective's values.
    at_once : int
        Rows that are best evaluated together: more than one are worth evaluations that may be in vain.
    """

    domain: Domain
    span: Floats
    budget: int
    noise: NoiseLevel
    at_once: int = 1

    def first_descent(self, x: Floats, fx: float) -> Generator[Request, Batch, FirstDescent]:
        """Go down the first gradient: what a method can do before it knows any curvature."""
        free = ~self.domain.fixed
        g = yield from gradient(self.domain, x, fx, self._guess(fx), free, self.noise.at(fx))
        free = self.free(x, g)
        if not np.any(g[free]):
            return FirstDescent(x, fx, g, x, fx, np.nan, x.size)
        direction = np.where(free, g, 0.0)
        direction /= float(np.max(np.abs(direction)))
        length = _FIRST_STEP * float(np.linalg.norm(self.span))
        step = -direction * (length / float(np.linalg.norm(direction)))
        found = yield from search(self.domain, x, fx, step, float(g @ step), self.noise.at(fx))
        yield Step(None, "quasi-Newton")
        return FirstDescent(x, fx, g, found.x, found.value, found.curvature, x.size + found.evaluations)

    def run(
        self, x: Floats, fx: float, begin: Curvature | FirstDescent | None = None, g: Floats | None = None
    ) -> Generator[Request, Batch, LocalResult]:
        """Iterate until the promised decrease drowns in the noise, searches fail, or the budget ends.

        Parameters
        ----------
        x, fx : ndarray of shape (d,), float
            Start and its value.
        begin : Curvature or FirstDescent, optional
            A model of the Hessian at `x`, or the outcome of `first_descent`, which then is not repeated.
        g : ndarray, shape (d,), optional
            With a model, the gradient at `x`, where it is known.
        """
        if begin is not None and not isinstance(begin, FirstDescent):
            return (yield from _Descent(self, x, fx, begin, g=g).run())
        first = begin or (yield from self.first_descent(x, fx))
        spent = 0 if begin else first.evaluations
        if not first.value < first.start_value:
            return LocalResult(x, fx, None, 0.0, False, spent)
        along, noise = self._scaled(first.curvature, first.value), self.noise.at(first.value)
        held = self.free(first.x, first.gradient)
        g = yield from gradient(self.domain, first.x, first.value, along, held, noise)
        step, change = first.x - first.start, g - first.gradient
        scale = float(np.linalg.norm(change) / np.linalg.norm(step))  # sqrt(y'y / s's)
        model = self._scaled(scale, first.value).updated(step, change)
        descent = _Descent(self, first.x, first.value, model, hessian_left=True)
        descent.g, descent.spent = g, spent + x.size
        descent.decrease = first.start_value - first.value
        return (yield from descent.run())

    def free(self, x: Floats, g: Floats) -> Mask:
        """Return which coordinates are not held at a bound by the gradient."""
        low, high = self.domain.low, self.domain.high
        held = ((x <= low) & (g > 0)) | ((x >= high) & (g < 0)) | self.domain.fixed
        return np.asarray(~held)

    def _guess(self, fx: float) -> Curvature:
        """Guess, before anything is known, a curvature that changes f by its own size over the region."""
        size = max(abs(fx), self.noise.absolute / _LEAST_STEP**2)
        return self._isotropic(min(size / max(float(np.mean(self.span)), 1e-100) ** 2, _STEEPEST))

    def _scaled(self, curvature: float, fx: float) -> Curvature:
        usable = np.isfinite(curvature) and curvature > 0
        return self._isotropic(curvature) if usable else self._guess(fx)

    def _isotropic(self, curvature: float) -> Curvature:
        d = self.domain.dimension
        kind = DenseCurvature if d <= DENSE_UP_TO else LimitedMemoryCurvature
        return kind.isotropic(d, curvature)


@dataclass(eq=False)
class _Descent:
    """One descent under way: the point, the model of the Hessian, and what was tried."""

    method: BoxQuasiNewton
    x: Floats
    fx: float
    model: Curvature
    hessian_left: bool = False  # whether to spend on a finite-difference Hessian, once it is affordable
    g: Floats | None = None
    ahead: Floats | None = None  # the gradient at the point, where the search has brought it along
    spent: int = 0
    decrease: float = 0.0
    central: bool = False  # differences
    measured: bool = False  # whether the noise has been
    noise: NoiseLevel = field(init=False)
    free: Mask = field(init=False)
    previous: tuple[Floats, Floats] | None = None  # point and gradient before the last step
    before_hessian: Curvature | None = None

    def __post_init__(self) -> None:
        self.noise = self.method.noise
        self.free = ~self.method.domain.fixed

    def run(self) -> Generator[Request, Batch, LocalResult]:
        d = self.x.size
        while self.spent < self.method.budget:
            noise = self.noise.at(self.fx)
            g = self.g if self.g is not None else (yield from self._look(noise))
            self.g = g
            self.free = self.method.free(self.x, g)
            if not np.any(g[self.free]):
                return self._result(bool(np.any(g)))  # held at bounds: solved; no slope at all: a plateau
            step, slope = self._direction(g)
            if -slope < d * noise:  # half of it is promised: less than the gradient's own error
                if self.central:
                    return self._result(True)
                self._distrust(central=True)
                continue
            found = yield from self._search(step, slope, noise)
            self.spent += found.evaluations
            if found.value < self.fx:
                self._accept(found.x, found.value, g, noise)
            elif not (yield from self._mend(noise)):
                return self._result(False)
            yield Step(None, "quasi-Newton")
        return self._result(False)

    def _look(self, noise: float) -> Generator[Request, Batch, Floats]:
        """Measure the gradient, or gradient and Hessian; learn from how the gradient has changed."""
        domain, d = self.method.domain, self.x.size
        if self.hessian_left and not self.central and isinstance(self.model, DenseCurvature):
            price = hessian_evaluations(int(self.free.sum()))
            if self.spent >= 0.5 * price + d:
                self.hessian_left = False
                full = yield from hessian(domain, self.x, self.fx, self.model, self.free, noise)
                if full is not None:
                    self.spent += price
                    self.before_hessian, self.previous = self.model, None
                    g, self.model = full
                    return g
        if self.ahead is not None:
            g = self.ahead
        else:
            g = yield from gradient(domain, self.x, self.fx, self.model, self.free, noise, self.central)
            self.spent += d * (2 if self.central else 1)
        if self.previous is not None:
            self.model = self.model.updated(self.x - self.previous[0], g - self.previous[1])
        return g

    def _search(self, step: Floats, slope: float, noise: float) -> Generator[Request, Batch, Found]:
        self.ahead = None
        domain, at_once = self.method.domain, self.method.at_once
        if at_once == 1:
            return (yield from search(domain, self.x, self.fx, step, slope, noise))
        found, self.ahead = yield from search_ahead(
            domain, self.x, self.fx, step, slope, noise, self.model, self.free, self.central, at_once
        )
        return found

    def _direction(self, g: Floats) -> tuple[Floats, float]:
        """Return Newton's step and its slope; those of steepest descent where it does not lead down."""
        with np.errstate(all="ignore"):
            step = self.model.newton_step(g, self.free)
            slope = float(g @ step)
        if -np.inf < slope < 0 and np.all(np.isfinite(step)):
            return step, slope
        return -np.where(self.free, g, 0.0), -float(g[self.free] @ g[self.free])

    def _accept(self, x: Floats, value: float, g: Floats, noise: float) -> None:
        self.decrease = self.fx - value
        self.previous = self.x, g
        self.x, self.fx, self.g = x, value, None
        self.before_hessian = None
        self.central = self.central and self.decrease < 100 * x.size * noise

    def _mend(self, noise: float) -> Generator[Request, Batch, bool]:
        """After a failed search, doubt in turn the Hessian, the noise level and one-sided differences."""
        if self.before_hessian is not None:
            self.model, self.before_hessian = self.before_hessian, None
            self._distrust(central=self.central)
        elif not self.measured:
            self.measured = True
            found = yield from self._measured_noise(noise)
            self._distrust(central=not found > 3 * noise)
            self.noise = self.noise.at_least(found, self.fx)
        elif not self.central:
            self._distrust(central=True)
        else:
            return False
        return True

    def _distrust(self, central: bool) -> None:
        """Have the gradient measured anew."""
        self.g, self.ahead, self.previous, self.central = None, None, None, central

    def _measured_noise(self, noise: float) -> Generator[Request, Batch, float]:
        """Estimate the noise along the steepest axis of the model, in steps as long as its differences."""
        basis, curvature = self.model.directions(self.free)
        i = int(np.argmax(np.where(self.free, curvature, 0.0) if basis is None else curvature))
        direction = np.zeros(self.x.size)
        if basis is None:
            direction[i] = 1.0
        else:
            direction = basis[:, i]
        spacing = 2 * float(np.sqrt(noise / curvature[i]))
        self.spent += _LINE_POINTS - 1
        found = yield from along_line(
            self.method.domain, self.x, self.fx, direction, spacing, points=_LINE_POINTS
        )
        return found or 0.0

    def _result(self, converged: bool) -> LocalResult:
        return LocalResult(self.x, self.fx, self.model, self.decrease, converged, self.spent)
