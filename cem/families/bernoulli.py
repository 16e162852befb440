"""Independent coin flips: the family over binary candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, rel_entr, xlog1py, xlogy

from cem.families.base import (
    Array,
    Floats,
    Mask,
    Stored,
    check_fit,
    check_rate,
    check_rows,
    frozen,
    parameter_vector,
)


@dataclass(frozen=True, eq=False, repr=False)
class Bernoulli(Stored):
    """Independent Bernoulli distribution over rows of 0 and 1; immutable.

    The mass is ``Π_j p_j^x_j (1 - p_j)^(1 - x_j)``; the weighted fit is the weighted mean of the rows.

    Parameters
    ----------
    p : array_like, shape (d,)
        Probability of a 1 in each position, in [0, 1].

    Raises
    ------
    ValueError
        If a probability lies outside [0, 1].

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method",
    Annals of Operations Research 134, Section 4.1 and Equation (29).

    Examples
    --------
    >>> import cem
    >>> cem.Bernoulli([0.5, 0.5]).fit([[0, 1], [1, 1], [1, 1], [1, 1]])
    Bernoulli(p=[0.75 1.  ])
    """

    p: Any

    dtype: ClassVar = np.dtype(np.uint8)
    redrawable: ClassVar = True

    def __post_init__(self) -> None:
        p = parameter_vector("p", self.p)
        if np.any((p < 0) | (p > 1)):
            raise ValueError(f"probabilities lie in [0, 1], got values from {p.min()!r} to {p.max()!r}.")
        object.__setattr__(self, "p", frozen(p))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return int(self.p.size)

    @property
    def cardinality(self) -> float:
        """Number of candidates of positive probability."""
        free = int(np.count_nonzero((self.p > 0) & (self.p < 1)))
        return 2.0**free if free < 1024 else np.inf

    def support(self) -> list[Array]:
        """Return the values of positive probability at each position, a list of ``(k,)``."""
        return [np.flatnonzero([p < 1, p > 0]) for p in self.p]

    def contains(self, x: Array, /) -> Mask:
        """Return which rows are zeros and ones, shape ``(n,)``."""
        x = check_rows(x, self.dimension)
        return np.asarray(np.all((x == 0) | (x == 1), axis=1))

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.uint8]:
        """Draw `n` candidates of 0 and 1, shape ``(n, d)``, one byte each."""
        out = np.empty((n, self.dimension), dtype=np.uint8)
        self.fill(out, rng)
        return out

    def fill(self, out: NDArray[np.uint8], rng: np.random.Generator, /) -> None:
        """Draw ``len(out)`` candidates into `out`, shape ``(n, d)``."""
        np.less(rng.random(out.shape), self.p, out=out.view(np.bool_))

    def log_prob(self, x: Array, /) -> Floats:
        """Log mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        x = check_rows(x, self.dimension)
        valid = np.all((x == 0) | (x == 1), axis=1)
        mass = np.sum(xlogy(x, self.p) + xlog1py(1.0 - x, -self.p), axis=1)
        return np.where(valid, mass, -np.inf)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted maximum likelihood: the weighted mean of the rows."""
        x, w = check_fit(x, weights, self.dimension)
        return self.owning(p=np.clip(w @ x, 0.0, 1.0))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Mix the probabilities."""
        a = check_rate(rate)
        return self.owning(p=(1 - a) * self.p + a * other.p)

    def entropy(self) -> float:
        """Entropy in nats."""
        return float(np.sum(entr(self.p) + entr(1 - self.p)))

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats (closed form)."""
        if not isinstance(other, Bernoulli) or other.dimension != self.dimension:
            raise TypeError("a closed form needs two Bernoulli families of one dimension.")
        return float(np.sum(rel_entr(self.p, other.p) + rel_entr(1 - self.p, 1 - other.p)))

    def __repr__(self) -> str:
        return f"Bernoulli(p={self.p})" if self.dimension <= 8 else f"Bernoulli({self.dimension} positions)"
