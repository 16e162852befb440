"""`optimize`: the front door to optimisation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from cem.core.budget import Budget, real_number, truth
from cem.core.constraints import Constraints
from cem.core.loop import Update
from cem.core.streams import Purpose, RngLike
from cem.evaluation import Objective, checked_args
from cem.families.base import dimension
from cem.plans.asked import Asked
from cem.plans.choice import plan_for
from cem.plans.start import resolve_starts
from cem.running.answers import answer, report, run_named
from cem.running.keywords import explain_keywords, meaning
from cem.running.memo import discrete_space
from cem.running.naming import NamedFunction, named_constraints
from cem.running.results import OptimizeResult
from cem.running.scoring import Setting
from cem.running.session import Session
from cem.spaces import NamedStart


@explain_keywords
def optimize(
    fun: Any,
    start: Any = None,
    *,
    bounds: Any = None,
    args: tuple[Any, ...] = (),
    maximize: bool | None = None,
    vectorized: bool = False,
    noisy: bool = False,
    pass_rng: bool = False,
    constraints: Any = (),
    integrality: Any = None,
    method: str = "auto",
    population: int | None = None,
    elite_fraction: float | None = None,
    update: Update | None = None,
    improve: Callable[..., Any] | bool | None = None,
    polish: bool | None = None,
    restarts: int | None = None,
    max_evaluations: int | None = None,
    max_iterations: int | None = None,
    max_time: float | None = None,
    evaluation_timeout: float | None = None,
    target: float | None = None,
    tol: float | None = None,
    n_jobs: int | None = None,
    callback: Callable[..., Any] | None = None,
    progress: bool = False,
    checkpoint: Any = None,
    resume: bool = False,
    rng: RngLike = None,
) -> OptimizeResult:
    """Minimise (or maximise) a function by the cross-entropy method.

    Parameters
    ----------
    fun : callable or problem
        ``fun(x, *args)`` with a read-only candidate `x` of shape ``(d,)``; or an object with `start`,
        `maximize` and a vectorised call, which brings these with it. Where it has an `optimum`, the run has
        converged when a score is at least that good.
    start : family, array_like of shape (d,) or (k, d), Space, or None
        The first distribution (``r.family`` of an earlier run continues it), a point to start about, several
        points (all are evaluated, the best one starts the search), or None with `bounds`: the box's Gaussian.
        With a `cem.Space`, or a `cem.Product`, candidates are dicts wherever they appear; starts in a space
        are dicts too, and come with the space as `bounds`.
    bounds : sequence of (low, high), scipy.optimize.Bounds or Space, optional
        `fun` is never called outside. Open sides need a `start`.
    args : tuple
        Further arguments of `fun`.
    maximize : bool, optional
        Default: the problem's own sense, otherwise False.
    vectorized : bool
        `fun` takes ``X`` of shape ``(n, d)``, one candidate a row, and returns ``(n,)``. (Scipy passes the
        transpose.) Large batches come in several calls. In a `Space` it takes a dict of arrays ``(n,)``.
    pass_rng : bool
        Call ``fun(x, rng, *args)`` with a `numpy.random.Generator` of the candidate's own (of the
        call's own, if vectorised).
    method : {"auto", "textbook"}
        "textbook" is ``update=SmoothedFit(0.7), restarts=0, polish=False``. "auto" is the best we know: for
        continuous variables (a box, a point or a Gaussian start) a local stage, then runs of
        ``PathAdaptation()`` and descents from all over the region until nothing better turns up; for others,
        and where `update`, `elite_fraction` or `improve` is given, one run of that update.
    population : int, optional
        Candidates an iteration (of the first run, where there are restarts), and what may be evaluated at
        once: local searches in boxes then spend evaluations on fewer rounds of them. Default: the update's
        own, with `polish` 2.5 times as many; where it has none, ten a variable, between 100 and 1,000, and
        enough for the family.
    elite_fraction : float, optional
        Fraction ρ that teaches, in (0, 1), by the textbook's update. Default: 0.1.
    update : Update, optional
        How the elites move the distribution.
    polish : bool, optional
        Whether local methods take part, for continuous variables. They notice noise within two evaluations,
        and a plateau within a few per variable, and stay out. False leaves the pure cross-entropy
        method. Default: only where "auto" chooses everything.
    restarts : int, optional
        How many more runs there may be, for continuous variables; 0 for none. Default, where "auto" chooses
        everything: until a run has ended at the best point and a hundred descents from all over the region
        have found nothing better (`looks` and `minima` of the result, and its message, say more).
    improve : callable, optional
        ``improve(X, scores, rng, effort) -> (X, scores, extra_evaluations)`` in the user's sign, applied to
        every batch. Default: the problem's own, if it has one; False for none. A problem that has `pieces`
        lets a batch be improved in so many parts, each with a stream of its own, by as many threads as there
        are workers; one that has `recombine`, of the same form, makes children of a few elites.
    max_evaluations : int, optional
        Exact. Default, if no other limit is given either: 10,000 a variable; under constraints on more than
        170 variables fewer, 5e10 divided by their number squared (the log says so), which takes minutes.
    max_iterations : int, optional
    max_time : float, optional
        Seconds.
    target : float, optional
        Stop after the batch in which a score is at least this good.
    tol : float, optional
        Scores that differ by no more than `tol` times the range of scores that the run has seen, or than
        rounding, agree. Default 1e-12.
    evaluation_timeout : float, optional
        Seconds that one call of `fun` may take, in a worker process (one, where `n_jobs` is 1). A candidate
        that takes longer twice is scored as NaN, and so is one that ends its process twice.
    n_jobs : int, optional
        Parallel evaluations, as in joblib; None inherits ``joblib.parallel_config``. The result does not
        depend on it.
    callback : callable, optional
        ``callback(intermediate_result)`` after every iteration, and at the end if evaluations came after the
        last one. Its argument is an `OptimizeResult` so far; its `population`, shape ``(n, d)``, and
        `scores`, shape ``(n,)``, are what was evaluated since the last call (what a problem's `improve`
        evaluates by itself is in `nfev` alone). Returning True or raising StopIteration stops.
    rng : None, int, numpy.random.Generator or numpy.random.SeedSequence
        The same int gives the same result, bit for bit. One exception: under constraints the local searches
        are scipy's SLSQP, whose last bits, and so the evaluations that it takes, depend on the number
        of BLAS threads; with OPENBLAS_NUM_THREADS (or what the BLAS at hand listens to) set, they do not.
    noisy : bool
        The objective is noisy (constraints are exact all the same): populations are large, and grow, `x` is
        where a model of the last quarter of the evaluations is best, or the last distribution's mean, `fun`
        the average of several further evaluations there, and `fun_error` its standard error. Single
        values, those of `history.best` and of a callback, are lucky ones.
    constraints : LinearConstraint, NonlinearConstraint (of scipy.optimize), or a sequence of them
        `x` meets them (equalities within 1e-6) or the status is INFEASIBLE; `maxcv` is its largest
        violation. Their functions are called with one candidate, never outside the bounds. An exception of
        `fun` at a candidate that violates them counts as NaN there (unless `vectorized`).
    integrality : array_like of 0 or 1, shape (d,), or a scalar
        Where 1, `fun` gets whole numbers inside the bounds (as floats) and so does `x`. Where all are, with
        at most four values each, and no start or constraint is given, they are searched as labels are.
    progress : bool
        Show a bar (needs tqdm).
    checkpoint : path, optional
        File, used as given, in which scores are kept as they come. What is there is replaced.
    resume : bool
        Go on with the run that `checkpoint` holds, if there is one: it ends as it would have without a
        break, bit for bit. Budgets, `n_jobs` and `callback` may have changed, nothing else. Iterations
        that a callback has seen are not shown to it again.

    Returns
    -------
    OptimizeResult

    Raises
    ------
    ValueError, TypeError
        For bad arguments, before anything is evaluated; for a score that is not one real number; and
        (as an `ObjectiveError` too) if no finite score is seen at all.
    ObjectiveError
        If `fun` raises; what was found so far is its `partial`.
    OSError
        If `checkpoint` cannot be written, before anything is evaluated.

    Notes
    -----
    Ctrl-C ends a run, which returns what it has with the status INTERRUPTED. A loop over runs should end
    there: ``if r.status is cem.Status.INTERRUPTED: break``. Where that is forgotten, a second Ctrl-C in the
    next run, or while the first is being dealt with, raises KeyboardInterrupt.

    An objective that is neither `noisy` nor gets an `rng` is called once for each candidate of a discrete
    space (integers, bits, labels), and only calls count as evaluations. A space seen whole ends the run.
    Before any other claim of a search that does not look for noise itself (the textbook's, those of an
    `update`, of strings, orders and labels), the best candidate is asked about once more: where the two
    values differ, the objective is noisy, the message says so, and the run is no success.

    A variable whose *order of magnitude* is sought is searched on a log scale by starting in its logarithm:
    give bounds for ``u = log10(x)`` and let `fun` undo it, as the second example does.

    References
    ----------
    Rubinstein & Kroese (2004), "The Cross-Entropy Method", Springer; De Boer, Kroese, Mannor & Rubinstein
    (2005), "A Tutorial on the Cross-Entropy Method", Annals of Operations Research 134.

    Examples
    --------
    >>> import cem
    >>> import numpy as np
    >>> r = cem.optimize(lambda x: ((x - 1) ** 2).sum(), bounds=[(-5, 5)] * 3, rng=1)
    >>> r.success, r.x.round(4).tolist()
    (True, [1.0, 1.0, 1.0])

    A rate between 1e-6 and 1, on a log scale, beside a variable that is not:

    >>> def loss(u):
    ...     rate, offset = 10 ** u[0], u[1]
    ...     return (np.log(rate / 3e-4)) ** 2 + (offset - 2) ** 2
    >>> r = cem.optimize(loss, bounds=[(-6, 0), (-5, 5)], rng=1)
    >>> float(f"{10 ** r.x[0]:.3g}"), float(f"{r.x[1]:.3g}")
    (0.0003, 2.0)
    """
    arguments = dict(locals())
    if method not in ("auto", "textbook"):
        raise ValueError(f'method must be "auto" or "textbook", got {method!r}.')
    for name in ("vectorized", "noisy", "pass_rng"):
        truth(name, arguments[name])
    problem = fun if is_problem(fun) else None
    if problem is not None:
        start = problem.start if start is None and bounds is None else start
        bounds = getattr(problem, "bounds", None) if bounds is None else bounds
        maximize = _sense(problem, maximize)
        constraints = getattr(problem, "constraints", ()) if _none(constraints) else constraints
    elif not callable(fun):
        raise TypeError(f"fun must be callable (or a problem object), got {type(fun).__name__}.")
    budget = Budget(max_evaluations, max_iterations, max_time, target)
    session = Session.open("optimization", fun, arguments, budget)
    named = None if problem is not None else NamedStart.resolve(start, bounds, integrality)
    points: Any = None
    about: Any = None
    if named is not None:
        family, domain, points, about = named.family, named.domain, named.points, named.about
        constraints = named_constraints(constraints, named.naming)
    else:
        family, domain, points, about = resolve_starts(start, bounds, integrality)
    checks = Constraints.from_scipy(constraints, dimension(family))
    objective = Objective(
        fun if named is None else NamedFunction(fun, named.naming, vectorized),
        session.streams,
        args=checked_args(args),
        vectorized=vectorized or problem is not None,
        pass_rng=pass_rng,
        compact=bool(getattr(problem, "compact", False)),
    )
    asked = Asked(
        start=family,
        domain=domain,
        constraints=checks,
        noisy=noisy,
        random=pass_rng,
        problem=problem,
        improve=_resolve_improve(improve, problem),
        method=method,
        update=update,
        elite_fraction=elite_fraction,
        population=population,
        polish=polish,
        restarts=restarts,
        tol=tol,
        budget=budget,
        planned=session.planned(budget),
        rng=session.streams.generator(Purpose.PLAN),
        mixed=None if named is None else named.layout,
        points=points,
        about=about,
    )
    if named is not None and asked.improve is not None:
        raise TypeError(
            "improve works on rows, and named variables have none that a user knows; leave it out."
        )
    plan, budget, present = plan_for(asked)
    steady = not (noisy or pass_rng) and asked.improve is None
    setting = Setting(
        start=family,
        maximize=maximize is not None and truth("maximize", maximize),
        present=present,
        improve=asked.improve,
        recombine=asked.recombine,
        pieces=asked.pieces,
        constraints=checks,
        doubted=asked.unwatched,
        optimum=None if noisy else _optimum(problem),
        space=discrete_space(family, domain) if steady else None,
    )
    if named is None:
        return session.run(objective, plan, budget, setting, report, answer)
    discrete = named.discrete if steady else None
    setting = replace(setting, present=lambda x: named.present(present(x)), space=discrete)
    return run_named(session, objective, plan, budget, setting, named.naming)


def is_problem(fun: Any) -> bool:
    """Whether `fun` is a problem object: callable, with a start and a sense of its own."""
    if isinstance(fun, type) and hasattr(fun, "start"):
        raise TypeError(f"fun is the class {fun.__name__}, which describes problems; make one of it.")
    return callable(fun) and hasattr(fun, "start") and hasattr(fun, "maximize")


def _none(constraints: Any) -> bool:
    return constraints is None or (isinstance(constraints, tuple | list) and not constraints)


def _sense(problem: Any, maximize: bool | None) -> bool:
    own = bool(problem.maximize)
    if maximize is not None and truth("maximize", maximize) != own:
        raise ValueError(
            f"{type(problem).__name__} is to be {'maximised' if own else 'minimised'}; "
            f"maximize={maximize} contradicts it. Leave maximize out."
        )
    return own


def _optimum(problem: Any) -> float | None:
    """Return the best score there is, where the problem knows it."""
    optimum = getattr(problem, "optimum", None)
    return None if optimum is None else real_number("the problem's optimum", optimum)


def _resolve_improve(improve: Any, problem: Any) -> Any:
    if improve is None:
        return getattr(problem, "improve", None)
    if improve is False:
        return None
    if not callable(improve):
        raise TypeError(f"improve must be callable, None or False, got {improve!r}.")
    return improve


_UNUSED = ("jac", "hess", "hessp")
_FIXED = ("fun", "start", "maximize")
_SCIPYS = {"maxiter": "max_iterations", "maxfev": "max_evaluations", "maxfun": "max_evaluations"}


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
        `cem.optimize` besides `start` and `maximize`. `maxiter`, `maxfev` (also `maxfun`) and `disp`, scipy's
        usual names, are understood: `max_iterations`, `max_evaluations`, and whether to print how it ended.

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
    said = truth("disp", options.pop("disp", None) or False)
    for theirs, own in _SCIPYS.items():
        if theirs in options:
            if own in options:
                raise TypeError(f"{theirs} and {own} are the same; give one of them.")
            options[own] = options.pop(theirs)
    known = [name for name in inspect.signature(optimize).parameters if name not in _FIXED]
    for name in options:
        if name not in known:
            what = f"unknown option {name!r}{meaning(name, known)}"
            raise TypeError(f"{what}; the options are {', '.join(known)}.")
    r = optimize(fun, x0, args=args, **options)
    if said:
        print(  # noqa: T201 - asked for
            f"{r.message}\n         Current function value: {r.fun:f}\n         Iterations: {r.nit}\n"
            f"         Function evaluations: {r.nfev}"
        )
    return r
