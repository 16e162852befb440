"""Shares of a mixture's components: their check, and how many rows each gets."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem.families.base import parameter_vector


def checked_shares(shares: ArrayLike) -> NDArray[np.float64]:
    """Check shares of components and scale them to sum to one.

    Raises
    ------
    ValueError
        If one is not positive and finite.
    """
    out = parameter_vector("shares", shares)
    if np.any(out <= 0):
        raise ValueError(f"shares must be positive, got a smallest of {out.min()!r}.")
    return np.asarray(out / out.sum())


def log_total(joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the logarithm of the sum of exponentials of each row."""
    top = joint.max(axis=1)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(joint - top[:, None]).sum(axis=1)) + top)


def allotted(shares: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Give a component to each of `n` rows, in random order, as many to each as its share rounds to.

    What rounding leaves over is drawn, so that each row has every component with its share.

    References
    ----------
    Hesterberg (1995), "Weighted average importance sampling and defensive mixture distributions",
    Technometrics 37.
    """
    quota = n * shares
    counts = np.floor(quota).astype(np.intp)
    rest = quota - counts
    if (short := n - int(counts.sum())) > 0:
        counts += rng.multinomial(short, rest / rest.sum())
    return rng.permutation(np.repeat(np.arange(shares.size), counts))
