"""The quadratic assignment problem."""

from problems.qap.problem import QAP

__all__ = ["QAP"]
