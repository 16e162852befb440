"""Rare events with references that were computed exactly or by quadrature."""

from problems.rare_event.bridge import bridge
from problems.rare_event.problem import RareEventProblem
from problems.rare_event.suite import suite

__all__ = ["RareEventProblem", "bridge", "suite"]
