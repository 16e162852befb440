"""Models of an objective's Hessian: dense with its eigenvectors, or a few pairs of vectors.

A model answers three questions of a quasi-Newton method: along which directions to take finite
differences and how curved the objective is there, which step Newton would take, and what a new pair
(step, change of gradient) teaches. Both are immutable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from cem.families.base import Floats, Mask

_LEAST_RATIO = 1e-14  # of the smallest to the largest eigenvalue


class Curvature(Protocol):
    """A positive definite model of the Hessian of an objective of d variables."""

    @classmethod
    def isotropic(cls, dimension: int, curvature: float) -> Self:
        """Start with the same curvature everywhere."""

    def directions(self, free: Mask) -> tuple[Floats | None, Floats]:
        """Return orthonormal columns (None: the axes) and the curvature along each."""

    def newton_step(self, gradient: Floats, free: Mask) -> Floats:
        """Minimise the model over the free coordinates; the others stay."""

    def updated(self, step: Floats, change: Floats) -> Self:
        """Learn that the gradient changed by `change` over `step`."""


@dataclass(frozen=True, eq=False)
class DenseCurvature:
    """The full matrix. O(d^3) per question."""

    matrix: Floats

    @classmethod
    def isotropic(cls, dimension: int, curvature: float) -> Self:
        """Start with the same curvature everywhere."""
        return cls(curvature * np.eye(dimension))

    def _eigen(self, free: Mask) -> tuple[Floats, Floats]:
        part = self.matrix if free.all() else self.matrix[np.ix_(free, free)]
        values, vectors = np.linalg.eigh(part)
        top = values[-1] if values.size else 1.0
        return np.maximum(values, max(top * _LEAST_RATIO, 1e-300)), vectors

    def directions(self, free: Mask) -> tuple[Floats | None, Floats]:
        """Return the eigenvectors over the free coordinates, and the axes of the others."""
        values, vectors = self._eigen(free)
        if free.all():
            return vectors, values
        d = free.size
        basis = np.zeros((d, d))
        k = int(free.sum())
        basis[np.ix_(free, np.arange(d) < k)] = vectors
        basis[np.flatnonzero(~free), np.arange(k, d)] = 1.0
        floor = max(float(np.max(np.diag(self.matrix))) * _LEAST_RATIO, 1e-300)
        return basis, np.concatenate([values, np.maximum(np.diag(self.matrix)[~free], floor)])

    def eigenvectors(self, free: Mask) -> tuple[Floats, Floats]:
        """Return the eigenvectors over the free coordinates, columns of length d, and their eigenvalues."""
        values, vectors = self._eigen(free)
        basis = np.zeros((free.size, values.size))
        basis[free] = vectors
        return basis, values

    def with_block(self, free: Mask, block: Floats) -> Self:
        """Replace what is known of the free coordinates; of the others only the diagonal stays."""
        matrix = np.diag(np.diag(self.matrix)) if not free.all() else np.empty_like(self.matrix)
        matrix[np.ix_(free, free)] = block
        return replace(self, matrix=matrix)

    def newton_step(self, gradient: Floats, free: Mask) -> Floats:
        """Minimise the model over the free coordinates; the others stay."""
        values, vectors = self._eigen(free)
        step = np.zeros_like(gradient)
        step[free] = -vectors @ ((vectors.T @ gradient[free]) / values)
        return step

    def updated(self, step: Floats, change: Floats) -> Self:
        """Apply the damped BFGS update (Nocedal & Wright 2006, Procedure 18.2)."""
        with np.errstate(all="ignore"):
            image = self.matrix @ step
            curvature = float(step @ image)
            product = float(step @ change)
        if not 0 < curvature < np.inf or not np.isfinite(product):
            return self
        if product < 0.2 * curvature:
            theta = 0.8 * curvature / (curvature - product)
            change = theta * change + (1 - theta) * image
            product = float(step @ change)
        with np.errstate(all="ignore"):
            matrix = self.matrix - np.outer(image, image) / curvature + np.outer(change, change) / product
        return replace(self, matrix=(matrix + matrix.T) / 2) if np.all(np.isfinite(matrix)) else self


@dataclass(frozen=True, eq=False)
class LimitedMemoryCurvature:
    """The last few pairs over a diagonal. O(d * memory) per question."""

    diagonal: Floats
    pairs: tuple[tuple[Floats, Floats], ...] = ()
    memory: int = 20

    @classmethod
    def isotropic(cls, dimension: int, curvature: float) -> Self:
        """Start with the same curvature everywhere."""
        return cls(np.full(dimension, curvature))

    def directions(self, free: Mask) -> tuple[Floats | None, Floats]:
        """Return the axes."""
        return None, self.diagonal

    def newton_step(self, gradient: Floats, free: Mask) -> Floats:
        """Run the two-loop recursion on the free coordinates (Nocedal & Wright 2006, algorithm 7.4)."""
        q = np.where(free, gradient, 0.0)
        kept = []
        for s, y in reversed(self.pairs):
            s, y = np.where(free, s, 0.0), np.where(free, y, 0.0)
            product = float(s @ y)
            if product > 1e-10 * np.sqrt(float(s @ s) * float(y @ y)):
                alpha = float(s @ q) / product
                q = q - alpha * y
                kept.append((s, y, product, alpha))
        q = q / self.diagonal
        for s, y, product, alpha in reversed(kept):
            q = q + (alpha - float(y @ q) / product) * s
        return -np.where(free, q, 0.0)

    def updated(self, step: Floats, change: Floats) -> Self:
        """Keep the pair; rescale the diagonal to the newest curvature y'y / s'y."""
        product = float(step @ change)
        if not product > 1e-10 * np.sqrt(float(step @ step) * float(change @ change)):
            return self
        scale = float(change @ change) / product
        return replace(
            self,
            diagonal=np.full_like(self.diagonal, scale),
            pairs=(*self.pairs, (step, change))[-self.memory :],
        )
