"""What is asked of one input's distribution: one frozen by scipy.stats, or one of scipy's newer kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cem.clock import look_at_clock
from cem.families.base import Floats

FROZEN = ("ppf", "isf", "logcdf", "logsf")


@dataclass(frozen=True, eq=False)
class Distribution:
    """The functions of a distribution on the real line, each of arrays; none of them warns.

    Attributes
    ----------
    name : str
    discrete : bool
    support : tuple of float
        Its ends.
    ppf, isf : callable
        Quantiles by the probability below and above.
    log_cdf, log_sf : callable
        Logarithms of the probabilities at or below, and above.
    log_density : callable
        Logarithm of the density, or of the mass.
    given : object
        What the user gave.
    """

    name: str
    discrete: bool
    support: tuple[float, float]
    ppf: Callable[[ArrayLike], Floats]
    isf: Callable[[ArrayLike], Floats]
    log_cdf: Callable[[ArrayLike], Floats]
    log_sf: Callable[[ArrayLike], Floats]
    log_density: Callable[[ArrayLike], Floats]
    given: Any

    @property
    def variance(self) -> float:
        """As scipy says; NaN where it says nothing."""
        value = self.given.var if hasattr(self.given, "var") else self.given.variance
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return float(value())
        except (ArithmeticError, ValueError, RuntimeError, NotImplementedError):
            return float("nan")

    @property
    def location_and_scale(self) -> tuple[float, float] | None:
        """Mean and standard deviation of a normal distribution; None of any other."""
        given = self.given
        if self.name == "norm":
            _, location, scale = given.dist._parse_args(*given.args, **given.kwds)
            return float(location), float(scale)
        if self.name == "Normal":
            return float(given.mu), float(given.sigma)
        return None

    @property
    def points(self) -> tuple[Floats, Floats] | None:
        """Values in rising order and their probabilities, where the user listed them; else None."""
        dist = getattr(self.given, "dist", None)
        if dist is None or not (self.discrete and hasattr(dist, "xk") and hasattr(dist, "pk")):
            return None
        location = dist._parse_args(*self.given.args, **self.given.kwds)[1]
        order = np.argsort(dist.xk, kind="stable")
        pairs = np.asarray(dist.xk, np.float64)[order] + location, np.asarray(dist.pk, np.float64)[order]
        possible = pairs[1] > 0
        return pairs[0][possible], pairs[1][possible]


def is_distribution(given: object) -> bool:
    """Whether an object is a frozen distribution of scipy.stats, or one of its newer kind."""
    if isinstance(given, type):
        return False
    frozen = all(hasattr(given, name) for name in ("ppf", "isf", "dist"))
    return frozen or all(hasattr(given, name) for name in ("icdf", "iccdf", "logccdf", "support"))


def read_distribution(given: Any) -> Distribution:
    """Return the functions of a frozen distribution or of one of scipy's newer kind."""
    names: tuple[str, ...]
    if hasattr(given, "iccdf"):
        discrete = "Discrete" in " ".join(each.__name__ for each in type(given).__mro__)
        name, names = type(given).__name__, ("icdf", "iccdf", "logcdf", "logccdf")
    else:
        discrete = hasattr(given.dist, "pmf")
        name, names = getattr(given.dist, "name", None) or type(given.dist).__name__, FROZEN
    ppf, isf, log_cdf, log_sf = (_quiet(getattr(given, each)) for each in names)
    log_density = _quiet(given.logpmf if discrete else given.logpdf)
    low, high = given.support()
    support = float(low), float(high)
    return Distribution(name, discrete, support, ppf, isf, log_cdf, log_sf, log_density, given)


def _quiet(function: Callable[[Any], Any]) -> Callable[[ArrayLike], Floats]:
    """Return a function of arrays that gives floats, and NaN where it fails; it never warns."""

    def quiet(x: ArrayLike) -> Floats:
        look_at_clock()
        x = np.asarray(x, dtype=np.float64)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return np.array(function(x), dtype=np.float64)
            except (ArithmeticError, ValueError, RuntimeError):
                if x.ndim == 0:
                    return np.array(np.nan)
        return np.array([quiet(each) for each in x.ravel()]).reshape(x.shape)

    return quiet
