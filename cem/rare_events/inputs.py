"""Random inputs that depend on one another: scipy.stats marginals joined by a Gaussian copula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from cem.families.base import Array

NODES = 64
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointInputs:
    """Inputs with given marginals and a Gaussian copula.

    Parameters
    ----------
    marginals : sequence of frozen scipy.stats distributions
        Continuous or discrete, in the order of a row's entries.
    correlation : array_like, shape (d, d), optional
        Default: independent inputs.
    correlation_kind : {"pearson", "rank"}
        What `correlation` holds: Pearson's correlation of the inputs (Nataf's equation is solved for each
        pair) or Spearman's rank correlation.

    Raises
    ------
    ValueError
        If the correlation is no correlation matrix, or no Gaussian copula on these marginals has it.
    TypeError
        If the marginals are not frozen scipy.stats distributions.

    References
    ----------
    Liu & Der Kiureghian (1986), "Multivariate distribution models with prescribed marginals and covariances",
    Probabilistic Engineering Mechanics 1; Kruskal (1958), "Ordinal measures of association", Journal of the
    American Statistical Association 53.
    """

    marginals: Sequence[Any]
    correlation: ArrayLike | None = None
    correlation_kind: str = "pearson"

    def __post_init__(self) -> None:
        object.__setattr__(self, "marginals", checked_marginals(self.marginals))
        if self.correlation_kind not in ("pearson", "rank"):
            raise ValueError(f'correlation_kind is "pearson" or "rank", not {self.correlation_kind!r}.')
        if self.correlation is not None:
            self._root.flags.writeable = False

    @property
    def dimension(self) -> int:
        """Number of inputs."""
        return len(self.marginals)

    def from_normal(self, u: Array, /) -> NDArray[np.float64]:
        """Map rows of independent standard normals to rows of inputs."""
        return Marginals(tuple(self.marginals)).from_normal(
            u if self.correlation is None else u @ self._root.T
        )

    @cached_property
    def _root(self) -> Matrix:
        """A root of the copula's correlation matrix."""
        given = _checked_correlation(self.correlation, self.dimension)
        if self.correlation_kind == "rank":
            normal = 2 * np.sin(np.pi * given / 6)
            np.fill_diagonal(normal, 1.0)
        else:
            normal = _solve_pairs(self.marginals, given)
        values, vectors = np.linalg.eigh(normal)
        if values[0] < -1e-9:
            raise ValueError(
                f"no Gaussian copula on these marginals has this correlation: its smallest eigenvalue is "
                f"{values[0]:.3g}."
            )
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def pearson_of(first: Any, second: Any, rho: float) -> float:
    """Give the Pearson correlation of two marginals under a Gaussian copula with `rho`, by quadrature."""
    z, weight = np.polynomial.hermite_e.hermegauss(NODES)
    weight = weight / weight.sum()
    a = through(first, z)
    b = through(second, rho * z[:, None] + np.sqrt(max(0.0, 1 - rho * rho)) * z[None, :])
    joint = float(weight @ (a[:, None] * b) @ weight)
    return float((joint - first.mean() * second.mean()) / (first.std() * second.std()))


def nataf(first: Any, second: Any, pearson: float) -> float:
    """Solve for the copula's correlation that gives two marginals this Pearson correlation.

    Raises
    ------
    ValueError
        Where no Gaussian copula on these marginals reaches it.
    """
    from scipy.optimize import brentq

    if pearson == 0:
        return 0.0

    def gap(rho: float) -> float:
        return pearson_of(first, second, rho) - pearson

    low, high = gap(-1.0), gap(1.0)
    if low > 1e-9 or high < -1e-9:
        raise ValueError(
            f"correlation {pearson:g} is out of reach for these marginals: a Gaussian copula gives "
            f"{low + pearson:.4f} to {high + pearson:.4f}."
        )
    if low >= 0 or high <= 0:
        return -1.0 if low >= 0 else 1.0
    return float(brentq(gap, -1.0, 1.0, xtol=1e-12))


def _solve_pairs(marginals: Sequence[Any], correlation: Matrix) -> Matrix:
    """Solve Nataf's equation for every pair, once for pairs that are alike."""
    normal = np.eye(len(marginals))
    solved: dict[tuple[int, int, float], float] = {}
    for i, j in combinations(range(len(marginals)), 2):
        key = (id(marginals[i]), id(marginals[j]), float(correlation[i, j]))
        if key not in solved:
            solved[key] = nataf(marginals[i], marginals[j], correlation[i, j])
        normal[i, j] = normal[j, i] = solved[key]
    return normal


def _checked_correlation(correlation: ArrayLike | None, d: int) -> Matrix:
    matrix = np.array(correlation, dtype=np.float64)
    if matrix.shape != (d, d):
        raise ValueError(f"correlation must have shape ({d}, {d}) for these marginals, got {matrix.shape}.")
    if (
        not np.allclose(matrix, matrix.T)
        or not np.allclose(np.diag(matrix), 1)
        or np.abs(matrix).max() > 1 + 1e-9
    ):
        raise ValueError("correlation must be symmetric with ones on its diagonal and entries in [-1, 1].")
    return matrix


@dataclass(frozen=True, eq=False)
class Marginals:
    """Independent inputs with the given frozen scipy.stats distributions.

    Sampling in standard-normal space needs only their quantiles: `from_normal` maps a standard normal
    row there to a row of inputs here. In their own space they are a `Nominal`.
    """

    marginals: tuple[Any, ...]

    @property
    def dimension(self) -> int:
        """Number of inputs."""
        return len(self.marginals)

    def from_normal(self, u: Array) -> NDArray[np.float64]:
        """Map standard normal rows to rows of inputs, each tail by the function that is accurate there."""
        out = np.empty(u.shape)
        alike: dict[int, list[int]] = {}
        for j, marginal in enumerate(self.marginals):
            alike.setdefault(id(marginal), []).append(j)
        for columns in alike.values():
            out[:, columns] = through(self.marginals[columns[0]], u[:, columns])
        out.flags.writeable = False
        return out

    def sample(self, n: int, rng: np.random.Generator, /) -> NDArray[np.float64]:
        """Draw `n` rows of inputs, shape ``(n, d)``."""
        return self.from_normal(rng.standard_normal((n, self.dimension)))

    def log_prob(self, x: Array, /) -> NDArray[np.float64]:
        """Log density (or mass) of each row in nats, shape ``(n,)``."""
        total = np.zeros(len(x))
        for marginal, column in zip(self.marginals, np.asarray(x).T, strict=True):
            total += marginal.logpdf(column) if hasattr(marginal.dist, "logpdf") else marginal.logpmf(column)
        return total


def through(marginal: Any, u: Array) -> NDArray[np.float64]:
    """Map standard normals to a marginal, by the tail that is accurate; normals need no quantiles."""
    if getattr(marginal.dist, "name", "") == "norm":
        return np.asarray(marginal.mean() + marginal.std() * u)
    tail = ndtr(-np.abs(u))
    return np.asarray(np.where(u > 0, marginal.isf(tail), marginal.ppf(tail)))


def checked_marginals(inputs: Any) -> tuple[Any, ...]:
    """Check a sequence of frozen scipy.stats distributions.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    if inputs is None:
        raise ValueError("say what the inputs are: inputs= a family, or a list of frozen scipy.stats.")
    if isinstance(inputs, type):
        raise TypeError(f"inputs must be a distribution, not the class {inputs.__name__}; call it first.")
    if not isinstance(inputs, Sequence) or isinstance(inputs, str) or len(inputs) == 0:
        raise TypeError(
            "inputs must be a family (sample, log_prob, fit, blend, entropy) or a non-empty list of frozen "
            f"scipy.stats distributions; got {type(inputs).__name__}."
        )
    for j, marginal in enumerate(inputs):
        if not all(hasattr(marginal, name) for name in ("ppf", "isf", "dist")):
            raise TypeError(
                f"inputs[{j}] is not a frozen scipy.stats distribution (like scipy.stats.norm(0, 1)); "
                f"got {marginal!r}."
            )
    return tuple(inputs)
