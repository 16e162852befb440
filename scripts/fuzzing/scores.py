"""Objectives whose scores are ordinary, extreme or none, the same for the same candidate."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

EXTREMES: list[Any] = [
    math.inf,
    -math.inf,
    math.nan,
    1e308,
    -1e308,
    1.7976931348623157e308,
    0.0,
    -0.0,
    5e-324,
    1e200,
    10**400,
    -(10**400),
    2**63,
    Fraction(1, 3),
    np.float32(1e38),
    np.int8(-128),
    np.bool_(True),
    np.ma.masked,
    np.array(2.5),
    np.array([1.5]),
]
KINDS = ("ordinary", "ordinary", "plateau", "some extreme", "mostly extreme", "two values", "huge", "tiny")


def read(value: Any) -> float:
    """Return what a score means, as a float: masked is NaN, huge whole numbers are infinite."""
    if value is np.ma.masked:
        return math.nan
    value = value.reshape(()).item() if isinstance(value, np.ndarray) else value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def position(x: Any) -> np.ndarray:
    """Return a candidate as a row of floats, a dict by its values."""
    if isinstance(x, dict):
        values = (v if isinstance(v, int | float) else len(str(v)) for v in x.values())
        return np.array([float(v) for v in values])
    return np.asarray(x, dtype=float)


def make_score(rng: np.random.Generator) -> tuple[str, Callable[[Any], Any]]:
    """Return a deterministic function of a candidate, and its name."""
    kind = KINDS[rng.integers(len(KINDS))]
    few = [EXTREMES[i] for i in rng.integers(0, len(EXTREMES), rng.integers(1, 4))]
    at, often = float(rng.uniform(-1, 1)), int(rng.integers(2, 9))

    def score(x: Any) -> Any:
        z = position(x)
        with np.errstate(all="ignore"):
            base = float(np.minimum((np.abs(z - at) ** 2).sum(), 1e300))
            key = int(abs(float(np.minimum(z @ np.arange(1.0, len(z) + 1), 1e12))) * 1e6)
        if kind == "plateau":
            return float(np.floor(min(base, 1e15)))
        if kind == "huge":
            return base * 1e200 if key % 2 else -base
        if kind == "tiny":
            return min(base, 1e10) * 1e-310
        if kind == "two values":
            return few[key % len(few)] if key % 2 else 0
        extreme = key % often == 0 if kind == "some extreme" else key % often
        return few[key % len(few)] if extreme and kind != "ordinary" else base

    return f"{kind} {few if kind in ('some extreme', 'mostly extreme', 'two values') else ''}".strip(), score


class Seen:
    """Calls a score, and keeps the candidates that it was called with and what their scores mean."""

    def __init__(self, score: Callable[[Any], Any], vectorized: bool = False, noise: float = 0.0) -> None:
        self.score, self.vectorized, self.noise = score, vectorized, noise
        self.x: list[Any] = []
        self.values: list[float] = []
        self._rng = np.random.default_rng(7)

    def __call__(self, x: Any, *rest: Any) -> Any:
        """Return the score of a candidate, or of rows."""
        if self.vectorized:
            return np.array([read(self._one(row)) for row in x])
        return self._one(x)

    def _one(self, x: Any) -> Any:
        value = self.score(x)
        if self.noise:
            value = read(value) + self.noise * float(self._rng.standard_normal())
        self.x.append(dict(x) if isinstance(x, dict) else np.array(x))
        self.values.append(read(value))
        return value
