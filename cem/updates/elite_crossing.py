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
    """Keep the best distinct candidates of the run, and draw parents of the next children among them.

    A child has 2, 3, 4, 6, 8 or all of the twelve elites as parents. As long as the archive fills, there are
    none. What became of a child begins with what recombination made of its parents by itself: it gained where
    that is better than each of them. The family is the start, fitted to the elites.

    Parameters
    ----------
    symmetric : bool
        Binary candidates and their complements are the same: they count once.
    children : int
        How many are made at a time, of parents drawn independently.
    """

    symmetric: bool = False
    children: int = 1

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch: an empty archive."""
        zero = np.array(0)
        return State(start, memory={"offered": zero, "scored": zero, "children": zero, "gains": zero})

    def step(self, state: State, batch: Batch, /) -> State:
        """Offer the batch to the archive, then draw parents."""
        memory = dict(state.memory)
        x, scores = memory.get("x", batch.x[:0]), memory.get("scores", batch.scores[:0])
        if self.parents(state) and len(batch.scores):
            firsts = batch.scores[:: max(1, len(batch.scores) // self.children)][: self.children]
            memory["children"] = memory["children"] + len(firsts)
            memory["gains"] = memory["gains"] + np.sum(firsts > memory["bars"][: len(firsts)])
        for row, score in zip(batch.x, batch.scores, strict=True):
            if score > -np.inf:
                x, scores = admit(x, scores, row, float(score), CAPACITY, self.symmetric)
        memory |= {"x": x, "scores": scores, "offered": memory["offered"] + len(batch.x)}
        memory["scored"] = memory["scored"] + np.sum(batch.scores > -np.inf)
        if len(scores) == 0:
            return replace(state, elites=0, memory=memory)
        if len(scores) >= 2 and memory["offered"] >= CAPACITY:
            rng = batch.stream()
            counts = [min(int(rng.choice(PARENTS)), len(x)) for _ in range(self.children)]
            chosen = [rng.choice(len(x), count, replace=False) for count in counts]
            memory["parents"], memory["counts"] = np.concatenate(chosen), np.array(counts)
            memory["bars"] = np.array([scores[each].max() for each in chosen])
        return replace(
            state,
            family=state.family.fit(towards_first(x) if self.symmetric else x),
            level=float(scores.min()),
            elite_best=float(scores.max()),
            elites=len(scores),
            memory=memory,
        )

    def parents(self, state: State) -> list[Array]:
        """Return the parents, shape ``(k, d)``, of each of the next children, once the archive is full."""
        if "parents" not in state.memory:
            return []
        ends = np.cumsum(state.memory["counts"])[:-1]
        return [state.memory["x"][each] for each in np.split(state.memory["parents"], ends)]

    def hopeless(self, state: State) -> bool:
        """Whether enough children were made and none of them gained."""
        return bool(state.memory["children"] >= np.array(ENOUGH) and state.memory["gains"] == 0)

    def paid(self, state: State) -> bool:
        """Whether enough of the children gained, if there were any, to recombine in the next run too."""
        children, gains = (float(state.memory.get(name, 0)) for name in ("children", "gains"))
        return gains >= max(1.0, LEAST * children)
