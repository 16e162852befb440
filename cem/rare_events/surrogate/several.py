"""The surrogate of a system: one of each mode's margin, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cem.families.base import Floats
from cem.rare_events.surrogate.gaussian_process import GaussianProcess
from cem.rare_events.surrogate.model import Surrogate
from cem.rare_events.systems import System


@dataclass(frozen=True, eq=False)
class JointProcess:
    """The modes' Gaussian processes as one, each as far as its doubt is the system's."""

    parts: tuple[GaussianProcess, ...]
    zeros: Floats
    system: System

    def covariance(self, u: Floats) -> Floats:
        """Return the covariance of doubt at rows ``(m, d)``, shape ``(m, m)``: 1 where a mode is a coin."""
        every = [part.covariance(u) for part in self.parts]
        deviations = [np.sqrt(np.maximum(np.diag(each), 1e-14)) for each in every]
        means = [part.predict(u)[0] - zero for part, zero in zip(self.parts, self.zeros, strict=True)]
        z = np.column_stack([m / s for m, s in zip(means, deviations, strict=True)])
        roles = self.system.responsibilities(z)
        total = np.zeros((len(u), len(u)))
        for role, each, deviation in zip(roles.T, every, deviations, strict=True):
            scale = role / deviation
            total += each * np.outer(scale, scale)
        return total


@dataclass(eq=False)
class SystemSurrogate:
    """One surrogate for each mode, by the same rows; each as in `Surrogate`, shapes ``(n, k)`` for ``(n,)``.

    Attributes
    ----------
    system : System
    x : ndarray, shape (n, d)
    scores : ndarray, shape (n, k)
        Margins.
    """

    system: System
    x: Floats
    scores: Floats
    parts: tuple[Surrogate, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = tuple(Surrogate(0.0, self.x, column) for column in self.scores.T)

    def add(self, x: Floats, scores: Floats) -> None:
        """Take in further rows ``(m, d)`` with their margins ``(m, k)``, and keep the hyperparameters."""
        for part, column in zip(self.parts, scores.T, strict=True):
            part.add(x, column)
        self.x, self.scores = np.vstack([self.x, x]), np.vstack([self.scores, scores])

    def fit(self, *, choose: bool = False) -> None:
        """Find the hyperparameters of each anew; `choose`: also the transforms."""
        for part in self.parts:
            part.fit(choose=choose)

    @property
    def process(self) -> JointProcess:
        """The processes as one."""
        zeros = np.array([part.zero for part in self.parts])
        return JointProcess(tuple(part.process for part in self.parts), zeros, self.system)

    @property
    def transform(self) -> str:
        """Names of the transforms."""
        return ", ".join(part.transform for part in self.parts)

    def predict(self, u: Floats) -> tuple[Floats, Floats]:
        """Return means and standard deviations of the margins at rows ``(m, d)``, both ``(m, k)``."""
        found = [part.predict(u) for part in self.parts]
        return np.column_stack([mean for mean, _ in found]), np.column_stack([s for _, s in found])

    def judge(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        """Return Φ⁻¹ of the chance that the system fails, shape ``(m,)``, and ones."""
        return self.system.verdict(mean / deviation), np.ones(len(mean))

    @property
    def deviation_scale(self) -> float:
        """The largest one of the modes'."""
        return max(part.deviation_scale for part in self.parts)

    @property
    def worst_outlier(self) -> float:
        """The largest one of the modes'."""
        return max(part.worst_outlier for part in self.parts)

    def surprise(self, mean: Floats, deviation: Floats, scores: Floats) -> Floats:
        """Return the largest surprise among the modes, shape ``(m,)``."""
        columns = zip(self.parts, mean.T, deviation.T, scores.T, strict=True)
        every = np.column_stack([part.surprise(m, s, y) for part, m, s, y in columns])
        return np.asarray(every[np.arange(len(every)), np.abs(every).argmax(axis=1)])

    def remember(self, mean: Floats, deviation: Floats, scores: Floats) -> None:
        """Learn each mode's scale of deviations."""
        for part, m, s, y in zip(self.parts, mean.T, deviation.T, scores.T, strict=True):
            part.remember(m, s, y)
