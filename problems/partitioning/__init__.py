"""Splitting in two: numbers into nearly equal sums, and a graph into equal halves with a small cut."""

from problems.partitioning.graph_bipartition import GraphBipartition
from problems.partitioning.number_partitioning import NumberPartitioning

__all__ = ["GraphBipartition", "NumberPartitioning"]
