"""Quadratic unconstrained binary optimisation, and the Ising model."""

from problems.qubo.problem import QUBO, Ising

__all__ = ["QUBO", "Ising"]
