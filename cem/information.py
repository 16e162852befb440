"""Entropy, cross-entropy, Kullback-Leibler divergence and the losses built on them.

For distributions p and q over the same outcomes, with `0 log 0 = 0`:

    H(p)       = -Σ p log p           entropy: the mean surprise of p
    H(p, q)    = -Σ p log q           cross-entropy: the mean surprise of p to one who believes q
    KL(p || q) = H(p, q) - H(p) ≥ 0   divergence: what believing q costs

The cross-entropy method is named after the second. Each iteration's elites, with their weights, are a
distribution p, and the refit is the member q of the family that minimises `cross_entropy(p, q)`. H(p) does
not depend on q, so this is also the member closest to the elites in KL, and the weighted maximum-likelihood
fit: `Family.fit`. In training a classifier p are the labels, q the predictions, and it is called log loss.

Results are in nats; `base=2` gives bits. In arrays the last axis is the distribution. Where p > 0 and q = 0
the result is infinite, as it should be, unless `clip` puts a floor under q.

References
----------
C. E. Shannon, "A Mathematical Theory of Communication", Bell System Technical Journal 27, 1948.
S. Kullback and R. A. Leibler, "On Information and Sufficiency", Ann. Math. Statist. 22, 1951.
I. J. Good, "Rational Decisions", J. R. Stat. Soc. B 14, 1952 (the logarithmic loss).
T. M. Cover and J. A. Thomas, "Elements of Information Theory", 2nd ed., Wiley, 2006, chapters 2 and 8.
R. Y. Rubinstein and D. P. Kroese, "The Cross-Entropy Method", Springer, 2004.
"""

import math
from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_expit, log_softmax

from cem.families.base import Array, Floats, Index

Seed: TypeAlias = int | np.random.Generator | np.random.SeedSequence | None

SUM_TOLERANCE = 1e-6
SAMPLE_BLOCK = 2**13


@runtime_checkable
class _Family(Protocol):
    """The part of a family that is needed here; a closed-form `kl_divergence(other)` is used if present."""

    def sample(self, n: int, rng: np.random.Generator, /) -> Array: ...
    def log_prob(self, x: Array, /) -> Floats: ...
    def entropy(self) -> float: ...


def entropy(p: _Family | ArrayLike, *, base: float = math.e, from_logits: bool = False) -> float | Floats:
    """Entropy H(p) = -Σ p log p, the mean surprise of a distribution (Shannon, 1948, section 6).

    Parameters
    ----------
    p : array_like (..., k) or family
        Probabilities along the last axis; or a family, which tells its own (differential) entropy.
    base : float
        Unit of the result: e for nats, 2 for bits.
    from_logits : bool
        `p` holds unnormalised log-probabilities.

    Returns
    -------
    float or ndarray (...)
        One entropy per distribution. Errors are those of `cross_entropy`.
    """
    unit = _unit(base)
    if isinstance(p, _Family):
        _refuse_for_families(from_logits)
        return p.entropy() / unit
    log_p = _log_probabilities("p", p, from_logits)
    return _plain(_expectation(np.exp(log_p), -log_p) / unit)


def cross_entropy(
    p: _Family | ArrayLike,
    q: _Family | ArrayLike,
    *,
    base: float = math.e,
    label_smoothing: float = 0.0,
    from_logits: bool = False,
    clip: float | None = None,
    n_samples: int = 100_000,
    rng: Seed = None,
) -> float | Floats:
    """Cross-entropy H(p, q) = -Σ p log q = H(p) + KL(p || q) (Cover and Thomas, 2006, section 5.4).

    This is what the cross-entropy method minimises: with p the weighted distribution of the elites, the refit
    is the q of the family with the least `cross_entropy(p, q)` (Rubinstein and Kroese, 2004).

    Parameters
    ----------
    p, q : array_like (..., k), or two families
        Probabilities along the last axis; leading axes broadcast. Two families are compared in closed form
        where `p` has one (`p.kl_divergence(q)`), else by Monte Carlo: the mean of -log q over samples of p.
    base : float
        Unit of the result: e for nats, 2 for bits.
    label_smoothing : float in [0, 1]
        The share of `p` that is replaced by the uniform distribution (Szegedy et al., 2016).
    from_logits : bool
        `q` holds unnormalised log-probabilities.
    clip : float in (0, 1), optional
        A floor under each probability in `q`, which is not normalised again.
    n_samples, rng : int; int, Generator, SeedSequence or None
        Monte Carlo samples and their source; the error falls as `1 / sqrt(n_samples)`.

    Returns
    -------
    float or ndarray (...)
        One cross-entropy per pair of distributions.

    Raises
    ------
    ValueError
        Where an array is no distribution, last axes differ, `base` is not above 1, or an option out of range.
    TypeError
        Where an argument is not real numbers, or a family stands beside an array or an array's options.
    """
    unit = _unit(base)
    if isinstance(p, _Family) and isinstance(q, _Family):
        _refuse_for_families(label_smoothing, from_logits, clip)
        kl, h = _closed_form_kl(p, q), p.entropy()
        if kl is not None and math.isfinite(h):
            return (h + kl) / unit
        return _sample_mean(p, lambda x: -q.log_prob(x), n_samples, rng) / unit
    target, log_q = _pair(p, q, from_logits)
    return _plain(_surprise(target, log_q, label_smoothing, clip) / unit)


def kl_divergence(
    p: _Family | ArrayLike,
    q: _Family | ArrayLike,
    *,
    base: float = math.e,
    from_logits: bool = False,
    clip: float | None = None,
    n_samples: int = 100_000,
    rng: Seed = None,
) -> float | Floats:
    """Divergence KL(p || q) = Σ p log(p / q), zero only where p = q (Kullback and Leibler, 1951).

    Parameters, shapes, units and errors are those of `cross_entropy`. By Monte Carlo it is the mean of
    log p - log q over samples of p, which the sampling error can take below zero.
    """
    unit = _unit(base)
    if isinstance(p, _Family) and isinstance(q, _Family):
        _refuse_for_families(from_logits, clip)
        kl = _closed_form_kl(p, q)
        if kl is not None:
            return kl / unit
        return _sample_mean(p, lambda x: p.log_prob(x) - q.log_prob(x), n_samples, rng) / unit
    target, log_q = _pair(p, q, from_logits)
    excess = np.log(np.where(target > 0, target, 1.0)) - _floored(log_q, clip)
    return _plain(np.maximum(_expectation(target, excess), 0.0) / unit)


def perplexity(p: _Family | ArrayLike, *, base: float = math.e, from_logits: bool = False) -> float | Floats:
    """Perplexity, `base` to the power H(p): as uncertain as a fair choice among that many outcomes.

    It lies between 1 (certainty) and k (uniform), the same in every base; of a continuous family it is the
    volume of the uniform distribution with the same entropy. Parameters, shapes and errors are those of
    `entropy`. Source: F. Jelinek et al., J. Acoust. Soc. Am. 62, 1977.
    """
    with np.errstate(over="ignore"):
        return _plain(np.power(float(base), entropy(p, base=base, from_logits=from_logits)))


def binary_cross_entropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    base: float = math.e,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    from_logits: bool = False,
    clip: float | None = None,
) -> float:
    """Mean of -y log ŷ - (1 - y) log(1 - ŷ): the mean negative log-likelihood of yes-or-no outcomes.

    Parameters
    ----------
    y_true : array_like (...)
        Labels 0 and 1, or probabilities between them.
    y_pred : array_like, shaped as `y_true`
        Predicted probability of 1; with `from_logits`, its log-odds.
    sample_weight : array_like, shaped as `y_true`, optional
        Weights of the mean; they need not sum to 1.
    base, label_smoothing, from_logits, clip
        As in `cross_entropy`, for the two outcomes 0 and 1.

    Returns
    -------
    float
        The mean; infinite where an outcome that was given probability 0 happened.

    Raises
    ------
    ValueError, TypeError
        Where values, shapes, weights or options are unusable, or something is no number.
    """
    unit = _unit(base)
    y, log_q = _unit_interval("y_true", y_true), _binary_log_probabilities("y_pred", y_pred, from_logits)
    if y.shape != log_q.shape[:-1]:
        raise ValueError(f"y_true and y_pred need the same shape, got {y.shape} and {log_q.shape[:-1]}.")
    return _mean(_surprise(np.stack([1 - y, y], axis=-1), log_q, label_smoothing, clip), sample_weight) / unit


def categorical_cross_entropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    base: float = math.e,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    from_logits: bool = False,
    clip: float | None = None,
) -> float:
    """Mean of -Σ y log ŷ over rows: the mean negative log-likelihood of outcomes among k.

    Parameters
    ----------
    y_true : array_like (..., k) or (...)
        One-hot or probability rows; or integer labels 0 to k-1, one per row.
    y_pred : array_like (..., k)
        Predicted probabilities; with `from_logits`, unnormalised log-probabilities.
    sample_weight : array_like (...), optional
        Weights of the mean over rows; they need not sum to 1.
    base, label_smoothing, from_logits, clip
        As in `cross_entropy`; errors are those of `binary_cross_entropy`.
    """
    unit, log_q = _unit(base), _log_probabilities("y_pred", y_pred, from_logits)
    if np.shape(y_true) == log_q.shape[:-1]:
        target = np.eye(log_q.shape[-1])[_labels("y_true", y_true, log_q.shape[-1])]
    else:
        target = _probabilities("y_true", y_true)
    if target.shape != log_q.shape:
        wanted = f"rows of shape {log_q.shape} or labels of shape {log_q.shape[:-1]}"
        raise ValueError(f"y_true must hold {wanted} to match y_pred, got {target.shape}.")
    return _mean(_surprise(target, log_q, label_smoothing, clip), sample_weight) / unit


def log_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    base: float = math.e,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    from_logits: bool = False,
    clip: float | None = None,
) -> float:
    """Log loss of a classifier: its mean negative log-likelihood, which is its cross-entropy.

    `y_true` holds integer labels (n,) or one-hot rows (n, k); `y_pred` the predicted probabilities of label 1
    of two (n,), or of each of k labels (n, k). The first is a `binary_cross_entropy`, the second a
    `categorical_cross_entropy`, with their parameters and errors. The value is that of
    `sklearn.metrics.log_loss`, but infinite, unless `clip` is given, where that clips.
    """
    binary = np.ndim(y_pred) < 2
    loss = binary_cross_entropy if binary else categorical_cross_entropy
    return loss(
        _labels("y_true", y_true, 2) if binary else y_true,
        y_pred,
        base=base,
        sample_weight=sample_weight,
        label_smoothing=label_smoothing,
        from_logits=from_logits,
        clip=clip,
    )


def _closed_form_kl(p: _Family, q: _Family) -> float | None:
    closed_form = getattr(p, "kl_divergence", lambda _: NotImplemented)
    try:
        kl = closed_form(q)
    except TypeError:
        return None
    return None if kl is NotImplemented else float(kl)


def _sample_mean(p: _Family, value: Callable[[Array], Floats], n_samples: int, rng: Seed) -> float:
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}.")
    generator = np.random.default_rng(rng)
    sizes = (min(SAMPLE_BLOCK, n_samples - start) for start in range(0, n_samples, SAMPLE_BLOCK))
    return sum(float(np.sum(value(p.sample(size, generator)))) for size in sizes) / n_samples


def _expectation(p: Floats, values: Floats) -> Floats:
    """Σ p·values over the last axis with 0·∞ = 0, and never -0.0."""
    return np.asarray(np.sum(p * np.where(p > 0, values, 0.0), axis=-1) + 0.0)


def _surprise(p: Floats, log_q: Floats, label_smoothing: float, clip: float | None) -> Floats:
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing}.")
    smooth = (1 - label_smoothing) * p + label_smoothing / p.shape[-1]
    return _expectation(smooth, -_floored(log_q, clip))


def _mean(losses: Floats, sample_weight: ArrayLike | None) -> float:
    if sample_weight is None:
        return float(losses.mean())
    w = _reals("sample_weight", sample_weight)
    if w.shape != losses.shape:
        raise ValueError(f"sample_weight needs a weight per loss, shape {losses.shape}, got {w.shape}.")
    if not (np.isfinite(w).all() and w.min() >= 0 and w.max() > 0):
        raise ValueError("sample_weight must be finite, not negative, and not zero everywhere.")
    w = w / w.max()
    return float(_expectation((w / w.sum()).ravel(), losses.ravel()))


def _floored(log_q: Floats, clip: float | None) -> Floats:
    if clip is None:
        return log_q
    if not 0 < clip < 1:
        raise ValueError(f"clip must lie between 0 and 1, for example 1e-15, got {clip}.")
    return np.maximum(log_q, math.log(clip))


def _pair(p: object, q: object, from_logits: bool) -> tuple[Floats, Floats]:
    target, log_q = _probabilities("p", p), _log_probabilities("q", q, from_logits)
    if target.shape[-1] != log_q.shape[-1]:
        raise ValueError(f"p and q need the same last axis, got shapes {target.shape} and {log_q.shape}.")
    return target, log_q


def _log_probabilities(name: str, x: object, from_logits: bool) -> Floats:
    if not from_logits:
        with np.errstate(divide="ignore"):
            return np.log(_probabilities(name, x))
    logits = _reals(name, x)
    if logits.ndim == 0 or not np.isfinite(logits.max(axis=-1)).all():
        raise ValueError(f"{name} must hold rows of logits, each with a finite maximum.")
    with np.errstate(over="ignore"):  # a difference beyond the largest number is a probability of 0
        return np.asarray(log_softmax(logits, axis=-1))


def _binary_log_probabilities(name: str, x: object, from_logits: bool) -> Floats:
    q = _reals(name, x) if from_logits else _unit_interval(name, x)
    with np.errstate(divide="ignore"):
        pair = [log_expit(-q), log_expit(q)] if from_logits else [np.log1p(-q), np.log(q)]
    return np.stack(pair, axis=-1)


def _probabilities(name: str, x: object) -> Floats:
    p = _reals(name, x)
    if p.ndim == 0:
        raise ValueError(f"{name} must be a whole distribution, such as [1 - p, p], got the number {p}.")
    if p.min() < 0:
        raise ValueError(f"{name} holds a negative probability, {p.min():g}.")
    off = np.ravel(p.sum(axis=-1) - 1)
    worst = off[np.abs(off).argmax()]
    if abs(worst) > SUM_TOLERANCE:
        raise ValueError(
            f"{name} must sum to 1 along its last axis, not {1 + worst:.9g}; divide by its sums."
        )
    return p


def _unit_interval(name: str, x: object) -> Floats:
    y = _reals(name, x)
    if y.min() < 0 or y.max() > 1:
        raise ValueError(f"{name} must lie in [0, 1], got values from {y.min():g} to {y.max():g}.")
    return y


def _labels(name: str, x: object, k: int) -> Index:
    y = _reals(name, x)
    wrong = y[(y < 0) | (y >= k) | (y % 1 != 0)]
    if wrong.size:
        raise ValueError(f"{name} must hold integer labels from 0 to {k - 1}, got {wrong[0]:g}.")
    return y.astype(np.int64)


def _reals(name: str, x: object) -> Floats:
    array = np.ma.filled(x.astype(float), np.nan) if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, or both arguments be families, got {x!r:.80}.")
    if array.size == 0:
        raise ValueError(f"{name} is empty.")
    if np.isnan(array).any():
        raise ValueError(f"{name} holds NaN or masked entries; drop or replace them first.")
    return array.astype(np.float64)


def _unit(base: float) -> float:
    if not 1 < base < math.inf:
        raise ValueError(f"base must be a finite number above 1, such as e (nats) or 2 (bits), got {base}.")
    return math.log(base)


def _refuse_for_families(*options: float | None) -> None:
    if any(options):
        raise TypeError("label_smoothing, from_logits and clip are for arrays, not for families.")


def _plain(x: Floats) -> float | Floats:
    return float(x) if x.ndim == 0 else x
