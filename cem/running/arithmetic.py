"""How a plan computes: infinities are scores like others."""

import numpy as np


def any_arithmetic() -> np.errstate:
    """Let the arithmetic of a plan overflow in silence: scores may be infinite, or nearly so, by right.

    What the objective computes is outside, and warns as it is told to.
    """
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")
