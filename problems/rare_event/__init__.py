"""Rare events with references that were computed exactly or by quadrature."""

from problems.rare_event.bridge import bridge
from problems.rare_event.problem import RareEventProblem

__all__ = ["RareEventProblem", "bridge"]
