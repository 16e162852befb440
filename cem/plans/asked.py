"""What was asked of `optimize`, resolved, and what follows from it for the choice of a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from cem.core.budget import Budget, positive_count
from cem.core.constraints import Constraints
from cem.core.domain import Domain
from cem.core.loop import Update
from cem.core.stopping import TOLERANCE, Stopping
from cem.families.base import Array, Family, Floats, dimension
from cem.families.gaussian import GaussianLike
from cem.families.permutation import Permutation
from cem.families.product import Product
from cem.plans.continuous import is_gaussian
from cem.plans.integers import IntegerMargin
from cem.plans.mixed_space import MixedAdaptation, MixedSpace, numbers_of
from cem.plans.start import all_over, resolve_population, resolve_stages, resolve_update
from cem.plans.strings import StringSpace
from cem.plans.units import Units
from cem.updates import PathAdaptation, SmoothedFit


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked of `optimize`, each argument resolved as far as it can be by itself.

    Attributes
    ----------
    start : Family
    domain : Domain or None
    constraints : Constraints or None
    noisy : bool
    random : bool
        Whether the objective is given a generator, so that its values may differ though nobody said so.
    problem : object or None
        A problem object: may bring `update`, `population` and `stage`, which go with its `improve`.
    improve : callable or None
    method : {"auto", "textbook"}
    update, elite_fraction, population, polish, restarts, tol
        As `optimize` got them.
    budget : Budget
    planned : int or None
        Evaluations that sizes are chosen for: those that a run had at first, if it was resumed.
    rng : numpy.random.Generator
        Of a plan's own choices.
    mixed : MixedSpace, optional
        What the columns are, where numbers and labels stand side by side.
    points : ndarray, shape (k, d), optional
        Starts that are evaluated before the search.
    about : callable, optional
        From one of them to the distribution that begins there.
    present : callable or None
        From a plan's rows to the user's; None where the domain's own does.
    before : int
        Evaluations that were spent before the plan begins.
    """

    start: Family
    domain: Domain | None
    constraints: Constraints | None
    noisy: bool
    random: bool
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
    planned: int | None
    rng: np.random.Generator
    mixed: MixedSpace | None = None
    points: Array | None = None
    about: Callable[[Array], Any] | None = None
    present: Callable[[Array], Array] | None = None
    before: int = 0

    def residuals(self, x: Array) -> Floats:
        """Return what the constraints say of a plan's rows, shape ``(n, d)`` to ``(n, m)``."""
        present = self.box.present if self.present is None else self.present
        return cast(Constraints, self.constraints).residuals(present(x))

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

    @cached_property
    def strings(self) -> StringSpace | None:
        """The space of strings that the plan for them may search, None where another plan serves."""
        if not self.plan_is_free:
            return None
        return StringSpace.of(self.start) or self._labels

    @property
    def _labels(self) -> StringSpace | None:
        """Whole numbers of few values as labels, where nothing is known of them but their bounds."""
        chosen = self.polish is not None or self.restarts is not None
        if self.domain is None or self.constraints is not None or self.points is not None or chosen:
            return None
        if self.mixed is not None and (self.mixed.active is not None or self.mixed.logarithmic.any()):
            return None
        if not all_over(
            numbers_of(self.start), self.domain if self.mixed is None else self.mixed.number_domain
        ):
            return None
        return StringSpace.of_box(self.start, self.domain)

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
        """The evaluations that were planned, infinite where nobody has said how many."""
        return np.inf if self.planned is None else self.planned

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
    def doubtful(self) -> bool:
        """Whether noise that nobody spoke of is to be looked for before anything else.

        Searches with local methods look for it themselves, or else two evaluations tell. The textbook's runs,
        and those of an update of the user's, trust single values; so do those over what is discrete, where no
        generator is passed.
        """
        if self.noisy or self.improve is not None or self.problem is not None or self.update_chosen:
            return False
        numbers = is_gaussian(self.start)
        if self.constraints is None and (numbers and (self.local if self.integers else self.stages[0])):
            return False
        return self.random or numbers

    @property
    def unwatched(self) -> bool:
        """Whether noise that nobody spoke of would go unseen by the search itself."""
        if self.noisy or self.improve is not None or self.problem is not None:
            return False
        if is_gaussian(self.start) and (self.box.integer | self.box.fixed).all():
            return True  # a search asks about each candidate once
        return self.update_chosen or not (is_gaussian(self.start) or self.doubtful)

    @property
    def units(self) -> Units | None:
        """What the variables are searched in; None where the user's units do as well.

        They do for the textbook's update, which is the same in all units; `improve`, and updates that are
        not of this package, see rows as they are.
        """
        if self.strings is not None:
            return None
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
        return Stopping(TOLERANCE if self.tol is None else self.tol, target=self.budget.target)

    @property
    def learner(self) -> tuple[Update, int]:
        """How the elites move the distribution, and the candidates per iteration."""
        remembers = is_gaussian(self.start) and self.integers and self.constraints is None
        update: Update
        if self.mixed is not None and (not self.update_chosen or isinstance(self.update, PathAdaptation)):
            update = MixedAdaptation(self.mixed, cast(PathAdaptation, self.update or PathAdaptation()))
        elif remembers and not self.update_chosen:
            update = PathAdaptation()
        else:
            update = resolve_update(self.update, self.elite_fraction)
        most = None if self.update_chosen else self.planned
        n = resolve_population(self.population, self.start, update, most)
        return (IntegerMargin(update, self.box) if self.integers and self.mixed is None else update), n
