"""Which plan serves what was asked of `optimize`: the choice between the package's ways to search."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from cem.core.budget import Budget, positive_count
from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.ending import Ending
from cem.core.loop import Batch, Request, Update
from cem.core.stopping import Stopping
from cem.families.base import Array, Family, dimension
from cem.families.gaussian import GaussianLike
from cem.families.permutation import Permutation
from cem.families.product import Product
from cem.plans.constrained import FeasibleSearch
from cem.plans.continuous import ContinuousSearch, is_gaussian
from cem.plans.integers import IntegerMargin, integer_runs
from cem.plans.mixed import MixedSearch
from cem.plans.mixed_space import MixedAdaptation, MixedSpace
from cem.plans.noisy import noisy_run
from cem.plans.permutations import order_search
from cem.plans.problem_search import independent_runs
from cem.plans.several_starts import from_best
from cem.plans.single import confirmed_run
from cem.plans.start import resolve_population, resolve_stages, resolve_update
from cem.plans.strings import StringSpace, string_search
from cem.plans.units import Units
from cem.updates import PathAdaptation, SmoothedFit
from cem.updates.elite_crossing import EliteCrossing

EVALUATIONS_PER_VARIABLE = 10_000  # where nothing limits a run
AGREEING = 3  # runs of a problem's own search
AGREEING_WITHIN_BUDGET = 6  # where a budget says that more may be spent
POLISHED_POPULATION = 2.5  # times the update's own: what a local stage leaves over has many basins

Plan: TypeAlias = Generator[Request, Batch, Ending]


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked of `optimize`, each argument resolved as far as it can be by itself.

    Attributes
    ----------
    start : Family
    domain : Domain or None
    constraints : Constraints or None
    noisy : bool
    problem : object or None
        A problem object: may bring `update`, `population` and `stage`, which go with its `improve`.
    improve : callable or None
    method : {"auto", "textbook"}
    update, elite_fraction, population, polish, restarts, tol
        As `optimize` got them.
    budget : Budget
    rng : numpy.random.Generator
        Of a plan's own choices.
    mixed : MixedSpace, optional
        What the columns are, where numbers and labels stand side by side.
    points : ndarray, shape (k, d), optional
        Starts that are evaluated before the search.
    about : callable, optional
        From one of them to the distribution that begins there.
    """

    start: Family
    domain: Domain | None
    constraints: Constraints | None
    noisy: bool
    problem: Any
    improve: Callable[..., Any] | None
    method: str
    update: Update | None
    elite_fraction: float | None
    population: int | None
    polish: Any
    restarts: Any
    tol: float | None
    budget: Budget
    rng: np.random.Generator
    mixed: MixedSpace | None = None
    points: Array | None = None
    about: Callable[[Array], Any] | None = None

    @property
    def box(self) -> Domain:
        """The domain, open where there is none."""
        return Domain.open(dimension(self.start)) if self.domain is None else self.domain

    @property
    def integers(self) -> bool:
        """Whether some variables are whole numbers."""
        return bool(self.box.integer.any())

    @property
    def update_chosen(self) -> bool:
        """Whether the user chose how the elites move the distribution."""
        return self.method == "textbook" or self.update is not None or self.elite_fraction is not None

    @property
    def problem_searches(self) -> bool:
        """Whether a problem's own improvement and update do the work."""
        own = self.improve is not None and getattr(self.problem, "update", None) is not None
        return own and not self.update_chosen

    @property
    def recombine(self) -> Callable[..., Any] | None:
        """The problem's own recombination, where its own improvement is used."""
        own = self.problem_searches and self._improves_itself
        return getattr(self.problem, "recombine", None) if own else None

    @property
    def pieces(self) -> int:
        """Into how many parts the problem lets a batch be cut to be improved."""
        return int(getattr(self.problem, "pieces", 1)) if self._improves_itself else 1

    @property
    def _improves_itself(self) -> bool:
        return self.improve is not None and self.improve == getattr(self.problem, "improve", None)

    @property
    def strings(self) -> StringSpace | None:
        """The space of strings that the plan for them may search, None where another plan serves."""
        return StringSpace.of(self.start) if self.plan_is_free else None

    @property
    def orders(self) -> Permutation | None:
        """The family of orders that the plan for them may search, None where another plan serves."""
        return self.start if isinstance(self.start, Permutation) and self.plan_is_free else None

    @property
    def plan_is_free(self) -> bool:
        """Whether nothing was asked for that a plan of a space's own has no room for."""
        return self.improve is None and not self.update_chosen and not self.noisy

    @property
    def width(self) -> int | None:
        """Candidates that may be evaluated at once, where the user says so."""
        return None if self.population is None else positive_count("population", self.population)

    @property
    def most_evaluations(self) -> float:
        """The budget of evaluations, infinite where there is none."""
        most = self.budget.max_evaluations
        return np.inf if most is None else most

    @property
    def best_known(self) -> bool:
        """Whether the plan for continuous variables may choose everything."""
        special = self.constraints is not None or self.noisy or self.integers
        return is_gaussian(self.start) and self.improve is None and not self.update_chosen and not special

    @property
    def stages(self) -> tuple[bool, int | None]:
        """Whether to polish, and how often to restart (None: until runs agree)."""
        return resolve_stages(self.polish, self.restarts, self.best_known)

    @property
    def local(self) -> bool:
        """Whether local methods take part in searches that have them of their own."""
        return self.polish is not False and self.method != "textbook"

    @property
    def units(self) -> Units | None:
        """What the variables are searched in; None where the user's units do as well.

        They do for the textbook's update, which is the same in all units; `improve`, and updates that are
        not of this package, see rows as they are.
        """
        if self.mixed is not None:
            adapted = not self.update_chosen or isinstance(self.update, PathAdaptation)
            return Units.of_mixed(cast(Product, self.start), self.mixed) if adapted else None
        if not isinstance(self.start, GaussianLike) or self.improve is not None:
            return None
        if self.update_chosen and not isinstance(self.update, PathAdaptation):
            foreign = self.update is not None and not isinstance(self.update, SmoothedFit)
            if foreign or self.stages == (False, 0):
                return None
        return Units.of(self.start, self.box)

    @property
    def stopping(self) -> Stopping:
        """When the elites agree."""
        return Stopping() if self.tol is None else Stopping(self.tol)

    @property
    def learner(self) -> tuple[Update, int]:
        """How the elites move the distribution, and the candidates per iteration."""
        remembers = is_gaussian(self.start) and (self.noisy or self.integers) and self.constraints is None
        update: Update
        if self.mixed is not None and (not self.update_chosen or isinstance(self.update, PathAdaptation)):
            update = MixedAdaptation(self.mixed, cast(PathAdaptation, self.update or PathAdaptation()))
        elif remembers and not self.update_chosen:
            update = PathAdaptation()
        else:
            update = resolve_update(self.update, self.elite_fraction)
        most = None if self.update_chosen else self.budget.max_evaluations
        n = resolve_population(self.population, self.start, update, most)
        return (IntegerMargin(update, self.box) if self.integers and self.mixed is None else update), n


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
        budget = replace(budget, max_evaluations=EVALUATIONS_PER_VARIABLE * dimension(asked.start))
    asked = replace(asked, budget=budget)
    make = next(make for suits, make in PLANS if suits(asked))
    if (units := asked.units) is None:
        return Chosen(_started(make, asked), budget, asked.box.present)
    start, domain = units.scaled(asked.start), asked.domain and units.own
    own = replace(asked, start=start, domain=domain, mixed=asked.mixed and units.of_space(asked.mixed))
    if asked.points is not None and (about := asked.about) is not None:
        size = units.size
        own = replace(own, points=asked.points / size, about=lambda x: units.scaled(about(x * size)))
    return Chosen(units.served(_started(make, own)), budget, units.present)


def _started(make: Callable[[Asked], Plan], asked: Asked) -> Plan:
    """Return a plan, after its starts have been evaluated where there are several."""
    if asked.points is None or (about := asked.about) is None:
        return make(asked)
    return from_best(asked.points, lambda x: make(replace(asked, start=about(x))), asked.stopping)


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
    return FeasibleSearch(update, asked.start, n, asked.stopping, asked.box, constraints, asked.local).plan()


def _noisy_plan(asked: Asked) -> Plan:
    update, n = asked.learner
    return noisy_run(update, asked.start, n, asked.stopping, asked.domain, asked.budget.max_evaluations)


def _mixed_plan(asked: Asked) -> Plan:
    update, n = asked.learner
    start, space = cast(Product, asked.start), cast(MixedSpace, asked.mixed)
    return MixedSearch(
        cast(MixedAdaptation, update),
        space,
        start,
        n,
        asked.stopping,
        asked.rng,
        asked.local,
        asked.most_evaluations,
        asked.width or 1,
        asked.budget.target,
    ).plan()


def _integer_plan(asked: Asked) -> Plan:
    first, later = partial(_single_plan, asked), partial(_single_plan, asked)
    if not asked.update_chosen:
        later = partial(_single_plan, replace(asked, update=SmoothedFit()))
    return integer_runs(first, later, asked.start, asked.stopping, asked.box, asked.local, asked.rng)


def _continuous_plan(asked: Asked) -> Plan:
    polish, restarts = asked.stages
    update = PathAdaptation() if asked.best_known else asked.learner[0]
    most = asked.budget.max_evaluations
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
        most,
    ).plan()


def _single_plan(asked: Asked, start: Family | None = None) -> Plan:
    update, n = asked.learner
    return confirmed_run(update, asked.start if start is None else start, n, asked.stopping, asked.domain)


PLANS: tuple[tuple[Callable[[Asked], bool], Callable[[Asked], Plan]], ...] = (
    (lambda asked: asked.problem_searches, _problem_plan),
    (lambda asked: asked.strings is not None, _string_plan),
    (lambda asked: asked.orders is not None, _order_plan),
    (lambda asked: asked.constraints is not None, _constrained_plan),
    (lambda asked: asked.noisy, _noisy_plan),
    (lambda asked: asked.mixed is not None and asked.plan_is_free, _mixed_plan),
    (lambda asked: asked.integers and asked.mixed is None, _integer_plan),
    (lambda asked: asked.best_known or asked.stages != (False, 0), _continuous_plan),
    (lambda asked: True, _single_plan),
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
        if asked.constraints is not None:
            raise ValueError("noisy and constraints do not go together.")
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
