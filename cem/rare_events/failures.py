"""What the failing rows of an estimate say: design point, sensitivities, probability under other inputs.

References
----------
Rubinstein & Shapiro (1993), "Discrete Event Systems: Sensitivity Analysis and Stochastic Optimization by the
Score Function Method", Wiley; Wu (1994), "Computational methods for efficient structural reliability and
reliability sensitivity analysis", AIAA Journal 32; Hasofer & Lind (1974), "Exact and invariant second-moment
code format", Journal of the Engineering Mechanics Division 100.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from cem.families.base import Array, Floats, is_family
from cem.families.bernoulli import Bernoulli
from cem.families.exponential import Exponential
from cem.families.gamma import Gamma
from cem.families.gaussian import Gaussian
from cem.rare_events.importance import pareto_shape
from cem.rare_events.inputs import JointInputs, names_of, read_inputs
from cem.rare_events.intervals import check_confidence
from cem.rare_events.marginals import fields_of
from cem.rare_events.parameters import parameters_of
from cem.rare_events.sensitivities import Sensitivities, Sensitivity

LEAST_EFFECTIVE, WORST_SHAPE = 50, 0.7  # of weights that can carry another distribution


class DesignPoint(NamedTuple):
    """The most likely failing point, shape ``(d,)`` each: of the inputs, and in standard normal space."""

    x: Floats
    normal: Floats

    @property
    def distance(self) -> float:
        """From the origin of standard normal space."""
        return float(np.linalg.norm(self.normal))


@dataclass(frozen=True)
class ProbabilityUnder:
    """The probability of the same event if the inputs were others.

    Attributes
    ----------
    probability, standard_error : float
    effective_sample_size : float
        (Σw)²/Σw² over the failing rows, weighted for the other inputs.
    """

    probability: float
    standard_error: float
    effective_sample_size: float

    def confidence_interval(self, confidence_level: float = 0.95) -> tuple[float, float]:
        """Return a normal interval for the probability, inside [0, 1].

        Raises
        ------
        ValueError
            If the level lies outside (0, 1).
        """
        half = float(ndtri(0.5 + check_confidence(confidence_level) / 2)) * self.standard_error
        return max(0.0, self.probability - half), min(1.0, self.probability + half)


@dataclass(frozen=True, eq=False)
class Failures:
    """Failing rows and where they come from.

    Attributes
    ----------
    inputs : object
        As the user gave them.
    x : ndarray, shape (k, d)
        Failing rows, as the performance sees them.
    weights : ndarray, shape (k,)
        Summing to one.
    normal : ndarray, shape (k, d), or None
        The same rows in standard normal space, where they were drawn there.
    probability, standard_error : float
    draws : int
        Among which they are.
    boundary : ndarray, shape (d,), or None
        The point of the boundary nearest to the origin, by a plane through scores about it.
    """

    inputs: Any
    x: Array
    weights: Floats
    normal: Floats | None
    probability: float
    standard_error: float
    draws: int
    boundary: Floats | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: what is kept for the next time holds functions."""
        return fields_of(self)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs."""
        return names_of(self.inputs, self.x.shape[1])

    @cached_property
    def joint(self) -> JointInputs:
        """The inputs as marginals and a copula.

        Raises
        ------
        ValueError
            If they are no such thing.
        """
        return _as_joint(self.inputs)

    @property
    def design_point(self) -> DesignPoint:
        """The most likely failing point.

        Where scores near the failing row nearest to the origin lie on a plane, it is the foot of the
        perpendicular to the boundary; else that row itself.

        Raises
        ------
        ValueError
            If nothing failed, or the inputs have no standard normal space.
        """
        if not len(self.x):
            raise ValueError("no row failed, so that there is no design point.")
        if self.normal is None:
            raise ValueError("these inputs were not sampled in standard normal space: no design point.")
        if self.boundary is None:
            nearest = int(np.argmin((self.normal**2).sum(axis=1)))
            return DesignPoint(np.array(self.x[nearest], np.float64), np.array(self.normal[nearest]))
        return DesignPoint(self._present(self.boundary[None])[0], self.boundary)

    def _present(self, u: Floats) -> Floats:
        if isinstance(self.inputs, Gaussian):
            root = (
                np.diag(self.inputs.std)
                if self.inputs.diagonal
                else np.linalg.cholesky(self.inputs.covariance)
            )
            return np.asarray(self.inputs.mean + u @ root.T)
        return self.joint.from_normal(u)

    @property
    def importance_factors(self) -> dict[str, float]:
        """Share of each input in the squared distance of the design point, by name; they sum to one.

        Of correlated inputs, by their own standard normals at that point.
        """
        z = self.joint.independent.to_normal(self.design_point.x[None])[0]
        z = np.where(np.isfinite(z), z, 0.0)
        total = float(z @ z)
        return dict(zip(self.names, (z * z / total if total > 0 else z).tolist(), strict=True))

    def sensitivities(self) -> Sensitivities:
        """Return the derivatives of the probability by the parameters of the inputs' distributions.

        Raises
        ------
        ValueError
            If nothing failed, or the inputs have no such parameters.
        """
        if not len(self.x):
            raise ValueError("no row failed, so that nothing is known of sensitivities.")
        joint = self.joint
        z = joint.independent.to_normal(self.x)
        if joint.correlation is not None and self.normal is not None and isinstance(self.inputs, JointInputs):
            z = joint.root_times(self.normal)
        precision = None if joint.correlation is None else _inverse(joint.normal_correlation)
        pull = np.zeros_like(z) if precision is None else z - z @ precision
        rows = []
        for j, (name, quantiles) in enumerate(zip(self.names, joint.independent.quantiles, strict=True)):
            for parameter in parameters_of(
                quantiles, self.x[:, j], None if precision is None else pull[:, j]
            ):
                rows.append(self._row(name, parameter.name, parameter.value, parameter.score))
        if precision is not None:
            rows += self._correlations(joint, precision, z)
        return Sensitivities(tuple(rows))

    def _correlations(self, joint: JointInputs, precision: Floats, z: Floats) -> list[Sensitivity]:
        given, rows, y = np.asarray(joint.correlation), [], z @ precision
        for i in range(len(given)):
            for j in range(i + 1, len(given)):
                score = (y[:, i] * y[:, j] - precision[i, j]) * joint.slope_of_correlation(i, j)
                name = f"{self.names[i]}, {self.names[j]}"
                rows.append(
                    self._row(name, f"{joint.correlation_kind} correlation", float(given[i, j]), score)
                )
        return rows

    def _row(self, name: str, parameter: str, value: float, score: Floats) -> Sensitivity:
        derivative, error = self._mean(score)
        return Sensitivity(name, parameter, value, derivative, error)

    def _mean(self, values: Floats) -> tuple[float, float]:
        """Return the mean over all draws of indicator times weight times value, and its standard error."""
        if not np.isfinite(values).all():
            return float("nan"), float("nan")
        p, w, n = self.probability, self.weights, max(self.draws, 1)
        share = float(w @ values)
        square = p * p * (float((w * w) @ (values * values)) - share * share / n)
        own = p * p * (float(w @ w) - 1 / n)
        more = max(0.0, self.standard_error**2 - own) if np.isfinite(self.standard_error) else 0.0
        return p * share, float(np.sqrt(max(square, 0.0) + more * share * share))

    def under(self, inputs: Any) -> ProbabilityUnder:
        """Return the probability if the inputs were others, by the densities of the failing rows.

        Raises
        ------
        ValueError
            If the weights cannot carry it, or the other inputs go where these never do.
        """
        if not len(self.x):
            raise ValueError("no row failed, so that nothing is known of other inputs.")
        _check_supports(self.inputs, inputs)
        here, there = (_log_density(each, self.x) for each in (self.inputs, inputs))
        ratio = there - here
        if np.isnan(ratio).any() or (ratio == np.inf).any():
            raise ValueError("the density of these inputs or of the others is not known where rows failed.")
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights) + ratio
        most = float(log_weights.max())
        if most == -np.inf:
            raise ValueError("none of the failing rows is possible under the other inputs: estimate anew.")
        w = np.exp(log_weights - most)
        effective = float(w.sum() ** 2 / (w @ w))
        shape = pareto_shape(log_weights)
        if effective < LEAST_EFFECTIVE or (np.isfinite(shape) and shape > WORST_SHAPE):
            raise ValueError(
                f"the other inputs are too far from these: the failing rows are worth {effective:.0f} there "
                f"(Pareto shape {shape:.2f}); estimate the probability anew with them."
            )
        probability, error = self._mean(np.exp(ratio))
        return ProbabilityUnder(probability, error, effective)


def _inverse(correlation: Floats) -> Floats:
    """Return the inverse of a correlation matrix.

    Raises
    ------
    ValueError
        If it has none.
    """
    if np.linalg.cond(correlation) > 1e12:
        raise ValueError("the correlation is singular: there are no derivatives by single inputs.")
    return np.asarray(np.linalg.inv(correlation), dtype=np.float64)


def _as_joint(inputs: Any) -> JointInputs:
    """Return inputs as marginals and a copula.

    Raises
    ------
    ValueError
        If they are no such thing.
    """
    from scipy import stats

    if isinstance(inputs, JointInputs):
        return inputs
    if isinstance(inputs, Gaussian):
        marginals = [stats.norm(m, s) for m, s in zip(inputs.mean, inputs.std, strict=True)]
        if inputs.diagonal:
            return JointInputs(marginals)
        correlation = inputs.covariance / np.outer(inputs.std, inputs.std)
        np.fill_diagonal(correlation, 1.0)
        return JointInputs(marginals, correlation)
    if isinstance(inputs, Exponential):
        return JointInputs([stats.expon(scale=m) for m in inputs.mean])
    if isinstance(inputs, Gamma):
        pairs = zip(np.broadcast_to(inputs.shape, inputs.scale.shape), inputs.scale, strict=True)
        return JointInputs([stats.gamma(a, scale=s) for a, s in pairs])
    if isinstance(inputs, Bernoulli):
        return JointInputs([stats.bernoulli(p) for p in inputs.p])
    if is_family(inputs):
        raise ValueError(
            f"{type(inputs).__name__} inputs have no parameters that are known here; Gaussian, Exponential, "
            "Gamma, Bernoulli, scipy.stats marginals and JointInputs have."
        )
    found = read_inputs(inputs)
    return found if isinstance(found, JointInputs) else JointInputs(found.marginals)


def _log_density(inputs: Any, x: Array) -> Floats:
    """Log density or mass of rows of inputs in nats, shape ``(n,)``."""
    if is_family(inputs):
        return np.asarray(inputs.log_prob(x), dtype=np.float64)
    return _as_joint(inputs).log_prob(x)


def _check_supports(inputs: Any, others: Any) -> None:
    if is_family(inputs) or is_family(others):
        return
    first, second = _as_joint(inputs).independent.quantiles, _as_joint(others).independent.quantiles
    if len(first) != len(second):
        raise ValueError(f"there are {len(first)} inputs, the others are {len(second)}.")
    for name, here, there in zip(names_of(inputs, len(first)), first, second, strict=True):
        (a, b), (c, d) = here.distribution.support, there.distribution.support
        if c < a or d > b:
            raise ValueError(
                f"{name} would lie in [{c:g}, {d:g}], and was sampled in [{a:g}, {b:g}] alone: estimate anew."
            )


def nearest_boundary(
    x: Floats, scores: Floats, level: float, present: Callable[[Array], Array] | None = None
) -> Floats | None:
    """Return the foot of the perpendicular from the origin to a plane through scores near a level; else None.

    `x` are rows ``(n, d)`` in standard normal space, `scores` ``(n,)``. The plane is fitted to the rows about
    the failing one nearest to the origin, and then about the foot; None where it does not hold there.
    """
    known = np.isfinite(scores)
    x, scores = x[known], scores[known]
    failed = scores >= level
    n, d = x.shape if x.ndim == 2 else (0, 0)
    count = 4 * (d + 1)
    if not failed.any() or n < count:
        return None
    norms = (x * x).sum(axis=1)
    nearest = float(np.sqrt(norms[failed].min()))
    at = x[failed][int(np.argmin(norms[failed]))]
    size = float(np.median(np.abs(scores))) or 1.0
    with np.errstate(over="ignore"):
        scores, level = np.clip(scores / size, -1e100, 1e100), level / size
    for _ in range(8):
        near = np.argpartition(((x - at) ** 2).sum(axis=1), count - 1)[:count]
        design = np.column_stack([np.ones(count), x[near] - at])
        solution, *_ = np.linalg.lstsq(design, scores[near], rcond=None)
        residual = scores[near] - design @ solution
        if residual.std() > ROUGHEST * scores[near].std():
            return None
        slope = solution[1:]
        square = float(slope @ slope)
        if not square > 0:
            return None
        foot = slope * ((level - solution[0] + float(slope @ at)) / square)
        moved, at = float(np.linalg.norm(foot - at)), foot
        if moved < 1e-6 * nearest:
            break
    inside = float(np.linalg.norm(at)) <= nearest * (1 + 1e-9)
    return at if moved < SETTLED and inside and np.linalg.norm(at) > nearest / 2 else None


ROUGHEST = 0.2  # residual over spread of the scores about a plane: R² of .96
MOST_NUMBERS = 10**7  # in rows among which the nearest are looked for
SETTLED = 0.05  # of a standard deviation: the last move of the foot


def gather(
    inputs: Any,
    x: Array,
    weights: Floats,
    rows: Floats | None,
    probability: float,
    standard_error: float,
    draws: int,
    scored: Sequence[Any],
    level: float,
) -> Failures:
    """Return the failing rows of an estimate; `scored` are samples of standard normals with scores."""
    boundary = None
    if rows is not None and len(x) and sum(s.x.size for s in scored) in range(1, MOST_NUMBERS):
        every, scores = (np.concatenate([getattr(s, name) for s in scored]) for name in ("x", "scores"))
        boundary = nearest_boundary(every, scores, level)
    return Failures(inputs, x, weights, rows, probability, standard_error, draws, boundary)
