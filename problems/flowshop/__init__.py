"""The permutation flow shop: jobs in one order through all machines."""

from problems.flowshop.problem import FlowShop

__all__ = ["FlowShop"]
