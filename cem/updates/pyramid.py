"""The pyramid: levels of ever better strings, and at each of them a linkage tree fitted to its members."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from cem.families.base import Array, Index
from cem.families.linkage_tree import LinkageTree
from cem.local_search.side_by_side import Merit

ALWAYS_REFITTED = 32  # members up to which each new one refits the tree
GROWTH = 1.05  # by which a larger level must have grown
TRIES = 4  # random members before all are looked through for one that differs


@dataclass
class Level:
    """Members of one level and the tree last fitted to them."""

    members: list[Array] = field(default_factory=list)
    tree: LinkageTree | None = None
    rows: Index = field(default_factory=lambda: np.empty((0, 0), np.int64))
    clusters: list[Index] = field(default_factory=list)
    sizes: Index = field(default_factory=lambda: np.empty(0, np.int64))

    def refit(self, categories: Index, rng: np.random.Generator) -> None:
        """Fit the tree of the members, and its clusters, where they have grown enough."""
        n, fitted = len(self.members), len(self.rows)
        if self.tree is None or (n > fitted and (n <= ALWAYS_REFITTED or n >= GROWTH * fitted)):
            self.rows = np.array(self.members)
            weights = np.full(n, 1 / n)
            self.tree = LinkageTree.fitted(self.rows.astype(np.int64), weights, categories, rng)
            self.clusters = self.tree.clusters
            self.sizes = np.array([len(cluster) for cluster in self.clusters], dtype=np.int64)


@dataclass
class Pyramid:
    """Levels of elites; who was bettered by the clusters of one level joins the next.

    A level's distribution is the maximum-likelihood fit to its members, and sampling from it is conditional:
    one cluster at a time inside a good candidate, kept unless it is worse.

    References
    ----------
    Goldman & Punch (2014), "Parameter-less population pyramid", GECCO '14.
    """

    categories: Index
    rng: np.random.Generator
    levels: list[Level] = field(default_factory=list)
    _members: set[bytes] = field(default_factory=set)

    @property
    def base(self) -> int:
        """Number of members of the lowest level."""
        return len(self.levels[0].members) if self.levels else 0

    def admit(self, level: int, x: Array) -> bool:
        """Add a candidate to a level; return whether it is new to all levels."""
        key = x.tobytes()
        if key in self._members:
            return False
        self._members.add(key)
        if level == len(self.levels):
            self.levels.append(Level())
        self.levels[level].members.append(x.copy())
        return True

    def enter(self, x: Array, merit: Merit) -> Generator[Array, Merit, Merit]:
        """Let `x` join the lowest level and ascend, if it is new; return its merit at the end."""
        return (yield from self.ascend(x, merit)) if self.admit(0, x) else merit

    def ascend(self, x: Array, merit: Merit) -> Generator[Array, Merit, Merit]:
        """Take `x`, shape ``(d,)`` and changed in place, up the levels; return its merit at the end."""
        level = 0
        while level < len(self.levels):
            if len(self.levels[level].members) >= 2:
                before = merit
                merit = yield from self._mix(self.levels[level], x, merit)
                if merit != before:
                    self.admit(level + 1, x)
            level += 1
        return merit

    def _mix(self, level: Level, x: Array, merit: Merit) -> Generator[Array, Merit, Merit]:
        """Resample each cluster of a level once, small ones first, equal sizes in random order."""
        rng = self.rng
        level.refit(self.categories, rng)
        order, clusters = rng.permutation(len(level.clusters)), level.clusters
        for c in order[level.sizes[order].argsort(kind="stable")].tolist():
            cluster = clusters[c]
            donor = _differing(level.rows, x, cluster, rng)
            if donor is None:
                continue
            before = x[cluster]
            x[cluster] = donor
            found = yield x
            if found >= merit:  # type: ignore[operator] # merits of one run are of one type
                merit = found
            else:
                x[cluster] = before
        return merit


def _differing(rows: Array, x: Array, cluster: Index, rng: np.random.Generator) -> Array | None:
    """Draw the values of a cluster from the members that differ from `x` there; None where none does."""
    own = x[cluster].tobytes()
    for _ in range(TRIES):
        values: Array = rows[int(rng.integers(len(rows)))][cluster]
        if values.tobytes() != own:
            return values
    differing = np.flatnonzero((rows[:, cluster] != x[cluster]).any(axis=1))
    if not differing.size:
        return None
    values = rows[differing[int(rng.integers(differing.size))]][cluster]
    return values
