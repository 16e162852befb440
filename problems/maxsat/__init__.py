"""Maximum satisfiability: set variables so that the clauses that hold weigh most."""

from problems.maxsat.problem import MaxSAT

__all__ = ["MaxSAT"]
