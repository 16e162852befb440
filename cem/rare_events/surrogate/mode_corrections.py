"""What the correction of a system says of each of its modes, by the same estimator."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cem.families.base import Floats, Index, Mask
from cem.rare_events.surrogate.correction import Correction, Round
from cem.rare_events.surrogate.proposal import View


@dataclass(frozen=True, eq=False)
class ModeCorrections:
    """Of each mode, the correction of its own event, and of that where the system fails as well."""

    alone: tuple[Correction, ...] = ()
    together: tuple[Correction, ...] = ()

    def with_round(self, found: Round, view: View, at: Index, margins: Floats) -> ModeCorrections:
        """Add a round of the system's, of rows ``(m,)`` of a pool whose margins ``(m, k)`` are now known."""
        expected = view.predicted[0] >= 0
        failed, lost = margins >= 0, np.isnan(margins)
        k = margins.shape[1]
        alone, together = self.alone or (Correction(),) * k, self.together or (Correction(),) * k
        rounds = [
            [
                _of_event(found, view, at, expected[:, j] & where, failed[:, j] & down, lost[:, j])
                for j in range(k)
            ]
            for where, down in ((True, True), (view.inside, found.hit))
        ]
        return ModeCorrections(
            tuple(Correction((*c.rounds, r)) for c, r in zip(alone, rounds[0], strict=True)),
            tuple(Correction((*c.rounds, r)) for c, r in zip(together, rounds[1], strict=True)),
        )

    def found(self, probability: float) -> Floats | None:
        """Return probability, standard error and share of each mode, ``(k, 3)``; None before any round.

        `probability` is the system's.
        """
        if not self.alone:
            return None
        own = np.array([each.estimate() for each in self.alone])
        both = np.array([each.estimate()[0] for each in self.together])
        shares = np.clip(both / probability, 0.0, 1.0) if probability > 0 else np.full(len(both), np.nan)
        return np.column_stack([np.maximum(own[:, 0], 0.0), own[:, 1], shares])


def _of_event(found: Round, view: View, at: Index, inside: Mask, hit: Mask, lost: Mask) -> Round:
    """Return a round of another event, which the surrogate expects where ``inside``, ``(N,)``."""
    v = view.pool.weights * inside
    error = float(v.std()) / np.sqrt(len(v))
    return replace(
        found, probability=float(v.mean()), pool_error=error, hit=hit, lost=lost, expected=inside[at]
    )
