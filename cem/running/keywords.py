"""An answer to arguments that are called otherwise elsewhere."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_ITERATIONS = "maxiter max_iter n_iter niter generations n_iterations num_iterations iterations epochs"
_CALLS = "maxfev maxfun max_nfev maxfevals max_evals max_calls budget n_calls n_trials evaluations"
_SIZE = "popsize pop_size population_size num_particles n_particles n_samples batch_size N"
_POINT = "x0 initial_guess initial_point init start_point mean mu sigma sigma0 std cov covariance family"
_LIMITS = "lb ub lower upper limits domain ranges"
_SENSE = "direction sense minimize mode goal"

# Ours, and what scipy, pycma, Optuna, nevergrad, scikit-learn and OpenTURNS call it. The first of ours that a
# function has is the answer, so that an estimate, which counts no iterations, answers for its calls.
_ELSEWHERE = {
    "rng": "seed random_state generator rand_state random_seed",
    "max_iterations": _ITERATIONS,
    "max_evaluations": f"{_CALLS} {_ITERATIONS} nsim",
    "max_time": "timeout time_limit max_seconds maxtime",
    "population": _SIZE,
    "elite_fraction": "elite_frac elite elites n_elite n_elites rho elite_ratio",
    "update": "alpha smoothing learning_rate lr strategy",
    "maximize": f"maximise {_SENSE}",
    "tail": f"maximise maximize {_SENSE}",
    "progress": "verbose disp verb_disp display show_progress verbosity",
    "n_jobs": "workers num_workers cores cpus parallel n_workers processes",
    "start": f"{_POINT} space search_space",
    "inputs": f"{_POINT} marginals distribution distributions dist random_vector bounds start",
    "bounds": _LIMITS,
    "integrality": "integer int_vars integers integer_variables",
    "vectorized": "vectorised batched",
    "constraints": "constraint cons",
    "noisy": "noise stochastic noise_std",
    "restarts": "n_restarts n_starts",
    "target_cv": "tol rtol cv target epsilon eps",
    "tol": "atol ftol gtol xtol rtol fatol xatol eps epsilon",
    "target": "f_target ftarget stop_fitness stopval",
    "fun": "func objective f performance",
    "performance": "func objective f fun limit_state g",
    "level": "threshold",
    "probability": "failure_probability pf alpha quantile level",
    "checkpoint": "save save_path storage resume_from",
}

# what no keyword of ours says
_ADVICE = {
    "options": "what it holds are keywords of their own",
    "jac": "no derivatives are used",
    "hess": "no derivatives are used",
    "confidence_level": "the result has confidence_interval(confidence_level)",
    "patience": "a run ends when it has converged, or by a max_… or target",
    "sampler": "rng is what draws, and the family says from where",
}

# what belongs to a loop, which those who ask and tell have to themselves
_LOOPS = {
    "fun",
    "max_iterations",
    "max_evaluations",
    "max_time",
    "target",
    "tol",
    "n_jobs",
    "progress",
    "checkpoint",
}
_HOW_TO_SAY = {"maximize": "True or False", "tail": "'upper' or 'lower'"}

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
    ours = [own for own, theirs in _ELSEWHERE.items() if name == own or name in theirs.split()]
    meant = next((own for own in ours if own in known), None)
    if meant is None and not ours:
        meant = next(iter(get_close_matches(name, known, n=1, cutoff=ALIKE)), None)
    if meant is not None:
        return f" (here it is {meant}={_HOW_TO_SAY.get(meant, '…')})"
    if name in _ADVICE:
        return f" ({_ADVICE[name]})"
    if "self" in known and (name == "callback" or _LOOPS.intersection(ours)):
        return " (the loop is yours: what ends it, evaluates and reports stands in it)"
    if "population" in ours:
        return " (batches are as large as the method needs; max_evaluations=… limits them all)"
    return ""
