"""The textbook update: fit the family to the elites, then smooth."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cem.core.loop import Batch, State
from cem.core.selection import elite_rows
from cem.families.base import Family


@dataclass(frozen=True)
class SmoothedFit:
    """Maximum-likelihood fit to the elites, blended with the present distribution.

    ``q_{t+1} = (1 - α) q_t + α fit(elites)``, parameter by parameter.

    Parameters
    ----------
    rate : float
        Smoothing rate α in (0, 1]: the share of the new fit. 1 does not smooth.
    spread_rate : float, optional
        A rate β of its own for the spread (std or covariance), for families that tell the two apart.
    decay : float, optional
        Exponent q of dynamic smoothing: iteration t = 1, 2, … uses ``β - β (1 - 1/t)^q`` for the spread (β is
        `spread_rate`, or `rate`), which keeps it from shrinking exponentially fast.
    elite_fraction : float
        Fraction ρ of a batch that teaches, in (0, 1).

    Raises
    ------
    ValueError
        If a rate lies outside (0, 1], the elite fraction outside (0, 1), or the decay is not positive.

    References
    ----------
    De Boer, Kroese, Mannor & Rubinstein (2005), "A Tutorial on the Cross-Entropy Method", Annals of
    Operations Research 134, Algorithm 2.2 and Remark 2.1; Kroese, Porotsky & Rubinstein (2006), "The
    Cross-Entropy Method for Continuous Multi-Extremal Optimization", Equation (11) (dynamic smoothing).

    Examples
    --------
    >>> import cem
    >>> def f(x):
    ...     return ((x - 3) ** 2).sum()
    >>> r = cem.optimize(f, bounds=[(-9, 9)] * 2, update=cem.updates.SmoothedFit(0.8), restarts=0, rng=1)
    >>> [round(float(v), 4) for v in r.x]
    [3.0, 3.0]
    """

    rate: float = 0.7
    spread_rate: float | None = None
    decay: float | None = None
    elite_fraction: float = 0.1

    def __post_init__(self) -> None:
        for name in ("rate", "spread_rate"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name} lies in (0, 1], got {value!r}.")
        if self.decay is not None and not self.decay > 0:
            raise ValueError(f"decay must be positive, got {self.decay!r}.")
        if not 0 < self.elite_fraction < 1:
            raise ValueError(f"elite_fraction lies in (0, 1), got {self.elite_fraction!r}.")

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch.

        Raises
        ------
        TypeError
            If a rate for the spread is asked for and the family does not tell its spread apart.
        """
        state = State(start)
        if self._rates(1)[1:]:
            try:
                self._blend(state, start)
            except TypeError:
                raise TypeError(
                    f"{type(start).__name__} has no spread apart from its other parameters; "
                    "leave spread_rate and decay out."
                ) from None
        return state

    def step(self, state: State, batch: Batch, /) -> State:
        """Fit to the elites and smooth; a batch without a score that ranks leaves the family as it is."""
        elites = elite_rows(batch.scores, self.elite_fraction)
        if elites.size == 0:
            return replace(state, elites=0)
        scores = batch.scores[elites]
        fitted = state.family.fit(batch.x[elites])
        return State(
            self._blend(state, fitted),
            state.iteration,
            level=float(scores.min()),
            elite_best=float(scores.max()),
            elites=int(elites.size),
            best=state.best,
            quiet=state.quiet,
            memory=state.memory,
        )

    def _rates(self, t: int) -> tuple[float, ...]:
        """Return the smoothing rates of iteration `t`, from 1: one for all, or those of mean and spread."""
        if self.decay is None:
            return (self.rate,) if self.spread_rate is None else (self.rate, self.spread_rate)
        beta = self.rate if self.spread_rate is None else self.spread_rate
        return self.rate, float(beta - beta * (1 - 1 / t) ** self.decay)

    def _blend(self, state: State, fitted: Family) -> Family:
        return state.family.blend(fitted, *self._rates(state.iteration + 1))
