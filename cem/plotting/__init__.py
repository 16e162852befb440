"""Pictures of runs and estimates, by matplotlib (``pip install "cemkit[plots]"``).

`cem` itself never imports this.

Every function draws into `ax`, or into new axes, and returns the axes. Colours are Okabe and Ito's, which the
colour-blind tell apart; kinds of lines differ too, so that prints without colour can be read.
"""

from cem.plotting.convergence import convergence
from cem.plotting.distribution import distribution
from cem.plotting.estimate import estimate, weights
from cem.plotting.loss import loss

__all__ = ["convergence", "distribution", "estimate", "loss", "weights"]
