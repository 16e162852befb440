"""How a run came to its answer: best score and level against evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cem.core.budget import real_number
from cem.plotting.axes import COLOURS, DASHES, check_result, new_axes, stages

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE = 0.04  # of all evaluations: a stage that has room for its name, written upwards


def convergence(
    result: Any, *, ax: Axes | None = None, reference: float | None = None, label: str = "best so far"
) -> Axes:
    """Draw the best score so far, and the level of the elites, against evaluations.

    Stages are told apart by shading, and named where they are wide enough; a dotted line marks where a run
    began again.

    Parameters
    ----------
    result : OptimizeResult or History
    ax : matplotlib Axes, optional
        Default: those of a new figure.
    reference : float, optional
        A score to measure from, such as a known optimum: the distance to it is drawn on a log scale.
    label : str
        Of the line of best scores.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If `result` is neither, or `reference` no number.
    ValueError
        If the history is empty, or `reference` not finite.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import cem
    >>> import cem.plotting
    >>> r = cem.optimize(lambda x: (x**2).sum(), bounds=[(-5, 5)] * 2, rng=1)
    >>> ax = cem.plotting.convergence(r, reference=0.0)  # doctest: +SKIP
    """
    history = getattr(result, "history", result)
    if reference is not None and not np.isfinite(real_number("reference", reference)):
        raise ValueError(f"reference must be finite, got {reference!r}.")
    check_result(history, "a result or its history", "__len__")
    if not len(history):
        raise ValueError("there is nothing to draw: the run has no iteration.")
    check_result(history, "a result or its history", "note")
    ax = new_axes(ax)
    nfev, best = history.nfev, history.best
    if getattr(result, "nfev", 0) > nfev[-1] and "fun_error" not in result:  # what came after the last one
        nfev, best = np.append(nfev, result.nfev), np.append(best, result.fun)
    shown = {label: best, "level": history.level}
    for (name, values), colour, dash in zip(shown.items(), COLOURS, DASHES, strict=False):
        values = values if reference is None else np.abs(values - reference)
        mark = "o" if len(values) == 1 else None  # of a line there is nothing to see
        where = nfev[: len(values)]
        ax.plot(where, values, dash, color=colour, marker=mark, label=name, drawstyle="steps-post")
    if reference is not None:
        ax.set_yscale("log")
    parts = stages(history)
    for k, (name, part) in enumerate(parts):
        first = int(nfev[part.start - 1]) if part.start else 0
        last = int(nfev[part.stop - 1])
        ax.axvspan(first, last, color=COLOURS[-1], alpha=0.05 * (k % 2), lw=0)
        if len(parts) > 1 and last - first >= WIDE * nfev[-1]:
            middle, look = (first + last) / 2, {"fontsize": "small", "color": "0.4"}
            across = ax.get_xaxis_transform()
            ax.text(middle, 0.5, name, look, rotation="vertical", ha="center", va="center", transform=across)
    for i in np.flatnonzero(history.note != ""):
        if i:
            ax.axvline(nfev[i - 1], color="0.6", lw=0.8, ls=":")
    ax.set_xlabel("evaluations")
    ax.set_ylabel("score" if reference is None else f"distance of the score to {reference:g}")
    ax.legend()
    return ax
