"""One run's knowledge: evaluations, the surrogate, the pool that it is seen through, and the budget."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from cem.core.loop import Batch, Ended, Request, Rows, State, Step
from cem.families.base import Floats, Index
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.surrogate.correction import (
    FINAL_POOL,
    Correction,
    Inclusion,
    Round,
    plan_inclusion,
)
from cem.rare_events.surrogate.design import starting_weights
from cem.rare_events.surrogate.mode_corrections import ModeCorrections
from cem.rare_events.surrogate.model import Surrogate
from cem.rare_events.surrogate.proposal import (
    ENOUGH,
    LEAST_TAIL,
    FreePool,
    View,
    learn_proposal,
    refit_proposal,
    systematic,
)
from cem.rare_events.surrogate.several import SystemSurrogate
from cem.rare_events.systems import System

POOL = 5000  # rows through which the surrogate is seen while it is learned
WORN = 600.0  # effective rows below which a pool is drawn anew; and from a proposal learned anew,
POOR = 400.0  # if the new one has no more than these
MOVED = 0.7  # nats by which the augmented probability may move before a pool is drawn anew
POOL_SHARE = 0.35  # of the target, that the final pool's own coefficient of variation may take
WIDE_POOL = 0.1  # share of the final pool that comes from the wide normal
FEWEST = 8  # rows of a sample that is cut short, from which a variance can be told

Evaluating = Generator[Request, Batch, Batch]


@dataclass(eq=False)
class Study:
    """What is known so far.

    Attributes
    ----------
    space : NormalSpace
    level, target_cv : float
    limit : int or None
        Most evaluations.
    system : System or None
        Where the scores are those of a system.
    calls : int
        Evaluations so far.
    surrogate : Surrogate
        After `begin`.
    correction : Correction
    view : View or None
        The newest pool, as the surrogate saw it last.
    nowhere : int
        Pools in a row in which the surrogate expected no event to speak of.
    """

    space: NormalSpace
    level: float
    target_cv: float
    limit: int | None
    system: System | None = None
    calls: int = 0
    rng: np.random.Generator = field(init=False)
    surrogate: Surrogate | SystemSurrogate = field(init=False)
    correction: Correction = field(default_factory=Correction)
    by_mode: ModeCorrections = field(default_factory=ModeCorrections)
    view: View | None = None
    nowhere: int = 0
    _drawn_at: float = 0.0
    _truth: dict[int, float] = field(default_factory=dict)
    _margins: dict[int, Floats] = field(default_factory=dict)

    @property
    def single(self) -> Surrogate:
        """The surrogate of one score.

        Raises
        ------
        TypeError
            If it is of a system.
        """
        if not isinstance(self.surrogate, Surrogate):
            raise TypeError("a system has one surrogate for each mode.")
        return self.surrogate

    @property
    def left(self) -> float:
        """Evaluations that the budget leaves."""
        return np.inf if self.limit is None else self.limit - self.calls

    def evaluate(self, u: Floats, stage: str, note: str = "") -> Evaluating:
        """Ask for the scores of rows ``(n, d)``, and end an iteration."""
        batch = yield from self._ask(u)
        yield Step(self._state(batch), stage, note)
        return batch

    def _ask(self, u: Floats) -> Evaluating:
        batch = yield Rows(np.ascontiguousarray(u))
        if self.calls == 0:
            self.rng = batch.stream()
        self.calls += len(u)
        return batch

    def _state(self, batch: Batch) -> State:
        proposal = self.space.nominal if self.view is None else self.view.pool.proposal
        return State(proposal, level=self.level, elites=int((batch.scores >= self.level).sum()))

    def begin(self, x: Floats, scores: Floats, told: Floats, design: Floats) -> None:
        """Make the surrogate of the first rows, and learn from those of the design how likely NaN is.

        `told` is what the surrogate is of (`told`).
        """
        lost = np.isnan(scores[-len(design) :])
        if lost.any():
            w = starting_weights(design) * lost
            error = float(w.std()) / np.sqrt(len(w))
            self.correction = Correction((), float(w.mean()), error)
        if self.system is None:
            self.surrogate = Surrogate(self.level, x, told)
        else:
            self.surrogate = SystemSurrogate(self.system, x, told)

    def look(self) -> View:
        """See the pool through the surrogate, a new one where the old is worn."""
        old = None if self.view is None else View.of(self.view.pool, self.surrogate)
        if old is not None and old.effective >= WORN and self._still(old):
            self.view = old
            return old
        self.view = new = self._drawn(old, POOL)
        if old is not None and old.effective >= ENOUGH and new.effective < POOR:
            self.view = new = self._drawn(None, POOL)
        self._drawn_at = _least(new.augmented)
        self.nowhere = 0 if new.augmented > LEAST_TAIL else self.nowhere + 1
        return new

    def _still(self, view: View) -> bool:
        """Whether the augmented event is about as likely as when the pool was drawn."""
        return bool(abs(np.log(_least(view.augmented) / self._drawn_at)) <= MOVED)

    def look_again(self) -> View:
        """See the same pool through a surrogate that has learned."""
        if self.view is None:
            return self.look()
        self.view = View.of(self.view.pool, self.surrogate)
        return self.view

    def settle(self) -> View:
        """Draw the pool that is corrected."""
        old = self.look_again()
        self._truth, self._margins = {}, {}
        self.view = new = self._drawn(old, FINAL_POOL, WIDE_POOL)
        if new.coefficient_of_variation > POOL_SHARE * self.target_cv:
            self.view = new = self._drawn(None, FINAL_POOL, WIDE_POOL, old.scale)
        return new

    def _drawn(self, old: View | None, n: int, wide: float = 0.0, scale: float | None = None) -> View:
        if old is not None and old.effective >= ENOUGH:
            proposal = refit_proposal(old, self.space, self.rng)
        else:
            proposal = learn_proposal(self.surrogate, self.space, self.rng)
        if scale is None:
            scale = 1e-4 if old is None else old.scale
        return View.of(FreePool.draw(self.space, proposal, n, self.rng, scale, wide), self.surrogate)

    def plan(self) -> Inclusion:
        """Plan the correction through the pool as it is seen now."""
        return plan_inclusion(self.look_again() if self.view is None else self.view, self.target_cv)

    def correct(self, inclusion: Inclusion, n: int) -> Generator[Request, Batch, Round]:
        """Draw `n` rows of the pool, and ask the truth of those that are not known.

        Their order is random, so that what is known of them when a run is cut short is a sample as well.
        """
        view = self.look_again() if self.view is None else self.view
        order = np.argsort(view.mean, kind="stable")
        at = self.rng.permutation(systematic(inclusion.chances, n, order, self.rng))
        fresh = [int(i) for i in dict.fromkeys(at.tolist()) if i not in self._truth]
        if fresh:
            rows = view.pool.u[fresh]
            try:
                batch = yield from self._ask(rows)
            except Ended as ended:
                if ended.batch is not None:
                    self._note(fresh, ended.batch)
                    known = next((k for k, i in enumerate(at) if int(i) not in self._truth), len(at))
                    if known >= FEWEST:
                        self._count(view, inclusion, at[:known])
                raise
            self._note(fresh, batch)
            mean, deviation = view.predicted
            self.surrogate.remember(mean[fresh], deviation[fresh], told(batch))
            self.surrogate.add(rows, told(batch))
        found = self._count(view, inclusion, at)
        if fresh:
            interim = self.correction.tally().interim()
            awaiting = partial(interim.towards, self.target_cv)
            yield Step(self._state(batch), "correct", awaiting=awaiting, interim=interim)
        return found

    def _note(self, rows: list[int], batch: Batch) -> None:
        """Remember the truth of rows of the pool, of the first of them if a batch was cut short."""
        self._truth.update(zip(rows, batch.scores.tolist(), strict=False))
        if batch.margins is not None:
            self._margins.update(zip(rows, batch.margins, strict=False))

    def _count(self, view: View, inclusion: Inclusion, at: Index) -> Round:
        scores = np.array([self._truth[int(i)] for i in at])
        pool = view.pool
        found = Round(
            probability=view.probability,
            pool_error=view.coefficient_of_variation * view.probability if view.probability else 0.0,
            unseen=inclusion.unseen,
            u=pool.u[at],
            weights=pool.weights[at] / (len(pool.weights) * inclusion.chances[at]),
            hit=scores >= self.level,
            lost=np.isnan(scores),
            expected=view.inside[at],
            miss=view.miss[at],
            scores=scores,
            predicted=view.mean[at],
        )
        before = self.correction
        self.correction = Correction((*before.rounds, found), before.lost_at_start, before.lost_error)
        if self.system is not None:
            margins = np.array([self._margins[int(i)] for i in at])
            self.by_mode = self.by_mode.with_round(found, view, at, margins)
        return found

    def forget_corrections(self) -> None:
        """Begin the correction anew; what it evaluated the surrogate knows."""
        before = self.correction
        self.correction = Correction((), before.lost_at_start, before.lost_error)
        self.by_mode = ModeCorrections()


def told(batch: Batch) -> Floats:
    """Return what a surrogate learns from: the scores, or of a system the margins, ``(n, k)``."""
    return batch.scores if batch.margins is None else batch.margins


def _least(value: float) -> float:
    return max(value, 1e-300)
