"""What problems over rows of 0 and 1 have in common: their start, the frame of their search, their rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem.families import Bernoulli
from cem.families.base import Array, Floats
from cem.updates import EliteArchive
from problems.frozen import FrozenProblem
from problems.numbers import refuse_masked

NOT_BINARY = "candidates must hold only 0 and 1; from -1/+1 spins, use spins > 0"


class BinaryProblem(FrozenProblem):
    """A problem object over rows of `n` zeros and ones: the base of frozen dataclasses.

    A subclass has the fields `n`, `optimum` and `name`, says in `maximize` what it seeks, in `population` and
    `stage` how many candidates its search improves per iteration and what histories call it, and evaluates
    rows in `_evaluate` and improves them in `_improve`.
    """

    compact: ClassVar[bool] = True
    row_type: ClassVar[type] = np.uint8
    symmetric: ClassVar[bool] = False
    """Whether `x` and ``1 - x`` are the same candidate; the first variable then starts as 1."""

    @property
    def start(self) -> Bernoulli:
        """Fair coins; where `x` and ``1 - x`` are the same candidate, the first is always 1."""
        p = np.full(self.n, 0.5)
        if self.symmetric:
            p[0] = 1.0
        return Bernoulli(p)

    @property
    def update(self) -> EliteArchive:
        """How improved candidates are recombined."""
        return EliteArchive(symmetric=self.symmetric)

    def __call__(self, X: ArrayLike) -> Floats:
        """Evaluate candidates.

        Parameters
        ----------
        X : array_like of 0 and 1, shape (N, n)

        Returns
        -------
        ndarray of float64, shape (N,)

        Raises
        ------
        TypeError
            If they are not numbers.
        ValueError
            If the shape is another, or they hold anything but 0 and 1.
        """
        return self._evaluate(check_rows(X, self.n))

    @abstractmethod
    def _evaluate(self, rows: NDArray[np.uint8]) -> Floats:
        """Return the scores of checked rows."""

    @abstractmethod
    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[NDArray[np.uint8], int]:
        """Return better rows and the evaluations that took."""


def check_numbers(X: ArrayLike, n: int, dimensions: tuple[int, ...] = (2,)) -> Array:
    """Check the shape and dtype of candidates of `n` variables; floats are taken where exactly 0 and 1.

    Whether whole numbers are 0 and 1 is left to the caller, who looks at them anyway.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If the shape is another, entries are masked, or floats hold anything but 0 and 1.
    """
    refuse_masked("candidates", X)
    rows = np.asarray(X)
    if rows.ndim not in dimensions or rows.shape[-1] != n:
        expected = " or ".join(f"({n},)" if d == 1 else f"(N, {n})" for d in dimensions)
        raise ValueError(f"expected candidates of shape {expected}, got {rows.shape}")
    if rows.dtype.kind not in "biuf":
        raise TypeError(f"candidates must be numbers, 0 and 1, got {rows.dtype}")
    if rows.dtype.kind == "f" and not np.isin(rows, (0, 1)).all():
        raise ValueError(NOT_BINARY)
    return rows.view(np.uint8) if rows.dtype == np.bool_ else rows


def check_rows(X: ArrayLike, n: int, dimensions: tuple[int, ...] = (2,)) -> NDArray[np.uint8]:
    """Check candidates of `n` binary variables and return them as bytes, of the same shape.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If the shape is another, or they hold anything but 0 and 1.
    """
    rows = check_numbers(X, n, dimensions)
    if rows.size and (rows.min() < 0 or rows.max() > 1):
        raise ValueError(NOT_BINARY)
    return rows.astype(np.uint8, copy=False)
