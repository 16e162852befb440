"""Random inputs that depend on one another: scipy.stats marginals joined by a Gaussian copula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from cem.families.base import Array, Floats
from cem.rare_events.correlation import Expansion, expand, expand_steps, solve_correlation
from cem.rare_events.distributions import is_distribution
from cem.rare_events.marginals import Marginals, Quantiles, checked_marginals, fields_of
from cem.rare_events.steps import DiscreteQuantiles

STEP = 1e-4  # of a correlation, for its derivative
MOST_LUMP = 0.01  # of probability, beyond a table of values; its cube is what a rank correlation may be off


@dataclass(frozen=True, eq=False, repr=False)
class JointInputs:
    """Inputs with given marginals and a Gaussian copula.

    Parameters
    ----------
    marginals : sequence or dict of frozen scipy.stats distributions
        Continuous or discrete, in the order of a row's entries; of a dict, the keys are their names. Scipy's
        newer distributions (``scipy.stats.Normal(mu=1, sigma=2)``) are taken too.
    correlation : array_like, shape (d, d), optional
        Default: independent inputs.
    correlation_kind : {"pearson", "rank"}
        What `correlation` holds: Pearson's correlation of the inputs (Nataf's equation is solved for each
        pair, to 1e-6) or Spearman's rank correlation. With ties, that of a discrete input, it is the
        correlation of the mid-ranks P(X < x) + P(X = x)/2, which `scipy.stats.spearmanr` estimates.
    names : sequence of str, optional
        Of the inputs, for tables. Default: the dict's keys, else x0, x1, …

    Raises
    ------
    ValueError
        If the correlation is no correlation matrix, if a pair has none (Pearson's, of an input without a
        variance), or if no Gaussian copula on these marginals has it.
    TypeError
        If the marginals are not distributions of scipy.stats.

    References
    ----------
    Liu & Der Kiureghian (1986), "Multivariate distribution models with prescribed marginals and covariances",
    Probabilistic Engineering Mechanics 1; Kruskal (1958), "Ordinal measures of association", Journal of the
    American Statistical Association 53.

    Examples
    --------
    >>> import cem, numpy as np
    >>> from scipy import stats
    >>> inputs = cem.JointInputs({"load": stats.gumbel_r(10, 2), "strength": stats.lognorm(0.1, scale=20)},
    ...                          [[1, 0.3], [0.3, 1]])
    >>> x = inputs.sample(10_000, np.random.default_rng(1))
    >>> x.shape, inputs.names
    ((10000, 2), ('load', 'strength'))
    >>> bool(abs(np.corrcoef(x.T)[0, 1] - 0.3) < 0.05)
    True
    >>> np.allclose(inputs.from_normal(inputs.to_normal(x)), x)
    True
    """

    marginals: Sequence[Any] | Mapping[str, Any]
    correlation: ArrayLike | None = None
    correlation_kind: str = "pearson"
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        names = checked_names(self.names, self.marginals)
        object.__setattr__(self, "marginals", checked_marginals(self.marginals))
        object.__setattr__(self, "names", names_for(names, len(self.marginals)))
        if self.correlation_kind not in ("pearson", "rank"):
            raise ValueError(f'correlation_kind is "pearson" or "rank", not {self.correlation_kind!r}.')
        if self.correlation is not None:
            self.normal_correlation.flags.writeable = False
            self._root.flags.writeable = False

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: what is kept for the next time holds functions."""
        return fields_of(self)

    def __repr__(self) -> str:
        lines = [
            f"  {name}: {described(each)}"
            for name, each in zip(self.names or (), self.marginals, strict=True)
        ]
        if self.correlation is not None:
            matrix = np.array2string(np.asarray(self.correlation), precision=4, prefix=" " * 4, threshold=100)
            lines.append(f"  {self.correlation_kind} correlation:\n    {matrix}")
        return "\n".join(
            [
                f"JointInputs of {self.dimension}"
                + ("" if self.correlation is not None else ", independent"),
                *lines,
            ]
        )

    @property
    def dimension(self) -> int:
        """Number of inputs."""
        return len(self.marginals)

    @cached_property
    def independent(self) -> Marginals:
        """The same inputs without the correlation."""
        return Marginals(tuple(self.marginals))

    def from_normal(self, u: ArrayLike, /) -> Floats:
        """Map rows of independent standard normals, shape ``(n, d)``, to rows of inputs."""
        u = _rows(u, self.dimension)
        return self.independent.from_normal(u if self.correlation is None else u @ self._root.T)

    def to_normal(self, x: ArrayLike, /) -> Floats:
        """Map rows of inputs, shape ``(n, d)``, to rows of independent standard normals that map to them.

        A value of a discrete input stands for many; it is taken for the one in the middle by probability.

        Raises
        ------
        ValueError
            If the correlation is singular: some inputs are then functions of the others.
        """
        z = self.independent.to_normal(_rows(x, self.dimension))
        if self.correlation is None:
            return z
        if np.linalg.cond(self._root) > 1e8:
            raise ValueError(
                "the correlation is singular: rows of inputs have no rows of independent normals."
            )
        return np.asarray(np.linalg.solve(self._root, z.T).T)

    def sample(self, n: int, rng: np.random.Generator, /) -> Floats:
        """Draw `n` rows of inputs, shape ``(n, d)``."""
        return self.from_normal(rng.standard_normal((n, self.dimension)))

    def log_prob(self, x: ArrayLike, /) -> Floats:
        """Log density (or mass) of rows of inputs in nats, shape ``(n,)``.

        Raises
        ------
        ValueError
            If discrete inputs are correlated, or the correlation is singular.
        """
        rows = _rows(x, self.dimension)
        own = self.independent.log_prob(rows)
        if self.correlation is None:
            return own
        if any(each.distribution.discrete for each in self.independent.quantiles):
            raise ValueError("the joint mass of correlated discrete inputs is not known here.")
        u = self.to_normal(rows)
        z = self.root_times(u)
        volume = float(np.linalg.slogdet(self._root)[1])
        with np.errstate(invalid="ignore"):
            joint = own + ((z * z).sum(axis=1) - (u * u).sum(axis=1)) / 2 - volume
        return np.asarray(np.where(own == -np.inf, -np.inf, joint))

    def root_times(self, u: Floats) -> Floats:
        """Map rows of independent standard normals to rows of the copula's normals."""
        return u if self.correlation is None else np.asarray(u @ self._root.T)

    def slope_of_correlation(self, i: int, j: int) -> float:
        """Derivative of the normals' correlation of two inputs by the one that was given."""
        given = float(np.asarray(self.correlation, dtype=np.float64)[i, j])
        ends = max(-1.0, given - STEP), min(1.0, given + STEP)
        pair = [self.independent.quantiles[k] for k in (i, j)]
        names = tuple((self.names or ())[k] for k in (i, j))
        low, high = (
            float(_solve_pairs(pair, np.array([[1.0, end], [end, 1.0]]), self.correlation_kind, names)[0, 1])
            for end in ends
        )
        return (high - low) / (ends[1] - ends[0])

    @cached_property
    def normal_correlation(self) -> Floats:
        """Correlation matrix of the copula's normals, shape ``(d, d)``."""
        if self.correlation is None:
            return np.eye(self.dimension)
        given = _checked_correlation(self.correlation, self.dimension)
        return _solve_pairs(self.independent.quantiles, given, self.correlation_kind, tuple(self.names or ()))

    @cached_property
    def _root(self) -> Floats:
        """A root of the copula's correlation matrix."""
        values, vectors = np.linalg.eigh(self.normal_correlation)
        if values[0] < -1e-9:
            raise ValueError(
                f"no Gaussian copula on these marginals has this correlation: its smallest eigenvalue is "
                f"{values[0]:.3g}. Correlations nearer to 0 have one."
            )
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def read_inputs(inputs: Any) -> Any:
    """Return what a user wrote for inputs of scipy.stats as `Marginals` or `JointInputs`.

    A frozen ``scipy.stats.multivariate_normal`` becomes normal marginals and their correlation.

    Raises
    ------
    TypeError, ValueError
        If it is no such thing.
    """
    if isinstance(inputs, JointInputs):
        return inputs
    if hasattr(inputs, "cov_object") and hasattr(inputs, "mean"):
        from scipy.stats import norm

        std = np.sqrt(np.diag(inputs.cov))
        if not (std > 0).all():
            raise ValueError("a multivariate normal input must have positive variances.")
        marginals = [norm(m, s) for m, s in zip(inputs.mean, std, strict=True)]
        correlation = inputs.cov / np.outer(std, std)
        np.fill_diagonal(correlation, 1.0)
        return JointInputs(marginals, correlation)
    return Marginals(checked_marginals(inputs))


def names_of(inputs: Any, dimension: int) -> tuple[str, ...]:
    """Return the names of inputs as users write them: the keys of a dict, their own, or x0, x1 and so on."""
    names = getattr(inputs, "names", None)
    if isinstance(inputs, Mapping):
        names = list(inputs)
    return names_for(names, dimension)


def names_for(names: Any, dimension: int) -> tuple[str, ...]:
    """Return names that are there, else x0, x1 and so on."""
    if names is not None and len(names) == dimension:
        return tuple(str(name) for name in names)
    return tuple(f"x{j}" for j in range(dimension))


def checked_names(names: Any, marginals: Any) -> tuple[str, ...] | None:
    """Check names of inputs; those of a dict are its keys.

    Raises
    ------
    ValueError
        If they do not match the marginals, or are not distinct.
    TypeError
        If they are no strings.
    """
    if isinstance(marginals, Mapping):
        if names is not None:
            raise ValueError("names= is not available where a dict names the marginals; leave it out.")
        names = list(marginals)
    if names is None:
        return None
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names must be a sequence of str, got {names!r}.")
    count = 1 if is_distribution(marginals) else len(marginals)
    if len(names) != count or len(set(names)) != len(names):
        raise ValueError(f"names must be {count} distinct ones for these marginals, got {list(names)}.")
    return tuple(names)


def describe(inputs: Any) -> str:
    """Return a text of inputs as users write them."""
    if isinstance(inputs, JointInputs) or hasattr(inputs, "blend"):
        return repr(inputs)
    read = read_inputs(inputs)
    if isinstance(read, JointInputs):
        return repr(read)
    names = names_of(inputs, read.dimension)
    return repr(JointInputs(read.marginals, names=names)).partition("\n")[2]


def described(marginal: Any) -> str:
    """Return a short text of a distribution: its name and parameters."""
    if not hasattr(marginal, "dist"):
        return str(marginal)
    name = getattr(marginal.dist, "name", None) or type(marginal.dist).__name__
    given = [f"{value:g}" if isinstance(value, float) else f"{value}" for value in marginal.args]
    return f"{name}({', '.join([*given, *(f'{key}={value}' for key, value in marginal.kwds.items())])})"


def _rows(x: ArrayLike, d: int) -> Array:
    """Return rows of `d` numbers.

    Raises
    ------
    ValueError
        If they are no such rows.
    """
    rows = np.asarray(x, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != d:
        raise ValueError(f"rows must have shape (n, {d}), got {rows.shape}.")
    return rows


def expansion_of(quantiles: Quantiles, kind: str) -> Expansion:
    """Return the Hermite expansion of an input, or of its ranks.

    Raises
    ------
    ValueError
        If the input has no variance.
    """
    f = quantiles.distribution
    if not isinstance(quantiles, DiscreteQuantiles):
        if kind == "rank":
            return expand(ndtr)
        return expand(quantiles, _finite_variance(f.variance))
    values, thresholds, _, above, below = quantiles.table
    more = above is not None or below is not None
    if kind == "pearson":
        _finite_variance(f.variance)
        return expand_steps(thresholds, values, quantiles if more else None)
    edges = np.concatenate([[0.0], ndtr(thresholds), [1.0]])
    ranks = (edges[:-1] + edges[1:]) / 2
    lumps = (below is not None and edges[1] > MOST_LUMP, above is not None and 1 - edges[-2] > MOST_LUMP)

    def untied(z: Floats) -> Floats:
        tied = np.where(z > thresholds[-1], ranks[-1], ranks[0])
        return np.where(np.where(z > thresholds[-1], lumps[1], lumps[0]), ndtr(z), tied)

    return expand_steps(thresholds, ranks, untied if any(lumps) else None)


def _finite_variance(variance: float) -> float:
    if not 0 < variance < np.inf:
        raise ValueError(
            f"has variance {variance}, so that it has no Pearson correlation; "
            'correlation_kind="rank" needs no variance'
        )
    return variance


def _solve_pairs(
    quantiles: Sequence[Quantiles], correlation: Floats, kind: str, names: tuple[str, ...]
) -> Floats:
    """Solve for every pair's correlation in normal space, once for pairs that are alike."""
    normal = np.eye(len(quantiles))
    expansions: dict[int, Expansion] = {}
    solved: dict[tuple[int, int, float], float] = {}
    for i, j in combinations(range(len(quantiles)), 2):
        first, second, wanted = quantiles[i], quantiles[j], float(correlation[i, j])
        key = (id(first), id(second), wanted)
        if wanted and key not in solved:
            if (easy := _in_closed_form(first, second, kind, wanted)) is not None:
                solved[key] = easy
            else:
                for k in (i, j):
                    _expand_once(
                        expansions, quantiles[k], kind, f"input {names[k]} ({quantiles[k].distribution.name})"
                    )
                pair = expansions[id(first)], expansions[id(second)]
                try:
                    solved[key] = solve_correlation(*pair, wanted)
                except ValueError as error:
                    raise ValueError(
                        f"correlation {wanted:g} of {names[i]} and {names[j]} is out of reach for these "
                        f"marginals: {error}."
                    ) from None
        normal[i, j] = normal[j, i] = solved.get(key, 0.0)
    return normal


def _expand_once(expansions: dict[int, Expansion], quantiles: Quantiles, kind: str, name: str) -> None:
    if id(quantiles) not in expansions:
        try:
            expansions[id(quantiles)] = expansion_of(quantiles, kind)
        except ValueError as error:
            raise ValueError(f"{name} {error}.") from None


def _in_closed_form(first: Quantiles, second: Quantiles, kind: str, wanted: float) -> float | None:
    """Return the normals' correlation where a formula has it: of normal inputs, and ranks without ties."""
    f, g = first.distribution, second.distribution
    if kind == "rank":
        return None if f.discrete or g.discrete else float(2 * np.sin(np.pi * wanted / 6))
    return wanted if f.location_and_scale is not None and g.location_and_scale is not None else None


def _checked_correlation(correlation: ArrayLike | None, d: int) -> Floats:
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
