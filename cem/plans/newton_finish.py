"""Finishing a sampling run by a Newton method, once its covariance has become a model of the Hessian."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cem.core.domain import Domain
from cem.core.loop import Batch, Request, Rule, State, Update, run
from cem.families.base import Floats
from cem.local_search.curvature import DenseCurvature
from cem.local_search.noise_level import NoiseLevel
from cem.local_search.quasi_newton import BoxQuasiNewton, LocalResult
from cem.local_search.requests import as_values
from cem.plans.ledger import Ledger

_EVALUATIONS_PER_VARIABLE = (
    15  # five gradients of central and one of one-sided differences, and their line searches
)
_FIRST_TRY = 10.0  # the spread has fallen by this factor
_NEXT_TRY = 3.0  # and by this one since
_ONE_BASIN = 0.9  # rank correlation above which one quadratic explains the batch


def finished_run(
    update: Update,
    state: State,
    n: int,
    rule: Rule,
    domain: Domain,
    span: Floats,
    noise: NoiseLevel,
    stage: str,
    at_once: int = 1,
) -> Generator[Request, Batch, tuple[str, State]]:
    """Run as `cem.core.loop.run` does, trying a Newton method whenever the spread has fallen further.

    It ends the run where it converges and its quadratic explains the whole last batch, not only the nearest
    part: where it ranks the batch as the objective does. A run that ends otherwise is followed by a descent
    from its best candidate: where several bounds hold an optimum, a distribution hardly ever gets there.

    Returns
    -------
    tuple of str and State
        Why the run ended, and its last state.
    """
    ledger = Ledger()
    method = BoxQuasiNewton(domain, span, _EVALUATIONS_PER_VARIABLE * span.size, noise, at_once)
    least = float(state.memory["sigma"]) / _FIRST_TRY
    while True:
        outcome = yield from ledger.counted(run(update, state, n, Narrowed(rule, least), domain, stage))
        state, batch = outcome.state, ledger.last
        if batch is None or ledger.best_x is None:
            return outcome.why, state
        if not _spread(state) < least or rule.reason(state):
            yield from ledger.counted(method.run(ledger.best_x, as_values(ledger.best)))
            return outcome.why, state
        least = _spread(state) / _NEXT_TRY
        model = _model_of(state, batch)
        local = yield from ledger.counted(method.run(ledger.best_x, as_values(ledger.best), model))
        if local.converged and explains(local, batch):
            return "a Newton method finished it", state


@dataclass(frozen=True)
class Narrowed:
    """Another rule's reasons, and a spread that has fallen below `least`."""

    rule: Rule
    least: float

    def note(self, before: State, after: State, /) -> State:
        """Note what the rule notes."""
        return self.rule.note(before, after)

    def reason(self, state: State, /) -> str | None:
        """Return why the run should stop or pause, or None."""
        return self.rule.reason(state) or ("the spread has fallen" if _spread(state) < self.least else None)


def _spread(state: State) -> float:
    return float(state.memory["sigma"])


def explains(local: LocalResult, batch: Batch) -> bool:
    """Whether the quadratic about a local minimum ranks a batch as the objective does (Spearman's ρ)."""
    if not isinstance(local.model, DenseCurvature):
        return False
    away = batch.x - local.x
    expected = np.einsum("ij,ij->i", away @ local.model.matrix, away)
    first, second = (np.argsort(np.argsort(values)) for values in (expected, as_values(batch.scores)))
    return float(np.corrcoef(first, second)[0, 1]) >= _ONE_BASIN


def _model_of(state: State, batch: Batch) -> DenseCurvature:
    """Read the inverse covariance as the shape of the Hessian: d / 2 above the least is half of a sample."""
    basis: Any = state.memory["basis"]
    scores = batch.scores[np.isfinite(batch.scores)]
    spread = float(np.median(scores.max() - scores)) if scores.size else 1.0
    scale = max(2 * spread / len(basis), 1e-300) / _spread(state) ** 2
    return DenseCurvature((basis * (scale / state.memory["axes"] ** 2)) @ basis.T)
