"""What a family of distributions must offer, and the checks that the built-in ones share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

LEAST = 1e-150  # its square is still a normal float
LARGEST = 1e150  # so is this one's
LARGEST_SCALE = 1e300  # of positive variables: draws a hundred million times as large are still numbers


@runtime_checkable
class Family(Protocol):
    """An immutable distribution over candidates (rows of length `d`).

    Any object with these five methods is a family; no base class and no registration is needed.
    They are called positionally. ``to_arrays``/``from_arrays`` (for saving) and
    ``kl_divergence(other)`` (a closed form) are used where present. ``redrawable = True`` promises that
    `sample` gives the same bits in every process and however many rows are drawn at once (true of
    elementwise arithmetic, not of matrix products): then worker processes draw large candidates for
    themselves instead of being sent them.

    Examples
    --------
    One step of the method, whatever the family:

    >>> import cem
    >>> rng, family = np.random.default_rng(1), cem.Gaussian([0.0, 0.0], std=2)
    >>> x = family.sample(100, rng)
    >>> elite = x[np.argsort(((x - 1) ** 2).sum(axis=1))[:10]]
    >>> family.blend(family.fit(elite), 0.7).entropy() < family.entropy()
    True
    """

    def sample(self, n: int, rng: np.random.Generator, /) -> Array:
        """Draw `n` candidates, shape ``(n, d)``."""

    def log_prob(self, x: Array, /) -> Floats:
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
        """Return the parameters by name."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Return the family that `to_arrays` described."""


class ReadOnly:
    """A dataclass whose arrays are read-only, also when it comes out of a pickle or another process."""

    @classmethod
    def owning(cls, **values: Any) -> Self:
        """Return a value with these fields, unchecked and uncopied; arrays become read-only.

        It is for what has just been computed and is known to be right.
        """
        self = object.__new__(cls)
        self.__setstate__(values)
        return self

    def replaced(self, **values: Any) -> Self:
        """Return a value with these fields in place of its own, unchecked and uncopied."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
        return self.owning(**own | values)

    def __setstate__(self, state: dict[str, Any]) -> None:
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        self.__dict__.update(state)


class Stored(ReadOnly):
    """A family whose fields are arrays, kept by their names; a field that is None is left out."""

    def to_arrays(self) -> dict[str, Array]:
        """Return the parameters by name."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
        given = {name: value for name, value in own.items() if value is not None}
        return {name: v if isinstance(v, np.ndarray) else frozen(v, None) for name, v in given.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Return the family that `to_arrays` described, bit for bit.

        Raises
        ------
        ValueError
            If an array is missing or unknown, or not what the family's constructor accepts.
        """
        try:
            return cls(**arrays).restored(arrays)
        except TypeError as error:
            raise ValueError(f"{cls.__name__} cannot be made of {', '.join(arrays)}: {error}") from None

    def restored(self, arrays: Mapping[str, Array]) -> Self:
        """Return it with exactly these arrays where all that its constructor changed in them is rounding."""
        exact = {}
        for name, values in arrays.items():
            own = getattr(self, name)
            if np.shape(values) == np.shape(own) and np.allclose(values, own, rtol=1e-12, atol=0):
                exact[name] = frozen(values, own.dtype) if isinstance(own, np.ndarray) else own
        return self.replaced(**exact)


def is_family(value: object) -> TypeGuard[Family]:
    """Whether `value` is a distribution (not a class of them)."""
    return isinstance(value, Family) and not isinstance(value, type)


def minimum_rows(family: Family) -> int:
    """Return the number of distinct rows that a proper fit of `family` needs, 1 where it does not say."""
    return int(getattr(family, "minimum_rows", 1))


def dimension(family: Family) -> int:
    """Return the length of a candidate of `family`, from its `dimension` or from one draw."""
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
    """Return a read-only copy of `values`."""
    out = np.array(values, dtype=dtype)
    out.flags.writeable = False
    return out


def unmasked(values: Any) -> Array:
    """Return `values` as an array in which what is masked is NaN.

    Sequences may hold `numpy.ma.masked` among their numbers.
    """
    if isinstance(values, list | tuple) and any(each is np.ma.masked for each in values):
        values = [np.nan if each is np.ma.masked else each for each in values]
    if not isinstance(values, np.ma.MaskedArray):
        return np.asarray(values)
    masked: Any = values
    if not np.ma.is_masked(masked):
        return np.asarray(masked.data)
    return np.asarray(masked.astype(np.float64).filled(np.nan))


def parameter_numbers(name: str, values: Any) -> Floats:
    """Return a parameter as an array of floats, of any shape; what is masked is NaN.

    Raises
    ------
    TypeError, ValueError
        If it is none of numbers, or one of them is beyond the largest float.
    """
    try:
        given = unmasked(values)
        if given.dtype.kind == "c":
            raise TypeError
        return np.asarray(given, dtype=np.float64)
    except OverflowError:
        raise ValueError(f"{name} must be finite, and one of its numbers is beyond all floats.") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, in rows of one length; got {values!r}.") from None


def parameter_vector(name: str, values: ArrayLike) -> Floats:
    """Return a parameter as a vector of finite numbers, shape ``(d,)``; a scalar becomes a vector of one.

    Raises
    ------
    TypeError, ValueError
        If it is no vector of numbers, is empty or has an entry that is not finite.
    """
    out = np.atleast_1d(parameter_numbers(name, values))
    if out.ndim != 1 or out.size == 0:
        raise ValueError(f"{name} must be a non-empty vector, got shape {out.shape}.")
    if not np.all(np.isfinite(out)):
        raise ValueError(f"{name} must be finite, got {values!r}.")
    return out


def check_rows(x: Array, d: int) -> Array:
    """Return `x` as an array of candidates, shape ``(n, d)``, or raise `ValueError`."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != d:
        raise ValueError(f"candidates must have shape (n, {d}), one a row; got {x.shape}.")
    return x


def fit_weights(x: Array, weights: Array | None) -> Floats:
    """Return the weights of the rows of `x`, shape ``(n,)``, scaled to sum to one; equal where None.

    They are divided by their largest first, so that tiny ones do not underflow together.

    Raises
    ------
    ValueError
        If there is no row, or the weights have another shape, are negative, not finite or all zero.
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


def check_fit(x: Array, weights: Array | None, d: int) -> tuple[Array, Floats]:
    """Return the rows ``(n, d)`` and scaled weights ``(n,)`` of a fit; entries beyond ±1e150 count as that.

    Raises
    ------
    ValueError
        If shapes are wrong, a row is not finite, or the weights are unusable.
    """
    x = check_rows(x, d)
    w = fit_weights(x, weights)
    if x.dtype.kind == "f" and not np.abs(x).max(initial=0.0) <= LARGEST:
        if not np.all(np.isfinite(x)):
            raise ValueError("a fit needs finite rows; leave out those with NaN or infinite entries.")
        x = np.clip(x, -LARGEST, LARGEST)
    return x, w


def check_rate(rate: float) -> float:
    """Return a smoothing rate, or raise `ValueError` where it lies outside [0, 1]."""
    if not 0 <= rate <= 1:
        raise ValueError(f"a blending rate lies in [0, 1], got {rate!r}.")
    return float(rate)
