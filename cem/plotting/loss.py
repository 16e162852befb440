"""Cross-entropy as a loss: what a predicted probability costs where the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cem.information import binary_cross_entropy
from cem.plotting.axes import COLOURS, DASHES, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def loss(*, ax: Axes | None = None, base: float = np.e) -> Axes:
    """Draw the cross-entropy of a predicted probability where the event came true, beside the squared error.

    Parameters
    ----------
    ax : matplotlib Axes, optional
    base : float
        e for nats, 2 for bits.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    ax = new_axes(ax)
    p = np.linspace(0.005, 1, 400)
    cross_entropy = np.array([binary_cross_entropy([1.0], [each], base=base) for each in p])
    unit = "bits" if base == 2 else "nats" if base == np.e else f"base {base:g}"
    curves = ((f"cross-entropy ({unit})", cross_entropy), ("squared error", (1 - p) ** 2))
    for (label, values), colour, dash in zip(curves, COLOURS, DASHES, strict=False):
        ax.plot(p, values, dash, color=colour, label=label)
    ax.set_xlabel("predicted probability of what happened")
    ax.set_ylabel("loss")
    ax.set_ylim(bottom=0)
    ax.legend()
    return ax
