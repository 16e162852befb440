"""Independent categories: a table of probabilities for each position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import entr, rel_entr

from cem.families.base import (
    Array,
    Floats,
    Index,
    Mask,
    Stored,
    check_fit,
    check_rate,
    check_rows,
    frozen,
    parameter_vector,
)


@dataclass(frozen=True, eq=False, repr=False)
class Categorical(Stored):
    """Independent categorical distribution over rows of labels 0 … k_j - 1; immutable.

    The mass is ``Π_j probabilities[j, x_j]``; the weighted fit is the weighted frequency of each label.

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

    Examples
    --------
    >>> import cem
    >>> cem.Categorical([[0.5, 0.5], [0.2, 0.3, 0.5]]).fit([[0, 2], [1, 2]])
    Categorical(probabilities=[[0.5, 0.5], [0.0, 0.0, 1.0]])
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
        object.__setattr__(self, "probabilities", frozen(padded))
        object.__setattr__(self, "categories", frozen(categories, np.int64))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.categories.size)

    @property
    def cardinality(self) -> float:
        """Number of candidates of positive probability."""
        with np.errstate(over="ignore"):
            return float(np.prod(np.count_nonzero(self.probabilities, axis=1), dtype=np.float64))

    def support(self) -> list[Array]:
        """Return the labels of positive probability at each position, a list of ``(k,)``."""
        return [np.flatnonzero(row) for row in self.probabilities]

    @cached_property
    def _edges(self) -> Floats:
        return label_edges(self.probabilities)

    def contains(self, x: Array, /) -> Mask:
        """Return which rows are labels of its positions, shape ``(n,)``."""
        x = check_rows(x, self.dimension)
        return np.asarray(np.all((x >= 0) & (x < self.categories) & (x == np.floor(x)), axis=1))

    def sample(self, n: int, rng: np.random.Generator, /) -> Index:
        """Draw `n` candidates of labels, shape ``(n, d)``."""
        return draw_labels(rng.random((n, self.dimension)), self._edges.T)

    def log_prob(self, x: Array, /) -> Floats:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        x = check_rows(x, self.dimension)
        valid = np.all((x >= 0) & (x < self.categories) & (x == np.floor(x)), axis=1)
        labels = np.where(valid[:, None], x, 0).astype(np.int64)
        with np.errstate(divide="ignore"):
            logs = np.log(self.probabilities)
        return np.where(valid, logs[np.arange(self.dimension), labels].sum(axis=1), -np.inf)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: the weighted frequency of each label."""
        x, w = check_fit(x, weights, self.dimension)
        labels = x.astype(np.int64)
        if labels.min() < 0 or np.any(labels >= self.categories):
            raise ValueError("labels must lie in 0 … k-1 for their position's number of categories k.")
        d, k = self.probabilities.shape
        cells = labels + k * np.arange(d)
        counts = np.bincount(cells.ravel(), np.repeat(w, d), minlength=d * k).reshape(d, k)
        return self.replaced(probabilities=counts / counts.sum(axis=1, keepdims=True))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Mix the tables."""
        a = check_rate(rate)
        if not np.array_equal(self.categories, other.categories):
            raise ValueError("blending needs the same number of categories in every position.")
        return self.replaced(probabilities=(1 - a) * self.probabilities + a * other.probabilities)

    def entropy(self) -> float:
        """Entropy in nats."""
        return float(np.sum(entr(self.probabilities)))

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, Categorical) or not np.array_equal(self.categories, other.categories):
            raise TypeError("a closed form needs two Categorical families with the same categories.")
        return float(np.sum(rel_entr(self.probabilities, other.probabilities)))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Return the family that `to_arrays` described, bit for bit.

        Raises
        ------
        ValueError
            If an array is missing or unknown, or the tables are no distributions.
        """
        if set(arrays) != {"probabilities", "categories"} or np.ndim(arrays["categories"]) != 1:
            raise ValueError(f"Categorical is made of probabilities and categories, not of {list(arrays)}.")
        try:
            rows = zip(arrays["probabilities"], arrays["categories"], strict=True)
            return cls([row[: int(k)] for row, k in rows]).restored(arrays)
        except TypeError as error:
            raise ValueError(f"Categorical cannot be made of these arrays: {error}") from None

    def __repr__(self) -> str:
        if self.dimension > 4:
            return f"Categorical({self.dimension} positions)"
        tables = [row[:k].tolist() for row, k in zip(self.probabilities, self.categories, strict=True)]
        return f"Categorical(probabilities={tables})"


def label_edges(tables: Floats) -> Floats:
    """Return where a uniform number passes from one label to the next, shape ``(…, k - 1)``.

    These are the cumulative sums of the last axis of `tables`, shape ``(…, k)``; the last possible label
    takes what rounding leaves over.
    """
    edges = np.cumsum(tables, axis=-1)
    last = tables.shape[-1] - 1 - np.argmax(tables[..., ::-1] > 0, axis=-1)
    edges[np.arange(tables.shape[-1]) >= last[..., None]] = np.inf
    return edges[..., :-1]


def draw_labels(u: Floats, edges: Iterable[Floats]) -> Index:
    """Return the label of each uniform number in `u`, given one array of edges after the other."""
    labels = np.zeros(u.shape, dtype=np.int64)
    for edge in edges:
        labels += u >= edge
    return labels


def heat_tables(tables: Floats, heat: float) -> Floats:
    """Return probabilities to the power `heat`, normalised along the last axis; zeros stay."""
    possible = tables > 0
    powers = np.where(possible, np.where(possible, tables, 1.0) ** heat, 0.0)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


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


def _checked_table(row: Any, position: int) -> Floats:
    table = parameter_vector(f"the table of position {position}", row)
    if np.any(table < 0) or abs(table.sum() - 1) > 1e-8:
        raise ValueError(
            f"the table of position {position} must hold probabilities that sum to 1; "
            f"it sums to {table.sum():.9g} and its smallest entry is {table.min():.3g}."
        )
    return np.asarray(table / table.sum())
