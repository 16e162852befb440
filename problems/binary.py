"""What problems over rows of 0 and 1 have in common: their start, the check of candidates, their pickles."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from cem.families import Bernoulli

NOT_BINARY = "candidates must hold only 0 and 1; from -1/+1 spins, use spins > 0"


class PreparedOnUse:
    """A frozen dataclass with cached properties, which a pickle leaves out: they are prepared anew."""

    def __getstate__(self) -> dict[str, Any]:
        of_fields: Any = self
        return {each.name: getattr(self, each.name) for each in fields(of_fields)}


def fair_coins(n: int) -> Bernoulli:
    """Give independent variables that are 0 or 1 with equal probability."""
    from cem.families import Bernoulli

    return Bernoulli(np.full(n, 0.5))


def fair_split(n: int) -> Bernoulli:
    """Give fair coins, but the first always 1: a split and its complement are the same."""
    from cem.families import Bernoulli

    p = np.full(n, 0.5)
    p[0] = 1.0
    return Bernoulli(p)


def checked_numbers(X: ArrayLike, n: int, dimensions: tuple[int, ...] = (2,)) -> NDArray[Any]:
    """Check the shape and dtype of candidates of `n` variables; floats are taken where exactly 0 and 1.

    Whether whole numbers are 0 and 1 is left to the caller, who looks at them anyway.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If the shape is another, or floats hold anything but 0 and 1.
    """
    rows = np.asarray(X)
    if rows.ndim not in dimensions or rows.shape[-1] != n:
        expected = " or ".join(f"({n},)" if d == 1 else f"(N, {n})" for d in dimensions)
        raise ValueError(f"expected candidates of shape {expected}, got {rows.shape}")
    if rows.dtype.kind not in "biuf":
        raise TypeError(f"candidates must be numbers, 0 and 1, got {rows.dtype}")
    if rows.dtype.kind == "f" and not np.isin(rows, (0, 1)).all():
        raise ValueError(NOT_BINARY)
    return rows.view(np.uint8) if rows.dtype == np.bool_ else rows


def binary_rows(X: ArrayLike, n: int, dimensions: tuple[int, ...] = (2,)) -> NDArray[np.uint8]:
    """Check candidates of `n` binary variables; give them as bytes.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If the shape is another, or they hold anything but 0 and 1.
    """
    rows = checked_numbers(X, n, dimensions)
    if rows.size and (rows.min() < 0 or rows.max() > 1):
        raise ValueError(NOT_BINARY)
    return rows.astype(np.uint8, copy=False)
