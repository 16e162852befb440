"""A search in units of its own: a box of any size and place is searched alike, whatever it is measured in.

Units are powers of two, so that going there and back is exact: a box in other units of that kind gives the
same bits.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cem.core.domain import Domain
from cem.core.ending import Ending
from cem.core.loop import Batch, Ended, Request, Step
from cem.families.base import Array, Family, Floats
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gaussian import GaussianLike
from cem.families.product import Product
from cem.plans.mixed_space import NUMBERS, MixedSpace


@dataclass(frozen=True, eq=False)
class Units:
    """What 1 is in a search's own coordinates, for each variable.

    Attributes
    ----------
    size : ndarray, shape (d,)
        Powers of two: the least above the span of the box, or above the spread of the start where a side is
        open; 1 for integer and fixed variables.
    domain : Domain
        In the user's units.
    """

    size: Floats
    domain: Domain

    @classmethod
    def of(cls, start: GaussianLike, domain: Domain) -> Units:
        """Return the units of a search."""
        closed = np.isfinite(domain.low) & np.isfinite(domain.high)
        span = np.where(closed, domain.high, 0.0) - np.where(closed, domain.low, 0.0)
        length = np.where(closed, span, start.std)
        size = np.ldexp(1.0, np.frexp(length)[1])
        return cls(np.where(domain.integer | domain.fixed, 1.0, size), domain)

    @property
    def own(self) -> Domain:
        """The domain in units of the search."""
        return Domain(self.domain.low / self.size, self.domain.high / self.size, self.domain.integer)

    @classmethod
    def of_mixed(cls, start: Product, space: MixedSpace) -> Units:
        """Return the units of a search over numbers and labels; 1 for whatever is no real."""
        spread = np.ones(space.domain.dimension)
        spread[space.numbers] = start[NUMBERS].std
        closed = np.isfinite(space.domain.low) & np.isfinite(space.domain.high)
        span = np.where(closed, space.domain.high, 0.0) - np.where(closed, space.domain.low, 0.0)
        size = np.ldexp(1.0, np.frexp(np.where(closed, span, spread))[1])
        own = space.domain.integer | space.domain.fixed | space.logarithmic
        return cls(np.where(own, 1.0, size), space.domain)

    def of_space(self, space: MixedSpace) -> MixedSpace:
        """Return a space of numbers and labels in units of the search."""
        size, present = self.size, space.present
        return replace(space, domain=self.own, present=lambda x: present(x * size))

    def scaled(self, start: Any) -> Any:
        """Return a start in units of the search."""
        if isinstance(start, Product):
            return self._rescaled(start, 1 / self.size)
        return start.stretched(start.mean / self.size, 1 / self.size)

    def present(self, x: Array) -> Array:
        """Return rows of the search, shape ``(n, d)``, as the objective sees them."""
        rows = self.domain.project(x * self.size)
        rows.flags.writeable = False
        return self.domain.present(rows)

    def served(self, plan: Generator[Request, Batch, Ending]) -> Generator[Request, Batch, Ending]:
        """Pass a plan's requests on, with the distributions that it shows in the user's units."""
        try:
            request = next(plan)
            while True:
                if isinstance(request, Step) and request.state is not None:
                    state = replace(request.state, family=self._back(request.state.family))
                    request = replace(request, state=state)
                try:
                    answer = yield request
                except (Ended, GeneratorExit) as end:
                    request = plan.throw(end)
                else:
                    request = plan.send(answer)
        except StopIteration as finished:
            ending: Ending = finished.value
        return ending if ending.family is None else ending._replace(family=self._back(ending.family))

    @staticmethod
    def _rescaled(product: Product, size: Floats) -> Product:
        own = size[product.columns[product.names.index(NUMBERS)]]
        numbers = product[NUMBERS]
        return product.with_parts(numbers=numbers.stretched(own * numbers.mean, own))

    def _back(self, family: Family) -> Family:
        if isinstance(family, Product):
            return self._rescaled(family, self.size)
        if isinstance(family, FactoredGaussian):
            volume = family.log_volume + float(np.log(self.size).sum())
            factor = self.size[:, None] * family.factor
            return FactoredGaussian.owning(mean=self.size * family.mean, factor=factor, log_volume=volume)
        return (
            family.stretched(self.size * family.mean, self.size)
            if isinstance(family, GaussianLike)
            else family
        )
