"""What is evaluated: a user's function, how it is called, and how its answers are read."""

from __future__ import annotations

import contextlib
import pickle
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cem.core.streams import Purpose, Streams
from cem.families.base import Array, Floats, unmasked


def widen(x: Array) -> Array:
    """Return integer candidates as read-only int64, so that arithmetic on them does not wrap."""
    if x.dtype.kind in "iub" and x.dtype != np.int64:
        x = x.astype(np.int64)
        x.flags.writeable = False
    return x


class Failure(NamedTuple):
    """An evaluation that went wrong: what was called, with what, and whether the objective itself raised."""

    candidate: Array
    error: Exception | KeyboardInterrupt
    raised: bool


@dataclass(frozen=True, eq=False)
class Objective:
    """A user's function and how it wants to be called.

    Attributes
    ----------
    fun : callable
        ``fun(x, *args)``; vectorised ``fun(X, *args)``; with `pass_rng` a generator comes second.
    streams : Streams
        Where each candidate's generator comes from.
    compact : bool
        Whether integer candidates may be handed over in a small dtype.
    several : bool
        Whether it returns several numbers of a candidate. Scored into an array of one axis, a candidate's
        score is how many they are.
    hint : str
        What to say besides where several numbers come and one was expected.
    """

    fun: Callable[..., Any]
    streams: Streams
    args: tuple[Any, ...] = ()
    vectorized: bool = False
    pass_rng: bool = False
    compact: bool = False
    several: bool = False
    hint: str = ""

    def score(
        self, x: Array, batch: int, first: int, out: Array, deadline: float
    ) -> tuple[int, Failure | None]:
        """Score the rows of `x` into `out` until `deadline`; return how many were done, and what failed.

        `out` has shape ``(n,)``, or ``(n, k)`` where there are k numbers of a candidate.
        `batch` and `first` (the number of the first row in its batch) name the candidates' streams.
        """
        x = x if self.compact else widen(x)
        x.flags.writeable = False
        if self.vectorized:
            return self._score_together(x, batch, first, out)
        i = 0
        try:
            for i, row in enumerate(x):
                extra = (self._generator(batch, first + i),) if self.pass_rng else ()
                try:
                    value = self.fun(row, *extra, *self.args)
                except Exception as error:
                    return i, Failure(row, error, raised=True)
                try:
                    if self.several:
                        out[i] = as_numbers(value, out.shape[1:])
                    else:
                        out[i] = value if type(value) is float else as_score(value, self.hint)
                except (TypeError, ValueError) as error:
                    return i, Failure(row, error, raised=False)
                if time.monotonic() >= deadline:
                    return i + 1, None
        except KeyboardInterrupt as interrupt:
            return i, Failure(x[i], interrupt, raised=True)
        return len(x), None

    def _score_together(self, x: Array, batch: int, first: int, out: Array) -> tuple[int, Failure | None]:
        extra = (self._generator(batch, first),) if self.pass_rng else ()
        try:
            values = self.fun(x, *extra, *self.args)
        except (Exception, KeyboardInterrupt) as error:
            return 0, Failure(x, error, raised=True)
        try:
            if self.several:
                out[:] = as_rows(values, len(x), out.shape[1:])
            else:
                out[:] = as_scores(values, len(x), x.shape[1], self.hint)
        except (TypeError, ValueError) as error:
            return 0, Failure(x, error, raised=False)
        return len(x), None

    def _generator(self, batch: int, row: int) -> np.random.Generator:
        return self.streams.generator(Purpose.OBJECTIVE, batch, row)


def checked_args(args: Any) -> tuple[Any, ...]:
    """Check the further arguments of a function.

    Raises
    ------
    TypeError
        If they are not a tuple (or list).
    """
    if not isinstance(args, tuple | list):
        raise TypeError(f"args must be a tuple of further arguments, like args=(3,); got {args!r}.")
    return tuple(args)


def as_score(value: Any, hint: str = "") -> float:
    """Read one score as the objective returned it; `hint` goes with the error where there are several.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is an array of several.
    """
    array = unmasked(value)
    if array.dtype.kind not in "fiubO" or value is None:
        hint = " (is a return missing?)" if value is None else ""
        raise TypeError(f"the objective must return a real number, got {value!r}{hint}.")
    if array.size != 1:
        raise ValueError(
            f"the objective must return one number for one candidate, got an array of shape {array.shape}; "
            f"if it scores many rows at once, say vectorized=True{hint}."
        )
    try:
        return float(array.reshape(())[()])
    except OverflowError:  # a whole number or a fraction beyond the largest float
        return np.inf if array.reshape(())[()] > 0 else -np.inf
    except (TypeError, ValueError):
        raise TypeError(f"the objective must return a real number, got {value!r}.") from None


def as_scores(values: Any, n: int, d: int, hint: str = "") -> Floats:
    """Read the scores of `n` rows as a vectorised objective returned them; `hint` as in `as_score`.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If their shape is not ``(n,)``.
    """
    array = unmasked(values)
    if array.shape != (n,):
        raise ValueError(
            f"a vectorized objective gets X of shape (n, d) = ({n}, {d}), one candidate a row (scipy passes "
            f"the transpose), and must return n scores, shape ({n},); got shape {array.shape}{hint}."
        )
    if array.dtype.kind == "O":  # whole numbers beyond 64 bits, fractions, decimals
        try:
            return np.array([as_score(each) for each in array])
        except TypeError as error:
            raise TypeError(f"a vectorized objective must return real numbers ({error})") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"a vectorized objective must return real numbers, got dtype {array.dtype}.")
    return array.astype(np.float64)


def as_numbers(value: Any, shape: tuple[int, ...]) -> Floats | float:
    """Read the numbers of one candidate, `shape` ``(k,)``; with ``()`` return how many they are.

    A single NaN stands for a failed evaluation, whose numbers are not known, nor how many they are.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are not k, or not in one row.
    """
    array = unmasked(value)
    if array.dtype.kind not in "fiubO" or value is None:
        raise TypeError(f"the objective must return real numbers, got {value!r}.")
    if array.ndim == 2 and array.shape[0] == 1:
        array = array[0]
    numbers = np.array([as_score(each) for each in array.ravel()])
    if len(numbers) == 1 and np.isnan(numbers[0]):
        return np.nan if not shape else np.full(shape, np.nan)
    if array.ndim > 1:
        raise ValueError(
            f"the objective must return one row of numbers for one candidate, got shape {array.shape}; "
            "if it scores many rows at once, say vectorized=True."
        )
    if not shape:
        return float(len(numbers))
    if numbers.shape != shape:
        raise ValueError(f"the objective must return {shape[0]} numbers for a candidate, got {len(numbers)}.")
    return numbers


def as_rows(values: Any, n: int, shape: tuple[int, ...]) -> Floats | float:
    """Read the numbers of `n` rows of a vectorised objective, ``(n, k)``; with `shape` ``()``, how many k is.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If their shape is not ``(n, k)``.
    """
    array = unmasked(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"a vectorized objective must return real numbers, got dtype {array.dtype}.")
    if array.shape == (n,):
        array = array[:, None]
    if array.ndim != 2 or len(array) != n or (shape and array.shape[1:] != shape):
        wanted = f"({n}, {shape[0]})" if shape else f"({n}, k)"
        raise ValueError(
            f"a vectorized objective of several numbers must return shape {wanted}, got {array.shape}."
        )
    return array.astype(np.float64) if shape else float(array.shape[1])


def score_chunk(
    objective: Objective, x: Array, batch: int, first: int, seconds: float, shape: tuple[int, ...] = ()
) -> tuple[int, Floats, Failure | None, float]:
    """Score one chunk in any worker; return its first row, the scores done, what failed, and the seconds.

    `shape` is that of a row's score.
    """
    began = time.monotonic()
    out = np.empty((len(x), *shape))
    done, failure = objective.score(x, batch, first, out, began + seconds)
    failure = failure and failure._replace(error=portable(failure.error))
    return first, out[:done], failure, time.monotonic() - began


def portable(error: Any) -> Any:
    """Return an exception that survives the way between processes, with its traceback as a note."""
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    with contextlib.suppress(AttributeError):
        error.add_note(f"In the worker:\n{trace}")
    return error
