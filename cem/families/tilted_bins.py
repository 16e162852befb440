"""Independent normals whose density is stepped: in each bin of a grid as likely as a table says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import ndtr, ndtri

from cem.families.base import Array, Floats, Index, ReadOnly, check_fit, check_rows, frozen
from cem.families.blended import Blended
from cem.families.gaussian import LOG_2PI

EDGES = np.linspace(-8, 8, 65)  # normal densities change by a factor of two over a bin at 3
BINS = EDGES.size + 1
NOMINAL = np.diff(ndtr(EDGES[EDGES <= 0]), prepend=0.0)
NOMINAL = np.concatenate([NOMINAL, NOMINAL[::-1]])
FEW = 10.0  # rows of a bin below which it is joined to its neighbour: an error of a third
PRIOR = 1.0  # pseudo-rows of a standard normal, so that no bin is impossible
_FARTHEST = 1e100  # the square of a count of these is still a normal float


@dataclass(frozen=True, eq=False, repr=False)
class TiltedBins(ReadOnly):
    """Independent coordinates, each a standard normal but for how likely every bin of a grid is; immutable.

    Where now these, now those of the coordinates bring an event about, there are as many modes as ways to
    choose them; a product of marginals with two humps has them all.

    Parameters
    ----------
    masses : array_like, shape (d, 66)
        Probability of every bin of each coordinate: below -8, 64 a quarter wide, above 8; positive.

    Raises
    ------
    ValueError
        If the shape is another, or a row does not sum to one.

    References
    ----------
    Zhang (1996), "Nonparametric importance sampling", Journal of the American Statistical Association 91.
    """

    masses: Any

    dtype: ClassVar = np.dtype(np.float64)

    def __post_init__(self) -> None:
        object.__setattr__(self, "masses", frozen(self.masses))
        if self.masses.ndim != 2 or self.masses.shape[1] != BINS:
            raise ValueError(f"masses must have shape (d, {BINS}), got {self.masses.shape}.")
        if not np.all(self.masses > 0) or not np.allclose(self.masses.sum(axis=1), 1, rtol=0, atol=1e-8):
            raise ValueError("each row of masses must be positive and sum to 1.")

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return int(self.masses.shape[0])

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` rows, shape ``(n, d)``."""
        d = self.dimension
        ends = (np.cumsum(self.masses, axis=1) + np.arange(d)[:, None])[:, :-1].ravel()
        at = np.searchsorted(ends, rng.random((n, d)) + np.arange(d), side="right")
        bins = np.clip(at - np.arange(d) * (BINS - 1), 0, BINS - 1)
        upper = bins >= BINS // 2
        outwards = np.where(upper, BINS - 1 - bins, bins)
        outer = np.concatenate([[0.0], ndtr(EDGES[EDGES <= 0])])[outwards]
        depth = ndtri(outer + (1 - rng.random((n, d))) * NOMINAL[outwards])
        return np.asarray(np.where(upper, -depth, depth))

    def log_prob(self, x: Array, /) -> Floats:
        """Log density of each row in nats, shape ``(n,)``."""
        x = np.clip(check_rows(x, self.dimension), -_FARTHEST, _FARTHEST)
        tilts = np.log(self.masses / NOMINAL)[np.arange(self.dimension), bins_of(x)]
        normal = -0.5 * np.einsum("ij,ij->i", x, x) - 0.5 * LOG_2PI * self.dimension
        return np.asarray(normal + tilts.sum(axis=1))

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit the bins' frequencies, shrunk towards a standard normal by one row."""
        x, w = check_fit(x, weights, self.dimension)
        return self.counted(x, w / (w @ w), 0.0)

    def counted(self, x: Array, w: Floats, prior: float) -> Self:
        """Fit to rows whose weights sum to their effective number, with `prior` rows of all coordinates.

        Infinitely many: all coordinates are alike. Bins that too few rows fall into, of all coordinates
        together, are one with their neighbours inwards: tails fall as a normal's do.
        """
        d, n = self.dimension, float(w.sum())
        flat = (bins_of(np.clip(x, -_FARTHEST, _FARTHEST)) + np.arange(d) * BINS).ravel()
        seen = np.bincount(flat, np.repeat(w, d), d * BINS).reshape(d, BINS)
        groups = _groups(seen.sum(axis=0))
        counts = (seen @ groups / (NOMINAL @ groups)) @ groups.T * NOMINAL
        alike = (counts.sum(axis=0) + PRIOR * NOMINAL) / (n * d + PRIOR)
        if np.isinf(prior):
            return self.replaced(masses=np.tile(alike, (d, 1)))
        towards = prior * alike + PRIOR * NOMINAL
        return self.replaced(masses=(counts + towards) / (n + prior + PRIOR))

    def inflated(self, by: float, /) -> Self:
        """Return it nearer to a standard normal: by a share of by/(by + √d), in logarithms."""
        back = by / (by + np.sqrt(self.dimension))
        masses = self.masses ** (1 - back) * NOMINAL**back
        return self.replaced(masses=masses / masses.sum(axis=1, keepdims=True))

    def blend(self, other: Any, rate: float, /) -> Any:
        """Return the mixture of the two, ``(1 - rate) * self + rate * other``."""
        return Blended([1.0], [self]).blend(other, rate)

    def entropy(self) -> float:
        """Return the differential entropy in nats."""
        slopes = EDGES * np.exp(-0.5 * EDGES**2 - 0.5 * LOG_2PI)
        squares = 1 - np.diff(slopes, prepend=0.0, append=0.0) / NOMINAL
        each = 0.5 * squares + 0.5 * LOG_2PI - np.log(self.masses / NOMINAL)
        return float((self.masses * each).sum())

    def __repr__(self) -> str:
        return f"TiltedBins({self.dimension} coordinates)"


def bins_of(x: Floats) -> Index:
    """Return the number of the bin that each entry lies in, from 0 to 65."""
    at = np.floor((x - EDGES[0]) / (EDGES[1] - EDGES[0])) + 1
    return np.asarray(np.clip(at, 0, BINS - 1), dtype=np.intp)


def _groups(counts: Floats) -> Floats:
    """Return which bins belong together, ``(66, groups)`` of ones and zeros: from both ends inwards."""
    half, number = BINS // 2, np.empty(BINS, dtype=np.intp)
    group = 0
    for side in (range(half), range(BINS - 1, half - 1, -1)):
        held = 0.0
        for b in side:
            number[b] = group
            held += counts[b]
            if held >= FEW:
                group, held = group + 1, 0.0
        group += held > 0 or number[side[-1]] == group
    return np.eye(group)[number]


def standard_bins(d: int) -> TiltedBins:
    """Return `d` standard normals."""
    return TiltedBins(np.tile(NOMINAL, (d, 1)))
