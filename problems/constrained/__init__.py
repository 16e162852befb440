"""Constrained test problems: the set of CEC 2006, without g02, g20 and g22.

Each is a problem object, so that ``cem.optimize(g06)`` needs nothing more. Inequalities are ``g(x) <= 0``,
equalities ``h(x) = 0``, both of rows: (n, d) to (n, m).

The definitions are those of J. J. Liang, T. P. Runarsson, E. Mezura-Montes, M. Clerc, P. N. Suganthan,
C. A. Coello Coello and K. Deb, "Problem Definitions and Evaluation Criteria for the CEC 2006 Special Session
on Constrained Real-Parameter Optimization" (2006). Its optima allow each equality an error of 1e-4, which
lets a function fall below its least feasible value; the optima here are those of exact equalities.
"""

from problems.constrained.g01_to_g12 import g01, g03, g04, g05, g06, g07, g08, g09, g10, g11, g12
from problems.constrained.g13_to_g24 import g13, g14, g15, g16, g17, g18, g19, g21, g23, g24
from problems.constrained.problem import ConstrainedProblem

ALL = (
    g01, g03, g04, g05, g06, g07, g08, g09, g10, g11, g12,
    g13, g14, g15, g16, g17, g18, g19, g21, g23, g24,
)  # fmt: skip

__all__ = [
    "ALL", "ConstrainedProblem",
    "g01", "g03", "g04", "g05", "g06", "g07", "g08", "g09", "g10", "g11", "g12",
    "g13", "g14", "g15", "g16", "g17", "g18", "g19", "g21", "g23", "g24",
]  # fmt: skip
