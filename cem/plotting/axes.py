"""Axes to draw into, and the colours that all pictures share."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito (2008), "Color Universal Design": told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":")


def new_axes(ax: Axes | None) -> Axes:
    """Return `ax`, or the axes of a new figure.

    Raises
    ------
    TypeError
        If `ax` are no axes.
    ImportError
        If matplotlib is not installed.
    """
    if ax is not None:
        if not hasattr(ax, "plot"):
            raise TypeError(f"ax must be the axes of a figure, such as figure.subplots(), got {_kind(ax)}.")
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "cemkit[plots]"') from error
    return plt.subplots(layout="constrained")[1]


def check_result(result: object, what: str, *needs: str) -> None:
    """Check that a picture is asked for of what it shows.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not all(hasattr(result, name) for name in needs):
        raise TypeError(f"this draws {what}, got {_kind(result)}.")


def _kind(value: object) -> str:
    return f"{'an' if type(value).__name__[0] in 'AEIOUaeiou' else 'a'} {type(value).__name__}"


def stages(history: Any) -> list[tuple[str, slice]]:
    """Return the stretches of a history that one stage made, in order: its name and its iterations."""
    names = history.stage
    if not len(names):
        return []
    edges = np.flatnonzero(names[1:] != names[:-1]) + 1
    ends = [0, *edges.tolist(), len(names)]
    return [(str(names[a]), slice(a, b)) for a, b in pairwise(ends)]
