"""The surrogate of a score: a Gaussian process of the score on the scale that suits it best.

Scores are transformed by what the likelihood prefers of the identity, the inverse hyperbolic sine about the
level of three widths, in units of the median distance to it, and the logarithm; each takes the level to 0.
The likelihood of a transformed score includes the Jacobian, as in Box & Cox (1964), "An analysis of
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
LARGEST_FLOAT = float(np.finfo(np.float64).max)
SPREAD = 2.0  # ratio of the largest to the least score from which a logarithm is tried
PREFERENCE = 2.0  # nats by which the identity may be worse: two parameters of a transform, Akaike's price
NEW_SURPRISES = 20  # standardised errors that the scale of predictive deviations is learned from
PRIOR_SURPRISES = 5.0  # of unit size, that it begins with
SCALES = (0.7, 3.0)  # of predictive standard deviations, least and most
CLIPPED = 6.0  # standard deviations beyond which a surprise counts as this
NEAR = 4.0  # standard deviations from the level within which surprises matter to the event

TOWARDS_LEVEL = 0.5  # of the way: an error that matters to the event

Map = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Transform:
    """A monotone map of finite scores that takes the level to 0, its inverse, and the log of its derivative.

    Derivatives are with respect to ``score / unit``, the unit being that of all transforms tried.
    """

    name: str
    apply: Map
    inverse: Map
    log_derivative: Map


def transforms(scores: Floats, level: float) -> list[Transform]:
    """Return the transforms that may be tried on finite scores, shape ``(n,)``."""
    with np.errstate(over="ignore"):
        gaps = np.minimum(np.abs(scores - level), LARGEST_FLOAT)
    unit = float(np.median(gaps)) or float(gaps.max()) or 1.0

    def distance(y: Floats) -> Floats:
        with np.errstate(over="ignore"):
            return np.asarray(np.clip((y - level) / unit, -LARGEST, LARGEST))

    def score(t: Floats) -> Floats:
        with np.errstate(over="ignore"):
            return np.asarray(level + unit * t)

    found = [Transform("identity", distance, score, np.zeros_like)]
    for width in WIDTHS:
        found.append(_arsinh(width, distance, score))
    low, high = min(float(scores.min()), level), max(float(scores.max()), level)
    if low > 0 and high / SPREAD > low:
        found.append(_log(level, unit, 1e-3 * low))
    return found


def _arsinh(width: float, distance: Map, score: Map) -> Transform:
    return Transform(
        f"arsinh {width:g}",
        lambda y: np.arcsinh(distance(y) / width),
        lambda t: score(width * np.sinh(np.clip(t, -700.0, 700.0))),
        lambda y: -np.log(np.hypot(distance(y), width)),
    )


def _log(level: float, unit: float, least: float) -> Transform:
    return Transform(
        "log",
        lambda y: np.log(np.maximum(y, least)) - np.log(level),
        lambda t: level * np.exp(np.minimum(t, 700.0)),
        lambda y: np.log(unit) - np.log(np.maximum(y, least)),
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
            self._process = self._process.extended(x[known], self.scaled(scores[known]) + self.zero)
        self.x, self.scores = np.vstack([self.x, x]), np.append(self.scores, scores)

    def fit(self, *, choose: bool = False) -> None:
        """Find the hyperparameters anew; `choose`: also the transform."""
        known = ~np.isnan(self.scores)
        x, scores = self.x[known], self._finite(self.scores[known])
        every = transforms(self.scores[np.isfinite(self.scores)], self.level)
        if not choose:
            every = [each for each in every if each.name == self._transform.name] or every[:1]
        best = np.inf
        for each in every:
            y = each.apply(scores)
            centre, spread = float(y.mean()), float(y.std())
            if not spread > 0:
                continue
            theta, value = find_hyperparameters(x, (y - centre) / spread, self._thetas.get(each.name))
            self._thetas[each.name] = theta
            value += len(y) * np.log(spread) - float(each.log_derivative(scores).sum())
            if value - PREFERENCE * (each.name == "identity") < best:
                best = value - PREFERENCE * (each.name == "identity")
                self._transform, self._centre, self._spread = each, centre, spread
                self._process = GaussianProcess.condition(x, (y - centre) / spread, theta)
        if not known.all():
            lost = self.x[~known]
            self._process = self._process.extended(lost, self._process.predict(lost)[0])

    def _finite(self, scores: Floats) -> Floats:
        """Return scores ``(n,)`` with infinite ones replaced by such as lie beyond all others; NaN stays."""
        known = self.scores[np.isfinite(self.scores)]
        low, high = min(float(known.min()), self.level), max(float(known.max()), self.level)
        gap = high / 2 - low / 2
        return np.asarray(
            np.where(scores == np.inf, high + gap, np.where(scores == -np.inf, low - gap, scores))
        )

    @property
    def transform(self) -> str:
        """Name of the transform."""
        return self._transform.name

    @property
    def process(self) -> GaussianProcess:
        """The Gaussian process, of standardised transformed scores."""
        return self._process

    @property
    def zero(self) -> float:
        """The level, as the process sees it."""
        return -self._centre / self._spread

    def scaled(self, scores: Floats) -> Floats:
        """Return scores ``(n,)`` as `predict` predicts them; NaN stays."""
        t = self._transform.apply(self._finite(scores))
        return np.asarray((t - self._centre) / self._spread - self.zero)

    def unscaled(self, t: Floats) -> Floats:
        """Return the scores ``(n,)`` that `scaled` takes to these values."""
        return self._transform.inverse((t + self.zero) * self._spread + self._centre)

    def predict(self, u: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of scores at rows ``(m, d)``; the level is 0."""
        mean, deviation = self._process.predict(u)
        return mean - self.zero, deviation * self.deviation_scale

    def judge(self, mean: Floats, deviation: Floats) -> tuple[Floats, Floats]:
        """Return by what an event is judged: of one score, its mean and standard deviation themselves."""
        return mean, deviation

    @property
    def deviation_scale(self) -> float:
        """What predictive standard deviations are multiplied by: learned from how new scores surprised."""
        late = self._surprises[-NEW_SURPRISES:]
        size = (PRIOR_SURPRISES + float(late @ late)) / (PRIOR_SURPRISES + len(late))
        return float(np.clip(np.sqrt(size), *SCALES))

    @property
    def worst_outlier(self) -> float:
        """The most standard deviations that a score is off what all the others predict.

        Errors that would not bring a score half way to the level are a kink's, far from the event.
        """
        errors, deviations = (np.abs(each) for each in self.process.left_out())
        far = errors < TOWARDS_LEVEL * np.abs(self.process.y - self.zero)
        return float(np.where(far, 0.0, errors / deviations).max())

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
