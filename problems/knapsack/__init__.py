"""0–1 knapsacks with one capacity or several: what to pack so that it is worth most."""

from problems.knapsack.knapsack import Knapsack
from problems.knapsack.multi_knapsack import MultiKnapsack

__all__ = ["Knapsack", "MultiKnapsack"]
