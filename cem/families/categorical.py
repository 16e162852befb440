"""Independent categories: a table of probabilities for each position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, rel_entr

from cem.families.base import Array, ReadOnly, check_rate, check_rows, fit_weights, frozen, parameter_vector


@dataclass(frozen=True, eq=False, repr=False)
class Categorical(ReadOnly):
    """Independent categorical distribution over rows of labels 0 … k_j - 1; immutable.

    Parameters
    ----------
    probabilities : array_like, shape (d, k), or a sequence of d vectors
        One table a position; positions may have different numbers of categories. Each table holds
        non-negative numbers that sum to one.

    Attributes
    ----------
    probabilities : ndarray, shape (d, k)
        The tables, padded with zeros to the largest number of categories.
    categories : ndarray of int, shape (d,)
        The number of categories of each position.

    Raises
    ------
    ValueError
        If a table is empty, has a negative or non-finite entry, or does not sum to one.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method",
    Annals of Operations Research 134, Section 4.2 (partitions) and Equation (33).
    """

    probabilities: Any
    categories: Any = field(init=False)

    redrawable: ClassVar = True

    def __post_init__(self) -> None:
        tables = [_checked_table(row, j) for j, row in enumerate(_rows(self.probabilities))]
        categories = np.array([table.size for table in tables])
        padded = np.zeros((len(tables), int(categories.max())))
        for row, table in zip(padded, tables, strict=True):
            row[: table.size] = table
        self._set(padded, categories)

    def _set(self, padded: NDArray[np.float64], categories: NDArray[np.int64]) -> None:
        object.__setattr__(self, "probabilities", frozen(padded))
        object.__setattr__(self, "categories", frozen(categories, np.int64))

    def _with(self, padded: NDArray[np.float64]) -> Self:
        """Give a family with these tables and this one's numbers of categories."""
        new = object.__new__(type(self))
        new._set(padded, self.categories)
        return new

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.categories.size)

    @cached_property
    def _upper_edges(self) -> NDArray[np.float64]:
        """Cumulative tables without their last category, which takes what rounding leaves over."""
        edges = np.cumsum(self.probabilities, axis=1)
        last = self.probabilities.shape[1] - 1 - np.argmax(self.probabilities[:, ::-1] > 0, axis=1)
        edges[np.arange(edges.shape[1]) >= last[:, None]] = np.inf
        return edges[:, :-1]

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.int64]:
        """Draw `n` candidates of labels, shape ``(n, d)``."""
        u = rng.random((n, self.dimension))
        labels = np.zeros(u.shape, dtype=np.int64)
        for edge in self._upper_edges.T:
            labels += u >= edge
        return labels

    def log_prob(self, x: Array, /) -> NDArray[np.float64]:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        x = check_rows(x, self.dimension)
        valid = np.all((x >= 0) & (x < self.categories) & (x == np.floor(x)), axis=1)
        labels = np.where(valid[:, None], x, 0).astype(np.int64)
        with np.errstate(divide="ignore"):
            logs = np.log(self.probabilities)
        return np.where(valid, logs[np.arange(self.dimension), labels].sum(axis=1), -np.inf)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: the weighted frequency of each label."""
        labels = check_rows(x, self.dimension).astype(np.int64)
        w = fit_weights(x, weights)
        if labels.min() < 0 or np.any(labels >= self.categories):
            raise ValueError("labels must lie in 0 … k-1 for their position's number of categories k.")
        d, k = self.probabilities.shape
        cells = labels + k * np.arange(d)
        counts = np.bincount(cells.ravel(), np.repeat(w, d), minlength=d * k).reshape(d, k)
        return self._with(counts / counts.sum(axis=1, keepdims=True))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Mix the tables."""
        a = check_rate(rate)
        if not np.array_equal(self.categories, other.categories):
            raise ValueError("blending needs the same number of categories in every position.")
        return self._with((1 - a) * self.probabilities + a * other.probabilities)

    def entropy(self) -> float:
        """Entropy in nats."""
        return float(np.sum(entr(self.probabilities)))

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, Categorical) or not np.array_equal(self.categories, other.categories):
            raise TypeError("a closed form needs two Categorical families with the same categories.")
        return float(np.sum(rel_entr(self.probabilities, other.probabilities)))

    def to_arrays(self) -> dict[str, Array]:
        """Give the parameters by name."""
        return {"probabilities": self.probabilities, "categories": self.categories}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild the family from what `to_arrays` gave."""
        padded, categories = arrays["probabilities"], arrays["categories"]
        made = cls([row[: int(k)] for row, k in zip(padded, categories, strict=True)])
        return made._with(padded)  # exactly these, not normalised anew

    def __repr__(self) -> str:
        if self.dimension > 4:
            return f"Categorical({self.dimension} positions)"
        tables = [row[:k].tolist() for row, k in zip(self.probabilities, self.categories, strict=True)]
        return f"Categorical(probabilities={tables})"


def _rows(probabilities: Any) -> list[Any]:
    try:
        rows = list(probabilities)
    except TypeError:
        raise TypeError("probabilities must be one table (a vector) for each position.") from None
    if not rows:
        raise ValueError("probabilities needs at least one position.")
    if all(np.ndim(row) == 0 for row in rows):
        raise ValueError(
            "probabilities must be one table (a vector) for each position; "
            "for a single position write Categorical([[…]])."
        )
    return rows


def _checked_table(row: Any, position: int) -> NDArray[np.float64]:
    table = parameter_vector(f"the table of position {position}", row)
    if np.any(table < 0) or abs(table.sum() - 1) > 1e-8:
        raise ValueError(
            f"the table of position {position} must hold probabilities that sum to 1; "
            f"it sums to {table.sum():.9g} and its smallest entry is {table.min():.3g}."
        )
    return np.asarray(table / table.sum())
