"""Which plan serves what was asked of `optimize`: the choice between the package's ways to search."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias, cast

from cem.core.budget import Budget
from cem.core.constraints import Constraints
from cem.core.ending import Ending
from cem.core.loop import Batch, Request, Update
from cem.families.base import Array, Family, dimension
from cem.families.gaussian import GaussianLike
from cem.families.permutation import Permutation
from cem.plans.asked import Asked
from cem.plans.averaging import averaged_run
from cem.plans.constrained import FeasibleSearch
from cem.plans.continuous import ContinuousSearch, is_gaussian
from cem.plans.guard import TWICE, NoisyPlan, guarded
from cem.plans.integers import IntegerMargin, integer_runs
from cem.plans.mixed import MixedSearch
from cem.plans.mixed_space import MixedSpace
from cem.plans.noisy import NoisySearch
from cem.plans.permutations import order_search
from cem.plans.problem_search import independent_runs
from cem.plans.several_starts import from_best
from cem.plans.single import agreeing_runs, confirmed_run
from cem.plans.start import resolve_population, resolve_update
from cem.plans.strings import StringSpace, string_search
from cem.updates import PathAdaptation
from cem.updates.elite_crossing import EliteCrossing

EVALUATIONS_PER_VARIABLE = 10_000  # where nothing limits a run
# Evaluations times squared variables: local searches under constraints take 7 ns of their own for each
# (scipy's SLSQP, 600 variables and 200 equalities), so this many take some six minutes.
OWN_WORK = 5e10
AGREEING = 3  # runs of a problem's own search
AGREEING_WITHIN_BUDGET = 6  # where a budget says that more may be spent
JITTER = 0.1  # of the first spread: how far from its middle noise is looked for
POLISHED_POPULATION = 2.5  # times the update's own: what a local stage leaves over has many basins

log = logging.getLogger("cem")

Plan: TypeAlias = Generator[Request, Batch, Ending]


class Chosen(NamedTuple):
    """A plan, the budget it is to be served with, and from its rows to those that the objective sees."""

    plan: Plan
    budget: Budget
    present: Callable[[Array], Array]


def plan_for(asked: Asked) -> Chosen:
    """Choose a plan: the first line of `PLANS` that suits what was asked is taken.

    Raises
    ------
    ValueError, TypeError
        Where arguments do not go together.
    """
    _check(asked)
    budget = asked.budget
    if not budget.limited and not asked.problem_searches:
        budget = replace(budget, max_evaluations=_default_evaluations(asked))
    asked = replace(asked, budget=budget)
    make = next(make for suits, make in PLANS if suits(asked))
    if (units := asked.units) is None:
        return Chosen(_started(make, asked), budget, asked.box.present)
    start, domain = units.scaled(asked.start), asked.domain and units.own
    own = replace(asked, start=start, domain=domain, present=units.present)
    own = replace(own, mixed=asked.mixed and units.of_space(asked.mixed))
    if asked.points is not None and (about := asked.about) is not None:
        size = units.size
        own = replace(own, points=asked.points / size, about=lambda x: units.scaled(about(x * size)))
    return Chosen(units.served(_started(make, own)), budget, units.present)


def _started(make: Callable[[Asked], Plan], asked: Asked) -> Plan:
    """Return a plan, after its starts have been evaluated where there are several."""
    if asked.points is None or (about := asked.about) is None:
        return make(asked)
    before = len(asked.points)
    return from_best(
        asked.points, lambda x: make(replace(asked, start=about(x), before=before)), asked.stopping
    )


def _default_evaluations(asked: Asked) -> int:
    """Return the evaluations of a run that nothing limits."""
    d = dimension(asked.start)
    usual = EVALUATIONS_PER_VARIABLE * d
    if asked.constraints is None or not asked.local or usual * d**2 <= OWN_WORK:
        return usual
    fewer = int(OWN_WORK / d**2)
    log.warning(
        "nothing limits this run: it ends after %d evaluations, since local searches under constraints of %d "
        "variables take long by themselves; max_evaluations or max_time says otherwise",
        fewer,
        d,
    )
    return fewer


def _problem_plan(asked: Asked) -> Plan:
    problem = asked.problem
    update = resolve_update(problem.update, None)
    population = asked.population or getattr(problem, "population", None)
    n = resolve_population(population, asked.start, update)
    agreeing = AGREEING_WITHIN_BUDGET if asked.budget.limited else AGREEING
    stage = getattr(problem, "stage", "sampling")
    crossing = None
    if asked.recombine is not None:
        crossing = EliteCrossing(bool(getattr(problem, "symmetric", False)), asked.pieces)
    return independent_runs(update, asked.start, n, asked.stopping, asked.domain, agreeing, stage, crossing)


def _string_plan(asked: Asked) -> Plan:
    space, target = cast(StringSpace, asked.strings), asked.budget.target
    return string_search(space, asked.stopping, asked.rng, asked.width, target, asked.most_evaluations)


def _order_plan(asked: Asked) -> Plan:
    start, target = cast(Permutation, asked.orders), asked.budget.target
    return order_search(start, asked.stopping, asked.rng, asked.width, target, asked.most_evaluations)


def _constrained_plan(asked: Asked) -> Plan:
    update, n = asked.learner
    constraints = cast(Constraints, asked.constraints)
    search = (asked.stopping, asked.box, constraints, asked.local, asked.rng)
    return FeasibleSearch(update, asked.start, n, *search).plan()


def _noisy_plan(asked: Asked, before: int = 0) -> Plan:
    most, before = asked.budget.max_evaluations, before + asked.before
    if is_gaussian(asked.start) and not asked.update_chosen:
        update: Update = PathAdaptation()
        update = IntegerMargin(update, asked.box) if asked.integers else update
        search = (asked.planned, asked.rng, asked.width, asked.constraints, asked.residuals, before)
        return NoisySearch(update, asked.start, asked.stopping, asked.box, most, *search).plan()
    update, n = asked.learner
    return averaged_run(update, asked.start, n, asked.stopping, asked.domain, most, asked.constraints, before)


def _guarded_plan(asked: Asked) -> Plan:
    x = asked.start.sample(1, asked.rng)[0]
    if is_gaussian(asked.start):
        start = cast(GaussianLike, asked.start)
        near = start.mean + JITTER * start.std * asked.rng.uniform(-1, 1, start.mean.size)
        x = asked.box.relaxed.project(near)
    quiet = next(make for suits, make in PLANS[1:] if suits(asked))
    left = None if asked.planned is None else max(1, asked.planned - TWICE)
    return guarded(x, quiet(replace(asked, planned=left)), partial(_noisy_plan, replace(asked, noisy=True)))


def _mixed_plan(asked: Asked, noisy: NoisyPlan | None = None) -> Plan:
    update, n = asked.learner
    return MixedSearch(
        update,
        asked.mixed or MixedSpace.of_numbers(asked.box),
        asked.start,
        n,
        asked.stopping,
        asked.rng,
        asked.local,
        asked.most_evaluations,
        asked.width or 1,
        asked.budget.target,
        noisy,
    ).plan()


def _integer_plan(asked: Asked) -> Plan:
    noisy = partial(_noisy_plan, replace(asked, noisy=True))
    if not asked.update_chosen:
        return _mixed_plan(asked, noisy)
    plan = partial(_single_plan, asked)
    return integer_runs(plan, asked.start, asked.stopping, asked.box, asked.local, asked.rng, noisy)


def _continuous_plan(asked: Asked) -> Plan:
    polish, restarts = asked.stages
    update = PathAdaptation() if asked.best_known else asked.learner[0]
    n = least = resolve_population(asked.population, asked.start, update)
    if asked.best_known and polish and asked.population is None:
        n = int(POLISHED_POPULATION * least)
    return ContinuousSearch(
        update,
        cast(GaussianLike, asked.start),
        n,
        least,
        asked.domain,
        polish,
        restarts,
        asked.tol,
        asked.rng,
        partial(_noisy_plan, replace(asked, noisy=True)),
        asked.population or 1,
    ).plan()


def _single_plan(asked: Asked, start: Family | None = None) -> Plan:
    update, n = asked.learner
    return confirmed_run(update, asked.start if start is None else start, n, asked.stopping, asked.domain)


def _own_family_plan(asked: Asked) -> Plan:
    update, n = asked.learner
    return agreeing_runs(update, asked.start, n, asked.stopping, asked.domain)


PLANS: tuple[tuple[Callable[[Asked], bool], Callable[[Asked], Plan]], ...] = (
    (lambda asked: asked.doubtful, _guarded_plan),
    (lambda asked: asked.problem_searches, _problem_plan),
    (lambda asked: asked.strings is not None, _string_plan),
    (lambda asked: asked.orders is not None, _order_plan),
    (lambda asked: asked.noisy, _noisy_plan),
    (lambda asked: asked.constraints is not None, _constrained_plan),
    (lambda asked: asked.mixed is not None and asked.plan_is_free, _mixed_plan),
    (lambda asked: asked.integers and asked.mixed is None, _integer_plan),
    (lambda asked: asked.best_known or asked.stages != (False, 0), _continuous_plan),
    (lambda asked: asked.update_chosen or asked.problem is not None, _single_plan),
    (lambda asked: True, _own_family_plan),
)


def _check(asked: Asked) -> None:
    """Refuse what would be ignored.

    Raises
    ------
    ValueError
        For arguments that do not go together.
    """
    polish, restarts = asked.stages
    if asked.noisy:
        if asked.budget.target is not None:
            raise ValueError("one noisy value does not show that a target is reached; leave target out.")
        if asked.improve is not None:
            raise ValueError("improve trusts single values: with noisy=True say improve=False.")
    refusals = (
        (not is_gaussian(asked.start), "need continuous variables (a Gaussian start)"),
        (asked.improve is not None, "do not go together with improve"),
        (asked.noisy, "trust single values, which noisy=True denies"),
        (asked.constraints is not None and restarts != 0, "belong to every search under constraints"),
        (asked.integers and restarts != 0, "are part of every search over integers"),
    )
    for holds, why in refusals:
        if holds and (polish or restarts != 0):
            raise ValueError(f"polish and restarts {why}; leave them out.")
