"""Updates: how a scored batch moves the distribution."""

from cem.updates.elite_archive import EliteArchive
from cem.updates.path_adaptation import PathAdaptation
from cem.updates.smoothed_fit import SmoothedFit

__all__ = ["EliteArchive", "PathAdaptation", "SmoothedFit"]
