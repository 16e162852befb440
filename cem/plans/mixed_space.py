"""Rows that hold numbers and labels side by side, and how one distribution over them learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, State, Update
from cem.core.stopping import Exhausted
from cem.families.base import Array, Family, Floats, Index, Mask
from cem.families.categorical import Categorical
from cem.families.product import Product
from cem.plans.integers import IntegerMargin
from cem.updates import PathAdaptation, label_adaptation
from cem.updates.recombination import Ranked, rates, smallest_population

NUMBERS, LABELS = "numbers", "labels"


def numbers_of(family: Any) -> Any:
    """Return the part of a product that holds the numbers; a family of numbers alone as it is."""
    return family[NUMBERS] if isinstance(family, Product) else family


def with_numbers(family: Any, numbers: Any) -> Any:
    """Return a family with other numbers, and the labels that it has."""
    return family.with_parts(numbers=numbers) if isinstance(family, Product) else numbers


@dataclass(frozen=True, eq=False)
class MixedSpace:
    """What the columns of mixed rows are.

    Attributes
    ----------
    domain : Domain
        Of all columns; labels are its integers 0 … k - 1.
    numbers, labels : ndarray of int
        The columns of either kind.
    logarithmic : ndarray of bool, shape (d,)
        Which columns are logarithms of whole numbers, between half of one below the least and half of one
        above the greatest.
    active : callable, optional
        From presented rows, shape ``(n, d)``, to which entries have a say, a mask of that shape; None where
        all always have.
    present : callable
        From drawn rows to the rows that the objective sees.
    """

    domain: Domain
    numbers: Index
    labels: Index
    logarithmic: Mask
    active: Callable[[Array], Mask] | None
    present: Callable[[Array], Array]

    @classmethod
    def of(cls, product: Product) -> MixedSpace:
        """Return the space of a product of `NUMBERS` and `LABELS`: without bounds for the numbers."""
        low, high = np.full(product.dimension, -np.inf), np.full(product.dimension, np.inf)
        numbers, labels = product.columns
        low[labels], high[labels] = 0, product[LABELS].categories - 1.0
        whole = np.zeros(product.dimension, dtype=np.bool_)
        whole[labels] = True
        domain = Domain(low, high, whole)
        return cls(domain, numbers, labels, np.zeros_like(whole), None, domain.present)

    @classmethod
    def of_numbers(cls, domain: Domain) -> MixedSpace:
        """Return a space without labels, whose rows are the numbers of a domain."""
        none = np.zeros(domain.dimension, dtype=np.bool_)
        return cls(domain, np.arange(none.size), np.flatnonzero(none), none, None, domain.present)

    @cached_property
    def number_domain(self) -> Domain:
        """The domain of the numbers."""
        j = self.numbers
        return Domain(self.domain.low[j], self.domain.high[j], self.domain.integer[j])

    @cached_property
    def categories(self) -> Index:
        """How many labels each column of labels has."""
        return np.asarray(self.domain.high[self.labels] + 1, dtype=np.int64)

    def start(self, numbers: Any, labels: Any = None) -> Product:
        """Return a product over the rows: a Gaussian of the numbers, and a Categorical of the labels."""
        columns, parts = {NUMBERS: self.numbers}, {NUMBERS: numbers}
        if self.labels.size:
            columns[LABELS], parts[LABELS] = self.labels, labels
        return Product.over(columns, **parts)

    def about(self, start: Any, best: Array, narrower: float) -> Any:
        """Return a narrow start about a row, which draws other labels as seldom."""
        numbers = numbers_of(start).stretched(best[self.numbers], narrower)
        if not self.labels.size:
            return with_numbers(start, numbers)
        tables = [np.eye(k)[c] for k, c in zip(self.categories, best[self.labels].astype(int), strict=True)]
        labels = Categorical(tables).blend(start[LABELS], narrower)
        return with_numbers(start, numbers).with_parts(labels=labels)


@dataclass(frozen=True, eq=False)
class MixedAdaptation:
    """Path adaptation of the numbers, natural gradient of the labels, both by the ranks of the same rows.

    Entries without a say in their row's score (`MixedSpace.active`) teach nothing: the labels' are left
    out, and the numbers' deviations are shifted until they no longer pull at the mean, which leaves the
    spread as it is.

    Parameters
    ----------
    space : MixedSpace
    update : PathAdaptation

    References
    ----------
    Hamano, Saito, Nomura, Uchida & Shirakawa (2024), "CatCMA: Stochastic Optimization for Mixed-Category
    Problems", GECCO '24.
    """

    space: MixedSpace
    update: PathAdaptation = field(default_factory=PathAdaptation)

    minimum_rows: ClassVar = 4  # two or three lose .1 to .4 of log10(gap) at 5 to 20 evaluations a variable

    def population(self, start: Family, /) -> int:
        """Return the default number of candidates per iteration."""
        return smallest_population(self.space.domain.dimension)

    @cached_property
    def _numbers(self) -> Update:
        j, domain = self.space.numbers, self.space.number_domain
        logarithmic = self.space.logarithmic[j]
        whole = bool(domain.integer.any() or logarithmic.any())
        return IntegerMargin(self.update, domain, logarithmic) if whole else self.update

    def init(self, start: Family, /) -> State:
        """Begin with the start's shape and no history.

        Raises
        ------
        TypeError
            If the start is no product of a Gaussian and labels.
        """
        if not isinstance(start, Product) or NUMBERS not in start.names:
            raise TypeError(f"numbers and labels are adapted from a product of both, not {start!r}.")
        state = self._numbers.init(start[NUMBERS])
        family, memory = start.with_parts(numbers=state.family), dict(state.memory)
        if LABELS in start.names:
            labels, own = label_adaptation.begin(start[LABELS])
            family, memory = family.with_parts(labels=labels), {**memory, **own}
        return replace(state, family=family, memory=memory)

    def step(self, state: State, batch: Batch, /) -> State:
        """Rank, and let either part learn."""
        family: Any = state.family
        j, k = self.space.numbers, self.space.labels
        ranked = Ranked.of(batch, rates(*batch.x.shape))
        if ranked is None:
            return replace(state, elites=0)
        active = None if self.space.active is None else self.space.active(self.space.present(batch.x))
        x = np.array(batch.x[:, j], dtype=np.float64)
        if active is not None:
            x = _without_pull(x, active[:, j], np.asarray(family[NUMBERS].mean), batch.scores)
        inner = replace(state, family=family[NUMBERS])
        after = self._numbers.step(inner, replace(batch, x=x, shown=None))
        moved, memory = family.with_parts(numbers=after.family), dict(after.memory)
        if LABELS in family.names:
            order = (-batch.scores).argsort(kind="stable")
            weights = np.zeros(len(x))
            weights[order] = np.maximum(ranked.weights, 0.0)
            rows = batch.x[:, k].astype(np.int64)
            own = None if active is None else active[:, k]
            labels, learnt = label_adaptation.move(family[LABELS], state.memory, rows, weights, own)
            moved, memory = moved.with_parts(labels=labels), {**memory, **learnt}
        return replace(after, family=moved, memory=memory)


def _without_pull(x: Floats, active: Mask, mean: Floats, scores: Floats) -> Floats:
    """Shift the entries without a say so that they do not move the mean, by the weights of their ranks."""
    order = (-scores).argsort(kind="stable")
    weights = np.maximum(rates(*x.shape).weights, 0.0)
    w = np.zeros(len(x))
    w[order] = weights
    for c in np.flatnonzero(~active.all(axis=0)):
        idle = ~active[:, c]
        total = float(w[idle].sum())
        if total > 0:
            x[idle, c] -= float(w[idle] @ (x[idle, c] - mean[c])) / total
    return x


def labels_of(tables: list[int]) -> Categorical:
    """Return the even distribution over labels, so many a position."""
    return Categorical([np.full(k, 1 / k) for k in tables])


class NumbersExhausted(Exhausted):
    """The criteria of a run with memory, where the distribution's numbers are only a part of it.

    How unequal its axes may become counts from how unequal they were: whole numbers keep their own unit.
    """

    def reason(self, state: State, /) -> str | None:
        """Return why the run should stop, or None."""
        memory = dict(state.memory)
        if (axes := memory.get("axes")) is not None:
            memory["axes"] = np.array([axes[0], axes[-1] * self.start_std.min() / self.start_std.max()])
        return super().reason(replace(state, family=numbers_of(state.family), memory=memory))


def plain(family: Any) -> Any:
    """Return a family without the margin of its numbers."""
    numbers = numbers_of(family)
    return with_numbers(family, getattr(numbers, "plain", numbers))
