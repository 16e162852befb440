"""The maximum cut of a weighted graph."""

from problems.maxcut.problem import MaxCut

__all__ = ["MaxCut"]
