"""What a run knows between two iterations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cem.families.base import Array, Family


@dataclass(frozen=True, eq=False)
class State:
    """All that a run knows; every memory of an update lives here.

    Attributes
    ----------
    family : Family
        The distribution to sample next.
    iteration : int
        Number of refits so far.
    level, elite_best : float
        Worst and best score among the last elites (scores are maximised).
    elites : int
        Number of the last elites.
    best : float
        Best score among all batches.
    quiet : int
        Iterations in a row in which the elites agreed.
    memory : mapping of str to ndarray
        What the update remembers besides.
    """

    family: Family
    iteration: int = 0
    level: float = np.nan
    elite_best: float = np.nan
    elites: int = 0
    best: float = -np.inf
    quiet: int = 0
    memory: Mapping[str, Array] = field(default_factory=dict)
