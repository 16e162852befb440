"""What a run may spend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Budget:
    """Limits of a run; None does not limit.

    Parameters
    ----------
    max_evaluations : int, optional
        Exact: the last batch is cut.
    max_iterations : int, optional
    max_time : float, optional
        Seconds; overrun by at most the evaluations in flight.
    target : float, optional
        A score, in the user's sign, that is good enough.

    Raises
    ------
    ValueError
        If a limit is not positive, or the target is NaN.
    TypeError
        If a limit is not a number.
    """

    max_evaluations: int | None = None
    max_iterations: int | None = None
    max_time: float | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_evaluations", "max_iterations"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, positive_count(name, value))
        if self.max_time is not None and not real_number("max_time", self.max_time) > 0:
            raise ValueError(f"max_time must be a positive number of seconds, got {self.max_time!r}.")
        if self.target is not None and np.isnan(real_number("target", self.target)):
            raise ValueError("target must be a number, got NaN.")

    @property
    def limited(self) -> bool:
        """Whether anything but a target limits the run."""
        return not (self.max_evaluations is None and self.max_iterations is None and self.max_time is None)

    @property
    def seconds(self) -> float:
        """The time limit, infinite where there is none."""
        return np.inf if self.max_time is None else float(self.max_time)


def positive_count(name: str, value: object) -> int:
    """Check a positive whole number (1e4 is one).

    Raises
    ------
    ValueError
        If it is not whole or not positive.
    TypeError
        If it is not a number.
    """
    number = real_number(name, value)
    if not (number >= 1 and number == np.floor(number) and np.isfinite(number)):
        raise ValueError(f"{name} must be a positive whole number, got {value!r}.")
    return int(number)


def real_number(name: str, value: object) -> float:
    """Check a real number; a whole number beyond the largest float is infinite.

    Raises
    ------
    TypeError
        If it is not one.
    """
    if isinstance(value, bool | str | bytes):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return np.inf if value > 0 else -np.inf  # type: ignore[operator]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}.") from None


def truth(name: str, value: object) -> bool:
    """Check a flag.

    Raises
    ------
    TypeError
        If it is neither True nor False.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {value!r}.")
