"""Updates: how a scored batch moves the distribution."""

from cem.updates.smoothed_fit import SmoothedFit

__all__ = ["SmoothedFit"]
