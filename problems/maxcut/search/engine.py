"""What a max-cut engine owes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from problems.maxcut.search.graph import CutGraph


class Sweeps(Protocol):
    """Anneals and reheats rows of spins on a layout; a module serves.

    A layout and its states are the module's own; a layout has the attribute `graph`. Everything random comes
    from the seeds, one for each row.

    *Work* is an estimate of time: of any unit, as long as it is the same for all layouts of an engine, and
    counted, not timed, so that the same arguments give the same number on every machine.
    """

    def load(self, layout: Any, spins: NDArray[np.int8]) -> Any:
        """Make states from rows of spins (-1, 1) in the graph's own order."""

    def unload(self, layout: Any, state: Any) -> NDArray[np.int8]:
        """Return rows of spins (-1, 1) in the graph's own order."""

    def anneal(self, layout: Any, state: Any, sweeps: int, seeds: NDArray[np.uint64]) -> float:
        """Cool every row in place over ``sweeps`` sweeps, then descend; return the work done."""

    def reheat(
        self, layout: Any, state: Any, temperature: float, sweeps: int, seeds: NDArray[np.uint64]
    ) -> tuple[NDArray[np.float64], float]:
        """Reheat copies, cool them, let what improves into each row; return their gains, and the work."""


class Engine(Sweeps, Protocol):
    """Chooses layouts, and how much to do.

    Attributes
    ----------
    NAME : str
        What histories call it.
    REPLICAS : int
        Rows that are worth annealing at once.
    """

    NAME: str
    REPLICAS: int

    def share(self, graph: CutGraph) -> float:
        """Return the share of the usual sweeps that an anneal of the graph takes."""

    def edges_swept(self, graph: CutGraph) -> float:
        """Return how many edges a sweep costs: all, where none of them comes cheaper."""

    def prepare(self, graph: CutGraph) -> Any:
        """Arrange the graph for sweeps: return its layout."""
