"""What a run gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from cem.core.plain import plain
from cem.core.table import html_table

if TYPE_CHECKING:
    from cem.core.ending import Minimum, Status
    from cem.core.history import History
    from cem.families.base import Array, Family, Floats


class OptimizeResult(optimize.OptimizeResult):
    """Result of an optimisation; a dict with attribute access, as scipy's.

    Attributes
    ----------
    x : ndarray, shape (d,)
        The best candidate (None where no evaluation has come to its end).
    fun : float
        Its score, in the user's sign.
    success : bool
        Whether the run converged, confirmed, or reached its target.
    status : Status
    message : str
        Why it ended.
    nit, nfev : int
        Iterations; evaluations, improvement included.
    nan_count : int
        Evaluations that gave NaN (those of infeasible candidates are not counted).
    family : Family
        The last distribution; given as `start` it continues from there.
    history : History
    elapsed : float
        Seconds.
    seed : int or numpy.random.SeedSequence
        What, given as `rng`, repeats this run.
    maxcv : float
        Largest violation of a constraint at `x`; only where there are constraints.
    looks : int
        Descents (in noise and with ``polish=False`` short runs) from all over the region that stand behind
        what `message` says of convergence; only where there are numbers and `restarts` is left open.
    minima : list of Minimum
        There too, where there were descents: the distinct local minima (maxima) that the run has come to,
        each with its `x` and `value`, the best first.
    fun_error : float
        Standard error of the average that `fun` is, by Student's quantile where that is one of few; only
        with ``noisy=True``, or where noise was seen. Also as `fun_standard_error`.

    Examples
    --------
    >>> import cem
    >>> r = cem.optimize(lambda x: ((x - 1) ** 2).sum(), bounds=[(-5, 5)] * 2, rng=1)
    >>> r.success, r.status.name, r.x.round(6).tolist(), int(r.history.nfev[-1]) == r.nfev
    (True, 'CONVERGED', [1.0, 1.0], True)
    >>> sorted(r.to_dict())[:4]
    ['elapsed', 'family', 'fun', 'history']
    """

    if TYPE_CHECKING:  # scipy's stubs leave it out, or there are none
        x: Array
        fun: float
        success: bool
        status: Status
        message: str
        nit: int
        nfev: int
        nan_count: int
        family: Family
        history: History
        elapsed: float
        seed: int | np.random.SeedSequence
        maxcv: float
        looks: int
        minima: list[Minimum]
        fun_error: float
        fun_standard_error: float
        population: Array
        scores: Floats

        def __init__(self, **attributes: Any) -> None: ...

    def to_dict(self) -> dict[str, Any]:
        """Return the result in terms that JSON has; NaN becomes None."""
        found: dict[str, Any] = plain(dict(self))
        return found

    def plot(self, ax: Any = None, **arguments: Any) -> Any:
        """Draw best score and level against evaluations; see `cem.plotting.convergence`."""
        from cem.plotting import convergence

        return convergence(self, ax=ax, **arguments)

    def __repr__(self) -> str:
        width = max((len(name) for name in self), default=0)
        return "\n".join(f"{name:>{width}}: {_shown(value)}" for name, value in self.items())

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, {name: _shown(value) for name, value in self.items()})


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return np.array2string(value, threshold=10, max_line_width=90)
    return str(value) if not hasattr(value, "name") else f"{value.name} ({int(value)})"
