"""Scoring candidates: one by one, vectorised, or in parallel. The only folder that knows joblib."""

from cem.evaluation.evaluator import VECTORISED_NUMBERS, Evaluator
from cem.evaluation.objective import Failure, Objective, as_score, as_scores, checked_args, widen

__all__ = [
    "VECTORISED_NUMBERS",
    "Evaluator",
    "Failure",
    "Objective",
    "as_score",
    "as_scores",
    "checked_args",
    "widen",
]
