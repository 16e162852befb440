"""What a family of distributions must offer, and the checks that the built-in ones share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]


@runtime_checkable
class Family(Protocol):
    """An immutable distribution over candidates (rows of length `d`).

    Any object with these five methods is a family; no base class and no registration is needed.
    They are called positionally. ``to_arrays``/``from_arrays`` (for saving) and
    ``kl_divergence(other)`` (a closed form) are used where present. ``redrawable = True`` promises that
    `sample` gives the same bits in every process and however many rows are drawn at once (true of
    elementwise arithmetic, not of matrix products): then worker processes draw large candidates for
    themselves instead of being sent them.
    """

    def sample(self, n: int, rng: np.random.Generator, /) -> Array:
        """Draw `n` candidates, shape ``(n, d)``."""

    def log_prob(self, x: Array, /) -> NDArray[np.float64]:
        """Log density or log mass of each row of `x` in nats, shape ``(n,)``."""

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Return the weighted maximum-likelihood fit, which minimises the cross-entropy.

        It never raises on finite rows.
        """

    def blend(self, other: Self, rate: float, /) -> Self:
        """Smooth: ``(1 - rate) * self + rate * other``, parameter by parameter."""

    def entropy(self) -> float:
        """Entropy in nats: the spread that stopping watches."""


@runtime_checkable
class Storable(Protocol):
    """A family whose parameters can be written to, and read from, named arrays."""

    def to_arrays(self) -> Mapping[str, Array]:
        """Give the parameters by name."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the family from what `to_arrays` gave."""


class ReadOnly:
    """A value whose arrays are read-only again when it comes out of a pickle or another process."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        self.__dict__.update(state)


def is_family(value: object) -> TypeGuard[Family]:
    """Tell whether `value` is a distribution (not a class of them)."""
    return isinstance(value, Family) and not isinstance(value, type)


def minimum_rows(family: Family) -> int:
    """Give the number of distinct rows that `family` needs for a proper fit (1 where it does not say)."""
    return int(getattr(family, "minimum_rows", 1))


def dimension(family: Family) -> int:
    """Give the length of a candidate, asked of the family itself or of one draw from it."""
    known = getattr(family, "dimension", None)
    if known is not None:
        return int(known)
    draw = np.asarray(family.sample(1, np.random.default_rng(0)))
    if draw.ndim != 2 or draw.shape[0] != 1:
        raise ValueError(
            f"{type(family).__name__}.sample(1, rng) returned shape {draw.shape}; "
            "a family returns one candidate a row, shape (n, d)."
        )
    return int(draw.shape[1])


def frozen(values: ArrayLike, dtype: Any = np.float64) -> Array:
    """Copy `values` into a read-only array."""
    out = np.array(values, dtype=dtype)
    out.flags.writeable = False
    return out


def parameter_vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Check a parameter given as a non-empty vector of finite numbers; a scalar becomes a vector of one."""
    try:
        out = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a vector of numbers, got {values!r}.") from None
    if out.ndim != 1 or out.size == 0:
        raise ValueError(f"{name} must be a non-empty vector, got shape {out.shape}.")
    if not np.all(np.isfinite(out)):
        raise ValueError(f"{name} must be finite, got {values!r}.")
    return out


def check_rows(x: Array, d: int) -> Array:
    """Check that `x` holds candidates of length `d`, one a row."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != d:
        raise ValueError(f"candidates must have shape (n, {d}), one a row; got {x.shape}.")
    return x


def fit_weights(x: Array, weights: Array | None) -> NDArray[np.float64]:
    """Check and normalise the weights of the rows of `x` to sum to one.

    Weights are scaled by their largest first, so that tiny ones do not underflow together.
    """
    n = x.shape[0]
    if n == 0:
        raise ValueError("a fit needs at least one row.")
    if weights is None:
        return np.full(n, 1.0 / n)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,):
        raise ValueError(f"weights must have shape ({n},), one a row; got {w.shape}.")
    top = w.max()
    if not np.all(w >= 0) or not np.isfinite(top) or top == 0:
        raise ValueError("weights must be finite, non-negative and not all zero.")
    w = w / top
    return np.asarray(w / w.sum())


def check_rate(rate: float) -> float:
    """Check a smoothing rate in [0, 1]."""
    if not 0 <= rate <= 1:
        raise ValueError(f"a blending rate lies in [0, 1], got {rate!r}.")
    return float(rate)
