"""What mixtures share: density, smoothing, entropy, stratified sampling and expectation maximisation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from cem.clock import look_at_clock
from cem.families.base import (
    LARGEST,
    Array,
    Floats,
    Index,
    ReadOnly,
    check_fit,
    check_rate,
    check_rows,
    parameter_vector,
)

ROUNDS = 100
GAIN = 1e-6  # nats a row: what it takes to go on is far below what a proposal could show
LEAST_MASS = 1e-12  # of the largest component's: what is left of one that no row belongs to
IMPOSSIBLE = -1e30  # stands for the logarithm of 0 where it may meet a factor 0


class MixtureDensity(ReadOnly, ABC):
    """The density of a mixture of K components, ``q(x) = Σ_k shares[k] q_k(x)``.

    A subclass has the field `shares`.
    """

    shares: Any

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of a candidate."""

    def prepare(self, x: Array, /) -> Array:
        """Return the rows of `x`, shape ``(n, d)``, checked and in the form that `joint` takes."""
        return check_rows(x, self.dimension)

    @abstractmethod
    def joint(self, rows: Array, /) -> Floats:
        """Return the log of share times density of each component at prepared rows, shape ``(n, K)``."""

    def log_prob(self, x: Array, /) -> Floats:
        """Log density or mass of each row in nats, shape ``(n,)``; -inf where a row is impossible."""
        return sum_in_logs(self.joint(self.prepare(x)))


class Mixture(MixtureDensity):
    """A mixture whose components are of one kind, so that they are fitted and joined alike.

    References
    ----------
    McLachlan & Peel (2000), "Finite Mixture Models", Wiley.
    """

    @abstractmethod
    def refit(self, rows: Array, r: Floats, mass: Floats, /) -> Self:
        """Return the maximisation step, from weighted responsibilities ``(n, K)`` and their sums ``(K,)``."""

    @abstractmethod
    def join(self, other: Self, shares: Floats, /) -> Self:
        """Return the mixture of the components of both with these shares."""

    @abstractmethod
    def component_entropies(self) -> Floats:
        """Return the entropy of each component in nats, shape ``(K,)``."""

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit by weighted expectation maximisation from these components, until it gains no more.

        A component that not even half a row belongs to any more is dropped: smoothing joins the components
        of two fits, which would double them each time.
        """
        x, w = check_fit(x, weights, self.dimension)
        return maximize_likelihood(self, self.prepare(x), w, self._refit_kept)

    def _refit_kept(self, rows: Array, r: Floats, mass: Floats) -> Self:
        least = max(LEAST_MASS * mass.max(), 0.5 * mass.sum() / len(rows))
        kept = (mass > least) | (mass == mass.max())
        return self.refit(rows, r[:, kept], mass[kept])

    def blend(self, other: Self, rate: float, /) -> Self:
        """Return the mixture of the two, ``(1 - rate) * self + rate * other``."""
        return joined(self, other, rate)

    def entropy(self) -> float:
        """Return an upper bound of the entropy in nats: the components' mean plus the shares'."""
        return entropy_bound(self.shares, self.component_entropies())


class _Joining(Protocol):
    @property
    def shares(self) -> Any: ...

    def join(self, other: Self, shares: Floats, /) -> Self: ...


J = TypeVar("J", bound=_Joining)


def joined(mine: J, other: J, rate: float) -> J:
    """Return the mixture of the components of both, ``(1 - rate) * mine + rate * other``."""
    a = check_rate(rate)
    if a in (0.0, 1.0):
        return mine if a == 0 else other
    return mine.join(other, scale_shares(np.concatenate([(1 - a) * mine.shares, a * other.shares])))


def entropy_bound(shares: Floats, entropies: Floats) -> float:
    """Return an upper bound of a mixture's entropy in nats, from shares and entropies of its components."""
    return float(shares @ entropies + entr(shares).sum())


def check_shares(shares: ArrayLike) -> Floats:
    """Return shares of components scaled to sum to one, shape ``(K,)``.

    Raises
    ------
    ValueError
        If one is not positive and finite.
    """
    out = parameter_vector("shares", shares)
    if np.any(out <= 0):
        raise ValueError(f"shares must be positive, got a smallest of {out.min()!r}.")
    return scale_shares(out / out.max() if out.max() > LARGEST else out)


def scale_shares(shares: Floats) -> Floats:
    """Return positive shares divided by their sum."""
    return np.asarray(shares / shares.sum())


def sum_in_logs(joint: Floats) -> Floats:
    """Return the logarithm of the sum of exponentials of each row of `joint`, shape ``(n,)``."""
    top = joint.max(axis=1)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(joint - top[:, None]).sum(axis=1)) + top)


def share_out(joint: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the expectation step from the log of share times density of each component at each row.

    Responsibilities times weights, shape ``(n, K)``, and the log densities of the rows, shape ``(n,)``. A row
    that no component can have made belongs to all alike.
    """
    total = sum_in_logs(joint)
    lost = np.isneginf(total)
    r = np.exp(joint - np.where(lost, 0.0, total)[:, None])
    r[lost] = 1 / r.shape[1]
    return r * weights[:, None], np.maximum(total, IMPOSSIBLE)


class _HasJoint(Protocol):
    def joint(self, rows: Array, /) -> Floats: ...


M = TypeVar("M", bound=_HasJoint)


def maximize_likelihood(
    mixture: M,
    rows: Array,
    weights: Floats,
    refit: Callable[[Array, Floats, Floats], M],
    rounds: int = ROUNDS,
    gain: float = GAIN,
) -> M:
    """Maximise the weighted log-likelihood of prepared rows by expectation maximisation.

    Parameters
    ----------
    mixture : Mixture
        Where to begin.
    rows : ndarray, shape (n, …)
        As `Mixture.prepare` returns them.
    weights : ndarray, shape (n,)
    refit : callable
        The maximisation step: from rows, responsibilities times weights ``(n, K)`` and their sums ``(K,)``
        to a mixture.
    rounds : int
        At most so many.
    gain : float
        A round that raises the weighted log-likelihood by less is the last.

    References
    ----------
    Dempster, Laird & Rubin (1977), "Maximum likelihood from incomplete data via the EM algorithm", Journal of
    the Royal Statistical Society B 39.
    """
    before = -np.inf
    for _ in range(rounds):
        look_at_clock()
        r, total = share_out(mixture.joint(rows), weights)
        mixture = refit(rows, np.asfortranarray(r), r.sum(axis=0))  # it is read component by component
        now = float(weights @ total)
        if now - before < gain:
            break
        before = now
    return mixture


def allot(shares: Floats, n: int, rng: np.random.Generator) -> Index:
    """Return a component for each of `n` rows, in random order, as many to each as its share rounds to.

    What rounding leaves over is drawn, so that each row has every component with its share.

    References
    ----------
    Hesterberg (1995), "Weighted average importance sampling and defensive mixture distributions",
    Technometrics 37.
    """
    quota = n * shares
    counts = np.floor(quota).astype(np.int64)
    rest = quota - counts
    if (short := n - int(counts.sum())) > 0:
        counts += rng.multinomial(short, rest / rest.sum())
    return rng.permutation(np.repeat(np.arange(shares.size), counts))
