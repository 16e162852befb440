"""Runs with integer variables by an update that was asked for: none ends before the neighbours are seen."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.special import ndtr, ndtri

from cem.core.domain import Domain
from cem.core.ending import Ending, Status
from cem.core.loop import Batch, Request, Rows, State, Update
from cem.core.stopping import Stopping
from cem.families.base import Family, Floats, Index, Mask
from cem.local_search.integer_steps import HeldSteps, Point
from cem.local_search.requests import as_values, values_at
from cem.plans.guard import NoisyPlan, said_noisy
from cem.plans.ledger import Ledger

NARROWER = 0.1  # spread of a further run, of the first one's
JITTER = 0.1  # of the first spread: how far from its middle local methods begin
FIRST_PER_VARIABLE = 60  # evaluations of the local search at the beginning
MOST_RUNS = 10  # each has moved to a better integer: what needs more is stuck on a ridge


def integer_runs(
    plan: Callable[[Any], Generator[Request, Batch, Ending]],
    start: Any,
    stopping: Stopping,
    domain: Domain,
    polish: bool,
    rng: np.random.Generator,
    noisy: NoisyPlan,
) -> Generator[Request, Batch, Ending]:
    """Follow ``plan(start)``, then step from integer to integer; where that helps, run again about the best.

    Parameters
    ----------
    plan : callable
        From a first distribution to a stage. An ending is returned once its run has converged at the best
        candidate that was seen, and no neighbouring integer is better.
    start : Family
        With ``stretched(mean, factor)``, like `cem.Gaussian`.
    stopping : Stopping
    domain : Domain
    polish : bool
        Whether local methods come first, and look further than one step (`cem.local_search.integer_steps`).
    rng : numpy.random.Generator
        Of the point where local methods begin.
    noisy : callable
        The plan to follow where local methods see noise, from the evaluations that were spent.
    """
    ledger, first = Ledger(), start
    if polish and (yield from ledger.counted(_descend(start, stopping, domain, rng))):
        return (yield from said_noisy(noisy(ledger.spent)))
    for _ in range(MOST_RUNS):
        own = Ledger()
        ending = yield from ledger.counted(own.counted(plan(start)))
        if ledger.best_x is None:
            return ending
        agrees = own.best >= ledger.best - stopping.margin(ledger.best, ledger.climb)
        moved = yield from _stepped(ledger, stopping, domain)
        if not moved and polish:
            moved = yield from ledger.counted(_held_steps(ledger, first, stopping, domain))
        if agrees and not moved and (ending.status is Status.CONVERGED or not ledger.varied):
            return ending
        start = first.stretched(ledger.best_x, np.full(ledger.best_x.size, NARROWER))
    return Ending(Status.COLLAPSED, f"each of {MOST_RUNS} runs collapsed, or ended beside a better candidate")


def _descend(
    start: Any, stopping: Stopping, domain: Domain, rng: np.random.Generator
) -> Generator[Request, Batch, bool]:
    """Search locally from near the start's mean, which also is what small budgets are best spent on.

    Returns whether the first two evaluations, of one candidate, show noise; nothing is searched then.
    """
    near = domain.relaxed.project(start.mean + JITTER * start.std * rng.uniform(-1, 1, start.mean.size))
    here = domain.present(near[None])[0]
    first, again = (yield from values_at(np.stack([here, here]))).tolist()
    if first == again and np.isfinite(first):
        steps = HeldSteps(domain, _span(start, domain), stopping.margin(first), FIRST_PER_VARIABLE)
        yield from steps.descended(Point(here, first))
    return bool(first != again and np.isfinite(first) and np.isfinite(again))


def _span(start: Any, domain: Domain) -> Floats:
    """Return the size of the region, shape ``(d,)``: that of the box, five spreads where a side is open."""
    closed = np.isfinite(domain.low) & np.isfinite(domain.high)
    span = np.where(closed, domain.high, 0.0) - np.where(closed, domain.low, 0.0)
    return np.where(closed, span, 5 * start.std)


def _held_steps(
    ledger: Ledger, start: Any, stopping: Stopping, domain: Domain
) -> Generator[Request, Batch, bool]:
    """Look for better numbers: continuous ones, or integers several steps away; tell whether any is."""
    here = domain.present(np.asarray(ledger.best_x)[None])[0]
    steps = HeldSteps(domain, _span(start, domain), stopping.margin(ledger.best, ledger.climb))
    best = Point(here, as_values(ledger.best))
    found = yield from steps.searched(best)
    if found.value < best.value - steps.margin:
        return True
    return (yield from steps.run(best)) is not None


def _stepped(ledger: Ledger, stopping: Stopping, domain: Domain) -> Generator[Request, Batch, bool]:
    """Go to the best neighbour until there is no better one; return whether there was any."""
    moved = False
    columns = np.flatnonzero(domain.integer & ~domain.fixed)
    while ledger.best_x is not None:
        here = domain.present(ledger.best_x[None])[0]
        steps = np.zeros((2 * columns.size, here.size))
        steps[np.arange(2 * columns.size), np.tile(columns, 2)] = np.repeat([1.0, -1.0], columns.size)
        rows = here + steps
        rows = rows[~domain.outside(rows)]
        if len(rows) == 0:
            return moved
        before = ledger.best
        ledger.add((yield Rows(rows)))
        if ledger.best <= before + stopping.margin(before, ledger.climb):
            return moved
        moved = True
    return moved


_MEAN, _FACTOR = "margin_mean", "margin_factor"


@runtime_checkable
class Stretchable(Protocol):
    """A family with normal marginals whose centre and marginal spreads can be set."""

    @property
    def mean(self) -> Any:
        """Centre, shape ``(d,)``."""

    @property
    def std(self) -> Any:
        """Marginal standard deviations, shape ``(d,)``."""

    def stretched(self, mean: Any, factor: Any, /) -> Any:
        """Move the centre to `mean` and multiply each coordinate's spread by its `factor`."""


@dataclass(frozen=True, eq=False)
class IntegerMargin:
    """Let `update` learn, then keep every integer variable's next values within reach.

    A coordinate that is rounded freezes once its spread is small beside 1: every candidate has the same
    value, and none can show that another is better. So after each step the marginal is corrected until
    each neighbouring value of an integer variable has a probability of ``α/2`` at least (``α`` for the
    single neighbour of a value at an end), with ``α = 1 / (n d)``.

    The wrapped update never sees the correction: its batches are mapped back into its own coordinates, so
    that its paths and step sizes learn as if nothing had been corrected.

    Parameters
    ----------
    update : Update
        Works on a family with `mean`, `std` and ``stretched(mean, factor)``, like `cem.Gaussian`.
    domain : Domain
    logarithmic : ndarray of bool, shape (d,), optional
        Which continuous variables are logarithms of whole numbers, from half of one below the least to half
        of one above the greatest.

    References
    ----------
    Hamano, Saito, Nomura & Shirakawa (2022), "CMA-ES with Margin: Lower-Bounding Marginal Probability for
    Mixed-Integer Black-Box Optimization", GECCO '22, Sections 4.2 and 4.3.
    """

    update: Update
    domain: Domain = field(repr=False)
    logarithmic: Any = field(default=None, repr=False)

    @property
    def elite_fraction(self) -> float:
        """The wrapped update's."""
        return float(getattr(self.update, "elite_fraction", 1.0))

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch.

        Raises
        ------
        TypeError
            If the family has no normal marginals.
        """
        if not isinstance(start, Stretchable):
            raise TypeError(f"integrality takes a Gaussian start, not a {type(start).__name__}.")
        state = self.update.init(start)
        d = start.mean.size
        return replace(state, memory={**state.memory, _MEAN: start.mean, _FACTOR: np.ones(d)})

    def step(self, state: State, batch: Batch, /) -> State:
        """Map the batch back, let the update learn, and correct what it has learnt."""
        outer: Any = state.family
        centre, factor = state.memory[_MEAN], state.memory[_FACTOR]
        x = np.array(batch.x)
        moved = (factor != 1) | (centre != outer.mean)
        x[:, moved] = centre[moved] + (x[:, moved] - outer.mean[moved]) / factor[moved]
        inner = outer.stretched(centre, 1 / factor) if moved.any() else outer
        after = self.update.step(replace(state, family=inner), replace(batch, x=x))
        learnt: Any = after.family
        mean, std = outer.mean + factor * (learnt.mean - centre), learnt.std
        mean, wanted = self.with_margin(mean, std, 1 / batch.x.size)
        factor = wanted / std
        if np.any(factor != 1) or np.any(mean != learnt.mean):
            learnt = learnt.stretched(mean, factor)
        memory = {**after.memory, _MEAN: after.family.mean, _FACTOR: factor}  # type: ignore[attr-defined]
        return replace(after, family=learnt, memory=memory)

    def with_margin(self, mean: Floats, std: Floats, alpha: float) -> tuple[Floats, Floats]:
        """Correct the means and spreads of integer variables."""
        whole = self.domain.integer if self.logarithmic is None else self.domain.integer | self.logarithmic
        j = np.flatnonzero(whole & ~self.domain.fixed)
        first, last, below, above = self._edges(mean[j], j)
        room = np.where(self.domain.integer[j], 0.5, 0.0)
        m, s = np.clip(mean[j], self.domain.low[j] - room, self.domain.high[j] + room), std[j]

        # at an end: one neighbour, and the mean moves towards it
        reach = s * ndtri(1 - alpha)
        at_first = np.maximum(m, above - reach)
        at_last = np.minimum(m, below + reach)

        # in between: two neighbours, and the mean and the spread are solved for (their equations 15-20)
        half = alpha / 2
        down, up = ndtr((below - m) / s), ndtr((m - above) / s)
        raised = np.maximum([down, up, 1 - down - up], half)
        surplus = (1 - raised.sum(axis=0)) / (raised.sum(axis=0) - 3 * half)
        down_, up_, _ = raised + surplus * (raised - half)
        z_down, z_up = -ndtri(down_), -ndtri(up_)
        lacking = ~first & ~last & ((down < half) | (up < half))
        spread = np.where(lacking, (above - below) / np.where(lacking, z_down + z_up, 1.0), s)
        middle = below + z_down * spread

        mean, std = mean.copy(), std.copy()
        mean[j] = np.where(first, at_first, np.where(last, at_last, np.where(lacking, middle, m)))
        std[j] = np.where(lacking, spread, s)
        return mean, std

    def _edges(self, mean: Floats, j: Index) -> tuple[Mask, Mask, Floats, Floats]:
        """Return where the values at the means of the variables `j` begin and end.

        Returns
        -------
        first, last : ndarray of bool
            Whether they are the first and the last ones of their variables.
        below, above : ndarray
        """
        low, high = self.domain.low[j], self.domain.high[j]
        if self.logarithmic is None or not self.logarithmic[j].any():
            value = np.clip(np.rint(np.clip(mean, low - 0.5, high + 0.5)), low, high)
            return value == low, value == high, value - 0.5, value + 0.5
        log = self.logarithmic[j]
        low = np.where(log, np.rint(np.exp(np.where(log, low, 0.0)) + 0.5), low)
        high = np.where(log, np.rint(np.exp(np.where(log, high, 0.0)) - 0.5), high)
        number = np.where(log, np.exp(np.where(log, mean, 0.0)), mean)
        value = np.clip(np.rint(number), low, high)
        below, above = value - 0.5, value + 0.5
        edges = (np.where(log, np.log(np.where(log, side, 1.0)), side) for side in (below, above))
        return value == low, value == high, *edges
