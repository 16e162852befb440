"""The travelling salesman problem, symmetric or not."""

from problems.tsp.problem import TSP

__all__ = ["TSP"]
