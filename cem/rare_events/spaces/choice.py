"""Which structure and how many components: by held-out cross-entropy.

Rows are split in halves before anything is resampled, so that no row is judged by a model that has seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from cem.clock import look_at_clock
from cem.families.base import Array, Family, Floats
from cem.rare_events.settings import Settings

Model = TypeVar("Model", bound=Family)
Fitter = Callable[[Array, Floats, int, np.random.Generator], Model]

_LEAST_LOG = -1e4  # for a row that the other half's fit rules out: worse than any other, and finite


class Candidate(NamedTuple):
    """A way to fit, ``fit(x, weights, components, rng)``, and the numbers of components to try in order."""

    name: str
    fit: Fitter[Family]
    counts: Sequence[int]


def choose(
    candidates: Sequence[Candidate], settings: Settings, x: Array, w: Floats, rng: np.random.Generator
) -> Family:
    """Fit to all rows the candidate with the least held-out cross-entropy."""
    x, w = _heaviest(x, w, settings.most_rows)
    rows = rng.permutation(len(x))
    halves = [(x[part], w[part] / 2) for part in (rows[::2], rows[1::2])]
    best, winner = np.inf, (candidates[0], candidates[0].counts[0])
    if len(x) >= 4 and min(h[1].sum() for h in halves) > 0:
        for candidate in candidates:
            before = np.inf
            for k in candidate.counts:
                entropy = _held_out(candidate.fit, k, halves, rng)
                if entropy < best:
                    best, winner = entropy, (candidate, k)
                if entropy > before + settings.worse:
                    break
                before = min(before, entropy)
    candidate, k = winner
    return candidate.fit(x, w, k, rng)


def _held_out(
    fit: Fitter[Family], k: int, halves: list[tuple[Array, Floats]], rng: np.random.Generator
) -> float:
    """Return the cross-entropy of each half under the other's fit, weighted mean."""
    total = mass = 0.0
    for here, there in (halves, halves[::-1]):
        look_at_clock()
        log = np.maximum(fit(*here, k, rng).log_prob(there[0]), _LEAST_LOG)
        total -= float(there[1] @ log)
        mass += float(there[1].sum())
    return total / mass


def _heaviest(x: Array, w: Floats, most: int) -> tuple[Array, Floats]:
    """Return the rows that carry all but a thousandth of the weight, at most `most`."""
    order = np.argsort(w, kind="stable")[::-1]
    mass = np.cumsum(w[order])
    n = min(most, int(np.searchsorted(mass, 0.999 * mass[-1])) + 1)
    return x[order[:n]], w[order[:n]]
