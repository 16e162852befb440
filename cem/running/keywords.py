"""An answer to arguments that are called otherwise elsewhere."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# what scipy, pycma, optuna, nevergrad and scikit-learn call them
_ELSEWHERE = {
    "seed": "rng",
    "random_state": "rng",
    "maxiter": "max_iterations",
    "max_iter": "max_iterations",
    "n_iter": "max_iterations",
    "generations": "max_iterations",
    "maxfev": "max_evaluations",
    "maxfun": "max_evaluations",
    "max_nfev": "max_evaluations",
    "maxfevals": "max_evaluations",
    "budget": "max_evaluations",
    "n_calls": "max_evaluations",
    "n_trials": "max_evaluations",
    "timeout": "max_time",
    "popsize": "population",
    "pop_size": "population",
    "population_size": "population",
    "direction": "maximize",
    "sense": "maximize",
    "maximise": "maximize",
    "verbose": "progress",
    "disp": "progress",
    "verb_disp": "progress",
    "workers": "n_jobs",
    "x0": "start",
    "integer": "integrality",
    "vectorised": "vectorized",
    "atol": "tol",
    "ftol": "tol",
    "f_target": "target",
    "ftarget": "target",
    "elite_frac": "elite_fraction",
    "threshold": "level",
    "marginals": "inputs",
    "distribution": "inputs",
}

# what they come to where there is nothing of that name: an estimate has no iterations and no best
_OTHERWISE = {"max_iterations": "max_evaluations", "maximize": "tail"}

ALIKE = 0.8  # similarity (difflib) from which on a name is a slip of the pen


def explain_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` answer a keyword that it does not have with the one that is meant, if any is."""
    known = list(inspect.signature(function).parameters)
    called = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                meant = meaning(name, known)
                raise TypeError(f"{called}() got an unexpected keyword argument {name!r}{meant}")
        return function(*args, **kwargs)

    return checked


def meaning(name: str, known: list[str]) -> str:
    """Return which of the `known` keywords is meant by `name`, in words; empty where nobody knows."""
    meant = _ELSEWHERE.get(name)
    if meant not in known:
        meant = _OTHERWISE.get(meant or "")
    if meant not in known:
        meant = next(iter(get_close_matches(name, known, n=1, cutoff=ALIKE)), None)
    if meant is None:
        return ""
    value = {"maximize": "True or False", "tail": "'upper' or 'lower'"}.get(meant, "…")
    return f" (here it is {meant}={value})"
