"""The update for problems that can recombine elites: an archive, whose elites are parents."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cem.core.loop import Batch, State
from cem.families.base import Array, Family
from cem.updates.elite_archive import admit, towards_first

CAPACITY = 12
PARENTS = (2, 3, 4, 6, 8, 12)
ENOUGH = 16  # children without a gain that tell that recombination gains nothing
LEAST = 0.05  # share of children with a gain, from which on it pays


@dataclass(frozen=True, eq=False)
class EliteCrossing:
    """Keep the best distinct candidates of the run, and draw parents of the next child among them.

    Parents are 2, 3, 4, 6, 8 or all of the twelve elites. As long as the archive fills, there are none. A
    batch of children begins with what recombination made of the parents by itself: it gained where that is
    better than each of them. The family is the start, fitted to the elites.

    Parameters
    ----------
    symmetric : bool
        Binary candidates and their complements are the same: they count once.
    """

    symmetric: bool = False

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch: an empty archive."""
        zero = np.array(0)
        return State(start, memory={"offered": zero, "scored": zero, "children": zero, "gains": zero})

    def step(self, state: State, batch: Batch, /) -> State:
        """Offer the batch to the archive, then draw parents."""
        memory = dict(state.memory)
        x, scores = memory.get("x", batch.x[:0]), memory.get("scores", batch.scores[:0])
        if len(self.parents(state)):
            memory["children"] = memory["children"] + 1
            memory["gains"] = memory["gains"] + bool(np.any(batch.scores[:1] > memory["bar"]))
        for row, score in zip(batch.x, batch.scores, strict=True):
            if score > -np.inf:
                x, scores = admit(x, scores, row, float(score), CAPACITY, self.symmetric)
        memory |= {"x": x, "scores": scores, "offered": memory["offered"] + len(batch.x)}
        memory["scored"] = memory["scored"] + np.sum(batch.scores > -np.inf)
        if len(scores) == 0:
            return replace(state, elites=0, memory=memory)
        if len(scores) >= 2 and memory["offered"] >= CAPACITY:
            rng = batch.stream()
            chosen = rng.choice(len(x), min(int(rng.choice(PARENTS)), len(x)), replace=False)
            memory["parents"], memory["bar"] = x[chosen], scores[chosen].max()
        return replace(
            state,
            family=state.family.fit(towards_first(x) if self.symmetric else x),
            level=float(scores.min()),
            elite_best=float(scores.max()),
            elites=len(scores),
            memory=memory,
        )

    def parents(self, state: State) -> Array:
        """Return the parents of the next child, shape ``(k, d)``; none while the archive fills."""
        return state.memory.get("parents", np.empty((0, 0)))

    def hopeless(self, state: State) -> bool:
        """Whether enough children were made and none of them gained."""
        return bool(state.memory["children"] >= np.array(ENOUGH) and state.memory["gains"] == 0)

    def paid(self, state: State) -> bool:
        """Whether enough of the children gained, if there were any, to recombine in the next run too."""
        children, gains = (float(state.memory.get(name, 0)) for name in ("children", "gains"))
        return gains >= max(1.0, LEAST * children)
