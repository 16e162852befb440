"""What a rare-event problem is: a performance, its inputs, a level, and the right answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class RareEventProblem:
    """A rare event with a reference probability.

    Attributes
    ----------
    name : str
    performance : callable
        Vectorised: from inputs of shape ``(n, d)`` to performances of shape ``(n,)``.
    inputs : family or sequence of frozen scipy.stats distributions
    level : float
    tail : {"upper", "lower"}
        The event is ``performance >= level`` or ``performance <= level``.
    reference : float
        The probability of the event.
    reference_error : float
        Bound on (quadrature) or standard error of (simulation) the reference, in its units.
    source : str
        Where the problem comes from, and how its reference was computed.

    Examples
    --------
    >>> import cem
    >>> tail = RareEventProblem(
    ...     name="two exponentials",
    ...     performance=lambda x: x.sum(axis=1),
    ...     inputs=cem.Exponential([1.0, 1.0]),
    ...     level=10.0,
    ...     tail="upper",
    ...     reference=11 * 2.718281828459045**-10,
    ...     reference_error=1e-18,
    ...     source="a gamma distribution's tail",
    ... )
    >>> low, high = cem.estimate_probability(tail, rng=1).confidence_interval()
    >>> low < tail.reference < high
    True
    """

    name: str
    performance: Callable[..., Any]
    inputs: Any
    level: float
    tail: str
    reference: float
    reference_error: float
    source: str

    vectorized = True
