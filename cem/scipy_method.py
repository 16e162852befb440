"""`minimize_method`: the cross-entropy method as a `method` of `scipy.optimize.minimize`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike

from cem.optimization import optimize
from cem.results import OptimizeResult

_UNUSED = ("jac", "hess", "hessp")
_FIXED = ("fun", "start", "maximize")


def minimize_method(
    fun: Callable[..., Any], x0: ArrayLike, args: tuple[Any, ...] = (), **options: Any
) -> OptimizeResult:
    """Minimise `fun` from about `x0`; called by ``scipy.optimize.minimize(..., method=cem.minimize_method)``.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``.
    x0 : array_like, shape (d,)
        Point to start about, inside the bounds.
    args : tuple
    **options
        What `minimize` passes on (bounds, constraints, callback, tol) and its `options`: any argument of
        `cem.optimize` besides `start` and `maximize`. `maxiter` and `maxfev`, scipy's usual names, stand for
        `max_iterations` and `max_evaluations`.

    Returns
    -------
    OptimizeResult

    Raises
    ------
    TypeError
        For an option that `cem.optimize` does not have, and for derivatives, which it does not use.

    Examples
    --------
    >>> import cem
    >>> from scipy.optimize import minimize
    >>> r = minimize(
    ...     lambda x: ((x - 1) ** 2).sum(),
    ...     [0, 0],
    ...     method=cem.minimize_method,
    ...     bounds=[(-5, 5)] * 2,
    ...     options={"rng": 1},
    ... )
    >>> r.x.round(4).tolist()
    [1.0, 1.0]
    """
    for name in _UNUSED:
        if options.pop(name, None) is not None:
            raise TypeError(f"the cross-entropy method uses no derivatives; leave {name} out.")
    for theirs, own in (("maxiter", "max_iterations"), ("maxfev", "max_evaluations")):
        if theirs in options:
            if own in options:
                raise TypeError(f"{theirs} and {own} are the same; give one of them.")
            options[own] = options.pop(theirs)
    known = [name for name in inspect.signature(optimize).parameters if name not in _FIXED]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}; the options are {', '.join(known)}.")
    return optimize(fun, x0, args=args, **options)
