"""Shares of a mixture's components: their check, and how many rows each gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem.families.base import parameter_vector

M = TypeVar("M")


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


def maximised(
    mixture: M,
    w: NDArray[np.float64],
    joint: Callable[[M], NDArray[np.float64]],
    refit: Callable[[NDArray[np.float64], NDArray[np.float64]], M],
    kept: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    rounds: int,
    gain: float,
) -> M:
    """Maximise the weighted log-likelihood by expectation maximisation, until a round gains less than `gain`.

    Parameters
    ----------
    mixture : family
        Where to begin.
    w : ndarray, shape (n,)
        Weights of the rows.
    joint : callable
        From a mixture to the log of share times mass of each component at each row, shape ``(n, K)``.
    refit : callable
        From weighted responsibilities, shape ``(n, K)``, and their sums to a mixture.
    kept : callable
        From the sums to the components that stay.
    rounds : int
        At most.
    gain : float

    References
    ----------
    Dempster, Laird & Rubin (1977), "Maximum likelihood from incomplete data via the EM algorithm", Journal of
    the Royal Statistical Society B 39.
    """
    before = -np.inf
    for _ in range(rounds):
        each = joint(mixture)
        total = log_total(each)
        r = np.exp(each - total[:, None]) * w[:, None]
        mass = r.sum(axis=0)
        some = kept(mass)
        mixture = refit(r[:, some], mass[some])
        now = float(w @ total)
        if now - before < gain:
            break
        before = now
    return mixture


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
