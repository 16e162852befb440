"""Updates: how a scored batch moves the distribution, and what an update of one's own is made of."""

from cem.core.loop import Batch, State, Update
from cem.core.selection import elite_rows
from cem.updates.elite_archive import EliteArchive
from cem.updates.path_adaptation import PathAdaptation
from cem.updates.smoothed_fit import SmoothedFit

__all__ = ["Batch", "EliteArchive", "PathAdaptation", "SmoothedFit", "State", "Update", "elite_rows"]
