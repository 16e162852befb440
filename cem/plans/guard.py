"""Telling noise: an objective that nobody called noisy, and whose values of one candidate differ."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np

from cem.core.ending import NOISY, Ending
from cem.core.loop import Batch, Request, Rows
from cem.families.base import Array

TWICE = 2  # evaluations that show noise
NoisyPlan = Callable[[int], Generator[Request, Batch, Ending]]


def differs(x: Array) -> Generator[Request, Batch, bool]:
    """Evaluate a candidate, shape ``(d,)``, twice; return whether that gave two finite scores that differ."""
    one, two = (yield Rows(np.stack([x, x]))).scores.tolist()
    return bool(one != two and np.isfinite(one) and np.isfinite(two))


def guarded(
    x: Array, plan: Generator[Request, Batch, Ending], noisy: NoisyPlan
) -> Generator[Request, Batch, Ending]:
    """Follow `plan`, or, where two evaluations at `x` differ, the one for noise.

    Parameters
    ----------
    x : ndarray, shape (d,)
    plan : generator
    noisy : callable
        From the evaluations that were spent to a plan.
    """
    if (yield from differs(x)):
        plan.close()
        return (yield from said_noisy(noisy(TWICE)))
    return (yield from plan)


def said_noisy(plan: Generator[Request, Batch, Ending]) -> Generator[Request, Batch, Ending]:
    """Follow `plan` and put in front of its message that noise was seen."""
    ending = yield from plan
    return ending._replace(message=f"{NOISY}: {ending.message}")
