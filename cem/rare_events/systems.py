"""Systems of several limit states: what fails where, and with which probability a surrogate says so.

A mode's margin is how far its performance lies beyond its level, in units of the mode's median distance to it
over the first batch: the mode has failed where the margin is at least 0. A system is a structure function of
the margins (Barlow & Proschan 1975, "Statistical Theory of Reliability and Life Testing", Chapter 1): series
takes the largest, parallel the smallest, and a user's own one is made of minima, maxima and order statistics,
so that its sign depends on the modes' signs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri_exp

from cem.core.budget import real_number
from cem.evaluation.objective import as_score, as_scores
from cem.families.base import Array, Floats

Structure = str | Callable[[Floats], Any]
MOST_STATES = 2**10  # combinations of failing modes that are added up; beyond, the most likely one decides
HINT = '; of several limit states say which system they make, system="series" or "parallel"'


@dataclass(frozen=True, eq=False)
class LimitStates:
    """Several limit states as one performance: their numbers side by side."""

    functions: tuple[Callable[..., Any], ...]
    vectorized: bool

    def __call__(self, x: Array, *args: Any) -> Floats:
        """Return the numbers of one row, shape ``(k,)``, or of rows ``(n, d)``, shape ``(n, k)``."""
        if self.vectorized:
            return np.column_stack([as_scores(g(x, *args), len(x), x.shape[1]) for g in self.functions])
        return np.array([as_score(g(x, *args)) for g in self.functions])


@dataclass(eq=False)
class System:
    """How the numbers of several limit states become one score; the system fails where it is at least 0.

    Attributes
    ----------
    structure : {"series", "parallel"} or callable
    levels : ndarray, shape (k,) or (1,)
    sign : float
        1 where a mode fails above its level, -1 where below.
    names : tuple of str
        Of the modes; empty until it is known how many there are.
    units : ndarray, shape (k,), or None
        What margins are measured in: the median distance to the level in the first batch.
    """

    structure: Structure
    levels: Floats
    sign: float
    names: tuple[str, ...] = ()
    units: Floats | None = None

    def count(self, modes: int) -> None:
        """Learn how many modes there are.

        Raises
        ------
        ValueError
            If there is one only.
        """
        if modes < 2:
            raise ValueError("system= is for several limit states, and the performance returns one number.")
        self.names = self.names or tuple(f"g{j}" for j in range(modes))

    def combine(self, values: Floats) -> tuple[Floats, Floats]:
        """Return the system's scores, shape ``(n,)``, and the margins of performances, both ``(n, k)``."""
        gaps = self.sign * (values - self.levels)
        if self.units is None:
            self.units = np.array([_unit(column) for column in gaps.T])
        margins = gaps / self.units
        return self.score(margins), margins

    def score(self, margins: Floats) -> Floats:
        """Return the system's score of margins ``(n, k)``, shape ``(n,)``.

        It is NaN only where margins that are NaN decide whether the system fails.
        """
        lost = np.isnan(margins)
        if not lost.any():
            return self.margin(margins)
        best, worst = (self.margin(np.where(lost, end, margins)) for end in (-np.inf, np.inf))
        return np.where(best >= 0, best, np.where(worst < 0, worst, np.nan))

    def margin(self, margins: Floats) -> Floats:
        """Return the structure function of margins ``(n, k)`` that are numbers, shape ``(n,)``.

        Raises
        ------
        TypeError, ValueError
            If a user's own returns anything else, or depends on more than which modes fail.
        """
        if self.structure == "series":
            return np.asarray(margins.max(axis=1))
        if self.structure == "parallel":
            return np.asarray(margins.min(axis=1))
        own = self._own(margins)
        if ((own >= 0) != (self._own(np.where(margins >= 0, 1.0, -1.0)) >= 0)).any():
            raise ValueError(
                "system= must fail or not by which modes fail alone: make it of np.minimum, np.maximum and "
                "np.sort of the margins; what depends on their sizes belongs in the performance."
            )
        return own

    def _own(self, margins: Floats) -> Floats:
        found = np.asarray(self.structure(margins))  # type: ignore[operator]
        if found.dtype.kind == "b":
            raise TypeError(
                "system= must return margins, at least 0 where the system fails, and no truth values: "
                "np.maximum in place of |, np.minimum in place of &."
            )
        if found.shape != (len(margins),):
            raise ValueError(
                f"system= gets the margins of n rows, shape {margins.shape}, and must return n numbers; "
                f"got shape {found.shape}."
            )
        return found.astype(np.float64)

    def verdict(self, z: Floats) -> Floats:
        """Return Φ⁻¹ of the probability that the system fails, shape ``(n,)``.

        Mode j fails with probability Φ(z_j), `z` of shape ``(n, k)``, independently of the others.
        """
        with np.errstate(divide="ignore"):
            if self.structure == "series":
                survives = log_ndtr(-z).sum(axis=1)
                fails = np.log(-np.expm1(survives))
            elif self.structure == "parallel":
                fails = log_ndtr(z).sum(axis=1)
                survives = np.log(-np.expm1(fails))
            elif 2 ** z.shape[1] > MOST_STATES:
                return self.margin(z)
            else:
                fails, survives = self._by_state(z)
            found = np.where(fails < survives, ndtri_exp(fails), -ndtri_exp(survives))
        return np.where(np.isfinite(found), found, self.margin(z))

    def _by_state(self, z: Floats) -> tuple[Floats, Floats]:
        """Return the logarithms of the chances to fail and not to, added up over what the modes may do."""
        states = np.array(list(product((-1.0, 1.0), repeat=z.shape[1])))
        down = self._own(states) >= 0
        logs = np.stack([log_ndtr(state * z).sum(axis=1) for state in states])
        none = np.full((1, len(z)), -np.inf)
        fails, survives = (logsumexp(np.vstack([logs[which], none]), axis=0) for which in (down, ~down))
        return fails, survives

    def responsibilities(self, z: Floats) -> Floats:
        """Return how far each mode's own doubt is the system's, shape ``(n, k)``.

        That is the standard deviation of a mode's indicator times how often it decides (Birnbaum's measure).
        """
        found = np.empty_like(z)
        for j in range(z.shape[1]):
            ends = []
            for end in (np.inf, -np.inf):
                moved = z.copy()
                moved[:, j] = end
                ends.append(ndtr(self.verdict(moved)))
            found[:, j] = (ends[0] - ends[1]) * np.sqrt(ndtr(z[:, j]) * ndtr(-z[:, j]))
        return found


def _unit(gaps: Floats) -> float:
    sizes = np.abs(gaps[np.isfinite(gaps)])
    if not sizes.size:
        return 1.0
    return float(np.median(sizes)) or float(sizes.max()) or 1.0


def read_system(
    performance: Any, level: Any, tail: str, system: Any, vectorized: bool
) -> tuple[Any, System | None]:
    """Return the performance that is called, and the system that its numbers make; None where it is of one.

    Raises
    ------
    ValueError, TypeError
        For limit states without a system, or arguments that do not fit together.
    """
    several = isinstance(performance, Mapping | Sequence) and not isinstance(performance, str)
    if system is None:
        if several:
            raise ValueError(f"there are several limit states{HINT}.")
        if np.ndim(level) > 0:
            raise ValueError(f"level must be one number, got {level!r}{HINT}.")
        return performance, None
    if not callable(system) and system not in ("series", "parallel"):
        raise ValueError(f'system must be "series", "parallel" or a callable, got {system!r}.')
    names: tuple[str, ...] = ()
    if several:
        names = _names(performance)
        functions = tuple(performance.values() if isinstance(performance, Mapping) else performance)
        if len(functions) < 2:
            raise ValueError(f"a system has two limit states at the least, got {len(functions)}.")
        for name, function in zip(names, functions, strict=True):
            if not callable(function):
                raise TypeError(f"limit state {name} must be callable, got {type(function).__name__}.")
        performance = LimitStates(functions, vectorized)
    levels = _levels(level, len(names))
    if len(levels) > 1 and not names:
        names = tuple(f"g{j}" for j in range(len(levels)))
    return performance, System(system, levels, 1.0 if tail == "upper" else -1.0, names)


def _names(performance: Any) -> tuple[str, ...]:
    """Return the names of limit states: the keys of a dict, or of distinct functions their own."""
    if isinstance(performance, Mapping):
        return tuple(str(name) for name in performance)
    own = tuple(getattr(g, "__name__", "") for g in performance)
    if all(name.isidentifier() for name in own) and len(set(own)) == len(own):
        return own
    return tuple(f"g{j}" for j in range(len(own)))


def _levels(level: Any, modes: int) -> Floats:
    if level is None:
        raise ValueError("level= is missing: a mode fails where performance(x) >= level.")
    if np.ndim(level) == 0:
        levels = np.array([real_number("level", level)])
    else:
        levels = np.array([real_number("level", each) for each in level])
        if len(levels) < 2 or (modes and len(levels) != modes):
            raise ValueError(
                f"level must be one number, or one for each of the limit states"
                f"{f' ({modes})' if modes else ''}; got {len(levels)}."
            )
    if not np.isfinite(levels).all():
        raise ValueError(f"levels must be finite numbers, got {level!r}.")
    return levels
