"""Covariance structures, and the weighted EM that fits a mixture of them in standard-normal space.

A structure turns the weighted rows of one component into its parameters. Weights come scaled so that their
sum is the effective number of rows, and all shrinkage is a matter of that number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cem.families.base import Floats
from cem.families.gaussian_mixture import GaussianMixture
from cem.families.mixture import maximize_likelihood
from cem.families.tilted_bins import TiltedBins, standard_bins
from cem.rare_events.settings import Settings


class Part(NamedTuple):
    """One component: mean (d,), std (d,), axes (d, r), stretch (r,)."""

    mean: Floats
    std: Floats
    axes: Floats
    stretch: Floats


Structure = Callable[[Floats, Floats, Settings], Part]


def _moments(x: Floats, w: Floats) -> tuple[float, Floats, Floats]:
    """Return the effective number of rows, their mean and variances."""
    n = float(w.sum())
    mean = w @ x / n
    return n, mean, w @ (x - mean) ** 2 / n


def full(x: Floats, w: Floats, settings: Settings) -> Part:
    """Full covariance; its correlations shrink by d pseudo-observations."""
    n, mean, variance = _moments(x, w)
    d = x.shape[1]
    y = x - mean
    keep = n / (n + d)
    covariance = keep * (y * (w / n)[:, None]).T @ y + (1 - keep) * np.diag(variance)
    covariance[np.diag_indices(d)] += settings.prior / (n + 1) + settings.least_std**2
    values, axes = np.linalg.eigh(covariance)
    return Part(mean, np.ones(d), axes, np.sqrt(np.maximum(values, settings.least_std**2)))


def sparse(x: Floats, w: Floats, settings: Settings) -> Part:
    """Diagonal, with only the entries that differ from N(0, 1) by more than chance would make the largest."""
    n, mean, variance = _moments(x, w)
    d = x.shape[1]
    limit = np.sqrt((2 * np.log(d) + 1) / max(n, 1.0))
    moved = np.abs(mean) > limit * np.sqrt(np.maximum(variance, 0.1))
    second = np.where(moved, variance, variance + mean**2)
    spread = np.where(np.abs(second - 1) > np.sqrt(2) * limit, second, 1.0)
    std = np.maximum(np.sqrt(spread + settings.prior / (n + 1)), settings.least_std)
    return Part(np.where(moved, mean, 0.0), std, np.zeros((d, 0)), np.ones(0))


def isotropic(x: Floats, w: Floats, settings: Settings) -> Part:
    """Mean zero and one spread in all directions, for events that only the length decides."""
    n, d = float(w.sum()), x.shape[1]
    std = np.sqrt((float(w @ (x**2).sum(axis=1)) + settings.prior * d) / ((n + settings.prior) * d))
    return Part(np.zeros(d), np.full(d, std), np.zeros((d, 0)), np.ones(0))


@dataclass(frozen=True, eq=False)
class Along:
    """Mean and variance along one direction; standard normal across it."""

    direction: Floats

    def __call__(self, x: Floats, w: Floats, settings: Settings) -> Part:
        """Fit one component."""
        n, mean, variance = _moments((x @ self.direction)[:, None], w)
        stretch = np.sqrt(variance + settings.prior / (n + 1))
        return Part(mean[0] * self.direction, np.ones(x.shape[1]), self.direction[:, None], stretch)


@dataclass(frozen=True, eq=False)
class LowRank:
    """Mean shrunk towards a direction; variance free along it and along a few further axes.

    The part of the mean across `direction` shrinks by James and Stein's factor; the axes are eigenvectors of
    the covariance beyond what noise alone produces (Marchenko and Pastur's edge).
    """

    direction: Floats

    def __call__(self, x: Floats, w: Floats, settings: Settings) -> Part:
        """Fit one component."""
        n, mean, _ = _moments(x, w)
        d = x.shape[1]
        along = float(mean @ self.direction)
        across = mean - along * self.direction
        size = max(float(across @ across), 1e-12)
        mean = along * self.direction + across * max(0.0, 1 - (d - 1) / (max(n, 1.0) * size))
        axes = self._axes(x - mean, w / n, n, mean, settings)
        variance = (w / n) @ ((x - mean) @ axes) ** 2
        return Part(mean, np.ones(d), axes, np.sqrt(variance + settings.prior / (n + 1)))

    def _axes(self, y: Floats, share: Floats, n: float, mean: Floats, settings: Settings) -> Floats:
        size = float(np.linalg.norm(mean))
        first = mean / size if size > 1e-9 else self.direction
        picked = [first]
        if n > 8:
            y = y - np.outer(y @ first, first)
            values, vectors = _largest(y * np.sqrt(share)[:, None], settings.other_axes)
            edge = (1 + np.sqrt(len(mean) / n)) ** 2
            picked += [
                v for value, v in zip(values, vectors, strict=True) if value > settings.clear_of_edge * edge
            ]
        return np.asarray(np.linalg.qr(np.column_stack(picked))[0])


def _largest(y: Floats, k: int) -> tuple[Floats, Floats]:
    """Return the leading eigenvalues and eigenvectors (rows) of y'y, by subspace iteration."""
    basis = np.random.default_rng(0).standard_normal((y.shape[1], min(k + 2, *y.shape)))
    for _ in range(6):
        basis = np.linalg.qr(y.T @ (y @ basis))[0]
    _, s, vt = np.linalg.svd(y @ basis, full_matrices=False)
    return np.asarray(s[:k] ** 2), np.asarray((vt @ basis.T)[:k])


def _assemble(parts: list[Part], shares: Floats) -> GaussianMixture:
    """Join parts that may have different numbers of axes."""
    d, r = len(parts[0].mean), max(part.axes.shape[1] for part in parts)
    axes, stretches = np.zeros((len(parts), d, r)), np.ones((len(parts), r))
    for k, part in enumerate(parts):
        axes[k, :, : part.axes.shape[1]] = part.axes
        stretches[k, : len(part.stretch)] = part.stretch
    means, stds = np.array([part.mean for part in parts]), np.array([part.std for part in parts])
    return GaussianMixture(shares, means, stds, axes, stretches)


def _refit(structure: Structure, settings: Settings, x: Floats, r: Floats) -> GaussianMixture:
    """Make the maximisation step; components left with less than one row go."""
    mass = r.sum(axis=0)
    kept = [k for k in range(r.shape[1]) if mass[k] > 1.0] or [int(mass.argmax())]
    parts = []
    for k in kept:
        rows = r[:, k] > 1e-6 * r[:, k].max()
        parts.append(structure(x[rows], r[rows, k], settings))
    return _assemble(parts, mass[kept])


def seeded(
    structure: Structure, settings: Settings, x: Floats, w: Floats, k: int, rng: np.random.Generator
) -> GaussianMixture:
    """Fit `k` components from far-apart seeds by weighted EM."""
    if k == 1:
        return _refit(structure, settings, x, w[:, None])
    gaps = np.array([((x - c) ** 2).sum(axis=1) for c in spread_out(x, w, k, rng, settings.seeding_trials)]).T
    nearest = gaps == gaps.min(axis=1, keepdims=True)
    mixture = _refit(structure, settings, x, (nearest / nearest.sum(axis=1, keepdims=True)) * w[:, None])
    return maximize_likelihood(
        mixture,
        x,
        w,
        lambda rows, r, _: _refit(structure, settings, rows, r),
        settings.rounds,
        settings.gain * float(w.sum()),
    )


def spread_out(x: Floats, w: Floats, k: int, rng: np.random.Generator, trials: int) -> list[Floats]:
    """Pick `k` rows far from one another, by greedy weighted k-means++.

    References
    ----------
    Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding", SODA.
    """
    centres = [x[rng.choice(len(x), p=w / w.sum())]]
    gap = ((x - centres[0]) ** 2).sum(axis=1)
    for _ in range(k - 1):
        p = gap * w
        if p.sum() <= 0:
            break
        tried = x[rng.choice(len(x), size=trials, p=p / p.sum())]
        gaps = [np.minimum(gap, ((x - c) ** 2).sum(axis=1)) for c in tried]
        best = int(np.argmin([w @ g for g in gaps]))
        centres.append(tried[best])
        gap = gaps[best]
    return centres


def binned(prior: float, x: Floats, w: Floats, k: int, rng: np.random.Generator) -> TiltedBins:
    """Fit independent marginals in bins, shrunk by so many rows of all coordinates."""
    return standard_bins(x.shape[1]).counted(x, w, prior)
