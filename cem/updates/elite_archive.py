"""The update for problems with a search of their own: an archive of elites, fitted a few at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cem.core.loop import Batch, State
from cem.families.base import Array, Family, Floats


@dataclass(frozen=True, eq=False)
class EliteArchive:
    """Keep the best distinct candidates of the run; fit to a few of them, drawn anew each time.

    Improved candidates are few and good: what pays is to recombine them, not to average them all. A fit to
    two to four random elites is sure of what they agree on and leaves open what they do not. As long as the
    archive fills, the start is sampled; then one of `kinds` is fitted, chosen by how often its offspring have
    bettered the archive (Thompson sampling).

    Parameters
    ----------
    kinds : tuple of Family
        Families to fit; empty for the start's own.
    capacity : int
        Number of elites.
    fewest, most : int
        Bounds on the number of elites that a fit sees.
    symmetric : bool
        Binary candidates and their complements are the same: they count once, and elites are complemented
        towards each other before a fit.

    Raises
    ------
    ValueError
        If the bounds are not ``2 <= fewest <= most <= capacity``.

    References
    ----------
    Rubinstein & Kroese (2004), "The Cross-Entropy Method", Section 4.4 (the fit); Chapelle & Li (2011), "An
    Empirical Evaluation of Thompson Sampling", NIPS 24 (the choice of the kind).
    """

    kinds: tuple[Family, ...] = ()
    capacity: int = 8
    fewest: int = 2
    most: int = 4
    symmetric: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.fewest <= self.most <= self.capacity:
            raise ValueError(
                "an archive needs 2 <= fewest <= most <= capacity; "
                f"got {self.fewest}, {self.most}, {self.capacity}."
            )

    def init(self, start: Family, /) -> State:
        """Return the state before the first batch: an empty archive."""
        kinds = max(1, len(self.kinds))
        memory = {
            "offered": np.array(0),
            "scored": np.array(0),
            "kind": np.array(-1),
            "wins": np.zeros(kinds),
            "losses": np.zeros(kinds),
        }
        return State(start, memory=memory)

    def step(self, state: State, batch: Batch, /) -> State:
        """Offer the batch to the archive, then fit to a few of its elites."""
        memory = dict(state.memory)
        x, scores = memory.get("x", batch.x[:0]), memory.get("scores", batch.scores[:0])
        before = scores.sum()
        full = bool(memory["offered"] >= self.capacity)
        for row, score in zip(batch.x, batch.scores, strict=True):
            if score > -np.inf:
                x, scores = admit(x, scores, row, float(score), self.capacity, self.symmetric)
        memory |= {"x": x, "scores": scores, "offered": memory["offered"] + len(batch.x)}
        memory["scored"] = memory["scored"] + np.sum(batch.scores > -np.inf)
        rng = batch.stream()
        family = state.family
        if memory["kind"] >= 0:
            outcome = "wins" if scores.sum() > before else "losses"
            memory[outcome] = memory[outcome] + (np.arange(len(memory["wins"])) == memory["kind"])
        if len(scores) >= 2 and (full or memory["offered"] >= self.capacity):
            kind = int(np.argmax(rng.beta(1 + memory["wins"], 1 + memory["losses"])))
            family = (self.kinds[kind] if self.kinds else family).fit(self._parents(x, rng))
            memory["kind"] = np.array(kind)
        if len(scores) == 0:
            return replace(state, elites=0, memory=memory)
        return replace(
            state,
            family=family,
            level=float(scores.min()),
            elite_best=float(scores.max()),
            elites=len(scores),
            memory=memory,
        )

    def _parents(self, x: Array, rng: np.random.Generator) -> Array:
        """Draw the elites of a fit, complemented towards the first where that is the same candidate."""
        count = min(int(rng.integers(self.fewest, self.most + 1)), len(x))
        chosen = x[rng.choice(len(x), count, replace=False)]
        if not self.symmetric:
            return chosen
        return towards_first(chosen)


def towards_first(x: Array) -> Array:
    """Complement binary rows, shape ``(n, d)``, that differ from the first in most places."""
    differing = (x != x[0]).sum(axis=1)
    return np.where((2 * differing > x.shape[1])[:, None], 1 - x, x)


def admit(
    x: Array, scores: Floats, row: Array, score: float, capacity: int, symmetric: bool
) -> tuple[Array, Floats]:
    """Admit a candidate that is new and no worse than some elite, in place of the nearest such one.

    Elites are the rows of `x`, shape ``(n, d)``, with their `scores`, shape ``(n,)``; as long as there are
    fewer than `capacity`, every new candidate is admitted.
    """
    beaten = scores <= score
    if len(x) >= capacity and not beaten.any():
        return x, scores
    distance = (x != row).sum(axis=1)
    if symmetric:
        distance = np.minimum(distance, row.size - distance)
    if np.any(distance == 0):
        return x, scores
    if len(x) < capacity:
        return np.concatenate([x, row[None]]), np.append(scores, score)
    place = int(np.argmin(np.where(beaten, distance, row.size + 1)))
    x, scores = x.copy(), scores.copy()
    x[place], scores[place] = row, score
    return x, scores
