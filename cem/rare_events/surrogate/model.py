"""The surrogate of a score: a Gaussian process of the score on the scale that suits it best.

Scores are measured from the level in units of the median distance to it, and transformed by what the likelihood
prefers of the identity, the inverse hyperbolic sine of three widths, and the logarithm; each takes the level to
0. The likelihood of a transformed score includes the Jacobian, as Box & Cox (1964), "An analysis of
transformations", Journal of the Royal Statistical Society B 26, Equation (8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cem.families.base import Floats
from cem.rare_events.surrogate.gaussian_process import GaussianProcess, find_hyperparameters

WIDTHS = (2.0, 0.5, 0.1)  # of the inverse hyperbolic sine, in median distances to the level
LARGEST = 1e100  # in the same units: its square is finite
SPREAD = 2.0  # ratio of the largest to the least score from which a logarithm is tried
PREFERENCE = 2.0  # nats by which the identity may be worse: two parameters of a transform, Akaike's price
NEW_SURPRISES = 20  # standardised errors that the scale of predictive deviations is learned from
PRIOR_SURPRISES = 5.0  # of unit size, that it begins with
SCALES = (0.7, 3.0)  # of predictive standard deviations, least and most
CLIPPED = 6.0  # standard deviations beyond which a surprise counts as this
NEAR = 4.0  # standard deviations from the level within which surprises matter to the event

Map = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Transform:
    """A monotone map of scores, in distances to the level, and the logarithm of its derivative."""

    name: str
    apply: Map
    log_derivative: Map


def transforms(scores: Floats, level: float) -> tuple[float, list[Transform]]:
    """Return the unit of scores, and the transforms of ``(score - level) / unit`` that may be tried.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        Finite.
    level : float
    """
    gaps = np.abs(scores - level)
    unit = float(np.median(gaps)) or float(gaps.max()) or 1.0
    found = [Transform("identity", lambda t: t, np.zeros_like)]
    for width in WIDTHS:
        found.append(_arsinh(width))
    low, high = min(float(scores.min()), level), max(float(scores.max()), level)
    if low > 0 and high > SPREAD * low:
        ratio, least = unit / level, 1e-3 * low / level
        found.append(
            Transform(
                "log",
                lambda t: np.log(np.maximum(1 + t * ratio, least)),
                lambda t: np.log(ratio) - np.log(np.maximum(1 + t * ratio, least)),
            )
        )
    return unit, found


def _arsinh(width: float) -> Transform:
    return Transform(
        f"arsinh {width:g}", lambda t: np.arcsinh(t / width), lambda t: -np.log(np.hypot(t, width))
    )


@dataclass(eq=False)
class Surrogate:
    """What is known of a score, and the Gaussian process that speaks of the rest.

    Attributes
    ----------
    level : float
    x : ndarray, shape (n, d)
    scores : ndarray, shape (n,)
        As they came; infinite ones lie beyond all others, and NaN is taken for what the others predict.
    """

    level: float
    x: Floats
    scores: Floats
    _process: GaussianProcess = field(init=False)
    _transform: Transform = field(init=False)
    _unit: float = field(init=False)
    _centre: float = field(init=False)
    _spread: float = field(init=False)
    _thetas: dict[str, Floats] = field(default_factory=dict)
    _surprises: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        self.fit(choose=True)

    def add(self, x: Floats, scores: Floats) -> None:
        """Take in further rows ``(k, d)`` with their scores ``(k,)``, and keep the hyperparameters."""
        known = np.isfinite(scores)
        if known.any():
            self._process = self._process.extended(x[known], self.scaled(scores[known]) + self._zero)
        self.x, self.scores = np.vstack([self.x, x]), np.append(self.scores, scores)

    def fit(self, *, choose: bool = False) -> None:
        """Find the hyperparameters anew; `choose`: also the transform."""
        known = ~np.isnan(self.scores)
        x, scores = self.x[known], self.scores[known]
        finite = scores[np.isfinite(scores)]
        self._unit, every = transforms(finite, self.level)
        t = self._distances(scores, finite)
        if not choose:
            every = [each for each in every if each.name == self._transform.name] or every[:1]
        best = np.inf
        for each in every:
            y = each.apply(t)
            centre, spread = float(y.mean()), float(y.std())
            if not spread > 0:
                continue
            theta, value = find_hyperparameters(x, (y - centre) / spread, self._thetas.get(each.name))
            self._thetas[each.name] = theta
            value += len(y) * np.log(spread) - float(each.log_derivative(t).sum())
            if value - PREFERENCE * (each.name == "identity") < best:
                best = value - PREFERENCE * (each.name == "identity")
                self._transform, self._centre, self._spread = each, centre, spread
                self._process = GaussianProcess.condition(x, (y - centre) / spread, theta)
        if not known.all():
            lost = self.x[~known]
            self._process = self._process.extended(lost, self._process.predict(lost)[0])

    def _distances(self, scores: Floats, finite: Floats) -> Floats:
        """Return finite distances to the level, in units: infinite ones lie beyond all others by one."""
        t = np.clip((finite - self.level) / self._unit, -LARGEST, LARGEST)
        low, high = min(float(t.min()), 0.0) - 1, max(float(t.max()), 0.0) + 1
        with np.errstate(over="ignore"):
            every = (scores - self.level) / self._unit
        every = np.where(scores == np.inf, high, np.where(scores == -np.inf, low, every))
        return np.clip(every, -LARGEST, LARGEST)

    @property
    def transform(self) -> str:
        """Name of the transform."""
        return self._transform.name

    @property
    def process(self) -> GaussianProcess:
        """The Gaussian process, of standardised transformed scores."""
        return self._process

    @property
    def _zero(self) -> float:
        """The level, as the process sees it."""
        return float((self._transform.apply(np.zeros(1))[0] - self._centre) / self._spread)

    def scaled(self, scores: Floats) -> Floats:
        """Return scores ``(n,)`` as `predict` predicts them; NaN stays."""
        finite = self.scores[np.isfinite(self.scores)]
        t = self._distances(scores, finite)
        return np.asarray((self._transform.apply(t) - self._centre) / self._spread - self._zero)

    def predict(self, u: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of scores at rows ``(m, d)``; the level is 0."""
        mean, deviation = self._process.predict(u)
        return mean - self._zero, deviation * self.deviation_scale

    @property
    def deviation_scale(self) -> float:
        """What predictive standard deviations are multiplied by: learned from how new scores surprised."""
        late = self._surprises[-NEW_SURPRISES:]
        size = (PRIOR_SURPRISES + float(late @ late)) / (PRIOR_SURPRISES + len(late))
        return float(np.clip(np.sqrt(size), *SCALES))

    def surprise(self, mean: Floats, deviation: Floats, scores: Floats) -> Floats:
        """Return how many standard deviations scores ``(k,)`` lie from what was predicted of them.

        `deviation` is as predicted, scaled; the surprises are in unscaled ones. NaN does not surprise.
        """
        errors = (self.scaled(scores) - mean) / (deviation / self.deviation_scale)
        return np.where(np.isnan(errors), 0.0, np.clip(errors, -CLIPPED, CLIPPED))

    def remember(self, mean: Floats, deviation: Floats, scores: Floats) -> None:
        """Learn the scale of deviations from scores ``(k,)`` that were predicted to be near the level."""
        near = (np.abs(mean) < NEAR * deviation) & ~np.isnan(scores)
        new = self.surprise(mean, deviation, scores)[near]
        self._surprises = np.append(self._surprises, new)
